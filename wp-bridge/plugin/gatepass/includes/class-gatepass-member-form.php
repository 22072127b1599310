<?php
/**
 * The login form for members.
 *
 * @package Gatepass
 */

/**
 * A form for user name and password that wp-login.php answers, and beside it the button that leads to the panel.
 * It knows nothing of anybody: the same form for everyone who is not signed in, so that a page with it may be cached.
 */
final class Gatepass_Member_Form {

	/**
	 * How many there are on this page.
	 *
	 * @var int
	 */
	private static $count = 0;

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store   $store   Settings.
	 * @param Gatepass_Request $request The request.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Request $request ) {
		$this->store   = $store;
		$this->request = $request;
	}

	/**
	 * The form; or, for who is signed in, as whom.
	 *
	 * @param string $target Where to go after a login, as the owner has written it; empty to stay.
	 * @return string HTML.
	 */
	public function html( string $target ): string {
		$redirects = new Gatepass_Redirects( array( home_url( '/' ), admin_url() ) );
		$here      = $redirects->choose( array( remove_query_arg( Gatepass_Names::QUERY_LOGIN, $this->request->target() ) ), home_url( '/' ) );
		$is_shown  = defined( 'REST_REQUEST' ) && REST_REQUEST; // To its author, who is signed in.
		if ( is_user_logged_in() && ! $is_shown ) {
			return $this->signed_in( wp_get_current_user(), $here );
		}
		$asked = $this->request->query( Gatepass_Names::QUERY_REDIRECT_TO, 2000 );
		return $this->form( $here, $redirects->choose( array( '' === $target ? null : $target, '' === $asked ? null : $asked ), $here ) );
	}

	/**
	 * For who is signed in.
	 *
	 * @param WP_User $user Who.
	 * @param string  $here This page.
	 * @return string HTML.
	 */
	private function signed_in( WP_User $user, string $here ): string {
		return '<p>' . sprintf(
			/* translators: %s: name of a person. */
			esc_html__( 'You are logged in as %s.', 'gatepass' ),
			'<b dir="auto">' . esc_html( '' === $user->display_name ? $user->user_login : $user->display_name ) . '</b>'
		) . ' <a href="' . esc_url( wp_logout_url( $here ) ) . '">' . esc_html__( 'Log out', 'gatepass' ) . '</a></p>';
	}

	/**
	 * For everybody else.
	 *
	 * @param string $here This page.
	 * @param string $to   Where to go after a login.
	 * @return string HTML.
	 */
	private function form( string $here, string $to ): string {
		$id        = 'gatepass-login-' . ( ++self::$count );
		$error     = $this->error();
		$described = '' === $error ? '' : ' aria-describedby="' . esc_attr( $id ) . '-error" autofocus';
		$by_panel  = ( new Gatepass_Login_Form( $this->store, $this->request ) )->is_offered();

		$html = '' === $error ? '' : '<p class="gatepass-login-error" id="' . esc_attr( $id ) . '-error" role="alert">' . $error . '</p>';
		if ( $by_panel ) {
			$html .= '<p><a class="gatepass-login-button wp-element-button" href="' . esc_url( Gatepass_Start::url( '', $to ) ) . '">' . esc_html__( 'Log in with your subscription', 'gatepass' ) . '</a></p>'
				. '<p class="gatepass-login-or">' . esc_html__( 'or with a password', 'gatepass' ) . '</p>';
		}
		return $html . '<form method="post" action="' . esc_url( site_url( 'wp-login.php', 'login_post' ) ) . '">'
			. $this->others( 'login_form_top', $id, $to )
			. '<p><label for="' . esc_attr( $id ) . '-name">' . esc_html__( 'User name or e-mail address', 'gatepass' ) . '</label>'
			. '<input type="text" name="log" id="' . esc_attr( $id ) . '-name" autocomplete="username" autocapitalize="none" spellcheck="false" required' . $described . '></p>'
			. '<p><label for="' . esc_attr( $id ) . '-password">' . esc_html__( 'Password', 'gatepass' ) . '</label>'
			. '<input type="password" name="pwd" id="' . esc_attr( $id ) . '-password" autocomplete="current-password" spellcheck="false" required></p>'
			. $this->others( 'login_form_middle', $id, $to )
			. '<p class="gatepass-login-remember"><label><input type="checkbox" name="rememberme" value="forever"> ' . esc_html__( 'Stay logged in', 'gatepass' ) . '</label></p>'
			. '<input type="hidden" name="redirect_to" value="' . esc_url( $to ) . '">'
			. '<input type="hidden" name="' . esc_attr( Gatepass_Names::FIELD_PAGE ) . '" value="' . esc_url( $here ) . '">'
			. '<p><button type="submit" class="gatepass-login-button wp-element-button' . ( $by_panel ? ' is-second' : '' ) . '">' . esc_html__( 'Log in', 'gatepass' ) . '</button></p>'
			. $this->others( 'login_form_bottom', $id, $to )
			. '</form><p><a href="' . esc_url( wp_lostpassword_url( $here ) ) . '">' . esc_html__( 'Lost your password?', 'gatepass' ) . '</a></p>';
	}

	/**
	 * What other plugins put into login forms, a captcha for one.
	 *
	 * @param string $hook WordPress's filter for a place in them.
	 * @param string $id   Id of the form.
	 * @param string $to   Where to go after a login.
	 * @return string HTML.
	 */
	private function others( string $hook, string $id, string $to ): string {
		$arguments = array(
			'form_id'  => $id,
			'redirect' => $to,
			'remember' => true,
		);
		// phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
		return (string) apply_filters( $hook, '', $arguments );
	}

	/**
	 * Why the login failed that was tried here.
	 *
	 * @return string HTML, empty if none was.
	 */
	private function error(): string {
		$answer = new Gatepass_Gate_Answer( $this->store, $this->request, new Gatepass_Responder() );
		switch ( $this->request->query( Gatepass_Names::QUERY_LOGIN ) ) {
			case Gatepass_Login_Block::FAILED:
				return esc_html__( 'User name and password do not go together. Please try again.', 'gatepass' );

			case Gatepass_Login_Block::INACTIVE:
				return $answer->error( Gatepass_Gate_Rules::SHUT )->get_error_message();

			case Gatepass_Login_Block::UNCHECKED:
				return $answer->error( Gatepass_Gate_Rules::UNSURE )->get_error_message();
		}
		return '';
	}
}
