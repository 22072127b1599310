<?php
/**
 * What came of a pull.
 *
 * @package Gatepass
 */

/**
 * Complete, to be gone on with, left to another, or failed and why. Immutable.
 */
final class Gatepass_Pulled {

	const COMPLETE = 'complete';
	/** Time is up, or somebody is just being signed in; WP-Cron goes on at once. */
	const MORE = 'more';
	/** Another pull is under way, and will go round again. */
	const BUSY   = 'busy';
	const FAILED = 'failed';

	/**
	 * One of the four.
	 *
	 * @var string
	 */
	private $outcome;

	/**
	 * Up to which position everything is done.
	 *
	 * @var int
	 */
	private $position;

	/**
	 * Why it failed.
	 *
	 * @var string
	 */
	private $reason;

	/**
	 * Constructor.
	 *
	 * @param string $outcome  One of the four.
	 * @param int    $position Up to which position everything is done.
	 * @param string $reason   Why it failed: a code.
	 */
	public function __construct( string $outcome, int $position = 0, string $reason = '' ) {
		$this->outcome  = $outcome;
		$this->position = $position;
		$this->reason   = $reason;
	}

	/**
	 * A failure.
	 *
	 * @param string $reason   Why: a code.
	 * @param int    $position Up to which position everything is done.
	 * @return self
	 */
	public static function failed( string $reason, int $position = 0 ): self {
		return new self( self::FAILED, $position, $reason );
	}

	/**
	 * One of the four.
	 *
	 * @return string
	 */
	public function outcome(): string {
		return $this->outcome;
	}

	/**
	 * Up to which position everything is done.
	 *
	 * @return int
	 */
	public function position(): int {
		return $this->position;
	}

	/**
	 * Why it failed.
	 *
	 * @return string A code; empty if it did not.
	 */
	public function reason(): string {
		return $this->reason;
	}
}
