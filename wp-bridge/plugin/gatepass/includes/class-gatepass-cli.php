<?php
/**
 * `wp gatepass …`
 *
 * @package Gatepass
 */

/**
 * Pairs this site with Gatepass, and shows or switches the connection.
 */
final class Gatepass_CLI {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Pairing.
	 *
	 * @var Gatepass_Pairing
	 */
	private $pairing;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store   $store   Settings.
	 * @param Gatepass_Pairing $pairing Pairing.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Pairing $pairing ) {
		$this->store   = $store;
		$this->pairing = $pairing;
	}

	/**
	 * Pairs this site. The web server has to be running: the bridge asks it back.
	 *
	 * ## OPTIONS
	 *
	 * <code>
	 * : The pairing code (gp_pair_…), or "-" to read it from standard input.
	 *
	 * ## EXAMPLES
	 *
	 *     gatepass site add https://example.com | wp gatepass pair -
	 *
	 * @param string[] $args Positional arguments.
	 */
	public function pair( array $args ): void {
		$code = '-' === $args[0] ? (string) stream_get_contents( STDIN ) : $args[0];
		try {
			$connection = $this->pairing->pair( $code );
		} catch ( Gatepass_Pairing_Failed $failure ) {
			WP_CLI::error( $failure->getMessage() );
			return;
		}
		WP_CLI::success( sprintf( 'Paired with %s as %s.', $connection->issuer(), $connection->site_id() ) );
	}

	/**
	 * Shows the connection.
	 *
	 * ## OPTIONS
	 *
	 * [--format=<format>]
	 * : table, json or yaml.
	 * ---
	 * default: table
	 * options:
	 *   - table
	 *   - json
	 *   - yaml
	 * ---
	 *
	 * @param string[]             $args    Positional arguments.
	 * @param array<string,string> $options Options.
	 */
	public function status( array $args, array $options ): void {
		$connection = $this->store->connection();
		$state      = null === $connection ? null : Gatepass_Sync_State::of( $connection );
		$keys       = null === $connection ? null : Gatepass_Keys::of( $connection->pairing() );
		$status     = array(
			'paired'         => null !== $connection,
			'enabled'        => $this->store->is_enabled(),
			'support'        => $this->store->is_support_allowed(),
			'issuer'         => null === $connection ? null : $connection->issuer(),
			'bridge'         => null === $connection ? null : $connection->bridge(),
			'site_id'        => null === $connection ? null : $connection->site_id(),
			'paired_at'      => null === $connection ? null : gmdate( 'Y-m-d\TH:i:s\Z', $connection->paired_at() ),
			'keys_version'   => null === $connection ? null : $connection->keys_version(),
			'keys_lost'      => null !== $keys && $keys->lost() > 0,
			'site_key'       => null === $connection ? null : $connection->site_key()->kid(),
			'site_key_since' => null === $connection ? null : gmdate( 'Y-m-d\TH:i:s\Z', $connection->site_key_since() ),
			'site_key_days'  => null === $connection ? null : intdiv( max( 0, time() - $connection->site_key_since() ), DAY_IN_SECONDS ),
			'site_key_known' => null !== $keys && 0 === $keys->refused_at(),
			'login_endpoint' => Gatepass_Endpoint::url(),
			'start_address'  => null === $connection || null === $connection->policy()->panel_start_url() ? null : Gatepass_Start::url(),
			'is_copy'        => $this->store->is_copy(),
			'members_as_of'  => null === $state || 0 === $state->as_of() ? null : gmdate( 'Y-m-d\TH:i:s\Z', $state->as_of() ),
			'members_up_to'  => null === $state ? null : $state->cursor(),
			'resyncing'      => null !== $state && $state->is_resyncing(),
			'failing_since'  => null === $state || 0 === $state->failing_since() ? null : gmdate( 'Y-m-d\TH:i:s\Z', $state->failing_since() ),
			'last_error'     => null === $state || '' === $state->last_error() ? null : $state->last_error(),
			'removal'        => $this->store->removal(),
			'allowed_roles'  => Gatepass_Roles::of_this_site( $this->store->ticked_roles() )->allowed(),
		);
		if ( 'table' !== $options['format'] ) {
			WP_CLI::print_value( $status, $options );
			return;
		}
		$rows = array();
		foreach ( $status as $name => $value ) {
			if ( is_bool( $value ) ) {
				$value = $value ? 'yes' : 'no';
			}
			$rows[] = array(
				'name'  => $name,
				'value' => is_array( $value ) ? implode( ', ', $value ) : (string) $value,
			);
		}
		WP_CLI\Utils\format_items( 'table', $rows, array( 'name', 'value' ) );
	}

	/**
	 * Gives this site a new key, by which it proves itself to Gatepass. WordPress does so by itself every 90 days.
	 *
	 * The web server has to be running: the bridge asks it back. Nobody is signed out.
	 *
	 * @subcommand renew-key
	 */
	public function renew_key(): void {
		$outcome = Gatepass_Renewal::of_this_site()->run();
		if ( Gatepass_Renewal::BUSY === $outcome ) {
			WP_CLI::error( 'It is being renewed already; look again in a minute.' );
			return;
		}
		if ( Gatepass_Renewal::DONE !== $outcome ) {
			WP_CLI::error( sprintf( 'Not renewed: %s. The key that is there stays.', $outcome ) );
			return;
		}
		WP_CLI::success( sprintf( 'This site has a new key, %s.', $this->store->connection()->site_key()->kid() ) );
	}

	/**
	 * Brings the members up to date with the panel. WordPress does so by itself, too.
	 *
	 * ## OPTIONS
	 *
	 * [--full]
	 * : Read everything anew, not only what has changed.
	 *
	 * @param string[]           $args    Positional arguments.
	 * @param array<string,bool> $options Options.
	 */
	public function sync( array $args, array $options ): void {
		$sync = Gatepass_Sync::of_this_site();
		$full = ! empty( $options['full'] );
		do {
			$pulled = $sync->run( Gatepass_Sync::CRON_SECONDS, $full );
			$full   = false;
			if ( Gatepass_Pulled::MORE === $pulled->outcome() ) {
				WP_CLI::log( sprintf( 'Up to %d …', $pulled->position() ) );
				sleep( 'held' === $pulled->reason() ? 2 : 0 );
			}
		} while ( Gatepass_Pulled::MORE === $pulled->outcome() );
		if ( Gatepass_Pulled::FAILED === $pulled->outcome() ) {
			WP_CLI::error( sprintf( 'Not up to date: %s.', $pulled->reason() ) );
			return;
		}
		if ( Gatepass_Pulled::BUSY === $pulled->outcome() ) {
			WP_CLI::success( 'WordPress is at it already, and will look once more.' );
			return;
		}
		WP_CLI::success( sprintf( 'Up to date, up to %d.', $pulled->position() ) );
	}

	/**
	 * Shows who signed in by button and who was refused, the newest first.
	 *
	 * ## OPTIONS
	 *
	 * [--who=<text>]
	 * : Only one customer, by the panel's number, or users by part of a login name, e-mail address or display name.
	 *
	 * [--result=<result>]
	 * : Only one result.
	 * ---
	 * options:
	 *   - signed_in
	 *   - refused
	 *   - failed
	 * ---
	 *
	 * [--limit=<number>]
	 * : How many lines.
	 * ---
	 * default: 20
	 * ---
	 *
	 * [--format=<format>]
	 * : table, csv or json. A table leaves out what few need.
	 * ---
	 * default: table
	 * options:
	 *   - table
	 *   - csv
	 *   - json
	 * ---
	 *
	 * ## EXAMPLES
	 *
	 *     wp gatepass log --who=mia@example.com
	 *     wp gatepass log --result=refused --limit=5000 --format=csv
	 *
	 * @param string[]             $args    Positional arguments.
	 * @param array<string,string> $options Options.
	 */
	public function log( array $args, array $options ): void {
		$options += array(
			'who'    => '',
			'result' => '',
		);
		if ( 1 !== preg_match( '/\A[1-9][0-9]{0,6}\z/', $options['limit'] ) ) {
			WP_CLI::error( '--limit takes a number from 1 on.' );
			return;
		}
		$rows = array();
		foreach ( Gatepass_Log_Query::of( trim( $options['who'] ), $options['result'] )->newest( (int) $options['limit'] ) as $line ) {
			$row = $line->to_array();
			// Older versions of WP-CLI leave to the spreadsheet what is a formula.
			$rows[] = 'csv' === $options['format'] ? array_map( array( 'Gatepass_Csv', 'guarded' ), $row ) : $row;
		}
		$names = 'table' === $options['format']
			? array( 'at', 'result', 'cause', 'user_login', 'customer', 'reference', 'actor_name', 'ip' )
			: Gatepass_Log_Line::names();
		WP_CLI\Utils\format_items( $options['format'], $rows, $names );
	}

	/**
	 * Switches signing in by button on.
	 */
	public function on(): void {
		$this->store->set_enabled( true );
		Gatepass_Sync_Cron::go_on();
		WP_CLI::success( 'Signing in by button is switched on.' );
	}

	/**
	 * Switches signing in by button off. Passwords go on working.
	 */
	public function off(): void {
		$this->store->set_enabled( false );
		WP_CLI::success( 'Signing in by button is switched off.' );
	}

	/**
	 * Lets the panel's support staff sign in on behalf of customers, or not. Who is signed in so is signed out.
	 *
	 * ## OPTIONS
	 *
	 * <switch>
	 * : on or off.
	 * ---
	 * options:
	 *   - on
	 *   - off
	 * ---
	 *
	 * @param string[] $args Positional arguments.
	 */
	public function support( array $args ): void {
		$this->store->allow_support( 'on' === $args[0] );
		WP_CLI::success(
			'on' === $args[0]
				? 'Support staff of the panel may sign in on behalf of customers.'
				: 'Support staff of the panel may not sign in on behalf of customers.'
		);
	}

	/**
	 * Forgets the connection and this site's key. Accounts stay.
	 */
	public function unpair(): void {
		$this->pairing->unpair();
		WP_CLI::success( 'Unpaired.' );
	}
}
