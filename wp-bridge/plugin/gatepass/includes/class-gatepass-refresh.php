<?php
/**
 * Asks the panel when what is known has become too old.
 *
 * @package Gatepass
 */

/**
 * Once in five minutes for the whole site, however many members come meanwhile: whoever takes the turn asks, all others
 * go on with what is known. The turn is a row of the options table, written past WordPress's option cache and only if
 * it still says what was read.
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
	 * Constructor.
	 *
	 * @param callable $pull Pulls.
	 */
	public function __construct( callable $pull ) {
		$this->pull = $pull;
	}

	/**
	 * Asks, if it is time to.
	 *
	 * @return bool Whether everything has been heard.
	 */
	public function ask(): bool {
		$begun = $this->take_turn();
		if ( null === $begun ) {
			return false;
		}
		try {
			return ( $this->pull )( self::BUDGET );
		} finally {
			$this->write( $begun, $begun . ':done' );
		}
	}

	/**
	 * Whether the panel is being asked, or is to be asked next: then its silence is not yet a fact.
	 *
	 * @return bool
	 */
	public function is_open(): bool {
		$last = $this->last();
		return self::is_due( $last, $this->now() ) || ( false === strpos( (string) $last, ':' ) && (int) $last > $this->now() - 2 * self::BUDGET );
	}

	/**
	 * Takes the turn.
	 *
	 * @return string|null What now stands in the row; null if it is not time, or somebody else was faster.
	 */
	private function take_turn(): ?string {
		$now  = $this->now();
		$last = $this->last();
		return self::is_due( $last, $now ) && $this->write( $last, (string) $now ) ? (string) $now : null;
	}

	/**
	 * Whether it is time to ask. A time that lies ahead, as a clock put back leaves it, is none.
	 *
	 * @param string|null $last What stands in the row.
	 * @param int         $now  Seconds since 1970.
	 * @return bool
	 */
	public static function is_due( ?string $last, int $now ): bool {
		return abs( $now - (int) $last ) >= self::EVERY;
	}

	/**
	 * The time by the database's clock, the one that all web servers of a site share.
	 *
	 * @return int Seconds since 1970.
	 */
	private function now(): int {
		global $wpdb;

		return (int) $wpdb->get_var( 'SELECT UNIX_TIMESTAMP()' ); // phpcs:ignore WordPress.DB -- There is no function of WordPress's for it.
	}

	/**
	 * What stands in the row.
	 *
	 * @return string|null Null if there is none.
	 */
	private function last(): ?string {
		global $wpdb;

		// phpcs:ignore WordPress.DB -- Uncached by design.
		return $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$wpdb->options} WHERE option_name = %s", Gatepass_Names::OPTION_REFRESH ) );
	}

	/**
	 * Writes the row, if it still says what was read.
	 *
	 * @param string|null $last What was read.
	 * @param string      $next What it is to say.
	 * @return bool Whether it did.
	 */
	private function write( ?string $last, string $next ): bool {
		global $wpdb;

		// phpcs:disable WordPress.DB -- Atomic, and uncached by design.
		$written = null === $last
			? $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->options} ( option_name, option_value, autoload ) VALUES ( %s, %s, 'no' )", Gatepass_Names::OPTION_REFRESH, $next ) )
			: $wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->options} SET option_value = %s WHERE option_name = %s AND option_value = %s", $next, Gatepass_Names::OPTION_REFRESH, $last ) );
		// phpcs:enable
		return 1 === $written;
	}
}
