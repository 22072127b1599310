<?php
/**
 * What need not keep the browser waiting.
 *
 * @package Gatepass
 */

/**
 * Work for after the answer.
 */
final class Gatepass_Afterwards {

	/**
	 * Has something done when the browser has its answer, where the server can do that (php-fpm, LiteSpeed),
	 * else at the end of the request.
	 *
	 * @param callable():void $work What is to be done.
	 */
	public static function run( callable $work ): void {
		$run = static function () use ( $work ): void {
			ignore_user_abort( true );
			if ( function_exists( 'fastcgi_finish_request' ) ) {
				fastcgi_finish_request();
			} elseif ( function_exists( 'litespeed_finish_request' ) ) {
				litespeed_finish_request();
			} else {
				flush();
			}
			$work();
		};
		if ( doing_action( 'shutdown' ) ) {
			$run();
			return;
		}
		add_action( 'shutdown', $run, PHP_INT_MAX );
	}
}
