<?php
/**
 * What the panel says of a customer.
 *
 * @package Gatepass
 */

/**
 * The account as the panel wants it. Nothing of it is to be trusted further than the owner allows: see Gatepass_Members.
 */
final class Gatepass_Wanted {

	/**
	 * The texts, all of which but the address may be empty.
	 */
	const TEXTS = array( 'email', 'username', 'display_name', 'first_name', 'last_name', 'locale' );

	/**
	 * The texts.
	 *
	 * @var array<string,string>
	 */
	private $texts;

	/**
	 * Roles, best first.
	 *
	 * @var string[]
	 */
	private $roles;

	/**
	 * Constructor.
	 *
	 * @param array<string,string> $texts The texts, all of them.
	 * @param string[]             $roles Roles.
	 */
	private function __construct( array $texts, array $roles ) {
		$this->texts = $texts;
		$this->roles = $roles;
	}

	/**
	 * Reads the `member` of an answer.
	 *
	 * @param mixed $member Decoded JSON.
	 * @return self|null Null if it has not even an address.
	 */
	public static function from_array( $member ): ?self {
		if ( ! is_array( $member ) || ! is_string( $member['email'] ?? null ) ) {
			return null;
		}
		$texts = array();
		foreach ( self::TEXTS as $name ) {
			$texts[ $name ] = is_string( $member[ $name ] ?? null ) ? $member[ $name ] : '';
		}
		$roles = is_array( $member['roles'] ?? null ) ? $member['roles'] : array();
		return new self( $texts, array_values( array_filter( $roles, 'is_string' ) ) );
	}

	/**
	 * One of the texts.
	 *
	 * @param string $name Which, of TEXTS.
	 * @return string Empty if the panel says nothing of it.
	 */
	public function text( string $name ): string {
		return $this->texts[ $name ];
	}

	/**
	 * Roles, best first.
	 *
	 * @return string[]
	 */
	public function roles(): array {
		return $this->roles;
	}
}
