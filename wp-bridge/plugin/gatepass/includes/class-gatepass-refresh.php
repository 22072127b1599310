<?php
/**
 * Asks the panel when what is known has become too old.
 *
 * @package Gatepass
 */

/**
 * Once in five minutes for the whole site, however many members come meanwhile: whoever takes the turn asks, all others
 * go on with what is known.
 */
final class Gatepass_Refresh {

	/**
	 * How often, in seconds.
	 */
	const EVERY = 300;

	/**
	 * How long a member may have to wait for the answer, in seconds.
	 */
	const BUDGET = 3;

	/**
	 * Pulls: takes how many seconds it may take, gives whether everything has been heard.
	 *
	 * @var callable
	 */
	private $pull;

	/**
	 * Whose turn it is.
	 *
	 * @var Gatepass_Turn
	 */
	private $turn;

	/**
	 * Constructor.
	 *
	 * @param callable $pull Pulls.
	 */
	public function __construct( callable $pull ) {
		$this->pull = $pull;
		$this->turn = new Gatepass_Turn( Gatepass_Names::OPTION_REFRESH, self::EVERY );
	}

	/**
	 * Asks, if it is time to.
	 *
	 * @return bool Whether everything has been heard.
	 */
	public function ask(): bool {
		$begun = $this->turn->take();
		if ( null === $begun ) {
			return false;
		}
		try {
			return ( $this->pull )( self::BUDGET );
		} finally {
			$this->turn->write( $begun, $begun . ':done' );
		}
	}

	/**
	 * Whether the panel is being asked, or is to be asked next: then its silence is not yet a fact.
	 *
	 * @return bool
	 */
	public function is_open(): bool {
		$last = $this->turn->last();
		$now  = $this->turn->now();
		return $this->turn->is_due( $last, $now ) || ( false === strpos( (string) $last, ':' ) && (int) $last > $now - 2 * self::BUDGET );
	}
}
