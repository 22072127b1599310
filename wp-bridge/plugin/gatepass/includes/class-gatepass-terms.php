<?php
/**
 * What a handoff says of the session that it opens.
 *
 * @package Gatepass
 */

/**
 * Goes with a session as its data, and through a second factor to the session that comes of it. Immutable.
 *
 * A session on behalf of a customer ends at a fixed time, counted from the handoff: nothing that happens to the
 * session, or to its cookie, makes it longer.
 */
final class Gatepass_Terms {

	/**
	 * For how many seconds somebody may act for a customer, should the bridge not say.
	 */
	const ON_BEHALF_SECONDS = 3600;

	/**
	 * Which handoff.
	 *
	 * @var string
	 */
	private $handoff;

	/**
	 * The panel's id of its customer.
	 *
	 * @var string
	 */
	private $subject;

	/**
	 * Whether the session is to outlive the browser.
	 *
	 * @var bool
	 */
	private $remember;

	/**
	 * Who acts for the customer.
	 *
	 * @var Gatepass_Actor|null
	 */
	private $actor;

	/**
	 * Since when, in seconds since 1970.
	 *
	 * @var int
	 */
	private $since;

	/**
	 * When the session ends at the latest, in seconds since 1970; null for whenever WordPress ends it.
	 *
	 * @var int|null
	 */
	private $until;

	/**
	 * Constructor.
	 *
	 * @param string              $handoff  Which handoff.
	 * @param string              $subject  The panel's id of its customer.
	 * @param bool                $remember Whether the session is to outlive the browser.
	 * @param Gatepass_Actor|null $actor    Who acts for the customer.
	 * @param int                 $since    Since when.
	 * @param int|null            $until    When the session ends at the latest.
	 */
	private function __construct( string $handoff, string $subject, bool $remember, ?Gatepass_Actor $actor, int $since, ?int $until ) {
		$this->handoff  = $handoff;
		$this->subject  = $subject;
		$this->remember = $remember;
		$this->actor    = $actor;
		$this->since    = $since;
		$this->until    = $until;
	}

	/**
	 * The terms of a redemption.
	 *
	 * @param Gatepass_Redemption $redemption The bridge's yes.
	 * @param int                 $now        Seconds since 1970.
	 * @return self
	 */
	public static function of( Gatepass_Redemption $redemption, int $now ): self {
		$actor   = $redemption->actor();
		$seconds = $redemption->max_seconds() ?? ( null === $actor ? null : self::ON_BEHALF_SECONDS );
		return new self(
			$redemption->handoff_id(),
			$redemption->subject(),
			$redemption->remember() && null === $actor,
			$actor,
			$now,
			null === $seconds ? null : $now + $seconds
		);
	}

	/**
	 * Reads what to_array() has written. Whatever says that somebody acts for the customer counts as saying so,
	 * however damaged it is; and then it is over.
	 *
	 * @param mixed $stored What stands in a session.
	 * @return self|null Null if it is none of ours.
	 */
	public static function from_array( $stored ): ?self {
		if ( ! is_array( $stored ) ) {
			return null;
		}
		$text      = static function ( $value ): string {
			return is_string( $value ) ? $value : '';
		};
		$until     = is_int( $stored['until'] ?? null ) ? $stored['until'] : null;
		$on_behalf = $stored['on_behalf'] ?? null;
		$actor     = Gatepass_Actor::from_array( $on_behalf );
		if ( null !== $on_behalf && ( null === $actor || null === $until ) ) {
			$actor = $actor ?? new Gatepass_Actor( '?', '?', '?' );
			$until = 0;
		}
		return new self(
			$text( $stored['handoff'] ?? null ),
			$text( $stored['subject'] ?? null ),
			true === ( $stored['remember'] ?? null ) && null === $actor,
			$actor,
			is_array( $on_behalf ) && is_int( $on_behalf['since'] ?? null ) ? $on_behalf['since'] : 0,
			$until
		);
	}

	/**
	 * The terms that stand in a session.
	 *
	 * @param mixed $session A session as WordPress keeps it.
	 * @return self|null Null if it is not of a handoff.
	 */
	public static function of_session( $session ): ?self {
		return is_array( $session ) ? self::from_array( $session[ Gatepass_Names::SESSION_DATA ] ?? null ) : null;
	}

	/**
	 * To be kept in a session.
	 *
	 * @return array<string,mixed>
	 */
	public function to_array(): array {
		$members = array(
			'handoff'  => $this->handoff,
			'subject'  => $this->subject,
			'remember' => $this->remember,
		);
		if ( is_multisite() ) {
			// Sessions are of the whole network, and panels of different blogs may call different people the same.
			$members['blog'] = get_current_blog_id();
		}
		if ( null !== $this->until ) {
			$members['until'] = $this->until;
		}
		if ( null !== $this->actor ) {
			$members['on_behalf'] = $this->actor->to_array() + array(
				'handoff' => $this->handoff,
				'since'   => $this->since,
			);
		}
		return $members;
	}

	/**
	 * Which handoff.
	 *
	 * @return string
	 */
	public function handoff_id(): string {
		return $this->handoff;
	}

	/**
	 * Whether the session is to outlive the browser.
	 *
	 * @return bool
	 */
	public function remember(): bool {
		return $this->remember;
	}

	/**
	 * Who acts for the customer.
	 *
	 * @return Gatepass_Actor|null Null if it is the customer.
	 */
	public function actor(): ?Gatepass_Actor {
		return $this->actor;
	}

	/**
	 * How long a session may last that begins now.
	 *
	 * @param int $length How long it would, in seconds.
	 * @param int $now    Seconds since 1970.
	 * @return int Seconds.
	 */
	public function limit( int $length, int $now ): int {
		return null === $this->until ? $length : min( $length, max( 0, $this->until - $now ) );
	}

	/**
	 * Whether the session has to end.
	 *
	 * @param int $now Seconds since 1970.
	 * @return bool
	 */
	public function are_over( int $now ): bool {
		return null !== $this->until && $now >= $this->until;
	}
}
