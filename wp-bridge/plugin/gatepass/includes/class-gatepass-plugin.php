<?php
/**
 * Puts the parts together.
 *
 * @package Gatepass
 */

/**
 * The bootstrap. On a page that is none of our business it takes one look at the address, and one at
 * the session of whoever is signed in; nothing else of the plugin is loaded.
 */
final class Gatepass_Plugin {

	/**
	 * Sign-ins that another plugin puts off; made when it is needed.
	 *
	 * @var Gatepass_Pending|null
	 */
	private $pending = null;

	/**
	 * The gate; made when it is needed.
	 *
	 * @var Gatepass_Gate|null
	 */
	private $gate = null;

	/**
	 * The gate before new passwords; made when it is needed.
	 *
	 * @var Gatepass_Reset_Gate|null
	 */
	private $reset_gate = null;

	/**
	 * Hooks.
	 */
	public function boot(): void {
		add_action( 'init', array( $this, 'on_init' ), PHP_INT_MIN );

		// Should somebody have hidden from `init` which script this is, WordPress still knows the action.
		foreach ( array( 'admin_post_', 'admin_post_nopriv_' ) as $hook ) {
			add_action( $hook . Gatepass_Names::ACTION_LOGIN, array( $this, 'answer' ) );
			add_action( $hook . Gatepass_Names::ACTION_CHALLENGE, array( $this, 'answer_challenge' ) );
		}

		if ( is_admin() ) {
			$sign_ins = new Gatepass_Sign_Ins_Page( new Gatepass_Request() );
			$sign_ins->register();
			$this->settings_page( $sign_ins )->register();
		}
		// Many have `wp cron event run` do what WP-Cron does; it does not say so before it has loaded us.
		$is_cli = defined( 'WP_CLI' ) && WP_CLI;
		if ( is_admin() || wp_doing_cron() || $is_cli ) {
			$store = new Gatepass_Store();
			( new Gatepass_Site_Health( $store ) )->register();
			( new Gatepass_Profile( $store ) )->register();
			( new Gatepass_Privacy( $store ) )->register();
			( new Gatepass_Heartbeat( $store, new Gatepass_Bridge( $store ) ) )->register();
			( new Gatepass_Sync_Cron() )->register();
			( new Gatepass_Log() )->register();
			add_action( Gatepass_Names::CRON_HEARTBEAT, array( 'Gatepass_Pending', 'sweep' ) );
			add_action( Gatepass_Names::CRON_HEARTBEAT, array( 'Gatepass_Renewal', 'on_cron' ), 20 );
		}
		if ( $is_cli ) {
			$store = new Gatepass_Store();
			WP_CLI::add_command( Gatepass_Names::CLI_COMMAND, new Gatepass_CLI( $store, new Gatepass_Pairing( $store, new Gatepass_Bridge( $store ) ) ) );
		}

		// Whichever way a session comes into being, after everybody else has had their say.
		$this->guard();
		add_filter( 'authenticate', array( $this, 'on_authenticate' ), PHP_INT_MAX, 3 );
		add_filter( 'auth_cookie_expiration', array( $this, 'on_expiration' ), PHP_INT_MAX, 2 );
		add_filter( 'attach_session_information', array( $this, 'on_session' ), PHP_INT_MAX, 2 );

		add_action( 'login_init', array( $this, 'on_login_form' ) );
		add_action( 'init', array( 'Gatepass_Login_Block', 'register' ) );
		add_action( 'wp_login_failed', array( 'Gatepass_Login_Block', 'lead_back' ), PHP_INT_MAX, 2 );
		// Who signs out may be leaving the browser to somebody else.
		add_action( 'wp_logout', array( 'Gatepass_Binding', 'forget' ), 10, 0 );
		add_filter( 'wpmu_drop_tables', array( 'Gatepass_Log', 'go_with_blog' ), 10, 2 );
		register_deactivation_hook( GATEPASS_FILE, array( 'Gatepass_Heartbeat', 'stop' ) );
		register_deactivation_hook( GATEPASS_FILE, array( 'Gatepass_Sync_Cron', 'stop' ) );
		// Without us nothing would be forbidden in them.
		register_deactivation_hook( GATEPASS_FILE, array( 'Gatepass_Support_Session', 'end_all' ) );
	}

	/**
	 * Sets the gate up.
	 *
	 * A login is looked at twice: before WordPress's look for spammers, so that nobody mails a code to, or welcomes, whom
	 * we refuse; and at last, for those who compare passwords only then. Both come after WordPress's own comparison.
	 */
	private function guard(): void {
		add_filter( 'determine_current_user', array( $this, 'on_current_user' ), PHP_INT_MAX );
		$gate = array(
			array( 'authenticate', 'check_login', 98, 1 ),
			array( 'authenticate', 'check_login', PHP_INT_MAX, 1 ),
			array( 'wp_authenticate_application_password_errors', 'check_application_password', PHP_INT_MAX, 2 ),
			array( 'auth_cookie_bad_session_token', 'see_ended_session', 10, 1 ),
			array( 'auth_cookie_valid', 'see_valid_cookie', PHP_INT_MAX, 2 ),
			array( 'rest_authentication_errors', 'check_rest', PHP_INT_MAX, 1 ),
		);
		foreach ( $gate as list( $hook, $method, $priority, $arguments ) ) {
			$this->on( $hook, 'gate', $method, $priority, $arguments );
		}
		$resets = array(
			array( 'send_retrieve_password_email', 'hold_mail', PHP_INT_MAX, 3 ),
			array( 'retrieve_password_key', 'drop_key', PHP_INT_MIN, 2 ),
			array( 'login_form_rp', 'expire_keys', 10, 0 ),
			array( 'login_form_resetpass', 'expire_keys', 10, 0 ),
			array( 'validate_password_reset', 'refuse', 10, 2 ),
			array( 'password_reset', 'stop', PHP_INT_MIN, 1 ),
		);
		foreach ( $resets as list( $hook, $method, $priority, $arguments ) ) {
			$this->on( $hook, 'reset_gate', $method, $priority, $arguments );
		}
	}

	/**
	 * Hooks a method of a part that is made only when the hook runs.
	 *
	 * @param string $hook      Hook.
	 * @param string $part      Our method that gives the part.
	 * @param string $method    The part's method.
	 * @param int    $priority  Priority.
	 * @param int    $arguments How many arguments it takes.
	 */
	private function on( string $hook, string $part, string $method, int $priority, int $arguments ): void {
		add_filter(
			$hook,
			function ( ...$given ) use ( $part, $method ) {
				return $this->$part()->$method( ...$given );
			},
			$priority,
			$arguments
		);
	}

	/**
	 * Sees whom WordPress takes a request for. For nobody nothing is loaded.
	 *
	 * @param mixed $user_id Id, or something empty.
	 * @return mixed
	 */
	public function on_current_user( $user_id ) {
		return empty( $user_id ) ? $user_id : $this->gate()->admit( $user_id );
	}

	/**
	 * The button on wp-login.php.
	 */
	public function on_login_form(): void {
		( new Gatepass_Login_Form( new Gatepass_Store(), new Gatepass_Request() ) )->register();
	}

	/**
	 * Translations, what is to be seen to in sessions on behalf of a customer, and our own addresses, before anybody
	 * else acts.
	 */
	public function on_init(): void {
		load_plugin_textdomain( 'gatepass', false, dirname( plugin_basename( GATEPASS_FILE ) ) . '/languages' );

		if ( is_user_logged_in() ) {
			$this->see_to_session( wp_get_current_user() );
		}
		if ( null !== $this->gate ) {
			$this->gate->enforce();
		} elseif ( is_user_logged_in() ) {
			$this->gate()->enforce();
		}
		if ( ! is_admin() || 'admin-post.php' !== ( $GLOBALS['pagenow'] ?? '' ) ) {
			return;
		}
		$action = ( new Gatepass_Request() )->query( 'action' );
		if ( Gatepass_Names::ACTION_LOGIN === $action ) {
			$this->answer();
		} elseif ( Gatepass_Names::ACTION_CHALLENGE === $action ) {
			$this->answer_challenge();
		}
	}

	/**
	 * Sees to the session of whoever is signed in, if somebody acts for them in it.
	 *
	 * @param WP_User $user Who is signed in.
	 */
	private function see_to_session( WP_User $user ): void {
		foreach ( Gatepass_Cookie_Sessions::of( $user->ID ) as $token => $session ) {
			if ( isset( $session[ Gatepass_Names::SESSION_DATA ]['on_behalf'] ) ) {
				( new Gatepass_Support_Session( (string) $token, Gatepass_Terms::of_session( $session ), $user, new Gatepass_Store() ) )->enforce();
			}
		}
	}

	/**
	 * Sees logins with a password.
	 *
	 * @param mixed $user     Whoever it is, or an error.
	 * @param mixed $name     What was typed.
	 * @param mixed $password What was typed.
	 * @return mixed
	 */
	public function on_authenticate( $user, $name = '', $password = '' ) {
		return $this->pending()->see_password( $user, $password );
	}

	/**
	 * Shortens the life of sessions.
	 *
	 * @param mixed $length  Seconds.
	 * @param mixed $user_id Whose.
	 * @return mixed
	 */
	public function on_expiration( $length, $user_id = 0 ) {
		return $this->pending()->shorten( $length, (int) $user_id );
	}

	/**
	 * Attaches our data to sessions.
	 *
	 * @param mixed $information What others have attached.
	 * @param mixed $user_id     Whose.
	 * @return array<string,mixed>
	 */
	public function on_session( $information, $user_id = 0 ): array {
		return $this->pending()->attach( $information, (int) $user_id );
	}

	/**
	 * Answers a browser.
	 */
	public function answer(): void {
		$this->endpoint()->answer();
	}

	/**
	 * Answers the bridge's challenge.
	 */
	public function answer_challenge(): void {
		$this->endpoint()->challenge();
	}

	/**
	 * The endpoint and what it needs.
	 *
	 * @return Gatepass_Endpoint
	 */
	private function endpoint(): Gatepass_Endpoint {
		$store   = new Gatepass_Store();
		$request = new Gatepass_Request();
		$bridge  = new Gatepass_Bridge( $store );
		$start   = new Gatepass_Start( $store, $request, new Gatepass_Heartbeat( $store, $bridge ) );
		$login   = new Gatepass_Login(
			$store,
			$bridge,
			new Gatepass_Members( $store ),
			new Gatepass_Privileges( $store ),
			new Gatepass_Outcomes( $bridge ),
			new Gatepass_Log(),
			$this->pending()
		);
		return new Gatepass_Endpoint( $store, $request, new Gatepass_Responder(), $start, $login, Gatepass_Sync::of_this_site(), new Gatepass_Key_Update( $bridge ) );
	}

	/**
	 * The gate.
	 *
	 * @return Gatepass_Gate
	 */
	private function gate(): Gatepass_Gate {
		if ( null === $this->gate ) {
			$welcome    = function ( WP_User $user ): void {
				$this->see_to_session( $user );
			};
			$request    = new Gatepass_Request();
			$this->gate = new Gatepass_Gate( self::admission(), $request, self::gate_answer( $request ), $welcome );
		}
		return $this->gate;
	}

	/**
	 * The gate before new passwords.
	 *
	 * @return Gatepass_Reset_Gate
	 */
	private function reset_gate(): Gatepass_Reset_Gate {
		if ( null === $this->reset_gate ) {
			$request          = new Gatepass_Request();
			$this->reset_gate = new Gatepass_Reset_Gate( self::admission(), $request, self::gate_answer( $request ) );
		}
		return $this->reset_gate;
	}

	/**
	 * Who is let in.
	 *
	 * @return Gatepass_Admission
	 */
	private static function admission(): Gatepass_Admission {
		$store = new Gatepass_Store();
		$pull  = static function ( int $seconds ): bool {
			return Gatepass_Sync::of_this_site()->pull( $seconds );
		};
		return new Gatepass_Admission( $store, new Gatepass_Privileges( $store ), new Gatepass_Refresh( $pull ) );
	}

	/**
	 * How the gate says no.
	 *
	 * @param Gatepass_Request $request The request.
	 * @return Gatepass_Gate_Answer
	 */
	private static function gate_answer( Gatepass_Request $request ): Gatepass_Gate_Answer {
		return new Gatepass_Gate_Answer( new Gatepass_Store(), $request, new Gatepass_Responder() );
	}

	/**
	 * Sign-ins that another plugin puts off.
	 *
	 * @return Gatepass_Pending
	 */
	private function pending(): Gatepass_Pending {
		$this->pending = $this->pending ?? new Gatepass_Pending( new Gatepass_Request() );
		return $this->pending;
	}

	/**
	 * The settings page and what it needs.
	 *
	 * @param Gatepass_Sign_Ins_Page $sign_ins Its other tab.
	 * @return Gatepass_Settings_Page
	 */
	private function settings_page( Gatepass_Sign_Ins_Page $sign_ins ): Gatepass_Settings_Page {
		$store   = new Gatepass_Store();
		$request = new Gatepass_Request();
		return new Gatepass_Settings_Page( $store, new Gatepass_Pairing( $store, new Gatepass_Bridge( $store ) ), $request, $sign_ins, new Gatepass_Members_Card( $store, $request ) );
	}
}
