<?php
/**
 * The site's own key, by which it proves itself to the bridge.
 *
 * @package Gatepass
 */

/**
 * An Ed25519 key pair made in this WordPress at pairing. The private half never leaves it.
 */
final class Gatepass_Site_Key {

	/**
	 * Lifetime of a proof in seconds; the bridge takes no longer one.
	 */
	const PROOF_SECONDS = 60;

	/**
	 * Sodium's secret key, 64 bytes: seed and public key.
	 *
	 * @var string
	 */
	private $secret_key;

	/**
	 * Constructor.
	 *
	 * @param string $secret_key 64 bytes.
	 */
	private function __construct( string $secret_key ) {
		$this->secret_key = $secret_key;
	}

	/**
	 * Makes a new key.
	 *
	 * @return self
	 */
	public static function generate(): self {
		return new self( sodium_crypto_sign_secretkey( sodium_crypto_sign_keypair() ) );
	}

	/**
	 * Reads a stored key.
	 *
	 * @param mixed $stored What {@see to_stored()} made.
	 * @return self|null
	 */
	public static function from_stored( $stored ): ?self {
		$secret_key = is_string( $stored ) ? Gatepass_Base64url::decode( $stored ) : null;
		return null !== $secret_key && SODIUM_CRYPTO_SIGN_SECRETKEYBYTES === strlen( $secret_key ) ? new self( $secret_key ) : null;
	}

	/**
	 * The key, to be stored.
	 *
	 * @return string
	 */
	public function to_stored(): string {
		return Gatepass_Base64url::encode( $this->secret_key );
	}

	/**
	 * The public half as a JWK's `x`.
	 *
	 * @return string
	 */
	public function public_x(): string {
		return Gatepass_Base64url::encode( $this->public_key() );
	}

	/**
	 * The public half as a JWK.
	 *
	 * @return array<string,string>
	 */
	public function to_jwk(): array {
		return array(
			'kty' => 'OKP',
			'crv' => 'Ed25519',
			'x'   => $this->public_x(),
		);
	}

	/**
	 * Its key id.
	 *
	 * @return string RFC 7638 thumbprint.
	 */
	public function kid(): string {
		return Gatepass_Key_Set::thumbprint( $this->public_key() );
	}

	/**
	 * The site's proof of itself for one request (a `gatepass-site+jwt`).
	 *
	 * @param string $site_id Issuer and subject.
	 * @param string $bridge  Audience.
	 * @param int    $now     Seconds since 1970, by the bridge's clock.
	 * @return string Compact JWS.
	 */
	public function proof( string $site_id, string $bridge, int $now ): string {
		$header = array(
			'alg' => 'EdDSA',
			'typ' => 'gatepass-site+jwt',
			'kid' => $this->kid(),
		);
		$claims = array(
			'iss' => $site_id,
			'sub' => $site_id,
			'aud' => $bridge,
			'iat' => $now,
			'exp' => $now + self::PROOF_SECONDS,
		);
		$input  = self::part( $header ) . '.' . self::part( $claims );
		return $input . '.' . Gatepass_Base64url::encode( sodium_crypto_sign_detached( $input, $this->secret_key ) );
	}

	/**
	 * Answers the bridge's challenge: this key is at work at the site's own address.
	 *
	 * @param string $site_id The id asked for.
	 * @param string $nonce   The bridge's nonce.
	 * @return string Base64url signature. The first line keeps it from being of use for anything else.
	 */
	public function answer_challenge( string $site_id, string $nonce ): string {
		$message = "gatepass-pairing-challenge\n" . $site_id . "\n" . $nonce;
		return Gatepass_Base64url::encode( sodium_crypto_sign_detached( $message, $this->secret_key ) );
	}

	/**
	 * The public half.
	 *
	 * @return string 32 bytes.
	 */
	private function public_key(): string {
		return sodium_crypto_sign_publickey_from_secretkey( $this->secret_key );
	}

	/**
	 * One part of a JWS.
	 *
	 * @param array<string,mixed> $members Members.
	 * @return string
	 */
	private static function part( array $members ): string {
		// phpcs:ignore WordPress.WP.AlternativeFunctions.json_encode_json_encode -- ASCII of our own making, also outside WordPress.
		return Gatepass_Base64url::encode( (string) json_encode( $members, JSON_UNESCAPED_SLASHES ) );
	}
}
