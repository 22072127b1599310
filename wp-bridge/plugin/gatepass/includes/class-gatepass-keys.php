<?php
/**
 * What has become of keys since the site was paired.
 *
 * @package Gatepass
 */

/**
 * The broker's keys as far as this site has followed them, and this site's own key as far as it has been renewed. Apart
 * from the connection, and of one pairing: whoever writes late brings back no pairing of before. Immutable.
 */
final class Gatepass_Keys {

	/**
	 * Members, and what they are while nothing has happened.
	 *
	 * `keys` with their `version` are pinned; `lost` is the version of the bridge that cannot be reached from there. `own` is
	 * our key `since` a time; `previous` the one before, for as long as a bridge may not have heard of the new one; `pending`
	 * the one that is to come, about which the bridge may ask for a while; `refused_at` since when the bridge believes none
	 * of them.
	 */
	const NOTHING = array(
		'version'        => 0,
		'keys'           => array(),
		'lost'           => 0,
		'own'            => '',
		'since'          => 0,
		'previous'       => '',
		'previous_until' => 0,
		'pending'        => '',
		'pending_until'  => 0,
		'refused_at'     => 0,
	);

	/**
	 * How long the key before is kept, in seconds: as long as a bridge takes it beside the new one.
	 */
	const OVERLAP = 3600;

	/**
	 * How long the bridge may ask about the key that is to come, in seconds.
	 */
	const ASKED = 60;

	/**
	 * For how long the bridge must have refused us before somebody is told, in seconds. One that has just been told of a
	 * new key may do so for a moment.
	 */
	const REFUSED = 60;

	/**
	 * How long to wait for another who writes, in seconds.
	 */
	const PATIENCE = 3;

	/**
	 * Of which pairing.
	 *
	 * @var string
	 */
	private $pairing;

	/**
	 * Members, of the types that they have in NOTHING.
	 *
	 * @var array<string,mixed>
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param string              $pairing Of which pairing.
	 * @param array<string,mixed> $members Checked members, all of them.
	 */
	private function __construct( string $pairing, array $members ) {
		$this->pairing = $pairing;
		$this->members = $members;
	}

	/**
	 * Reads what is stored.
	 *
	 * @param mixed  $stored  What {@see to_array()} made.
	 * @param string $pairing Of which pairing; what is another's counts as nothing.
	 * @return self
	 */
	public static function from_array( $stored, string $pairing ): self {
		$members = self::NOTHING;
		if ( is_array( $stored ) && ( $stored['pairing'] ?? null ) === $pairing ) {
			foreach ( self::NOTHING as $name => $nothing ) {
				if ( gettype( $stored[ $name ] ?? null ) === gettype( $nothing ) ) {
					$members[ $name ] = $stored[ $name ];
				}
			}
		}
		return new self( $pairing, $members );
	}

	/**
	 * Those of a pairing.
	 *
	 * @param string $pairing Which.
	 * @return self
	 */
	public static function of( string $pairing ): self {
		return self::from_array( get_option( Gatepass_Names::OPTION_KEYS ), $pairing );
	}

	/**
	 * The same, read anew: somebody else may have written since this request began.
	 *
	 * @param string $pairing Which.
	 * @return self
	 */
	public static function read_anew( string $pairing ): self {
		Gatepass_Store::forget_cached( array( Gatepass_Names::OPTION_KEYS ) );
		return self::of( $pairing );
	}

	/**
	 * Changes them. One at a time: what is decided is decided on what was written last.
	 *
	 * @param Gatepass_Connection $asked  Under which connection the reason for it was learnt.
	 * @param callable            $decide Takes the connection of now, its keys included, and the keys; gives the keys.
	 * @return self|null What stands there now; null if nothing could be written, or the site has been paired anew.
	 */
	public static function change( Gatepass_Connection $asked, callable $decide ): ?self {
		$lock = Gatepass_Lock::take( 'keys_' . get_current_blog_id(), self::PATIENCE );
		if ( null === $lock ) {
			return null;
		}
		try {
			Gatepass_Store::forget_cached();
			$now = ( new Gatepass_Store() )->connection();
			if ( null === $now || $now->pairing() !== $asked->pairing() ) {
				return null;
			}
			$before = self::of( $now->pairing() );
			$after  = $decide( $now, $before );
			if ( $after->members !== $before->members && ! update_option( Gatepass_Names::OPTION_KEYS, $after->to_array(), false ) ) {
				return null;
			}
			return $after;
		} finally {
			$lock->release();
		}
	}

	/**
	 * The keys, to be stored.
	 *
	 * @return array<string,mixed>
	 */
	public function to_array(): array {
		return array( 'pairing' => $this->pairing ) + $this->members;
	}

	/**
	 * The connection as it is by these keys.
	 *
	 * @param Gatepass_Connection $connection The connection as it was made by pairing.
	 * @return Gatepass_Connection
	 */
	public function applied_to( Gatepass_Connection $connection ): Gatepass_Connection {
		$pinned = Gatepass_Key_Set::from_jwks( $this->members['keys'] );
		if ( null !== $pinned && $this->members['version'] > $connection->keys_version() ) {
			$connection = $connection->with_keys( $pinned, $this->members['version'] );
		}
		$own = Gatepass_Site_Key::from_stored( $this->members['own'] );
		return null === $own ? $connection : $connection->with_site_key( $own, $this->members['since'] );
	}

	/**
	 * With the broker's keys as sets led to them, or not.
	 *
	 * @param Gatepass_Signed_Keys|null $followed Where they led; null for nowhere.
	 * @param int                       $version  Which version is pinned then.
	 * @param int                       $newest   Which version the bridge has.
	 * @return self
	 */
	public function with_followed( ?Gatepass_Signed_Keys $followed, int $version, int $newest ): self {
		$members = array( 'lost' => $version < $newest ? $newest : 0 );
		if ( null !== $followed ) {
			$members['keys']    = $followed->keys()->to_jwks();
			$members['version'] = $followed->version();
		}
		return $this->with( $members );
	}

	/**
	 * With a key that is to become this site's own: the one that was to, or else a new one. The bridge may ask about it for
	 * a while.
	 *
	 * @param int $now Seconds since 1970.
	 * @return self
	 */
	public function with_pending( int $now ): self {
		$pending = $this->pending() ?? Gatepass_Site_Key::generate();
		return $this->with(
			array(
				'pending'       => $pending->to_stored(),
				'pending_until' => $now + self::ASKED,
			)
		);
	}

	/**
	 * With a key that the bridge has taken as this site's own.
	 *
	 * @param Gatepass_Site_Key $key    The key.
	 * @param Gatepass_Site_Key $before The one before.
	 * @param int               $now    Seconds since 1970.
	 * @return self
	 */
	public function with_own( Gatepass_Site_Key $key, Gatepass_Site_Key $before, int $now ): self {
		if ( $key->public_x() === $before->public_x() ) {
			return $this;
		}
		return $this->with(
			array(
				'own'            => $key->to_stored(),
				'since'          => $now,
				'previous'       => $before->to_stored(),
				'previous_until' => $now + self::OVERLAP,
				'pending'        => '',
				'pending_until'  => 0,
				'refused_at'     => 0,
			)
		);
	}

	/**
	 * With the key before as this site's own again: the bridge has forgotten the new one, as a failover or a restored store
	 * may, or this one of many has not heard of it yet. The new one is to come, so that it is offered again.
	 *
	 * @param int $now Seconds since 1970.
	 * @return self
	 */
	public function with_previous_again( int $now ): self {
		if ( '' === $this->members['previous'] || '' === $this->members['own'] || '' !== $this->members['pending'] ) {
			return $this;
		}
		return $this->with(
			array(
				'own'            => $this->members['previous'],
				'since'          => $now,
				'previous'       => '',
				'previous_until' => 0,
				'pending'        => $this->members['own'],
				'pending_until'  => 0,
				'refused_at'     => 0,
			)
		);
	}

	/**
	 * Without the key before, when its time is up.
	 *
	 * @param int $now Seconds since 1970.
	 * @return self
	 */
	public function without_what_is_over( int $now ): self {
		return $this->members['previous_until'] >= $now ? $this : $this->with(
			array(
				'previous'       => '',
				'previous_until' => 0,
			)
		);
	}

	/**
	 * With what the bridge thinks of our proofs.
	 *
	 * @param int $refused_at Since when it believes none, seconds since 1970; 0 if it does.
	 * @return self
	 */
	public function with_refused_at( int $refused_at ): self {
		return $this->with( array( 'refused_at' => $refused_at ) );
	}

	/**
	 * Which version of the bridge's cannot be reached from what is pinned.
	 *
	 * @return int 0 for none.
	 */
	public function lost(): int {
		return $this->members['lost'];
	}

	/**
	 * Since when the bridge believes none of our keys.
	 *
	 * @return int Seconds since 1970; 0 if it does.
	 */
	public function refused_at(): int {
		return $this->members['refused_at'];
	}

	/**
	 * Whether the bridge has believed none of our keys for long enough to tell somebody.
	 *
	 * @param int $now Seconds since 1970.
	 * @return bool
	 */
	public function is_refused( int $now ): bool {
		return $this->members['refused_at'] > 0 && abs( $now - $this->members['refused_at'] ) >= self::REFUSED;
	}

	/**
	 * The key that is to become ours.
	 *
	 * @return Gatepass_Site_Key|null
	 */
	public function pending(): ?Gatepass_Site_Key {
		return Gatepass_Site_Key::from_stored( $this->members['pending'] );
	}

	/**
	 * The key before.
	 *
	 * @return Gatepass_Site_Key|null
	 */
	public function previous(): ?Gatepass_Site_Key {
		return Gatepass_Site_Key::from_stored( $this->members['previous'] );
	}

	/**
	 * The key that is to become ours, while the bridge may ask about it.
	 *
	 * @param int $now Seconds since 1970.
	 * @return Gatepass_Site_Key|null
	 */
	public function asked_about( int $now ): ?Gatepass_Site_Key {
		return $this->members['pending_until'] >= $now ? $this->pending() : null;
	}

	/**
	 * The keys by which we may be known, but for one that was just refused: another process may have renewed ours, the
	 * answer to a renewal may have been lost, or this bridge may not have heard of it.
	 *
	 * @param Gatepass_Connection $connection The connection, with the key that was refused.
	 * @param int                 $now        Seconds since 1970.
	 * @return Gatepass_Site_Key[]
	 */
	public function others( Gatepass_Connection $connection, int $now ): array {
		$keys   = array(
			Gatepass_Site_Key::from_stored( $this->members['own'] ),
			$this->pending(),
			$this->members['previous_until'] >= $now ? $this->previous() : null,
		);
		$others = array();
		foreach ( array_filter( $keys ) as $key ) {
			$others[ $key->public_x() ] = $key;
		}
		unset( $others[ $connection->site_key()->public_x() ] );
		return array_values( $others );
	}

	/**
	 * Varied.
	 *
	 * @param array<string,mixed> $members What is other.
	 * @return self
	 */
	private function with( array $members ): self {
		return new self( $this->pairing, array_merge( $this->members, $members ) );
	}
}
