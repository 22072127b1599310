<?php
/**
 * What is common to everything that Gatepass signs.
 *
 * @package Gatepass
 */

/**
 * A compact JWS whose shape, algorithm and type are right. Whose signature it bears, and what its claims mean, is for
 * others to judge.
 */
final class Gatepass_Jws {

	/**
	 * Deepest nesting in header and claims, as the bridge reads them.
	 */
	const MAX_DEPTH = 8;

	/**
	 * The last second of the year 9999, beyond which no time is written.
	 */
	const LAST_SECOND = 253402300799;

	/**
	 * Which key it says to be signed by.
	 *
	 * @var string
	 */
	private $kid;

	/**
	 * The claims.
	 *
	 * @var array<string,mixed>
	 */
	private $unverified_claims;

	/**
	 * What the signature is over.
	 *
	 * @var string
	 */
	private $input;

	/**
	 * The signature, 64 bytes.
	 *
	 * @var string
	 */
	private $signature;

	/**
	 * Constructor.
	 *
	 * @param string              $kid               Key id.
	 * @param array<string,mixed> $unverified_claims Claims.
	 * @param string              $input             What the signature is over.
	 * @param string              $signature         64 bytes.
	 */
	private function __construct( string $kid, array $unverified_claims, string $input, string $signature ) {
		$this->kid               = $kid;
		$this->unverified_claims = $unverified_claims;
		$this->input             = $input;
		$this->signature         = $signature;
	}

	/**
	 * Reads what came from outside.
	 *
	 * @param string $unverified What came.
	 * @param string $type       The media type in its header, which keeps one thing we sign from being taken for another.
	 * @param int    $max_bytes  Longer ones are refused unread.
	 * @return self|null Null for everything that is wrong.
	 */
	public static function parse( string $unverified, string $type, int $max_bytes ): ?self {
		if ( strlen( $unverified ) > $max_bytes ) {
			return null;
		}
		$parts = explode( '.', $unverified );
		if ( 3 !== count( $parts ) ) {
			return null;
		}
		$header    = Gatepass_Json::object( (string) Gatepass_Base64url::decode( $parts[0] ), self::MAX_DEPTH );
		$claims    = Gatepass_Json::object( (string) Gatepass_Base64url::decode( $parts[1] ), self::MAX_DEPTH );
		$signature = Gatepass_Base64url::decode( $parts[2] );
		if ( null === $header || null === $claims || null === $signature || SODIUM_CRYPTO_SIGN_BYTES !== strlen( $signature ) ) {
			return null;
		}
		// RFC 9864 calls the same algorithm by its full name. `crit` would name extensions, and we have none.
		if ( ! in_array( $header['alg'] ?? null, array( 'EdDSA', 'Ed25519' ), true )
			|| ( $header['typ'] ?? null ) !== $type
			|| array_key_exists( 'crit', $header ) ) {
			return null;
		}
		$kid = $header['kid'] ?? null;
		if ( ! is_string( $kid ) || 32 !== strlen( (string) Gatepass_Base64url::decode( $kid ) ) ) {
			return null;
		}
		return new self( $kid, $claims, $parts[0] . '.' . $parts[1], $signature );
	}

	/**
	 * Which key it says to be signed by.
	 *
	 * @return string Key id.
	 */
	public function kid(): string {
		return $this->kid;
	}

	/**
	 * The claims, which nobody has vouched for unless {@see is_signed_by()} says so.
	 *
	 * @return array<string,mixed>
	 */
	public function unverified_claims(): array {
		return $this->unverified_claims;
	}

	/**
	 * Whether the signature holds.
	 *
	 * @param string $public_key 32 bytes.
	 * @return bool
	 */
	public function is_signed_by( string $public_key ): bool {
		return sodium_crypto_sign_verify_detached( $this->signature, $this->input, $public_key );
	}

	/**
	 * Whether a value is a time in whole seconds since 1970. Which time is not judged here.
	 *
	 * @param mixed $value Any value.
	 * @return bool
	 */
	public static function is_time( $value ): bool {
		return is_int( $value ) && $value >= 0 && $value <= self::LAST_SECOND;
	}
}
