<?php
/**
 * How far this site has followed the panel.
 *
 * @package Gatepass
 */

/**
 * The cursor in the panel's changes, and how fresh what this site knows is. Immutable, and of one pairing: what another
 * one has left counts as nothing.
 */
final class Gatepass_Sync_State {

	/**
	 * A site whose clock differs by no more than this from the bridge's is believed, in seconds.
	 */
	const CLOCK_TOLERANCE = 5;

	/**
	 * What a site knows that has never pulled. What comes after `last_error` is for Gatepass_Sync alone.
	 */
	const NOTHING = array(
		'pairing'       => '',
		'epoch'         => '',
		'cursor'        => 0,
		'as_of'         => 0,
		'offset'        => 0,
		'complete'      => false,
		'failing_since' => 0,
		'last_error'    => '',
		'round'         => 0,
		'resyncing'     => true,
		'sweep'         => 0,
		'origin'        => '',
		'deaths'        => array(),
	);

	/**
	 * How many positions are kept at which PHP has died.
	 */
	const MAX_DEATHS = 50;

	/**
	 * Its members, of the types that they have in NOTHING.
	 *
	 * @var array<string,mixed>
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param array<string,mixed> $members Checked members, all of them.
	 */
	private function __construct( array $members ) {
		$this->members = $members;
	}

	/**
	 * The state of a pairing.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @return self
	 */
	public static function of( Gatepass_Connection $connection ): self {
		return self::from_array( get_option( Gatepass_Names::OPTION_SYNC ), $connection->pairing() );
	}

	/**
	 * The same, read anew: somebody else may have pulled since this request began.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @return self
	 */
	public static function read_anew( Gatepass_Connection $connection ): self {
		Gatepass_Store::forget_cached( array( Gatepass_Names::OPTION_SYNC ) );
		return self::of( $connection );
	}

	/**
	 * Reads what was stored.
	 *
	 * @param mixed  $stored  What {@see to_array()} made.
	 * @param string $pairing Public key of the pairing.
	 * @return self
	 */
	public static function from_array( $stored, string $pairing ): self {
		$nothing = array( 'pairing' => $pairing ) + self::NOTHING;
		if ( ! is_array( $stored ) || ( $stored['pairing'] ?? null ) !== $pairing ) {
			return new self( $nothing );
		}
		return ( new self( $nothing ) )->with( $stored );
	}

	/**
	 * Its members, to be stored.
	 *
	 * @return array<string,mixed>
	 */
	public function to_array(): array {
		return $this->members;
	}

	/**
	 * Keeps it.
	 */
	public function save(): void {
		update_option( Gatepass_Names::OPTION_SYNC, $this->members, true );
	}

	/**
	 * The same with some members changed; what is unknown or of another type is left out.
	 *
	 * @param array<string,mixed> $members Those.
	 * @return self
	 */
	public function with( array $members ): self {
		$checked = $this->members;
		foreach ( array_intersect_key( $members, self::NOTHING ) as $name => $value ) {
			if ( gettype( $value ) === gettype( self::NOTHING[ $name ] ) ) {
				$checked[ $name ] = $value;
			}
		}
		return new self( $checked );
	}

	/**
	 * The beginning of a full resync.
	 *
	 * @param string $epoch Of which epoch; empty if that is not known yet.
	 * @return self
	 */
	public function anew( string $epoch ): self {
		return $this->with(
			array(
				'epoch'     => $epoch,
				'cursor'    => 0,
				// Greater than any of before: standings of a pairing that was forgotten are still there.
				'round'     => max( $this->members['round'] + 1, time() ),
				'resyncing' => true,
				'sweep'     => 0,
				'deaths'    => array(),
			)
		);
	}

	/**
	 * The time by the bridge's clock, which is what memberships are measured by.
	 *
	 * @return int Seconds since 1970.
	 */
	public function now(): int {
		return time() + $this->members['offset'];
	}

	/**
	 * How much the bridge's clock is ahead of this machine's.
	 *
	 * @param int $server_time The bridge's, seconds since 1970.
	 * @param int $time        This machine's.
	 * @return int Seconds; 0 for about the same.
	 */
	public static function offset_of( int $server_time, int $time ): int {
		return abs( $server_time - $time ) <= self::CLOCK_TOLERANCE ? 0 : $server_time - $time;
	}

	/**
	 * When this site last had pulled everything.
	 *
	 * @return int Seconds since 1970 by the bridge's clock; 0 for never.
	 */
	public function as_of(): int {
		return $this->members['as_of'];
	}

	/**
	 * Whether this site has ever pulled everything: then whoever is linked and has no standing is unknown to the panel.
	 *
	 * @return bool
	 */
	public function is_complete(): bool {
		return $this->members['complete'];
	}

	/**
	 * Since when no pull came to its end.
	 *
	 * @return int Seconds since 1970 by this machine's clock; 0 while all is well.
	 */
	public function failing_since(): int {
		return $this->members['failing_since'];
	}

	/**
	 * Why the last pull did not come to its end.
	 *
	 * @return string A code; empty while all is well.
	 */
	public function last_error(): string {
		return $this->members['last_error'];
	}

	/**
	 * Of which store of the panel's the cursor is.
	 *
	 * @return string Empty before the first pull.
	 */
	public function epoch(): string {
		return $this->members['epoch'];
	}

	/**
	 * Up to which position everything is done.
	 *
	 * @return int
	 */
	public function cursor(): int {
		return $this->members['cursor'];
	}

	/**
	 * Which full resync this is, or the last one was.
	 *
	 * @return int
	 */
	public function round(): int {
		return $this->members['round'];
	}

	/**
	 * Whether everything is being read anew.
	 *
	 * @return bool
	 */
	public function is_resyncing(): bool {
		return $this->members['resyncing'];
	}

	/**
	 * How far the search has come, at the end of a full resync, for members whom the panel has not named.
	 *
	 * @return int The last row of user meta that was looked at.
	 */
	public function sweep(): int {
		return $this->members['sweep'];
	}

	/**
	 * Under which address of ours the bridge was last spoken to.
	 *
	 * @return string As Gatepass_Origin::of_blog() gives it; empty before the first pull.
	 */
	public function origin(): string {
		return $this->members['origin'];
	}

	/**
	 * How often PHP has died in following the change at a position.
	 *
	 * @param int $position Which.
	 * @return int
	 */
	public function deaths_at( int $position ): int {
		return (int) ( $this->members['deaths'][ $position ] ?? 0 );
	}

	/**
	 * The same, with one death more at a position.
	 *
	 * @param int $position Which.
	 * @return self
	 */
	public function with_death_at( int $position ): self {
		$deaths              = $this->members['deaths'];
		$deaths[ $position ] = $this->deaths_at( $position ) + 1;
		return $this->with( array( 'deaths' => array_slice( $deaths, -self::MAX_DEATHS, null, true ) ) );
	}
}
