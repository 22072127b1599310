<?php
/**
 * Makes a network of a site, by folders, and when it is one a second blog at /two/: php network.php WWW, twice. Whether
 * it is one, wp-config.php has to say before anything is loaded: it does so once the file "network" is there.
 */

require __DIR__ . '/bootstrap.php';
require_once ABSPATH . 'wp-admin/includes/upgrade.php';
require_once ABSPATH . 'wp-admin/includes/network.php';

global $wpdb;
$host = preg_replace( '#^https?://#', '', $lab['url'] );

if ( ! is_multisite() ) {
	// Until now the constants said where it is, also to update_option().
	$wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->options} SET option_value = %s WHERE option_name IN ( 'home', 'siteurl' )", $lab['url'] ) );
	foreach ( $wpdb->tables( 'ms_global' ) as $name => $table ) {
		$wpdb->$name = $table;
	}
	install_network();
	$done = populate_network( 1, $host, 'admin@example.com', 'Gatepass Network', '/' );
	if ( is_wp_error( $done ) ) {
		fwrite( STDERR, $done->get_error_message() . "\n" );
		exit( 1 );
	}
	touch( dirname( $www ) . '/network' );
	exit( 0 );
}

update_site_option( 'admin_user_id', 1 );
$blog = wpmu_create_blog( $host, '/two/', 'Two', 1 );
if ( is_wp_error( $blog ) ) {
	fwrite( STDERR, $blog->get_error_message() . "\n" );
	exit( 1 );
}
// Until 6.4 WordPress leaves the colon of a port out.
$wpdb->update( $wpdb->blogs, array( 'domain' => $host ), array( 'blog_id' => $blog ) );
switch_to_blog( $blog );
$wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->options} SET option_value = %s WHERE option_name IN ( 'home', 'siteurl' )", $lab['url'] . '/two' ) );
