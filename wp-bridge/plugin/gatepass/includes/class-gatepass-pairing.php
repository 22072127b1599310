<?php
/**
 * Pairing this WordPress with a bridge.
 *
 * @package Gatepass
 */

/**
 * Pairs, and undoes it. The settings page and WP-CLI both come here.
 */
final class Gatepass_Pairing {

	/**
	 * Refusals after which a code is of no use, nor the key made for it.
	 */
	const FINAL_REFUSALS = array( 'pairing_code_invalid', 'pairing_replace_required' );

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * The bridge.
	 *
	 * @var Gatepass_Bridge
	 */
	private $bridge;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store  $store  Settings.
	 * @param Gatepass_Bridge $bridge The bridge.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Bridge $bridge ) {
		$this->store  = $store;
		$this->bridge = $bridge;
	}

	/**
	 * Pairs by what the owner pasted. What was there before stays until the new pairing stands.
	 *
	 * @param string $pasted The pairing code.
	 * @return Gatepass_Connection
	 * @throws Gatepass_Pairing_Failed With a message for the owner.
	 */
	public function pair( string $pasted ): Gatepass_Connection {
		$code = Gatepass_Pairing_String::parse( $pasted );
		if ( null === $code ) {
			throw Gatepass_Pairing_Failed::because( 'code_unreadable' );
		}
		if ( ! Gatepass_Bridge::may_pair( $code->bridge() ) ) {
			throw Gatepass_Pairing_Failed::because( Gatepass_Bridge::is_safe( $code->bridge() ) ? 'bridge_on_this_machine' : 'bridge_not_https', $code->bridge() );
		}
		$home = Gatepass_Origin::of_site( home_url() );
		if ( null === $home || null === Gatepass_Origin::of_site( Gatepass_Endpoint::url() ) ) {
			throw Gatepass_Pairing_Failed::because( 'own_address_unknown' );
		}
		if ( Gatepass_Origin::of_site( Gatepass_Endpoint::url() ) !== $home ) {
			throw Gatepass_Pairing_Failed::because( 'endpoint_elsewhere' );
		}

		$key    = $this->store->begin_pairing( $code );
		$answer = $this->ask( $code, $key );
		if ( $answer->is_lost() && 'http_request_not_executed' !== $answer->code() ) {
			// The bridge may know the new key by now. So it is kept, and the same code asks again with it.
			throw Gatepass_Pairing_Failed::because( 'no_answer', $code->bridge(), $answer->status() );
		}
		if ( 200 !== $answer->status() ) {
			if ( in_array( $answer->code(), self::FINAL_REFUSALS, true ) ) {
				$this->store->end_pairing( $key );
			}
			$detail = '' === $answer->first_mistake() ? $answer->detail() : $answer->first_mistake();
			throw Gatepass_Pairing_Failed::because( '' === $answer->code() ? 'bridge_answered' : $answer->code(), $code->bridge(), $answer->status(), $detail );
		}
		$connection = $this->read( $answer->members(), $code, $key );
		$this->store->save_connection( $connection );
		$this->store->end_pairing( $key );
		// So that the members are there before the first of them comes.
		Gatepass_Sync_Cron::schedule();
		Gatepass_Sync_Cron::go_on();
		return $connection;
	}

	/**
	 * Asks the bridge. If it does not take our old key's word for the new one, and our clock is wrong,
	 * it asks once more by the bridge's clock: the word of a wrong time does not count.
	 *
	 * @param Gatepass_Pairing_String $code The pairing code.
	 * @param Gatepass_Site_Key       $key  Our new key.
	 * @return Gatepass_Answer
	 */
	private function ask( Gatepass_Pairing_String $code, Gatepass_Site_Key $key ): Gatepass_Answer {
		$body   = $this->body( $code, $key );
		$answer = $this->bridge->pair( $code->bridge(), $body );
		if ( 'pairing_replace_required' === $answer->code() && isset( $body['replaces'] ) && null !== $answer->date()
			&& abs( $answer->date() - $this->store->bridge_time() ) > 2 ) {
			$this->store->learn_bridge_time( $answer->date() );
			$answer = $this->bridge->pair( $code->bridge(), $this->body( $code, $key ) );
		}
		return $answer;
	}

	/**
	 * Forgets the connection. Users and their identities stay, so that pairing again finds them.
	 */
	public function unpair(): void {
		$this->store->forget_connection();
		$this->store->end_pairing();
		Gatepass_Heartbeat::stop();
		Gatepass_Sync_Cron::stop();
	}

	/**
	 * What we say of ourselves.
	 *
	 * @param Gatepass_Pairing_String $code The pairing code.
	 * @param Gatepass_Site_Key       $key  Our new key.
	 * @return array<string,mixed>
	 */
	private function body( Gatepass_Pairing_String $code, Gatepass_Site_Key $key ): array {
		$body = array(
			'site_id'          => $code->site_id(),
			'secret'           => $code->secret(),
			'url'              => Gatepass_Origin::of_blog(),
			'landing_url'      => Gatepass_Endpoint::url(),
			'public_key'       => $key->to_jwk(),
			'versions'         => Gatepass_Heartbeat::versions(),
			// They may have changed since the code was made.
			'keys_fingerprint' => $code->keys_fingerprint(),
		);

		// Paired as this site before: the old key vouches for the new one.
		$old = $this->store->connection();
		if ( null !== $old && $old->site_id() === $code->site_id() ) {
			$body['replaces'] = $old->site_key()->proof( $old->site_id(), $code->bridge(), $this->store->bridge_time() );
		}
		return $body;
	}

	/**
	 * Reads the bridge's answer and compares it with the pairing code: keys that the code did not
	 * promise are nobody's keys.
	 *
	 * @param array<string,mixed>     $answer The answer's members.
	 * @param Gatepass_Pairing_String $code   The pairing code.
	 * @param Gatepass_Site_Key       $key    Our new key.
	 * @return Gatepass_Connection
	 * @throws Gatepass_Pairing_Failed If it does not fit.
	 */
	private function read( array $answer, Gatepass_Pairing_String $code, Gatepass_Site_Key $key ): Gatepass_Connection {
		$key_set = is_array( $answer['key_set'] ?? null ) ? $answer['key_set'] : array();
		$keys    = Gatepass_Key_Set::from_jwks( $key_set['keys'] ?? null );
		$issuer  = $answer['issuer'] ?? null;
		$bridge  = $answer['bridge'] ?? null;
		if ( null === $keys || ! hash_equals( $code->keys_fingerprint(), $keys->fingerprint() ) ) {
			throw Gatepass_Pairing_Failed::because( 'keys_differ', $code->bridge() );
		}
		if ( null !== $code->issuer() && $code->issuer() !== $issuer ) {
			throw Gatepass_Pairing_Failed::because( 'issuer_differs', $code->bridge() );
		}
		if ( ( $answer['site_id'] ?? null ) !== $code->site_id()
			|| ! is_string( $issuer ) || null === Gatepass_Origin::of( $issuer )
			|| ! is_string( $bridge ) || ! Gatepass_Bridge::may_pair( $bridge ) ) {
			throw Gatepass_Pairing_Failed::because( 'bridge_answered', $code->bridge(), 200 );
		}
		return new Gatepass_Connection(
			$code->site_id(),
			$issuer,
			$bridge,
			$keys,
			is_int( $key_set['version'] ?? null ) ? $key_set['version'] : 1,
			new Gatepass_Policy( $answer['policy'] ?? null ),
			$key,
			time()
		);
	}
}
