<?php
/**
 * Tells the bridge what became of a redemption.
 *
 * @package Gatepass
 */

/**
 * Reports after the browser has its answer. If a report is lost, the audit trail says "redeemed"
 * and no more; nobody is kept waiting, and nothing is repeated.
 */
final class Gatepass_Outcomes {

	/**
	 * The bridge.
	 *
	 * @var Gatepass_Bridge
	 */
	private $bridge;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Bridge $bridge The bridge.
	 */
	public function __construct( Gatepass_Bridge $bridge ) {
		$this->bridge = $bridge;
	}

	/**
	 * Reports a sign-in, later.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param string              $handoff_id Which handoff.
	 * @param string              $request_id The reference.
	 * @param int                 $user_id    Who is signed in.
	 * @param bool                $created    Whether that user is new.
	 */
	public function logged_in( Gatepass_Connection $connection, string $handoff_id, string $request_id, int $user_id, bool $created ): void {
		$this->later(
			$connection,
			$handoff_id,
			$request_id,
			array(
				'result'            => 'logged_in',
				'wordpress_user_id' => $user_id,
				'created'           => $created,
			)
		);
	}

	/**
	 * Reports a failure, later.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param string              $handoff_id Which handoff.
	 * @param string              $request_id The reference.
	 * @param Gatepass_Refusal    $refusal    Why.
	 */
	public function failed( Gatepass_Connection $connection, string $handoff_id, string $request_id, Gatepass_Refusal $refusal ): void {
		$outcome = array(
			'result' => 'failed',
			'code'   => $refusal->cause(),
		);
		if ( $refusal->user_id() > 0 ) {
			$outcome['wordpress_user_id'] = $refusal->user_id();
		}
		$this->later( $connection, $handoff_id, $request_id, $outcome );
	}

	/**
	 * Sends when the browser has its answer.
	 *
	 * @param Gatepass_Connection $connection Which bridge.
	 * @param string              $handoff_id Which handoff.
	 * @param string              $request_id The reference.
	 * @param array<string,mixed> $outcome    The report.
	 */
	private function later( Gatepass_Connection $connection, string $handoff_id, string $request_id, array $outcome ): void {
		Gatepass_Afterwards::run(
			function () use ( $connection, $handoff_id, $request_id, $outcome ): void {
				$this->bridge->report( $connection, $handoff_id, $outcome, $request_id );
			}
		);
	}
}
