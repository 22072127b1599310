<?php
/**
 * A line of the owner's log.
 *
 * @package Gatepass
 */

/**
 * What a line says, and how it says it to people. Its texts are as the panel and browsers gave them: whoever
 * prints them escapes them.
 */
final class Gatepass_Log_Line {

	/**
	 * Column => value.
	 *
	 * @var array<string,mixed>
	 */
	private $columns;

	/**
	 * Constructor.
	 *
	 * @param array<string,mixed> $columns As the table has them.
	 */
	public function __construct( array $columns ) {
		$this->columns = $columns;
	}

	/**
	 * Number of the line.
	 *
	 * @return int
	 */
	public function id(): int {
		return (int) $this->columns['id'];
	}

	/**
	 * When it happened.
	 *
	 * @return int Seconds since 1970.
	 */
	public function at(): int {
		return (int) strtotime( $this->text( 'at' ) . ' UTC' );
	}

	/**
	 * When it happened, for people: in the site's time zone.
	 *
	 * @return string
	 */
	public function at_in_words(): string {
		return (string) wp_date( get_option( 'date_format' ) . ' ' . get_option( 'time_format' ), $this->at() );
	}

	/**
	 * The user concerned.
	 *
	 * @return int 0 for none.
	 */
	public function user_id(): int {
		return (int) $this->columns['user_id'];
	}

	/**
	 * A column that holds a text.
	 *
	 * @param string $name Which.
	 * @return string
	 */
	public function text( string $name ): string {
		return (string) ( $this->columns[ $name ] ?? '' );
	}

	/**
	 * Whether somebody of the panel's staff acted for the customer.
	 *
	 * @return bool
	 */
	public function is_on_behalf(): bool {
		return '' !== $this->text( 'actor_subject' ) || '' !== $this->text( 'actor_name' );
	}

	/**
	 * Results in plain words.
	 *
	 * @return array<string,string>
	 */
	public static function results(): array {
		return array(
			Gatepass_Log::SIGNED_IN => __( 'Signed in', 'gatepass' ),
			Gatepass_Log::REFUSED   => __( 'Refused', 'gatepass' ),
			Gatepass_Log::FAILED    => __( 'Did not work', 'gatepass' ),
		);
	}

	/**
	 * The result in plain words.
	 *
	 * @return string
	 */
	public function result_in_words(): string {
		return self::results()[ $this->text( 'result' ) ] ?? $this->text( 'result' );
	}

	/**
	 * The cause in plain words.
	 *
	 * @return string Empty if there is none.
	 */
	public function cause_in_words(): string {
		$cause = $this->text( 'cause' );
		if ( '' === $cause ) {
			return '';
		}
		/* translators: %s: a code. */
		return self::causes()[ $cause ] ?? sprintf( __( 'Your panel’s Gatepass answered: %s', 'gatepass' ), $cause );
	}

	/**
	 * For programs: the line, the user's names, and the cause in plain words.
	 *
	 * @return array<string,string>
	 */
	public function to_array(): array {
		$user = 0 === $this->user_id() ? false : get_userdata( $this->user_id() );
		return array(
			'at'            => gmdate( 'Y-m-d\TH:i:s\Z', $this->at() ),
			'result'        => $this->text( 'result' ),
			'cause'         => $this->text( 'cause' ),
			'explanation'   => $this->cause_in_words(),
			'user_id'       => 0 === $this->user_id() ? '' : (string) $this->user_id(),
			'user_login'    => false === $user ? '' : $user->user_login,
			'display_name'  => false === $user ? '' : $user->display_name,
			'customer'      => $this->text( 'subject' ),
			'handoff'       => $this->text( 'handoff' ),
			'reference'     => $this->text( 'reference' ),
			'actor_subject' => $this->text( 'actor_subject' ),
			'actor_name'    => $this->text( 'actor_name' ),
			'actor_reason'  => $this->text( 'actor_reason' ),
			'ip'            => $this->text( 'ip' ),
		);
	}

	/**
	 * Names of what to_array() gives.
	 *
	 * @return string[]
	 */
	public static function names(): array {
		return array( 'at', 'result', 'cause', 'explanation', 'user_id', 'user_login', 'display_name', 'customer', 'handoff', 'reference', 'actor_subject', 'actor_name', 'actor_reason', 'ip' );
	}

	/**
	 * Causes in plain words.
	 *
	 * @return array<string,string>
	 */
	public static function causes(): array {
		return array(
			// The panel's Gatepass said no.
			'membership_inactive' => __( 'The membership is not active.', 'gatepass' ),
			'token_expired'       => __( 'The link was too old: it works for about a minute.', 'gatepass' ),
			'handoff_expired'     => __( 'The link was too old: it works for about a minute.', 'gatepass' ),
			'handoff_used'        => __( 'The link had been used already.', 'gatepass' ),
			'handoff_revoked'     => __( 'The panel had taken the link back.', 'gatepass' ),
			'handoff_superseded'  => __( 'The link was from before a restart of your panel’s Gatepass. A new click works.', 'gatepass' ),
			'handoff_not_asked'   => __( 'The link was from before your panel had to be asked about memberships. A new click works.', 'gatepass' ),
			'handoff_mismatch'    => __( 'This is not the link that the panel had issued.', 'gatepass' ),
			'binding_mismatch'    => __( 'The sign-in was begun in another browser.', 'gatepass' ),

			// This site said no.
			'account_privileged'  => __( 'The account can do more than the roles that you allow.', 'gatepass' ),
			'role_not_allowed'    => __( 'You allow none of the roles that the panel wanted to give.', 'gatepass' ),
			'email_taken'         => __( 'Another account here has the same e-mail address.', 'gatepass' ),
			'username_taken'      => __( 'Another account here has the same user name.', 'gatepass' ),
			'email_invalid'       => __( 'WordPress takes the e-mail address for none.', 'gatepass' ),
			'heir_missing'        => __( 'The user who was to get the content of deleted accounts is gone: choose another under Settings → Gatepass.', 'gatepass' ),
			'account_not_on_blog' => __( 'The account may not be used on this site of the network.', 'gatepass' ),
			'account_blocked'     => __( 'Another plugin has disabled the account.', 'gatepass' ),
			'support_forbidden'   => __( 'You do not let support staff sign in on behalf of customers.', 'gatepass' ),
			'session_ended'       => __( 'This sign-in had been completed, and its session ended, already.', 'gatepass' ),
			'switched_off'        => __( 'Signing in by button was switched off meanwhile.', 'gatepass' ),
			'paired_anew'         => __( 'This site was paired again meanwhile. A new click works.', 'gatepass' ),

			// Something did not work.
			'not_paired'          => __( 'This site was unpaired meanwhile.', 'gatepass' ),
			'internal'            => __( 'Something went wrong in WordPress or in another plugin. The error log has the reference and the place.', 'gatepass' ),
			'busy'                => __( 'Another sign-in of the same customer took too long.', 'gatepass' ),
			'bridge_unreachable'  => __( 'Your panel’s Gatepass did not answer, or not in time.', 'gatepass' ),
			'store_unavailable'   => __( 'Your panel’s Gatepass was out of order for a moment.', 'gatepass' ),
			'overloaded'          => __( 'Your panel’s Gatepass was overloaded for a moment.', 'gatepass' ),
			'rate_limited'        => __( 'There had been too many tries.', 'gatepass' ),
			'site_proof_invalid'  => __( 'Your panel’s Gatepass does not know this site any more. Pair it again.', 'gatepass' ),
			'site_proof_expired'  => __( 'The clock of this server is wrong.', 'gatepass' ),
		);
	}
}
