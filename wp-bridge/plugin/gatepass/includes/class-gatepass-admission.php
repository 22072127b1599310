<?php
/**
 * Who is let in.
 *
 * @package Gatepass
 */

/**
 * Judges users by what this site knows of their membership. Who is no customer of the panel is none of its business,
 * and neither is who owns this site.
 *
 * For a member who may come in it costs no query and no call: identity and standing are user meta, which WordPress has
 * at hand for whoever is signed in, and the rest is autoloaded.
 */
final class Gatepass_Admission {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Rights.
	 *
	 * @var Gatepass_Privileges
	 */
	private $privileges;

	/**
	 * Asks the panel.
	 *
	 * @var Gatepass_Refresh
	 */
	private $refresh;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store      $store      Settings.
	 * @param Gatepass_Privileges $privileges Rights.
	 * @param Gatepass_Refresh    $refresh    Asks the panel.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Privileges $privileges, Gatepass_Refresh $refresh ) {
		$this->store      = $store;
		$this->privileges = $privileges;
		$this->refresh    = $refresh;
	}

	/**
	 * Whether a user is let in.
	 *
	 * @param WP_User $user    Who.
	 * @param bool    $may_ask Whether the panel may be asked if what is known is too old. WordPress must be loaded.
	 * @return string One of the constants of Gatepass_Gate_Rules.
	 */
	public function verdict( WP_User $user, bool $may_ask ): string {
		$rules      = $this->store->gate_rules();
		$identities = self::identities( $user, $rules );
		if ( array() === $identities ) {
			return Gatepass_Gate_Rules::OPEN;
		}
		$verdict = $this->by_standing( $user, $identities, $rules, $may_ask );
		if ( apply_filters( Gatepass_Names::FILTER_IS_MEMBER_ALLOWED, Gatepass_Gate_Rules::OPEN === $verdict, $user ) ) {
			return Gatepass_Gate_Rules::OPEN;
		}
		// Dearer questions, which only those are asked about who are about to be refused.
		if ( ! $this->store->is_enabled() || $this->is_exempt( $user ) ) {
			return Gatepass_Gate_Rules::OPEN;
		}
		return Gatepass_Gate_Rules::OPEN === $verdict ? Gatepass_Gate_Rules::SHUT : $verdict;
	}

	/**
	 * Whether a user needs no membership: the owner has said so, or is who it is.
	 *
	 * @param WP_User $user Who.
	 * @return bool
	 */
	public function is_exempt( WP_User $user ): bool {
		return in_array( $user->ID, $this->store->gate_rules()->exempt(), true ) || $this->privileges->owns_this_site( $user );
	}

	/**
	 * Whether a user's account and sessions are none of the panel's business: there are more rights than the owner allows.
	 * Such a one who is turned away loses nothing but the way in.
	 *
	 * @param WP_User $user Who.
	 * @return bool
	 */
	public function is_out_of_reach( WP_User $user ): bool {
		return $this->privileges->is_privileged( $user );
	}

	/**
	 * Whether the panel is to be asked about a user now.
	 *
	 * @param WP_User $user Who.
	 * @return bool
	 */
	public function is_worth_asking( WP_User $user ): bool {
		$rules = $this->store->gate_rules();
		return array() !== self::identities( $user, $rules ) && $rules->is_too_old( self::state( $rules ) ) && $this->refresh->is_open();
	}

	/**
	 * The verdict by what is known.
	 *
	 * @param WP_User             $user       Who.
	 * @param Gatepass_Identity[] $identities Who they are to the panel.
	 * @param Gatepass_Gate_Rules $rules      What the gate goes by.
	 * @param bool                $may_ask    Whether the panel may be asked.
	 * @return string
	 */
	private function by_standing( WP_User $user, array $identities, Gatepass_Gate_Rules $rules, bool $may_ask ): string {
		$state = self::state( $rules );
		$stale = $rules->is_too_old( $state );
		if ( $stale && $may_ask && $this->refresh->ask() ) {
			$state = self::state( $rules );
			$stale = $rules->is_too_old( $state );
		}
		$standings = array();
		foreach ( $identities as $identity ) {
			$standings[] = Gatepass_Standing::of_identity( $user->ID, $identity );
		}
		$verdict = Gatepass_Gate_Rules::judge( $standings, $state );
		if ( $stale && $rules->shuts_when_stale() && Gatepass_Gate_Rules::OPEN === $verdict && ! $this->refresh->is_open() ) {
			return Gatepass_Gate_Rules::UNSURE;
		}
		return $verdict;
	}

	/**
	 * Who a user is to the panel that this site is paired with.
	 *
	 * @param WP_User             $user  Who.
	 * @param Gatepass_Gate_Rules $rules Of which pairing the gate is.
	 * @return Gatepass_Identity[] Empty for no customer of it.
	 */
	private static function identities( WP_User $user, Gatepass_Gate_Rules $rules ): array {
		return $rules->is_paired() ? array_filter( Gatepass_Identity::all_of( $user->ID, $rules->site_id() ), array( $rules, 'are_for' ) ) : array();
	}

	/**
	 * How far this site has followed the panel.
	 *
	 * @param Gatepass_Gate_Rules $rules Of which pairing the gate is.
	 * @return Gatepass_Sync_State
	 */
	private static function state( Gatepass_Gate_Rules $rules ): Gatepass_Sync_State {
		return Gatepass_Sync_State::from_array( get_option( Gatepass_Names::OPTION_SYNC ), $rules->pairing() );
	}
}
