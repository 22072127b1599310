<?php
/**
 * The string an owner pastes to pair a site.
 *
 * @package Gatepass
 */

/**
 * A parsed pairing string: where the bridge is, which site we are to become, the one-time secret,
 * and the fingerprint of the keys, so that the bridge's answer can be checked against it.
 */
final class Gatepass_Pairing_String {

	const PREFIX = 'gp_pair_';

	/**
	 * Longer ones are refused unread.
	 */
	const MAX_BYTES = 4096;

	/**
	 * Members of the string.
	 *
	 * @var array{bridge:string,site:string,secret:string,keys:string,issuer:?string}
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param array{bridge:string,site:string,secret:string,keys:string,issuer:?string} $members Checked members.
	 */
	private function __construct( array $members ) {
		$this->members = $members;
	}

	/**
	 * Parses what was pasted. White space anywhere is forgiven: mail programs and terminals wrap lines.
	 *
	 * @param string $pasted What was pasted.
	 * @return self|null Null when it is no pairing string.
	 */
	public static function parse( string $pasted ): ?self {
		if ( strlen( $pasted ) > self::MAX_BYTES ) {
			return null;
		}
		$text = (string) preg_replace( '/\s+/', '', $pasted );
		if ( 0 !== strpos( $text, self::PREFIX ) ) {
			return null;
		}
		$members = Gatepass_Json::object( (string) Gatepass_Base64url::decode( substr( $text, strlen( self::PREFIX ) ) ) );
		if ( null === $members || 1 !== ( $members['v'] ?? null ) ) {
			return null;
		}
		foreach ( array( 'bridge', 'site', 'secret', 'keys' ) as $name ) {
			if ( ! is_string( $members[ $name ] ?? null ) ) {
				return null;
			}
		}
		if ( ! self::is_site_id( $members['site'] )
			|| null === Gatepass_Origin::of( $members['bridge'] )
			|| strlen( $members['bridge'] ) !== strcspn( $members['bridge'], '?#' )
			|| ! is_string( $members['issuer'] ?? '' )
			|| 1 !== preg_match( '/\A[A-Za-z0-9_-]{43}\z/', $members['secret'] )
			|| 1 !== preg_match( '/\A[A-Za-z0-9_-]{43}\z/', $members['keys'] ) ) {
			return null;
		}
		return new self(
			array(
				'bridge' => $members['bridge'],
				'site'   => $members['site'],
				'secret' => $members['secret'],
				'keys'   => $members['keys'],
				'issuer' => $members['issuer'] ?? null,
			)
		);
	}

	/**
	 * Whether a text can be a site id.
	 *
	 * @param string $text Any text.
	 * @return bool
	 */
	public static function is_site_id( string $text ): bool {
		return 1 === preg_match( '/\Asite_[a-z2-7]{26}\z/', $text );
	}

	/**
	 * The bridge's base URL.
	 *
	 * @return string
	 */
	public function bridge(): string {
		return $this->members['bridge'];
	}

	/**
	 * The site id this WordPress is to have.
	 *
	 * @return string
	 */
	public function site_id(): string {
		return $this->members['site'];
	}

	/**
	 * The one-time secret.
	 *
	 * @return string
	 */
	public function secret(): string {
		return $this->members['secret'];
	}

	/**
	 * Whose tokens this site is to take.
	 *
	 * @return string|null Null in a string of an older broker, which does not say.
	 */
	public function issuer(): ?string {
		return $this->members['issuer'];
	}

	/**
	 * Tells this code from others without telling its secret.
	 *
	 * @return string
	 */
	public function hash(): string {
		return hash( 'sha256', "gatepass-pairing-code\n" . implode( "\n", $this->members ) );
	}

	/**
	 * Fingerprint of the broker's key set.
	 *
	 * @return string
	 */
	public function keys_fingerprint(): string {
		return $this->members['keys'];
	}
}
