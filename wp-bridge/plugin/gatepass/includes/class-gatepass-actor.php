<?php
/**
 * Someone of the panel's staff who acts for a customer.
 *
 * @package Gatepass
 */

/**
 * Who acts, and why, as the panel says it. Name and reason are anybody's text: to be escaped where they are shown.
 */
final class Gatepass_Actor {

	/**
	 * The panel's id of that person.
	 *
	 * @var string
	 */
	private $subject;

	/**
	 * Their name.
	 *
	 * @var string
	 */
	private $name;

	/**
	 * Why.
	 *
	 * @var string
	 */
	private $reason;

	/**
	 * Constructor.
	 *
	 * @param string $subject The panel's id of that person.
	 * @param string $name    Their name.
	 * @param string $reason  Why.
	 */
	public function __construct( string $subject, string $name, string $reason ) {
		$this->subject = $subject;
		$this->name    = $name;
		$this->reason  = $reason;
	}

	/**
	 * Reads it as the bridge, or a session, has it.
	 *
	 * @param mixed $unverified Decoded JSON, or what stands in a session.
	 * @return self|null Null if it is no such thing.
	 */
	public static function from_array( $unverified ): ?self {
		if ( ! is_array( $unverified ) ) {
			return null;
		}
		// At most as long as the broker takes them, in bytes.
		foreach ( array(
			'subject' => 128,
			'name'    => 400,
			'reason'  => 2000,
		) as $name => $max_bytes ) {
			$value = $unverified[ $name ] ?? null;
			if ( ! is_string( $value ) || '' === $value || strlen( $value ) > $max_bytes ) {
				return null;
			}
		}
		return new self( $unverified['subject'], $unverified['name'], $unverified['reason'] );
	}

	/**
	 * To be kept.
	 *
	 * @return array{subject:string,name:string,reason:string}
	 */
	public function to_array(): array {
		return array(
			'subject' => $this->subject,
			'name'    => $this->name,
			'reason'  => $this->reason,
		);
	}

	/**
	 * The panel's id of that person.
	 *
	 * @return string
	 */
	public function subject(): string {
		return $this->subject;
	}

	/**
	 * Their name.
	 *
	 * @return string
	 */
	public function name(): string {
		return $this->name;
	}

	/**
	 * Why they act for the customer.
	 *
	 * @return string
	 */
	public function reason(): string {
		return $this->reason;
	}
}
