<?php
/**
 * Where a sign-in begins.
 *
 * @package Gatepass
 */

/**
 * The start address: it gives the browser its binding and sends it to the panel with the hash. The
 * panel's button, the button on wp-login.php and an arrival without a binding all lead here.
 */
final class Gatepass_Start {

	/**
	 * How often a start may ask the bridge for a policy that it does not have, in seconds.
	 */
	const ASK_EVERY = 60;

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * Asks the bridge for the policy of now.
	 *
	 * @var Gatepass_Heartbeat
	 */
	private $heartbeat;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store     $store     Settings.
	 * @param Gatepass_Request   $request   The request.
	 * @param Gatepass_Heartbeat $heartbeat Asks the bridge.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Request $request, Gatepass_Heartbeat $heartbeat ) {
		$this->store     = $store;
		$this->request   = $request;
		$this->heartbeat = $heartbeat;
	}

	/**
	 * The address where a sign-in begins.
	 *
	 * @param string $login_hint  The customer, if it is known: what the panel is to read in `login_hint`.
	 * @param string $destination Where to go afterwards; empty for wherever the panel says.
	 * @return string
	 */
	public static function url( string $login_hint = '', string $destination = '' ): string {
		$parameters = array_filter(
			array(
				Gatepass_Names::QUERY_START       => '1',
				Gatepass_Names::QUERY_LOGIN_HINT  => rawurlencode( $login_hint ),
				Gatepass_Names::QUERY_REDIRECT_TO => rawurlencode( $destination ),
			),
			'strlen'
		);
		return add_query_arg( $parameters, Gatepass_Endpoint::url() );
	}

	/**
	 * The same address for an arrival that failed: it still wants to go where it wanted to.
	 *
	 * @param string $login_hint The customer, if it is known.
	 * @return string
	 */
	public static function url_again( string $login_hint ): string {
		return add_query_arg( Gatepass_Names::QUERY_AGAIN, '1', self::url( $login_hint ) );
	}

	/**
	 * Whether this request is for the start.
	 *
	 * @return bool
	 */
	public function is_asked_for(): bool {
		return '1' === $this->request->query( Gatepass_Names::QUERY_START );
	}

	/**
	 * Binds the browser.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @return string Where the browser has to go now: the panel.
	 * @throws Gatepass_Refusal If the panel has no page for it, or would send the customer to another WordPress.
	 */
	public function begin( Gatepass_Connection $connection ): string {
		if ( $this->store->is_copy() ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'site_is_a_copy' );
		}
		$panel = $connection->policy()->panel_start_url() ?? $this->ask_for_panel( $connection );
		if ( null === $panel ) {
			throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'start_not_set_up' );
		}
		$binding = Gatepass_Binding::start(
			$this->request,
			$this->request->query( Gatepass_Names::QUERY_REDIRECT_TO, 2000 ),
			'1' === $this->request->query( Gatepass_Names::QUERY_AGAIN )
		);
		$binding->remember();

		$hint = $this->request->query( Gatepass_Names::QUERY_LOGIN_HINT );
		return self::with_query(
			$panel,
			array_filter(
				array(
					'site'       => $connection->site_id(),
					'binding'    => $binding->hash(),
					'login_hint' => Gatepass_Handoff::is_subject( $hint ) ? $hint : '',
				),
				'strlen'
			)
		);
	}

	/**
	 * Adds parameters to an address whose own query stays as it is, letter by letter: add_query_arg() would make
	 * `page_id` of `page.id`, and one of `a=1&a=2`.
	 *
	 * @param string               $url        An address without a fragment.
	 * @param array<string,string> $parameters Name => value.
	 * @return string
	 */
	private static function with_query( string $url, array $parameters ): string {
		$joint = false === strpos( $url, '?' ) ? '?' : '&';
		return $url . $joint . http_build_query( $parameters, '', '&', PHP_QUERY_RFC3986 );
	}

	/**
	 * Asks the bridge, because the panel may have got its page since the last sign-in. A stranger's
	 * requests make us ask once a minute.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @return string|null
	 */
	private function ask_for_panel( Gatepass_Connection $connection ): ?string {
		if ( false !== get_transient( Gatepass_Names::TRANSIENT_ASKED ) ) {
			return null;
		}
		set_transient( Gatepass_Names::TRANSIENT_ASKED, 1, self::ASK_EVERY );
		$this->heartbeat->send( $connection );
		$now = $this->store->connection();
		return null === $now ? null : $now->policy()->panel_start_url();
	}
}
