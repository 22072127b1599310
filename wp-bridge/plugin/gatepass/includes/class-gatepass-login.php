<?php
/**
 * The sign-in itself.
 *
 * @package Gatepass
 */

/**
 * From a checked handoff to a WordPress session, in this order: the bridge decides, then the user
 * is found or made, judged by rights, and only then is there a session and a cookie.
 */
final class Gatepass_Login {

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
	 * Users.
	 *
	 * @var Gatepass_Members
	 */
	private $members;

	/**
	 * Rights.
	 *
	 * @var Gatepass_Privileges
	 */
	private $privileges;

	/**
	 * Reports.
	 *
	 * @var Gatepass_Outcomes
	 */
	private $outcomes;

	/**
	 * The owner's log.
	 *
	 * @var Gatepass_Log
	 */
	private $log;

	/**
	 * Sign-ins that another plugin puts off.
	 *
	 * @var Gatepass_Pending
	 */
	private $pending;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store      $store      Settings.
	 * @param Gatepass_Bridge     $bridge     The bridge.
	 * @param Gatepass_Members    $members    Users.
	 * @param Gatepass_Privileges $privileges Rights.
	 * @param Gatepass_Outcomes   $outcomes   Reports.
	 * @param Gatepass_Log        $log        The owner's log.
	 * @param Gatepass_Pending    $pending    Sign-ins that another plugin puts off.
	 */
	public function __construct(
		Gatepass_Store $store,
		Gatepass_Bridge $bridge,
		Gatepass_Members $members,
		Gatepass_Privileges $privileges,
		Gatepass_Outcomes $outcomes,
		Gatepass_Log $log,
		Gatepass_Pending $pending
	) {
		$this->store      = $store;
		$this->bridge     = $bridge;
		$this->members    = $members;
		$this->privileges = $privileges;
		$this->outcomes   = $outcomes;
		$this->log        = $log;
		$this->pending    = $pending;
	}

	/**
	 * Whoever is signed in to this browser, if it is another one than who arrives.
	 *
	 * @param Gatepass_Arrival $arrival Who arrives.
	 * @return WP_User|null Null if nobody is, or the same one.
	 * @throws Gatepass_Refusal If it cannot be told who arrives.
	 */
	public function somebody_else( Gatepass_Arrival $arrival ): ?WP_User {
		$here = self::signed_in_here();
		if ( array() === $here ) {
			return null;
		}
		$known = $this->members->find( $arrival->identity() );
		foreach ( $here as $user ) {
			if ( null === $known || $user->ID !== $known->ID ) {
				return $user;
			}
		}
		return null;
	}

	/**
	 * Who is signed in to this browser. Below wp-admin, where we are, WordPress does not look at the cookie that makes
	 * somebody signed in everywhere else, though it can be there alone.
	 *
	 * @return WP_User[]
	 */
	private static function signed_in_here(): array {
		$ids = array( get_current_user_id(), (int) wp_validate_auth_cookie( '', 'logged_in' ) );
		return array_filter( array_map( 'get_userdata', array_unique( array_filter( $ids ) ) ) );
	}

	/**
	 * Asks whether the token would be redeemed, and for whom. Spends nothing.
	 *
	 * @param Gatepass_Arrival $arrival Who arrives.
	 * @param Gatepass_Request $request The request.
	 * @return array{0:string,1:Gatepass_Actor|null} Their name, as the panel knows it, and who acts for them.
	 * @throws Gatepass_Refusal If it would not.
	 */
	public function preview( Gatepass_Arrival $arrival, Gatepass_Request $request ): array {
		try {
			$members = $this->ask( $arrival, $request, array( 'preview' => true ) );
			$name    = is_array( $members['member'] ?? null ) ? $members['member']['display_name'] ?? null : null;
			$actor   = Gatepass_Actor::from_array( $members['actor'] ?? null );
			if ( ( isset( $members['actor'] ) && null === $actor ) || ! is_string( $members['jti'] ?? null ) || ! is_string( $members['subject'] ?? null )
				|| ! $arrival->handoff()->is( $members['jti'], $members['subject'] ) || ! is_string( $name ) ) {
				throw self::nonsense();
			}
		} catch ( Gatepass_Refusal $refusal ) {
			$this->log_refusal( $arrival, $request, $refusal );
			throw $refusal;
		}
		$name = sanitize_text_field( $name );
		return array( '' === $name ? $arrival->handoff()->subject() : $name, $actor );
	}

	/**
	 * Signs the browser in. May not return: a two-factor plugin prints its own page and exits.
	 *
	 * @param Gatepass_Arrival $arrival Who arrives.
	 * @param Gatepass_Request $request The request.
	 * @return string Where to go.
	 * @throws Gatepass_Refusal If the customer is not let in.
	 */
	public function run( Gatepass_Arrival $arrival, Gatepass_Request $request ): string {
		$redemption = null;
		try {
			$redemption = Gatepass_Redemption::from_answer( $this->ask( $arrival, $request ), $arrival->handoff() );
			if ( null === $redemption ) {
				throw self::nonsense();
			}
			return $this->let_in( $arrival, $request, $redemption );
		} catch ( Gatepass_Refusal $refusal ) {
			$this->log_refusal( $arrival, $request, $refusal, $redemption );
			throw $refusal;
		}
	}

	/**
	 * Signs in whom the bridge has let in, if the owner lets them in as well.
	 *
	 * @param Gatepass_Arrival    $arrival    Who arrives.
	 * @param Gatepass_Request    $request    The request.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @return string Where to go.
	 * @throws Gatepass_Refusal If the customer is not let in.
	 */
	private function let_in( Gatepass_Arrival $arrival, Gatepass_Request $request, Gatepass_Redemption $redemption ): string {
		$connection = $this->connection_of_now( $arrival->connection() );
		if ( null !== $redemption->policy() ) {
			$this->store->save_policy( $connection, $redemption->policy() );
			$connection = $connection->with_policy( $redemption->policy() );
		}
		$arrival = $arrival->with_connection( $connection );

		try {
			if ( ! $this->store->is_enabled() ) {
				throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'switched_off' );
			}
			// On a network a session is good on every blog, and nothing is forbidden in it where the plugin is not active.
			$is_watched = ! is_multisite() || in_array( plugin_basename( GATEPASS_FILE ), array_keys( (array) get_site_option( 'active_sitewide_plugins', array() ) ), true );
			if ( null !== $redemption->actor() && ! ( $is_watched && $this->store->is_support_allowed() ) ) {
				throw Gatepass_Refusal::account( 'support_forbidden' );
			}
			Gatepass_Support_Guard::let_sessions_go();
			$this->sign_in( $arrival, $request, $redemption );
		} catch ( Gatepass_Refusal $refusal ) {
			if ( ! $refusal->passes() ) {
				$this->outcomes->failed( $connection, $redemption->handoff_id(), $arrival->reference()->request_id(), $refusal );
			}
			throw $refusal;
		}
		return $this->destination( $arrival, $redemption );
	}

	/**
	 * Asks the bridge.
	 *
	 * @param Gatepass_Arrival    $arrival Who arrives.
	 * @param Gatepass_Request    $request The request.
	 * @param array<string,mixed> $more    More members of the question.
	 * @return array<string,mixed> Members of its yes.
	 * @throws Gatepass_Refusal If it says anything else.
	 */
	private function ask( Gatepass_Arrival $arrival, Gatepass_Request $request, array $more = array() ): array {
		$question = $more + array(
			'token'      => $arrival->handoff()->token(),
			'attempt'    => $arrival->attempt()->text(),
			'client_ip'  => $request->client_ip(),
			'user_agent' => $request->user_agent(),
		);
		if ( null !== $arrival->binding() ) {
			$question['binding'] = $arrival->binding()->hash();
		}
		$answer = $this->bridge->redeem( $arrival->connection(), $question, $arrival->reference()->request_id() );
		if ( 200 !== $answer->status() ) {
			throw $answer->refusal();
		}
		return $answer->members();
	}

	/**
	 * Notes a refusal in the owner's log.
	 *
	 * @param Gatepass_Arrival         $arrival    Who arrives.
	 * @param Gatepass_Request         $request    The request.
	 * @param Gatepass_Refusal         $refusal    Why not.
	 * @param Gatepass_Redemption|null $redemption The bridge's yes, if it said so.
	 */
	private function log_refusal( Gatepass_Arrival $arrival, Gatepass_Request $request, Gatepass_Refusal $refusal, ?Gatepass_Redemption $redemption = null ): void {
		$local_cause = $refusal->local_cause();
		// Anybody can name a key that is not pinned; then only the bridge's verdict says that the token is one of ours.
		if ( 'token_invalid' === $local_cause
			|| ( null === $redemption && ! $arrival->handoff()->is_signed() && Gatepass_Refusal::TEMPORARY === $refusal->page() ) ) {
			return;
		}
		$user_id = $refusal->user_id();
		if ( 0 === $user_id ) {
			try {
				$user    = $this->members->find( $arrival->identity() );
				$user_id = null === $user ? 0 : $user->ID;
			} catch ( Gatepass_Refusal $unclear ) {
				$user_id = $unclear->user_id();
			}
		}
		$this->log->record(
			$refusal->is_failure() ? Gatepass_Log::FAILED : Gatepass_Log::REFUSED,
			array(
				'cause'     => '' === $local_cause ? $refusal->cause() : $local_cause,
				'user_id'   => $user_id,
				'reference' => $arrival->reference()->shown( $local_cause ),
			) + self::known( $arrival, $request, $redemption )
		);
	}

	/**
	 * What is known of an arrival, for the owner's log.
	 *
	 * @param Gatepass_Arrival         $arrival    Who arrives.
	 * @param Gatepass_Request         $request    The request.
	 * @param Gatepass_Redemption|null $redemption The bridge's yes, if it said so.
	 * @return array<string,mixed>
	 */
	private static function known( Gatepass_Arrival $arrival, Gatepass_Request $request, ?Gatepass_Redemption $redemption ): array {
		return array(
			'subject'   => $arrival->handoff()->subject(),
			'identity'  => $arrival->identity()->hash(),
			'handoff'   => $arrival->handoff()->id(),
			'attempt'   => $arrival->attempt()->text(),
			'reference' => $arrival->reference()->shown(),
			'actor'     => null === $redemption || null === $redemption->actor() ? null : $redemption->actor()->to_array(),
			'ip'        => $request->client_ip(),
		);
	}

	/**
	 * The connection, read anew: the bridge was asked in between.
	 *
	 * @param Gatepass_Connection $asked Under which it was asked.
	 * @return Gatepass_Connection
	 * @throws Gatepass_Refusal If the site was unpaired or paired anew: the bridge's yes was for the pairing of before.
	 */
	private function connection_of_now( Gatepass_Connection $asked ): Gatepass_Connection {
		Gatepass_Store::forget_cached();
		$now = $this->store->connection();
		if ( null === $now ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'not_paired' );
		}
		if ( $now->pairing() !== $asked->pairing() ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'paired_anew' );
		}
		return $now;
	}

	/**
	 * The refusal for a yes that cannot be understood.
	 *
	 * @return Gatepass_Refusal
	 */
	private static function nonsense(): Gatepass_Refusal {
		$refusal = new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'bridge_answered_nonsense' );
		return $refusal->untold( 'bridge_unreachable' );
	}

	/**
	 * Session, cookie and everybody who wants to know.
	 *
	 * @param Gatepass_Arrival    $arrival    Who arrives.
	 * @param Gatepass_Request    $request    The request.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @throws Gatepass_Refusal If the customer is not let in.
	 */
	private function sign_in( Gatepass_Arrival $arrival, Gatepass_Request $request, Gatepass_Redemption $redemption ): void {
		$reference = $arrival->reference();
		$identity  = $arrival->identity();
		$terms     = Gatepass_Terms::of( $redemption, time() );
		$lock      = Gatepass_Lock::take( $identity->hash() );
		if ( null === $lock ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'busy' );
		}

		$session = null;
		$pending = false;
		try {
			$this->pending->begin( $terms );
			$user    = $this->members->find( $identity );
			$created = null === $user;
			$user    = $created ? $this->members->create( $identity, $redemption->wanted() ) : $this->members->bring_to_blog( $user, $identity, $redemption->wanted() );
			if ( $this->privileges->is_privileged( $user ) ) {
				throw Gatepass_Refusal::account( 'account_privileged', $user->ID );
			}
			$this->hear( $user, $arrival, $redemption );
			$this->ask_others( $user, $redemption );
			$session = new Gatepass_Session( $user, $terms, $arrival->attempt() );
			$pending = $session->open();
		} catch ( Gatepass_Refusal $refusal ) {
			throw $refusal;
		} catch ( Throwable $failure ) {
			// Somebody's hook on new users or sessions.
			throw $this->internal( $failure, $reference );
		} finally {
			// Whatever goes wrong, the next one need not wait for a lock to grow old.
			if ( ! $pending ) {
				$lock->release();
			}
		}

		/*
		 * What has to happen however this ends: by returning, or by the exit or death of somebody
		 * hooked to `wp_login`. Until then the lock makes a racing repeat wait, so that it can neither
		 * slip past a second factor nor announce the same login twice. Only a `wp_login` that returned
		 * completes a sign-in, and only if nobody took the cookies back: some two-factor plugins do no
		 * more than that, and leave the session.
		 */
		$cleared = did_action( 'clear_auth_cookie' );
		$finish  = function ( bool $returned ) use ( &$pending, &$cleared, $lock, $session ): bool {
			if ( ! $pending ) {
				return false;
			}
			$pending = false;
			try {
				if ( did_action( 'clear_auth_cookie' ) > $cleared ) {
					$session->destroy();
					return false;
				}
				$complete = $returned && $session->complete();
				if ( $session->is_open() ) {
					$this->pending->complete();
				} else {
					// Ended by somebody who leaves the cookies.
					$this->pending->put_off();
				}
				return $complete;
			} finally {
				$lock->release();
			}
		};
		try {
			if ( $pending ) {
				add_action(
					'shutdown',
					static function () use ( $finish ): void {
						$finish( false );
					},
					PHP_INT_MIN
				);
			}
			$this->leave_other_account( $user );
			$this->clear_activation_key( $user );
			wp_set_auth_cookie( $user->ID, $terms->remember(), '', $session->token() );
			wp_set_current_user( $user->ID );
			if ( ! $pending ) {
				// A repeat of a completed attempt: the browser gets its cookie again, and nobody hears of a second login.
				return;
			}
			$cleared = did_action( 'clear_auth_cookie' );
			$this->pending->announce( $user->ID );
			do_action( 'wp_login', $user->user_login, $user ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
			if ( $finish( true ) ) {
				$this->log->record( Gatepass_Log::SIGNED_IN, array( 'user_id' => $user->ID ) + self::known( $arrival, $request, $redemption ) );
				$this->outcomes->logged_in( $arrival->connection(), $redemption->handoff_id(), $reference->request_id(), $user->ID, $created );
			}
		} catch ( Throwable $failure ) {
			// Somebody's hook on cookies or logins. The cookie that was set opens nothing without its session.
			if ( $pending ) {
				$pending = false;
				$session->destroy();
				$lock->release();
			}
			wp_set_current_user( 0 );
			throw $this->internal( $failure, $reference, $user->ID );
		}
	}

	/**
	 * Keeps what the bridge says of the member. A pull may have heard, since it said yes, that the membership has ended,
	 * or all sessions.
	 *
	 * @param WP_User             $user       Who signs in.
	 * @param Gatepass_Arrival    $arrival    Who arrives.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @throws Gatepass_Refusal If it has.
	 */
	private function hear( WP_User $user, Gatepass_Arrival $arrival, Gatepass_Redemption $redemption ): void {
		if ( null === $redemption->standing() ) {
			return;
		}
		$begun = Gatepass_Sync_State::of( $arrival->connection() );
		$state = Gatepass_Sync_State::read_anew( $arrival->connection() );
		if ( $begun->epoch() === $state->epoch() ) {
			// This site has changed to no other store while the bridge was asked; so the bridge has answered by the newest.
			$state = $state->with( array( 'epoch' => $redemption->standing()->epoch() ) );
		}
		$standing = Gatepass_Follower::hear( $user->ID, $arrival->identity(), $redemption->standing(), $state, true );
		if ( ! $standing->is_the_word_of( $redemption->standing() ) ) {
			if ( ! $standing->allows( $state->now() ) ) {
				throw new Gatepass_Refusal( Gatepass_Refusal::MEMBERSHIP, 'membership_inactive' );
			}
			if ( $standing->sessions_ended() > $redemption->standing()->sessions_ended() ) {
				throw new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'session_ended' );
			}
		} elseif ( null !== $redemption->consent() ) {
			$redemption->consent()->save( $user->ID, $state->now() );
		}
	}

	/**
	 * Asks other plugins whether they have disabled an account. It is theirs to say before there is a
	 * session, as with a password; that the password is empty tells them that there is none.
	 *
	 * @param WP_User             $user       Who signs in.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @throws Gatepass_Refusal If one of them says no.
	 */
	private function ask_others( WP_User $user, Gatepass_Redemption $redemption ): void {
		if ( apply_filters( Gatepass_Names::FILTER_CHECK_WP_AUTHENTICATE_USER, true )
			&& ! apply_filters( 'wp_authenticate_user', $user, '' ) instanceof WP_User ) { // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
			throw Gatepass_Refusal::account( 'account_blocked', $user->ID );
		}
		if ( true !== apply_filters( Gatepass_Names::FILTER_MAY_SIGN_IN, true, $user, $redemption->subject() ) ) {
			throw Gatepass_Refusal::account( 'account_blocked', $user->ID );
		}
	}

	/**
	 * The refusal for what went wrong in somebody's hook. Its message may tell anything, so only its
	 * place is logged.
	 *
	 * @param Throwable          $failure   What went wrong.
	 * @param Gatepass_Reference $reference The reference of this request.
	 * @param int                $user_id   WordPress user concerned, 0 for none.
	 * @return Gatepass_Refusal
	 */
	private function internal( Throwable $failure, Gatepass_Reference $reference, int $user_id = 0 ): Gatepass_Refusal {
		// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner.
		error_log( sprintf( 'Gatepass %s: %s at %s:%d', $reference->shown(), get_class( $failure ), $failure->getFile(), $failure->getLine() ) );
		return Gatepass_Refusal::account( 'internal', $user_id );
	}

	/**
	 * Ends the session of somebody else in this browser, whose cookie is about to be replaced, and
	 * the cart that goes with it.
	 *
	 * @param WP_User $user Who signs in.
	 */
	private function leave_other_account( WP_User $user ): void {
		foreach ( self::signed_in_here() as $other ) {
			if ( $other->ID === $user->ID ) {
				continue;
			}
			if ( function_exists( 'WC' ) ) {
				$this->leave_cart();
			}
			foreach ( array_keys( Gatepass_Cookie_Sessions::of( $other->ID ) ) as $token ) {
				WP_Session_Tokens::get_instance( $other->ID )->destroy( (string) $token );
			}
		}
	}

	/**
	 * Ends WooCommerce's session. It has none yet in wp-admin, and makes it for whoever is the current
	 * user; so this comes before anything changes.
	 */
	private function leave_cart(): void {
		try {
			$shop = WC();
			if ( ! isset( $shop->session ) && is_callable( array( $shop, 'initialize_session' ) ) ) {
				$shop->initialize_session();
			}
			if ( isset( $shop->session ) && is_callable( array( $shop->session, 'destroy_session' ) ) ) {
				$shop->session->destroy_session();
			}
		} catch ( Throwable $failure ) {
			// A cart is not worth a sign-in.
			// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner.
			error_log( sprintf( 'Gatepass: %s at %s:%d', get_class( $failure ), $failure->getFile(), $failure->getLine() ) );
		}
	}

	/**
	 * As wp_signon() does: whoever is in needs no pending password reset.
	 *
	 * @param WP_User $user Who signs in.
	 */
	private function clear_activation_key( WP_User $user ): void {
		global $wpdb;

		if ( empty( $user->user_activation_key ) ) {
			return;
		}
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- As wp_signon() does.
		$wpdb->update( $wpdb->users, array( 'user_activation_key' => '' ), array( 'ID' => $user->ID ) );
		clean_user_cache( $user );
		$user->user_activation_key = '';
	}

	/**
	 * Where to go: where the customer wanted to when they began here, else where the panel said, else
	 * where it always says, else where WordPress would send such a user.
	 *
	 * @param Gatepass_Arrival    $arrival    Who arrives.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @return string A URL on this site.
	 */
	private function destination( Gatepass_Arrival $arrival, Gatepass_Redemption $redemption ): string {
		$home      = home_url( '/' );
		$redirects = new Gatepass_Redirects( array( $home, admin_url() ) );
		return $redirects->choose(
			array(
				null === $arrival->binding() ? null : $arrival->binding()->destination(),
				$redemption->redirect_to(),
				$arrival->connection()->policy()->default_redirect(),
			),
			current_user_can( 'edit_posts' ) ? admin_url() : $home
		);
	}
}
