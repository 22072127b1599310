<?php
/**
 * The plugin's classes without WordPress, and what their readers need of it. Whatever PHP has to say is an exception.
 *
 * @package Gatepass
 */

error_reporting( E_ALL );
set_error_handler(
	static function ( $severity, $message, $file, $line ) {
		throw new ErrorException( $message, 0, $severity, $file, $line );
	}
);

// phpcs:disable Squiz.Commenting.FunctionComment -- WordPress's functions, as far as the readers need them.
function wp_remote_retrieve_header( $response, $name ) {
	return $response['headers'][ $name ] ?? '';
}
function wp_remote_retrieve_body( $response ) {
	return $response['body'] ?? '';
}
function wp_remote_retrieve_response_code( $response ) {
	return $response['code'] ?? 200;
}
// phpcs:enable

require dirname( __DIR__ ) . '/gatepass/includes/autoload.php';
