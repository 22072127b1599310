<?php
/**
 * The plugin's own settings in WordPress's options.
 *
 * @package Gatepass
 */

/**
 * Reads and writes the options. They belong to a blog, so on a network each blog has its own.
 */
final class Gatepass_Store {

	/**
	 * How long the bridge may take to fetch its challenge, in seconds.
	 */
	const PENDING_SECONDS = 120;

	/**
	 * The connection.
	 *
	 * @return Gatepass_Connection|null Null while the site is not paired.
	 */
	public function connection(): ?Gatepass_Connection {
		return Gatepass_Connection::from_array( get_option( Gatepass_Names::OPTION_CONNECTION ) );
	}

	/**
	 * Keeps a connection. Writes only if something changed.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 */
	public function save_connection( Gatepass_Connection $connection ): void {
		update_option( Gatepass_Names::OPTION_CONNECTION, $connection->to_array(), false );
	}

	/**
	 * Forgets the connection and our key.
	 */
	public function forget_connection(): void {
		delete_option( Gatepass_Names::OPTION_CONNECTION );
		delete_option( Gatepass_Names::OPTION_CLOCK_OFFSET );
	}

	/**
	 * Keeps the key of a pairing in progress, for the challenge's request to find.
	 *
	 * @param string            $site_id The id being paired.
	 * @param Gatepass_Site_Key $key     The new key.
	 */
	public function begin_pairing( string $site_id, Gatepass_Site_Key $key ): void {
		update_option(
			Gatepass_Names::OPTION_PENDING,
			array(
				'site_id'  => $site_id,
				'site_key' => $key->to_stored(),
				'until'    => time() + self::PENDING_SECONDS,
			),
			false
		);
	}

	/**
	 * The pairing in progress.
	 *
	 * @return array{site_id:string,key:Gatepass_Site_Key}|null
	 */
	public function pending_pairing(): ?array {
		$stored = get_option( Gatepass_Names::OPTION_PENDING );
		$key    = is_array( $stored ) ? Gatepass_Site_Key::from_stored( $stored['site_key'] ?? null ) : null;
		if ( null === $key || (int) $stored['until'] < time() ) {
			return null;
		}
		return array(
			'site_id' => (string) $stored['site_id'],
			'key'     => $key,
		);
	}

	/**
	 * Ends the pairing in progress, however it ended.
	 */
	public function end_pairing(): void {
		delete_option( Gatepass_Names::OPTION_PENDING );
	}

	/**
	 * The owner's switch.
	 *
	 * @return bool Whether the button signs anyone in.
	 */
	public function is_enabled(): bool {
		return '0' !== get_option( Gatepass_Names::OPTION_ENABLED, '1' );
	}

	/**
	 * Turns the switch.
	 *
	 * @param bool $on On or off.
	 */
	public function set_enabled( bool $on ): void {
		update_option( Gatepass_Names::OPTION_ENABLED, $on ? '1' : '0', false );
	}

	/**
	 * Roles ticked by the owner. See Gatepass_Roles for those that count.
	 *
	 * @return string[]
	 */
	public function ticked_roles(): array {
		$roles = get_option( Gatepass_Names::OPTION_ROLES, array( 'subscriber', 'customer' ) );
		return is_array( $roles ) ? array_values( array_filter( $roles, 'is_string' ) ) : array();
	}

	/**
	 * Keeps the roles ticked by the owner.
	 *
	 * @param string[] $roles Role names.
	 */
	public function save_ticked_roles( array $roles ): void {
		update_option( Gatepass_Names::OPTION_ROLES, array_values( $roles ), false );
	}

	/**
	 * The time by the bridge's clock, as far as it is known.
	 *
	 * @return int Seconds since 1970.
	 */
	public function bridge_time(): int {
		return time() + (int) get_option( Gatepass_Names::OPTION_CLOCK_OFFSET, 0 );
	}

	/**
	 * Learns the bridge's clock.
	 *
	 * @param int $bridge_time Seconds since 1970.
	 */
	public function learn_bridge_time( int $bridge_time ): void {
		update_option( Gatepass_Names::OPTION_CLOCK_OFFSET, $bridge_time - time(), false );
	}
}
