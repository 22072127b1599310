<?php
/**
 * A signed token of Gatepass as far as WordPress judges it.
 *
 * @package Gatepass
 */

/**
 * A compact JWS whose shape, type and audience are right, and whose signature holds if its key is pinned. What every
 * kind of token has in common; what it means is for Gatepass_Handoff and Gatepass_Poke.
 *
 * Time is not judged here. A WordPress's clock is often wrong, and the bridge's is the one that counts.
 */
final class Gatepass_Token {

	/**
	 * Longer tokens are refused unread.
	 */
	const MAX_BYTES = 2048;

	/**
	 * The claims.
	 *
	 * @var array<string,mixed>
	 */
	private $claims;

	/**
	 * Whether its key is pinned, and so its signature checked.
	 *
	 * @var bool
	 */
	private $is_signed;

	/**
	 * Constructor.
	 *
	 * @param array<string,mixed> $claims    Checked claims, and others.
	 * @param bool                $is_signed Whether its key is pinned.
	 */
	private function __construct( array $claims, bool $is_signed ) {
		$this->claims    = $claims;
		$this->is_signed = $is_signed;
	}

	/**
	 * Checks a token that came from outside.
	 *
	 * @param string           $unverified_token What came.
	 * @param string           $type             The media type in its header, which keeps our other tokens from being
	 *                                           taken for this one.
	 * @param Gatepass_Key_Set $keys             The pinned keys.
	 * @param string           $site_id          Our own id, the only audience we accept.
	 * @return self|null Null for everything that is wrong.
	 */
	public static function verify( string $unverified_token, string $type, Gatepass_Key_Set $keys, string $site_id ): ?self {
		$jws = Gatepass_Jws::parse( $unverified_token, $type, self::MAX_BYTES );
		if ( null === $jws ) {
			return null;
		}
		$public_key = $keys->find( $jws->kid() );
		if ( null !== $public_key && ! $jws->is_signed_by( $public_key ) ) {
			return null;
		}

		$claims = $jws->unverified_claims();
		if ( ! is_string( $claims['aud'] ?? null ) || ! hash_equals( $site_id, $claims['aud'] )
			|| ! is_string( $claims['iss'] ?? null ) || '' === $claims['iss']
			|| ! is_string( $claims['jti'] ?? null ) || ! self::is_uuid_v7( $claims['jti'] )
			|| ! Gatepass_Jws::is_time( $claims['iat'] ?? null ) || ! Gatepass_Jws::is_time( $claims['exp'] ?? null )
			|| $claims['exp'] <= $claims['iat'] ) {
			return null;
		}
		return new self( $claims, null !== $public_key );
	}

	/**
	 * A claim that is a text.
	 *
	 * @param string $name Which.
	 * @return string Empty if absent.
	 */
	public function claim( string $name ): string {
		return is_string( $this->claims[ $name ] ?? null ) ? $this->claims[ $name ] : '';
	}

	/**
	 * When it was made, by the clock of who made it.
	 *
	 * @return int Seconds since 1970.
	 */
	public function issued_at(): int {
		return $this->claims['iat'];
	}

	/**
	 * Whether its signature was checked. If not, its key is not pinned, and nothing in it is proven.
	 *
	 * @return bool
	 */
	public function is_signed(): bool {
		return $this->is_signed;
	}

	/**
	 * Whether a text is a version 7 UUID in its one canonical spelling (RFC 9562).
	 *
	 * @param string $text Any text.
	 * @return bool
	 */
	private static function is_uuid_v7( string $text ): bool {
		return 1 === preg_match( '/\A[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\z/', $text );
	}
}
