<?php
/**
 * The request as the browser sent it.
 *
 * @package Gatepass
 */

/**
 * The only reader of $_GET, $_POST and $_SERVER, and of cookies. Every value it gives is a string: a parameter
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
	 * @param string $name      Its name.
	 * @param int    $max_bytes Longer ones count as absent.
	 * @return string As it came: the callers compare it, or validate it letter by letter. Empty if absent.
	 */
	public function query( string $name, int $max_bytes = 200 ): string {
		// phpcs:ignore WordPress.Security -- The callers check nonces or Origin, and validate.
		return self::text( $_GET[ $name ] ?? null, $max_bytes );
	}

	/**
	 * A field of a form.
	 *
	 * @param string $name      Its name.
	 * @param int    $max_bytes Longer ones count as absent.
	 * @return string As it came: the callers compare it, or validate it letter by letter. Empty if absent.
	 */
	public function field( string $name, int $max_bytes = 200 ): string {
		// phpcs:ignore WordPress.Security -- The callers check nonces or Origin, and validate.
		return self::text( $_POST[ $name ] ?? null, $max_bytes );
	}

	/**
	 * Whether a field of a form came as {@see field()} reads it: even empty, but neither absent nor too long.
	 *
	 * @param string $name      Its name.
	 * @param int    $max_bytes Longer ones count as absent.
	 * @return bool
	 */
	public function has_field( string $name, int $max_bytes = 200 ): bool {
		// phpcs:ignore WordPress.Security -- Only whether it is there.
		return is_string( $_POST[ $name ] ?? null ) && strlen( $_POST[ $name ] ) <= $max_bytes;
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
		$short = array_filter(
			array_slice( $list, 0, 1000 ),
			static function ( $entry ): bool {
				return is_string( $entry ) && strlen( $entry ) <= 200;
			}
		);
		return array_map( 'sanitize_text_field', $short );
	}

	/**
	 * A cookie. Read from the header, by its exact name: older PHP gives `_[Host-a` and `..Host-a` the name `__Host-a`
	 * in $_COOKIE (CVE-2022-31629, CVE-2024-2756), and any neighbouring host can plant those.
	 *
	 * @param string $name      Its name.
	 * @param int    $max_bytes Longer ones count as absent.
	 * @return string As it came: the callers validate it letter by letter. Empty if absent, and if it came twice: one of
	 *                the two is somebody else's.
	 */
	public function cookie( string $name, int $max_bytes ): string {
		$values = array();
		foreach ( explode( ';', $this->server( 'HTTP_COOKIE' ) ) as $pair ) {
			$parts = explode( '=', ltrim( $pair ), 2 );
			if ( $parts[0] === $name ) {
				$values[] = rawurldecode( $parts[1] ?? '' );
			}
		}
		return 1 === count( $values ) && strlen( $values[0] ) <= $max_bytes ? $values[0] : '';
	}

	/**
	 * Whether the browser says that a page of this origin sent the request. A missing Origin, and
	 * the `null` of sandboxes and of strict referrer policies, is not the same origin.
	 *
	 * @param string|null $origin Our origin; null if we do not know it, and then nobody comes from there.
	 * @return bool
	 */
	public function comes_from( ?string $origin ): bool {
		return null !== $origin && '' !== $origin && $this->server( 'HTTP_ORIGIN' ) === $origin;
	}

	/**
	 * A header, as it came.
	 *
	 * @param string $name Its name, in any case.
	 * @return string Empty if absent.
	 */
	public function header( string $name ): string {
		return $this->server( 'HTTP_' . strtoupper( str_replace( '-', '_', $name ) ) );
	}

	/**
	 * Path and query, as they came.
	 *
	 * @return string
	 */
	public function target(): string {
		return $this->server( 'REQUEST_URI' );
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
	 * A text of at most so many bytes. The length comes before anything else: WordPress's own cleaning
	 * takes seconds for a hundred kilobytes.
	 *
	 * @param mixed $value     What came.
	 * @param int   $max_bytes Most bytes.
	 * @return string Empty for everything else.
	 */
	private static function text( $value, int $max_bytes ): string {
		return is_string( $value ) && strlen( $value ) <= $max_bytes ? wp_unslash( $value ) : '';
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
