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
	 * Locks that this process holds.
	 *
	 * @var array<string,self>
	 */
	private static $held = array();

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
	 * Whose it is: a random text.
	 *
	 * @var string
	 */
	private $owner;

	/**
	 * Constructor.
	 *
	 * @param string $name  Name of the row.
	 * @param string $owner Whose it is.
	 * @param string $value Value of the row.
	 */
	private function __construct( string $name, string $owner, string $value ) {
		$this->name  = $name;
		$this->owner = $owner;
		$this->value = $value;
	}

	/**
	 * Waits for a lock and takes it.
	 *
	 * @param string $what     What is locked; part of a row's name.
	 * @param float  $patience How long to wait, in seconds; 0 for not at all.
	 * @return self|null Null if it stayed taken.
	 */
	public static function take( string $what, float $patience = self::PATIENCE ): ?self {
		global $wpdb;

		// On a network users belong to all blogs, so the lock does too.
		$table = $wpdb->base_prefix . 'options';
		$name  = Gatepass_Names::OPTION_LOCK_PREFIX . $what;
		$owner = bin2hex( random_bytes( 8 ) );
		$until = microtime( true ) + $patience;
		do {
			// phpcs:disable WordPress.DB -- The table's name is ours. Atomic, and uncached by design.
			$now   = self::now();
			$value = self::value( $now, $owner );
			$taken = $wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$table} ( option_name, option_value, autoload ) VALUES ( %s, %s, 'no' )", $name, $value ) );
			if ( 1 === $taken ) {
				self::$held[ $owner ] = new self( $name, $owner, $value );
				return self::$held[ $owner ];
			}
			$held = (string) $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$table} WHERE option_name = %s", $name ) );
			if ( '' !== $held && (int) $held < $now ) {
				// Its very value, so that of two who see a dead lock only one removes it. Then there is something to take.
				$until = max( $until, microtime( true ) + 0.1 );
				$wpdb->query( $wpdb->prepare( "DELETE FROM {$table} WHERE option_name = %s AND option_value = %s", $name, $held ) );
				continue;
			}
			// phpcs:enable
			usleep( random_int( 15000, 45000 ) );
		} while ( microtime( true ) < $until );
		return null;
	}

	/**
	 * Gives back whatever this process still holds: it is dying, and nobody need wait until its locks are old.
	 */
	public static function release_all(): void {
		foreach ( self::$held as $lock ) {
			$lock->release();
		}
	}

	/**
	 * Makes the lock young again, for work that may take longer than a lock lives.
	 *
	 * @return bool False if it has been taken over by another: then the work is no longer ours.
	 */
	public function renew(): bool {
		global $wpdb;

		$table = $wpdb->base_prefix . 'options';
		$value = self::value( self::now(), $this->owner );
		if ( $value === $this->value ) {
			// phpcs:ignore WordPress.DB -- As above. An update that changes nothing counts no row.
			return $value === $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$table} WHERE option_name = %s", $this->name ) );
		}
		// phpcs:ignore WordPress.DB -- As above.
		$renewed = $wpdb->query( $wpdb->prepare( "UPDATE {$table} SET option_value = %s WHERE option_name = %s AND option_value = %s", $value, $this->name, $this->value ) );
		if ( 1 !== $renewed ) {
			return false;
		}
		$this->value = $value;
		return true;
	}

	/**
	 * The time by the database's clock, the one that all web servers of a site share.
	 *
	 * @return int Seconds since 1970.
	 */
	private static function now(): int {
		global $wpdb;

		// phpcs:ignore WordPress.DB -- Nothing to cache.
		return (int) $wpdb->get_var( 'SELECT UNIX_TIMESTAMP()' );
	}

	/**
	 * The row's value.
	 *
	 * @param int    $now   The database's time.
	 * @param string $owner Whose it is.
	 * @return string
	 */
	private static function value( int $now, string $owner ): string {
		return ( $now + self::SECONDS ) . ':' . $owner;
	}

	/**
	 * Gives the lock back. Does nothing to a lock that has been taken over by another.
	 */
	public function release(): void {
		global $wpdb;

		unset( self::$held[ $this->owner ] );

		$table = $wpdb->base_prefix . 'options';
		// phpcs:ignore WordPress.DB -- As above.
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$table} WHERE option_name = %s AND option_value = %s", $this->name, $this->value ) );
	}
}
