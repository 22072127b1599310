<?php
/**
 * What is not to be done on behalf of a customer.
 *
 * @package Gatepass
 */

/**
 * Whoever acts for a customer sees what the customer sees, but takes nothing along and shuts nobody out: no change of
 * password, e-mail address, application passwords or other sessions, no personal data, and the account stays.
 *
 * Each is refused in the deepest place that every door leads through (profile, REST, admin-ajax, a shop's account
 * form), and where WordPress asks beforehand it is told why.
 */
final class Gatepass_Support_Guard {

	/**
	 * Capabilities that the customer does not have meanwhile.
	 */
	const CAPABILITIES = array(
		'create_app_password',
		'list_app_passwords',
		'read_app_password',
		'edit_app_password',
		'delete_app_passwords',
		'delete_app_password',
		'delete_user',
		'delete_users',
		'remove_user',
		'remove_users',
		'export_others_personal_data',
		'erase_others_personal_data',
	);

	/**
	 * User meta that stays as it is: application passwords, and an e-mail address that waits to be confirmed.
	 */
	const META = array( '_application_passwords', '_new_email' );

	/**
	 * The customer.
	 *
	 * @var WP_User
	 */
	private $customer;

	/**
	 * WordPress's token of the session.
	 *
	 * @var string
	 */
	private $token;

	/**
	 * Whether other sessions are kept.
	 *
	 * @var bool
	 */
	private static $keeps_sessions = true;

	/**
	 * Constructor.
	 *
	 * @param WP_User $customer The customer.
	 * @param string  $token    WordPress's token of the session.
	 */
	public function __construct( WP_User $customer, string $token ) {
		$this->customer = $customer;
		$this->token    = $token;
	}

	/**
	 * Hooks.
	 */
	public function register(): void {
		// Password and e-mail address.
		add_filter( 'wp_pre_insert_user_data', array( $this, 'keep_credentials' ), PHP_INT_MAX, 3 );
		add_action( 'wp_set_password', array( $this, 'restore_password' ), PHP_INT_MIN, 3 );
		foreach ( array( 'send_password_change_email', 'send_email_change_email', 'show_password_fields' ) as $hook ) {
			add_filter( $hook, '__return_false', PHP_INT_MAX );
		}
		add_filter( 'allow_password_reset', array( $this, 'refuse' ), PHP_INT_MAX );
		add_action( 'personal_options_update', array( $this, 'send_no_confirmation' ), PHP_INT_MIN );
		add_action( 'user_profile_update_errors', array( $this, 'say_on_profile' ), 10, 3 );
		add_action( 'woocommerce_save_account_details_errors', array( $this, 'say_in_shop' ), 10, 2 );
		add_filter( 'rest_request_before_callbacks', array( $this, 'say_in_rest' ), PHP_INT_MAX, 3 );

		// Application passwords, sessions, rights.
		add_filter( 'wp_is_application_passwords_available_for_user', '__return_false', PHP_INT_MAX );
		add_filter( 'map_meta_cap', array( $this, 'deny' ), PHP_INT_MAX, 3 );
		foreach ( array( 'add', 'update', 'delete' ) as $what ) {
			add_filter( $what . '_user_metadata', array( $this, 'keep_meta' ), PHP_INT_MAX, 3 );
		}
		add_filter( 'update_user_metadata', array( $this, 'keep_sessions' ), PHP_INT_MAX, 4 );
		add_filter( 'delete_user_metadata', array( $this, 'keep_sessions' ), PHP_INT_MAX, 3 );
		add_action( 'wp_ajax_destroy-sessions', array( $this, 'say_in_ajax' ), PHP_INT_MIN );

		// Personal data, and the account itself.
		add_filter( 'wp_insert_post_empty_content', array( $this, 'make_no_request' ), PHP_INT_MAX, 2 );
		foreach ( array( 'password_reset', 'delete_user', 'wpmu_delete_user', 'remove_user_from_blog', 'login_form_rp', 'login_form_resetpass', 'login_form_confirmaction' ) as $hook ) {
			add_action( $hook, array( $this, 'stop' ), PHP_INT_MIN, 0 );
		}
	}

	/**
	 * Why.
	 *
	 * @return string
	 */
	public static function words(): string {
		return __( 'You are signed in on behalf of a customer. Only the customer can change the password, the e-mail address, application passwords, other sessions and personal data, or delete the account.', 'gatepass' );
	}

	/**
	 * Ends the request.
	 */
	public function stop(): void {
		wp_die(
			esc_html( self::words() ),
			esc_html__( 'Not on behalf of a customer', 'gatepass' ),
			array(
				'response'  => 403,
				'back_link' => true,
			)
		);
	}

	/**
	 * The refusal as WordPress passes it on.
	 *
	 * @return WP_Error
	 */
	public function refuse(): WP_Error {
		return new WP_Error( Gatepass_Names::ACTION_ON_BEHALF, self::words(), array( 'status' => 403 ) );
	}

	/**
	 * Has a user keep address and password, whoever writes the user.
	 *
	 * @param mixed    $data    What is to be written.
	 * @param bool     $update  Whether the user was there before.
	 * @param int|null $user_id Who.
	 * @return mixed
	 */
	public function keep_credentials( $data, $update, $user_id ) {
		$user = $update ? get_userdata( (int) $user_id ) : false;
		if ( false === $user || ! is_array( $data ) ) {
			return $data;
		}
		$kept = array(
			'user_email' => $user->user_email,
			'user_pass'  => $user->user_pass,
		);
		return $kept + $data;
	}

	/**
	 * Takes back a password that was set by wp_set_password(), which asks nobody before.
	 *
	 * @param string  $password Which.
	 * @param int     $user_id  Whose.
	 * @param WP_User $before   The user of before; WordPress tells since 6.7.
	 */
	public function restore_password( $password, $user_id, $before = null ): void {
		global $wpdb;

		if ( ! $before instanceof WP_User ) {
			$before = $this->customer;
		}
		if ( $before->ID === (int) $user_id ) {
			// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- As wp_set_password() does.
			$wpdb->update( $wpdb->users, array( 'user_pass' => $before->user_pass ), array( 'ID' => $before->ID ) );
			clean_user_cache( $before->ID );
		}
	}

	/**
	 * Keeps the profile from mailing a link that would change the address.
	 */
	public function send_no_confirmation(): void {
		remove_action( 'personal_options_update', 'send_confirmation_on_profile_email' );
	}

	/**
	 * Says on the profile why something is not saved.
	 *
	 * @param WP_Error $errors What is wrong already.
	 * @param bool     $update Whether the user was there before.
	 * @param stdClass $user   The user as it would be.
	 */
	public function say_on_profile( $errors, $update, $user ): void {
		if ( $update && $this->changes_credentials( $user->user_pass ?? null, $user->user_email ?? null ) ) {
			$errors->add( Gatepass_Names::ACTION_ON_BEHALF, esc_html( self::words() ) );
		}
	}

	/**
	 * Says in the shop's account form why something is not saved.
	 *
	 * @param WP_Error $errors What is wrong already.
	 * @param stdClass $user   The user as it would be.
	 */
	public function say_in_shop( $errors, $user ): void {
		$this->say_on_profile( $errors, true, $user );
	}

	/**
	 * Says in the REST API why something is not saved.
	 *
	 * @param mixed           $response What is answered already.
	 * @param mixed           $handler  Who would answer.
	 * @param WP_REST_Request $request  The request.
	 * @return mixed
	 */
	public function say_in_rest( $response, $handler, $request ) {
		if ( ! is_wp_error( $response ) && 'GET' !== $request->get_method() && 1 === preg_match( '#\A/wp/v2/users(/|\z)#i', $request->get_route() )
			&& $this->changes_credentials( $request['password'], $request['email'] ) ) {
			return $this->refuse();
		}
		return $response;
	}

	/**
	 * Says to the button "Log Out Everywhere Else" why nothing happens.
	 */
	public function say_in_ajax(): void {
		wp_send_json_error( array( 'message' => self::words() ) );
	}

	/**
	 * Takes rights away.
	 *
	 * @param mixed  $needed     Rights that are needed.
	 * @param string $capability For what.
	 * @param int    $user_id    By whom.
	 * @return mixed
	 */
	public function deny( $needed, $capability, $user_id ) {
		return $this->customer->ID === (int) $user_id && in_array( $capability, self::CAPABILITIES, true ) ? array( 'do_not_allow' ) : $needed;
	}

	/**
	 * Keeps user meta as it is.
	 *
	 * @param mixed  $check   Whether somebody has decided.
	 * @param int    $user_id Whose.
	 * @param string $key     Which.
	 * @return mixed
	 */
	public function keep_meta( $check, $user_id, $key ) {
		return in_array( $key, self::META, true ) ? false : $check;
	}

	/**
	 * From here on sessions come and go as they will: a sign-in is under way, and a second factor may end its session.
	 */
	public static function let_sessions_go(): void {
		self::$keeps_sessions = false;
	}

	/**
	 * Keeps the customer's other sessions, whoever writes the list of them. The session itself may end, and so may any
	 * other in which somebody acts for the customer.
	 *
	 * @param mixed  $check   Whether somebody has decided.
	 * @param int    $user_id Whose.
	 * @param string $key     Which meta.
	 * @param mixed  $value   What is to be written; nothing if the list is to go.
	 * @return mixed
	 */
	public function keep_sessions( $check, $user_id, $key, $value = array() ) {
		if ( 'session_tokens' !== $key || $this->customer->ID !== (int) $user_id || ! self::$keeps_sessions ) {
			return $check;
		}
		$value  = is_array( $value ) ? $value : array();
		$own    = hash( 'sha256', $this->token ); // As WP_Session_Tokens names it.
		$others = array_filter(
			(array) get_user_meta( (int) $user_id, $key, true ),
			static function ( $session, $name ) use ( $own ): bool {
				return $own !== $name && is_array( $session ) && $session['expiration'] >= time()
					&& ! isset( $session[ Gatepass_Names::SESSION_DATA ]['on_behalf'] );
			},
			ARRAY_FILTER_USE_BOTH
		);
		if ( array() === array_diff_key( $others, $value ) ) {
			return $check;
		}
		update_user_meta( (int) $user_id, $key, wp_slash( $value + $others ) );
		return true;
	}

	/**
	 * Makes no request to export or erase personal data.
	 *
	 * @param mixed               $is_empty Whether a new post counts as empty, and is not made.
	 * @param array<string,mixed> $post     The post.
	 * @return mixed
	 */
	public function make_no_request( $is_empty, $post ) {
		return 'user_request' === ( $post['post_type'] ?? '' ) ? true : $is_empty;
	}

	/**
	 * Whether something would change password or address.
	 *
	 * @param mixed $password A new password, if there is one.
	 * @param mixed $email    An address, if there is one.
	 * @return bool
	 */
	private function changes_credentials( $password, $email ): bool {
		return ( null !== $password && '' !== $password )
			|| ( null !== $email && '' !== $email && $this->customer->user_email !== $email );
	}
}
