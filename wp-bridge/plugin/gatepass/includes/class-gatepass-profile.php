<?php
/**
 * Users → a user.
 *
 * @package Gatepass
 */

/**
 * Tells administrators which customer of the panel a user is.
 */
final class Gatepass_Profile {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store $store Settings.
	 */
	public function __construct( Gatepass_Store $store ) {
		$this->store = $store;
	}

	/**
	 * Hooks.
	 */
	public function register(): void {
		add_action( 'show_user_profile', array( $this, 'render' ) );
		add_action( 'edit_user_profile', array( $this, 'render' ) );
	}

	/**
	 * The lines on a user's screen.
	 *
	 * @param WP_User $user Whose screen it is.
	 */
	public function render( $user ): void {
		if ( ! current_user_can( Gatepass_Settings_Page::CAPABILITY ) ) {
			return;
		}
		$connection = $this->store->connection();
		$identities = Gatepass_Identity::all_of( $user->ID, null === $connection ? '' : $connection->site_id() );
		if ( array() === $identities ) {
			return;
		}
		$last = Gatepass_Log_Query::last_sign_in( $user->ID );
		$when = null === $last ? __( 'none that is still in the log', 'gatepass' ) : $last->at_in_words();

		echo '<h2>' . esc_html__( 'Gatepass', 'gatepass' ) . '</h2>';
		echo '<table class="form-table" role="presentation"><tr><th scope="row">' . esc_html__( 'Signing in by button', 'gatepass' ) . '</th><td>';
		foreach ( $identities as $identity ) {
			$words = sprintf(
				/* translators: 1: address of the panel's Gatepass, 2: the panel's number of the customer. */
				__( 'Signs in from the panel %1$s as customer %2$s.', 'gatepass' ),
				$identity->issuer(),
				$identity->subject()
			);
			echo '<p>' . esc_html( $words ) . '</p>';
			$standing = Gatepass_Standing::of_identity( $user->ID, $identity );
			if ( null !== $standing ) {
				echo '<p>' . esc_html( self::membership( $standing ) ) . '</p>';
			}
		}
		$consent = Gatepass_Consent::of_user( $user->ID );
		if ( null !== $consent ) {
			echo '<p>' . ( $consent->marketing_opt_in() ? esc_html__( 'Wants marketing mail.', 'gatepass' ) : esc_html__( 'Wants no marketing mail.', 'gatepass' ) ) . '</p>';
		}
		echo '<p>' . esc_html__( 'Last sign-in by button:', 'gatepass' ) . ' ';
		echo '<a href="' . esc_url( Gatepass_Sign_Ins_Page::url( $user->user_login ) ) . '">' . esc_html( $when ) . '</a></p></td></tr></table>';
	}

	/**
	 * How a member stands with the panel, in words.
	 *
	 * @param Gatepass_Standing $standing How.
	 * @return string
	 */
	private static function membership( Gatepass_Standing $standing ): string {
		if ( '' === $standing->status() ) {
			return __( 'The panel has no such customer any more.', 'gatepass' );
		}
		/* translators: %s: what the panel calls the state of a subscription: active, canceled and so on. */
		return sprintf( __( 'Membership: %s.', 'gatepass' ), $standing->status() );
	}
}
