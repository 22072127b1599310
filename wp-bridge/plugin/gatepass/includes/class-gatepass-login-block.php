<?php
/**
 * The login form for members, as a block and as a shortcode.
 *
 * @package Gatepass
 */

/**
 * Puts the form where the owner wants it, and leads back to it who typed something wrong there.
 */
final class Gatepass_Login_Block {

	/**
	 * WordPress's codes for what was typed wrong. Anything else (a lock, a captcha) is another plugin's to explain, and
	 * wp-login.php shows its words.
	 */
	const WRONG = array( 'invalid_username', 'invalid_email', 'incorrect_password', 'authentication_failed' );

	/**
	 * What the parameter says, beside that the login failed.
	 */
	const FAILED    = 'failed';
	const INACTIVE  = 'inactive';
	const UNCHECKED = 'unchecked';

	/**
	 * Makes block and shortcode known.
	 */
	public static function register(): void {
		register_block_type( GATEPASS_DIR . '/blocks/login', array( 'render_callback' => array( self::class, 'render_block' ) ) );
		add_shortcode( Gatepass_Names::SHORTCODE_LOGIN, array( self::class, 'render_shortcode' ) );
	}

	/**
	 * The block.
	 *
	 * @param array<string,mixed> $attributes Its attributes.
	 * @return string HTML.
	 */
	public static function render_block( $attributes ): string {
		return self::render( (string) ( $attributes['redirectTo'] ?? '' ), get_block_wrapper_attributes( array( 'class' => 'gatepass-login' ) ) );
	}

	/**
	 * The shortcode: `[gatepass_login redirect_to="/members/"]`.
	 *
	 * @param mixed $attributes Its attributes.
	 * @return string HTML.
	 */
	public static function render_shortcode( $attributes ): string {
		$attributes = shortcode_atts( array( Gatepass_Names::QUERY_REDIRECT_TO => '' ), (array) $attributes, Gatepass_Names::SHORTCODE_LOGIN );
		return self::render( (string) $attributes[ Gatepass_Names::QUERY_REDIRECT_TO ], 'class="gatepass-login"' );
	}

	/**
	 * Leads back to the form that a failed login came from; for the action `wp_login_failed`, after everybody who counts
	 * them. Without a form of ours it is wp-login.php that answers, in WordPress's own words.
	 *
	 * @param string        $name  What was typed.
	 * @param WP_Error|null $error Why it failed.
	 */
	public static function lead_back( $name, $error = null ): void {
		$page = ( new Gatepass_Request() )->field( Gatepass_Names::FIELD_PAGE, 2000 );
		if ( '' === $page || ! did_action( 'login_init' ) || ! $error instanceof WP_Error ) {
			return;
		}
		$outcomes = array_fill_keys( self::WRONG, self::FAILED ) + array(
			Gatepass_Names::ERROR_MEMBERSHIP => self::INACTIVE,
			Gatepass_Names::ERROR_UNCHECKED  => self::UNCHECKED,
		);
		$outcome  = $outcomes[ $error->get_error_code() ] ?? null;
		$url      = ( new Gatepass_Redirects( array( home_url( '/' ) ) ) )->on_site( $page );
		if ( null !== $outcome && null !== $url ) {
			wp_safe_redirect( add_query_arg( Gatepass_Names::QUERY_LOGIN, $outcome, strtok( $url, '#' ) ), 303, 'Gatepass' );
			exit;
		}
	}

	/**
	 * The form, or whoever is signed in.
	 *
	 * @param string $target     Where to go after a login, as the owner has written it.
	 * @param string $attributes Attributes of the element around it, escaped.
	 * @return string HTML.
	 */
	private static function render( string $target, string $attributes ): string {
		wp_enqueue_style( Gatepass_Names::STYLE_LOGIN, plugins_url( 'blocks/login/style.css', GATEPASS_FILE ), array(), GATEPASS_VERSION );
		$store = new Gatepass_Store();
		$form  = new Gatepass_Member_Form( $store, new Gatepass_Request() );
		return '<div ' . $attributes . '>' . $form->html( $target ) . '</div>';
	}
}
