<?php
/**
 * Removes everything the plugin has stored. The users stay: they are customers with orders and content.
 *
 * @package Gatepass
 */

defined( 'WP_UNINSTALL_PLUGIN' ) || exit;

require_once __DIR__ . '/includes/autoload.php';

/**
 * Removes the options and the table of the current blog.
 */
function gatepass_uninstall_blog(): void {
	$options = array(
		Gatepass_Names::OPTION_CONNECTION,
		Gatepass_Names::OPTION_POLICY,
		Gatepass_Names::OPTION_KEYS,
		Gatepass_Names::OPTION_KEYS_ASKED,
		Gatepass_Names::OPTION_PENDING,
		Gatepass_Names::OPTION_ENABLED,
		Gatepass_Names::OPTION_SUPPORT,
		Gatepass_Names::OPTION_ROLES,
		Gatepass_Names::OPTION_CLOCK_OFFSET,
		Gatepass_Names::OPTION_CONFLICT,
		Gatepass_Names::OPTION_GATE,
		Gatepass_Names::OPTION_REFRESH,
		Gatepass_Names::OPTION_RESET_MAIL,
		Gatepass_Names::OPTION_SYNC,
		Gatepass_Names::OPTION_SYNC_AGAIN,
		Gatepass_Names::OPTION_POKED,
		Gatepass_Names::OPTION_REMOVAL,
		Gatepass_Names::OPTION_REASSIGN,
	);
	foreach ( $options as $option ) {
		delete_option( $option );
	}
	delete_transient( Gatepass_Names::TRANSIENT_ASKED );
	Gatepass_Heartbeat::stop();
	Gatepass_Sync_Cron::stop();
	Gatepass_Log::drop();
}

/**
 * Removes what is kept with users and for all blogs: identities, standings, consent, markers, locks, and our words in
 * the sessions that are still open. The sessions themselves go on, as any other.
 */
function gatepass_uninstall_users(): void {
	global $wpdb;

	// phpcs:disable WordPress.DB -- There is no function of WordPress's for a prefix.
	$identities = $wpdb->esc_like( Gatepass_Names::META_IDENTITY_PREFIX ) . '%';
	$rows       = $wpdb->get_results( $wpdb->prepare( "SELECT user_id, meta_key FROM {$wpdb->usermeta} WHERE meta_key LIKE %s", $identities ) );
	$locks      = $wpdb->esc_like( Gatepass_Names::OPTION_LOCK_PREFIX ) . '%';
	$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->base_prefix}options WHERE option_name LIKE %s", $locks ) );
	// phpcs:enable

	foreach ( $rows as $row ) {
		$user_id  = (int) $row->user_id;
		$sessions = get_user_meta( $user_id, 'session_tokens', true );
		if ( is_array( $sessions ) ) {
			foreach ( $sessions as $verifier => $session ) {
				if ( is_array( $session ) ) {
					unset( $sessions[ $verifier ][ Gatepass_Names::SESSION_DATA ] );
				}
			}
			update_user_meta( $user_id, 'session_tokens', $sessions );
		}
		delete_user_meta( $user_id, $row->meta_key );
		delete_user_meta( $user_id, Gatepass_Names::META_STANDING_PREFIX . substr( $row->meta_key, strlen( Gatepass_Names::META_IDENTITY_PREFIX ) ) );
	}
	$others = array(
		Gatepass_Names::META_ATTEMPTS,
		Gatepass_Names::META_PENDING,
		Gatepass_Names::META_CONSENT,
		Gatepass_Names::META_MARKETING,
		Gatepass_Names::META_MARKETING_AT,
	);
	foreach ( $others as $key ) {
		delete_metadata( 'user', 0, $key, '', true );
	}
}

if ( is_multisite() ) {
	$gatepass_blogs = get_sites(
		array(
			'fields' => 'ids',
			'number' => 0,
		)
	);
	foreach ( $gatepass_blogs as $gatepass_blog ) {
		switch_to_blog( $gatepass_blog );
		gatepass_uninstall_blog();
		restore_current_blog();
	}
} else {
	gatepass_uninstall_blog();
}
gatepass_uninstall_users();
