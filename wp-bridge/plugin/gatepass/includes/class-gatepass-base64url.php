<?php
/**
 * Base64url as RFC 7515 uses it.
 *
 * @package Gatepass
 */

/**
 * Encodes without padding and decodes strictly: one text for one value, anything else is no value.
 */
final class Gatepass_Base64url {

	/**
	 * Encodes bytes.
	 *
	 * @param string $bytes Any bytes.
	 * @return string
	 */
	public static function encode( string $bytes ): string {
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_encode -- JWS is made of it.
		return rtrim( strtr( base64_encode( $bytes ), '+/', '-_' ), '=' );
	}

	/**
	 * Decodes text, or says that it is none.
	 *
	 * PHP's decoder forgives padding, white space and stray bits at the end; two texts would then
	 * mean the same token. So what was decoded has to encode to what was given.
	 *
	 * @param string $text Base64url.
	 * @return string|null The bytes, or null.
	 */
	public static function decode( string $text ): ?string {
		if ( 1 !== preg_match( '/\A[A-Za-z0-9_-]*\z/', $text ) ) {
			return null;
		}
		// phpcs:ignore WordPress.PHP.DiscouragedPHPFunctions.obfuscation_base64_decode -- JWS is made of it.
		$bytes = base64_decode( strtr( $text, '-_', '+/' ), true );
		return false !== $bytes && self::encode( $bytes ) === $text ? $bytes : null;
	}
}
