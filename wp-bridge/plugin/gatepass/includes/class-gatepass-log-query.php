<?php
/**
 * Some lines of the owner's log.
 *
 * @package Gatepass
 */

/**
 * The lines of the current blog's log that answer a question. Whatever state the table is in, it answers:
 * with no lines, if need be.
 */
final class Gatepass_Log_Query {

	/**
	 * How many lines are read at a time.
	 */
	const BATCH = 200;

	/**
	 * As many users as a name may find.
	 */
	const MAX_USERS = 100;

	/**
	 * Condition.
	 *
	 * @var string
	 */
	private $where;

	/**
	 * Values of its placeholders.
	 *
	 * @var mixed[]
	 */
	private $values;

	/**
	 * Constructor.
	 *
	 * @param string  $where  Condition in SQL.
	 * @param mixed[] $values Values of its placeholders.
	 */
	private function __construct( string $where, array $values ) {
		$this->where  = $where;
		$this->values = $values;
	}

	/**
	 * What the owner looks for.
	 *
	 * @param string $who    The panel's number of a customer, or part of a user's name or address. Empty for everybody.
	 * @param string $result One of Gatepass_Log's results. Empty for all.
	 * @return self
	 */
	public static function of( string $who, string $result ): self {
		$where  = array( '1 = 1' );
		$values = array();
		if ( '' !== $who ) {
			$users   = get_users(
				array(
					'search'         => '*' . $who . '*',
					'search_columns' => array( 'user_login', 'user_email', 'display_name' ),
					'fields'         => 'ID',
					'number'         => self::MAX_USERS,
				)
			);
			$where[] = '(' . implode( ' OR ', array_merge( array( 'subject = %s' ), array_fill( 0, count( $users ), 'user_id = %d' ) ) ) . ')';
			$values  = array_merge( array( $who ), array_map( 'intval', $users ) );
		}
		if ( '' !== $result ) {
			$where[]  = 'result = %s';
			$values[] = $result;
		}
		return new self( implode( ' AND ', $where ), $values );
	}

	/**
	 * Everything about one person: as a user of this site, and from before they were one.
	 *
	 * @param int                 $user_id    The user.
	 * @param Gatepass_Identity[] $identities Who they are to panels.
	 * @return self
	 */
	public static function about( int $user_id, array $identities ): self {
		$where  = array( 'user_id = %d' );
		$values = array( $user_id );
		foreach ( $identities as $identity ) {
			$where[]  = 'identity = %s';
			$values[] = $identity->hash();
		}
		return new self( '(' . implode( ' OR ', $where ) . ')', $values );
	}

	/**
	 * A user's last sign-in by button.
	 *
	 * @param int $user_id The user.
	 * @return Gatepass_Log_Line|null
	 */
	public static function last_sign_in( int $user_id ): ?Gatepass_Log_Line {
		$query = new self( 'user_id = %d AND result = %s', array( $user_id, Gatepass_Log::SIGNED_IN ) );
		return $query->newest( 1 )[0] ?? null;
	}

	/**
	 * How many lines there are.
	 *
	 * @return int
	 */
	public function count(): int {
		return (int) $this->read( 'get_var', "SELECT COUNT(*) FROM {log} WHERE {$this->where}", $this->values, 0 );
	}

	/**
	 * Lines, the newest first.
	 *
	 * @param int $number How many at most.
	 * @param int $skip   How many to skip.
	 * @return Gatepass_Log_Line[]
	 */
	public function newest( int $number, int $skip = 0 ): array {
		return $this->lines( "{$this->where} ORDER BY id DESC LIMIT %d OFFSET %d", array_merge( $this->values, array( $number, $skip ) ) );
	}

	/**
	 * All lines, the newest first, few of them in memory at a time.
	 *
	 * @return Generator
	 */
	public function each(): Generator {
		$below = PHP_INT_MAX;
		do {
			$lines = $this->lines( "{$this->where} AND id < %d ORDER BY id DESC LIMIT %d", array_merge( $this->values, array( $below, self::BATCH ) ) );
			foreach ( $lines as $line ) {
				$below = $line->id();
				yield $line;
			}
		} while ( self::BATCH === count( $lines ) );
	}

	/**
	 * Takes out of these lines what tells who they are about. When something happened stays, and what.
	 *
	 * @return int How many lines it were.
	 */
	public function anonymise(): int {
		if ( ! Gatepass_Log::exists() ) {
			return 0;
		}
		return (int) Gatepass_Log::guarded(
			function (): int {
				return Gatepass_Log::change(
					"UPDATE {log} SET user_id = 0, subject = '', identity = '', handoff = '', reference = '', actor_reason = '', ip = '' WHERE {$this->where}",
					$this->values
				);
			},
			0
		);
	}

	/**
	 * Reads lines.
	 *
	 * @param string  $rest   What follows WHERE.
	 * @param mixed[] $values Values of its placeholders.
	 * @return Gatepass_Log_Line[]
	 */
	private function lines( string $rest, array $values ): array {
		$lines = array();
		foreach ( (array) $this->read( 'get_results', "SELECT * FROM {log} WHERE {$rest}", $values, array() ) as $row ) {
			$lines[] = new Gatepass_Log_Line( (array) $row );
		}
		return $lines;
	}

	/**
	 * Asks the database.
	 *
	 * @param string  $how       Method of wpdb.
	 * @param string  $sql       The question.
	 * @param mixed[] $values    Values of its placeholders.
	 * @param mixed   $otherwise What to give back if there is no table, or no answer.
	 * @return mixed
	 * @throws RuntimeException Never out of here: it is what trouble is told by.
	 */
	private function read( string $how, string $sql, array $values, $otherwise ) {
		if ( ! Gatepass_Log::exists() ) {
			return $otherwise;
		}
		return Gatepass_Log::guarded(
			static function () use ( $how, $sql, $values ) {
				global $wpdb;

				$answer = $wpdb->$how( Gatepass_Log::prepare( $sql, $values ) ); // phpcs:ignore WordPress.DB -- Our own table, prepared.
				if ( '' !== $wpdb->last_error ) {
					throw new RuntimeException( $wpdb->last_error );
				}
				return $answer;
			},
			$otherwise
		);
	}
}
