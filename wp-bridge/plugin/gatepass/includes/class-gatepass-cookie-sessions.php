<?php
/**
 * The sessions that a request's cookies name.
 *
 * @package Gatepass
 */

/**
 * WordPress signs a browser in by either of two cookies with the same token, one of them only below wp-admin.
 * wp_get_session_token() reads but one of them. Whoever drops that one stays signed in by the other, so both count here.
 */
final class Gatepass_Cookie_Sessions {

	/**
	 * The live sessions of a user among them.
	 *
	 * @param int $user_id Whose.
	 * @return array<string,array<string,mixed>> Token => session as WordPress keeps it.
	 */
	public static function of( int $user_id ): array {
		$found = array();
		foreach ( array( 'logged_in', 'auth', 'secure_auth' ) as $scheme ) {
			$cookie = $user_id > 0 ? wp_parse_auth_cookie( '', $scheme ) : false;
			if ( is_array( $cookie ) && '' !== $cookie['token'] ) {
				$session = WP_Session_Tokens::get_instance( $user_id )->get( $cookie['token'] );
				if ( is_array( $session ) ) {
					$found[ $cookie['token'] ] = $session;
				}
			}
		}
		return $found;
	}
}
