<?php
/**
 * The login endpoint: wp-admin/admin-post.php?action=gatepass
 *
 * @package Gatepass
 */

/**
 * Answers browsers, the bridge's challenge and the broker's pokes. No cache keeps what lies in wp-admin, and plugins
 * that hide wp-login.php leave admin-post.php alone; hence this address.
 *
 * Everything cheap happens as early as `init` allows, so that strangers cost little: the landing
 * page, the start, and refusing what is no token of ours. The sign-in waits for `wp_loaded`, when
 * everybody who wants to hear of a login is there.
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
	 * Answers.
	 *
	 * @var Gatepass_Responder
	 */
	private $responder;

	/**
	 * The start.
	 *
	 * @var Gatepass_Start
	 */
	private $start;

	/**
	 * The sign-in.
	 *
	 * @var Gatepass_Login
	 */
	private $login;

	/**
	 * What a poke asks for.
	 *
	 * @var Gatepass_Sync
	 */
	private $sync;

	/**
	 * Follows the broker's keys.
	 *
	 * @var Gatepass_Key_Update
	 */
	private $keys;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store      $store     Settings.
	 * @param Gatepass_Request    $request   The request.
	 * @param Gatepass_Responder  $responder Answers.
	 * @param Gatepass_Start      $start     The start.
	 * @param Gatepass_Login      $login     The sign-in.
	 * @param Gatepass_Sync       $sync      What a poke asks for.
	 * @param Gatepass_Key_Update $keys      Follows the broker's keys.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Request $request, Gatepass_Responder $responder, Gatepass_Start $start, Gatepass_Login $login, Gatepass_Sync $sync, Gatepass_Key_Update $keys ) {
		$this->store     = $store;
		$this->request   = $request;
		$this->responder = $responder;
		$this->start     = $start;
		$this->login     = $login;
		$this->sync      = $sync;
		$this->keys      = $keys;
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
		$asked = $this->store->key_asked_about();
		$nonce = $this->request->query( 'nonce' );
		if ( null === $asked || 1 !== preg_match( '/\A[A-Za-z0-9_-]{43}\z/', $nonce ) ) {
			$this->responder->say( 404, 'application/json', 'challenge', (string) wp_json_encode( array( 'code' => 'nothing_is_being_paired' ) ) );
			return; // For readers: it has exited.
		}
		$answer = array(
			'site_id'    => $asked['site_id'],
			'public_key' => $asked['key']->public_x(),
			'signature'  => $asked['key']->answer_challenge( $asked['site_id'], $nonce ),
		);
		$this->responder->say( 200, 'application/json', 'challenge', (string) wp_json_encode( $answer ) );
	}

	/**
	 * Answers a browser as far as can be done early. Ends the request, unless a sign-in is due.
	 */
	public function answer(): void {
		// The site's language, not that of whoever happens to be signed in: the same page for everyone.
		switch_to_locale( get_locale() );

		$is_read    = in_array( $this->request->method(), array( 'GET', 'HEAD' ), true );
		$connection = $this->store->connection();
		if ( $is_read && '1' === $this->request->query( Gatepass_Names::QUERY_PROBE ) ) {
			$this->answer_probe( $connection );
		}
		if ( 'POST' === $this->request->method() && '1' === $this->request->query( Gatepass_Names::QUERY_POKE ) ) {
			$this->take_poke( $connection );
			return;
		}
		$reference = new Gatepass_Reference( random_bytes( 8 ) );
		if ( null === $connection ) {
			$this->responder->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'not_paired' ), new Gatepass_Policy( null ), $reference );
		}
		if ( ! $this->store->is_enabled() ) {
			$this->responder->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'switched_off' ), $connection->policy(), $reference );
		}

		if ( 'POST' === $this->request->method() ) {
			// For Site Health, and whoever looks for the cause: did `Origin` survive the way?
			header( 'X-Gatepass-Origin: ' . ( $this->request->comes_from( Gatepass_Origin::of_site( self::url() ) ) ? 'match' : 'mismatch' ) );
			$this->take_post( $connection, $reference );
		} elseif ( $is_read ) {
			header_remove( 'Set-Cookie' );
			if ( $this->start->is_asked_for() ) {
				$this->begin( $connection, $reference );
			}
			// Nothing else is read from such a request, so nothing can be spent by it.
			$this->responder->show( 200, 'landing', $this->responder->pages()->landing( $connection->policy()->panel_url() ) );
		} else {
			header( 'Allow: GET, HEAD, POST' );
			$this->responder->say( 405, 'text/plain', 'method', '' );
		}
	}

	/**
	 * Says who we are, with a cookie: whoever looks after the site sees from outside whether this address
	 * is reached, by whom it is answered, and whether cookies survive the way. It tells nothing that the
	 * page of a handoff does not.
	 *
	 * @param Gatepass_Connection|null $connection The connection.
	 */
	private function answer_probe( ?Gatepass_Connection $connection ): void {
		( new Gatepass_Cookie( Gatepass_Names::COOKIE_PROBE, Gatepass_Names::COOKIE_PROBE ) )->set( '1', time() + 60 );
		$site = null === $connection ? 'not_paired' : $connection->site_id();
		$this->responder->say( 200, 'text/plain', 'probe', 'gatepass ' . $site . ' ' . GATEPASS_VERSION . "\n" );
	}

	/**
	 * Pulls, if the broker says so, when everybody who wants to hear of new users is there. Whatever else comes here costs
	 * neither a look at the bridge nor a row; but what names a key that is not pinned has the bridge asked for its keys,
	 * as often as Gatepass_Key_Update allows anybody to.
	 *
	 * @param Gatepass_Connection|null $connection The connection.
	 */
	private function take_poke( ?Gatepass_Connection $connection ): void {
		header_remove( 'Set-Cookie' );
		if ( null === $connection ) {
			$this->say_of_poke( 404, array( 'code' => 'not_paired' ) );
		}
		$learn     = ! $this->store->is_enabled() || $this->store->is_copy() ? null : array( $this->keys, 'fetch' );
		$issued_at = Gatepass_Poke::verify( $this->request->field( 'poke', Gatepass_Token::MAX_BYTES ), $connection, $learn );
		if ( null === $issued_at ) {
			$this->say_of_poke( 401, array( 'code' => 'poke_invalid' ) );
		}
		if ( ! $this->store->is_enabled() ) {
			$this->say_of_poke( 503, array( 'code' => 'switched_off' ) );
		}
		Gatepass_Poke::keep( $issued_at, $connection );
		$pull = function (): void {
			$this->pull();
		};
		if ( did_action( 'wp_loaded' ) ) {
			$pull();
		} else {
			add_action( 'wp_loaded', $pull, PHP_INT_MAX );
		}
	}

	/**
	 * Pulls, and says what came of it. Ends the request.
	 */
	private function pull(): void {
		// Should the poke have come with somebody's cookie, it is still nobody who changes these users.
		wp_set_current_user( 0 );
		$pulled = $this->sync->run( Gatepass_Sync::POKE_SECONDS );
		switch ( $pulled->outcome() ) {
			case Gatepass_Pulled::BUSY:
				$this->say_of_poke( 202, array( 'code' => 'busy' ) );
				break;

			case Gatepass_Pulled::FAILED:
				$this->say_of_poke(
					503,
					array(
						'code'   => 'not_pulled',
						'reason' => $pulled->reason(),
					)
				);
				break;

			default:
				$this->say_of_poke(
					200,
					array(
						'code'     => 'pulled',
						'position' => $pulled->position(),
					)
				);
		}
	}

	/**
	 * Answers a poke. Ends the request.
	 *
	 * @param int                      $status HTTP status.
	 * @param array<string,string|int> $answer What is said.
	 */
	private function say_of_poke( int $status, array $answer ): void {
		$this->responder->say( $status, 'application/json', 'poke', (string) wp_json_encode( $answer ) );
	}

	/**
	 * Binds the browser and sends it to the panel.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Reference  $reference  The reference of this request.
	 */
	private function begin( Gatepass_Connection $connection, Gatepass_Reference $reference ): void {
		try {
			$this->responder->leave( $this->start->begin( $connection ) );
		} catch ( Gatepass_Refusal $refusal ) {
			$this->responder->refuse( $refusal, $connection->policy(), $reference );
		}
	}

	/**
	 * Checks what was posted, and has the sign-in done when WordPress is loaded.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Reference  $reference  The reference of this request.
	 */
	private function take_post( Gatepass_Connection $connection, Gatepass_Reference $reference ): void {
		$refuse = function ( string $page, string $cause ) use ( $connection, $reference ): void {
			$this->responder->refuse( new Gatepass_Refusal( $page, $cause ), $connection->policy(), $reference );
		};

		$unverified_token = $this->request->field( 'token', Gatepass_Handoff::MAX_BYTES );
		$handoff          = Gatepass_Handoff::verify( $unverified_token, $connection->keys(), $connection->site_id() );
		if ( null === $handoff ) {
			$refuse( Gatepass_Refusal::ASK_AGAIN, 'token_invalid' );
		}

		$origin = Gatepass_Origin::of_site( self::url() );
		if ( null === $origin ) {
			$refuse( Gatepass_Refusal::TEMPORARY, 'origin_unknown' );
		}
		if ( ! $this->request->comes_from( $origin ) ) {
			if ( '' !== $this->request->field( 'repost' ) ) {
				$refuse( Gatepass_Refusal::TEMPORARY, 'origin_mismatch' );
			}
			$this->responder->show( 200, 'landing', $this->responder->pages()->landing( $connection->policy()->panel_url(), $handoff ) );
		}

		$attempt = Gatepass_Attempt::parse( $this->request->field( 'attempt' ) );
		if ( null === $attempt ) {
			$refuse( Gatepass_Refusal::ASK_AGAIN, 'attempt_invalid' );
		}

		$arrival = new Gatepass_Arrival( $connection, $handoff, $attempt, Gatepass_Binding::of( $this->request ), $reference );
		if ( ! $arrival->may_be_redeemed() ) {
			// Not shown to the bridge, and so not spent.
			$this->refuse_arrival( $arrival, new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'binding_absent' ) );
		}

		$sign_in = function () use ( $arrival ): void {
			$this->sign_in( $arrival );
		};
		if ( did_action( 'wp_loaded' ) ) {
			$sign_in();
		} else {
			add_action( 'wp_loaded', $sign_in, PHP_INT_MAX );
		}
	}

	/**
	 * Signs in and sends the browser on, or asks first whether whoever is signed in here wants that.
	 * Ends the request.
	 *
	 * @param Gatepass_Arrival $arrival Who arrived.
	 */
	private function sign_in( Gatepass_Arrival $arrival ): void {
		// Sent early, because whoever acts on `wp_login` may answer in our place.
		$this->responder->send_no_store_headers();
		try {
			$other = $this->login->somebody_else( $arrival );
			if ( null !== $other && (string) $other->ID !== $this->request->field( 'leaving' ) ) {
				list( $name, $actor ) = $this->login->preview( $arrival, $this->request );
				$this->responder->show( 200, 'confirm', $this->responder->pages()->confirm( $arrival, $other, $name, $actor ) );
			}
			$this->responder->arrive( $this->login->run( $arrival, $this->request ) );
		} catch ( Gatepass_Refusal $refusal ) {
			$this->refuse_arrival( $arrival, $refusal );
		}
	}

	/**
	 * Refuses an arrival; or, if it is not bound to this browser as it must be, leads it through the start once more.
	 *
	 * @param Gatepass_Arrival $arrival Who arrived.
	 * @param Gatepass_Refusal $refusal Why not.
	 */
	private function refuse_arrival( Gatepass_Arrival $arrival, Gatepass_Refusal $refusal ): void {
		$policy = $arrival->connection()->policy();
		if ( $refusal->is_of_binding() && null !== $policy->panel_start_url() && ! $arrival->has_just_begun( '1' === $this->request->field( 'bound' ) ) ) {
			$this->responder->show( 200, 'bounce', $this->responder->pages()->bounce( Gatepass_Start::url_again( $arrival->handoff()->subject() ) ) );
		}
		if ( $refusal->passes() ) {
			// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner; a cause is a code, never a secret.
			error_log( sprintf( 'Gatepass %s: %s', $arrival->reference()->shown(), sanitize_key( $refusal->cause() ) ) );
		}
		$this->responder->refuse( $refusal, $policy, $arrival->reference(), $arrival->handoff(), $arrival->attempt() );
	}
}
