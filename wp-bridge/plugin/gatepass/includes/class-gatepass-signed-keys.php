<?php
/**
 * A version of the broker's key set, signed by the one before.
 *
 * @package Gatepass
 */

/**
 * What lets a paired site follow its broker's keys: each set is signed by a key of the set before, so that a site which
 * trusts one set can trust the next. A version never goes back.
 */
final class Gatepass_Signed_Keys {

	/**
	 * The media type in the header.
	 */
	const TYPE = 'gatepass-keys+jwt';

	/**
	 * Longer ones are refused unread, in bytes: twice what the largest set takes.
	 */
	const MAX_BYTES = 16384;

	/**
	 * As many sets are looked at; a bridge keeps 60.
	 */
	const MAX_SETS = 64;

	/**
	 * The greatest number that is one number to every reader of JSON (RFC 8259 section 6).
	 */
	const MAX_VERSION = 9007199254740991;

	/**
	 * The keys.
	 *
	 * @var Gatepass_Key_Set
	 */
	private $keys;

	/**
	 * Their version.
	 *
	 * @var int
	 */
	private $version;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Key_Set $keys    Keys.
	 * @param int              $version Their version.
	 */
	private function __construct( Gatepass_Key_Set $keys, int $version ) {
		$this->keys    = $keys;
		$this->version = $version;
	}

	/**
	 * Checks a set against the one that is pinned.
	 *
	 * @param mixed            $unverified     What came.
	 * @param Gatepass_Key_Set $pinned         The keys that are pinned.
	 * @param int              $pinned_version Their version.
	 * @return self|null Null unless it is newer, and signed by a key that may say what comes next.
	 */
	public static function verify( $unverified, Gatepass_Key_Set $pinned, int $pinned_version ): ?self {
		$jws    = is_string( $unverified ) ? Gatepass_Jws::parse( $unverified, self::TYPE, self::MAX_BYTES ) : null;
		$signer = null === $jws ? null : $pinned->find_signer( $jws->kid() );
		if ( null === $signer || ! $jws->is_signed_by( $signer ) ) {
			return null;
		}
		$claims  = $jws->unverified_claims();
		$version = $claims['version'] ?? null;
		$keys    = Gatepass_Key_Set::from_published( $claims['keys'] ?? null );
		if ( null === $keys || ! self::is_version( $version ) || $version <= $pinned_version || ! Gatepass_Jws::is_time( $claims['iat'] ?? null ) ) {
			return null;
		}
		return new self( $keys, $version );
	}

	/**
	 * Follows sets as far as they lead. Each has to hold by the one that was pinned last.
	 *
	 * @param mixed[]          $unverified     Sets, the oldest first.
	 * @param Gatepass_Key_Set $pinned         The keys that are pinned.
	 * @param int              $pinned_version Their version.
	 * @return self|null Where they lead; null if nowhere.
	 */
	public static function follow( array $unverified, Gatepass_Key_Set $pinned, int $pinned_version ): ?self {
		$last = null;
		foreach ( array_slice( $unverified, 0, self::MAX_SETS ) as $set ) {
			$last = self::verify( $set, null === $last ? $pinned : $last->keys, null === $last ? $pinned_version : $last->version ) ?? $last;
		}
		return $last;
	}

	/**
	 * Whether a value is a version.
	 *
	 * @param mixed $value Any value.
	 * @return bool
	 */
	public static function is_version( $value ): bool {
		return is_int( $value ) && $value > 0 && $value <= self::MAX_VERSION;
	}

	/**
	 * The keys.
	 *
	 * @return Gatepass_Key_Set
	 */
	public function keys(): Gatepass_Key_Set {
		return $this->keys;
	}

	/**
	 * Their version.
	 *
	 * @return int
	 */
	public function version(): int {
		return $this->version;
	}
}
