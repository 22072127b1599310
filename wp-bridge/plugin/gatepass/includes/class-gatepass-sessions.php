<?php
/**
 * A member's sessions in WordPress.
 *
 * @package Gatepass
 */

/**
 * Ends them, and tells of them. To be called under the identity's lock.
 *
 * On a network a session is good on every blog, and a user of several of them is not this panel's alone: then only
 * sessions end that this site's button has begun, and the gate keeps the others out of this blog.
 */
final class Gatepass_Sessions {

	/**
	 * The most that are told of, the newest.
	 */
	const MOST = 50;

	/**
	 * How long all that is told may be, in bytes, and the name of one browser, in characters.
	 */
	const MAX_REPORT     = 60000;
	const MAX_USER_AGENT = 200;

	/**
	 * Ends a member's sessions.
	 *
	 * @param int               $user_id  Whose.
	 * @param Gatepass_Identity $identity Who they are to the panel.
	 */
	public static function end( int $user_id, Gatepass_Identity $identity ): void {
		$sessions = self::stored( $user_id );
		if ( array() === $sessions ) {
			return;
		}
		if ( ! is_multisite() || self::is_here_alone( $user_id ) ) {
			WP_Session_Tokens::get_instance( $user_id )->destroy_all();
			return;
		}
		$left = array_filter(
			$sessions,
			static function ( $session ) use ( $identity ): bool {
				return ! self::is_of_this_blog( $session, $identity );
			}
		);
		if ( count( $left ) < count( $sessions ) ) {
			// WordPress has no function that ends a session without its token.
			update_user_meta( $user_id, 'session_tokens', wp_slash( $left ) );
		}
	}

	/**
	 * What there is to tell of a member's sessions, the newest first.
	 *
	 * @param int               $user_id  Whose.
	 * @param Gatepass_Identity $identity Who they are to the panel.
	 * @param int               $now      Seconds since 1970.
	 * @return array<int,array<string,mixed>>
	 */
	public static function report( int $user_id, Gatepass_Identity $identity, int $now ): array {
		$all      = ! is_multisite() || self::is_here_alone( $user_id );
		$sessions = array_filter(
			self::stored( $user_id ),
			static function ( $session ) use ( $identity, $now, $all ): bool {
				return is_array( $session ) && is_int( $session['expiration'] ?? null ) && $session['expiration'] >= $now
					&& ( $all || self::is_of_this_blog( $session, $identity ) );
			}
		);
		uasort(
			$sessions,
			static function ( array $one, array $other ): int {
				return (int) ( $other['login'] ?? 0 ) <=> (int) ( $one['login'] ?? 0 );
			}
		);
		$report = array();
		$bytes  = 0;
		foreach ( array_slice( $sessions, 0, self::MOST, true ) as $verifier => $session ) {
			$told   = self::told( (string) $verifier, $session );
			$bytes += strlen( (string) wp_json_encode( $told ) );
			if ( $bytes > self::MAX_REPORT ) {
				break;
			}
			$report[] = $told;
		}
		return $report;
	}

	/**
	 * What is told of a session. Its name is made of the hash that WordPress keeps of its token, and is neither.
	 *
	 * @param string              $verifier What WordPress keeps it under.
	 * @param array<string,mixed> $session  The session.
	 * @return array<string,mixed>
	 */
	public static function told( string $verifier, array $session ): array {
		$terms = Gatepass_Terms::of_session( $session );
		$id    = null === $terms ? '' : $terms->handoff_id();
		$ip    = is_string( $session['ip'] ?? null ) ? $session['ip'] : '';
		$agent = is_string( $session['ua'] ?? null ) ? $session['ua'] : '';
		return array(
			'id'         => substr( hash( 'sha256', "gatepass-session-id\n" . $verifier ), 0, 16 ),
			'started_at' => self::time( (int) ( $session['login'] ?? 0 ) ),
			'expires_at' => self::time( (int) $session['expiration'] ),
			'client_ip'  => false === filter_var( $ip, FILTER_VALIDATE_IP ) ? null : $ip,
			'user_agent' => mb_substr( (string) preg_replace( '/[\x00-\x1f\x7f]/', '', wp_check_invalid_utf8( $agent ) ), 0, self::MAX_USER_AGENT ),
			'handoff_id' => 1 === preg_match( '/\Aho_[a-z2-7]{26}\z/', $id ) ? $id : null,
			'on_behalf'  => null !== $terms && null !== $terms->actor(),
		);
	}

	/**
	 * A time as the bridge reads it.
	 *
	 * @param int $seconds Seconds since 1970.
	 * @return string RFC 3339.
	 */
	private static function time( int $seconds ): string {
		return gmdate( 'Y-m-d\TH:i:s\Z', $seconds );
	}

	/**
	 * All sessions, read anew: others have written them since this request began.
	 *
	 * @param int $user_id Whose.
	 * @return array<string,mixed> By the hash of their token, if WordPress's own session manager keeps them.
	 */
	private static function stored( int $user_id ): array {
		wp_cache_delete( $user_id, 'user_meta' );
		$manager = WP_Session_Tokens::get_instance( $user_id );
		if ( ! $manager instanceof WP_User_Meta_Session_Tokens ) {
			// Somebody else's manager does not tell under what it keeps them.
			$sessions = array();
			foreach ( $manager->get_all() as $session ) {
				$sessions[ hash( 'sha256', (string) wp_json_encode( $session ) ) ] = $session;
			}
			return $sessions;
		}
		$sessions = get_user_meta( $user_id, 'session_tokens', true );
		return is_array( $sessions ) ? $sessions : array();
	}

	/**
	 * Whether a session of somebody who belongs to several blogs was begun by this blog's button.
	 *
	 * @param mixed             $session  The session.
	 * @param Gatepass_Identity $identity Who they are to the panel.
	 * @return bool
	 */
	private static function is_of_this_blog( $session, Gatepass_Identity $identity ): bool {
		$ours = is_array( $session ) ? $session[ Gatepass_Names::SESSION_DATA ] ?? array() : array();
		// Sessions that began before this was kept are told by the customer alone.
		return ( $ours['subject'] ?? null ) === $identity->subject() && ( $ours['blog'] ?? get_current_blog_id() ) === get_current_blog_id();
	}

	/**
	 * Whether this blog is the only one of the network that a user belongs to.
	 *
	 * @param int $user_id The user.
	 * @return bool
	 */
	private static function is_here_alone( int $user_id ): bool {
		foreach ( get_blogs_of_user( $user_id, true ) as $blog ) {
			if ( (int) $blog->userblog_id !== get_current_blog_id() ) {
				return false;
			}
		}
		return true;
	}
}
