<?php
/**
 * A session in which somebody of the panel's staff acts for a customer.
 *
 * @package Gatepass
 */

/**
 * Sees to it in every request of such a session that it is shown, that it does nothing that only the customer may do,
 * and that it ends in time.
 */
final class Gatepass_Support_Session {

	/**
	 * WordPress's token of the session.
	 *
	 * @var string
	 */
	private $token;

	/**
	 * What the handoff says of it.
	 *
	 * @var Gatepass_Terms
	 */
	private $terms;

	/**
	 * The customer.
	 *
	 * @var WP_User
	 */
	private $customer;

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Constructor.
	 *
	 * @param string         $token    WordPress's token of the session.
	 * @param Gatepass_Terms $terms    What the handoff says of it.
	 * @param WP_User        $customer The customer.
	 * @param Gatepass_Store $store    Settings.
	 */
	public function __construct( string $token, Gatepass_Terms $terms, WP_User $customer, Gatepass_Store $store ) {
		$this->token    = $token;
		$this->terms    = $terms;
		$this->customer = $customer;
		$this->store    = $store;
	}

	/**
	 * Hooks; or the end of the session, if it is over or the owner does not want it any more.
	 */
	public function enforce(): void {
		$actor = $this->terms->actor();
		if ( null === $actor || $this->terms->are_over( time() ) || ! $this->store->is_support_allowed() ) {
			$this->end();
			return;
		}
		( new Gatepass_Support_Guard( $this->customer, $this->token ) )->register();
		( new Gatepass_Support_Bar( $this->customer, $actor ) )->register();
		add_action( 'admin_post_' . Gatepass_Names::ACTION_LEAVE, array( $this, 'leave' ) );
		do_action( Gatepass_Names::ACTION_ON_BEHALF, $this->customer, $this->terms->to_array()['on_behalf'] );
	}

	/**
	 * Ends the session, and leads back to where it was begun.
	 */
	public function leave(): void {
		check_admin_referer( Gatepass_Names::ACTION_LEAVE );
		wp_logout();
		// Which ends the session that one of the two cookies names, if the browser has it.
		WP_Session_Tokens::get_instance( $this->customer->ID )->destroy( $this->token );
		$connection = $this->store->connection();
		$panel      = null === $connection ? null : $connection->policy()->panel_url();
		( new Gatepass_Responder() )->leave( $panel ?? home_url( '/' ) );
	}

	/**
	 * Ends every such session of every user: who could see to them is about to go.
	 */
	public static function end_all(): void {
		global $wpdb;

		// phpcs:disable WordPress.DB -- There is no function of WordPress's for it.
		$mark = '%' . $wpdb->esc_like( '"on_behalf"' ) . '%';
		$ids  = $wpdb->get_col( $wpdb->prepare( "SELECT user_id FROM {$wpdb->usermeta} WHERE meta_key = 'session_tokens' AND meta_value LIKE %s", $mark ) );
		// phpcs:enable
		foreach ( $ids as $id ) {
			$sessions = array_filter(
				(array) get_user_meta( (int) $id, 'session_tokens', true ),
				static function ( $session ): bool {
					return ! isset( $session[ Gatepass_Names::SESSION_DATA ]['on_behalf'] );
				}
			);
			update_user_meta( (int) $id, 'session_tokens', wp_slash( $sessions ) );
		}
	}

	/**
	 * Ends the session: the request goes on as a stranger's.
	 */
	private function end(): void {
		WP_Session_Tokens::get_instance( $this->customer->ID )->destroy( $this->token );
		if ( ! headers_sent() ) {
			wp_clear_auth_cookie();
		}
		wp_set_current_user( 0 );
	}
}
