<?php
/**
 * Web origins (RFC 6454): scheme, host and port.
 *
 * @package Gatepass
 */

/**
 * Origins as browsers write them in an Origin header.
 */
final class Gatepass_Origin {

	/**
	 * The origin of an http or https URL.
	 *
	 * @param string $url Absolute URL.
	 * @return string|null As a browser serialises it: lower case, no default port. Null if there is none.
	 */
	public static function of( string $url ): ?string {
		// A browser reads a backslash as a slash and drops control characters; PHP does neither, and takes `443+x` for a port.
		if ( 1 === preg_match( '/[\x00-\x20\x7f\\\\]/', $url )
			|| 1 !== preg_match( '#\Ahttps?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?(?:[/?\#]|\z)#i', $url ) ) {
			return null;
		}
		// phpcs:ignore WordPress.WP.AlternativeFunctions.parse_url_parse_url -- WordPress's wrapper mends what we refuse.
		$parts = parse_url( $url );
		if ( ! is_array( $parts ) || empty( $parts['host'] ) || isset( $parts['user'] ) || isset( $parts['pass'] ) ) {
			return null;
		}
		$scheme  = strtolower( $parts['scheme'] ?? '' );
		$host    = strtolower( $parts['host'] );
		$port    = $parts['port'] ?? null;
		$default = 'https' === $scheme ? 443 : 80;
		return $scheme . '://' . $host . ( null === $port || $default === $port ? '' : ':' . $port );
	}

	/**
	 * The origin of a URL of this WordPress. Unlike other URLs it may have letters beyond ASCII in its
	 * host name, for so some owners write it; browsers speak punycode.
	 *
	 * @param string $url Absolute URL.
	 * @return string|null Null also for such letters where PHP has no intl.
	 */
	public static function of_site( string $url ): ?string {
		if ( 1 === preg_match( '#\A(https?://)([^/?\#@:]*[\x80-\xff][^/?\#@:]*)(.*)\z#is', $url, $parts ) ) {
			$host = function_exists( 'idn_to_ascii' ) ? idn_to_ascii( $parts[2], IDNA_NONTRANSITIONAL_TO_ASCII, INTL_IDNA_VARIANT_UTS46 ) : false;
			return is_string( $host ) && '' !== $host ? self::of( $parts[1] . $host . $parts[3] ) : null;
		}
		return self::of( $url );
	}

	/**
	 * Where this blog lives, as the panel's operator registers it: its origin, and the folder if it is not all that is
	 * there (a blog of a network, a WordPress in a folder).
	 *
	 * @return string Empty if its origin cannot be told.
	 */
	public static function of_blog(): string {
		$origin = self::of_site( home_url() );
		return null === $origin ? '' : $origin . untrailingslashit( (string) wp_parse_url( home_url(), PHP_URL_PATH ) );
	}

	/**
	 * Whether a URL leads to this very machine, where plain HTTP harms nobody.
	 *
	 * @param string $url Absolute URL.
	 * @return bool
	 */
	public static function is_loopback( string $url ): bool {
		// phpcs:ignore WordPress.WP.AlternativeFunctions.parse_url_parse_url -- As above.
		$host = strtolower( (string) parse_url( $url, PHP_URL_HOST ) );
		return 'localhost' === $host || '[::1]' === $host || 1 === preg_match( '/\A127(?:\.\d{1,3}){3}\z/', $host );
	}
}
