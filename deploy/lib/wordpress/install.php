<?php
/**
 * Installs WordPress into an empty database: php install.php WWW
 */

define( 'WP_INSTALLING', true );

// Core would send a mail here.
function wp_new_blog_notification() {}

require __DIR__ . '/bootstrap.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';

// Nobody knows this password; prepare.php sets one per site.
$result = wp_install( 'Gatepass Demo', 'admin', 'admin@example.com', false, '', wp_generate_password( 40 ) );
if ( empty( $result['user_id'] ) ) {
	fwrite( STDERR, "wp_install did not make an administrator\n" );
	exit( 1 );
}

global $wp_rewrite;
$wp_rewrite->set_permalink_structure( '/%postname%/' );
$wp_rewrite->flush_rules( false );
update_option( 'blogdescription', 'A site behind a subscription' );
