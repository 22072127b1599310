<?php
/**
 * Settings → Gatepass → Sign-ins.
 *
 * @package Gatepass
 */

/**
 * Shows the owner's log, and gives it away as a file.
 */
final class Gatepass_Sign_Ins_Page {

	/**
	 * Lines on a page.
	 */
	const PER_PAGE = 20;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Request $request The request.
	 */
	public function __construct( Gatepass_Request $request ) {
		$this->request = $request;
	}

	/**
	 * Hooks.
	 */
	public function register(): void {
		add_action( 'admin_post_' . Gatepass_Names::ACTION_EXPORT, array( $this, 'export' ) );
	}

	/**
	 * URL of the page.
	 *
	 * @param string $who Whose lines; empty for all.
	 * @return string
	 */
	public static function url( string $who = '' ): string {
		$parameters = array( Gatepass_Names::QUERY_TAB => Gatepass_Names::TAB_SIGN_INS );
		if ( '' !== $who ) {
			$parameters[ Gatepass_Names::QUERY_WHO ] = rawurlencode( $who );
		}
		return add_query_arg( $parameters, Gatepass_Settings_Page::url() );
	}

	/**
	 * The page, below its tabs.
	 */
	public function render(): void {
		$table = new Gatepass_Sign_Ins_Table( $this->query(), self::PER_PAGE );
		$table->prepare_items();

		echo '<h2>' . esc_html__( 'Sign-ins by button', 'gatepass' ) . '</h2>';
		echo '<p>' . esc_html(
			sprintf(
				/* translators: %s: number of days. */
				__( 'Who signed in from your panel, and who was not let in and why. Kept for %s days, on this site only.', 'gatepass' ),
				number_format_i18n( Gatepass_Log::days() )
			)
		) . '</p>';
		$this->render_filter();
		$table->display();
	}

	/**
	 * Sends the lines that are looked for as a file, and ends the request.
	 */
	public function export(): void {
		if ( ! current_user_can( Gatepass_Settings_Page::CAPABILITY ) ) {
			wp_die( esc_html__( 'You may not see who signs in.', 'gatepass' ), 403 );
		}
		check_admin_referer( Gatepass_Names::EXPORT_NONCE );

		nocache_headers();
		header( 'Content-Type: text/csv; charset=utf-8' );
		header( 'Content-Disposition: attachment; filename="gatepass-sign-ins-' . gmdate( 'Y-m-d' ) . '.csv"' );
		header( 'X-Content-Type-Options: nosniff' );
		$this->send( Gatepass_Csv::BYTE_ORDER_MARK . Gatepass_Csv::row( Gatepass_Log_Line::names() ) );
		foreach ( $this->query()->each() as $line ) {
			$this->send( Gatepass_Csv::row( array_values( $line->to_array() ) ) );
		}
		exit;
	}

	/**
	 * What the owner looks for.
	 *
	 * @return Gatepass_Log_Query
	 */
	private function query(): Gatepass_Log_Query {
		return Gatepass_Log_Query::of( $this->who(), $this->result() );
	}

	/**
	 * Whose lines.
	 *
	 * @return string Empty for all.
	 */
	private function who(): string {
		return trim( sanitize_text_field( $this->request->query( Gatepass_Names::QUERY_WHO ) ) );
	}

	/**
	 * Lines with which result.
	 *
	 * @return string Empty for all.
	 */
	private function result(): string {
		$result = $this->request->query( Gatepass_Names::QUERY_RESULT );
		return isset( Gatepass_Log_Line::results()[ $result ] ) ? $result : '';
	}

	/**
	 * The form that filters, and the link to the file.
	 */
	private function render_filter(): void {
		$chosen = $this->result();
		echo '<form method="get" action="' . esc_url( admin_url( 'options-general.php' ) ) . '" class="gatepass-buttons">';
		echo '<input type="hidden" name="page" value="' . esc_attr( Gatepass_Names::SETTINGS_PAGE ) . '">';
		echo '<input type="hidden" name="' . esc_attr( Gatepass_Names::QUERY_TAB ) . '" value="' . esc_attr( Gatepass_Names::TAB_SIGN_INS ) . '">';
		echo '<label for="gatepass-who">' . esc_html__( 'Customer or user', 'gatepass' ) . '</label> ';
		echo '<input type="search" id="gatepass-who" name="' . esc_attr( Gatepass_Names::QUERY_WHO ) . '" value="' . esc_attr( $this->who() ) . '" maxlength="190">';
		echo '<label for="gatepass-result">' . esc_html__( 'Result', 'gatepass' ) . '</label> ';
		echo '<select id="gatepass-result" name="' . esc_attr( Gatepass_Names::QUERY_RESULT ) . '"><option value="">' . esc_html__( 'All', 'gatepass' ) . '</option>';
		foreach ( Gatepass_Log_Line::results() as $result => $words ) {
			echo '<option value="' . esc_attr( $result ) . '"' . selected( $chosen, $result, false ) . '>' . esc_html( $words ) . '</option>';
		}
		echo '</select><button type="submit" class="button">' . esc_html__( 'Filter', 'gatepass' ) . '</button>';
		echo '<a class="button" href="' . esc_url( $this->export_url() ) . '">' . esc_html__( 'Export CSV', 'gatepass' ) . '</a></form>';
	}

	/**
	 * URL of the file with the lines that are looked for.
	 *
	 * @return string
	 */
	private function export_url(): string {
		return add_query_arg(
			array(
				'action'                      => Gatepass_Names::ACTION_EXPORT,
				Gatepass_Names::QUERY_WHO    => rawurlencode( $this->who() ),
				Gatepass_Names::QUERY_RESULT => $this->result(),
				'_wpnonce'                    => wp_create_nonce( Gatepass_Names::EXPORT_NONCE ),
			),
			admin_url( 'admin-post.php' )
		);
	}

	/**
	 * Sends a piece of the file.
	 *
	 * @param string $text What is sent.
	 */
	private function send( string $text ): void {
		echo $text; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- No HTML, and said to be none.
	}
}
