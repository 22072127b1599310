<?php
/**
 * Settings → Gatepass.
 *
 * @package Gatepass
 */

/**
 * Where the owner pairs, has the last word, and can switch everything off.
 */
final class Gatepass_Settings_Page {

	const CAPABILITY = 'manage_options';

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
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * The page's other tab.
	 *
	 * @var Gatepass_Sign_Ins_Page
	 */
	private $sign_ins;

	/**
	 * The card of the gate.
	 *
	 * @var Gatepass_Gate_Card
	 */
	private $gate;

	/**
	 * The card of the members.
	 *
	 * @var Gatepass_Members_Card
	 */
	private $members;

	/**
	 * The card of the keys.
	 *
	 * @var Gatepass_Keys_Card
	 */
	private $keys;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store         $store    Settings.
	 * @param Gatepass_Pairing       $pairing  Pairing.
	 * @param Gatepass_Request       $request  The request.
	 * @param Gatepass_Sign_Ins_Page $sign_ins The page's other tab.
	 * @param Gatepass_Members_Card  $members  The card of the members.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Pairing $pairing, Gatepass_Request $request, Gatepass_Sign_Ins_Page $sign_ins, Gatepass_Members_Card $members ) {
		$this->store    = $store;
		$this->pairing  = $pairing;
		$this->request  = $request;
		$this->sign_ins = $sign_ins;
		$this->gate     = new Gatepass_Gate_Card( $store );
		$this->members  = $members;
		$this->keys     = new Gatepass_Keys_Card( $store );
	}

	/**
	 * Hooks.
	 */
	public function register(): void {
		add_action( 'admin_menu', array( $this, 'add_to_menu' ) );
		add_action( 'admin_post_' . Gatepass_Names::ACTION_SETTINGS, array( $this, 'save' ) );
		add_action( 'admin_notices', array( $this->keys, 'notice' ) );
		add_filter( 'plugin_action_links_' . plugin_basename( GATEPASS_FILE ), array( $this, 'add_link' ) );
	}

	/**
	 * URL of the page.
	 *
	 * @return string
	 */
	public static function url(): string {
		return admin_url( 'options-general.php?page=' . Gatepass_Names::SETTINGS_PAGE );
	}

	/**
	 * Adds the page to the menu.
	 */
	public function add_to_menu(): void {
		$hook = add_options_page( __( 'Gatepass', 'gatepass' ), __( 'Gatepass', 'gatepass' ), self::CAPABILITY, Gatepass_Names::SETTINGS_PAGE, array( $this, 'render' ) );
		add_action( 'admin_head-' . $hook, array( $this, 'print_style' ) );
	}

	/**
	 * Adds a link to the list of plugins.
	 *
	 * @param string[] $links Links that are there.
	 * @return string[]
	 */
	public function add_link( $links ): array {
		return array_merge( array( '<a href="' . esc_url( self::url() ) . '">' . esc_html__( 'Settings', 'gatepass' ) . '</a>' ), (array) $links );
	}

	/**
	 * Does what a form of the page asks for, and leads back to the page.
	 */
	public function save(): void {
		if ( ! current_user_can( self::CAPABILITY ) ) {
			wp_die( esc_html__( 'You may not change these settings.', 'gatepass' ), 403 );
		}
		check_admin_referer( Gatepass_Names::SETTINGS_NONCE );

		switch ( $this->request->field( 'do' ) ) {
			case 'pair':
				try {
					$this->pairing->pair( $this->request->field( 'pairing_code', Gatepass_Pairing_String::MAX_BYTES ) );
					$this->say( __( 'Paired. Customers can now sign in from your panel.', 'gatepass' ), 'success' );
				} catch ( Gatepass_Pairing_Failed $failure ) {
					$this->say( $failure->getMessage(), 'error' );
				}
				break;

			case 'unpair':
				$this->pairing->unpair();
				$this->say( __( 'Unpaired. The button no longer signs anyone in here. Accounts and their content are untouched.', 'gatepass' ), 'success' );
				break;

			case 'on':
				$this->store->set_enabled( true );
				Gatepass_Sync_Cron::go_on();
				$this->say( __( 'Signing in by button is switched on.', 'gatepass' ), 'success' );
				break;

			case 'off':
				$this->store->set_enabled( false );
				$this->say( __( 'Signing in by button is switched off. Passwords work as before, and who is signed in stays signed in.', 'gatepass' ), 'success' );
				break;

			case 'support_on':
				$this->store->allow_support( true );
				$this->say( __( 'Support staff of your panel may sign in on behalf of customers.', 'gatepass' ), 'success' );
				break;

			case 'support_off':
				$this->store->allow_support( false );
				$this->say( __( 'Support staff of your panel may no longer sign in on behalf of customers. Who is signed in so is signed out.', 'gatepass' ), 'success' );
				break;

			case 'gate':
				list( $words, $type ) = $this->gate->save( $this->request );
				$this->say( $words, $type );
				break;

			case 'sync':
				list( $message, $type ) = $this->members->synchronise();
				$this->say( $message, $type );
				break;

			case 'renew_key':
				list( $message, $type ) = $this->keys->renew();
				$this->say( $message, $type );
				break;

			case 'removal':
				list( $message, $type ) = $this->members->save_removal();
				$this->say( $message, $type );
				break;

			case 'roles':
				// Roles that are not there today (their plugin is off) may keep their tick, but get none.
				$posted = $this->request->list_field( 'roles' );
				$absent = array_intersect( $this->absent_roles(), $posted );
				$roles  = Gatepass_Roles::of_this_site( $posted );
				$this->store->save_ticked_roles( array_merge( $roles->allowed(), $absent ) );
				$this->say( __( 'Roles saved.', 'gatepass' ), 'success' );
				break;
		}

		// As options.php does it.
		set_transient( Gatepass_Names::TRANSIENT_SETTINGS, get_settings_errors(), 30 );
		wp_safe_redirect( add_query_arg( 'settings-updated', 'true', self::url() ) );
		exit;
	}

	/**
	 * Prints the little style the page needs beyond WordPress's own.
	 */
	public function print_style(): void {
		echo '<style>'
			. '.gatepass-card{max-width:760px;margin:16px 0;padding:4px 24px 20px;background:#fff;border:1px solid #c3c4c7;border-radius:4px;box-sizing:border-box}'
			. '.gatepass-card h2{display:flex;align-items:center;gap:10px;margin:18px 0 8px}'
			. '.gatepass-card .form-table{margin-top:0}.gatepass-card .form-table th{width:150px;padding:10px 10px 10px 0}.gatepass-card .form-table td{padding:10px 0}'
			. '.gatepass-card textarea{width:100%;height:86px;font-family:Consolas,Monaco,monospace;word-break:break-all}'
			. '.gatepass-card code{word-break:break-all}'
			. '.gatepass-badge{display:inline-block;padding:3px 10px;border-radius:99px;font-size:12px;line-height:1.5;font-weight:600;background:#f0f0f1;color:#50575e}'
			. '.gatepass-badge.is-good{background:#dff3e4;color:#0a5a24}.gatepass-badge.is-off{background:#fcf0d8;color:#6b4500}'
			. '.gatepass-buttons{display:flex;flex-wrap:wrap;gap:10px;align-items:center;margin-top:14px}'
			. '.gatepass-card fieldset{margin:0 0 14px}.gatepass-card fieldset legend,.gatepass-card .gatepass-label{display:block;margin:0 0 6px;padding:0;font-weight:600}.gatepass-card fieldset label{display:block;margin:0 0 6px}'
			. '.gatepass-card textarea.gatepass-names{height:auto;font-family:inherit;word-break:normal}'
			. '.gatepass-roles li{margin:0 0 8px}.gatepass-roles .description{margin-left:4px}'
			. '.gatepass-card details{margin-top:18px}.gatepass-card summary{cursor:pointer}.gatepass-card form + p.description{margin-top:14px}'
			. '.gatepass-buttons + .wp-list-table{margin-top:14px}.gatepass-folded{display:none}'
			. '@media screen and (max-width:782px){.gatepass-folded{display:block;margin-top:4px}}'
			. '.gatepass-danger{color:#b32d2e!important;border-color:#b32d2e!important}'
			. '</style>';
	}

	/**
	 * The page.
	 */
	public function render(): void {
		$is_log = Gatepass_Names::TAB_SIGN_INS === $this->request->query( Gatepass_Names::QUERY_TAB );
		echo '<div class="wrap"><h1>' . esc_html__( 'Gatepass', 'gatepass' ) . '</h1>';
		$this->render_tabs( $is_log );
		if ( $is_log ) {
			$this->sign_ins->render();
		} else {
			$this->render_settings();
		}
		echo '</div>';
	}

	/**
	 * The links to the two tabs.
	 *
	 * @param bool $is_log Whether the second is shown.
	 */
	private function render_tabs( bool $is_log ): void {
		$tab = static function ( string $url, string $words, bool $current ): void {
			printf(
				'<a href="%s" class="nav-tab%s"%s>%s</a>',
				esc_url( $url ),
				$current ? ' nav-tab-active' : '',
				$current ? ' aria-current="page"' : '',
				esc_html( $words )
			);
		};
		echo '<nav class="nav-tab-wrapper" aria-label="' . esc_attr__( 'Gatepass', 'gatepass' ) . '">';
		$tab( self::url(), __( 'Settings', 'gatepass' ), ! $is_log );
		$tab( Gatepass_Sign_Ins_Page::url(), __( 'Sign-ins', 'gatepass' ), $is_log );
		echo '</nav>';
	}

	/**
	 * The first tab.
	 */
	private function render_settings(): void {
		$connection  = $this->store->connection();
		$has_to_pair = false;
		$this->store->pending_pairing(); // Which removes one that is too old.
		echo '<p>' . esc_html__( 'Your customers press a button in their subscription panel and are signed in here: without a password, and only while their membership is active.', 'gatepass' ) . '</p>';
		if ( null === $connection ) {
			$this->render_pairing( false );
		} else {
			// What has to be done comes first.
			$has_to_pair = ! $this->store->is_copy() && null !== Gatepass_Keys_Card::trouble( $connection );
			if ( $has_to_pair ) {
				$this->keys->render( $connection );
				$this->render_pairing( true );
			}
			$this->render_status( $connection );
			$this->members->render( $connection );
			if ( ! $has_to_pair ) {
				$this->keys->render( $connection );
			}
		}
		$this->render_roles();
		$this->render_gate( $connection );
		$this->render_support();
		if ( null !== $connection && ! $has_to_pair ) {
			$this->render_pairing( true );
		}
	}

	/**
	 * The card of a paired site.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 */
	private function render_status( Gatepass_Connection $connection ): void {
		$on = $this->store->is_enabled();
		echo '<div class="gatepass-card"><h2>' . esc_html__( 'Connection', 'gatepass' ) . ' ';
		if ( $this->store->is_copy() ) {
			echo '<span class="gatepass-badge is-off">' . esc_html__( 'A copy', 'gatepass' ) . '</span> ';
		}
		if ( $on && Gatepass_Keys::of( $connection->pairing() )->is_refused( time() ) ) {
			echo '<span class="gatepass-badge is-off">' . esc_html__( 'Not known to your panel', 'gatepass' ) . '</span>';
		} else {
			echo $on
				? '<span class="gatepass-badge is-good">' . esc_html__( 'Paired and switched on', 'gatepass' ) . '</span>'
				: '<span class="gatepass-badge is-off">' . esc_html__( 'Switched off', 'gatepass' ) . '</span>';
		}
		echo '</h2>';
		if ( $this->store->is_copy() ) {
			echo '<p>' . esc_html__( 'This WordPress has another address than the site that was paired: it seems to be a copy. Customers are still sent to the other one. Pair this one with a code of its own, or unpair it.', 'gatepass' ) . '</p>';
		}
		echo '<table class="form-table" role="presentation">';

		$since = wp_date( get_option( 'date_format' ) . ', ' . get_option( 'time_format' ), $connection->paired_at() );
		self::row( __( 'Paired with', 'gatepass' ), '<code>' . esc_html( $connection->issuer() ) . '</code>' );
		self::row( __( 'Since', 'gatepass' ), esc_html( (string) $since ) );
		self::row( __( 'Site id', 'gatepass' ), '<code>' . esc_html( $connection->site_id() ) . '</code>' );
		self::row(
			__( 'Login endpoint', 'gatepass' ),
			'<code>' . esc_html( Gatepass_Endpoint::url() ) . '</code><p class="description">' . esc_html__( 'Your panel knows this address. It must not be cached or protected by a password.', 'gatepass' ) . '</p>'
		);
		if ( null !== $connection->policy()->panel_start_url() ) {
			self::row(
				__( 'Start address', 'gatepass' ),
				'<code>' . esc_html( Gatepass_Start::url() ) . '</code><p class="description">' . esc_html__( 'Where your panel’s button leads: a sign-in works only in the browser that it was begun in.', 'gatepass' ) . '</p>'
			);
		}
		$panel = $connection->policy()->panel_url();
		if ( null !== $panel ) {
			self::row( __( 'Panel', 'gatepass' ), '<a href="' . esc_url( $panel ) . '">' . esc_html( $panel ) . '</a>' );
		}
		echo '</table><div class="gatepass-buttons">';
		self::form_start( $on ? 'off' : 'on' );
		echo '<button type="submit" class="button' . ( $on ? '' : ' button-primary' ) . '">' . ( $on ? esc_html__( 'Switch off', 'gatepass' ) : esc_html__( 'Switch on', 'gatepass' ) ) . '</button></form>';
		echo '<span class="description">' . ( $on
			? esc_html__( 'Nobody can sign in by button then. Passwords go on working.', 'gatepass' )
			: esc_html__( 'Customers who press the button are told that it is switched off. Passwords go on working.', 'gatepass' ) ) . '</span>';
		echo '</div></div>';
	}

	/**
	 * The card for pairing, and for pairing again.
	 *
	 * @param bool $again Whether the site is paired.
	 */
	private function render_pairing( bool $again ): void {
		echo '<div class="gatepass-card"><h2>';
		if ( $again ) {
			esc_html_e( 'Pair again or unpair', 'gatepass' );
		} else {
			echo esc_html__( 'Pair this site', 'gatepass' ) . ' <span class="gatepass-badge">' . esc_html__( 'Not paired', 'gatepass' ) . '</span>';
		}
		echo '</h2>';
		self::form_start( 'pair' );
		echo '<p><label for="gatepass-pairing-code">' . ( $again
			? esc_html__( 'A new pairing code replaces the connection and its keys. Sign-ins that are under way have to be started again.', 'gatepass' )
			: esc_html__( 'Paste the pairing code that you got from whoever runs your panel. It works once, for 30 minutes.', 'gatepass' ) ) . '</label></p>';
		echo '<textarea id="gatepass-pairing-code" name="pairing_code" required spellcheck="false" autocomplete="off" placeholder="gp_pair_…"></textarea>';
		echo '<div class="gatepass-buttons"><button type="submit" class="button' . ( $again ? '' : ' button-primary' ) . '">' . ( $again ? esc_html__( 'Pair again', 'gatepass' ) : esc_html__( 'Pair', 'gatepass' ) ) . '</button></div></form>';

		if ( $again ) {
			// Folded, because a slip of the mouse would cost a new pairing code.
			echo '<details><summary>' . esc_html__( 'Unpair this site', 'gatepass' ) . '</summary>';
			echo '<p>' . esc_html__( 'Forgets the connection and this site’s key. Accounts stay. To pair again you need a new pairing code.', 'gatepass' ) . '</p>';
			self::form_start( 'unpair' );
			echo '<button type="submit" class="button gatepass-danger">' . esc_html__( 'Unpair', 'gatepass' ) . '</button></form></details>';
		} else {
			echo '<p class="description">' . esc_html__( 'Your login endpoint will be:', 'gatepass' ) . ' <code>' . esc_html( Gatepass_Endpoint::url() ) . '</code></p>';
		}
		echo '</div>';
	}

	/**
	 * The card of the roles.
	 */
	private function render_roles(): void {
		$roles   = Gatepass_Roles::of_this_site( $this->store->ticked_roles() );
		$allowed = $roles->allowed();
		echo '<div class="gatepass-card"><h2>' . esc_html__( 'Roles the panel may give', 'gatepass' ) . '</h2>';
		echo '<p>' . esc_html__( 'New customers get one of these roles. An account that can do more than these roles allow is never signed in by button, whatever the panel says.', 'gatepass' ) . '</p>';
		self::form_start( 'roles' );
		echo '<ul class="gatepass-roles">';
		foreach ( wp_roles()->get_names() as $name => $label ) {
			$name  = (string) $name;
			$owner = $roles->owns_the_site( $name );
			$note  = '';
			if ( $owner ) {
				$note = __( 'Not possible: this role can change the site or other accounts.', 'gatepass' );
			} elseif ( ! $roles->is_harmless( $name ) ) {
				$note = __( 'Not recommended: this role can do more than read.', 'gatepass' );
			}
			printf(
				'<li><label><input type="checkbox" name="roles[]" value="%1$s"%2$s%3$s> %4$s</label>%5$s</li>',
				esc_attr( $name ),
				checked( in_array( $name, $allowed, true ), true, false ),
				disabled( $owner, true, false ),
				esc_html( translate_user_role( $label ) ),
				'' === $note ? '' : ' <span class="description">' . esc_html( $note ) . '</span>'
			);
		}
		foreach ( $this->absent_roles() as $name ) {
			printf(
				'<li><label><input type="checkbox" name="roles[]" value="%1$s" checked> %1$s</label> <span class="description">%2$s</span></li>',
				esc_attr( $name ),
				esc_html__( 'Not defined on this site yet: it counts as soon as a plugin brings it.', 'gatepass' )
			);
		}
		echo '</ul><button type="submit" class="button">' . esc_html__( 'Save roles', 'gatepass' ) . '</button></form></div>';
	}

	/**
	 * The card of the gate.
	 *
	 * @param Gatepass_Connection|null $connection The connection.
	 */
	private function render_gate( ?Gatepass_Connection $connection ): void {
		echo '<div class="gatepass-card">';
		$this->gate->render_words( $connection );
		self::form_start( 'gate' );
		$this->gate->render_fields();
		echo '</form></div>';
	}

	/**
	 * The card of the support staff.
	 */
	private function render_support(): void {
		$allowed = $this->store->is_support_allowed();
		echo '<div class="gatepass-card"><h2>' . esc_html__( 'Support staff', 'gatepass' ) . ' ';
		echo $allowed
			? '<span class="gatepass-badge is-good">' . esc_html__( 'Allowed', 'gatepass' ) . '</span>'
			: '<span class="gatepass-badge is-off">' . esc_html__( 'Not allowed', 'gatepass' ) . '</span>';
		echo '</h2><p>' . esc_html__( 'Support staff of your panel may sign in on behalf of a customer, to see what the customer sees. A bar on every page says so, with their name and reason. It lasts an hour at most, and passwords, e-mail addresses, other sessions and personal data cannot be changed meanwhile.', 'gatepass' ) . '</p>';
		self::form_start( $allowed ? 'support_off' : 'support_on' );
		echo '<button type="submit" class="button">' . ( $allowed ? esc_html__( 'Forbid it', 'gatepass' ) : esc_html__( 'Allow it', 'gatepass' ) ) . '</button></form></div>';
	}

	/**
	 * Ticked roles that this site does not have.
	 *
	 * @return string[]
	 */
	private function absent_roles(): array {
		return array_values( array_diff( $this->store->ticked_roles(), array_map( 'strval', array_keys( wp_roles()->get_names() ) ) ) );
	}

	/**
	 * Starts a form that does one thing.
	 *
	 * @param string $what What it does.
	 */
	public static function form_start( string $what ): void {
		echo '<form method="post" action="' . esc_url( admin_url( 'admin-post.php' ) ) . '">';
		echo '<input type="hidden" name="action" value="' . esc_attr( Gatepass_Names::ACTION_SETTINGS ) . '">';
		echo '<input type="hidden" name="do" value="' . esc_attr( $what ) . '">';
		wp_nonce_field( Gatepass_Names::SETTINGS_NONCE );
	}

	/**
	 * One row of a table.
	 *
	 * @param string $label Label, as text.
	 * @param string $html  Content, escaped.
	 */
	public static function row( string $label, string $html ): void {
		echo '<tr><th scope="row">' . esc_html( $label ) . '</th><td>' . wp_kses_post( $html ) . '</td></tr>';
	}

	/**
	 * Says something when the page is shown again.
	 *
	 * @param string $message Text.
	 * @param string $type    success, info or error.
	 */
	private function say( string $message, string $type ): void {
		add_settings_error( Gatepass_Names::SETTINGS_PAGE, 'gatepass', esc_html( $message ), $type );
	}
}
