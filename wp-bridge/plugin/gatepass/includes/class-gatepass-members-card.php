<?php
/**
 * Settings → Gatepass: the card of the members.
 *
 * @package Gatepass
 */

/**
 * How far this site follows the panel, and what becomes of accounts whose customer is removed there.
 */
final class Gatepass_Members_Card {

	/**
	 * Fields of the form.
	 */
	const FIELD_REMOVAL  = 'removal';
	const FIELD_REASSIGN = 'reassign_to';
	const FIELD_MEANT    = 'meant';

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
	 * Pulls, as the button says.
	 *
	 * @return array{0:string,1:string} What to tell the owner, and whether that is success, info or error.
	 */
	public function synchronise(): array {
		$pulled = Gatepass_Sync::of_this_site()->run( Gatepass_Sync::CRON_SECONDS );
		switch ( $pulled->outcome() ) {
			case Gatepass_Pulled::COMPLETE:
				return array( __( 'All members are as your panel says.', 'gatepass' ), 'success' );
			case Gatepass_Pulled::FAILED:
				/* translators: %s: a cause in words. */
				return array( sprintf( __( 'The members could not be synchronised. %s', 'gatepass' ), self::cause( $pulled->reason() ) ), 'error' );
		}
		return array( __( 'There is more to do than fits in one request. WordPress goes on with it in the background.', 'gatepass' ), 'info' );
	}

	/**
	 * Keeps what the form says of removed members.
	 *
	 * @return array{0:string,1:string} As above.
	 */
	public function save_removal(): array {
		$choice = $this->request->field( self::FIELD_REMOVAL );
		$heir   = (int) $this->request->field( self::FIELD_REASSIGN );
		if ( Gatepass_Removal::DELETE === $choice && '1' !== $this->request->field( self::FIELD_MEANT ) ) {
			return array( __( 'Nothing was changed: tick the box as well, if content is to be deleted for good.', 'gatepass' ), 'error' );
		}
		if ( Gatepass_Removal::REASSIGN === $choice && ! Gatepass_Removal::can_inherit( $heir ) ) {
			return array( __( 'Nothing was changed: choose who gets the content. It cannot be a customer of your panel.', 'gatepass' ), 'error' );
		}
		if ( ! in_array( $choice, array( Gatepass_Removal::KEEP, Gatepass_Removal::REASSIGN, Gatepass_Removal::DELETE ), true ) ) {
			return array( __( 'Nothing was changed.', 'gatepass' ), 'error' );
		}
		$this->store->save_removal( $choice, Gatepass_Removal::REASSIGN === $choice ? $heir : 0 );
		return array( __( 'Saved. It counts for members whom the panel removes from now on.', 'gatepass' ), 'success' );
	}

	/**
	 * The card.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 */
	public function render( Gatepass_Connection $connection ): void {
		$state = Gatepass_Sync_State::of( $connection );
		$well  = 0 === $state->failing_since() && $state->is_complete();
		echo '<div class="gatepass-card"><h2>' . esc_html__( 'Members', 'gatepass' ) . ' ';
		echo $well
			? '<span class="gatepass-badge is-good">' . esc_html__( 'As the panel says', 'gatepass' ) . '</span>'
			: '<span class="gatepass-badge is-off">' . esc_html__( 'Not up to date', 'gatepass' ) . '</span>';
		echo '</h2><p>' . esc_html__( 'Accounts of your customers follow your panel by themselves: who is new, who is called or reached otherwise now, whose membership has ended.', 'gatepass' ) . '</p>';
		echo '<p>' . esc_html( self::in_words( $state ) ) . '</p>';
		Gatepass_Settings_Page::form_start( 'sync' );
		echo '<div class="gatepass-buttons"><button type="submit" class="button">' . esc_html__( 'Synchronise now', 'gatepass' ) . '</button></div></form>';
		$this->render_removal();
		echo '</div>';
	}

	/**
	 * How far this site follows, in words.
	 *
	 * @param Gatepass_Sync_State $state How far.
	 * @return string
	 */
	public static function in_words( Gatepass_Sync_State $state ): string {
		$when  = static function ( int $time ): string {
			return (string) wp_date( get_option( 'date_format' ) . ', ' . get_option( 'time_format' ), $time );
		};
		$words = 0 === $state->as_of()
			? __( 'This site has not heard of all members yet.', 'gatepass' )
			/* translators: %s: date and time. */
			: sprintf( __( 'Up to date as of %s.', 'gatepass' ), $when( $state->as_of() ) );
		if ( $state->failing_since() > 0 ) {
			/* translators: 1: date and time, 2: a cause in words. */
			$words .= ' ' . sprintf( __( 'It has not worked since %1$s. %2$s', 'gatepass' ), $when( $state->failing_since() ), self::cause( $state->last_error() ) );
		}
		return $words;
	}

	/**
	 * Why a pull failed, in words.
	 *
	 * @param string $reason A code.
	 * @return string
	 */
	private static function cause( string $reason ): string {
		if ( 'site_is_a_copy' === $reason ) {
			return __( 'This WordPress has another address than the site that was paired: it seems to be a copy.', 'gatepass' );
		}
		/* translators: %s: a code. */
		return Gatepass_Log_Line::causes()[ $reason ] ?? sprintf( __( 'The cause is called %s.', 'gatepass' ), $reason );
	}

	/**
	 * The form for what becomes of removed members.
	 */
	private function render_removal(): void {
		$choice  = $this->store->removal();
		$choices = array(
			Gatepass_Removal::KEEP     => __( 'Keep the account, shut. Nothing is lost, and the customer can come back.', 'gatepass' ),
			Gatepass_Removal::REASSIGN => __( 'Delete the account, and give its content to:', 'gatepass' ),
			Gatepass_Removal::DELETE   => __( 'Delete the account with its content.', 'gatepass' ),
		);
		echo '<h3>' . esc_html__( 'When the panel removes a customer', 'gatepass' ) . '</h3>';
		Gatepass_Settings_Page::form_start( 'removal' );
		echo '<ul class="gatepass-roles">';
		foreach ( $choices as $name => $label ) {
			printf(
				'<li><label><input type="radio" name="%1$s" value="%2$s"%3$s> %4$s</label> ',
				esc_attr( self::FIELD_REMOVAL ),
				esc_attr( $name ),
				checked( $choice, $name, false ),
				esc_html( $label )
			);
			if ( Gatepass_Removal::REASSIGN === $name ) {
				echo '<label class="screen-reader-text" for="gatepass-reassign">' . esc_html__( 'Who gets the content', 'gatepass' ) . '</label>';
				wp_dropdown_users(
					array(
						'id'                => 'gatepass-reassign',
						'name'              => self::FIELD_REASSIGN,
						'selected'          => $this->store->reassign_to(),
						'capability'        => array( 'edit_posts' ),
						'show'              => 'display_name_with_login',
						'show_option_none'  => __( 'Choose', 'gatepass' ),
						'option_none_value' => 0,
					)
				);
			} elseif ( Gatepass_Removal::DELETE === $name ) {
				printf(
					'<label><input type="checkbox" name="%1$s" value="1"%2$s> %3$s</label>',
					esc_attr( self::FIELD_MEANT ),
					checked( $choice, $name, false ),
					esc_html__( 'Yes, content is to be deleted for good.', 'gatepass' )
				);
			}
			echo '</li>';
		}
		echo '</ul>';
		if ( is_multisite() ) {
			echo '<p class="description">' . esc_html__( 'On a network the account is taken from this site, and stays in the network.', 'gatepass' ) . '</p>';
		}
		echo '<button type="submit" class="button">' . esc_html__( 'Save', 'gatepass' ) . '</button></form>';
	}
}
