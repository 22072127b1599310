<?php
/**
 * The owner's log as a list of WordPress's.
 *
 * @package Gatepass
 */

/**
 * One page of the log. On a phone it folds as all lists of wp-admin do.
 */
final class Gatepass_Sign_Ins_Table extends WP_List_Table {

	/**
	 * What is looked for.
	 *
	 * @var Gatepass_Log_Query
	 */
	private $query;

	/**
	 * Lines on a page.
	 *
	 * @var int
	 */
	private $per_page;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Log_Query $query    What is looked for.
	 * @param int                $per_page Lines on a page.
	 */
	public function __construct( Gatepass_Log_Query $query, int $per_page ) {
		parent::__construct(
			array(
				'plural' => 'gatepass-sign-ins',
				'ajax'   => false,
			)
		);
		$this->query    = $query;
		$this->per_page = $per_page;
	}

	/**
	 * Reads the page that is asked for.
	 */
	public function prepare_items(): void {
		$this->_column_headers = array( $this->get_columns(), array(), array(), 'at' );
		$this->set_pagination_args(
			array(
				'total_items' => $this->query->count(),
				'per_page'    => $this->per_page,
			)
		);
		$this->items = $this->query->newest( $this->per_page, ( $this->get_pagenum() - 1 ) * $this->per_page );
	}

	/**
	 * Columns and their headings.
	 *
	 * @return array<string,string>
	 */
	public function get_columns(): array {
		return array(
			'at'        => __( 'When', 'gatepass' ),
			'who'       => __( 'Who', 'gatepass' ),
			'result'    => __( 'Result', 'gatepass' ),
			'reference' => __( 'Reference', 'gatepass' ),
			'ip'        => __( 'Address', 'gatepass' ),
		);
	}

	/**
	 * What is said when there is nothing to show.
	 */
	public function no_items(): void {
		esc_html_e( 'No sign-ins by button.', 'gatepass' );
	}

	/**
	 * Tells a screen reader what the table is.
	 */
	public function print_table_description(): void {
		echo '<caption class="screen-reader-text">' . esc_html__( 'Sign-ins by button, the newest first', 'gatepass' ) . '</caption>';
	}

	/**
	 * When; and on a phone, where the other columns are folded away, the gist of them.
	 *
	 * @param Gatepass_Log_Line $line The line.
	 * @return string HTML.
	 */
	protected function column_at( Gatepass_Log_Line $line ): string {
		$time = '<time datetime="' . esc_attr( gmdate( 'c', $line->at() ) ) . '">' . esc_html( $line->at_in_words() ) . '</time>';
		$user = 0 === $line->user_id() ? false : get_userdata( $line->user_id() );
		$gist = array_filter( array( false === $user ? $line->text( 'subject' ) : $user->display_name, $line->result_in_words() ) );
		return $time . '<span class="gatepass-folded">' . esc_html( implode( ' – ', $gist ) ) . '</span>';
	}

	/**
	 * Who: the user, the panel's customer, and who acted for them.
	 *
	 * @param Gatepass_Log_Line $line The line.
	 * @return string HTML.
	 */
	protected function column_who( Gatepass_Log_Line $line ): string {
		$parts = array_filter( array( $this->user( $line ), $this->customer( $line ) ) );
		if ( $line->is_on_behalf() ) {
			$parts[] = '<span class="description">' . esc_html(
				sprintf(
					/* translators: 1: name of somebody of the panel's support staff, 2: why they signed in. */
					__( 'on their behalf: %1$s (%2$s)', 'gatepass' ),
					'' === $line->text( 'actor_name' ) ? $line->text( 'actor_subject' ) : $line->text( 'actor_name' ),
					'' === $line->text( 'actor_reason' ) ? '–' : $line->text( 'actor_reason' )
				)
			) . '</span>';
		}
		return array() === $parts ? esc_html__( 'erased', 'gatepass' ) : implode( '<br>', $parts );
	}

	/**
	 * The result, and why.
	 *
	 * @param Gatepass_Log_Line $line The line.
	 * @return string HTML.
	 */
	protected function column_result( Gatepass_Log_Line $line ): string {
		$class = Gatepass_Log::SIGNED_IN === $line->text( 'result' ) ? 'is-good' : 'is-off';
		$badge = '<span class="gatepass-badge ' . $class . '">' . esc_html( $line->result_in_words() ) . '</span>';
		$cause = $line->cause_in_words();
		return '' === $cause ? $badge : $badge . '<br>' . esc_html( $cause );
	}

	/**
	 * The reference and the address.
	 *
	 * @param Gatepass_Log_Line $line        The line.
	 * @param string            $column_name Which of the two.
	 * @return string HTML.
	 */
	protected function column_default( $line, $column_name ): string {
		$text = $line->text( $column_name );
		return '' === $text ? '<span aria-hidden="true">–</span>' : '<code>' . esc_html( $text ) . '</code>';
	}

	/**
	 * Only paging, and only below: there is nothing to be done with lines.
	 *
	 * @param string $which top or bottom.
	 */
	protected function display_tablenav( $which ): void {
		if ( 'bottom' === $which ) {
			echo '<div class="tablenav bottom">';
			$this->pagination( $which );
			echo '<br class="clear"></div>';
		}
	}

	/**
	 * The user of a line.
	 *
	 * @param Gatepass_Log_Line $line The line.
	 * @return string HTML, empty for none.
	 */
	private function user( Gatepass_Log_Line $line ): string {
		if ( 0 === $line->user_id() ) {
			return '';
		}
		$user = get_userdata( $line->user_id() );
		if ( false === $user ) {
			/* translators: %d: number of a user. */
			return esc_html( sprintf( __( 'User %d, deleted', 'gatepass' ), $line->user_id() ) );
		}
		$name = '' === $user->display_name ? $user->user_login : $user->display_name;
		$url  = current_user_can( 'edit_user', $user->ID ) ? get_edit_user_link( $user->ID ) : '';
		return '' === $url ? esc_html( $name ) : '<a href="' . esc_url( $url ) . '">' . esc_html( $name ) . '</a>';
	}

	/**
	 * The panel's customer of a line.
	 *
	 * @param Gatepass_Log_Line $line The line.
	 * @return string HTML, empty for none.
	 */
	private function customer( Gatepass_Log_Line $line ): string {
		$subject = $line->text( 'subject' );
		if ( '' === $subject ) {
			return '';
		}
		$link = '<a href="' . esc_url( Gatepass_Sign_Ins_Page::url( $subject ) ) . '">' . esc_html( $subject ) . '</a>';
		/* translators: %s: the panel's number of the customer. */
		return sprintf( esc_html__( 'Customer %s', 'gatepass' ), $link );
	}
}
