<?php
/**
 * New passwords for whose membership has ended: none.
 *
 * @package Gatepass
 */

/**
 * A stranger who asks for a new password for somebody gets the same answer whether that membership has ended or not,
 * after about the same time; but no mail is sent, and no key is made. `allow_password_reset`, which offers itself, would
 * tell the two apart.
 *
 * A key of before opens nothing either. Whoever has one holds the mailbox, and may be told why.
 */
final class Gatepass_Reset_Gate {

	/**
	 * No stranger waits longer than this, in seconds, however long a mail takes.
	 */
	const MAX_SECONDS = 5.0;

	/**
	 * Who is let in.
	 *
	 * @var Gatepass_Admission
	 */
	private $admission;

	/**
	 * The request.
	 *
	 * @var Gatepass_Request
	 */
	private $request;

	/**
	 * How to say no.
	 *
	 * @var Gatepass_Gate_Answer
	 */
	private $answer;

	/**
	 * A key that nobody is to get; empty if there is none.
	 *
	 * @var string
	 */
	private $key = '';

	/**
	 * When the mail that is being made was begun; 0 for no such mail.
	 *
	 * @var float
	 */
	private $begun = 0.0;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Admission   $admission Who is let in.
	 * @param Gatepass_Request     $request   The request.
	 * @param Gatepass_Gate_Answer $answer    How to say no.
	 */
	public function __construct( Gatepass_Admission $admission, Gatepass_Request $request, Gatepass_Gate_Answer $answer ) {
		$this->admission = $admission;
		$this->request   = $request;
		$this->answer    = $answer;
	}

	/**
	 * Lets WordPress make a key and send it, or has it answer as if it had; for `send_retrieve_password_email`. Where the
	 * last mail of this kind could not be sent, WordPress says so of everybody; so it goes on, and finds that out again.
	 *
	 * @param mixed   $send  Whether somebody has decided.
	 * @param string  $login What was typed.
	 * @param WP_User $user  Whose password it is.
	 * @return mixed
	 */
	public function hold_mail( $send, $login, $user ) {
		if ( ! $send || ! $user instanceof WP_User ) {
			return $send;
		}
		if ( $this->lets_in( $user ) ) {
			$this->begun = microtime( true );
			add_action( 'wp_mail_succeeded', array( $this, 'learn_of_success' ), PHP_INT_MIN, 0 );
			add_action( 'wp_mail_failed', array( $this, 'learn_of_failure' ), PHP_INT_MIN, 0 );
			return $send;
		}
		list( $seconds, $works ) = self::last_mail();
		usleep( (int) ( 1000000 * $seconds ) );
		return ! $works;
	}

	/**
	 * A mail was sent.
	 */
	public function learn_of_success(): void {
		$this->learn( true );
	}

	/**
	 * A mail could not be sent.
	 */
	public function learn_of_failure(): void {
		$this->learn( false );
	}

	/**
	 * A key has been made, and is about to be kept; for the action `retrieve_password_key`. Here come those who make one
	 * without asking above, as shops do.
	 *
	 * @param string $login Whose.
	 * @param string $key   The key.
	 */
	public function drop_key( $login, $key ): void {
		$user = get_user_by( 'login', (string) $login );
		if ( false === $user || $this->lets_in( $user ) ) {
			return;
		}
		$this->key = (string) $key;
		add_filter( 'wp_pre_insert_user_data', array( $this, 'keep_no_key' ), PHP_INT_MAX );
		add_filter( 'pre_wp_mail', array( $this, 'hold_back' ), PHP_INT_MAX, 2 );
		add_filter( 'woocommerce_email_enabled_customer_reset_password', '__return_false', PHP_INT_MAX );
	}

	/**
	 * Keeps the key from being kept.
	 *
	 * @param mixed $data What is to be written of a user.
	 * @return mixed
	 */
	public function keep_no_key( $data ) {
		remove_filter( 'wp_pre_insert_user_data', array( $this, 'keep_no_key' ), PHP_INT_MAX );
		return is_array( $data ) ? array( 'user_activation_key' => '' ) + $data : $data;
	}

	/**
	 * Holds back a mail with the key in it.
	 *
	 * @param mixed $sent What somebody else has made of it.
	 * @param mixed $mail The mail.
	 * @return mixed
	 */
	public function hold_back( $sent, $mail ) {
		$text = is_array( $mail ) && is_string( $mail['message'] ?? null ) ? $mail['message'] : '';
		return false !== strpos( $text, $this->key ) ? self::last_mail()[1] : $sent;
	}

	/**
	 * WordPress's form for a new password, opened with a link from a mail; for `login_form_rp` and `login_form_resetpass`.
	 * A right key counts as too old, a wrong one as wrong.
	 */
	public function expire_keys(): void {
		$login = $this->request->query( 'login', 500 );
		if ( '' === $login ) {
			$login = (string) strstr( $this->request->cookie( 'wp-resetpass-' . COOKIEHASH, 1000 ), ':', true );
		}
		$user = get_user_by( 'login', $login );
		if ( false !== $user && ! $this->lets_in( $user ) ) {
			add_filter( 'password_reset_expiration', '__return_zero', PHP_INT_MAX );
		}
	}

	/**
	 * Any form for a new password; for the action `validate_password_reset`.
	 *
	 * @param WP_Error $errors Errors.
	 * @param mixed    $user   Whose password it is, if the key is right.
	 */
	public function refuse( $errors, $user ): void {
		if ( $user instanceof WP_User && ! $this->lets_in( $user ) ) {
			$errors->add( Gatepass_Names::ERROR_MEMBERSHIP, $this->answer->error( Gatepass_Gate_Rules::SHUT )->get_error_message() );
		}
	}

	/**
	 * The last moment before a new password is set by a key; for the action `password_reset`.
	 *
	 * @param mixed $user Whose.
	 */
	public function stop( $user ): void {
		if ( $user instanceof WP_User && ! $this->lets_in( $user ) ) {
			$this->answer->show( Gatepass_Gate_Rules::SHUT );
		}
	}

	/**
	 * Whether somebody is let in by what is known. Nobody is asked: it would take longer for some than for others.
	 *
	 * @param WP_User $user Who.
	 * @return bool
	 */
	private function lets_in( WP_User $user ): bool {
		return Gatepass_Gate_Rules::SHUT !== $this->admission->verdict( $user, false );
	}

	/**
	 * Learns how a mail went.
	 *
	 * @param bool $works Whether it could be sent.
	 */
	private function learn( bool $works ): void {
		if ( $this->begun > 0 ) {
			$seconds     = round( microtime( true ) - $this->begun, 3 );
			$this->begun = 0.0;
			update_option( Gatepass_Names::OPTION_RESET_MAIL, array( $seconds, $works ), false );
		}
	}

	/**
	 * How the last mail for a new password went.
	 *
	 * @return array{0:float,1:bool} How many seconds it took, and whether it could be sent.
	 */
	private static function last_mail(): array {
		$last    = get_option( Gatepass_Names::OPTION_RESET_MAIL );
		$seconds = is_array( $last ) && is_numeric( $last[0] ?? null ) ? (float) $last[0] : 0.0;
		return array( max( 0.0, min( self::MAX_SECONDS, $seconds ) ), ! is_array( $last ) || false !== ( $last[1] ?? null ) );
	}
}
