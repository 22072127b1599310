<?php
/**
 * The wish for another pull after the one that is under way.
 *
 * @package Gatepass
 */

/**
 * A row in the options table that is there or not, past WordPress's option cache: nothing reads it as an option.
 */
final class Gatepass_Sync_Again {

	/**
	 * Wishes.
	 */
	public static function raise(): void {
		global $wpdb;

		// phpcs:ignore WordPress.DB -- Atomic, and uncached by design.
		$wpdb->query( $wpdb->prepare( "INSERT IGNORE INTO {$wpdb->options} ( option_name, option_value, autoload ) VALUES ( %s, '1', 'no' )", Gatepass_Names::OPTION_SYNC_AGAIN ) );
	}

	/**
	 * Takes the wish back, for what was wished for begins now.
	 */
	public static function lower(): void {
		global $wpdb;

		// phpcs:ignore WordPress.DB -- As above.
		$wpdb->query( $wpdb->prepare( "DELETE FROM {$wpdb->options} WHERE option_name = %s", Gatepass_Names::OPTION_SYNC_AGAIN ) );
	}

	/**
	 * Whether somebody wishes it.
	 *
	 * @return bool
	 */
	public static function is_raised(): bool {
		global $wpdb;

		// phpcs:ignore WordPress.DB -- As above.
		return null !== $wpdb->get_var( $wpdb->prepare( "SELECT option_value FROM {$wpdb->options} WHERE option_name = %s", Gatepass_Names::OPTION_SYNC_AGAIN ) );
	}
}
