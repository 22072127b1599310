<?php
/**
 * The configuration of every WordPress that the demo and the tests make. What differs from site to site is in
 * lab.php, beside the folder that is served.
 */

$lab = require dirname( __DIR__ ) . '/lab.php';

if ( file_exists( dirname( __DIR__ ) . '/network' ) ) {
	// Its blogs are told apart by the folder; where each one is stands in the database.
	define( 'MULTISITE', true );
	define( 'SUBDOMAIN_INSTALL', false );
	define( 'DOMAIN_CURRENT_SITE', preg_replace( '#^https?://#', '', $lab['url'] ) );
	define( 'PATH_CURRENT_SITE', '/' );
	define( 'SITE_ID_CURRENT_SITE', 1 );
	define( 'BLOG_ID_CURRENT_SITE', 1 );
} else {
	// Fixed here, so that a snapshot of the database serves on any port.
	define( 'WP_HOME', $lab['url'] );
	define( 'WP_SITEURL', $lab['url'] );
}

define( 'DB_NAME', 'wordpress' );
define( 'DB_USER', 'root' );
define( 'DB_PASSWORD', '' );
define( 'DB_HOST', 'localhost:' . $lab['socket'] );
define( 'DB_CHARSET', 'utf8mb4' );
define( 'DB_COLLATE', '' );
// Only the SQLite drop-in reads these two. Outside of what is served.
define( 'DB_DIR', $lab['database'] );
define( 'DB_FILE', 'wordpress.sqlite' );

foreach ( array( 'AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE' ) as $name ) {
	define( $name . '_KEY', hash( 'sha256', $name . 'key' . $lab['salt'] ) );
	define( $name . '_SALT', hash( 'sha256', $name . 'salt' . $lab['salt'] ) );
}

// Nothing of this leaves the machine.
define( 'WP_HTTP_BLOCK_EXTERNAL', true );
define( 'WP_ACCESSIBLE_HOSTS', '127.0.0.1,localhost' );
define( 'AUTOMATIC_UPDATER_DISABLED', true );
define( 'DISABLE_WP_CRON', true );

define( 'WP_DEBUG', true );
define( 'WP_DEBUG_LOG', $lab['log'] );
define( 'WP_DEBUG_DISPLAY', false );

$table_prefix = 'wp_';

if ( ! defined( 'ABSPATH' ) ) {
	define( 'ABSPATH', __DIR__ . '/' );
}
require_once ABSPATH . 'wp-settings.php';
