<?php
/**
 * The plugin's own settings in WordPress's options.
 *
 * @package Gatepass
 */

/**
 * Reads and writes the options. They belong to a blog, so on a network each blog has its own.
 */
final class Gatepass_Store {

	/**
	 * How long the key of a pairing is kept, in seconds. A code lives for 30 minutes; until then its
	 * owner may ask again with it.
	 */
	const PENDING_SECONDS = 2100;

	/**
	 * Farther than this no clock is believed to be off, in seconds: a year.
	 */
	const MAX_CLOCK_OFFSET = 31536000;

	/**
	 * The connection, with the policy as last heard and the keys as they are now.
	 *
	 * @return Gatepass_Connection|null Null while the site is not paired.
	 */
	public function connection(): ?Gatepass_Connection {
		$connection = Gatepass_Connection::from_array( get_option( Gatepass_Names::OPTION_CONNECTION ) );
		if ( null === $connection ) {
			return null;
		}
		$connection = Gatepass_Keys::of( $connection->pairing() )->applied_to( $connection );
		// A policy heard by a login that was under way while the site was paired anew is not this pairing's.
		$heard = get_option( Gatepass_Names::OPTION_POLICY );
		if ( is_array( $heard ) && ( $heard['public_key'] ?? null ) === $connection->pairing() ) {
			$connection = $connection->with_policy( new Gatepass_Policy( $heard['policy'] ?? null ) );
		}
		return $connection;
	}

	/**
	 * What {@see forget_cached()} has read anew if it is told no more.
	 */
	const WRITTEN_MEANWHILE = array(
		Gatepass_Names::OPTION_CONNECTION,
		Gatepass_Names::OPTION_KEYS,
		Gatepass_Names::OPTION_POLICY,
		Gatepass_Names::OPTION_ENABLED,
		Gatepass_Names::OPTION_SUPPORT,
		Gatepass_Names::OPTION_PENDING,
	);

	/**
	 * Has options read anew, the connection and the switches unless told otherwise: somebody may have changed them since
	 * this request began.
	 *
	 * @param string[] $names Which.
	 */
	public static function forget_cached( array $names = self::WRITTEN_MEANWHILE ): void {
		foreach ( $names as $name ) {
			wp_cache_delete( $name, 'options' );
		}
		// WordPress's lists of the options that are not there, and of those that are autoloaded.
		foreach ( array( 'notoptions', 'alloptions' ) as $list ) {
			$cached = wp_cache_get( $list, 'options', true );
			if ( is_array( $cached ) && array() !== array_intersect_key( $cached, array_flip( $names ) ) ) {
				wp_cache_set( $list, array_diff_key( $cached, array_flip( $names ) ), 'options' );
			}
		}
	}

	/**
	 * Keeps a new connection. The time learnt from the bridge stays: it is this machine's clock that is wrong.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 */
	public function save_connection( Gatepass_Connection $connection ): void {
		self::forget_cached();
		update_option( Gatepass_Names::OPTION_CONNECTION, $connection->to_array(), false );
		delete_option( Gatepass_Names::OPTION_KEYS );
		delete_option( Gatepass_Names::OPTION_POLICY );
		delete_option( Gatepass_Names::OPTION_CONFLICT );
		$this->save_gate_rules( $this->gate_rules_as_stored()->of_pairing( $connection ) );
	}

	/**
	 * Keeps a policy that the bridge told. Never writes the connection, so it can bring no old key back.
	 *
	 * @param Gatepass_Connection $connection What it belongs to.
	 * @param Gatepass_Policy     $policy     The policy of now.
	 */
	public function save_policy( Gatepass_Connection $connection, Gatepass_Policy $policy ): void {
		if ( $connection->policy()->to_array() === $policy->to_array() ) {
			return;
		}
		update_option(
			Gatepass_Names::OPTION_POLICY,
			array(
				'public_key' => $connection->pairing(),
				'policy'     => $policy->to_array(),
			),
			false
		);
	}

	/**
	 * Forgets the connection and our key.
	 */
	public function forget_connection(): void {
		self::forget_cached();
		delete_option( Gatepass_Names::OPTION_CONNECTION );
		delete_option( Gatepass_Names::OPTION_KEYS );
		delete_option( Gatepass_Names::OPTION_KEYS_ASKED );
		delete_option( Gatepass_Names::OPTION_POLICY );
		delete_option( Gatepass_Names::OPTION_CLOCK_OFFSET );
		delete_option( Gatepass_Names::OPTION_CONFLICT );
		delete_option( Gatepass_Names::OPTION_SYNC );
		delete_option( Gatepass_Names::OPTION_POKED );
		$this->save_gate_rules( $this->gate_rules_as_stored()->of_pairing( null ) );
	}

	/**
	 * What the gate goes by. Costs no query: it is asked on every page that a member sees.
	 *
	 * @return Gatepass_Gate_Rules
	 */
	public function gate_rules(): Gatepass_Gate_Rules {
		if ( is_array( get_option( Gatepass_Names::OPTION_GATE ) ) ) {
			return $this->gate_rules_as_stored();
		}
		// The site was paired before there was a gate, or somebody has removed the option.
		$rules = $this->gate_rules_as_stored()->of_pairing( $this->connection() );
		if ( $rules->is_paired() ) {
			$this->save_gate_rules( $rules );
		}
		return $rules;
	}

	/**
	 * Keeps what the gate goes by.
	 *
	 * @param Gatepass_Gate_Rules $rules The rules.
	 */
	public function save_gate_rules( Gatepass_Gate_Rules $rules ): void {
		if ( Gatepass_Gate_Rules::from_array( null )->to_array() === $rules->to_array() ) {
			delete_option( Gatepass_Names::OPTION_GATE );
		} else {
			update_option( Gatepass_Names::OPTION_GATE, $rules->to_array(), true );
		}
	}

	/**
	 * The rules that are there, or else those of a site that is not paired.
	 *
	 * @return Gatepass_Gate_Rules
	 */
	private function gate_rules_as_stored(): Gatepass_Gate_Rules {
		return Gatepass_Gate_Rules::from_array( get_option( Gatepass_Names::OPTION_GATE ) );
	}

	/**
	 * Keeps the key of a pairing in progress, for the challenge's request to find. The same code gets
	 * the same key again: perhaps the bridge has taken it, and only its answer was lost.
	 *
	 * @param Gatepass_Pairing_String $code The pairing code.
	 * @return Gatepass_Site_Key The key for this code.
	 */
	public function begin_pairing( Gatepass_Pairing_String $code ): Gatepass_Site_Key {
		self::forget_cached();
		$pending = $this->pending_pairing();
		if ( null !== $pending && hash_equals( $pending['code'], $code->hash() ) ) {
			return $pending['key'];
		}
		$key = Gatepass_Site_Key::generate();
		update_option(
			Gatepass_Names::OPTION_PENDING,
			array(
				'site_id'  => $code->site_id(),
				'code'     => $code->hash(),
				'site_key' => $key->to_stored(),
				'until'    => time() + self::PENDING_SECONDS,
			),
			false
		);
		return $key;
	}

	/**
	 * The pairing in progress. One that is too old is removed.
	 *
	 * @return array{site_id:string,code:string,key:Gatepass_Site_Key}|null
	 */
	public function pending_pairing(): ?array {
		$stored = get_option( Gatepass_Names::OPTION_PENDING );
		if ( ! is_array( $stored ) ) {
			return null;
		}
		$key = Gatepass_Site_Key::from_stored( $stored['site_key'] ?? null );
		if ( null === $key || (int) ( $stored['until'] ?? 0 ) < time() ) {
			delete_option( Gatepass_Names::OPTION_PENDING );
			return null;
		}
		return array(
			'site_id' => (string) ( $stored['site_id'] ?? '' ),
			'code'    => (string) ( $stored['code'] ?? '' ),
			'key'     => $key,
		);
	}

	/**
	 * The key that the bridge may be asking about now: of a pairing in progress, or else of a renewal.
	 *
	 * @return array{site_id:string,key:Gatepass_Site_Key}|null
	 */
	public function key_asked_about(): ?array {
		$pending = $this->pending_pairing();
		if ( null !== $pending ) {
			return $pending;
		}
		$connection = $this->connection();
		$key        = null === $connection ? null : Gatepass_Keys::of( $connection->pairing() )->asked_about( time() );
		return null === $key ? null : array(
			'site_id' => $connection->site_id(),
			'key'     => $key,
		);
	}

	/**
	 * Ends the pairing in progress, if it is still the one with this key: somebody else may have
	 * begun another.
	 *
	 * @param Gatepass_Site_Key|null $key Its key; null for any.
	 */
	public function end_pairing( ?Gatepass_Site_Key $key = null ): void {
		self::forget_cached();
		$pending = $this->pending_pairing();
		if ( null === $key || ( null !== $pending && $pending['key']->public_x() === $key->public_x() ) ) {
			delete_option( Gatepass_Names::OPTION_PENDING );
		}
	}

	/**
	 * The owner's switch.
	 *
	 * @return bool Whether the button signs anyone in.
	 */
	public function is_enabled(): bool {
		return '0' !== get_option( Gatepass_Names::OPTION_ENABLED, '1' );
	}

	/**
	 * Turns the switch.
	 *
	 * @param bool $on On or off.
	 */
	public function set_enabled( bool $on ): void {
		update_option( Gatepass_Names::OPTION_ENABLED, $on ? '1' : '0', false );
	}

	/**
	 * The owner's word on support staff.
	 *
	 * @return bool Whether the panel's staff may sign in on behalf of customers.
	 */
	public function is_support_allowed(): bool {
		return '0' !== get_option( Gatepass_Names::OPTION_SUPPORT, '1' );
	}

	/**
	 * Keeps the owner's word on support staff.
	 *
	 * @param bool $allowed Allowed or not.
	 */
	public function allow_support( bool $allowed ): void {
		update_option( Gatepass_Names::OPTION_SUPPORT, $allowed ? '1' : '0', false );
	}

	/**
	 * Whether the bridge knows this site under another address than the one it has: it is a copy.
	 *
	 * @return bool
	 */
	public function is_copy(): bool {
		return '1' === get_option( Gatepass_Names::OPTION_CONFLICT );
	}

	/**
	 * Keeps what the bridge said of this site's address.
	 *
	 * @param bool $conflict Whether it is another one than the registered.
	 */
	public function set_conflict( bool $conflict ): void {
		if ( $conflict ) {
			update_option( Gatepass_Names::OPTION_CONFLICT, '1', false );
		} elseif ( $this->is_copy() ) {
			delete_option( Gatepass_Names::OPTION_CONFLICT );
		}
	}

	/**
	 * Roles ticked by the owner. See Gatepass_Roles for those that count.
	 *
	 * @return string[]
	 */
	public function ticked_roles(): array {
		$roles = get_option( Gatepass_Names::OPTION_ROLES, array( 'subscriber', 'customer' ) );
		return is_array( $roles ) ? array_values( array_filter( $roles, 'is_string' ) ) : array();
	}

	/**
	 * Keeps the roles ticked by the owner.
	 *
	 * @param string[] $roles Role names.
	 */
	public function save_ticked_roles( array $roles ): void {
		update_option( Gatepass_Names::OPTION_ROLES, array_values( $roles ), false );
	}

	/**
	 * What becomes of an account whose customer the panel removes.
	 *
	 * @return string One of Gatepass_Removal's choices.
	 */
	public function removal(): string {
		$choice = get_option( Gatepass_Names::OPTION_REMOVAL, Gatepass_Removal::KEEP );
		return in_array( $choice, array( Gatepass_Removal::REASSIGN, Gatepass_Removal::DELETE ), true ) ? $choice : Gatepass_Removal::KEEP;
	}

	/**
	 * Who gets the content of accounts that are deleted.
	 *
	 * @return int A user's number; 0 for nobody.
	 */
	public function reassign_to(): int {
		return max( 0, (int) get_option( Gatepass_Names::OPTION_REASSIGN, 0 ) );
	}

	/**
	 * Keeps the owner's choice.
	 *
	 * @param string $choice      One of Gatepass_Removal's.
	 * @param int    $reassign_to Who gets the content, if somebody does.
	 */
	public function save_removal( string $choice, int $reassign_to ): void {
		update_option( Gatepass_Names::OPTION_REMOVAL, $choice, false );
		update_option( Gatepass_Names::OPTION_REASSIGN, $reassign_to, false );
	}

	/**
	 * The time by the bridge's clock, as far as it is known.
	 *
	 * @return int Seconds since 1970.
	 */
	public function bridge_time(): int {
		$offset = (int) get_option( Gatepass_Names::OPTION_CLOCK_OFFSET, 0 );
		return time() + ( abs( $offset ) <= self::MAX_CLOCK_OFFSET ? $offset : 0 );
	}

	/**
	 * Learns the bridge's clock, unless it is beyond belief.
	 *
	 * @param int $bridge_time Seconds since 1970.
	 */
	public function learn_bridge_time( int $bridge_time ): void {
		$offset = $bridge_time - time();
		if ( abs( $offset ) <= self::MAX_CLOCK_OFFSET ) {
			// Another request may have learnt the same meanwhile: then nothing would be updated, nor what this one has cached.
			wp_cache_delete( Gatepass_Names::OPTION_CLOCK_OFFSET, 'options' );
			wp_cache_delete( 'alloptions', 'options' );
			update_option( Gatepass_Names::OPTION_CLOCK_OFFSET, $offset, false );
		}
	}
}
