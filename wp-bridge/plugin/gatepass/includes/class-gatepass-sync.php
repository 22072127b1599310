<?php
/**
 * Follows the panel: pulls what has changed, makes it so, says what came of it.
 *
 * @package Gatepass
 */

/**
 * One pull at a time. The cursor moves when a page is acknowledged and not before, and following a change twice does no
 * more than following it once; so PHP may die anywhere, and the next pull goes on.
 *
 * A full resync, which is the first pull of a pairing and the first of each epoch, is a round: whoever the panel names is
 * marked with its number, and at its end the gate shuts for whoever is not. Round and cursor are kept, so a resync too
 * goes on where it was interrupted.
 */
final class Gatepass_Sync {

	/**
	 * How long a pull may take, in seconds: by WP-Cron, and while the broker waits for its poke's answer.
	 */
	const CRON_SECONDS = 20;
	const POKE_SECONDS = 8;

	/**
	 * How often WP-Cron pulls, in seconds.
	 */
	const EVERY = 300;

	/**
	 * How long to wait for one answer of the bridge's, in seconds, at least and at most.
	 */
	const MIN_PATIENCE = 2;
	const MAX_PATIENCE = 8;

	/**
	 * When to go on where somebody was just being signed in, in seconds.
	 */
	const PAUSE = 15;

	/**
	 * How often a pull makes its lock young again, in seconds; well below Gatepass_Lock::SECONDS.
	 */
	const RENEW_EVERY = 5;

	/**
	 * How many acknowledgements one call has, and how many bytes.
	 */
	const MAX_ACKS      = 100;
	const MAX_ACK_BYTES = 200000;

	/**
	 * How many new epochs one pull follows.
	 */
	const MAX_EPOCHS = 3;

	/**
	 * How often PHP may die in following one change, before that counts as its failure.
	 */
	const MAX_DEATHS = 3;

	/**
	 * How many users one look for the unknown takes.
	 */
	const SWEEP = 200;

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
	 * Follows one change.
	 *
	 * @var Gatepass_Follower
	 */
	private $follower;

	/**
	 * When time is up, by microtime().
	 *
	 * @var float
	 */
	private $deadline = 0.0;

	/**
	 * When the lock is to be made young again, by microtime(); 0.0 once another has taken it over.
	 *
	 * @var float
	 */
	private $renew_at = 0.0;

	/**
	 * The lock.
	 *
	 * @var Gatepass_Lock|null
	 */
	private $lock = null;

	/**
	 * Which change is being followed, and how far this site was before it; for when PHP dies in it.
	 *
	 * @var array{0:int,1:Gatepass_Sync_State}|null
	 */
	private $in_the_midst = null;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store     $store     Settings.
	 * @param Gatepass_Bridge    $bridge    The bridge.
	 * @param Gatepass_Heartbeat $heartbeat Whether this WordPress is the site that the bridge knows.
	 * @param Gatepass_Follower  $follower  Follows one change.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Bridge $bridge, Gatepass_Heartbeat $heartbeat, Gatepass_Follower $follower ) {
		$this->store     = $store;
		$this->bridge    = $bridge;
		$this->heartbeat = $heartbeat;
		$this->follower  = $follower;
	}

	/**
	 * That of this site.
	 *
	 * @return self
	 */
	public static function of_this_site(): self {
		$store  = new Gatepass_Store();
		$bridge = new Gatepass_Bridge( $store );
		return new self( $store, $bridge, new Gatepass_Heartbeat( $store, $bridge ), Gatepass_Follower::of_this_site( $store ) );
	}

	/**
	 * Pulls.
	 *
	 * @param int $budget_seconds How long it may take.
	 * @return bool Whether this site has all there is.
	 */
	public function pull( int $budget_seconds ): bool {
		return Gatepass_Pulled::COMPLETE === $this->run( $budget_seconds )->outcome();
	}

	/**
	 * Pulls, and tells what came of it.
	 *
	 * @param int  $seconds How long it may take.
	 * @param bool $full    Whether to read everything anew; then it waits for a pull that is under way.
	 * @return Gatepass_Pulled
	 */
	public function run( int $seconds, bool $full = false ): Gatepass_Pulled {
		$connection = $this->store->connection();
		$reason     = $this->reason_not_to( $connection );
		if ( '' !== $reason ) {
			return Gatepass_Pulled::failed( $reason );
		}
		// Whoever asked for it may go away.
		ignore_user_abort( true );
		$this->deadline = microtime( true ) + $seconds;
		do {
			$this->lock = self::lock( $full ? Gatepass_Lock::SECONDS + 1.0 : 0.0 );
			if ( null === $this->lock ) {
				return new Gatepass_Pulled( Gatepass_Pulled::BUSY, Gatepass_Sync_State::read_anew( $connection )->cursor() );
			}
			try {
				Gatepass_Sync_Again::lower();
				$pulled = $this->pull_locked( $connection, $full );
			} catch ( Throwable $failure ) {
				// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner.
				error_log( sprintf( 'Gatepass: %s at %s:%d', get_class( $failure ), $failure->getFile(), $failure->getLine() ) );
				$pulled = Gatepass_Pulled::failed( 'internal' );
			} finally {
				$this->lock->release();
				$this->lock = null;
			}
			$full = false;
			// After the lock is given back: see lock().
			$again = Gatepass_Sync_Again::is_raised();
		} while ( $again && Gatepass_Pulled::COMPLETE === $pulled->outcome() && microtime( true ) < $this->deadline );
		if ( Gatepass_Pulled::MORE === $pulled->outcome() || ( $again && Gatepass_Pulled::COMPLETE === $pulled->outcome() ) ) {
			Gatepass_Sync_Cron::go_on( 'held' === $pulled->reason() ? self::PAUSE : 0 );
		}
		return $pulled;
	}

	/**
	 * Takes the lock, or leaves word for its holder to go round again. The holder looks for that after it has given the
	 * lock back, and we try once more after we have left it; so whichever comes first, somebody pulls what we came for.
	 *
	 * @param float $patience How long to wait, in seconds.
	 * @return Gatepass_Lock|null Null if another has it.
	 */
	private static function lock( float $patience ): ?Gatepass_Lock {
		$name = 'sync_' . get_current_blog_id();
		$lock = Gatepass_Lock::take( $name, $patience );
		if ( null === $lock ) {
			Gatepass_Sync_Again::raise();
			$lock = Gatepass_Lock::take( $name, 0.0 );
		}
		return $lock;
	}

	/**
	 * Why this site is not to pull.
	 *
	 * @param Gatepass_Connection|null $connection The pairing.
	 * @return string A code; empty if it may.
	 */
	private function reason_not_to( ?Gatepass_Connection $connection ): string {
		if ( null === $connection ) {
			return 'not_paired';
		}
		if ( ! $this->store->is_enabled() ) {
			return 'switched_off';
		}
		return $this->store->is_copy() ? 'site_is_a_copy' : '';
	}

	/**
	 * Pulls under the lock.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @param bool                $full       Whether to read everything anew.
	 * @return Gatepass_Pulled
	 */
	private function pull_locked( Gatepass_Connection $connection, bool $full ): Gatepass_Pulled {
		$this->renew_at = microtime( true ) + self::RENEW_EVERY;
		$request_id     = ( new Gatepass_Reference( random_bytes( 8 ) ) )->request_id();
		$state          = Gatepass_Sync_State::read_anew( $connection );
		$origin         = Gatepass_Origin::of_blog();
		if ( '' === $origin || $state->origin() !== $origin ) {
			// A copy of a site has its key and its cursor. It must not follow in the site's name.
			if ( ! $this->heartbeat->send( $connection ) ) {
				return $this->store->is_copy() ? Gatepass_Pulled::failed( 'site_is_a_copy' ) : $this->failed( $state, 'bridge_unreachable' );
			}
			$state = $state->with( array( 'origin' => $origin ) );
		}
		if ( $full ) {
			$state = $state->anew( $state->epoch() );
		}
		$state->save();

		$epochs = 0;
		do {
			$answer = $this->patiently(
				function () use ( $connection, $state, $request_id ): Gatepass_Answer {
					return $this->bridge->changes( $connection, $state->cursor(), $state->epoch(), $request_id, $this->patience() );
				}
			);
			$page   = 200 === $answer->status() ? Gatepass_Changes::from_answer( $answer->members() ) : null;
			if ( null === $page ) {
				return $this->failed( $state, self::reason( $answer ) );
			}
			if ( ! $this->is_still( $connection ) ) {
				return Gatepass_Pulled::failed( 'paired_anew', $state->cursor() );
			}
			if ( ! $this->is_ours() ) {
				return new Gatepass_Pulled( Gatepass_Pulled::MORE, $state->cursor() );
			}
			if ( null !== $page->policy() ) {
				$this->store->save_policy( $connection, $page->policy() );
			}
			if ( $page->epoch() !== $state->epoch() || $page->is_resync() ) {
				if ( ++$epochs > self::MAX_EPOCHS ) {
					return $this->failed( $state, 'epoch_changed' );
				}
				$state = $state->anew( $page->epoch() );
				$state->save();
			}
			$state = $state->with( array( 'offset' => Gatepass_Sync_State::offset_of( $page->time(), time() ) ) );

			list( $acks, $cursor, $pause ) = $this->follow( $connection, $page, $state );

			$reason = $this->acknowledge( $connection, $state->epoch(), $acks, $request_id );
			if ( 'epoch_changed' === $reason && $epochs < self::MAX_EPOCHS ) {
				++$epochs;
				$state = $state->anew( '' );
				$this->keep( $state );
				$more = true;
				continue;
			}
			if ( '' !== $reason ) {
				return $this->failed( $state, $reason );
			}
			if ( ! $this->lock->renew() ) {
				// Somebody took us for dead, and has gone on.
				return new Gatepass_Pulled( Gatepass_Pulled::MORE, $state->cursor() );
			}
			if ( $page->has_more() && '' === $pause && $cursor <= $state->cursor() ) {
				return $this->failed( $state, 'bridge_answered_nonsense' );
			}
			$has_moved = $cursor > $state->cursor();
			$state     = $state->with( array( 'cursor' => $cursor ) );
			$state->save();
			if ( '' !== $pause ) {
				return new Gatepass_Pulled( Gatepass_Pulled::MORE, $cursor, $pause );
			}
			self::forget_users();
			if ( $page->has_more() && $this->is_time_up() ) {
				return new Gatepass_Pulled( Gatepass_Pulled::MORE, $cursor );
			}
			// Asked once more from the last one on: so the bridge knows that this site has all there is, and need not poke it.
			$more = $has_moved && ! $this->is_time_up();
		} while ( $more );

		if ( $state->is_resyncing() ) {
			$state = $this->sweep( $connection, $state );
			if ( $state->is_resyncing() ) {
				return new Gatepass_Pulled( Gatepass_Pulled::MORE, $state->cursor(), $this->is_time_up() ? '' : 'held' );
			}
		}
		$state = $state->with(
			array(
				'as_of'         => $page->time(),
				'complete'      => true,
				'failing_since' => 0,
				'last_error'    => '',
			)
		);
		return new Gatepass_Pulled( $this->keep( $state ) ? Gatepass_Pulled::COMPLETE : Gatepass_Pulled::MORE, $state->cursor() );
	}

	/**
	 * Follows a page of changes.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @param Gatepass_Changes    $page       The page.
	 * @param Gatepass_Sync_State $state      How far this site has followed.
	 * @return array{0:array<int,array<string,mixed>>,1:int,2:string} What came of each; up to where everything is done;
	 *                                                                and why to go on later, empty for not.
	 */
	private function follow( Gatepass_Connection $connection, Gatepass_Changes $page, Gatepass_Sync_State $state ): array {
		$acks   = array();
		$cursor = $state->cursor();
		$pause  = '';
		foreach ( $page->changes() as $change ) {
			if ( array() !== $acks && $this->is_time_up() ) {
				return array( $acks, $cursor, '' === $pause ? 'time' : $pause );
			}
			if ( ! $this->is_ours() ) {
				return array( $acks, $cursor, 'held' );
			}
			$ack = $this->follow_one( $connection, $change, $state );
			if ( null === $ack ) {
				// The others need not wait for this one; the cursor does.
				$pause = 'held';
				continue;
			}
			$acks[] = $ack;
			if ( '' === $pause ) {
				$cursor = $change->position();
			}
		}
		return array( $acks, '' === $pause ? $page->next() : $cursor, $pause );
	}

	/**
	 * Follows a change. One that has been the death of PHP before has failed.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @param Gatepass_Change     $change     The change.
	 * @param Gatepass_Sync_State $state      How far this site has followed.
	 * @return array<string,mixed>|null What came of it; null if it is to come again.
	 */
	private function follow_one( Gatepass_Connection $connection, Gatepass_Change $change, Gatepass_Sync_State $state ): ?array {
		$deaths = $state->deaths_at( $change->position() );
		if ( $deaths > self::MAX_DEATHS ) {
			return Gatepass_Follower::ack( $change, 'internal', null );
		}
		if ( null === $this->in_the_midst ) {
			register_shutdown_function( array( $this, 'die_properly' ) );
		}
		$this->in_the_midst = array( $change->position(), $state );
		$identity           = new Gatepass_Identity( $connection->issuer(), $connection->site_id(), $change->subject() );
		// Once more for the standing alone: the gate goes by it.
		$ack = $deaths < self::MAX_DEATHS ? $this->follower->follow( $identity, $change, $state ) : $this->follower->only_hear( $identity, $change, $state );

		$this->in_the_midst = array( 0, $state );
		return $ack;
	}

	/**
	 * Notes which change PHP was following when it died: of somebody's `exit` in a hook, or for want of memory.
	 */
	public function die_properly(): void {
		if ( null === $this->in_the_midst || 0 === $this->in_the_midst[0] || null === $this->lock ) {
			return;
		}
		list( $position, $state ) = $this->in_the_midst;
		$this->keep( $state->with_death_at( $position ) );
		Gatepass_Lock::release_all();
	}

	/**
	 * Whether nobody has taken us for dead, and pulls in our place. Looks now and then, and makes the lock young again.
	 *
	 * @return bool
	 */
	private function is_ours(): bool {
		if ( $this->renew_at > 0.0 && microtime( true ) > $this->renew_at ) {
			$this->renew_at = $this->lock->renew() ? microtime( true ) + self::RENEW_EVERY : 0.0;
		}
		return $this->renew_at > 0.0;
	}

	/**
	 * Keeps how far this site has followed, unless somebody else pulls by now: theirs is newer.
	 *
	 * @param Gatepass_Sync_State $state That.
	 * @return bool Whether it was kept.
	 */
	private function keep( Gatepass_Sync_State $state ): bool {
		if ( null === $this->lock || ! $this->lock->renew() ) {
			$this->renew_at = 0.0;
			return false;
		}
		$state->save();
		return true;
	}

	/**
	 * Asks, and asks once more when the bridge has had too much of us, if there is time.
	 *
	 * @param callable():Gatepass_Answer $ask The question.
	 * @return Gatepass_Answer
	 */
	private function patiently( callable $ask ): Gatepass_Answer {
		$answer = $ask();
		if ( 429 === $answer->status() && microtime( true ) + $answer->retry_after() < $this->deadline ) {
			sleep( max( 1, $answer->retry_after() ) );
			$answer = $ask();
		}
		return $answer;
	}

	/**
	 * Says what came of changes.
	 *
	 * @param Gatepass_Connection            $connection The pairing.
	 * @param string                         $epoch      Of which epoch they were.
	 * @param array<int,array<string,mixed>> $acks       What came of each.
	 * @param string                         $request_id The reference.
	 * @return string Why it could not be said; empty if it was.
	 */
	private function acknowledge( Gatepass_Connection $connection, string $epoch, array $acks, string $request_id ): string {
		foreach ( self::portions( $acks ) as $portion ) {
			$answer = $this->patiently(
				function () use ( $connection, $epoch, $portion, $request_id ): Gatepass_Answer {
					return $this->bridge->acknowledge( $connection, $epoch, $portion, $request_id, $this->patience() );
				}
			);
			if ( in_array( $answer->status(), array( 400, 413, 422 ), true ) ) {
				// Something in it the bridge does not take. That must not stop this site for ever; so the least that can be said.
				$answer = $this->bridge->acknowledge( $connection, $epoch, array_map( array( __CLASS__, 'least' ), $portion ), $request_id, $this->patience() );
			}
			if ( 200 !== $answer->status() ) {
				return 409 === $answer->status() ? 'epoch_changed' : self::reason( $answer );
			}
		}
		return '';
	}

	/**
	 * Acknowledgements in portions that one call can take.
	 *
	 * @param array<int,array<string,mixed>> $acks All of them.
	 * @return array<int,array<int,array<string,mixed>>>
	 */
	public static function portions( array $acks ): array {
		$portions = array();
		$bytes    = 0;
		foreach ( $acks as $ack ) {
			$length = strlen( (string) wp_json_encode( $ack ) ) + 1;
			$last   = count( $portions ) - 1;
			if ( $last < 0 || $bytes + $length > self::MAX_ACK_BYTES || count( $portions[ $last ] ) >= self::MAX_ACKS ) {
				$portions[] = array();
				$bytes      = 0;
				++$last;
			}
			$portions[ $last ][] = $ack;
			$bytes              += $length;
		}
		return $portions;
	}

	/**
	 * An acknowledgement without what is only told.
	 *
	 * @param array<string,mixed> $ack The acknowledgement.
	 * @return array<string,mixed>
	 */
	private static function least( array $ack ): array {
		unset( $ack['sessions'] );
		if ( isset( $ack['error'] ) ) {
			$ack['error']['message'] = $ack['error']['code'];
		}
		return $ack;
	}

	/**
	 * Shuts the gate for members whom the panel has not named in this round.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @param Gatepass_Sync_State $state      How far this site has followed.
	 * @return Gatepass_Sync_State No longer resyncing, if it came to its end.
	 */
	private function sweep( Gatepass_Connection $connection, Gatepass_Sync_State $state ): Gatepass_Sync_State {
		global $wpdb;

		$keys = $wpdb->esc_like( Gatepass_Names::META_IDENTITY_PREFIX ) . '%';
		do {
			// phpcs:ignore WordPress.DB -- By the index on meta_key. There is no function of WordPress's for a prefix.
			$rows = $wpdb->get_results( $wpdb->prepare( "SELECT umeta_id, user_id, meta_value FROM {$wpdb->usermeta} WHERE meta_key LIKE %s AND umeta_id > %d ORDER BY umeta_id LIMIT %d", $keys, $state->sweep(), self::SWEEP ) );
			update_meta_cache( 'user', array_map( 'intval', wp_list_pluck( $rows, 'user_id' ) ) );
			foreach ( $rows as $row ) {
				if ( ! $this->is_ours() ) {
					return $state;
				}
				$identity = Gatepass_Identity::from_readable( (string) $row->meta_value );
				if ( null !== $identity && $identity->site_id() === $connection->site_id() && $identity->issuer() === $connection->issuer() ) {
					$known = Gatepass_Standing::of_identity( (int) $row->user_id, $identity );
					if ( ( null === $known || $known->round() < $state->round() ) && ! $this->follower->shut( (int) $row->user_id, $identity, $state ) ) {
						break 2;
					}
				}
				$state = $state->with( array( 'sweep' => (int) $row->umeta_id ) );
			}
			self::forget_users();
			if ( count( $rows ) < self::SWEEP ) {
				return $state->with( array( 'resyncing' => false ) );
			}
		} while ( $this->lock->renew() && ! $this->is_time_up() );
		$this->keep( $state );
		return $state;
	}

	/**
	 * Keeps that a pull failed.
	 *
	 * @param Gatepass_Sync_State $state  How far this site has followed.
	 * @param string              $reason Why: a code.
	 * @return Gatepass_Pulled
	 */
	private function failed( Gatepass_Sync_State $state, string $reason ): Gatepass_Pulled {
		$this->keep(
			$state->with(
				array(
					'failing_since' => 0 === $state->failing_since() ? time() : $state->failing_since(),
					'last_error'    => $reason,
				)
			)
		);
		return Gatepass_Pulled::failed( $reason, $state->cursor() );
	}

	/**
	 * Why the bridge did not say yes.
	 *
	 * @param Gatepass_Answer $answer What it said.
	 * @return string A code.
	 */
	private static function reason( Gatepass_Answer $answer ): string {
		if ( 200 === $answer->status() ) {
			return 'bridge_answered_nonsense';
		}
		if ( 0 === $answer->status() ) {
			return 'bridge_unreachable';
		}
		return 1 === preg_match( '/\A[a-z_]{1,40}\z/', $answer->code() ) ? $answer->code() : 'bridge_answered_' . $answer->status();
	}

	/**
	 * Whether the site is still paired as it was when the bridge was asked, and switched on.
	 *
	 * @param Gatepass_Connection $asked The pairing under which it was asked.
	 * @return bool
	 */
	private function is_still( Gatepass_Connection $asked ): bool {
		Gatepass_Store::forget_cached();
		$now = $this->store->connection();
		return '' === $this->reason_not_to( $now ) && $now->pairing() === $asked->pairing();
	}

	/**
	 * How long to wait for the bridge: as long as there is time, and a little for what has been done and is to be said.
	 *
	 * @return int Seconds.
	 */
	private function patience(): int {
		return (int) max( self::MIN_PATIENCE, min( self::MAX_PATIENCE, ceil( $this->deadline - microtime( true ) ) ) );
	}

	/**
	 * Whether time is up.
	 *
	 * @return bool
	 */
	private function is_time_up(): bool {
		return microtime( true ) >= $this->deadline;
	}

	/**
	 * Lets go of what WordPress keeps in memory of the users that were read, if its cache can.
	 */
	private static function forget_users(): void {
		if ( wp_cache_supports( 'flush_runtime' ) ) {
			wp_cache_flush_runtime();
		}
	}
}
