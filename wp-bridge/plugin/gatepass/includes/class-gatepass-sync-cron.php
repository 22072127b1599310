<?php
/**
 * Pulls by WP-Cron.
 *
 * @package Gatepass
 */

/**
 * For sites that no poke reaches, and for what a pull has left undone.
 */
final class Gatepass_Sync_Cron {

	/**
	 * Hooks.
	 */
	public function register(): void {
		// phpcs:ignore WordPress.WP.CronInterval -- Every five minutes is meant: by then a cancellation is to have arrived.
		add_filter( 'cron_schedules', array( __CLASS__, 'add_schedule' ) );
		add_action( 'admin_init', array( __CLASS__, 'schedule' ) );
		add_action( Gatepass_Names::CRON_SYNC, array( $this, 'pull' ) );
		add_action( Gatepass_Names::CRON_SYNC_MORE, array( $this, 'pull' ) );
		add_action( Gatepass_Names::CRON_HEARTBEAT, array( __CLASS__, 'schedule' ) );
	}

	/**
	 * Adds our schedule.
	 *
	 * @param mixed $schedules Schedules that are there.
	 * @return array<string,array<string,mixed>>
	 */
	public static function add_schedule( $schedules ): array {
		return array(
			Gatepass_Names::CRON_SCHEDULE => array(
				'interval' => Gatepass_Sync::EVERY,
				'display'  => __( 'Every five minutes (Gatepass)', 'gatepass' ),
			),
		) + (array) $schedules;
	}

	/**
	 * Has WordPress pull from now on, if the site is paired and it does not yet.
	 */
	public static function schedule(): void {
		if ( false === wp_next_scheduled( Gatepass_Names::CRON_SYNC ) && null !== ( new Gatepass_Store() )->connection() ) {
			// Not all sites at once.
			wp_schedule_event( time() + wp_rand( 1, Gatepass_Sync::EVERY ), Gatepass_Names::CRON_SCHEDULE, Gatepass_Names::CRON_SYNC );
		}
	}

	/**
	 * Has WordPress go on with a pull.
	 *
	 * @param int $seconds In how many.
	 */
	public static function go_on( int $seconds = 0 ): void {
		wp_schedule_single_event( time() + $seconds, Gatepass_Names::CRON_SYNC_MORE );
		if ( 0 === $seconds && ! ( defined( 'DISABLE_WP_CRON' ) && DISABLE_WP_CRON ) ) {
			// Not only when the next visitor comes.
			spawn_cron();
		}
	}

	/**
	 * No pull any more.
	 */
	public static function stop(): void {
		wp_clear_scheduled_hook( Gatepass_Names::CRON_SYNC );
		wp_clear_scheduled_hook( Gatepass_Names::CRON_SYNC_MORE );
	}

	/**
	 * One pull.
	 */
	public function pull(): void {
		$pulled = Gatepass_Sync::of_this_site()->run( Gatepass_Sync::CRON_SECONDS );
		if ( 'not_paired' === $pulled->reason() ) {
			self::stop();
		}
	}
}
