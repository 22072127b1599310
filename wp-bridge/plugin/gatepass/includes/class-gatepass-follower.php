<?php
/**
 * Makes one member in WordPress what the panel wants.
 *
 * @package Gatepass
 */

/**
 * One change at a time, under the identity's lock, so that a sign-in of the same member is before or after it. Whatever
 * it does it may do again: the answer is lost, or PHP dies, and the same change comes once more.
 */
final class Gatepass_Follower {

	/**
	 * How long to wait for a sign-in of the same member, in seconds.
	 */
	const PATIENCE = 2.0;

	/**
	 * Causes that the bridge knows. Any other is `internal` to it, in its own words.
	 */
	const CODES = array( 'email_taken', 'username_taken', 'email_invalid', 'role_not_allowed', 'account_privileged', 'account_not_on_blog', 'account_blocked' );

	/**
	 * The longest message that is sent, in characters.
	 */
	const MAX_MESSAGE = 200;

	/**
	 * Users.
	 *
	 * @var Gatepass_Members
	 */
	private $members;

	/**
	 * What is written to them.
	 *
	 * @var Gatepass_Account
	 */
	private $account;

	/**
	 * What becomes of those who were removed.
	 *
	 * @var Gatepass_Removal
	 */
	private $removal;

	/**
	 * Rights.
	 *
	 * @var Gatepass_Privileges
	 */
	private $privileges;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Members    $members    Users.
	 * @param Gatepass_Account    $account    What is written to them.
	 * @param Gatepass_Removal    $removal    What becomes of those who were removed.
	 * @param Gatepass_Privileges $privileges Rights.
	 */
	public function __construct( Gatepass_Members $members, Gatepass_Account $account, Gatepass_Removal $removal, Gatepass_Privileges $privileges ) {
		$this->members    = $members;
		$this->account    = $account;
		$this->removal    = $removal;
		$this->privileges = $privileges;
	}

	/**
	 * The follower of this site.
	 *
	 * @param Gatepass_Store $store Settings.
	 * @return self
	 */
	public static function of_this_site( Gatepass_Store $store ): self {
		$members = new Gatepass_Members( $store );
		return new self( $members, new Gatepass_Account( $store, $members ), new Gatepass_Removal( $store ), new Gatepass_Privileges( $store ) );
	}

	/**
	 * Follows a change.
	 *
	 * @param Gatepass_Identity   $identity Who.
	 * @param Gatepass_Change     $change   What has changed.
	 * @param Gatepass_Sync_State $state    How far this site has followed.
	 * @return array<string,mixed>|null What came of it, for the bridge. Null if the member is being signed in: the change is
	 *                                  to come again.
	 */
	public function follow( Gatepass_Identity $identity, Gatepass_Change $change, Gatepass_Sync_State $state ): ?array {
		$lock = Gatepass_Lock::take( $identity->hash(), self::PATIENCE );
		if ( null === $lock ) {
			return null;
		}
		$user_id = null;
		$cause   = '';
		// A plugin may sign new users in. Whoever asks here, the broker, WP-Cron or another customer, is not the one.
		add_filter( 'send_auth_cookies', '__return_false', PHP_INT_MAX );
		try {
			$user_id = $change->is_removed() ? $this->remove( $identity, $change, $state ) : $this->make( $identity, $change, $state );
		} catch ( Gatepass_Refusal $refusal ) {
			if ( 'busy' === $refusal->cause() ) {
				return null;
			}
			$cause   = $refusal->cause();
			$user_id = $refusal->user_id() > 0 ? $refusal->user_id() : null;
		} catch ( Throwable $failure ) {
			// Somebody's hook on users. Its message may tell anything, so only its place is logged.
			// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner.
			error_log( sprintf( 'Gatepass: %s at %s:%d', get_class( $failure ), $failure->getFile(), $failure->getLine() ) );
			$cause = 'internal';
		} finally {
			remove_filter( 'send_auth_cookies', '__return_false', PHP_INT_MAX );
			$lock->release();
		}
		$ack = self::ack( $change, $cause, $user_id );
		if ( $change->wants_sessions() ) {
			$user = null === $user_id ? false : get_userdata( $user_id );
			// Of an account with too many rights the panel learns nothing.
			$ack['sessions'] = false === $user || $this->privileges->is_privileged( $user ) ? array() : Gatepass_Sessions::report( $user_id, $identity, time() );
		}
		return $ack;
	}

	/**
	 * Keeps how a member stands, and does nothing else to the account: to follow the change has been the death of PHP.
	 *
	 * @param Gatepass_Identity   $identity Who.
	 * @param Gatepass_Change     $change   What has changed.
	 * @param Gatepass_Sync_State $state    How far this site has followed.
	 * @return array<string,mixed>|null As {@see follow()}.
	 */
	public function only_hear( Gatepass_Identity $identity, Gatepass_Change $change, Gatepass_Sync_State $state ): ?array {
		$lock = Gatepass_Lock::take( $identity->hash(), self::PATIENCE );
		if ( null === $lock ) {
			return null;
		}
		try {
			$this->hear_of( $this->members->all_of( $identity ), $identity, $change, $state );
		} finally {
			$lock->release();
		}
		return self::ack( $change, 'internal', null );
	}

	/**
	 * Shuts the gate for a member whom the panel does not know. The account stays.
	 *
	 * @param int                 $user_id  The user.
	 * @param Gatepass_Identity   $identity Who they were to the panel.
	 * @param Gatepass_Sync_State $state    How far this site has followed.
	 * @return bool False if the member is being signed in.
	 */
	public function shut( int $user_id, Gatepass_Identity $identity, Gatepass_Sync_State $state ): bool {
		$lock = Gatepass_Lock::take( $identity->hash(), self::PATIENCE );
		if ( null === $lock ) {
			return false;
		}
		try {
			wp_cache_delete( $user_id, 'user_meta' );
			$known = Gatepass_Standing::of_identity( $user_id, $identity );
			$user  = get_userdata( $user_id );
			if ( false !== $user && ( null === $known || $known->round() < $state->round() ) ) {
				$nothing = array(
					'epoch'          => $state->epoch(),
					'sessions_ended' => null === $known ? 0 : $known->sessions_ended(),
				);
				self::hear( $user_id, $identity, Gatepass_Standing::from_array( $nothing ), $state, ! $this->privileges->is_privileged( $user ) );
			}
		} finally {
			$lock->release();
		}
		return true;
	}

	/**
	 * Keeps what was heard of a member, and ends the sessions that are to end by it. To be called under the identity's
	 * lock.
	 *
	 * @param int                 $user_id   The user.
	 * @param Gatepass_Identity   $identity  Who they are to the panel.
	 * @param Gatepass_Standing   $said      What was heard.
	 * @param Gatepass_Sync_State $state     How far this site has followed.
	 * @param bool                $may_touch Whether the account has no more rights than the owner allows. If it has, its
	 *                                       sessions are none of the panel's business.
	 * @return Gatepass_Standing How the member stands now: as said, unless something newer had been heard.
	 */
	public static function hear( int $user_id, Gatepass_Identity $identity, Gatepass_Standing $said, Gatepass_Sync_State $state, bool $may_touch ): Gatepass_Standing {
		// Read anew: a sign-in, or another pull, may have written it since this request began.
		wp_cache_delete( $user_id, 'user_meta' );
		$known = Gatepass_Standing::of_identity( $user_id, $identity );
		$ended = null === $known ? 0 : $known->sessions_ended();
		if ( null !== $known && self::goes_before( $known, $said, $state ) ) {
			$said = $known;
		}
		// A sign-in may have begun before the round that has named the member since.
		$said = $said->with( array( 'round' => max( $state->round(), null === $known ? 0 : $known->round() ) ) );
		// Whom the owner has exempted from the gate needs no membership.
		$is_over = ! $said->allows( $state->now() ) && ! in_array( $user_id, ( new Gatepass_Store() )->gate_rules()->exempt(), true );
		if ( $may_touch && ( $is_over || $said->sessions_ended() > $ended ) ) {
			// The gate shuts before, so that no new session slips in; the count comes after, so that who dies does it again.
			$said->with( array( 'sessions_ended' => $ended ) )->save( $user_id, $identity );
			Gatepass_Sessions::end( $user_id, $identity );
		}
		$said->save( $user_id, $identity );
		return $said;
	}

	/**
	 * Whether what is known goes before what is heard now.
	 *
	 * @param Gatepass_Standing   $known What is known.
	 * @param Gatepass_Standing   $said  What is heard.
	 * @param Gatepass_Sync_State $state How far this site has followed.
	 * @return bool
	 */
	public static function goes_before( Gatepass_Standing $known, Gatepass_Standing $said, Gatepass_Sync_State $state ): bool {
		if ( '' !== $state->epoch() && $known->epoch() === $state->epoch() && $said->epoch() !== $state->epoch() ) {
			// A late word of a store that the panel has left.
			return true;
		}
		// Positions of another round may be of a store that has been put back since: it counts anew from where it was then.
		return $known->round() === $state->round() && $known->is_newer_than( $said );
	}

	/**
	 * Makes or changes the user of a member.
	 *
	 * @param Gatepass_Identity   $identity Who.
	 * @param Gatepass_Change     $change   What has changed.
	 * @param Gatepass_Sync_State $state    How far this site has followed.
	 * @return int|null The user's number; null if there is none and none is needed.
	 * @throws Gatepass_Refusal If it cannot be done.
	 */
	private function make( Gatepass_Identity $identity, Gatepass_Change $change, Gatepass_Sync_State $state ): ?int {
		$users  = $this->members->all_of( $identity );
		$is_old = $this->hear_of( $users, $identity, $change, $state );
		$wanted = $change->wanted();
		if ( null === $wanted ) {
			throw Gatepass_Refusal::account( 'internal' );
		}
		$user = Gatepass_Members::the_one( $users );
		if ( null === $user ) {
			if ( ! $change->standing()->allows( $state->now() ) ) {
				// Whoever may not come in needs no account; it is made when they may.
				return null;
			}
			$user = $this->members->create( $identity, $wanted );
			WP_Session_Tokens::get_instance( $user->ID )->destroy_all();
			$is_old = $this->hear_of( array( $user ), $identity, $change, $state );
		}
		$this->require_reach( $user );
		if ( $is_old ) {
			// Somebody took us for dead, and has followed what came after this.
			return $user->ID;
		}
		try {
			$user = $this->members->bring_to_blog( $user, $identity, $wanted );
			$this->account->follow( $user, $wanted );
		} catch ( Gatepass_Refusal $refusal ) {
			throw 'busy' === $refusal->cause() ? $refusal : Gatepass_Refusal::account( $refusal->cause(), $user->ID );
		}
		if ( null !== $change->consent() ) {
			$change->consent()->save( $user->ID, $state->now() );
		}
		return $user->ID;
	}

	/**
	 * Does to the user of a removed member what the owner has chosen.
	 *
	 * @param Gatepass_Identity   $identity Who.
	 * @param Gatepass_Change     $change   What has changed.
	 * @param Gatepass_Sync_State $state    How far this site has followed.
	 * @return int|null The user's number; null if there is none (any more).
	 * @throws Gatepass_Refusal If it cannot be done.
	 */
	private function remove( Gatepass_Identity $identity, Gatepass_Change $change, Gatepass_Sync_State $state ): ?int {
		$users  = $this->members->all_of( $identity );
		$is_old = $this->hear_of( $users, $identity, $change, $state );
		$user   = Gatepass_Members::the_one( $users );
		if ( null === $user ) {
			return null;
		}
		$this->require_reach( $user );
		return $is_old || $this->removal->apply( $user, $identity ) ? $user->ID : null;
	}

	/**
	 * Keeps how a member stands. It comes first, and whatever becomes of the rest: the gate goes by it.
	 *
	 * @param WP_User[]           $users    Everybody who claims to be the member.
	 * @param Gatepass_Identity   $identity Who.
	 * @param Gatepass_Change     $change   What has changed.
	 * @param Gatepass_Sync_State $state    How far this site has followed.
	 * @return bool Whether something newer had been heard.
	 */
	private function hear_of( array $users, Gatepass_Identity $identity, Gatepass_Change $change, Gatepass_Sync_State $state ): bool {
		$is_old = false;
		foreach ( $users as $user ) {
			$standing = self::hear( $user->ID, $identity, $change->standing(), $state, ! $this->privileges->is_privileged( $user ) );
			$is_old   = $is_old || $standing->is_newer_than( $change->standing() );
		}
		return $is_old;
	}

	/**
	 * An account with too many rights is touched no further.
	 *
	 * @param WP_User $user The user.
	 * @throws Gatepass_Refusal If it has.
	 */
	private function require_reach( WP_User $user ): void {
		if ( $this->privileges->is_privileged( $user ) ) {
			throw Gatepass_Refusal::account( 'account_privileged', $user->ID );
		}
	}

	/**
	 * What came of a change, for the bridge.
	 *
	 * @param Gatepass_Change $change  Which.
	 * @param string          $cause   Why it failed; empty if it did not.
	 * @param int|null        $user_id The user's number, if there is one.
	 * @return array<string,mixed>
	 */
	public static function ack( Gatepass_Change $change, string $cause, ?int $user_id ): array {
		$ack = array(
			'subject'           => $change->subject(),
			'position'          => $change->position(),
			'result'            => '' === $cause ? 'synced' : 'failed',
			'wordpress_user_id' => $user_id,
		);
		if ( '' !== $cause ) {
			$ack['error'] = array(
				'code'    => in_array( $cause, self::CODES, true ) ? $cause : 'internal',
				'message' => mb_substr( Gatepass_Log_Line::causes()[ $cause ] ?? $cause, 0, self::MAX_MESSAGE ),
			);
		}
		return $ack;
	}
}
