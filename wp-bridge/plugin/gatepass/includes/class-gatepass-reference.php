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
	 * @return string For example 7K3M-Q2ZD.
	 */
	public function shown(): string {
		return substr( $this->characters, 0, 4 ) . '-' . substr( $this->characters, 4 );
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
