<?php
/**
 * How the gate says no.
 *
 * @package Gatepass
 */

/**
 * The same no in every form it takes: an error of WordPress's with a link or without, a page, an answer to a program.
 */
final class Gatepass_Gate_Answer {

	/**
	 * For how long a browser remembers that it has been told, in seconds: as long as WordPress's cookies may live.
	 */
	const TOLD_SECONDS = 1209600;

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
	 * Answers.
	 *
	 * @var Gatepass_Responder
	 */
	private $responder;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store     $store     Settings.
	 * @param Gatepass_Request   $request   The request.
	 * @param Gatepass_Responder $responder Answers.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Request $request, Gatepass_Responder $responder ) {
		$this->store     = $store;
		$this->request   = $request;
		$this->responder = $responder;
	}

	/**
	 * For a login form: why, and where to renew.
	 *
	 * @param string $verdict SHUT or UNSURE.
	 * @return WP_Error Its message is HTML.
	 */
	public function error( string $verdict ): WP_Error {
		$html = esc_html( self::words( $verdict ) );
		if ( Gatepass_Gate_Rules::SHUT === $verdict ) {
			$html .= $this->renew_link();
		}
		return new WP_Error( self::code( $verdict ), $html );
	}

	/**
	 * For a program.
	 *
	 * @param string $verdict SHUT or UNSURE.
	 * @return WP_Error Its message is plain text.
	 */
	public function plain_error( string $verdict ): WP_Error {
		return new WP_Error( self::code( $verdict ), self::words( $verdict ), array( 'status' => 401 ) );
	}

	/**
	 * A link to where a membership is renewed.
	 *
	 * @return string HTML, with a space before it; empty if nobody has said where.
	 */
	public function renew_link(): string {
		$url = $this->policy()->renew_url();
		return null === $url ? '' : ' <a href="' . esc_url( $url, array( 'http', 'https' ) ) . '">' . esc_html__( 'Renew your membership', 'gatepass' ) . '</a>';
	}

	/**
	 * What is said.
	 *
	 * @param string $verdict SHUT or UNSURE.
	 * @return string
	 */
	public static function words( string $verdict ): string {
		return Gatepass_Gate_Rules::SHUT === $verdict
			? __( 'Your membership is not active, so you cannot log in here.', 'gatepass' )
			: __( 'Your membership could not be checked just now. Please try again in a few minutes.', 'gatepass' );
	}

	/**
	 * Answers a program. Ends the request.
	 *
	 * @param string $verdict SHUT or UNSURE.
	 */
	public function say( string $verdict ): void {
		$answer = array(
			'code'    => self::code( $verdict ),
			'message' => self::words( $verdict ),
			'data'    => array( 'status' => 401 ),
		);
		$this->responder->say( 401, 'application/json', 'membership', (string) wp_json_encode( $answer ) );
	}

	/**
	 * Shows the page, and leaves the browser signed in. Ends the request.
	 *
	 * @param string $verdict SHUT or UNSURE.
	 */
	public function show( string $verdict ): void {
		if ( Gatepass_Gate_Rules::SHUT === $verdict ) {
			$this->responder->show( 403, 'membership', $this->responder->pages()->membership_ended( $this->policy(), home_url( '/' ), false ) );
		}
		$this->responder->refuse( new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'bridge_unreachable', array(), 60 ), $this->policy() );
	}

	/**
	 * Shows the page, and signs the browser out. Ends the request.
	 *
	 * @param string $token Token of the session that has ended.
	 */
	public function sign_out( string $token ): void {
		wp_clear_auth_cookie();
		// Should the cookies stay, because they were set for another domain or path, the page would come again and again.
		self::cookie()->set( self::name( $token ), time() + self::TOLD_SECONDS );
		$this->responder->show( 403, 'membership', $this->responder->pages()->membership_ended( $this->policy(), home_url( '/' ), true ) );
	}

	/**
	 * Whether the browser has been told that a session has ended.
	 *
	 * @param string $token Token of the session.
	 * @return bool
	 */
	public function has_been_told( string $token ): bool {
		return hash_equals( self::name( $token ), self::cookie()->read( $this->request, 32 ) );
	}

	/**
	 * The policy as last heard.
	 *
	 * @return Gatepass_Policy
	 */
	private function policy(): Gatepass_Policy {
		$connection = $this->store->connection();
		return null === $connection ? new Gatepass_Policy( null ) : $connection->policy();
	}

	/**
	 * Code of the errors.
	 *
	 * @param string $verdict SHUT or UNSURE.
	 * @return string
	 */
	private static function code( string $verdict ): string {
		return Gatepass_Gate_Rules::SHUT === $verdict ? Gatepass_Names::ERROR_MEMBERSHIP : Gatepass_Names::ERROR_UNCHECKED;
	}

	/**
	 * A name for a session: not its token, which is a credential.
	 *
	 * @param string $token The token.
	 * @return string 32 hex digits.
	 */
	private static function name( string $token ): string {
		return substr( hash( 'sha256', "gatepass-told\n" . $token ), 0, 32 );
	}

	/**
	 * The cookie that remembers it.
	 *
	 * @return Gatepass_Cookie
	 */
	private static function cookie(): Gatepass_Cookie {
		return new Gatepass_Cookie( Gatepass_Names::COOKIE_TOLD, Gatepass_Names::COOKIE_TOLD_HTTPS );
	}
}
