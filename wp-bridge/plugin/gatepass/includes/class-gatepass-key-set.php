<?php
/**
 * The broker's public keys, as pinned at pairing and followed since.
 *
 * @package Gatepass
 */

/**
 * A set of Ed25519 public keys by key id. A key id is the key's RFC 7638 thumbprint, so that
 * nobody can give a key another's name.
 */
final class Gatepass_Key_Set {

	/*
	 * Where a key stands: published, but not signing yet; signing; no longer signing, but what it has signed may still be
	 * on its way.
	 */
	const NEXT    = 'next';
	const ACTIVE  = 'active';
	const RETIRED = 'retired';

	/**
	 * More keys than this are no set.
	 */
	const MAX_KEYS = 32;

	/**
	 * Public keys, 32 raw bytes each, by key id.
	 *
	 * @var array<string,string>
	 */
	private $keys;

	/**
	 * Where each stands, by key id.
	 *
	 * @var array<string,string>
	 */
	private $statuses;

	/**
	 * Constructor.
	 *
	 * @param array<string,string> $keys     Raw public keys by key id.
	 * @param array<string,string> $statuses Where each stands, by key id.
	 */
	private function __construct( array $keys, array $statuses ) {
		$this->keys     = $keys;
		$this->statuses = $statuses;
	}

	/**
	 * Reads a list of JWKs. All of them have to be right, or none is taken. A key without a status, as sites have pinned
	 * them before there were any, counts as active.
	 *
	 * @param mixed $unverified_jwks A list of JWK objects as arrays.
	 * @return self|null
	 */
	public static function from_jwks( $unverified_jwks ): ?self {
		if ( ! is_array( $unverified_jwks ) || array() === $unverified_jwks || count( $unverified_jwks ) > self::MAX_KEYS ) {
			return null;
		}
		$keys     = array();
		$statuses = array();
		foreach ( $unverified_jwks as $jwk ) {
			if ( ! is_array( $jwk ) || 'OKP' !== ( $jwk['kty'] ?? null ) || 'Ed25519' !== ( $jwk['crv'] ?? null )
				|| ! is_string( $jwk['x'] ?? null ) || ! is_string( $jwk['kid'] ?? null ) ) {
				return null;
			}
			$raw    = Gatepass_Base64url::decode( $jwk['x'] );
			$status = $jwk['status'] ?? self::ACTIVE;
			if ( null === $raw || 32 !== strlen( $raw ) || self::thumbprint( $raw ) !== $jwk['kid'] || isset( $keys[ $jwk['kid'] ] )
				|| ! in_array( $status, array( self::NEXT, self::ACTIVE, self::RETIRED ), true ) ) {
				return null;
			}
			$keys[ $jwk['kid'] ]     = $raw;
			$statuses[ $jwk['kid'] ] = $status;
		}
		return new self( $keys, $statuses );
	}

	/**
	 * Reads the keys of a signed set: each says where it stands, and exactly one is active.
	 *
	 * @param mixed $unverified_jwks A list of JWK objects as arrays.
	 * @return self|null
	 */
	public static function from_published( $unverified_jwks ): ?self {
		$set = self::from_jwks( $unverified_jwks );
		if ( null === $set || array_values( $unverified_jwks ) !== $unverified_jwks
			|| count( array_column( $unverified_jwks, 'status' ) ) !== count( $set->keys ) ) {
			return null;
		}
		return 1 === count( array_keys( $set->statuses, self::ACTIVE, true ) ) ? $set : null;
	}

	/**
	 * RFC 7638 thumbprint of an Ed25519 public key (members as RFC 8037 section 2 orders them).
	 *
	 * @param string $raw 32 bytes.
	 * @return string 43 characters of base64url.
	 */
	public static function thumbprint( string $raw ): string {
		$canonical = '{"crv":"Ed25519","kty":"OKP","x":"' . Gatepass_Base64url::encode( $raw ) . '"}';
		return Gatepass_Base64url::encode( hash( 'sha256', $canonical, true ) );
	}

	/**
	 * What a pairing string says of the whole set: SHA-256 of the sorted key ids, one a line.
	 *
	 * @return string 43 characters of base64url.
	 */
	public function fingerprint(): string {
		$kids = array_map( 'strval', array_keys( $this->keys ) );
		sort( $kids, SORT_STRING );
		return Gatepass_Base64url::encode( hash( 'sha256', implode( "\n", $kids ), true ) );
	}

	/**
	 * The key of an id.
	 *
	 * @param string $kid Key id.
	 * @return string|null 32 bytes, or null when this set has no such key.
	 */
	public function find( string $kid ): ?string {
		return $this->keys[ $kid ] ?? null;
	}

	/**
	 * The key of an id, if it may say which keys come next: a retired one may no longer.
	 *
	 * @param string $kid Key id.
	 * @return string|null 32 bytes, or null when this set has no such key.
	 */
	public function find_signer( string $kid ): ?string {
		return self::RETIRED === ( $this->statuses[ $kid ] ?? self::RETIRED ) ? null : $this->keys[ $kid ];
	}

	/**
	 * The set as JWKs, to be stored.
	 *
	 * @return array<int,array<string,string>>
	 */
	public function to_jwks(): array {
		$jwks = array();
		foreach ( $this->keys as $kid => $raw ) {
			$jwks[] = array(
				'kty'    => 'OKP',
				'crv'    => 'Ed25519',
				'kid'    => (string) $kid,
				'x'      => Gatepass_Base64url::encode( $raw ),
				'status' => $this->statuses[ $kid ],
			);
		}
		return $jwks;
	}
}
