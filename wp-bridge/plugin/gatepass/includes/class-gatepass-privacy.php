<?php
/**
 * Tools → Export Personal Data, Erase Personal Data, and the privacy policy guide.
 *
 * @package Gatepass
 */

/**
 * What is known of a person, and what can be forgotten. The link between the account and the panel's customer
 * is not: without it the customer's next click would make a second account.
 *
 * Of the panel's support staff a customer learns that somebody acted, and why; not who.
 */
final class Gatepass_Privacy {

	/**
	 * Lines of the log in one step of an export.
	 */
	const LINES_A_STEP = 100;

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
		add_filter( 'wp_privacy_personal_data_exporters', array( $this, 'add_exporter' ) );
		add_filter( 'wp_privacy_personal_data_erasers', array( $this, 'add_eraser' ) );
		add_action( 'admin_init', array( $this, 'suggest_policy' ) );
	}

	/**
	 * Adds the exporter.
	 *
	 * @param array<string,array<string,mixed>> $exporters Exporters that are there.
	 * @return array<string,array<string,mixed>>
	 */
	public function add_exporter( $exporters ): array {
		$exporters[ Gatepass_Names::PRIVACY ] = array(
			'exporter_friendly_name' => __( 'Gatepass', 'gatepass' ),
			'callback'               => array( $this, 'export' ),
		);
		return $exporters;
	}

	/**
	 * Adds the eraser.
	 *
	 * @param array<string,array<string,mixed>> $erasers Erasers that are there.
	 * @return array<string,array<string,mixed>>
	 */
	public function add_eraser( $erasers ): array {
		$erasers[ Gatepass_Names::PRIVACY ] = array(
			'eraser_friendly_name' => __( 'Gatepass', 'gatepass' ),
			'callback'             => array( $this, 'erase' ),
		);
		return $erasers;
	}

	/**
	 * Tells what is known of a person.
	 *
	 * @param string $email Their address.
	 * @param int    $page  Which step, from 1 on.
	 * @return array{data:array<int,array<string,mixed>>,done:bool}
	 */
	public function export( $email, $page = 1 ): array {
		$user = get_user_by( 'email', (string) $email );
		if ( false === $user ) {
			return array(
				'data' => array(),
				'done' => true,
			);
		}
		$page  = max( 1, (int) $page );
		$lines = $this->lines_about( $user )->newest( self::LINES_A_STEP, ( $page - 1 ) * self::LINES_A_STEP );
		$data  = 1 === $page ? array_merge( $this->export_identities( $user ), $this->export_consent( $user ), $this->export_sessions( $user ) ) : array();
		return array(
			'data' => array_merge( $data, array_map( array( $this, 'export_line' ), $lines ) ),
			'done' => count( $lines ) < self::LINES_A_STEP,
		);
	}

	/**
	 * Forgets what can be forgotten of a person.
	 *
	 * @param string $email Their address.
	 * @param int    $page  Which step; one is enough.
	 * @return array{items_removed:bool,items_retained:bool,messages:string[],done:bool}
	 */
	public function erase( $email, $page = 1 ): array {
		$user     = get_user_by( 'email', (string) $email );
		$removed  = false !== $user && $this->lines_about( $user )->anonymise() > 0;
		$removed  = ( false !== $user && Gatepass_Consent::forget( $user->ID ) ) || $removed;
		$messages = array();
		if ( false !== $user && array() !== $this->identities( $user ) ) {
			$messages[] = __( 'Gatepass has kept which customer of your panel the account belongs to, and until when the membership lasts: without that, the customer’s next click would make a second account. It goes when you delete the account.', 'gatepass' );
		}
		if ( false !== $user && array() !== $this->sessions( $user ) ) {
			$messages[] = __( 'Gatepass has kept what open sessions know of how they were begun. It goes when they end.', 'gatepass' );
		}
		return array(
			'items_removed'  => $removed,
			'items_retained' => array() !== $messages,
			'messages'       => $messages,
			'done'           => true,
		);
	}

	/**
	 * Suggests words for the site's privacy policy.
	 */
	public function suggest_policy(): void {
		$paragraphs = array(
			__( 'If you sign in by the button in your customer account, we receive your customer number there, your name and your e-mail address, and keep the customer number with your account here, so that we know you again.', 'gatepass' ),
			__( 'Your customer account also tells us until when your membership lasts and what you have agreed to there; we keep that with your account here. On its request we tell it when, from which IP address and with which browser you are signed in here.', 'gatepass' ),
			__( 'For each sign-in by button we tell the service that runs the button your IP address and the name of your browser.', 'gatepass' ),
			sprintf(
				/* translators: %s: number of days. */
				__( 'We log sign-ins by button, refused ones too, with time, customer number, IP address and result, and remove these lines after %s days. If the support staff of your customer account signs in on your behalf, the log says so, and why.', 'gatepass' ),
				number_format_i18n( Gatepass_Log::days() )
			),
			__( 'While you sign in, a cookie makes sure that nobody else’s link signs you in. It lasts an hour at most.', 'gatepass' ),
		);
		wp_add_privacy_policy_content( __( 'Gatepass', 'gatepass' ), '<p>' . implode( '</p><p>', array_map( 'esc_html', $paragraphs ) ) . '</p>' );
	}

	/**
	 * Who a user is to panels.
	 *
	 * @param WP_User $user The user.
	 * @return Gatepass_Identity[]
	 */
	private function identities( WP_User $user ): array {
		$connection = $this->store->connection();
		return Gatepass_Identity::all_of( $user->ID, null === $connection ? '' : $connection->site_id() );
	}

	/**
	 * Lines of the log about a user.
	 *
	 * @param WP_User $user The user.
	 * @return Gatepass_Log_Query
	 */
	private function lines_about( WP_User $user ): Gatepass_Log_Query {
		return Gatepass_Log_Query::about( $user->ID, $this->identities( $user ) );
	}

	/**
	 * Our data in a user's open sessions.
	 *
	 * @param WP_User $user The user.
	 * @return array<int,array<string,mixed>> With `login`, when the session began, beside them.
	 */
	private function sessions( WP_User $user ): array {
		$ours = array();
		foreach ( WP_Session_Tokens::get_instance( $user->ID )->get_all() as $session ) {
			if ( is_array( $session[ Gatepass_Names::SESSION_DATA ] ?? null ) ) {
				$ours[] = $session[ Gatepass_Names::SESSION_DATA ] + array( 'login' => (int) ( $session['login'] ?? 0 ) );
			}
		}
		return $ours;
	}

	/**
	 * Who a user is to panels, for an export.
	 *
	 * @param WP_User $user The user.
	 * @return array<int,array<string,mixed>>
	 */
	private function export_identities( WP_User $user ): array {
		$items = array();
		foreach ( $this->identities( $user ) as $identity ) {
			$standing = ( Gatepass_Standing::of_identity( $user->ID, $identity ) ?? Gatepass_Standing::from_array( array() ) )->to_array();
			$items[]  = self::item(
				Gatepass_Names::PRIVACY,
				__( 'Signing in by button', 'gatepass' ),
				$identity->hash(),
				array(
					__( 'Panel', 'gatepass' )             => $identity->issuer(),
					__( 'Customer number', 'gatepass' )   => $identity->subject(),
					__( 'Site id', 'gatepass' )           => $identity->site_id(),
					__( 'Membership', 'gatepass' )        => $standing['status'],
					__( 'Plan', 'gatepass' )              => $standing['plan'],
					__( 'Valid until (UTC)', 'gatepass' ) => $standing['valid_until'],
				)
			);
		}
		return $items;
	}

	/**
	 * What a user has agreed to, for an export.
	 *
	 * @param WP_User $user The user.
	 * @return array<int,array<string,mixed>>
	 */
	private function export_consent( WP_User $user ): array {
		$consent = Gatepass_Consent::of_user( $user->ID );
		if ( null === $consent ) {
			return array();
		}
		$item = self::item(
			Gatepass_Names::PRIVACY_CONSENT,
			__( 'What was agreed to in the customer account', 'gatepass' ),
			(string) $user->ID,
			array(
				__( 'Terms accepted', 'gatepass' )          => $consent->terms_accepted_at(),
				__( 'Privacy notice accepted', 'gatepass' ) => $consent->privacy_accepted_at(),
				__( 'Marketing mail', 'gatepass' )          => $consent->marketing_opt_in() ? __( 'yes', 'gatepass' ) : __( 'no', 'gatepass' ),
				__( 'Marketing mail since', 'gatepass' )    => (string) get_user_meta( $user->ID, Gatepass_Names::META_MARKETING_AT, true ),
			)
		);
		return array( $item );
	}

	/**
	 * A user's open sessions, for an export.
	 *
	 * @param WP_User $user The user.
	 * @return array<int,array<string,mixed>>
	 */
	private function export_sessions( WP_User $user ): array {
		$items = array();
		foreach ( $this->sessions( $user ) as $number => $session ) {
			$text    = static function ( string $name ) use ( $session ): string {
				return is_string( $session[ $name ] ?? null ) ? $session[ $name ] : '';
			};
			$reason  = $session['on_behalf']['reason'] ?? null;
			$items[] = self::item(
				Gatepass_Names::PRIVACY_SESSIONS,
				__( 'Open sessions begun by button', 'gatepass' ),
				(string) ( $number + 1 ),
				array(
					__( 'Since (UTC)', 'gatepass' )     => gmdate( 'Y-m-d H:i:s', $session['login'] ),
					__( 'Customer number', 'gatepass' ) => $text( 'subject' ),
					__( 'Handoff', 'gatepass' )         => $text( 'handoff' ),
					__( 'Outlives the browser', 'gatepass' ) => empty( $session['remember'] ) ? __( 'no', 'gatepass' ) : __( 'yes', 'gatepass' ),
					__( 'By support staff of the panel, because', 'gatepass' ) => is_string( $reason ) ? $reason : '',
				)
			);
		}
		return $items;
	}

	/**
	 * A line of the log, for an export.
	 *
	 * @param Gatepass_Log_Line $line The line.
	 * @return array<string,mixed>
	 */
	private function export_line( Gatepass_Log_Line $line ): array {
		return self::item(
			Gatepass_Names::PRIVACY_LOG,
			__( 'Sign-ins by button', 'gatepass' ),
			(string) $line->id(),
			array(
				__( 'When (UTC)', 'gatepass' )      => gmdate( 'Y-m-d H:i:s', $line->at() ),
				__( 'Result', 'gatepass' )          => trim( $line->result_in_words() . '. ' . $line->cause_in_words() ),
				__( 'Customer number', 'gatepass' ) => $line->text( 'subject' ),
				__( 'Handoff', 'gatepass' )         => $line->text( 'handoff' ),
				__( 'Reference', 'gatepass' )       => $line->text( 'reference' ),
				__( 'Address', 'gatepass' )         => $line->text( 'ip' ),
				__( 'By support staff of the panel, because', 'gatepass' ) => $line->text( 'actor_reason' ),
			)
		);
	}

	/**
	 * An item as WordPress wants it. Its name includes the group's, for WordPress joins items of the same name.
	 *
	 * @param string               $group Name of its group.
	 * @param string               $label Heading of its group.
	 * @param string               $id    What tells it from others of the group.
	 * @param array<string,string> $data  Name => value; what is empty is left out.
	 * @return array<string,mixed>
	 */
	private static function item( string $group, string $label, string $id, array $data ): array {
		$pairs = array();
		foreach ( array_filter( $data, 'strlen' ) as $name => $value ) {
			$pairs[] = array(
				'name'  => $name,
				// WordPress prints it with its harmless tags.
				'value' => esc_html( $value ),
			);
		}
		return array(
			'group_id'    => $group,
			'group_label' => $label,
			'item_id'     => $group . '-' . $id,
			'data'        => $pairs,
		);
	}
}
