<?php
/**
 * Sets the administrator's password, the first line of the standard input, and activates the plugin:
 * php prepare.php WWW
 */

require __DIR__ . '/bootstrap.php';
require_once ABSPATH . 'wp-admin/includes/plugin.php';

wp_set_password( rtrim( fgets( STDIN ), "\n" ), get_user_by( 'login', 'admin' )->ID );

// The outside cannot be asked for updates; without these answers every first visit to the dashboard would try, and
// log that it failed.
foreach ( array( 'update_core', 'update_plugins', 'update_themes' ) as $check ) {
	set_site_transient(
		$check,
		(object) array(
			'last_checked'    => time(),
			'version_checked' => get_bloginfo( 'version' ),
			'updates'         => array(),
			'response'        => array(),
			'translations'    => array(),
		)
	);
}

// Nor for languages, which every administrator's profile lists.
set_site_transient( 'available_translations', array() );

if ( file_exists( WP_PLUGIN_DIR . '/gatepass/gatepass.php' ) ) {
	$result = activate_plugin( 'gatepass/gatepass.php' );
	if ( is_wp_error( $result ) ) {
		fwrite( STDERR, $result->get_error_message() . "\n" );
		exit( 1 );
	}
}
