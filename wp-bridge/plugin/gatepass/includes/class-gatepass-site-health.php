<?php
/**
 * Tools → Site Health.
 *
 * @package Gatepass
 */

/**
 * Four tests: is the site paired, do its members follow the panel, do its keys, and do a POST and a cookie survive the way
 * to and from the login endpoint?
 */
final class Gatepass_Site_Health {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store $store Settings.
	 */
	public function __construct( Gatepass_Store $store ) {
		$this->store = $store;
	}

	/**
	 * Hooks.
	 */
	public function register(): void {
		add_filter( 'site_status_tests', array( $this, 'add_tests' ) );
		add_action( 'wp_ajax_health-check-' . str_replace( '_', '-', Gatepass_Names::HEALTH_ENDPOINT ), array( $this, 'answer_endpoint_test' ) );
	}

	/**
	 * Adds the tests. The last speaks to the site itself, so it must not hold up the page.
	 *
	 * @param array<string,array<string,array<string,mixed>>> $tests Tests that are there.
	 * @return array<string,array<string,array<string,mixed>>>
	 */
	public function add_tests( $tests ): array {
		$tests['direct'][ Gatepass_Names::HEALTH_PAIRING ] = array(
			'label' => __( 'Gatepass pairing', 'gatepass' ),
			'test'  => array( $this, 'test_pairing' ),
		);
		if ( null !== $this->store->connection() ) {
			$tests['direct'][ Gatepass_Names::HEALTH_SYNC ]    = array(
				'label' => __( 'Gatepass members', 'gatepass' ),
				'test'  => array( $this, 'test_sync' ),
			);
			$tests['direct'][ Gatepass_Names::HEALTH_KEYS ]    = array(
				'label' => __( 'Gatepass keys', 'gatepass' ),
				'test'  => array( $this, 'test_keys' ),
			);
			$tests['async'][ Gatepass_Names::HEALTH_ENDPOINT ] = array(
				'label'             => __( 'Gatepass login endpoint', 'gatepass' ),
				'test'              => Gatepass_Names::HEALTH_ENDPOINT,
				'async_direct_test' => array( $this, 'test_endpoint' ),
			);
		}
		return $tests;
	}

	/**
	 * Is the site paired?
	 *
	 * @return array<string,mixed>
	 */
	public function test_pairing(): array {
		// WordPress asks once a week; a key of a pairing that came to nothing does not stay longer.
		$this->store->pending_pairing();
		if ( null === $this->store->connection() ) {
			return $this->result(
				Gatepass_Names::HEALTH_PAIRING,
				'recommended',
				__( 'Gatepass is not paired', 'gatepass' ),
				__( 'The plugin is active, but nobody can sign in by button until you paste a pairing code.', 'gatepass' )
			);
		}
		if ( $this->store->is_copy() ) {
			return $this->result(
				Gatepass_Names::HEALTH_PAIRING,
				'critical',
				__( 'Gatepass takes this site for a copy', 'gatepass' ),
				__( 'This WordPress has another address than the site that was paired. Customers are still sent to the other one. Pair this one with a code of its own, or unpair it.', 'gatepass' )
			);
		}
		if ( ! $this->store->is_enabled() ) {
			return $this->result(
				Gatepass_Names::HEALTH_PAIRING,
				'recommended',
				__( 'Signing in by button is switched off', 'gatepass' ),
				__( 'The site is paired with a panel, but you have switched the button off.', 'gatepass' )
			);
		}
		return $this->result(
			Gatepass_Names::HEALTH_PAIRING,
			'good',
			__( 'Gatepass is paired', 'gatepass' ),
			__( 'Customers can sign in from their panel.', 'gatepass' )
		);
	}

	/**
	 * Do members follow the panel?
	 *
	 * @return array<string,mixed>
	 */
	public function test_sync(): array {
		$connection = $this->store->connection();
		if ( null === $connection || ! $this->store->is_enabled() || $this->store->is_copy() ) {
			return $this->result( Gatepass_Names::HEALTH_SYNC, 'recommended', __( 'Members do not follow the panel', 'gatepass' ), __( 'They do as soon as Gatepass is paired and switched on.', 'gatepass' ) );
		}
		$state = Gatepass_Sync_State::of( $connection );
		$words = Gatepass_Members_Card::in_words( $state );
		$age   = $state->now() - $state->as_of();
		if ( $state->is_complete() && $age < HOUR_IN_SECONDS ) {
			return $this->result( Gatepass_Names::HEALTH_SYNC, 'good', __( 'Members follow the panel', 'gatepass' ), $words );
		}
		return $this->result(
			Gatepass_Names::HEALTH_SYNC,
			$state->is_complete() && $age >= DAY_IN_SECONDS ? 'critical' : 'recommended',
			__( 'Members do not follow the panel', 'gatepass' ),
			$words . ' ' . __( 'WordPress asks your panel’s Gatepass every five minutes, if its scheduled tasks (WP-Cron) run and its address can be reached from this server.', 'gatepass' )
		);
	}

	/**
	 * Do the keys follow the panel, and does it know ours?
	 *
	 * @return array<string,mixed>
	 */
	public function test_keys(): array {
		$connection = $this->store->connection();
		if ( null === $connection || $this->store->is_copy() ) {
			return $this->result( Gatepass_Names::HEALTH_KEYS, 'recommended', __( 'Keys do not follow the panel', 'gatepass' ), __( 'They do as soon as Gatepass is paired.', 'gatepass' ) );
		}
		$trouble = Gatepass_Keys_Card::trouble( $connection );
		if ( null !== $trouble ) {
			return $this->result( Gatepass_Names::HEALTH_KEYS, 'critical', $trouble[0], $trouble[1] );
		}
		if ( time() - $connection->site_key_since() >= Gatepass_Keys_Card::OVERDUE ) {
			return $this->result(
				Gatepass_Names::HEALTH_KEYS,
				'recommended',
				__( 'This site’s key for Gatepass is overdue', 'gatepass' ),
				__( 'WordPress renews it every 90 days, but has not been able to. Sign-ins work all the same. Renew it in the settings: the answer says what is in the way.', 'gatepass' )
			);
		}
		return $this->result( Gatepass_Names::HEALTH_KEYS, 'good', __( 'Keys follow the panel', 'gatepass' ), __( 'This site knows your panel’s keys, and your panel’s Gatepass knows this site’s.', 'gatepass' ) );
	}

	/**
	 * Does a POST reach the endpoint, and with the Origin that it was sent with? One without a token is
	 * refused by our own page, which names itself and says what it saw.
	 *
	 * @return array<string,mixed>
	 */
	public function test_endpoint(): array {
		$url      = Gatepass_Endpoint::url();
		$response = wp_remote_post(
			$url,
			array(
				'timeout'     => 10,
				'redirection' => 0,
				'sslverify'   => apply_filters( 'https_local_ssl_verify', false ), // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
				'headers'     => array( 'Origin' => (string) Gatepass_Origin::of_site( $url ) ),
			)
		);
		$page     = is_wp_error( $response ) ? '' : wp_remote_retrieve_header( $response, 'x-gatepass-page' );
		$origin   = is_wp_error( $response ) ? '' : wp_remote_retrieve_header( $response, 'x-gatepass-origin' );
		if ( '' !== $page && 'mismatch' === $origin ) {
			return $this->result(
				Gatepass_Names::HEALTH_ENDPOINT,
				'critical',
				__( 'The login endpoint of Gatepass does not see where a form comes from', 'gatepass' ),
				/* translators: %s: URL. */
				sprintf( __( 'A form posted to %s reaches the plugin, but without the header “Origin”, or with another one. A proxy in front of this site may take it out, or WordPress may think that it has another address (http instead of https, say). Until that is mended nobody can sign in by button.', 'gatepass' ), $url )
			);
		}
		if ( '' !== $page && ! $this->keeps_cookies() ) {
			return $this->result(
				Gatepass_Names::HEALTH_ENDPOINT,
				'critical',
				__( 'Cookies of the Gatepass login endpoint are lost', 'gatepass' ),
				/* translators: %s: URL. */
				sprintf( __( 'The plugin sets a cookie at %s, but it does not arrive. A cache or proxy in front of this site takes it out. Exempt this address from it: until then nobody can sign in by button.', 'gatepass' ), $url )
			);
		}
		if ( '' !== $page ) {
			return $this->result(
				Gatepass_Names::HEALTH_ENDPOINT,
				'good',
				__( 'The login endpoint of Gatepass answers', 'gatepass' ),
				__( 'A form posted to the login endpoint reaches the plugin as the browser sent it.', 'gatepass' )
			);
		}
		$seen = is_wp_error( $response )
			? __( 'There was no connection.', 'gatepass' )
			/* translators: %d: HTTP status. */
			: sprintf( __( 'Something else answered with status %d.', 'gatepass' ), (int) wp_remote_retrieve_response_code( $response ) );
		return $this->result(
			Gatepass_Names::HEALTH_ENDPOINT,
			'critical',
			__( 'The login endpoint of Gatepass cannot be reached', 'gatepass' ),
			/* translators: 1: URL, 2: what was seen. */
			sprintf( __( 'A form posted to %1$s did not reach the plugin. A password in front of wp-admin, a cache or a firewall may be in the way. %2$s', 'gatepass' ), $url, $seen )
		);
	}

	/**
	 * Whether a cookie that the endpoint sets arrives.
	 *
	 * @return bool
	 */
	private function keeps_cookies(): bool {
		$response = wp_remote_get(
			add_query_arg( Gatepass_Names::QUERY_PROBE, '1', Gatepass_Endpoint::url() ),
			array(
				'timeout'     => 10,
				'redirection' => 0,
				'sslverify'   => apply_filters( 'https_local_ssl_verify', false ), // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
			)
		);
		return ! is_wp_error( $response ) && '' !== wp_remote_retrieve_cookie_value( $response, Gatepass_Names::COOKIE_PROBE );
	}

	/**
	 * Answers Site Health's script.
	 */
	public function answer_endpoint_test(): void {
		check_ajax_referer( 'health-check-site-status' );
		if ( ! current_user_can( 'view_site_health_checks' ) ) {
			wp_send_json_error();
		}
		wp_send_json_success( $this->test_endpoint() );
	}

	/**
	 * A result as Site Health wants it.
	 *
	 * @param string $test   Which test.
	 * @param string $status good, recommended or critical.
	 * @param string $label  What is said first.
	 * @param string $text   What is said then.
	 * @return array<string,mixed>
	 */
	private function result( string $test, string $status, string $label, string $text ): array {
		$colours = array(
			'good'        => 'green',
			'recommended' => 'orange',
			'critical'    => 'red',
		);
		return array(
			'label'       => $label,
			'status'      => $status,
			'badge'       => array(
				'label' => __( 'Gatepass', 'gatepass' ),
				'color' => $colours[ $status ],
			),
			'description' => '<p>' . esc_html( $text ) . '</p>',
			'actions'     => '<a href="' . esc_url( Gatepass_Settings_Page::url() ) . '">' . esc_html__( 'Gatepass settings', 'gatepass' ) . '</a>',
			'test'        => $test,
		);
	}
}
