<?php
/**
 * The bridge's yes.
 *
 * @package Gatepass
 */

/**
 * A redemption: the bridge has spent this handoff, for this attempt, and says who it is for.
 */
final class Gatepass_Redemption {

	/**
	 * Checked members of the answer.
	 *
	 * @var array<string,mixed>
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param array<string,mixed> $members Checked members.
	 */
	private function __construct( array $members ) {
		$this->members = $members;
	}

	/**
	 * Reads the answer, and whether it is the answer to our question.
	 *
	 * @param array<string,mixed> $answer  Decoded JSON.
	 * @param Gatepass_Handoff    $handoff The token that was asked about.
	 * @return self|null Null if the answer is malformed or about another token.
	 */
	public static function from_answer( array $answer, Gatepass_Handoff $handoff ): ?self {
		$wanted = Gatepass_Wanted::from_array( $answer['member'] ?? null );
		foreach ( array( 'handoff_id', 'jti', 'subject' ) as $name ) {
			if ( ! is_string( $answer[ $name ] ?? null ) ) {
				return null;
			}
		}
		if ( ! $handoff->is( $answer['jti'], $answer['subject'] )
			|| 1 !== preg_match( '/\Aho_[a-z2-7]{26}\z/', $answer['handoff_id'] )
			|| null === $wanted ) {
			return null;
		}
		$actor = Gatepass_Actor::from_array( $answer['actor'] ?? null );
		if ( isset( $answer['actor'] ) && null === $actor ) {
			return null;
		}
		$seconds = $answer['session']['max_seconds'] ?? null;
		return new self(
			array(
				'handoff_id'   => $answer['handoff_id'],
				'subject'      => $answer['subject'],
				'wanted'       => $wanted,
				'standing'     => self::standing_of( $answer ),
				'consent'      => Gatepass_Consent::from_array( $answer['consent'] ?? null ),
				'actor'        => $actor,
				'max_seconds'  => is_int( $seconds ) && $seconds > 0 ? $seconds : null,
				'remember'     => true === ( $answer['session']['remember'] ?? null ),
				'redirect_to'  => is_string( $answer['redirect_to'] ?? null ) ? $answer['redirect_to'] : null,
				'policy'       => isset( $answer['policy'] ) && is_array( $answer['policy'] ) ? new Gatepass_Policy( $answer['policy'] ) : null,
			)
		);
	}

	/**
	 * Id of the handoff, for the outcome report and the session.
	 *
	 * @return string
	 */
	public function handoff_id(): string {
		return $this->members['handoff_id'];
	}

	/**
	 * The panel's id of its customer.
	 *
	 * @return string
	 */
	public function subject(): string {
		return $this->members['subject'];
	}

	/**
	 * The account as the panel wants it.
	 *
	 * @return Gatepass_Wanted
	 */
	public function wanted(): Gatepass_Wanted {
		return $this->members['wanted'];
	}

	/**
	 * How the customer stands with the panel.
	 *
	 * @return Gatepass_Standing|null Null if the bridge is too old to tell.
	 */
	public function standing(): ?Gatepass_Standing {
		return $this->members['standing'];
	}

	/**
	 * What the customer has agreed to.
	 *
	 * @return Gatepass_Consent|null Null if the bridge does not tell.
	 */
	public function consent(): ?Gatepass_Consent {
		return $this->members['consent'];
	}

	/**
	 * Who of the panel's staff acts for the customer.
	 *
	 * @return Gatepass_Actor|null Null if it is the customer.
	 */
	public function actor(): ?Gatepass_Actor {
		return $this->members['actor'];
	}

	/**
	 * How long the session may last, in seconds.
	 *
	 * @return int|null Null for as long as WordPress makes it.
	 */
	public function max_seconds(): ?int {
		return $this->members['max_seconds'];
	}

	/**
	 * Whether the session is to outlive the browser.
	 *
	 * @return bool
	 */
	public function remember(): bool {
		return $this->members['remember'];
	}

	/**
	 * Where the panel wants the customer to land. To be checked by Gatepass_Redirects.
	 *
	 * @return string|null
	 */
	public function redirect_to(): ?string {
		return $this->members['redirect_to'];
	}

	/**
	 * The policy of now, if the answer has one.
	 *
	 * @return Gatepass_Policy|null
	 */
	public function policy(): ?Gatepass_Policy {
		return $this->members['policy'];
	}

	/**
	 * Reads how the customer stands.
	 *
	 * @param array<string,mixed> $answer Decoded JSON.
	 * @return Gatepass_Standing|null Null if it does not say.
	 */
	private static function standing_of( array $answer ): ?Gatepass_Standing {
		$standing   = $answer['standing'] ?? null;
		$membership = is_array( $answer['membership'] ?? null ) ? $answer['membership'] : array();
		return is_array( $standing ) && is_string( $standing['epoch'] ?? null ) ? Gatepass_Standing::from_array( $standing + $membership ) : null;
	}
}
