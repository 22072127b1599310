<?php
/**
 * A page of the panel's changes.
 *
 * @package Gatepass
 */

/**
 * The bridge's answer to "what has changed since?". Immutable.
 */
final class Gatepass_Changes {

	/**
	 * Checked members.
	 *
	 * @var array<string,mixed>
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param array<string,mixed> $members Checked members.
	 */
	private function __construct( array $members ) {
		$this->members = $members;
	}

	/**
	 * Reads the answer.
	 *
	 * @param array<string,mixed> $answer Decoded JSON.
	 * @return self|null Null if it cannot be understood.
	 */
	public static function from_answer( array $answer ): ?self {
		$time = is_string( $answer['server_time'] ?? null ) ? strtotime( $answer['server_time'] ) : false;
		if ( ! is_string( $answer['epoch'] ?? null ) || '' === $answer['epoch'] || ! is_array( $answer['members'] ?? null )
			|| ! is_int( $answer['next'] ?? null ) || $answer['next'] < 0 || false === $time ) {
			return null;
		}
		$changes = array();
		foreach ( $answer['members'] as $member ) {
			$changes[] = Gatepass_Change::from_array( $member, $answer['epoch'] );
		}
		return new self(
			array(
				'epoch'   => $answer['epoch'],
				'resync'  => true === ( $answer['resync'] ?? null ),
				// What names nobody cannot be followed; and it must not hold up the others.
				'changes' => array_values( array_filter( $changes ) ),
				'next'    => $answer['next'],
				'more'    => true === ( $answer['more'] ?? null ),
				'time'    => $time,
				'policy'  => isset( $answer['policy'] ) && is_array( $answer['policy'] ) ? new Gatepass_Policy( $answer['policy'] ) : null,
			)
		);
	}

	/**
	 * Of which store of the panel's the positions are.
	 *
	 * @return string
	 */
	public function epoch(): string {
		return $this->members['epoch'];
	}

	/**
	 * Whether this begins at the beginning, because the cursor was of another epoch.
	 *
	 * @return bool
	 */
	public function is_resync(): bool {
		return $this->members['resync'];
	}

	/**
	 * The changes, in the order of their positions.
	 *
	 * @return Gatepass_Change[]
	 */
	public function changes(): array {
		return $this->members['changes'];
	}

	/**
	 * The cursor to go on from.
	 *
	 * @return int
	 */
	public function next(): int {
		return $this->members['next'];
	}

	/**
	 * Whether to do so at once.
	 *
	 * @return bool
	 */
	public function has_more(): bool {
		return $this->members['more'];
	}

	/**
	 * The bridge's clock.
	 *
	 * @return int Seconds since 1970.
	 */
	public function time(): int {
		return $this->members['time'];
	}

	/**
	 * The policy of now, if the answer has one.
	 *
	 * @return Gatepass_Policy|null
	 */
	public function policy(): ?Gatepass_Policy {
		return $this->members['policy'];
	}
}
