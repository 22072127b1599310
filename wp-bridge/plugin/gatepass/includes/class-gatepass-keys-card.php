<?php
/**
 * Settings → Gatepass: the card of the keys, and what is said of them elsewhere.
 *
 * @package Gatepass
 */

/**
 * Keys need no hands. So it is said in plain words when they do: when the site has to be paired again.
 */
final class Gatepass_Keys_Card {

	/**
	 * From which age on a key that should have been renewed is worth a word, in seconds.
	 */
	const OVERDUE = Gatepass_Renewal::LIFETIME + 30 * 86400;

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
	 * Renews this site's key, as the button says.
	 *
	 * @return array{0:string,1:string} What to tell the owner, and whether that is success, info or error.
	 */
	public function renew(): array {
		$outcome = Gatepass_Renewal::of_this_site()->run();
		if ( Gatepass_Renewal::DONE === $outcome ) {
			return array( __( 'This site has a new key.', 'gatepass' ), 'success' );
		}
		if ( Gatepass_Renewal::BUSY === $outcome ) {
			return array( __( 'The key is being renewed already. Look again in a minute.', 'gatepass' ), 'info' );
		}
		/* translators: %s: a cause in words. */
		return array( sprintf( __( 'The key was not renewed, and the one that is there stays. %s', 'gatepass' ), self::cause( $outcome ) ), 'error' );
	}

	/**
	 * Why the site has to be paired again, as far as its keys are concerned.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @return array{0:string,1:string}|null In short and at length; null if it need not be.
	 */
	public static function trouble( Gatepass_Connection $connection ): ?array {
		$keys = Gatepass_Keys::of( $connection->pairing() );
		if ( $keys->is_refused( time() ) ) {
			return array(
				__( 'Gatepass does not know this site’s key any more', 'gatepass' ),
				__( 'Nobody can sign in by button here. This WordPress may have been restored from an older backup or copied from another, or its key or the site itself was removed at your panel’s Gatepass. Ask whoever runs your panel for a new pairing code, and pair this site again. Passwords go on working.', 'gatepass' ),
			);
		}
		if ( $keys->lost() > 0 ) {
			return array(
				__( 'This site has lost track of your panel’s keys', 'gatepass' ),
				__( 'Customers can still sign in, but this site can no longer tell by itself what comes from your panel, and learns of changes some minutes later. It was probably away for long. Ask whoever runs your panel for a new pairing code, and pair this site again.', 'gatepass' ),
			);
		}
		return null;
	}

	/**
	 * Tells the owner on every page of wp-admin but the one that shows this card when the site has to be paired again.
	 */
	public function notice(): void {
		$screen = get_current_screen();
		if ( ! current_user_can( Gatepass_Settings_Page::CAPABILITY )
			|| ( null !== $screen && 'settings_page_' . Gatepass_Names::SETTINGS_PAGE === $screen->id ) ) {
			return;
		}
		$connection = $this->store->connection();
		$trouble    = null === $connection || $this->store->is_copy() ? null : self::trouble( $connection );
		if ( null !== $trouble ) {
			printf(
				'<div class="notice notice-error"><p><strong>%s</strong></p><p>%s</p><p><a href="%s">%s</a></p></div>',
				esc_html( $trouble[0] ),
				esc_html( $trouble[1] ),
				esc_url( Gatepass_Settings_Page::url() ),
				esc_html__( 'Gatepass settings', 'gatepass' )
			);
		}
	}

	/**
	 * The card.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 */
	public function render( Gatepass_Connection $connection ): void {
		$trouble = self::trouble( $connection );
		echo '<div class="gatepass-card"><h2>' . esc_html__( 'Keys', 'gatepass' ) . ' ';
		echo null === $trouble
			? '<span class="gatepass-badge is-good">' . esc_html__( 'Up to date', 'gatepass' ) . '</span>'
			: '<span class="gatepass-badge is-off">' . esc_html__( 'Pair again', 'gatepass' ) . '</span>';
		echo '</h2>';
		if ( null !== $trouble ) {
			echo '<p><strong>' . esc_html( $trouble[0] ) . '</strong></p><p>' . esc_html( $trouble[1] ) . '</p>';
		}
		echo '<table class="form-table" role="presentation">';
		/* translators: %d: a number. */
		Gatepass_Settings_Page::row( __( 'Keys of your panel', 'gatepass' ), esc_html( sprintf( __( 'Version %d', 'gatepass' ), $connection->keys_version() ) ) );
		$since = wp_date( get_option( 'date_format' ) . ', ' . get_option( 'time_format' ), $connection->site_key_since() );
		/* translators: %s: date and time. */
		$age = sprintf( __( 'Since %s. WordPress renews it every 90 days.', 'gatepass' ), (string) $since );
		Gatepass_Settings_Page::row( __( 'Key of this site', 'gatepass' ), '<code>' . esc_html( $connection->site_key()->kid() ) . '</code><p class="description">' . esc_html( $age ) . '</p>' );
		echo '</table>';
		if ( null === $trouble ) {
			self::render_renewal();
		}
		echo '</div>';
	}

	/**
	 * The button.
	 */
	private static function render_renewal(): void {
		Gatepass_Settings_Page::form_start( 'renew_key' );
		echo '<div class="gatepass-buttons"><button type="submit" class="button">' . esc_html__( 'Renew this site’s key', 'gatepass' ) . '</button>';
		echo '<span class="description">' . esc_html__( 'If it may have come into other hands, with a backup for example. Nobody is signed out. The key before counts for another hour; pairing again ends it at once.', 'gatepass' ) . '</span></div></form>';
	}

	/**
	 * Why a renewal failed, in words.
	 *
	 * @param string $outcome A code.
	 * @return string
	 */
	public static function cause( string $outcome ): string {
		switch ( $outcome ) {
			case 'not_paired':
				return __( 'This site is not paired.', 'gatepass' );

			case 'site_is_a_copy':
				return __( 'This WordPress has another address than the site that was paired: it seems to be a copy.', 'gatepass' );

			case 'bridge_unreachable':
				return __( 'Your panel’s Gatepass did not answer. WordPress tries again by itself.', 'gatepass' );

			case 'site_proof_invalid':
				return __( 'Your panel’s Gatepass does not know this site’s key. Pair this site again with a new pairing code.', 'gatepass' );

			case 'site_key_superseded':
				return __( 'This site’s key was renewed since this WordPress was backed up, or by a copy of it. Pair this site again with a new pairing code.', 'gatepass' );

			case 'pairing_challenge_failed':
				return __( 'Your panel’s Gatepass asked this site back, and did not get the right answer. A cache, a firewall or a second copy of this site may be in the way.', 'gatepass' );
		}
		/* translators: %s: a code. */
		return sprintf( __( 'The cause is called %s.', 'gatepass' ), $outcome );
	}
}
