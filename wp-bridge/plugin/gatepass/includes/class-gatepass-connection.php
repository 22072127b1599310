<?php
/**
 * The connection to a bridge.
 *
 * @package Gatepass
 */

/**
 * What this site knows since it was paired. Immutable.
 */
final class Gatepass_Connection {

	/**
	 * Our own id.
	 *
	 * @var string
	 */
	private $site_id;

	/**
	 * Who issues handoffs: part of every identity.
	 *
	 * @var string
	 */
	private $issuer;

	/**
	 * Base URL of the bridge.
	 *
	 * @var string
	 */
	private $bridge;

	/**
	 * The pinned keys.
	 *
	 * @var Gatepass_Key_Set
	 */
	private $keys;

	/**
	 * Version of the pinned keys.
	 *
	 * @var int
	 */
	private $keys_version;

	/**
	 * Policy.
	 *
	 * @var Gatepass_Policy
	 */
	private $policy;

	/**
	 * Our own key.
	 *
	 * @var Gatepass_Site_Key
	 */
	private $site_key;

	/**
	 * When the site was paired, seconds since 1970.
	 *
	 * @var int
	 */
	private $paired_at;

	/**
	 * Since when that is our key, seconds since 1970.
	 *
	 * @var int
	 */
	private $site_key_since;

	/**
	 * What tells this pairing from others: the key that was made for it, whatever has replaced it since.
	 *
	 * @var string
	 */
	private $pairing;

	/**
	 * Constructor.
	 *
	 * @param string            $site_id      Our id.
	 * @param string            $issuer       Issuer of handoffs.
	 * @param string            $bridge       Base URL of the bridge.
	 * @param Gatepass_Key_Set  $keys         Pinned keys.
	 * @param int               $keys_version Their version.
	 * @param Gatepass_Policy   $policy       Policy.
	 * @param Gatepass_Site_Key $site_key     Our key.
	 * @param int               $paired_at    When paired, seconds since 1970.
	 */
	public function __construct(
		string $site_id,
		string $issuer,
		string $bridge,
		Gatepass_Key_Set $keys,
		int $keys_version,
		Gatepass_Policy $policy,
		Gatepass_Site_Key $site_key,
		int $paired_at
	) {
		$this->site_id      = $site_id;
		$this->issuer       = $issuer;
		$this->bridge       = $bridge;
		$this->keys         = $keys;
		$this->keys_version = $keys_version;
		$this->policy       = $policy;
		$this->site_key     = $site_key;
		$this->paired_at    = $paired_at;

		$this->site_key_since = $paired_at;
		$this->pairing        = $site_key->public_x();
	}

	/**
	 * Reads a stored connection.
	 *
	 * @param mixed $stored What {@see to_array()} made.
	 * @return self|null Null if it is not that.
	 */
	public static function from_array( $stored ): ?self {
		if ( ! is_array( $stored ) ) {
			return null;
		}
		$keys     = Gatepass_Key_Set::from_jwks( $stored['keys'] ?? null );
		$site_key = Gatepass_Site_Key::from_stored( $stored['site_key'] ?? null );
		if ( null === $keys || null === $site_key || empty( $stored['site_id'] ) || empty( $stored['issuer'] ) || empty( $stored['bridge'] ) ) {
			return null;
		}
		return new self(
			(string) $stored['site_id'],
			(string) $stored['issuer'],
			(string) $stored['bridge'],
			$keys,
			(int) ( $stored['keys_version'] ?? 1 ),
			new Gatepass_Policy( $stored['policy'] ?? null ),
			$site_key,
			(int) ( $stored['paired_at'] ?? 0 )
		);
	}

	/**
	 * The connection, to be stored as pairing makes it. What has become of its keys is for {@see Gatepass_Keys}.
	 *
	 * @return array<string,mixed>
	 */
	public function to_array(): array {
		return array(
			'site_id'      => $this->site_id,
			'issuer'       => $this->issuer,
			'bridge'       => $this->bridge,
			'keys'         => $this->keys->to_jwks(),
			'keys_version' => $this->keys_version,
			'policy'       => $this->policy->to_array(),
			'site_key'     => $this->site_key->to_stored(),
			'paired_at'    => $this->paired_at,
		);
	}

	/**
	 * The same connection under another policy.
	 *
	 * @param Gatepass_Policy $policy The policy of now.
	 * @return self
	 */
	public function with_policy( Gatepass_Policy $policy ): self {
		$copy         = clone $this;
		$copy->policy = $policy;
		return $copy;
	}

	/**
	 * The same connection with other keys of the broker's pinned.
	 *
	 * @param Gatepass_Key_Set $keys    Keys.
	 * @param int              $version Their version.
	 * @return self
	 */
	public function with_keys( Gatepass_Key_Set $keys, int $version ): self {
		$copy               = clone $this;
		$copy->keys         = $keys;
		$copy->keys_version = $version;
		return $copy;
	}

	/**
	 * The same connection with another key of our own.
	 *
	 * @param Gatepass_Site_Key $key   Our key.
	 * @param int               $since Since when, seconds since 1970.
	 * @return self
	 */
	public function with_site_key( Gatepass_Site_Key $key, int $since ): self {
		$copy                 = clone $this;
		$copy->site_key       = $key;
		$copy->site_key_since = $since;
		return $copy;
	}

	/**
	 * Our own id.
	 *
	 * @return string
	 */
	public function site_id(): string {
		return $this->site_id;
	}

	/**
	 * Issuer of handoffs.
	 *
	 * @return string
	 */
	public function issuer(): string {
		return $this->issuer;
	}

	/**
	 * Base URL of the bridge, letter by letter as it gave it: it is the audience of our proofs.
	 *
	 * @return string
	 */
	public function bridge(): string {
		return $this->bridge;
	}

	/**
	 * The pinned keys.
	 *
	 * @return Gatepass_Key_Set
	 */
	public function keys(): Gatepass_Key_Set {
		return $this->keys;
	}

	/**
	 * Version of the pinned keys.
	 *
	 * @return int
	 */
	public function keys_version(): int {
		return $this->keys_version;
	}

	/**
	 * The policy as last heard.
	 *
	 * @return Gatepass_Policy
	 */
	public function policy(): Gatepass_Policy {
		return $this->policy;
	}

	/**
	 * Our own key.
	 *
	 * @return Gatepass_Site_Key
	 */
	public function site_key(): Gatepass_Site_Key {
		return $this->site_key;
	}

	/**
	 * Since when that is our key.
	 *
	 * @return int Seconds since 1970.
	 */
	public function site_key_since(): int {
		return $this->site_key_since;
	}

	/**
	 * What tells this pairing from others.
	 *
	 * @return string
	 */
	public function pairing(): string {
		return $this->pairing;
	}

	/**
	 * When the site was paired.
	 *
	 * @return int Seconds since 1970.
	 */
	public function paired_at(): int {
		return $this->paired_at;
	}
}
