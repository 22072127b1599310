<?php
/**
 * Why a pairing failed, in words for the owner.
 *
 * @package Gatepass
 */

/**
 * The message says what happened and what to do about it.
 */
final class Gatepass_Pairing_Failed extends Exception {

	/**
	 * The failure of a stable code.
	 *
	 * @param string $code   Our own code, the bridge's, or WordPress's HTTP API's.
	 * @param string $bridge URL of the bridge.
	 * @param int    $status HTTP status, 0 if there was no answer.
	 * @param string $detail What the bridge or the HTTP API says.
	 * @return self
	 */
	public static function because( string $code, string $bridge = '', int $status = 0, string $detail = '' ): self {
		$host = (string) wp_parse_url( $bridge, PHP_URL_HOST );
		// A text of somebody else's, for a page and a terminal.
		$detail = substr( (string) preg_replace( '/[\x00-\x1f\x7f]+/', ' ', wp_check_invalid_utf8( $detail ) ), 0, 500 );
		switch ( $code ) {
			case 'code_unreadable':
				return new self( __( 'This is not a whole pairing code. Copy it again from the beginning: it starts with “gp_pair_” and has no gaps.', 'gatepass' ) );

			case 'bridge_not_https':
				/* translators: %s: URL. */
				return new self( sprintf( __( 'The pairing code leads to %s, which is not protected by HTTPS. Ask whoever runs your panel for a code with an https address.', 'gatepass' ), $bridge ) );

			case 'bridge_on_this_machine':
				/* translators: %s: URL. */
				return new self( sprintf( __( 'The pairing code leads to %s, on this very server. On a network only a network administrator can pair a site with it.', 'gatepass' ), $bridge ) );

			case 'own_address_unknown':
				/* translators: %s: URL of this site. */
				return new self( sprintf( __( 'The address of this WordPress (%s) cannot be written as browsers write it. If it has letters beyond a to z, have the PHP extension intl installed, or write the address under Settings → General in the form that begins with xn--.', 'gatepass' ), home_url() ) );

			case 'endpoint_elsewhere':
				/* translators: 1: URL of the login endpoint, 2: URL of this site. */
				return new self( sprintf( __( 'The login endpoint %1$s lies at another address than the site %2$s, so nobody could be signed in. Under Settings → General the WordPress address and the site address must have the same scheme (http or https), host name and port.', 'gatepass' ), Gatepass_Endpoint::url(), home_url() ) );

			case 'no_answer':
				/* translators: %s: URL. */
				return new self( sprintf( __( 'No answer arrived from the bridge at %s (no connection, or trouble on the way). Is it running, and does your hosting allow connections to it? Then press Pair again with the same code: nothing is lost.', 'gatepass' ), $bridge ) );

			case 'issuer_differs':
				/* translators: %s: host name. */
				return new self( sprintf( __( 'The bridge at %s issues sign-ins in another name than the pairing code says, so nothing was paired. Ask your panel for a new code.', 'gatepass' ), $host ) );

			case 'pairing_code_invalid':
				return new self( __( 'This pairing code has been used already, or it is older than 30 minutes. Ask your panel for a new one and paste it here.', 'gatepass' ) );

			case 'pairing_challenge_failed':
				/* translators: 1: URL of this site, 2: what the bridge saw, may be empty. */
				return new self( trim( sprintf( __( 'The bridge could not reach this WordPress at %1$s to make sure that it is yours. A password in front of the site, a maintenance page or a firewall may be in the way. %2$s', 'gatepass' ), Gatepass_Endpoint::url(), $detail ) ) );

			case 'pairing_replace_required':
				return new self( __( 'This site is paired already, with a key that this WordPress does not have (it may have been restored or copied). Whoever runs your panel has to allow the replacement; then use a new pairing code.', 'gatepass' ) );

			case 'site_identity_conflict':
				/* translators: %s: URL of this site. */
				return new self( sprintf( __( 'The pairing code was made for another address than %s. If this is a copy of your site, it needs a code of its own; if the address has changed, register the new one with your panel.', 'gatepass' ), Gatepass_Origin::of_blog() ) );

			case 'keys_differ':
				/* translators: %s: host name. */
				return new self( sprintf( __( 'The keys that %s presented are not those promised by the pairing code, so nothing was paired. Ask your panel for a new code. If it happens again, someone may be standing in between.', 'gatepass' ), $host ) );

			case 'http_request_not_executed':
				/* translators: %s: host name. */
				return new self( sprintf( __( 'This WordPress may not speak to other servers (WP_HTTP_BLOCK_EXTERNAL). Add %s to WP_ACCESSIBLE_HOSTS in wp-config.php and try again.', 'gatepass' ), $host ) );

			case 'validation_failed':
				/* translators: %s: what the bridge says. */
				return new self( sprintf( __( 'The bridge did not accept what this WordPress said of itself: %s', 'gatepass' ), $detail ) );

			case 'rate_limited':
				return new self( __( 'There were too many attempts. Wait a minute and try again.', 'gatepass' ) );
		}
		/* translators: 1: URL, 2: HTTP status, 3: what the bridge says, may be empty. */
		return new self( trim( sprintf( __( 'The bridge at %1$s gave an answer that this plugin does not understand (status %2$d). Try again in a moment. %3$s', 'gatepass' ), $bridge, $status, $detail ) ) );
	}
}
