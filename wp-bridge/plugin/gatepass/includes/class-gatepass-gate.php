<?php
/**
 * Keeps out whose membership has ended.
 *
 * @package Gatepass
 */

/**
 * Stands behind everything that signs somebody in: logins, application passwords, and the sessions that are there.
 *
 * Some hooks that offer themselves are not used, because they would tell a stranger who knows a user name whether that
 * membership has ended: `wp_authenticate_user` runs before the password has been compared, and
 * `wp_is_application_passwords_available_for_user` is answered in words of its own whatever the password.
 *
 * Whoever comes with a session that is no longer good is nobody for the whole request, whatever it is. The session ends,
 * and a page view is answered with a page that says why and where to renew; it takes the cookies away, so that the next
 * one shows what everybody sees. On a network the session is also that of the other blogs, so here it only does not
 * count.
 */
final class Gatepass_Gate {

	/**
	 * Who is let in.
	 *
	 * @var Gatepass_Admission
	 */
	private $admission;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * Where to renew, and how to say no.
	 *
	 * @var Gatepass_Gate_Answer
	 */
	private $answer;

	/**
	 * Called with whoever is the current user after all.
	 *
	 * @var callable
	 */
	private $welcome;

	/**
	 * Who has been let in by this request's session last, and who has not.
	 *
	 * @var int
	 */
	private $admitted = 0;

	/**
	 * Who has been turned away, and why: one of the constants of Gatepass_Gate_Rules.
	 *
	 * @var array{0:WP_User,1:string}|null
	 */
	private $refused = null;

	/**
	 * Token of a session that has ended already, in a cookie of ours, of somebody who would be turned away.
	 *
	 * @var string
	 */
	private $gone = '';

	/**
	 * Why whoever has shown a right application password has been turned away; empty for nobody.
	 *
	 * @var string
	 */
	private $application_refused = '';

	/**
	 * Whether somebody is being judged. Others' filters on rights may ask who is signed in, which is what is being found
	 * out; nobody is, meanwhile.
	 *
	 * @var bool
	 */
	private $is_judging = false;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Admission   $admission Who is let in.
	 * @param Gatepass_Request     $request   The request.
	 * @param Gatepass_Gate_Answer $answer    How to say no.
	 * @param callable             $welcome   Called with whoever is the current user after all.
	 */
	public function __construct( Gatepass_Admission $admission, Gatepass_Request $request, Gatepass_Gate_Answer $answer, callable $welcome ) {
		$this->admission = $admission;
		$this->request   = $request;
		$this->answer    = $answer;
		$this->welcome   = $welcome;
	}

	/**
	 * Whoever has proved who they are, by a password for the most part; for the filter `authenticate`.
	 *
	 * @param mixed $user Whoever it is, or an error.
	 * @return mixed
	 */
	public function check_login( $user ) {
		$verdict = $user instanceof WP_User ? $this->admission->verdict( $user, true ) : Gatepass_Gate_Rules::OPEN;
		return Gatepass_Gate_Rules::OPEN === $verdict ? $user : $this->answer->error( $verdict );
	}

	/**
	 * Whoever has proved who they are by an application password; for `wp_authenticate_application_password_errors`.
	 *
	 * @param WP_Error $error Errors.
	 * @param WP_User  $user  Who.
	 */
	public function check_application_password( $error, $user ): void {
		$verdict = $this->admission->verdict( $user, (bool) did_action( 'wp_loaded' ) );
		if ( Gatepass_Gate_Rules::OPEN !== $verdict ) {
			$this->application_refused = $verdict;
			$refusal                   = $this->answer->plain_error( $verdict );
			$error->add( $refusal->get_error_code(), $refusal->get_error_message(), $refusal->get_error_data() );
		}
	}

	/**
	 * Whoever WordPress takes this request for; for the filter `determine_current_user`.
	 *
	 * @param mixed $user_id Id, or something empty.
	 * @return mixed
	 */
	public function admit( $user_id ) {
		$user = $this->is_judging ? false : get_userdata( (int) $user_id );
		if ( false === $user ) {
			return $this->is_judging ? false : $user_id;
		}
		$verdict = $this->judge( $user );
		if ( Gatepass_Gate_Rules::OPEN === $verdict ) {
			$this->admitted = $user->ID;
			return $user_id;
		}
		$this->refused = array( $user, $verdict );
		return false;
	}

	/**
	 * A cookie of ours whose session has ended; for the action `auth_cookie_bad_session_token`. The panel may have ended
	 * it, or a request in the background: then the browser has not been told why.
	 *
	 * @param mixed $cookie Parts of the cookie; its signature holds.
	 */
	public function see_ended_session( $cookie ): void {
		$user = is_array( $cookie ) && ! $this->is_judging ? get_user_by( 'login', (string) ( $cookie['username'] ?? '' ) ) : false;
		if ( false !== $user && Gatepass_Gate_Rules::SHUT === $this->judge( $user ) ) {
			$this->gone = (string) ( $cookie['token'] ?? '' );
		}
	}

	/**
	 * Early in `init`: turns away.
	 */
	public function enforce(): void {
		if ( self::is_nobodys() ) {
			return;
		}
		if ( $this->is_somebody() ) {
			$this->refused = null;
		}
		$user = null === $this->refused ? get_userdata( get_current_user_id() ) : $this->refused[0];
		if ( false !== $user && $this->admission->is_worth_asking( $user ) ) {
			// When everybody who wants to hear of a change in a user is there.
			add_action(
				'wp_loaded',
				function () use ( $user ): void {
					$this->ask_about( $user );
				},
				PHP_INT_MIN
			);
			return;
		}
		$this->turn_away();
	}

	/**
	 * A cookie that is good, though not for us; for the action `auth_cookie_valid`. Where WordPress only wants to know who
	 * it is, or sees a login, others of our filters answer; but whoever asks for the cookie itself would let them in.
	 *
	 * @param mixed $cookie Parts of the cookie.
	 * @param mixed $user   Whose.
	 */
	public function see_valid_cookie( $cookie, $user = null ): void {
		if ( null !== $this->refused && $user instanceof WP_User && $user->ID === $this->refused[0]->ID && did_action( 'wp_loaded' )
			&& ! doing_filter( 'determine_current_user' ) && ! doing_filter( 'authenticate' ) && ! $this->is_our_endpoint() ) {
			$this->answer->show( $this->refused[1] );
		}
	}

	/**
	 * Last word on who a REST request is from; for the filter `rest_authentication_errors`.
	 *
	 * @param mixed $result What others say.
	 * @return mixed
	 */
	public function check_rest( $result ) {
		if ( $this->is_somebody() ) {
			return $result;
		}
		if ( '' !== $this->application_refused ) {
			return $this->answer->plain_error( $this->application_refused );
		}
		if ( null === $this->refused && '' === $this->gone ) {
			return $result;
		}
		$is_meant = '' !== $this->request->header( 'X-WP-Nonce' ) || '' !== $this->request->query( '_wpnonce' ) || '' !== $this->request->field( '_wpnonce' );
		if ( ! $is_meant && ( null === $this->refused || $this->is_quiet() ) ) {
			return $result;
		}
		return $this->answer->plain_error( null === $this->refused ? Gatepass_Gate_Rules::SHUT : $this->refused[1] );
	}

	/**
	 * Whether this request is anybody's who is let in. Who has been made the current user past our filter is looked at
	 * here.
	 *
	 * @return bool
	 */
	private function is_somebody(): bool {
		$user_id = get_current_user_id();
		if ( $user_id > 0 && $user_id !== $this->admitted && false === $this->admit( $user_id ) ) {
			wp_set_current_user( 0 );
		}
		return get_current_user_id() > 0;
	}

	/**
	 * Judges who comes with a session.
	 *
	 * @param WP_User $user Who.
	 * @return string One of the constants of Gatepass_Gate_Rules.
	 */
	private function judge( WP_User $user ): string {
		$this->is_judging = true;
		try {
			return $this->admission->verdict( $user, (bool) did_action( 'wp_loaded' ) );
		} finally {
			$this->is_judging = false;
		}
	}

	/**
	 * Whether the session of who is turned away is not to be ended.
	 *
	 * @param WP_User $user Who.
	 * @return bool
	 */
	private function is_out_of_reach( WP_User $user ): bool {
		$this->is_judging = true;
		try {
			return $this->admission->is_out_of_reach( $user );
		} finally {
			$this->is_judging = false;
		}
	}

	/**
	 * Asks the panel about whoever comes with a session, and goes by its answer.
	 *
	 * @param WP_User $user Who.
	 */
	private function ask_about( WP_User $user ): void {
		$was_refused   = null !== $this->refused;
		$this->refused = null;
		$verdict       = $this->admission->verdict( $user, true );
		if ( Gatepass_Gate_Rules::OPEN !== $verdict ) {
			$this->refused = array( $user, $verdict );
			wp_set_current_user( 0 );
		} elseif ( $was_refused ) {
			wp_set_current_user( $user->ID );
			( $this->welcome )( $user );
		}
		$this->turn_away();
	}

	/**
	 * Ends the session of who has been refused, and says so. Returns where the request goes on as a stranger's.
	 */
	private function turn_away(): void {
		if ( null !== $this->refused && ! $this->is_quiet() ) {
			foreach ( array_keys( Gatepass_Cookie_Sessions::of( $this->refused[0]->ID ) ) as $token ) {
				$this->gone = (string) $token;
				WP_Session_Tokens::get_instance( $this->refused[0]->ID )->destroy( $this->gone );
			}
		}
		if ( $this->is_our_endpoint() || $this->is_rest() ) {
			return;
		}
		if ( null === $this->refused ) {
			if ( '' !== $this->gone && ! $this->is_in_background() && $this->is_page_to_stop() && ! $this->answer->has_been_told( $this->gone ) ) {
				$this->answer->sign_out( $this->gone );
			}
			return;
		}
		if ( $this->is_quiet() ) {
			// auth_redirect() would look at the cookie alone, and let them in as nobody.
			if ( is_admin() && ! wp_doing_ajax() && 'admin-post.php' !== ( $GLOBALS['pagenow'] ?? '' ) ) {
				$this->answer->show( $this->refused[1] );
			}
		} elseif ( $this->is_in_background() ) {
			$this->answer->say( $this->refused[1] );
		} elseif ( $this->is_page_to_stop() ) {
			$this->answer->sign_out( $this->gone );
		}
	}

	/**
	 * Whether the session goes on existing, because it is another blog's as well, or because the panel's silence is all
	 * that speaks against it, or because the account is out of the panel's reach. Then it only does not count here.
	 *
	 * @return bool
	 */
	private function is_quiet(): bool {
		if ( null === $this->refused || Gatepass_Gate_Rules::UNSURE === $this->refused[1] ) {
			return true;
		}
		return ( is_multisite() && array() !== array_diff( array_keys( get_blogs_of_user( $this->refused[0]->ID ) ), array( get_current_blog_id() ) ) )
			|| $this->is_out_of_reach( $this->refused[0] );
	}

	/**
	 * Whether nobody sits before this request.
	 *
	 * @return bool
	 */
	private static function is_nobodys(): bool {
		return wp_doing_cron() || ( defined( 'WP_CLI' ) && WP_CLI );
	}

	/**
	 * Whether the request is for the login endpoint: whoever comes from the panel comes to be let in.
	 *
	 * @return bool
	 */
	private function is_our_endpoint(): bool {
		return is_admin() && 'admin-post.php' === ( $GLOBALS['pagenow'] ?? '' )
			&& in_array( $this->request->query( 'action' ), array( Gatepass_Names::ACTION_LOGIN, Gatepass_Names::ACTION_CHALLENGE ), true );
	}

	/**
	 * Whether this is going to be a request to the REST API, which WordPress itself knows only later.
	 *
	 * @return bool
	 */
	private function is_rest(): bool {
		if ( '' !== $this->request->query( 'rest_route', 2000 ) ) {
			return true;
		}
		$root = (string) wp_parse_url( rest_url(), PHP_URL_PATH );
		return strlen( $root ) > 1 && '/index.php' !== $root && 0 === strpos( $this->request->target(), $root );
	}

	/**
	 * Whether a page asks for something, rather than a person for a page. Browsers say so (Fetch Metadata); over plain
	 * HTTP they do not.
	 *
	 * @return bool
	 */
	private function is_in_background(): bool {
		$mode = $this->request->header( 'Sec-Fetch-Mode' );
		return wp_doing_ajax() || wp_is_json_request() || ( '' !== $mode && 'navigate' !== $mode )
			|| 'xmlhttprequest' === strtolower( $this->request->header( 'X-Requested-With' ) );
	}

	/**
	 * Whether a page view is answered by us. On wp-login.php only who comes to log in or out is: what is posted there is
	 * somebody's new beginning, a link from a mail is not of this session, and in wp-admin's small window for a session
	 * that has ended our page could not be shown.
	 *
	 * @return bool
	 */
	private function is_page_to_stop(): bool {
		if ( 'wp-login.php' !== ( $GLOBALS['pagenow'] ?? '' ) ) {
			return true;
		}
		return 'POST' !== $this->request->method() && '' === $this->request->query( 'interim-login' )
			&& in_array( $this->request->query( 'action' ), array( '', 'login', 'logout' ), true );
	}
}
