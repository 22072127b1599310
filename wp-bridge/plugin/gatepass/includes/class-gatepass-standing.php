<?php
/**
 * How a member stands with the panel, as last heard.
 *
 * @package Gatepass
 */

/**
 * What the gate goes by: until when a member is let in. Kept with the user, so that no page view asks anybody.
 * Immutable.
 *
 * It is written from what the bridge says only, in a pull or at a sign-in, and under the identity's lock: of two
 * writers the one with the newer word wins, {@see Gatepass_Follower::goes_before()}.
 */
final class Gatepass_Standing {

	/**
	 * The members that are whole numbers, and those that are texts.
	 */
	const NUMBERS = array( 'position', 'allowed_until', 'sessions_ended', 'round' );
	const TEXTS   = array( 'epoch', 'status', 'plan', 'valid_until', 'grace_until' );

	/**
	 * Its members. `round` is the full resync in which the panel last named this member.
	 *
	 * @var array{epoch:string,position:int,status:string,plan:string,allowed_until:int,valid_until:string,grace_until:string,sessions_ended:int,round:int}
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param array<string,int|string> $members Checked members, all of them.
	 */
	private function __construct( array $members ) {
		$this->members = $members;
	}

	/**
	 * From what was stored, or from what the bridge said. Anything that is not there counts as empty, and empty is shut.
	 *
	 * @param array<string,mixed> $members Members.
	 * @return self
	 */
	public static function from_array( array $members ): self {
		$checked = array();
		foreach ( self::NUMBERS as $name ) {
			$checked[ $name ] = is_int( $members[ $name ] ?? null ) ? max( 0, $members[ $name ] ) : 0;
		}
		foreach ( self::TEXTS as $name ) {
			$checked[ $name ] = is_string( $members[ $name ] ?? null ) ? $members[ $name ] : '';
		}
		return new self( $checked );
	}

	/**
	 * Its members, to be stored.
	 *
	 * @return array<string,int|string>
	 */
	public function to_array(): array {
		return $this->members;
	}

	/**
	 * The standing of a user with the panel that this site is paired with now. Read from the user's meta, which WordPress
	 * has at hand for whoever is signed in.
	 *
	 * @param int                 $user_id    The user.
	 * @param Gatepass_Connection $connection The pairing.
	 * @return self|null Null if the user is no customer of it, or nothing has been heard of them yet.
	 */
	public static function of_user( int $user_id, Gatepass_Connection $connection ): ?self {
		$identity = Gatepass_Identity::of_user( $user_id, $connection );
		return null === $identity ? null : self::of_identity( $user_id, $identity );
	}

	/**
	 * The standing of a user as one identity.
	 *
	 * @param int               $user_id  The user.
	 * @param Gatepass_Identity $identity Who they are to the panel.
	 * @return self|null Null if nothing has been heard of them yet.
	 */
	public static function of_identity( int $user_id, Gatepass_Identity $identity ): ?self {
		$stored = get_user_meta( $user_id, self::meta_key( $identity ), true );
		return is_array( $stored ) ? self::from_array( $stored ) : null;
	}

	/**
	 * Keeps it. Writes nothing if it is there already.
	 *
	 * @param int               $user_id  The user.
	 * @param Gatepass_Identity $identity Who they are to the panel.
	 */
	public function save( int $user_id, Gatepass_Identity $identity ): void {
		// Slashes would be taken out of a text; update_user_meta() compares by itself.
		update_user_meta( $user_id, self::meta_key( $identity ), wp_slash( $this->members ) );
	}

	/**
	 * Where the standing of an identity is kept.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @return string User meta key.
	 */
	public static function meta_key( Gatepass_Identity $identity ): string {
		return Gatepass_Names::META_STANDING_PREFIX . $identity->hash();
	}

	/**
	 * Whether the membership lets the member in.
	 *
	 * @param int $now By the bridge's clock, {@see Gatepass_Sync_State::now()}.
	 * @return bool
	 */
	public function allows( int $now ): bool {
		return $now < $this->members['allowed_until'];
	}

	/**
	 * Until when the membership lets the member in.
	 *
	 * @return int Seconds since 1970, 0 for not at all.
	 */
	public function allowed_until(): int {
		return $this->members['allowed_until'];
	}

	/**
	 * The membership's status in the panel's words.
	 *
	 * @return string Empty if the panel has removed the member, or does not know them.
	 */
	public function status(): string {
		return $this->members['status'];
	}

	/**
	 * How often the panel has ended all sessions of the member.
	 *
	 * @return int
	 */
	public function sessions_ended(): int {
		return $this->members['sessions_ended'];
	}

	/**
	 * In which full resync the panel last named the member.
	 *
	 * @return int
	 */
	public function round(): int {
		return $this->members['round'];
	}

	/**
	 * Of which store of the panel's its position is.
	 *
	 * @return string
	 */
	public function epoch(): string {
		return $this->members['epoch'];
	}

	/**
	 * Whether it is certainly the later word of the two. Positions of different epochs cannot be compared.
	 *
	 * @param self $other Another standing of the same member.
	 * @return bool
	 */
	public function is_newer_than( self $other ): bool {
		return $this->members['epoch'] === $other->members['epoch'] && $this->members['position'] > $other->members['position'];
	}

	/**
	 * Whether both are the same word of the panel's.
	 *
	 * @param self $other Another standing of the same member.
	 * @return bool
	 */
	public function is_the_word_of( self $other ): bool {
		return $this->members['epoch'] === $other->members['epoch'] && $this->members['position'] === $other->members['position'];
	}

	/**
	 * The same with some members changed.
	 *
	 * @param array<string,int|string> $members Those.
	 * @return self
	 */
	public function with( array $members ): self {
		return self::from_array( $members + $this->members );
	}
}
