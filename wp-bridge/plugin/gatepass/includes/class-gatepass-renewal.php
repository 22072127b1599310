<?php
/**
 * Renews this site's own key.
 *
 * @package Gatepass
 */

/**
 * Every 90 days by itself, and when somebody asks for it. The new key is stored before the bridge hears of it, so that
 * whichever answer is lost, one of the keys that are here is the one that the bridge knows: see Gatepass_Bridge.
 */
final class Gatepass_Renewal {

	/**
	 * How old a key may become, in seconds.
	 */
	const LIFETIME = 90 * 86400;

	/**
	 * What came of it.
	 */
	const DONE = '';
	const BUSY = 'busy';

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * The bridge.
	 *
	 * @var Gatepass_Bridge
	 */
	private $bridge;

	/**
	 * Whether this WordPress is the site that the bridge knows.
	 *
	 * @var Gatepass_Heartbeat
	 */
	private $heartbeat;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store     $store     Settings.
	 * @param Gatepass_Bridge    $bridge    The bridge.
	 * @param Gatepass_Heartbeat $heartbeat Whether this WordPress is the site that the bridge knows.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Bridge $bridge, Gatepass_Heartbeat $heartbeat ) {
		$this->store     = $store;
		$this->bridge    = $bridge;
		$this->heartbeat = $heartbeat;
	}

	/**
	 * That of this site.
	 *
	 * @return self
	 */
	public static function of_this_site(): self {
		$store  = new Gatepass_Store();
		$bridge = new Gatepass_Bridge( $store );
		return new self( $store, $bridge, new Gatepass_Heartbeat( $store, $bridge ) );
	}

	/**
	 * For WP-Cron: renews the key if it is old, or if a renewal was begun and not heard of again; and forgets the one
	 * before when its time is up.
	 */
	public static function on_cron(): void {
		$connection = ( new Gatepass_Store() )->connection();
		if ( null === $connection ) {
			return;
		}
		$keys = Gatepass_Keys::read_anew( $connection->pairing() );
		if ( null !== $keys->pending() || self::is_due( $connection, time() ) ) {
			self::of_this_site()->run();
		} elseif ( $keys !== $keys->without_what_is_over( time() ) ) {
			Gatepass_Keys::change(
				$connection,
				static function ( Gatepass_Connection $now, Gatepass_Keys $keys ): Gatepass_Keys {
					return $keys->without_what_is_over( time() );
				}
			);
		}
	}

	/**
	 * Whether the key is so old that it should be renewed. One from the future, as a clock put back leaves it, is no better.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param int                 $now        Seconds since 1970.
	 * @return bool
	 */
	public static function is_due( Gatepass_Connection $connection, int $now ): bool {
		return abs( $now - $connection->site_key_since() ) >= self::LIFETIME;
	}

	/**
	 * Renews the key.
	 *
	 * @return string What came of it: DONE, BUSY, or the code of a failure. Nothing is lost by a failure.
	 */
	public function run(): string {
		$lock = Gatepass_Lock::take( 'renewal_' . get_current_blog_id(), 0.0 );
		if ( null === $lock ) {
			return self::BUSY;
		}
		try {
			return $this->run_locked( $lock );
		} finally {
			$lock->release();
		}
	}

	/**
	 * Renews the key, as the only one who does.
	 *
	 * @param Gatepass_Lock $lock Ours.
	 * @return string As above.
	 */
	private function run_locked( Gatepass_Lock $lock ): string {
		Gatepass_Store::forget_cached();
		$before = $this->store->connection();
		if ( null === $before ) {
			return 'not_paired';
		}
		// Whether the bridge can be asked at all, what the time is there, and by which of our keys it knows us.
		if ( ! $this->heartbeat->send( $before ) ) {
			if ( $this->store->is_copy() ) {
				return 'site_is_a_copy';
			}
			return Gatepass_Keys::of( $before->pairing() )->refused_at() > 0 ? 'site_proof_invalid' : 'bridge_unreachable';
		}
		$connection = $this->store->connection();
		if ( null === $connection || $connection->pairing() !== $before->pairing() ) {
			return 'paired_anew';
		}
		$is_other = $connection->site_key()->public_x() !== $before->site_key()->public_x();
		if ( $is_other && null === Gatepass_Keys::of( $connection->pairing() )->pending() ) {
			// An earlier renewal had worked, and its answer was lost.
			return self::DONE;
		}

		$keys = Gatepass_Keys::change(
			$connection,
			static function ( Gatepass_Connection $now, Gatepass_Keys $keys ): Gatepass_Keys {
				return $keys->with_pending( time() );
			}
		);
		$key  = null === $keys ? null : $keys->pending();
		if ( null === $key || ! $lock->renew() ) {
			return self::BUSY;
		}
		$answer = $this->bridge->renew_site_key( $connection, $key, ( new Gatepass_Reference( random_bytes( 8 ) ) )->request_id() );
		if ( 200 === $answer->status() && ( $answer->members()['kid'] ?? null ) === $key->kid() ) {
			return Gatepass_Bridge::take_for_own( $connection, $key ) ? self::DONE : self::BUSY;
		}
		if ( '' === $answer->code() || $answer->is_lost() ) {
			return 'bridge_unreachable';
		}
		return $answer->code();
	}
}
