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
	 * is no object here. Nor is one with a number too large to be one, which PHP makes infinite.
	 *
	 * @param string $text  JSON.
	 * @param int    $depth Deepest nesting of objects and lists that is read, the object itself included.
	 * @return array<string,mixed>|null Members, nested objects as arrays; null for anything else.
	 */
	public static function object( string $text, int $depth = self::MAX_DEPTH ): ?array {
		if ( '{' !== substr( ltrim( $text, " \t\r\n" ), 0, 1 ) ) {
			return null;
		}
		// PHP counts the innermost values as a level of their own.
		$members = json_decode( $text, true, $depth + 1 );
		if ( ! is_array( $members ) || self::repeats_a_member( $text ) || self::has_an_infinite_number( $members ) ) {
			return null;
		}
		return $members;
	}

	/**
	 * Whether there is an infinite number anywhere.
	 *
	 * @param array<string,mixed> $members Decoded JSON.
	 * @return bool
	 */
	private static function has_an_infinite_number( array $members ): bool {
		$found = false;
		array_walk_recursive(
			$members,
			static function ( $value ) use ( &$found ): void {
				$found = $found || ( is_float( $value ) && is_infinite( $value ) );
			}
		);
		return $found;
	}

	/**
	 * Whether any object within valid JSON has two members of one name.
	 *
	 * @param string $json Valid JSON.
	 * @return bool
	 */
	private static function repeats_a_member( string $json ): bool {
		// Strings (a key if a colon follows) and braces are all that matters.
		if ( false === preg_match_all( '/"(?:[^"\\\\]|\\\\.)*+"(\s*:)?|[{}]/', $json, $pieces, PREG_SET_ORDER ) ) {
			// Too much for PCRE's limits: not known, so not taken.
			return true;
		}
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
