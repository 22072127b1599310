<?php
/**
 * Puts the parts together.
 *
 * @package Gatepass
 */

/**
 * The bootstrap. On a page that is none of our business it hooks one look at the address, and
 * nothing else of the plugin is loaded.
 */
final class Gatepass_Plugin {

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
		if ( is_admin() || wp_doing_cron() ) {
			$store = new Gatepass_Store();
			( new Gatepass_Site_Health( $store ) )->register();
			( new Gatepass_Profile( $store ) )->register();
			( new Gatepass_Privacy( $store ) )->register();
			( new Gatepass_Heartbeat( $store, new Gatepass_Bridge( $store ) ) )->register();
			( new Gatepass_Log() )->register();
		}
		if ( defined( 'WP_CLI' ) && WP_CLI ) {
			$store = new Gatepass_Store();
			WP_CLI::add_command( Gatepass_Names::CLI_COMMAND, new Gatepass_CLI( $store, new Gatepass_Pairing( $store, new Gatepass_Bridge( $store ) ) ) );
		}

		add_action( 'login_init', array( $this, 'on_login_form' ) );
		// Who signs out may be leaving the browser to somebody else.
		add_action( 'wp_logout', array( 'Gatepass_Binding', 'forget' ), 10, 0 );
		add_filter( 'wpmu_drop_tables', array( 'Gatepass_Log', 'go_with_blog' ), 10, 2 );
		register_deactivation_hook( GATEPASS_FILE, array( 'Gatepass_Heartbeat', 'stop' ) );
	}

	/**
	 * The button on wp-login.php.
	 */
	public function on_login_form(): void {
		( new Gatepass_Login_Form( new Gatepass_Store(), new Gatepass_Request() ) )->register();
	}

	/**
	 * Translations, and our own addresses before anybody else acts on them.
	 */
	public function on_init(): void {
		load_plugin_textdomain( 'gatepass', false, dirname( plugin_basename( GATEPASS_FILE ) ) . '/languages' );

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
			new Gatepass_Log()
		);
		return new Gatepass_Endpoint( $store, $request, new Gatepass_Responder(), $start, $login );
	}

	/**
	 * The settings page and what it needs.
	 *
	 * @param Gatepass_Sign_Ins_Page $sign_ins Its other tab.
	 * @return Gatepass_Settings_Page
	 */
	private function settings_page( Gatepass_Sign_Ins_Page $sign_ins ): Gatepass_Settings_Page {
		$store = new Gatepass_Store();
		return new Gatepass_Settings_Page( $store, new Gatepass_Pairing( $store, new Gatepass_Bridge( $store ) ), new Gatepass_Request(), $sign_ins );
	}
}
