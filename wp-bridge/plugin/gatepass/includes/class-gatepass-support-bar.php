<?php
/**
 * The bar that says on whose behalf somebody is signed in.
 *
 * @package Gatepass
 */

/**
 * On every page of wp-admin and of the front end, at the foot of the window: no theme and no toolbar hides it, and it
 * hides nothing that is reached by scrolling. Printed as early as the theme lets us, so that a screen reader comes to
 * it first.
 */
final class Gatepass_Support_Bar {

	const ID = 'gatepass-on-behalf';

	/**
	 * Its style.
	 */
	const STYLE = <<<'CSS'
body{padding-bottom:min(33vh,8rem)!important}
#gatepass-on-behalf{--ground:#fff1cf;--ink:#3a2800;--edge:#9a5b00;position:fixed;z-index:999999;left:0;right:0;bottom:0;max-height:33vh;overflow:auto;box-sizing:border-box;margin:0;padding:12px 20px;display:flex;flex-wrap:wrap;align-items:center;justify-content:center;gap:8px 20px;background:var(--ground);color:var(--ink);border-top:3px solid var(--edge);font:400 15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;text-align:start}
#gatepass-on-behalf p{flex:0 1 auto;min-width:0;max-width:90ch;margin:0;padding:0;font:inherit;color:inherit;overflow-wrap:anywhere}
#gatepass-on-behalf b{font-weight:650}
#gatepass-on-behalf form{position:sticky;bottom:0;flex:none;margin:0;padding:0}
#gatepass-on-behalf button{min-height:40px;margin:0;padding:6px 18px;border:1px solid var(--ink);border-radius:8px;background:var(--ink);color:var(--ground);font:inherit;font-weight:600;text-transform:none;letter-spacing:0;cursor:pointer}
#gatepass-on-behalf button:focus-visible{outline:3px solid var(--edge);outline-offset:2px}
@media (prefers-color-scheme:dark){#gatepass-on-behalf{--ground:#2b2008;--ink:#ffe7b3;--edge:#ffb640}}
@media (max-width:480px){#gatepass-on-behalf{padding:10px 14px;font-size:14px}}
@media print{body{padding-bottom:0!important}#gatepass-on-behalf{position:static}}
CSS;

	/**
	 * The customer.
	 *
	 * @var WP_User
	 */
	private $customer;

	/**
	 * Who acts for the customer.
	 *
	 * @var Gatepass_Actor
	 */
	private $actor;

	/**
	 * Whether it has been printed.
	 *
	 * @var bool
	 */
	private $printed = false;

	/**
	 * Constructor.
	 *
	 * @param WP_User        $customer The customer.
	 * @param Gatepass_Actor $actor    Who acts for the customer.
	 */
	public function __construct( WP_User $customer, Gatepass_Actor $actor ) {
		$this->customer = $customer;
		$this->actor    = $actor;
	}

	/**
	 * Hooks. A theme may know only the last of them.
	 */
	public function register(): void {
		foreach ( array( 'wp_body_open', 'in_admin_header', 'wp_footer', 'admin_footer', 'login_footer' ) as $hook ) {
			add_action( $hook, array( $this, 'print_once' ), PHP_INT_MIN, 0 );
		}
		add_filter( 'admin_title', array( $this, 'add_to_title' ), PHP_INT_MAX );
		add_filter( 'document_title_parts', array( $this, 'add_to_title_parts' ), PHP_INT_MAX );
	}

	/**
	 * Prints it.
	 */
	public function print_once(): void {
		if ( $this->printed ) {
			return;
		}
		$this->printed = true;
		// phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- html() escapes piece by piece.
		echo $this->html();
	}

	/**
	 * The bar.
	 *
	 * @return string HTML.
	 */
	public function html(): string {
		$name  = '' === $this->customer->display_name ? $this->customer->user_login : $this->customer->display_name;
		$words = sprintf(
			/* translators: 1: name of a customer, 2: name of a person of the panel's support staff, 3: why. */
			esc_html__( 'You are signed in on behalf of %1$s. Support: %2$s. Reason: %3$s', 'gatepass' ),
			self::text( 'b', $name ),
			self::text( 'b', $this->actor->name() ),
			self::text( 'span', $this->actor->reason() )
		);
		return '<style>' . self::STYLE . '</style>'
			. '<section id="' . esc_attr( self::ID ) . '" aria-label="' . esc_attr__( 'Signed in on behalf of a customer', 'gatepass' ) . '"><p>' . $words . '</p>'
			// No wp_nonce_field(): its id is another field's already, which scripts of wp-admin look for.
			. '<form method="post" action="' . esc_url( admin_url( 'admin-post.php' ) ) . '">'
			. '<input type="hidden" name="action" value="' . esc_attr( Gatepass_Names::ACTION_LEAVE ) . '">'
			. '<input type="hidden" name="_wpnonce" value="' . esc_attr( wp_create_nonce( Gatepass_Names::ACTION_LEAVE ) ) . '">'
			. '<button type="submit">' . esc_html__( 'Leave', 'gatepass' ) . '</button></form></section>';
	}

	/**
	 * Says it in the title of a page of wp-admin.
	 *
	 * @param mixed $title The title.
	 * @return string
	 */
	public function add_to_title( $title ): string {
		return self::mark() . ' ‹ ' . ( is_string( $title ) ? $title : '' );
	}

	/**
	 * Says it in the title of a page of the front end.
	 *
	 * @param mixed $parts Parts of the title.
	 * @return array<string,mixed>
	 */
	public function add_to_title_parts( $parts ): array {
		return array( 'on_behalf' => self::mark() ) + (array) $parts;
	}

	/**
	 * What the title says. No name: that is anybody's text, and WordPress prints some titles as they are.
	 *
	 * @return string
	 */
	private static function mark(): string {
		return esc_html__( 'On behalf of a customer', 'gatepass' );
	}

	/**
	 * Somebody's text, that keeps to itself whichever way it is written.
	 *
	 * @param string $element Element.
	 * @param string $text    Text.
	 * @return string HTML.
	 */
	private static function text( string $element, string $text ): string {
		return '<' . $element . ' dir="auto">' . esc_html( $text ) . '</' . $element . '>';
	}
}
