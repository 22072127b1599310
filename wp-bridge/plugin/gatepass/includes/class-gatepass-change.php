<?php
/**
 * One member in the panel's changes.
 *
 * @package Gatepass
 */

/**
 * What the panel wants of one customer, as of one position in its changes. Immutable.
 */
final class Gatepass_Change {

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
	 * Reads one of the `members` of an answer.
	 *
	 * @param mixed  $unverified Decoded JSON.
	 * @param string $epoch      The answer's epoch.
	 * @return self|null Null if it names nobody or no position, and so cannot even be answered.
	 */
	public static function from_array( $unverified, string $epoch ): ?self {
		if ( ! is_array( $unverified ) || ! is_string( $unverified['subject'] ?? null ) || ! Gatepass_Handoff::is_subject( $unverified['subject'] )
			|| ! is_int( $unverified['position'] ?? null ) || $unverified['position'] < 1 ) {
			return null;
		}
		$membership = is_array( $unverified['membership'] ?? null ) ? $unverified['membership'] : array();
		$is_removed = ! isset( $unverified['member'] );
		return new self(
			array(
				'subject'         => $unverified['subject'],
				'position'        => $unverified['position'],
				'is_removed'      => $is_removed,
				'wanted'          => Gatepass_Wanted::from_array( $unverified['member'] ?? null ),
				'consent'         => Gatepass_Consent::from_array( $unverified['consent'] ?? null ),
				'report_sessions' => true === ( $unverified['report_sessions'] ?? null ),
				// Of a member who was removed nobody can say that they may come in.
				'standing'        => Gatepass_Standing::from_array(
					array(
						'epoch'          => $epoch,
						'position'       => $unverified['position'],
						'allowed_until'  => $is_removed ? 0 : $unverified['allowed_until'] ?? 0,
						'sessions_ended' => $unverified['sessions_ended'] ?? 0,
					) + ( $is_removed ? array() : $membership )
				),
			)
		);
	}

	/**
	 * The panel's id of its customer.
	 *
	 * @return string
	 */
	public function subject(): string {
		return $this->members['subject'];
	}

	/**
	 * What is acknowledged.
	 *
	 * @return int
	 */
	public function position(): int {
		return $this->members['position'];
	}

	/**
	 * Whether the panel has removed the member.
	 *
	 * @return bool
	 */
	public function is_removed(): bool {
		return $this->members['is_removed'];
	}

	/**
	 * The account as it is wanted.
	 *
	 * @return Gatepass_Wanted|null Null if the member was removed, or what is said of the account cannot be understood.
	 */
	public function wanted(): ?Gatepass_Wanted {
		return $this->members['wanted'];
	}

	/**
	 * What the customer has agreed to.
	 *
	 * @return Gatepass_Consent|null Null if nothing is said of it.
	 */
	public function consent(): ?Gatepass_Consent {
		return $this->members['consent'];
	}

	/**
	 * How the member stands with the panel.
	 *
	 * @return Gatepass_Standing
	 */
	public function standing(): Gatepass_Standing {
		return $this->members['standing'];
	}

	/**
	 * Whether the panel wants to know which sessions there are.
	 *
	 * @return bool
	 */
	public function wants_sessions(): bool {
		return $this->members['report_sessions'];
	}
}
