<?php
/**
 * A lock that all processes of a site see.
 *
 * @package Gatepass
 */

/**
 * One at a time, by the unique name of a row in the options table. WordPress has no such lock for
 * users: creating one, and writing a session, are both read first and write later.
 *
 * The row is written past WordPress's option cache on purpose; nothing reads it as an option.
 */
final class Gatepass_Lock {

	/**
	 * After this many seconds a lock counts as left behind by a process that died.
	 */
	const SECONDS = 30;

	/**
	 * How long to wait for a lock, in seconds.
	 */
	const PATIENCE = 10;

	/**
	 * Name of the row.
	 *
	 * @var string
	 */
	private $name;

	/**
	 * Value of the row: until when, and whose.
	 *
	 * @var string
	 */
	private $value;

	/**
	 * Constructor.
	 *
	 * @param string $name  Name of the row.
	 * @param string $value Value of the row.
	 */
	private function __construct( string $name, string $value ) {
		$this->name  = $name;
		$this->value = $value;
	}

	/**
	 * Waits for a lock and takes it.
	 *
	 * @param string $what What is locked; part of a row's name.
	 * @return self|null Null if it stayed taken.
	 */
	public static function take( string $what ): ?self {
		global $wpdb;

		// On a network users belong to all blogs, so the lock does too.
		$table = $wpdb->base_prefix . 'options';
		$name  = Gatepass_Names::OPTION_LOCK_PREFIX . $what;
		$owner = bin2hex( random_bytes( 8 ) );
		$until = microtime( true ) + self::PATIENCE;
		do {
			// phpcs:disable WordPress.DB -- The table's name is ours. Atomic, and uncached by design.
			// By the database's clock, the one that all web servers of a site share.
			$now   = (int) $wpdb->get_var( 'SELECT UNIX_TIMESTAMP()' );
			$value = ( $now + self::SECONDS ) . ':' . $owner;
			$taken = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$table} ( option_name, option_value, autoload ) VALUES ( %s, %s, 'no' )", $name, $value ) );
			if ( 1 === $taken ) {
				return new self( $name, $value );
			}
			$held = (string) $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$table} WHERE option_name = %s", $name ) );
			if ( '' !== $held && (int) $held < $now ) {
				// Its very value, so that of two who see a dead lock only one removes it.
				$wpdb->query( $wpdb->prepare( "DELETE FROM {$table} WHERE option_name = %s AND option_value = %s", $name, $held ) );
				continue;
			}
			// phpcs:enable
			usleep( random_int( 15000, 45000 ) );
		} while ( microtime( true ) < $until );
		return null;
	}

	/**
	 * Gives the lock back. Does nothing to a lock that has been taken over by another.
	 */
	public function release(): void {
		global $wpdb;

		$table = $wpdb->base_prefix . 'options';
		// phpcs:ignore WordPress.DB -- As above.
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$table} WHERE option_name = %s AND option_value = %s", $this->name, $this->value ) );
	}
}
