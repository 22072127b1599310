<?php
/**
 * The login endpoint: wp-admin/admin-post.php?action=gatepass
 *
 * @package Gatepass
 */

/**
 * Answers browsers, and the bridge's challenge. No cache keeps what lies in wp-admin, and plugins
 * that hide wp-login.php leave admin-post.php alone; hence this address.
 *
 * Everything cheap happens as early as `init` allows, so that strangers cost little: the landing
 * page, and refusing what is no token of ours. The sign-in waits for `wp_loaded`, when everybody who
 * wants to hear of a login is there.
 */
final class Gatepass_Endpoint {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * The sign-in.
	 *
	 * @var Gatepass_Login
	 */
	private $login;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store   $store   Settings.
	 * @param Gatepass_Request $request The request.
	 * @param Gatepass_Login   $login   The sign-in.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Request $request, Gatepass_Login $login ) {
		$this->store   = $store;
		$this->request = $request;
		$this->login   = $login;
	}

	/**
	 * The endpoint's URL, without a token.
	 *
	 * @return string
	 */
	public static function url(): string {
		return admin_url( 'admin-post.php?action=' . Gatepass_Names::ACTION_LOGIN );
	}

	/**
	 * Answers the bridge's challenge, and ends the request.
	 */
	public function challenge(): void {
		$pending = $this->store->pending_pairing();
		$nonce   = $this->request->query( 'nonce' );
		$known   = null !== $pending && 1 === preg_match( '/\A[A-Za-z0-9_-]{43}\z/', $nonce );

		$this->send_headers( $known ? 200 : 404, 'application/json' );
		echo wp_json_encode(
			$known
			? array(
				'site_id'    => $pending['site_id'],
				'public_key' => $pending['key']->public_x(),
				'signature'  => $pending['key']->answer_challenge( $pending['site_id'], $nonce ),
			)
			: array( 'code' => 'nothing_is_being_paired' )
		);
		exit;
	}

	/**
	 * Answers a browser as far as can be done early. Ends the request, unless a sign-in is due.
	 */
	public function answer(): void {
		// The site's language, not that of whoever happens to be signed in: the same page for everyone.
		switch_to_locale( get_locale() );

		$connection = $this->store->connection();
		if ( null === $connection ) {
			$this->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'not_paired' ), new Gatepass_Policy( null ) );
		}
		if ( ! $this->store->is_enabled() ) {
			$this->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'switched_off' ), $connection->policy() );
		}

		switch ( $this->request->method() ) {
			case 'GET':
			case 'HEAD':
				// Nothing is read from such a request, so nothing can be spent by it.
				header_remove( 'Set-Cookie' );
				$this->show( 200, 'landing', $this->pages()->landing( $connection->policy()->panel_url() ) );
				// It has exited.
			case 'POST':
				// For Site Health, and whoever looks for the cause: did `Origin` survive the way?
				header( 'X-Gatepass-Origin: ' . ( $this->request->comes_from( Gatepass_Origin::of_site( self::url() ) ) ? 'match' : 'mismatch' ) );
				$this->take_post( $connection, new Gatepass_Reference( random_bytes( 8 ) ) );
				break;

			default:
				header( 'Allow: GET, HEAD, POST' );
				$this->send_headers( 405, 'text/plain' );
				exit;
		}
	}

	/**
	 * Checks what was posted, and has the sign-in done when WordPress is loaded.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Reference  $reference  The reference of this request.
	 */
	private function take_post( Gatepass_Connection $connection, Gatepass_Reference $reference ): void {
		$unverified_token = $this->request->field( 'token', Gatepass_Handoff::MAX_BYTES );
		$attempt          = Gatepass_Attempt::parse( $this->request->field( 'attempt' ) );
		$invalid          = new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'handoff_invalid' );

		$handoff = Gatepass_Handoff::verify( $unverified_token, $connection->keys(), $connection->site_id() );
		if ( null === $handoff ) {
			$this->refuse( $invalid, $connection->policy(), $reference );
		}

		$origin = Gatepass_Origin::of_site( self::url() );
		if ( null === $origin ) {
			$this->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'origin_unknown' ), $connection->policy(), $reference );
		}
		if ( ! $this->request->comes_from( $origin ) ) {
			if ( '' !== $this->request->field( 'repost' ) ) {
				$this->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'origin_mismatch' ), $connection->policy(), $reference );
			}
			$this->show( 200, 'landing', $this->pages()->landing( $connection->policy()->panel_url(), $handoff ) );
		}

		if ( null === $attempt ) {
			$this->refuse( $invalid, $connection->policy(), $reference );
		}

		$sign_in = function () use ( $connection, $handoff, $attempt, $reference ): void {
			$this->sign_in( $connection, $handoff, $attempt, $reference );
		};
		if ( did_action( 'wp_loaded' ) ) {
			$sign_in();
		} else {
			add_action( 'wp_loaded', $sign_in, PHP_INT_MAX );
		}
	}

	/**
	 * Signs in and sends the browser on. Ends the request.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Handoff    $handoff    The checked token.
	 * @param Gatepass_Attempt    $attempt    The browser's attempt.
	 * @param Gatepass_Reference  $reference  The reference of this request.
	 */
	private function sign_in( Gatepass_Connection $connection, Gatepass_Handoff $handoff, Gatepass_Attempt $attempt, Gatepass_Reference $reference ): void {
		// Sent early, because whoever acts on `wp_login` may answer in our place.
		$this->send_no_store_headers();
		try {
			$destination = $this->login->run( $connection, $handoff, $attempt, $reference, $this->request );
		} catch ( Gatepass_Refusal $refusal ) {
			if ( $refusal->passes() ) {
				// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner; a cause is a code, never a secret.
				error_log( sprintf( 'Gatepass %s: %s', $reference->shown(), sanitize_key( $refusal->cause() ) ) );
			}
			$this->refuse( $refusal, $connection->policy(), $reference, $handoff, $attempt );
			return; // For readers: it has exited.
		}
		// Under the name that browsers know it by, too; Gatepass_Redirects has compared the whole origin.
		add_filter(
			'allowed_redirect_hosts',
			static function ( $hosts ): array {
				return array_merge( (array) $hosts, array( (string) wp_parse_url( (string) Gatepass_Origin::of_site( home_url() ), PHP_URL_HOST ) ) );
			}
		);
		wp_safe_redirect( $destination, 303, 'Gatepass' );
		exit;
	}

	/**
	 * Shows a refusal and ends the request.
	 *
	 * @param Gatepass_Refusal        $refusal   Which.
	 * @param Gatepass_Policy         $policy    Links.
	 * @param Gatepass_Reference|null $reference The reference, if there is anything to look up.
	 * @param Gatepass_Handoff|null   $handoff   A checked token that may be tried again.
	 * @param Gatepass_Attempt|null   $attempt   Its attempt.
	 */
	private function refuse( Gatepass_Refusal $refusal, Gatepass_Policy $policy, ?Gatepass_Reference $reference = null, ?Gatepass_Handoff $handoff = null, ?Gatepass_Attempt $attempt = null ): void {
		if ( $refusal->passes() ) {
			header( 'Retry-After: ' . $refusal->retry_after() );
		}
		$this->show( $refusal->status(), $refusal->page(), $this->pages()->refusal( $refusal, $policy, $reference, $handoff, $attempt ) );
	}

	/**
	 * Shows a page and ends the request.
	 *
	 * @param int    $status HTTP status.
	 * @param string $name   Name of the page, for Site Health and for tests.
	 * @param string $html   The page.
	 */
	private function show( int $status, string $name, string $html ): void {
		$origins = array_filter( array( Gatepass_Origin::of_site( home_url() ), Gatepass_Origin::of_site( self::url() ) ) );
		$this->send_headers( $status, 'text/html' );
		header( 'Content-Security-Policy: ' . Gatepass_Pages::content_security_policy( array_unique( $origins ) ) );
		header( 'X-Frame-Options: DENY' );
		header( 'X-Gatepass-Page: ' . $name );
		echo $html; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- Gatepass_Pages escapes piece by piece.
		exit;
	}

	/**
	 * Headers of every answer of ours.
	 *
	 * @param int    $status HTTP status.
	 * @param string $type   Media type.
	 */
	private function send_headers( int $status, string $type ): void {
		status_header( $status );
		header( 'Content-Type: ' . $type . '; charset=utf-8' );
		header( 'X-Content-Type-Options: nosniff' );
		header( 'X-Robots-Tag: noindex, nofollow' );
		$this->send_no_store_headers();
	}

	/**
	 * Keeps caches and other sites from learning anything.
	 *
	 * The referrer policy is not the strictest. Under `no-referrer` a browser sends `Origin: null`
	 * with our own form (Fetch, "append a request Origin header"), and then no POST could be told
	 * from a foreign one. `same-origin` tells other sites as little, and the token is in no URL that
	 * is ever sent.
	 */
	private function send_no_store_headers(): void {
		header( 'Cache-Control: no-store' );
		header( 'Referrer-Policy: same-origin' );
	}

	/**
	 * The pages of this site.
	 *
	 * @return Gatepass_Pages
	 */
	private function pages(): Gatepass_Pages {
		return new Gatepass_Pages( wp_specialchars_decode( get_bloginfo( 'name' ), ENT_QUOTES ), self::url() );
	}
}
