<?php
/**
 * Tells the bridge that this site is there, and learns the policy of now.
 *
 * @package Gatepass
 */

/**
 * Once an hour by WP-Cron, and when somebody has a question that only the bridge can answer. The bridge
 * also says whether this WordPress is the site it takes itself for: a copy (staging, a backup that was
 * restored elsewhere) has the same key, but another address.
 */
final class Gatepass_Heartbeat {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * The bridge.
	 *
	 * @var Gatepass_Bridge
	 */
	private $bridge;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store  $store  Settings.
	 * @param Gatepass_Bridge $bridge The bridge.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Bridge $bridge ) {
		$this->store  = $store;
		$this->bridge = $bridge;
	}

	/**
	 * Hooks.
	 */
	public function register(): void {
		add_action( Gatepass_Names::CRON_HEARTBEAT, array( $this, 'beat' ) );
		add_action( 'admin_init', array( $this, 'schedule' ) );
	}

	/**
	 * Has WordPress beat from now on, if the site is paired and it does not yet.
	 */
	public function schedule(): void {
		if ( false === wp_next_scheduled( Gatepass_Names::CRON_HEARTBEAT ) && null !== $this->store->connection() ) {
			// Not at the full hour: a thousand sites would beat together.
			wp_schedule_event( time() + wp_rand( 60, HOUR_IN_SECONDS ), 'hourly', Gatepass_Names::CRON_HEARTBEAT );
		}
	}

	/**
	 * No beat any more.
	 */
	public static function stop(): void {
		wp_clear_scheduled_hook( Gatepass_Names::CRON_HEARTBEAT );
	}

	/**
	 * One beat, for WP-Cron.
	 */
	public function beat(): void {
		$connection = $this->store->connection();
		if ( null === $connection ) {
			self::stop();
			return;
		}
		$this->send( $connection );
	}

	/**
	 * One beat.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @return bool Whether the bridge knows this site.
	 */
	public function send( Gatepass_Connection $connection ): bool {
		$answer = $this->bridge->heartbeat(
			$connection,
			array(
				'versions'    => self::versions() + array( 'keys' => (string) $connection->keys_version() ),
				'url'         => Gatepass_Origin::of_blog(),
				'landing_url' => Gatepass_Endpoint::url(),
			),
			( new Gatepass_Reference( random_bytes( 8 ) ) )->request_id()
		);
		if ( 200 === $answer->status() && is_array( $answer->members()['policy'] ?? null ) ) {
			$this->store->save_policy( $connection, new Gatepass_Policy( $answer->members()['policy'] ) );
			$this->store->set_conflict( false );
			( new Gatepass_Key_Update( $this->bridge ) )->try_again( $connection );
			return true;
		}
		if ( 'site_identity_conflict' === $answer->code() ) {
			$this->store->set_conflict( true );
		}
		return false;
	}

	/**
	 * Versions, for whoever helps the owner.
	 *
	 * @return array<string,string>
	 */
	public static function versions(): array {
		return array(
			'plugin'    => GATEPASS_VERSION,
			'wordpress' => get_bloginfo( 'version' ),
			'php'       => PHP_VERSION,
		);
	}
}
