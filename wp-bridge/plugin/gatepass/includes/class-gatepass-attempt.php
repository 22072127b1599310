<?php
/**
 * A browser's attempt.
 *
 * @package Gatepass
 */

/**
 * 128 random bits of the landing page's script. Who repeats an attempt gets the same answer again,
 * for some seconds; so it is a secret, and an object, which PHP does not spell out in stack traces.
 */
final class Gatepass_Attempt {

	/**
	 * The attempt.
	 *
	 * @var string
	 */
	private $text;

	/**
	 * Constructor.
	 *
	 * @param string $text 22 characters of base64url.
	 */
	private function __construct( string $text ) {
		$this->text = $text;
	}

	/**
	 * Reads what was posted.
	 *
	 * @param string $unverified What was posted.
	 * @return self|null Null if it is not 128 bits of base64url.
	 */
	public static function parse( string $unverified ): ?self {
		return 22 === strlen( $unverified ) && null !== Gatepass_Base64url::decode( $unverified ) ? new self( $unverified ) : null;
	}

	/**
	 * For the bridge, and for the form that repeats it.
	 *
	 * @return string
	 */
	public function text(): string {
		return $this->text;
	}
}
