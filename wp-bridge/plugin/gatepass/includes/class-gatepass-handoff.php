<?php
/**
 * The handoff token as far as WordPress judges it.
 *
 * @package Gatepass
 */

/**
 * A handoff token whose shape, type and audience are right, and whose signature holds under the
 * pinned keys. The one exception is a key id that is not pinned: after a rotation the bridge knows
 * keys which this site has yet to learn, so it decides.
 *
 * Time is not judged here. A WordPress's clock is often wrong, and the bridge's is the one that counts.
 */
final class Gatepass_Handoff {

	/**
	 * Longer tokens are refused unread.
	 */
	const MAX_BYTES = 2048;

	/**
	 * The media type in the header, which keeps our other tokens from being taken for this one.
	 */
	const TYPE = 'gatepass-handoff+jwt';

	/**
	 * Deepest nesting in header and claims, as the bridge reads them.
	 */
	const MAX_DEPTH = 8;

	/**
	 * The last second of the year 9999, beyond which no time is written.
	 */
	const LAST_SECOND = 253402300799;

	/**
	 * The token itself.
	 *
	 * @var string
	 */
	private $token;

	/**
	 * Claims that are compared with the bridge's answer.
	 *
	 * @var array{jti:string,sub:string,aud:string}
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
	 * @param string                                  $token     Compact JWS.
	 * @param array{jti:string,sub:string,aud:string} $claims    Claims.
	 * @param bool                                    $is_signed Whether its key is pinned.
	 */
	private function __construct( string $token, array $claims, bool $is_signed ) {
		$this->token     = $token;
		$this->claims    = $claims;
		$this->is_signed = $is_signed;
	}

	/**
	 * Checks a token that came with a browser.
	 *
	 * @param string           $unverified_token What was posted.
	 * @param Gatepass_Key_Set $keys             The pinned keys.
	 * @param string           $site_id          Our own id, the only audience we accept.
	 * @return self|null Null for everything that is wrong: the customer is told no more than that.
	 */
	public static function verify( string $unverified_token, Gatepass_Key_Set $keys, string $site_id ): ?self {
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
			|| self::TYPE !== ( $unverified_header['typ'] ?? null )
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
			|| ! is_string( $claims['sub'] ?? null ) || ! self::is_subject( $claims['sub'] )
			|| ! self::is_time( $claims['iat'] ?? null ) || ! self::is_time( $claims['exp'] ?? null )
			|| $claims['exp'] <= $claims['iat'] ) {
			return null;
		}
		return new self(
			$unverified_token,
			array(
				'jti' => $claims['jti'],
				'sub' => $claims['sub'],
				'aud' => $claims['aud'],
			),
			null !== $public_key
		);
	}

	/**
	 * Whether a text can be a subject, the panel's own id of its customer.
	 *
	 * @param string $text Any text.
	 * @return bool
	 */
	public static function is_subject( string $text ): bool {
		return 1 === preg_match( '/\A[A-Za-z0-9._:@-]{1,128}\z/', $text );
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

	/**
	 * The token, for the bridge's eyes only.
	 *
	 * @return string
	 */
	public function token(): string {
		return $this->token;
	}

	/**
	 * The panel's id of its customer. Proven only if the key was pinned; the bridge proves the rest.
	 *
	 * @return string
	 */
	public function subject(): string {
		return $this->claims['sub'];
	}

	/**
	 * The handoff's id, as panel and bridge write it.
	 *
	 * @return string ho_ and the token's id in base32 (RFC 4648, lower case, no padding).
	 */
	public function id(): string {
		$bits = '';
		foreach ( str_split( str_replace( '-', '', $this->claims['jti'] ) ) as $digit ) {
			$bits .= str_pad( decbin( (int) hexdec( $digit ) ), 4, '0', STR_PAD_LEFT );
		}
		$id = 'ho_';
		foreach ( str_split( $bits, 5 ) as $five ) {
			$id .= 'abcdefghijklmnopqrstuvwxyz234567'[ (int) bindec( str_pad( $five, 5, '0' ) ) ];
		}
		return $id;
	}

	/**
	 * Whether its signature was checked here. If not, its key is not pinned, and only the bridge can tell.
	 *
	 * @return bool
	 */
	public function is_signed(): bool {
		return $this->is_signed;
	}

	/**
	 * Whether the bridge's answer is about this very token. A redemption does not name its
	 * audience; that it is ours was checked above.
	 *
	 * @param string $jti     The answer's token id.
	 * @param string $subject The answer's subject.
	 * @return bool
	 */
	public function is( string $jti, string $subject ): bool {
		return hash_equals( $this->claims['jti'], $jti ) && hash_equals( $this->claims['sub'], $subject );
	}
}
