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
	 * Constructor.
	 *
	 * @param Gatepass_Store      $store      Settings.
	 * @param Gatepass_Bridge     $bridge     The bridge.
	 * @param Gatepass_Members    $members    Users.
	 * @param Gatepass_Privileges $privileges Rights.
	 * @param Gatepass_Outcomes   $outcomes   Reports.
	 */
	public function __construct(
		Gatepass_Store $store,
		Gatepass_Bridge $bridge,
		Gatepass_Members $members,
		Gatepass_Privileges $privileges,
		Gatepass_Outcomes $outcomes
	) {
		$this->store      = $store;
		$this->bridge     = $bridge;
		$this->members    = $members;
		$this->privileges = $privileges;
		$this->outcomes   = $outcomes;
	}

	/**
	 * Signs the browser in. May not return: a two-factor plugin prints its own page and exits.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Handoff    $handoff    The checked token.
	 * @param Gatepass_Attempt    $attempt    The browser's attempt.
	 * @param Gatepass_Reference  $reference  The reference of this request.
	 * @param Gatepass_Request    $request    The request.
	 * @return string Where to go.
	 * @throws Gatepass_Refusal If the customer is not let in.
	 */
	public function run(
		Gatepass_Connection $connection,
		Gatepass_Handoff $handoff,
		Gatepass_Attempt $attempt,
		Gatepass_Reference $reference,
		Gatepass_Request $request
	): string {
		$answer = $this->bridge->redeem(
			$connection,
			array(
				'token'      => $handoff->token(),
				'attempt'    => $attempt->text(),
				'client_ip'  => $request->client_ip(),
				'user_agent' => $request->user_agent(),
			),
			$reference->request_id()
		);
		if ( 200 !== $answer->status() ) {
			throw $answer->refusal();
		}
		$redemption = Gatepass_Redemption::from_answer( $answer->members(), $handoff );
		if ( null === $redemption ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'bridge_answered_nonsense' );
		}
		if ( null !== $redemption->policy() ) {
			$connection = $connection->with_policy( $redemption->policy() );
			$this->store->save_connection( $connection );
		}

		try {
			$this->sign_in( $connection, $redemption, $attempt, $reference );
		} catch ( Gatepass_Refusal $refusal ) {
			if ( ! $refusal->passes() ) {
				$this->outcomes->failed( $connection, $redemption->handoff_id(), $reference->request_id(), $refusal );
			}
			throw $refusal;
		}
		return $this->destination( $connection, $redemption );
	}

	/**
	 * Session, cookie and everybody who wants to know.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @param Gatepass_Attempt    $attempt    The browser's attempt.
	 * @param Gatepass_Reference  $reference  The reference of this request.
	 * @throws Gatepass_Refusal If the customer is not let in.
	 */
	private function sign_in(
		Gatepass_Connection $connection,
		Gatepass_Redemption $redemption,
		Gatepass_Attempt $attempt,
		Gatepass_Reference $reference
	): void {
		$identity = new Gatepass_Identity( $connection->issuer(), $connection->site_id(), $redemption->subject() );
		$lock     = Gatepass_Lock::take( $identity->hash() );
		if ( null === $lock ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'busy' );
		}

		$pending = false;
		try {
			$user    = $this->members->find( $identity );
			$created = null === $user;
			$user    = $created ? $this->members->create( $identity, $redemption ) : $this->members->bring_to_blog( $user, $redemption );
			if ( $this->privileges->is_privileged( $user ) ) {
				throw Gatepass_Refusal::account( 'account_privileged', $user->ID );
			}
			$session = new Gatepass_Session( $user, $redemption, $attempt );
			$pending = $session->open();
		} catch ( Gatepass_Refusal $refusal ) {
			throw $refusal;
		} catch ( Throwable $failure ) {
			// Somebody's hook on new users or sessions. Its message may tell anything, so only its place is logged.
			// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner.
			error_log( sprintf( 'Gatepass %s: %s at %s:%d', $reference->shown(), get_class( $failure ), $failure->getFile(), $failure->getLine() ) );
			throw Gatepass_Refusal::account( 'internal' );
		} finally {
			// Whatever goes wrong, the next one need not wait for a lock to grow old.
			if ( ! $pending ) {
				$lock->release();
			}
		}

		$this->leave_other_account( $user );
		$this->clear_activation_key( $user );
		wp_set_auth_cookie( $user->ID, $redemption->remember(), '', $session->token() );
		wp_set_current_user( $user->ID );
		if ( ! $pending ) {
			// A repeat of a completed attempt: the browser gets its cookie again, and nobody hears of a second login.
			return;
		}

		/*
		 * What has to happen however `wp_login` ends: by returning, or by the exit or death of
		 * somebody hooked to it. Until then the lock makes a racing repeat wait, so that it can
		 * neither slip past a second factor nor announce the same login twice.
		 */
		$finish = function () use ( &$pending, $lock, $user, $session, $connection, $redemption, $reference, $created ): void {
			if ( ! $pending ) {
				return;
			}
			$pending = false;
			$stands  = $session->complete();
			$lock->release();
			if ( $stands ) {
				$this->outcomes->logged_in( $connection, $redemption->handoff_id(), $reference->request_id(), $user->ID, $created );
			}
		};
		add_action( 'shutdown', $finish, PHP_INT_MIN );
		do_action( 'wp_login', $user->user_login, $user ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
		$finish();
	}

	/**
	 * Ends the session of somebody else in this browser, whose cookie is about to be replaced, and
	 * the cart that goes with it.
	 *
	 * @param WP_User $user Who signs in.
	 */
	private function leave_other_account( WP_User $user ): void {
		if ( ! is_user_logged_in() || get_current_user_id() === $user->ID ) {
			return;
		}
		wp_destroy_current_session();
		if ( function_exists( 'WC' ) && isset( WC()->session ) && is_callable( array( WC()->session, 'destroy_session' ) ) ) {
			WC()->session->destroy_session();
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
	 * Where to go: where the panel said, else where it always says, else where WordPress would send
	 * such a user.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @return string A URL on this site.
	 */
	private function destination( Gatepass_Connection $connection, Gatepass_Redemption $redemption ): string {
		$home      = home_url( '/' );
		$redirects = new Gatepass_Redirects( array( $home, admin_url() ) );
		return $redirects->choose(
			array( $redemption->redirect_to(), $connection->policy()->default_redirect() ),
			current_user_can( 'edit_posts' ) ? admin_url() : $home
		);
	}
}
