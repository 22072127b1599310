<?php
/**
 * JSON objects in which no member can hide behind another of the same name.
 *
 * @package Gatepass
 */

/**
 * Strict reading of JSON objects.
 */
final class Gatepass_Json {

	/**
	 * Deepest nesting that is read.
	 */
	const MAX_DEPTH = 16;

	/**
	 * Reads an object. PHP silently keeps the last of two members of one name; another reader may
	 * keep the first, and then both have read something else from one signed text. Such an object
	 * is no object here.
	 *
	 * @param string $text JSON.
	 * @return array<string,mixed>|null Members, nested objects as arrays; null for anything else.
	 */
	public static function object( string $text ): ?array {
		if ( '{' !== substr( ltrim( $text, " \t\r\n" ), 0, 1 ) ) {
			return null;
		}
		$members = json_decode( $text, true, self::MAX_DEPTH );
		if ( ! is_array( $members ) || self::repeats_a_member( $text ) ) {
			return null;
		}
		return $members;
	}

	/**
	 * Whether any object within valid JSON has two members of one name.
	 *
	 * @param string $json Valid JSON.
	 * @return bool
	 */
	private static function repeats_a_member( string $json ): bool {
		// Strings (a key if a colon follows) and braces are all that matters.
		preg_match_all( '/"(?:[^"\\\\]|\\\\.)*+"(\s*:)?|[{}]/', $json, $pieces, PREG_SET_ORDER );
		$open = array();
		foreach ( $pieces as $piece ) {
			if ( '{' === $piece[0] ) {
				$open[] = array();
			} elseif ( '}' === $piece[0] ) {
				array_pop( $open );
			} elseif ( isset( $piece[1] ) ) {
				$quoted = substr( $piece[0], 0, -strlen( $piece[1] ) );
				$key    = 'k' . json_decode( $quoted );
				$at     = count( $open ) - 1;
				if ( isset( $open[ $at ][ $key ] ) ) {
					return true;
				}
				$open[ $at ][ $key ] = true;
			}
		}
		return false;
	}
}
