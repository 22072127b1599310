<?php
/**
 * Answers of the login endpoint.
 *
 * @package Gatepass
 */

/**
 * Sends headers and pages. Whatever it sends ends the request, but for the headers alone.
 */
final class Gatepass_Responder {

	/**
	 * The pages of this site.
	 *
	 * @return Gatepass_Pages
	 */
	public function pages(): Gatepass_Pages {
		return new Gatepass_Pages( wp_specialchars_decode( get_bloginfo( 'name' ), ENT_QUOTES ), Gatepass_Endpoint::url() );
	}

	/**
	 * Shows a refusal.
	 *
	 * @param Gatepass_Refusal        $refusal   Which.
	 * @param Gatepass_Policy         $policy    Links.
	 * @param Gatepass_Reference|null $reference The reference, if there is anything to look up.
	 * @param Gatepass_Handoff|null   $handoff   A checked token that may be tried again.
	 * @param Gatepass_Attempt|null   $attempt   Its attempt.
	 */
	public function refuse( Gatepass_Refusal $refusal, Gatepass_Policy $policy, ?Gatepass_Reference $reference = null, ?Gatepass_Handoff $handoff = null, ?Gatepass_Attempt $attempt = null ): void {
		if ( $refusal->passes() ) {
			header( 'Retry-After: ' . $refusal->retry_after() );
		}
		$this->show( $refusal->status(), $refusal->page(), $this->pages()->refusal( $refusal, $policy, $reference, $handoff, $attempt ) );
	}

	/**
	 * Shows a page.
	 *
	 * @param int    $status HTTP status.
	 * @param string $name   Name of the page, for Site Health and for tests.
	 * @param string $html   The page.
	 */
	public function show( int $status, string $name, string $html ): void {
		$origins = array_filter( array( Gatepass_Origin::of_site( home_url() ), Gatepass_Origin::of_site( Gatepass_Endpoint::url() ) ) );
		$this->send_headers( $status, 'text/html', $name );
		header( 'Content-Security-Policy: ' . Gatepass_Pages::content_security_policy( array_unique( $origins ) ) );
		header( 'X-Frame-Options: DENY' );
		echo $html; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- Gatepass_Pages escapes piece by piece.
		exit;
	}

	/**
	 * Says something to a program.
	 *
	 * @param int    $status HTTP status.
	 * @param string $type   Media type.
	 * @param string $name   Name of the answer.
	 * @param string $text   What is said.
	 */
	public function say( int $status, string $type, string $name, string $text ): void {
		$this->send_headers( $status, $type, $name );
		echo $text; // phpcs:ignore WordPress.Security.EscapeOutput.OutputNotEscaped -- JSON or plain text of our own making, and said to be that.
		exit;
	}

	/**
	 * Sends the browser to the panel.
	 *
	 * @param string $url The panel's page, as the operator has set it.
	 */
	public function leave( string $url ): void {
		$this->send_headers( 303, 'text/html', 'start' );
		header( 'Location: ' . $url );
		exit;
	}

	/**
	 * Sends the browser on within this site.
	 *
	 * @param string $url Where to; Gatepass_Redirects has compared the whole origin.
	 */
	public function arrive( string $url ): void {
		// Under the name that browsers know it by, too.
		add_filter(
			'allowed_redirect_hosts',
			static function ( $hosts ): array {
				return array_merge( (array) $hosts, array( (string) wp_parse_url( (string) Gatepass_Origin::of_site( home_url() ), PHP_URL_HOST ) ) );
			}
		);
		wp_safe_redirect( $url, 303, 'Gatepass' );
		exit;
	}

	/**
	 * Keeps caches and other sites from learning anything.
	 *
	 * The referrer policy is not the strictest. Under `no-referrer` a browser sends `Origin: null`
	 * with our own form (Fetch, "append a request Origin header"), and then no POST could be told
	 * from a foreign one. `same-origin` tells other sites as little, and the token is in no URL that
	 * is ever sent.
	 */
	public function send_no_store_headers(): void {
		header( 'Cache-Control: no-store' );
		header( 'Referrer-Policy: same-origin' );
	}

	/**
	 * Headers of every answer of ours.
	 *
	 * @param int    $status HTTP status.
	 * @param string $type   Media type.
	 * @param string $name   Name of the answer.
	 */
	private function send_headers( int $status, string $type, string $name ): void {
		status_header( $status );
		header( 'Content-Type: ' . $type . '; charset=utf-8' );
		header( 'X-Content-Type-Options: nosniff' );
		header( 'X-Robots-Tag: noindex, nofollow' );
		header( 'X-Gatepass-Page: ' . $name );
		$this->send_no_store_headers();
	}
}
