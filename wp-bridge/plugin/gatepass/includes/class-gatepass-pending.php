<?php
/**
 * Sign-ins that another plugin has put off.
 *
 * @package Gatepass
 */

/**
 * Carries what a handoff says through a second factor. Two-factor plugins end the session inside `wp_login`, ask for
 * a code, and make another session in a later request that knows nothing of the handoff. What is kept here meanwhile
 * is attached to that session.
 *
 * It fails closed. While a sign-in on behalf of a customer is put off, every new session of the customer counts as its
 * outcome, from whatever browser, unless that browser
 *
 * - has shown the customer's password, in this request or in the one that another plugin has put off in turn,
 * - comes back from a handoff of its own, or
 * - is signed in as the customer already: then the new session is what the old one was.
 *
 * Hence a lost cookie, another browser or another address sheds nothing; the cookie only tells whose session it is not.
 * Logging out ends nothing either: it may be the log-out of another session.
 */
final class Gatepass_Pending {

	/**
	 * For how long a code may be asked for, in seconds: what two-factor plugins give it. Some give more, or begin anew
	 * when their form is loaded again; so what is on a customer's behalf is kept as long as its session could last.
	 */
	const SECONDS = 600;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * What the handoff says that is redeemed in this request.
	 *
	 * @var Gatepass_Terms|null
	 */
	private $redeemed = null;

	/**
	 * Whose sign-in by it may yet be put off.
	 *
	 * @var int
	 */
	private $under_way = 0;

	/**
	 * Users whose new sessions' terms have been found in this request; null for none of ours.
	 *
	 * @var array<int,Gatepass_Terms|null>
	 */
	private $known = array();

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Request $request The request.
	 */
	public function __construct( Gatepass_Request $request ) {
		$this->request = $request;
	}

	/**
	 * A handoff has been redeemed. Every session that this request makes is its outcome: also one that a plugin makes
	 * when it sees a new user.
	 *
	 * @param Gatepass_Terms $terms What the handoff says.
	 */
	public function begin( Gatepass_Terms $terms ): void {
		$this->redeemed = $terms;
		// Behind whoever has hooked in as late as we have.
		add_filter( 'auth_cookie_expiration', array( $this, 'shorten' ), PHP_INT_MAX, 2 );
	}

	/**
	 * The sign-in is about to be announced. Whoever takes the cookies back puts it off.
	 *
	 * @param int $user_id Who signs in.
	 */
	public function announce( int $user_id ): void {
		$this->under_way = $user_id;
		// The last moment at which a cookie can still be set before the form for the code is shown.
		add_action( 'clear_auth_cookie', array( $this, 'put_off' ) );
	}

	/**
	 * The sign-in is complete.
	 */
	public function complete(): void {
		$this->under_way = 0;
	}

	/**
	 * Keeps the sign-in under way, once.
	 *
	 * @throws RuntimeException If it cannot be kept; then nobody may be asked for a code.
	 */
	public function put_off(): void {
		$user_id         = $this->under_way;
		$this->under_way = 0;
		if ( 0 !== $user_id ) {
			$this->keep( $user_id, $this->redeemed );
		}
	}

	/**
	 * A login with a name and a password, for the filter `authenticate`.
	 *
	 * @param mixed $user     Whoever it is, or an error.
	 * @param mixed $password What was typed.
	 * @return mixed The user, unchanged.
	 */
	public function see_password( $user, $password ) {
		if ( $user instanceof WP_User && is_string( $password ) && '' !== $password
			&& null !== self::of_staff( self::terms_of( $this->records( $user->ID ) ) )
			&& wp_check_password( $password, $user->user_pass, $user->ID ) ) {
			$this->keep( $user->ID, null );
			$this->known[ $user->ID ] = null;
		}
		return $user;
	}

	/**
	 * Shortens a new session's life, for the filter `auth_cookie_expiration`.
	 *
	 * @param mixed $length  How long it would be, in seconds.
	 * @param int   $user_id Whose.
	 * @return mixed
	 */
	public function shorten( $length, int $user_id ) {
		$terms = $this->terms( $user_id );
		return null === $terms ? $length : $terms->limit( (int) $length, time() );
	}

	/**
	 * Attaches what is known of a new session, for the filter `attach_session_information`.
	 *
	 * @param mixed $information What others have attached.
	 * @param int   $user_id     Whose.
	 * @return array<string,mixed>
	 */
	public function attach( $information, int $user_id ): array {
		$information = (array) $information;
		$terms       = $this->terms( $user_id );
		if ( null !== $terms ) {
			$information[ Gatepass_Names::SESSION_DATA ] = $terms->to_array();
		}
		if ( null === $this->redeemed ) {
			$this->use_up( $user_id, $terms );
		}
		return $information;
	}

	/**
	 * Removes what is too old, for WP-Cron.
	 */
	public static function sweep(): void {
		global $wpdb;

		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- There is no function of WordPress's for it.
		$ids = $wpdb->get_col( $wpdb->prepare( "SELECT DISTINCT user_id FROM {$wpdb->usermeta} WHERE meta_key = %s", Gatepass_Names::META_PENDING ) );
		foreach ( $ids as $id ) {
			( new self( new Gatepass_Request() ) )->records( (int) $id );
		}
	}

	/**
	 * What a session is to know that is made for a user now.
	 *
	 * @param int $user_id Whose.
	 * @return Gatepass_Terms|null Null if nothing of ours.
	 */
	private function terms( int $user_id ): ?Gatepass_Terms {
		if ( null !== $this->redeemed ) {
			return $this->redeemed;
		}
		if ( array_key_exists( $user_id, $this->known ) ) {
			return $this->known[ $user_id ];
		}
		$records = $this->records( $user_id );
		$own     = $this->own( $records );
		if ( null !== $own ) {
			return Gatepass_Terms::from_array( $own['terms'] );
		}
		$sessions = Gatepass_Cookie_Sessions::of( get_current_user_id() === $user_id ? $user_id : 0 );
		if ( array() !== $sessions ) {
			$terms = array_map( array( 'Gatepass_Terms', 'of_session' ), array_values( $sessions ) );
			return self::of_staff( $terms ) ?? $terms[0];
		}
		return self::of_staff( self::terms_of( $records ) );
	}

	/**
	 * Ends the record of this browser: its session is there.
	 *
	 * @param int                 $user_id Whose.
	 * @param Gatepass_Terms|null $terms   What the session knows, as every other that this request makes.
	 */
	private function use_up( int $user_id, ?Gatepass_Terms $terms ): void {
		$own = $this->own( $this->records( $user_id ) );
		if ( null !== $own && ! array_key_exists( $user_id, $this->known ) ) {
			delete_user_meta( $user_id, Gatepass_Names::META_PENDING, wp_slash( $own ) );
			self::cookie()->remove();
		}
		$this->known[ $user_id ] = $terms;
	}

	/**
	 * Keeps a sign-in that may be put off, and gives this browser the key to it.
	 *
	 * @param int                 $user_id Whose.
	 * @param Gatepass_Terms|null $terms   What the handoff says; null if it began with the password.
	 * @throws RuntimeException If it cannot be kept.
	 */
	private function keep( int $user_id, ?Gatepass_Terms $terms ): void {
		$key   = Gatepass_Base64url::encode( random_bytes( 32 ) );
		$lasts = null === $terms || null === $terms->actor() ? 0 : $terms->limit( DAY_IN_SECONDS, time() );
		$until = time() + max( self::SECONDS, $lasts );
		$kept  = add_user_meta(
			$user_id,
			Gatepass_Names::META_PENDING,
			wp_slash(
				array(
					'key'   => hash( 'sha256', $key ),
					'until' => $until,
					'terms' => null === $terms ? null : $terms->to_array(),
				)
			)
		);
		if ( false === $kept ) {
			throw new RuntimeException( 'a sign-in could not be kept' );
		}
		self::cookie()->set( $key, $until );
	}

	/**
	 * What is put off for a user, each in a row of its own, so that two that come at once lose nothing. Read anew, and
	 * without what is too old.
	 *
	 * @param int $user_id Whose.
	 * @return array<array<string,mixed>>
	 */
	private function records( int $user_id ): array {
		wp_cache_delete( $user_id, 'user_meta' );
		$live = array();
		foreach ( (array) get_user_meta( $user_id, Gatepass_Names::META_PENDING, false ) as $record ) {
			if ( is_array( $record ) && isset( $record['key'], $record['until'] ) && $record['until'] > time() ) {
				$live[] = $record + array( 'terms' => null );
			} else {
				delete_user_meta( $user_id, Gatepass_Names::META_PENDING, wp_slash( $record ) );
			}
		}
		return $live;
	}

	/**
	 * The record that this browser has the key to.
	 *
	 * @param array<array<string,mixed>> $records What is put off.
	 * @return array<string,mixed>|null
	 */
	private function own( array $records ): ?array {
		$key = self::cookie()->read( $this->request, 43 );
		foreach ( $records as $record ) {
			if ( '' !== $key && hash_equals( (string) $record['key'], hash( 'sha256', $key ) ) ) {
				return $record;
			}
		}
		return null;
	}

	/**
	 * What the handoffs of records say.
	 *
	 * @param array<array<string,mixed>> $records What is put off.
	 * @return array<Gatepass_Terms|null>
	 */
	private static function terms_of( array $records ): array {
		return array_map( array( 'Gatepass_Terms', 'from_array' ), array_column( $records, 'terms' ) );
	}

	/**
	 * Those by which somebody acts for the customer.
	 *
	 * @param array<Gatepass_Terms|null> $all Which there are.
	 * @return Gatepass_Terms|null The last of them; null if there is none.
	 */
	private static function of_staff( array $all ): ?Gatepass_Terms {
		foreach ( array_reverse( $all ) as $terms ) {
			if ( null !== $terms && null !== $terms->actor() ) {
				return $terms;
			}
		}
		return null;
	}

	/**
	 * The cookie with the key.
	 *
	 * @return Gatepass_Cookie
	 */
	private static function cookie(): Gatepass_Cookie {
		return new Gatepass_Cookie( Gatepass_Names::COOKIE_PENDING, Gatepass_Names::COOKIE_PENDING_HTTPS );
	}
}
