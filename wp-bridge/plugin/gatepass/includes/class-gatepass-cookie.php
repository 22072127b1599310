<?php
/**
 * A cookie of ours.
 *
 * @package Gatepass
 */

/**
 * No script reads it, and it comes along with no other site's form. With `__Host-` no neighbouring host can plant one
 * (RFC 6265bis, section 4.1.3.2), but browsers take that prefix only over HTTPS; hence two names.
 */
final class Gatepass_Cookie {

	/**
	 * Its name over plain HTTP.
	 *
	 * @var string
	 */
	private $plain_name;

	/**
	 * Its name over HTTPS.
	 *
	 * @var string
	 */
	private $https_name;

	/**
	 * Constructor.
	 *
	 * @param string $plain_name Its name over plain HTTP.
	 * @param string $https_name Its name over HTTPS.
	 */
	public function __construct( string $plain_name, string $https_name ) {
		$this->plain_name = $plain_name;
		$this->https_name = $https_name;
	}

	/**
	 * What the browser has sent.
	 *
	 * @param Gatepass_Request $request   The request.
	 * @param int              $max_bytes Longer ones count as absent.
	 * @return string As it came. Empty if absent.
	 */
	public function read( Gatepass_Request $request, int $max_bytes ): string {
		return $request->cookie( $this->name(), $max_bytes );
	}

	/**
	 * Puts it into the browser, as long as that is possible. Lax: it comes along when another site's link leads here.
	 *
	 * @param string $value   Its value.
	 * @param int    $expires Seconds since 1970.
	 */
	public function set( string $value, int $expires ): void {
		if ( headers_sent() ) {
			return;
		}
		setcookie(
			$this->name(),
			$value,
			array(
				'expires'  => $expires,
				'path'     => '/',
				'secure'   => self::is_https(),
				'httponly' => true,
				'samesite' => 'Lax',
			)
		);
	}

	/**
	 * Takes it out of the browser.
	 */
	public function remove(): void {
		$this->set( '', 1 );
	}

	/**
	 * Its name.
	 *
	 * @return string
	 */
	private function name(): string {
		return self::is_https() ? $this->https_name : $this->plain_name;
	}

	/**
	 * Whether browsers reach the login endpoint over HTTPS.
	 *
	 * @return bool
	 */
	private static function is_https(): bool {
		return 0 === strpos( Gatepass_Endpoint::url(), 'https://' );
	}
}
