<?php
/**
 * The bridge, spoken to over HTTP.
 *
 * @package Gatepass
 */

/**
 * Calls of the WordPress API. It asks once: a lost answer is never asked for again by itself,
 * because only the browser may decide to repeat its attempt. The exceptions are a proof that was refused
 * for our clock's sake, and one by a key that the bridge does not know, before it looked at anything else.
 */
final class Gatepass_Bridge {

	const REDEEM_SECONDS  = 8;
	const REPORT_SECONDS  = 3;
	const PAIRING_SECONDS = 25;

	/**
	 * Longest answer that is read, in bytes.
	 */
	const MAX_ANSWER = 262144;

	/**
	 * Longest page of changes that is read, in bytes: 100 members, each with the longest names there can be.
	 */
	const MAX_CHANGES = 4194304;

	/**
	 * Settings; they know the bridge's clock.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store $store Settings.
	 */
	public function __construct( Gatepass_Store $store ) {
		$this->store = $store;
	}

	/**
	 * Pairs. The bridge fetches our challenge during this call.
	 *
	 * @param string              $bridge Base URL of the bridge.
	 * @param array<string,mixed> $body   What we say of ourselves.
	 * @return Gatepass_Answer
	 */
	public function pair( string $bridge, array $body ): Gatepass_Answer {
		return $this->send( rtrim( $bridge, '/' ) . '/wp/v1/pairings', $body, array(), self::PAIRING_SECONDS );
	}

	/**
	 * Redeems a handoff, or looks at what redeeming it would give.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param array<string,mixed> $body       Token, attempt, address and name of the browser.
	 * @param string              $request_id The reference, for the audit trail.
	 * @return Gatepass_Answer
	 */
	public function redeem( Gatepass_Connection $connection, array $body, string $request_id ): Gatepass_Answer {
		return $this->send_proven( $connection, '/wp/v1/redemptions', $body, $request_id, self::REDEEM_SECONDS );
	}

	/**
	 * Reports what became of a redeemed handoff. Nobody waits for the answer.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param string              $handoff_id Which handoff.
	 * @param array<string,mixed> $outcome    What became of it.
	 * @param string              $request_id The reference.
	 * @return Gatepass_Answer
	 */
	public function report( Gatepass_Connection $connection, string $handoff_id, array $outcome, string $request_id ): Gatepass_Answer {
		$path = '/wp/v1/redemptions/' . rawurlencode( $handoff_id ) . '/outcome';
		return $this->send_proven( $connection, $path, $outcome, $request_id, self::REPORT_SECONDS );
	}

	/**
	 * Says that this site is there.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param array<string,mixed> $body       Versions and addresses.
	 * @param string              $request_id The reference.
	 * @return Gatepass_Answer
	 */
	public function heartbeat( Gatepass_Connection $connection, array $body, string $request_id ): Gatepass_Answer {
		return $this->send_proven( $connection, '/wp/v1/heartbeat', $body, $request_id, self::REPORT_SECONDS );
	}

	/**
	 * Asks what has changed.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param int                 $after      Up to which position everything is done.
	 * @param string              $epoch      Of which epoch that is; empty to begin at the beginning.
	 * @param string              $request_id The reference.
	 * @param int                 $seconds    Patience.
	 * @return Gatepass_Answer
	 */
	public function changes( Gatepass_Connection $connection, int $after, string $epoch, string $request_id, int $seconds ): Gatepass_Answer {
		$path = '/wp/v1/changes?after=' . $after . ( '' === $epoch ? '' : '&epoch=' . rawurlencode( $epoch ) );
		return $this->send_proven( $connection, $path, null, $request_id, $seconds );
	}

	/**
	 * Asks for the signed key sets that are newer than what is pinned.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param string              $request_id The reference.
	 * @return Gatepass_Answer
	 */
	public function key_sets( Gatepass_Connection $connection, string $request_id ): Gatepass_Answer {
		return $this->send_proven( $connection, '/wp/v1/key-sets?after=' . $connection->keys_version(), null, $request_id, self::REPORT_SECONDS );
	}

	/**
	 * Tells the bridge of a new key of ours. It fetches our challenge during this call.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param Gatepass_Site_Key   $key        The new key.
	 * @param string              $request_id The reference.
	 * @return Gatepass_Answer
	 */
	public function renew_site_key( Gatepass_Connection $connection, Gatepass_Site_Key $key, string $request_id ): Gatepass_Answer {
		$body = array(
			'public_key' => $key->to_jwk(),
			'proof'      => $key->proof( $connection->site_id(), $connection->bridge(), $this->store->bridge_time() ),
		);
		return $this->send_proven( $connection, '/wp/v1/site-key', $body, $request_id, self::PAIRING_SECONDS );
	}

	/**
	 * Takes a key that the bridge knows for this site's own.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Site_Key   $key        The key.
	 * @return bool Whether it is ours now.
	 */
	public static function take_for_own( Gatepass_Connection $connection, Gatepass_Site_Key $key ): bool {
		return null !== Gatepass_Keys::change(
			$connection,
			static function ( Gatepass_Connection $now, Gatepass_Keys $keys ) use ( $key ): Gatepass_Keys {
				return $keys->with_own( $key, $now->site_key(), time() );
			}
		);
	}

	/**
	 * Says what came of changes.
	 *
	 * @param Gatepass_Connection            $connection Which bridge.
	 * @param string                         $epoch      Of which epoch they were.
	 * @param array<int,array<string,mixed>> $acks       What came of each; at most 100.
	 * @param string                         $request_id The reference.
	 * @param int                            $seconds    Patience.
	 * @return Gatepass_Answer
	 */
	public function acknowledge( Gatepass_Connection $connection, string $epoch, array $acks, string $request_id, int $seconds ): Gatepass_Answer {
		$body = array(
			'epoch' => $epoch,
			'acks'  => $acks,
		);
		return $this->send_proven( $connection, '/wp/v1/changes/acks', $body, $request_id, $seconds );
	}

	/**
	 * Whether we may speak to a bridge at all.
	 *
	 * @param string $url Base URL of the bridge.
	 * @return bool False for plain HTTP to anywhere but this machine.
	 */
	public static function is_safe( string $url ): bool {
		$origin = Gatepass_Origin::of( $url );
		return null !== $origin
			&& ( 0 === strpos( $origin, 'https://' )
				|| apply_filters( Gatepass_Names::FILTER_ALLOW_PLAIN_HTTP, Gatepass_Origin::is_loopback( $url ), $url ) );
	}

	/**
	 * Whether this site may be paired with a bridge at an address. On a network, where a blog's owner
	 * need not be the server's, this machine is for those who run the network, by `wp` or signed in.
	 *
	 * @param string $url Base URL of the bridge.
	 * @return bool
	 */
	public static function may_pair( string $url ): bool {
		// A query or fragment would swallow the path of every call.
		if ( strlen( $url ) !== strcspn( $url, '?#' ) || ! self::is_safe( $url ) ) {
			return false;
		}
		if ( 0 === strpos( (string) Gatepass_Origin::of( $url ), 'https://' ) || ! is_multisite() || ( defined( 'WP_CLI' ) && WP_CLI ) ) {
			return true;
		}
		return (bool) apply_filters( Gatepass_Names::FILTER_ALLOW_PLAIN_HTTP, current_user_can( 'manage_network_options' ), $url );
	}

	/**
	 * Sends with our proof; once more with the bridge's own time if our clock was the trouble, and with another key of
	 * ours if the bridge knows us by that.
	 *
	 * @param Gatepass_Connection      $connection Which bridge.
	 * @param string                   $path       Path below the bridge's URL.
	 * @param array<string,mixed>|null $body       JSON members, the same both times, attempt included. Null to GET.
	 * @param string                   $request_id The reference.
	 * @param int                      $seconds    Patience.
	 * @return Gatepass_Answer
	 */
	private function send_proven( Gatepass_Connection $connection, string $path, ?array $body, string $request_id, int $seconds ): Gatepass_Answer {
		$send = function ( Gatepass_Site_Key $key ) use ( $connection, $path, $body, $request_id, $seconds ): Gatepass_Answer {
			$proof = $key->proof( $connection->site_id(), $connection->bridge(), $this->store->bridge_time() );
			return $this->send(
				rtrim( $connection->bridge(), '/' ) . $path,
				$body,
				array(
					'Authorization' => 'Bearer ' . $proof,
					'X-Request-Id'  => $request_id,
				),
				$seconds
			);
		};

		$answer = $send( $connection->site_key() );
		if ( 401 === $answer->status() && 'site_proof_expired' === $answer->code() && null !== $answer->date() ) {
			$this->store->learn_bridge_time( $answer->date() );
			$answer = $send( $connection->site_key() );
		}
		if ( self::is_unproven( $answer ) ) {
			foreach ( Gatepass_Keys::read_anew( $connection->pairing() )->others( $connection, time() ) as $key ) {
				$answer = $send( $key );
				if ( ! self::is_unproven( $answer ) ) {
					$this->note_known_by( $connection, $key, $answer );
					break;
				}
			}
		}
		$this->note_refusal( $connection, $answer );
		( new Gatepass_Key_Update( $this ) )->hear( $connection, $answer->members()['keys_version'] ?? null );
		return $answer;
	}

	/**
	 * Whether the bridge did not believe that it is us.
	 *
	 * @param Gatepass_Answer $answer Its answer.
	 * @return bool
	 */
	private static function is_unproven( Gatepass_Answer $answer ): bool {
		return 401 === $answer->status() && 'site_proof_invalid' === $answer->code();
	}

	/**
	 * Keeps by which key the bridge knows us: the one that was to come, if the answer to its renewal was lost; or the one
	 * before, if the bridge has lost the renewal.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Site_Key   $key        The key.
	 * @param Gatepass_Answer     $answer     What the bridge answered to it.
	 */
	private function note_known_by( Gatepass_Connection $connection, Gatepass_Site_Key $key, Gatepass_Answer $answer ): void {
		if ( 200 !== $answer->status() ) {
			return;
		}
		$is = static function ( ?Gatepass_Site_Key $other ) use ( $key ): bool {
			return null !== $other && $other->public_x() === $key->public_x();
		};
		Gatepass_Keys::change(
			$connection,
			static function ( Gatepass_Connection $now, Gatepass_Keys $keys ) use ( $key, $is ): Gatepass_Keys {
				if ( $is( $keys->pending() ) ) {
					return $keys->with_own( $key, $now->site_key(), time() );
				}
				return $is( $keys->previous() ) ? $keys->with_previous_again( time() ) : $keys;
			}
		);
	}

	/**
	 * Keeps since when the bridge believes none of our keys, and that it does again.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param Gatepass_Answer     $answer     What the bridge answered.
	 */
	private function note_refusal( Gatepass_Connection $connection, Gatepass_Answer $answer ): void {
		$is_refused = self::is_unproven( $answer );
		$was        = Gatepass_Keys::of( $connection->pairing() )->refused_at() > 0;
		if ( $is_refused !== $was && ( $is_refused || 200 === $answer->status() ) ) {
			Gatepass_Keys::change(
				$connection,
				static function ( Gatepass_Connection $now, Gatepass_Keys $keys ) use ( $is_refused ): Gatepass_Keys {
					return $keys->with_refused_at( $is_refused ? time() : 0 );
				}
			);
		}
	}

	/**
	 * Sends one request.
	 *
	 * @param string                   $url     Where to.
	 * @param array<string,mixed>|null $body    JSON members; null to GET.
	 * @param array<string,string>     $headers Headers.
	 * @param int                      $seconds Patience.
	 * @return Gatepass_Answer
	 */
	private function send( string $url, ?array $body, array $headers, int $seconds ): Gatepass_Answer {
		if ( ! self::is_safe( $url ) ) {
			return Gatepass_Answer::none( 'bridge_not_https' );
		}
		$options = array(
			'timeout'             => $seconds,
			'redirection'         => 0,
			'sslverify'           => true,
			'limit_response_size' => null === $body ? self::MAX_CHANGES : self::MAX_ANSWER,
			'user-agent'          => 'Gatepass-WordPress/' . GATEPASS_VERSION,
			'headers'             => $headers + array( 'Accept' => 'application/json, application/problem+json' ),
		);
		if ( null === $body ) {
			$response = wp_remote_get( $url, $options );
		} else {
			$options['headers']['Content-Type'] = 'application/json';
			$options['body']                    = (string) wp_json_encode( $body );
			$response                           = wp_remote_post( $url, $options );
		}
		return is_wp_error( $response ) ? Gatepass_Answer::none( (string) $response->get_error_code() ) : Gatepass_Answer::from_response( $response );
	}
}
