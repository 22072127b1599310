<?php
/**
 * Loads the WordPress in the folder named first on the command line, as a request for its front page would.
 */

$www = $argv[1];
$lab = require dirname( $www ) . '/lab.php';

$_SERVER['HTTP_HOST']       = preg_replace( '#^https?://#', '', $lab['url'] );
$_SERVER['SERVER_NAME']     = wp_lab_host( $_SERVER['HTTP_HOST'] );
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
$_SERVER['REQUEST_METHOD']  = 'GET';
$_SERVER['REQUEST_URI']     = '/';
$_SERVER['REMOTE_ADDR']     = '127.0.0.1';

function wp_lab_host( $authority ) {
	return preg_replace( '/:\d+$/', '', $authority );
}

require_once $www . '/wp-load.php';
