<?php
/**
 * What the gate goes by.
 *
 * @package Gatepass
 */

/**
 * Of which pairing the gate is, whom the owner has exempted from it, and what is to happen when the panel has not been
 * heard of for too long. The pairing stands here as well because the connection is not autoloaded: there is a private
 * key in it. Immutable, and pure.
 */
final class Gatepass_Gate_Rules {

	/** The member is let in. */
	const OPEN = 'open';
	/** The member is not let in: there is no membership that allows it. */
	const SHUT = 'shut';
	/** The member is not let in: what is known is too old, and that is how the owner wants it. */
	const UNSURE = 'unsure';

	/**
	 * How long what was last heard counts, in seconds: unless the owner says otherwise, at least and at most.
	 */
	const MAX_STALE     = 86400;
	const MIN_MAX_STALE = 3600;
	const MAX_MAX_STALE = 2592000;

	/**
	 * By how much a time may lie ahead, in seconds. Further ahead it is of a clock that was wrong, and tells no age.
	 */
	const MAX_AHEAD = 60;

	/**
	 * Its members.
	 *
	 * @var array{issuer:string,site:string,pairing:string,paired_at:int,exempt:int[],shuts:bool,max_stale:int}
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
	 * Reads what was stored; what is not there is as for a new site that is not paired.
	 *
	 * @param mixed $stored What {@see to_array()} made.
	 * @return self
	 */
	public static function from_array( $stored ): self {
		$stored  = is_array( $stored ) ? $stored : array();
		$members = array();
		foreach ( array( 'issuer', 'site', 'pairing' ) as $name ) {
			$members[ $name ] = is_string( $stored[ $name ] ?? null ) ? $stored[ $name ] : '';
		}
		$members['paired_at'] = is_int( $stored['paired_at'] ?? null ) ? $stored['paired_at'] : 0;
		$members['exempt']    = array_values( array_filter( is_array( $stored['exempt'] ?? null ) ? $stored['exempt'] : array(), 'is_int' ) );
		$members['shuts']     = true === ( $stored['shuts'] ?? null );
		$members['max_stale'] = self::bounded( is_int( $stored['max_stale'] ?? null ) ? $stored['max_stale'] : self::MAX_STALE );
		return new self( $members );
	}

	/**
	 * The rules, to be stored.
	 *
	 * @return array<string,mixed>
	 */
	public function to_array(): array {
		return $this->members;
	}

	/**
	 * The same rules for another pairing.
	 *
	 * @param Gatepass_Connection|null $connection The pairing; null for none.
	 * @return self
	 */
	public function of_pairing( ?Gatepass_Connection $connection ): self {
		return self::from_array(
			array(
				'issuer'    => null === $connection ? '' : $connection->issuer(),
				'site'      => null === $connection ? '' : $connection->site_id(),
				'pairing'   => null === $connection ? '' : $connection->pairing(),
				'paired_at' => null === $connection ? 0 : $connection->paired_at(),
			) + $this->members
		);
	}

	/**
	 * The same pairing under other rules.
	 *
	 * @param int[] $exempt    Ids of users who are let in without a membership.
	 * @param bool  $shuts     Whether members are kept out while what is known is too old.
	 * @param int   $max_stale After how many seconds it is.
	 * @return self
	 */
	public function wanted( array $exempt, bool $shuts, int $max_stale ): self {
		return self::from_array(
			array(
				'exempt'    => array_values( array_unique( $exempt ) ),
				'shuts'     => $shuts,
				'max_stale' => $max_stale,
			) + $this->members
		);
	}

	/**
	 * Whether this site is paired.
	 *
	 * @return bool
	 */
	public function is_paired(): bool {
		return '' !== $this->members['site'];
	}

	/**
	 * Our own id.
	 *
	 * @return string
	 */
	public function site_id(): string {
		return $this->members['site'];
	}

	/**
	 * Whether an identity is of this pairing.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @return bool
	 */
	public function are_for( Gatepass_Identity $identity ): bool {
		return $identity->issuer() === $this->members['issuer'] && $identity->site_id() === $this->members['site'];
	}

	/**
	 * The pairing as Gatepass_Sync_State names it.
	 *
	 * @return string
	 */
	public function pairing(): string {
		return $this->members['pairing'];
	}

	/**
	 * Users who are let in without a membership.
	 *
	 * @return int[] Their ids.
	 */
	public function exempt(): array {
		return $this->members['exempt'];
	}

	/**
	 * Whether members are kept out while what is known is too old.
	 *
	 * @return bool
	 */
	public function shuts_when_stale(): bool {
		return $this->members['shuts'];
	}

	/**
	 * How long what was last heard counts.
	 *
	 * @return int Seconds.
	 */
	public function max_stale(): int {
		return $this->members['max_stale'];
	}

	/**
	 * Whether what is known is too old.
	 *
	 * @param Gatepass_Sync_State $state How far this site has followed the panel.
	 * @return bool
	 */
	public function is_too_old( Gatepass_Sync_State $state ): bool {
		$latest    = $state->now() + self::MAX_AHEAD;
		$paired_at = $this->members['paired_at'] > $latest ? 0 : $this->members['paired_at'];
		$heard_at  = max( $state->as_of(), $paired_at );
		return $heard_at > $latest || $state->now() - $heard_at > $this->members['max_stale'];
	}

	/**
	 * Whether somebody is let in by what is known, however old that is. Of whom nothing is known is let in until this
	 * site has once heard of everybody; then the panel does not know them.
	 *
	 * @param array<Gatepass_Standing|null> $standings How they stand, by each of their identities; null for nothing known.
	 * @param Gatepass_Sync_State           $state     How far this site has followed the panel.
	 * @return string OPEN or SHUT.
	 */
	public static function judge( array $standings, Gatepass_Sync_State $state ): string {
		foreach ( $standings as $standing ) {
			if ( null === $standing ? ! $state->is_complete() : $standing->allows( $state->now() ) ) {
				return self::OPEN;
			}
		}
		return self::SHUT;
	}

	/**
	 * A sensible age.
	 *
	 * @param int $seconds What is wanted.
	 * @return int
	 */
	private static function bounded( int $seconds ): int {
		return max( self::MIN_MAX_STALE, min( self::MAX_MAX_STALE, $seconds ) );
	}
}
