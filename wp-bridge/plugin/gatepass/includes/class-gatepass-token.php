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
	 * Deepest nesting in header and claims, as the bridge reads them.
	 */
	const MAX_DEPTH = 8;

	/**
	 * The last second of the year 9999, beyond which no time is written.
	 */
	const LAST_SECOND = 253402300799;

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
		if ( strlen( $unverified_token ) > self::MAX_BYTES ) {
			return null;
		}
		$parts = explode( '.', $unverified_token );
		if ( 3 !== count( $parts ) ) {
			return null;
		}
		$unverified_header = Gatepass_Json::object( (string) Gatepass_Base64url::decode( $parts[0] ), self::MAX_DEPTH );
		$unverified_claims = Gatepass_Json::object( (string) Gatepass_Base64url::decode( $parts[1] ), self::MAX_DEPTH );
		$signature         = Gatepass_Base64url::decode( $parts[2] );
		if ( null === $unverified_header || null === $unverified_claims || null === $signature
			|| SODIUM_CRYPTO_SIGN_BYTES !== strlen( $signature ) ) {
			return null;
		}

		// RFC 9864 calls the same algorithm by its full name. `crit` would name extensions, and we have none.
		if ( ! in_array( $unverified_header['alg'] ?? null, array( 'EdDSA', 'Ed25519' ), true )
			|| ( $unverified_header['typ'] ?? null ) !== $type
			|| array_key_exists( 'crit', $unverified_header ) ) {
			return null;
		}
		$kid = $unverified_header['kid'] ?? null;
		if ( ! is_string( $kid ) || 32 !== strlen( (string) Gatepass_Base64url::decode( $kid ) ) ) {
			return null;
		}
		$public_key = $keys->find( $kid );
		if ( null !== $public_key
			&& ! sodium_crypto_sign_verify_detached( $signature, $parts[0] . '.' . $parts[1], $public_key ) ) {
			return null;
		}

		$claims = $unverified_claims;
		if ( ! is_string( $claims['aud'] ?? null ) || ! hash_equals( $site_id, $claims['aud'] )
			|| ! is_string( $claims['iss'] ?? null ) || '' === $claims['iss']
			|| ! is_string( $claims['jti'] ?? null ) || ! self::is_uuid_v7( $claims['jti'] )
			|| ! self::is_time( $claims['iat'] ?? null ) || ! self::is_time( $claims['exp'] ?? null )
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

	/**
	 * Whether a value is a time in whole seconds since 1970. Which time is not judged here.
	 *
	 * @param mixed $value Any value.
	 * @return bool
	 */
	private static function is_time( $value ): bool {
		return is_int( $value ) && $value >= 0 && $value <= self::LAST_SECOND;
	}
}
