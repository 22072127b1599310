<?php
/**
 * Tables for spreadsheets.
 *
 * @package Gatepass
 */

/**
 * Rows of comma-separated values (RFC 4180) that a spreadsheet shows and does not calculate.
 */
final class Gatepass_Csv {

	/**
	 * What says to a spreadsheet that the text is UTF-8. To be written once, first.
	 */
	const BYTE_ORDER_MARK = "\xEF\xBB\xBF";

	/**
	 * A row.
	 *
	 * @param string[] $cells Texts.
	 * @return string
	 */
	public static function row( array $cells ): string {
		$quoted = array();
		foreach ( $cells as $cell ) {
			$quoted[] = '"' . str_replace( '"', '""', self::guarded( $cell ) ) . '"';
		}
		return implode( ',', $quoted ) . "\r\n";
	}

	/**
	 * A text that no spreadsheet takes for a formula: what begins like one (in full width, too, and behind
	 * blanks) gets an apostrophe in front. So it does after what a spreadsheet may take for a separator, whatever the
	 * quotes say: then what follows begins a cell. Line breaks and tabs, which may begin a cell, become blanks.
	 *
	 * @param string $text Any text.
	 * @return string
	 */
	public static function guarded( string $text ): string {
		$text = (string) preg_replace( '/[\x00-\x1f\x7f]/', ' ', $text );
		return (string) preg_replace( '/(\A|[;,|\s]|\xC2\xA0)((?:["\s]|\xC2\xA0)*)(?=[=+@-]|\xEF\xBC[\x8B\x8D\x9D\xA0])/', "$1'$2", $text );
	}
}
