<?php
/**
 * The request as the browser sent it.
 *
 * @package Gatepass
 */

/**
 * The only reader of $_GET, $_POST and $_SERVER. Every value it gives is a string: a parameter
 * sent as an array is no parameter (`token[]=` has made empty values match elsewhere).
 */
final class Gatepass_Request {

	/**
	 * GET, HEAD, POST …
	 *
	 * @return string
	 */
	public function method(): string {
		return strtoupper( $this->server( 'REQUEST_METHOD' ) );
	}

	/**
	 * A parameter of the URL.
	 *
	 * @param string $name Its name.
	 * @return string Empty if absent.
	 */
	public function query( string $name ): string {
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- The callers check nonces or Origin.
		return isset( $_GET[ $name ] ) && is_string( $_GET[ $name ] ) ? sanitize_text_field( wp_unslash( $_GET[ $name ] ) ) : '';
	}

	/**
	 * A field of a form.
	 *
	 * @param string $name Its name.
	 * @return string Empty if absent.
	 */
	public function field( string $name ): string {
		// phpcs:ignore WordPress.Security.NonceVerification.Missing -- The callers check nonces or Origin.
		return isset( $_POST[ $name ] ) && is_string( $_POST[ $name ] ) ? sanitize_text_field( wp_unslash( $_POST[ $name ] ) ) : '';
	}

	/**
	 * A field of a form that is a list, as check boxes make it.
	 *
	 * @param string $name Its name.
	 * @return string[]
	 */
	public function list_field( string $name ): array {
		// phpcs:disable WordPress.Security -- The callers check nonces; each entry is sanitised below.
		$list = isset( $_POST[ $name ] ) && is_array( $_POST[ $name ] ) ? wp_unslash( $_POST[ $name ] ) : array();
		// phpcs:enable
		return array_map( 'sanitize_text_field', array_filter( $list, 'is_string' ) );
	}

	/**
	 * Whether the browser says that a page of this origin sent the request. A missing Origin, and
	 * the `null` of sandboxes and of strict referrer policies, is not the same origin.
	 *
	 * @param string $origin Our origin.
	 * @return bool
	 */
	public function comes_from( string $origin ): bool {
		return $this->server( 'HTTP_ORIGIN' ) === $origin;
	}

	/**
	 * The browser's address.
	 *
	 * @return string|null Null if unknown.
	 */
	public function client_ip(): ?string {
		$ip = (string) apply_filters( Gatepass_Names::FILTER_CLIENT_IP, $this->server( 'REMOTE_ADDR' ) );
		return false === filter_var( $ip, FILTER_VALIDATE_IP ) ? null : $ip;
	}

	/**
	 * The browser's name for itself.
	 *
	 * @return string At most 512 bytes.
	 */
	public function user_agent(): string {
		return wp_check_invalid_utf8( substr( $this->server( 'HTTP_USER_AGENT' ), 0, 512 ), true );
	}

	/**
	 * A value of the server, as it came: it is compared, validated or sent on as data, and never
	 * printed. Cleaning it first could turn a wrong Origin into a right one.
	 *
	 * @param string $name Its name.
	 * @return string Empty if absent.
	 */
	private function server( string $name ): string {
		// phpcs:ignore WordPress.Security.ValidatedSanitizedInput.InputNotSanitized -- See above.
		return isset( $_SERVER[ $name ] ) && is_string( $_SERVER[ $name ] ) ? wp_unslash( $_SERVER[ $name ] ) : '';
	}
}
