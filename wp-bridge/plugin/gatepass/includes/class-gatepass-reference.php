<?php
/**
 * Reference numbers: what a customer reads out to support.
 *
 * @package Gatepass
 */

/**
 * Eight characters that cannot be misread (Crockford's base32). The same number goes to the bridge
 * as the request id, and so into the audit trail, where the exact cause stands.
 */
final class Gatepass_Reference {

	const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

	/**
	 * Causes of refusals that stand in no audit trail: Gatepass was not asked, could not write, or only
	 * counts them, because a stranger could fill the trail. Their references say the cause themselves,
	 * as U and this character in front; `gatepass audit show` reads it.
	 */
	const LOCAL_CAUSES = array(
		'token_invalid'      => '1',
		'attempt_invalid'    => '2',
		'origin_mismatch'    => '3',
		'origin_unknown'     => '4',
		'not_paired'         => '5',
		'switched_off'       => '6',
		'binding_absent'     => '7',
		'bridge_unreachable' => '8',
		'busy'               => '9',
		'token_expired'      => 'A',
		'start_not_set_up'   => 'B',
		'store_unavailable'  => 'C',
		'overloaded'         => 'D',
		'rate_limited'       => 'E',
		'site_proof_invalid' => 'F',
		'site_proof_expired' => 'G',
		'site_is_a_copy'     => 'H',
	);

	/**
	 * Eight characters of the alphabet.
	 *
	 * @var string
	 */
	private $characters;

	/**
	 * Constructor.
	 *
	 * @param string $bytes Eight random bytes.
	 */
	public function __construct( string $bytes ) {
		$this->characters = '';
		foreach ( str_split( substr( $bytes, 0, 8 ) ) as $byte ) {
			$this->characters .= self::ALPHABET[ ord( $byte ) & 31 ];
		}
	}

	/**
	 * As people see it.
	 *
	 * @param string $cause Why the customer is refused, if that is one of LOCAL_CAUSES.
	 * @return string For example 7K3M-Q2ZD, or U7-7K3M-Q2ZD.
	 */
	public function shown( string $cause = '' ): string {
		$local = isset( self::LOCAL_CAUSES[ $cause ] ) ? 'U' . self::LOCAL_CAUSES[ $cause ] . '-' : '';
		return $local . substr( $this->characters, 0, 4 ) . '-' . substr( $this->characters, 4 );
	}

	/**
	 * As the bridge sees it.
	 *
	 * @return string For example R-7K3MQ2ZD.
	 */
	public function request_id(): string {
		return 'R-' . $this->characters;
	}
}
