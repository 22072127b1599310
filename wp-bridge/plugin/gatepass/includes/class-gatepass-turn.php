<?php
/**
 * Something that is done once in a while, whoever comes first.
 *
 * @package Gatepass
 */

/**
 * Whoever takes the turn does it; all others go on. A turn is a row of the options table, written past WordPress's option
 * cache and only if it still says what was read. Its time is the database's, the one that all web servers of a site share.
 */
final class Gatepass_Turn {

	/**
	 * Name of the row.
	 *
	 * @var string
	 */
	private $name;

	/**
	 * How often, in seconds.
	 *
	 * @var int
	 */
	private $every;

	/**
	 * Constructor.
	 *
	 * @param string $name  Name of the row.
	 * @param int    $every How often, in seconds.
	 */
	public function __construct( string $name, int $every ) {
		$this->name  = $name;
		$this->every = $every;
	}

	/**
	 * Takes the turn.
	 *
	 * @return string|null What now stands in the row; null if it is not time, or somebody else was faster.
	 */
	public function take(): ?string {
		$now  = $this->now();
		$last = $this->last();
		return $this->is_due( $last, $now ) && $this->write( $last, (string) $now ) ? (string) $now : null;
	}

	/**
	 * Whether it is time. A time that lies ahead, as a clock put back leaves it, is none.
	 *
	 * @param string|null $last What stands in the row.
	 * @param int         $now  Seconds since 1970.
	 * @return bool
	 */
	public function is_due( ?string $last, int $now ): bool {
		return abs( $now - (int) $last ) >= $this->every;
	}

	/**
	 * The time by the database's clock.
	 *
	 * @return int Seconds since 1970.
	 */
	public function now(): int {
		global $wpdb;

		return (int) $wpdb->get_var( 'SELECT UNIX_TIMESTAMP()' ); // phpcs:ignore WordPress.DB -- There is no function of WordPress's for it.
	}

	/**
	 * What stands in the row.
	 *
	 * @return string|null Null if there is none.
	 */
	public function last(): ?string {
		global $wpdb;

		// phpcs:ignore WordPress.DB -- Uncached by design.
		return $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$wpdb->options} WHERE option_name = %s", $this->name ) );
	}

	/**
	 * Writes the row, if it still says what was read.
	 *
	 * @param string|null $last What was read.
	 * @param string      $next What it is to say.
	 * @return bool Whether it did.
	 */
	public function write( ?string $last, string $next ): bool {
		global $wpdb;

		// phpcs:disable WordPress.DB -- Atomic, and uncached by design.
		$written = null === $last
			? $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->options} ( option_name, option_value, autoload ) VALUES ( %s, %s, 'no' )", $this->name, $next ) )
			: $wpdb->query( $wpdb->prepare( "UPDATE {$wpdb->options} SET option_value = %s WHERE option_name = %s AND option_value = %s", $next, $this->name, $last ) );
		// phpcs:enable
		return 1 === $written;
	}
}
