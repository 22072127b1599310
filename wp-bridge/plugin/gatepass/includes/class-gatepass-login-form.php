<?php
/**
 * The button on wp-login.php.
 *
 * @package Gatepass
 */

/**
 * Above WordPress's own form: customers have no password for it, and would look for a way in there.
 */
final class Gatepass_Login_Form {

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
	 * Hooks, where the button would lead somewhere.
	 */
	public function register(): void {
		if ( $this->is_offered() ) {
			add_filter( 'login_message', array( $this, 'add_button' ) );
			add_action( 'login_head', array( $this, 'print_style' ) );
		}
	}

	/**
	 * Whether a sign-in can begin here: whether the button would lead somewhere.
	 *
	 * @return bool
	 */
	public function is_offered(): bool {
		$connection = $this->store->connection();
		return null !== $connection && null !== $connection->policy()->panel_start_url() && $this->store->is_enabled() && ! $this->store->is_copy();
	}

	/**
	 * Puts the button above the form for signing in, and above no other.
	 *
	 * @param string $message What stands there already.
	 * @return string HTML.
	 */
	public function add_button( $message ): string {
		// In wp-admin's small window for a session that has ended, the panel could not be shown.
		if ( 'login' !== ( $GLOBALS['action'] ?? '' ) || '' !== $this->request->query( 'interim-login' ) ) {
			return (string) $message;
		}
		$url = Gatepass_Start::url( '', $this->request->query( 'redirect_to', 2000 ) );
		return $message . '<div class="gatepass-sign-in">'
			. '<a class="button button-primary button-hero" href="' . esc_url( $url ) . '">' . esc_html__( 'Log in with your subscription', 'gatepass' ) . '</a>'
			. '<p>' . esc_html__( 'or with a password', 'gatepass' ) . '</p></div>';
	}

	/**
	 * Prints its style.
	 */
	public function print_style(): void {
		echo '<style>'
			. '.gatepass-sign-in{margin:20px 0 0;text-align:center}'
			. '.login .gatepass-sign-in .button-hero{float:none;display:block;width:100%;box-sizing:border-box;white-space:normal;line-height:1.4;padding:12px 16px;min-height:46px}'
			. '.gatepass-sign-in p{display:flex;align-items:center;gap:12px;margin:18px 0 -4px;color:#50575e}'
			. '.gatepass-sign-in + #login_error,.gatepass-sign-in + .notice{margin-top:20px}'
			. '.gatepass-sign-in p::before,.gatepass-sign-in p::after{content:"";flex:1;border-top:1px solid #c3c4c7}'
			. '</style>';
	}
}
