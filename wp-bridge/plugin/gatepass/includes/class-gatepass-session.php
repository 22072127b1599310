<?php
/**
 * One WordPress session for one attempt.
 *
 * @package Gatepass
 */

/**
 * The session of an attempt. Its token is derived from handoff and attempt, so that a repeated POST
 * finds its own row instead of making a second one. To be used under the identity's lock, which is
 * held until the sign-in is complete.
 *
 * The marker, in user meta, says that the sign-in of an attempt has been completed. A session that
 * is gone though its marker is there was ended by somebody, and stays ended. Without the marker it
 * was never completed (a two-factor plugin ends it inside `wp_login` and asks for its code), so the
 * repeat begins anew and passes through `wp_login` as well.
 */
final class Gatepass_Session {

	/**
	 * How long a marker is kept, in seconds. The bridge repeats an answer for 15.
	 */
	const MARKER_SECONDS = 120;

	/**
	 * Whose.
	 *
	 * @var WP_User
	 */
	private $user;

	/**
	 * What the handoff says of it.
	 *
	 * @var Gatepass_Terms
	 */
	private $terms;

	/**
	 * WordPress's session token: 43 characters, as it makes them itself.
	 *
	 * @var string
	 */
	private $token;

	/**
	 * Constructor.
	 *
	 * @param WP_User          $user    Whose.
	 * @param Gatepass_Terms   $terms   What the handoff says of it.
	 * @param Gatepass_Attempt $attempt The browser's attempt.
	 */
	public function __construct( WP_User $user, Gatepass_Terms $terms, Gatepass_Attempt $attempt ) {
		$this->user  = $user;
		$this->terms = $terms;

		// Nobody can make it who does not know the site's salt.
		$message     = "gatepass-session\n" . $terms->handoff_id() . "\n" . $attempt->text();
		$this->token = Gatepass_Base64url::encode( hash_hmac( 'sha256', $message, wp_salt( 'auth' ), true ) );
	}

	/**
	 * The token, for the cookie.
	 *
	 * @return string
	 */
	public function token(): string {
		return $this->token;
	}

	/**
	 * Opens the session, or finds it.
	 *
	 * @return bool Whether the sign-in is still to be completed (`wp_login`, the outcome report).
	 * @throws Gatepass_Refusal If the session was ended meanwhile.
	 */
	public function open(): bool {
		$completed = isset( $this->fresh_markers()[ $this->marker() ] );
		if ( $this->is_open() ) {
			return ! $completed;
		}
		if ( $completed ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'session_ended' );
		}
		$this->manager()->update( $this->token, $this->information() );
		return true;
	}

	/**
	 * Marks the sign-in as completed, if its session lived through it.
	 *
	 * @return bool Whether it did.
	 */
	public function complete(): bool {
		$markers = $this->fresh_markers();
		if ( ! $this->is_open() ) {
			return false;
		}
		$markers[ $this->marker() ] = time();
		update_user_meta( $this->user->ID, Gatepass_Names::META_ATTEMPTS, $markers );
		return true;
	}

	/**
	 * Whether it is there.
	 *
	 * @return bool
	 */
	public function is_open(): bool {
		return null !== $this->manager()->get( $this->token );
	}

	/**
	 * Ends the session: the sign-in did not come to its end. Read anew first, as others may have
	 * written sessions of this user.
	 */
	public function destroy(): void {
		wp_cache_delete( $this->user->ID, 'user_meta' );
		$this->manager()->destroy( $this->token );
	}

	/**
	 * What stands in the session: what WP_Session_Tokens::create() writes, and our data. That method
	 * itself is of no use here, for it invents the token.
	 *
	 * @return array<string,mixed>
	 */
	private function information(): array {
		$remember = $this->terms->remember();
		// phpcs:disable WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own hooks.
		$session = (array) apply_filters( 'attach_session_information', array(), $this->user->ID );
		$length  = (int) apply_filters( 'auth_cookie_expiration', ( $remember ? 14 : 2 ) * DAY_IN_SECONDS, $this->user->ID, $remember );
		// phpcs:enable

		$session['expiration']                   = time() + $this->terms->limit( $length, time() );
		$session['login']                        = time();
		$session[ Gatepass_Names::SESSION_DATA ] = $this->terms->to_array();
		// phpcs:disable WordPress.Security.ValidatedSanitizedInput -- Stored as WordPress stores them.
		if ( ! empty( $_SERVER['REMOTE_ADDR'] ) ) {
			$session['ip'] = $_SERVER['REMOTE_ADDR'];
		}
		if ( ! empty( $_SERVER['HTTP_USER_AGENT'] ) ) {
			$session['ua'] = wp_unslash( $_SERVER['HTTP_USER_AGENT'] );
		}
		// phpcs:enable
		return $session;
	}

	/**
	 * WordPress's sessions of the user.
	 *
	 * @return WP_Session_Tokens
	 */
	private function manager(): WP_Session_Tokens {
		return WP_Session_Tokens::get_instance( $this->user->ID );
	}

	/**
	 * Markers that still count, read anew, and the sessions with them. This request may have read
	 * both before it got the lock, and another has written them since; WordPress writes all sessions
	 * of a user together, so a stale reading loses one.
	 *
	 * @return array<string,int>
	 */
	private function fresh_markers(): array {
		wp_cache_delete( $this->user->ID, 'user_meta' );
		$markers = get_user_meta( $this->user->ID, Gatepass_Names::META_ATTEMPTS, true );
		$oldest  = time() - self::MARKER_SECONDS;
		return array_filter(
			is_array( $markers ) ? $markers : array(),
			static function ( $since ) use ( $oldest ): bool {
				return (int) $since > $oldest;
			}
		);
	}

	/**
	 * Name of the marker: not the token, which is a credential.
	 *
	 * @return string
	 */
	private function marker(): string {
		return substr( hash( 'sha256', "gatepass-marker\n" . $this->token ), 0, 32 );
	}
}
