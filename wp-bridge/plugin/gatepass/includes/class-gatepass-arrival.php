<?php
/**
 * A browser that has come with a token.
 *
 * @package Gatepass
 */

/**
 * What a POST to the login endpoint has brought, checked as far as WordPress can check it. Immutable.
 */
final class Gatepass_Arrival {

	/**
	 * The connection.
	 *
	 * @var Gatepass_Connection
	 */
	private $connection;

	/**
	 * The checked token.
	 *
	 * @var Gatepass_Handoff
	 */
	private $handoff;

	/**
	 * The browser's attempt.
	 *
	 * @var Gatepass_Attempt
	 */
	private $attempt;

	/**
	 * What the browser is bound by.
	 *
	 * @var Gatepass_Binding|null
	 */
	private $binding;

	/**
	 * The reference of this request.
	 *
	 * @var Gatepass_Reference
	 */
	private $reference;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Connection   $connection The connection.
	 * @param Gatepass_Handoff      $handoff    The checked token.
	 * @param Gatepass_Attempt      $attempt    The browser's attempt.
	 * @param Gatepass_Binding|null $binding    What the browser is bound by; null if by nothing.
	 * @param Gatepass_Reference    $reference  The reference of this request.
	 */
	public function __construct( Gatepass_Connection $connection, Gatepass_Handoff $handoff, Gatepass_Attempt $attempt, ?Gatepass_Binding $binding, Gatepass_Reference $reference ) {
		$this->connection = $connection;
		$this->handoff    = $handoff;
		$this->attempt    = $attempt;
		$this->binding    = $binding;
		$this->reference  = $reference;
	}

	/**
	 * The same arrival under the connection of now.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @return self
	 */
	public function with_connection( Gatepass_Connection $connection ): self {
		$copy             = clone $this;
		$copy->connection = $connection;
		return $copy;
	}

	/**
	 * Whether it makes sense to ask the bridge: where a binding is a must, it would refuse without one.
	 *
	 * @return bool
	 */
	public function may_be_redeemed(): bool {
		return null !== $this->binding || ! $this->connection->policy()->requires_binding();
	}

	/**
	 * Whether leading it through the start (again) would go round in circles: it comes from there, and the browser
	 * keeps no cookie, or it was led there again just now.
	 *
	 * @param bool $is_bound Whether the broker says that the handoff is bound, and so has been through a start.
	 * @return bool
	 */
	public function has_just_begun( bool $is_bound ): bool {
		return null === $this->binding ? $is_bound : $this->binding->has_just_begun_again();
	}

	/**
	 * Who it is, as the panel knows them.
	 *
	 * @return Gatepass_Identity
	 */
	public function identity(): Gatepass_Identity {
		return new Gatepass_Identity( $this->connection->issuer(), $this->connection->site_id(), $this->handoff->subject() );
	}

	/**
	 * The connection.
	 *
	 * @return Gatepass_Connection
	 */
	public function connection(): Gatepass_Connection {
		return $this->connection;
	}

	/**
	 * The checked token.
	 *
	 * @return Gatepass_Handoff
	 */
	public function handoff(): Gatepass_Handoff {
		return $this->handoff;
	}

	/**
	 * The browser's attempt.
	 *
	 * @return Gatepass_Attempt
	 */
	public function attempt(): Gatepass_Attempt {
		return $this->attempt;
	}

	/**
	 * What the browser is bound by.
	 *
	 * @return Gatepass_Binding|null
	 */
	public function binding(): ?Gatepass_Binding {
		return $this->binding;
	}

	/**
	 * The reference of this request.
	 *
	 * @return Gatepass_Reference
	 */
	public function reference(): Gatepass_Reference {
		return $this->reference;
	}
}
