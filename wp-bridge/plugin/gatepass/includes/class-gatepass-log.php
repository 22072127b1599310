<?php
/**
 * The owner's own log: who signed in by button, and who was refused.
 *
 * @package Gatepass
 */

/**
 * Writes the log, and keeps it small. One line for a login, and one for a refusal once the bridge was asked
 * about a token whose signature holds: so nobody writes here who has no handoff of the panel's. The same
 * attempt never writes the same line twice, no handoff more than a few, and no customer more than some a day, so
 * that nobody pushes out the lines of others by trying one link, or one after the other.
 *
 * Lines are written when the browser has its answer, and whatever goes wrong with them stops no login.
 */
final class Gatepass_Log {

	/**
	 * The form of the table. Another number has dbDelta() look at the table again.
	 */
	const SCHEMA = '1';

	/**
	 * After how many days a line is removed, unless a filter says otherwise.
	 */
	const DAYS = 90;

	/**
	 * Most lines, unless a filter says otherwise.
	 */
	const LINES = 5000;

	/**
	 * Most lines of one handoff, before that of its sign-in.
	 */
	const LINES_OF_A_HANDOFF = 10;

	/**
	 * Most lines of one customer within a day, beside those of sign-ins.
	 */
	const LINES_OF_A_CUSTOMER = 50;

	/**
	 * Most lines of links that came too late from one address within a day: old links are found anywhere, and cost
	 * nothing.
	 */
	const LATE_LINES_OF_AN_ADDRESS = 20;

	/*
	 * Results.
	 */

	const SIGNED_IN = 'signed_in';
	/** By the panel's Gatepass, or by a rule of this site. */
	const REFUSED = 'refused';
	/** Something did not work. */
	const FAILED = 'failed';

	/**
	 * Columns and the most characters they take: each as many as its source allows.
	 */
	const TEXTS = array(
		'cause'         => 64,
		'subject'       => 128,
		'identity'      => 32,
		'handoff'       => 32,
		'reference'     => 16,
		'actor_subject' => 128,
		'actor_name'    => 100,
		'actor_reason'  => 500,
		'ip'            => 45,
	);

	/**
	 * Hooks. Removing old lines goes on when the site is unpaired and its heart beats no more: with WordPress's
	 * own daily clean-up.
	 */
	public function register(): void {
		foreach ( array( Gatepass_Names::CRON_HEARTBEAT, 'wp_scheduled_delete' ) as $hook ) {
			add_action( $hook, array( $this, 'trim' ) );
		}
	}

	/**
	 * Name of the table.
	 *
	 * @param int|null $blog_id Which blog's; null for the current one.
	 * @return string
	 */
	public static function table( ?int $blog_id = null ): string {
		global $wpdb;

		return $wpdb->get_blog_prefix( $blog_id ) . Gatepass_Names::TABLE_LOG;
	}

	/**
	 * Whether the current blog has the table, as far as it is known.
	 *
	 * @return bool
	 */
	public static function exists(): bool {
		return false !== get_option( Gatepass_Names::OPTION_LOG_SCHEMA );
	}

	/**
	 * Writes one line, later.
	 *
	 * @param string              $result One of the results.
	 * @param array<string,mixed> $what   What is known: `cause`, `user_id`, `subject`, `identity` (its hash), `handoff`,
	 *                                    `attempt` (never kept), `reference`, `actor` (subject, name, reason), `ip`.
	 */
	public function record( string $result, array $what ): void {
		foreach ( array( 'subject', 'name', 'reason' ) as $part ) {
			$what[ 'actor_' . $part ] = $what['actor'][ $part ] ?? '';
		}
		$line = array(
			'at'      => gmdate( 'Y-m-d H:i:s' ),
			'result'  => $result,
			'user_id' => (int) ( $what['user_id'] ?? 0 ),
			'once'    => self::once( $result, $what ),
		);
		foreach ( self::TEXTS as $name => $length ) {
			$line[ $name ] = self::text( $what[ $name ] ?? '', $length );
		}
		Gatepass_Afterwards::run(
			function () use ( $line ): void {
				$this->write( $line );
			}
		);
	}

	/**
	 * After how many days a line is removed.
	 *
	 * @return int
	 */
	public static function days(): int {
		return max( 0, (int) apply_filters( Gatepass_Names::FILTER_LOG_DAYS, self::DAYS ) );
	}

	/**
	 * Removes lines that are too old or too many.
	 */
	public function trim(): void {
		if ( ! self::exists() ) {
			return;
		}
		self::guarded(
			static function (): void {
				self::change( 'DELETE FROM {log} WHERE at < %s', array( gmdate( 'Y-m-d H:i:s', time() - self::days() * DAY_IN_SECONDS ) ) );
				self::trim_to_size();
			}
		);
	}

	/**
	 * Removes the table of the current blog.
	 */
	public static function drop(): void {
		delete_option( Gatepass_Names::OPTION_LOG_SCHEMA );
		self::guarded(
			static function (): void {
				self::change( 'DROP TABLE IF EXISTS {log}' );
			}
		);
	}

	/**
	 * Has the table go with its blog.
	 *
	 * @param string[] $tables  Tables of the blog.
	 * @param int      $blog_id The blog.
	 * @return string[]
	 */
	public static function go_with_blog( $tables, $blog_id ): array {
		return array_merge( (array) $tables, array( self::table( (int) $blog_id ) ) );
	}

	/**
	 * Changes the table of the current blog.
	 *
	 * @param string  $sql    A statement; {log} stands for the table.
	 * @param mixed[] $values Values of its placeholders.
	 * @return int How many lines it concerned.
	 * @throws RuntimeException If the database refuses.
	 */
	public static function change( string $sql, array $values = array() ): int {
		global $wpdb;

		$rows = $wpdb->query( self::prepare( $sql, $values ) ); // phpcs:ignore WordPress.DB -- Prepared.
		if ( false === $rows ) {
			throw new RuntimeException( $wpdb->last_error );
		}
		return (int) $rows;
	}

	/**
	 * A statement about the table of the current blog.
	 *
	 * @param string  $sql    A statement; {log} stands for the table.
	 * @param mixed[] $values Values of its placeholders.
	 * @return string
	 */
	public static function prepare( string $sql, array $values ): string {
		global $wpdb;

		$sql = str_replace( '{log}', self::table(), $sql );
		return array() === $values ? $sql : $wpdb->prepare( $sql, $values ); // phpcs:ignore WordPress.DB -- Placeholders are the caller's.
	}

	/**
	 * Does something with the table whatever its state: the owner's error log hears of trouble, and nobody else.
	 *
	 * @param callable():mixed $work      What is to be done.
	 * @param mixed            $otherwise What to give back if it cannot be done.
	 * @return mixed What the work gives back.
	 */
	public static function guarded( callable $work, $otherwise = null ) {
		global $wpdb;

		$before = $wpdb->suppress_errors();
		try {
			return $work();
		} catch ( Throwable $failure ) {
			// phpcs:ignore WordPress.PHP.DevelopmentFunctions.error_log_error_log -- For the owner.
			error_log( 'Gatepass: the log of sign-ins does not work: ' . sanitize_text_field( $failure->getMessage() ) );
			return $otherwise;
		} finally {
			$wpdb->suppress_errors( $before );
		}
	}

	/**
	 * Writes a line, and mends the table first if need be.
	 *
	 * @param array<string,mixed> $line Column => value.
	 */
	private function write( array $line ): void {
		self::guarded(
			static function () use ( $line ): void {
				if ( self::SCHEMA !== get_option( Gatepass_Names::OPTION_LOG_SCHEMA ) ) {
					self::install();
				}
				try {
					self::insert( $line );
				} catch ( RuntimeException $failure ) {
					// Perhaps the table is not what we left, as after a backup from before was put back.
					self::install();
					self::insert( $line );
				}
			}
		);
	}

	/**
	 * Writes a line, unless it is there, or says no more than enough others do.
	 *
	 * @param array<string,mixed> $line Column => value.
	 * @throws RuntimeException If the database refuses.
	 */
	private static function insert( array $line ): void {
		global $wpdb;

		if ( self::SIGNED_IN !== $line['result'] && self::has_enough_like( $line ) ) {
			return;
		}
		foreach ( array_filter( array_intersect_key( $line, array_flip( array( 'actor_name', 'actor_reason' ) ) ) ) as $name => $text ) {
			// The database may know fewer characters than the panel.
			$text          = $wpdb->strip_invalid_text_for_column( self::table(), $name, $text );
			$line[ $name ] = is_string( $text ) ? $text : '';
		}
		$places = implode( ', ', array_fill( 0, count( $line ), '%s' ) );
		// Of two at a time, one is told that the line is there.
		if ( self::change( 'INSERT IGNORE INTO {log} (' . implode( ', ', array_keys( $line ) ) . ") VALUES ({$places})", array_values( $line ) ) > 0 ) {
			self::trim_to_size();
		}
	}

	/**
	 * Whether there are so many lines like this one that it would only push out those of others.
	 *
	 * @param array<string,mixed> $line Column => value.
	 * @return bool
	 */
	private static function has_enough_like( array $line ): bool {
		$day_ago = gmdate( 'Y-m-d H:i:s', time() - DAY_IN_SECONDS );
		if ( self::count( 'handoff = %s', array( $line['handoff'] ) ) >= self::LINES_OF_A_HANDOFF ) {
			return true;
		}
		if ( '' !== $line['identity']
			&& self::count( 'identity = %s AND at > %s AND result <> %s', array( $line['identity'], $day_ago, self::SIGNED_IN ) ) >= self::LINES_OF_A_CUSTOMER ) {
			return true;
		}
		return 'token_expired' === $line['cause']
			&& self::count( 'ip = %s AND at > %s AND cause = %s', array( $line['ip'], $day_ago, $line['cause'] ) ) >= self::LATE_LINES_OF_AN_ADDRESS;
	}

	/**
	 * How many lines there are.
	 *
	 * @param string  $condition Which, in SQL.
	 * @param mixed[] $values    Values of its placeholders.
	 * @return int
	 */
	private static function count( string $condition, array $values ): int {
		global $wpdb;

		return (int) $wpdb->get_var( self::prepare( 'SELECT COUNT(*) FROM {log} WHERE ' . $condition, $values ) ); // phpcs:ignore WordPress.DB -- Our own table, prepared.
	}

	/**
	 * Removes the oldest lines of a log that has too many.
	 */
	private static function trim_to_size(): void {
		global $wpdb;

		$lines = max( 0, (int) apply_filters( Gatepass_Names::FILTER_LOG_LINES, self::LINES ) );
		// phpcs:ignore WordPress.DB -- Our own table, prepared.
		$beyond = $wpdb->get_var( self::prepare( 'SELECT id FROM {log} ORDER BY id DESC LIMIT 1 OFFSET %d', array( $lines ) ) );
		if ( null !== $beyond ) {
			self::change( 'DELETE FROM {log} WHERE id <= %d', array( (int) $beyond ) );
		}
	}

	/**
	 * Makes the table, or brings it into its form of now.
	 */
	private static function install(): void {
		global $wpdb;

		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		// As dbDelta() reads it: one column a line, two spaces after PRIMARY KEY.
		dbDelta(
			'CREATE TABLE ' . self::table() . ' (
				id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
				at datetime NOT NULL,
				result varchar(16) NOT NULL,
				cause varchar(64) NOT NULL,
				user_id bigint(20) unsigned NOT NULL,
				subject varchar(128) NOT NULL,
				identity char(32) NOT NULL,
				handoff varchar(32) NOT NULL,
				reference varchar(16) NOT NULL,
				actor_subject varchar(128) NOT NULL,
				actor_name varchar(100) NOT NULL,
				actor_reason varchar(500) NOT NULL,
				ip varchar(45) NOT NULL,
				once char(32) NOT NULL,
				PRIMARY KEY  (id),
				UNIQUE KEY once (once),
				KEY at (at),
				KEY handoff (handoff),
				KEY user_id (user_id),
				KEY identity (identity)
			) ' . $wpdb->get_charset_collate() . ';'
		);
		update_option( Gatepass_Names::OPTION_LOG_SCHEMA, self::SCHEMA, false );
	}

	/**
	 * What a line is told by from those that say the same again: a handoff signs in once, and each attempt is
	 * refused once for a cause.
	 *
	 * @param string              $result The result.
	 * @param array<string,mixed> $what   What is known.
	 * @return string 32 hex digits. The attempt is a secret, so only this hash of it is kept.
	 */
	private static function once( string $result, array $what ): string {
		$attempt = self::SIGNED_IN === $result ? '' : $what['attempt'] ?? '';
		$parts   = array( 'gatepass-log', $result, $what['cause'] ?? '', $what['handoff'] ?? '', $attempt );
		return substr( hash( 'sha256', implode( "\n", $parts ) ), 0, 32 );
	}

	/**
	 * A text without line breaks or other control characters.
	 *
	 * @param mixed $value  Any value.
	 * @param int   $length Most characters.
	 * @return string Empty if it is no text.
	 */
	private static function text( $value, int $length ): string {
		if ( ! is_string( $value ) || 1 !== preg_match( '/\A.{0,' . $length . '}/su', $value, $beginning ) ) {
			return '';
		}
		return (string) preg_replace( '/[\x00-\x1f\x7f]+/', ' ', $beginning[0] );
	}
}
