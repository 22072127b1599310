<?php
/**
 * The owner's word on the gate.
 *
 * @package Gatepass
 */

/**
 * A card of the settings page: who is let in without a membership, and what is to happen when the panel has not been
 * heard of for too long.
 */
final class Gatepass_Gate_Card {

	/**
	 * Longer lists of names are not read, in bytes.
	 */
	const MAX_BYTES = 20000;

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
	 * Keeps what was posted.
	 *
	 * @param Gatepass_Request $request The request.
	 * @return array{0:string,1:string} What to say, and how: success or error.
	 */
	public function save( Gatepass_Request $request ): array {
		if ( ! $request->has_field( 'exempt', self::MAX_BYTES ) ) {
			// A list of which not all has come would lock somebody out.
			return array( __( 'Nothing was changed.', 'gatepass' ), 'error' );
		}
		$rules   = $this->store->gate_rules();
		$exempt  = array();
		$unknown = array();
		$names   = preg_split( '/[\r\n,;]+/', $request->field( 'exempt', self::MAX_BYTES ) );
		foreach ( array_filter( array_map( 'trim', (array) $names ), 'strlen' ) as $name ) {
			$user = get_user_by( 'login', $name );
			$user = false === $user ? get_user_by( 'email', $name ) : $user;
			if ( false === $user ) {
				$unknown[] = $name;
			} else {
				$exempt[] = $user->ID;
			}
		}
		$hours = $request->field( 'hours' );
		$this->store->save_gate_rules(
			$rules->wanted( $exempt, 'shut' === $request->field( 'stale' ), is_numeric( $hours ) ? (int) ( (float) $hours * HOUR_IN_SECONDS ) : $rules->max_stale() )
		);
		if ( array() === $unknown ) {
			return array( __( 'Saved.', 'gatepass' ), 'success' );
		}
		/* translators: %s: names that were typed. */
		return array( sprintf( __( 'Saved, but nobody here has this name or address: %s', 'gatepass' ), implode( ', ', $unknown ) ), 'error' );
	}

	/**
	 * What the gate is, and how fresh what it goes by.
	 *
	 * @param Gatepass_Connection|null $connection The connection.
	 */
	public function render_words( ?Gatepass_Connection $connection ): void {
		echo '<h2>' . esc_html__( 'Who needs a membership', 'gatepass' ) . '</h2>';
		echo '<p>' . esc_html__( 'Accounts of your panel’s customers work only while the membership is active: with a password, with an application password, and while signed in. Other accounts are left alone, and so is whoever runs this site.', 'gatepass' ) . '</p>';
		if ( null === $connection ) {
			return;
		}
		if ( ! $this->store->is_enabled() ) {
			echo '<p><strong>' . esc_html__( 'Gatepass is switched off, so nobody is kept out.', 'gatepass' ) . '</strong></p>';
		}
		$state = Gatepass_Sync_State::of( $connection );
		if ( $this->store->gate_rules()->is_too_old( $state ) ) {
			echo '<p><span class="gatepass-badge is-off">' . esc_html__( 'Too old', 'gatepass' ) . '</span> ' . esc_html__( 'The panel has not been heard of for too long.', 'gatepass' ) . '</p>';
		}
	}

	/**
	 * The fields of its form.
	 */
	public function render_fields(): void {
		$rules = $this->store->gate_rules();
		$names = array();
		foreach ( array_filter( array_map( 'get_userdata', $rules->exempt() ) ) as $user ) {
			$names[] = $user->user_login;
		}
		echo '<p><label class="gatepass-label" for="gatepass-exempt">' . esc_html__( 'Let these customers in without a membership', 'gatepass' ) . '</label>';
		echo '<textarea id="gatepass-exempt" class="gatepass-names" name="exempt" rows="3" spellcheck="false" autocomplete="off" aria-describedby="gatepass-exempt-note">' . esc_textarea( implode( "\n", $names ) ) . '</textarea>';
		echo '<span id="gatepass-exempt-note" class="description">' . esc_html__( 'User names or e-mail addresses, one a line.', 'gatepass' ) . '</span></p>';

		echo '<fieldset><legend>' . esc_html__( 'When the panel has not been heard of for too long', 'gatepass' ) . '</legend>';
		$this->render_choice( 'keep', ! $rules->shuts_when_stale(), __( 'Go on with what was last known', 'gatepass' ) );
		$this->render_choice( 'shut', $rules->shuts_when_stale(), __( 'Let no customer in until the panel is heard of again', 'gatepass' ) );
		echo '</fieldset><p><label>' . sprintf(
			/* translators: %s: a field for a number. */
			esc_html__( 'Too long is after %s hours', 'gatepass' ),
			'<input type="number" name="hours" class="small-text" min="1" max="720" step="1" value="' . esc_attr( (string) round( $rules->max_stale() / HOUR_IN_SECONDS ) ) . '">'
		) . '</label></p><button type="submit" class="button">' . esc_html__( 'Save', 'gatepass' ) . '</button>';
	}

	/**
	 * One of the two choices.
	 *
	 * @param string $value   Its value.
	 * @param bool   $checked Whether it is chosen.
	 * @param string $words   What it says.
	 */
	private function render_choice( string $value, bool $checked, string $words ): void {
		printf( '<label><input type="radio" name="stale" value="%s"%s> %s</label>', esc_attr( $value ), checked( $checked, true, false ), esc_html( $words ) );
	}
}
