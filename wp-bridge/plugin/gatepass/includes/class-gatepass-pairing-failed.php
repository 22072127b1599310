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
		switch ( $code ) {
			case 'code_unreadable':
				return new self( __( 'This is not a whole pairing code. Copy it again from the beginning: it starts with “gp_pair_” and has no gaps.', 'gatepass' ) );

			case 'bridge_not_https':
				/* translators: %s: URL. */
				return new self( sprintf( __( 'The pairing code leads to %s, which is not protected by HTTPS. Ask whoever runs your panel for a code with an https address.', 'gatepass' ), $bridge ) );

			case 'pairing_code_invalid':
				return new self( __( 'This pairing code has been used already, or it is older than 30 minutes. Ask your panel for a new one and paste it here.', 'gatepass' ) );

			case 'pairing_challenge_failed':
				/* translators: 1: URL of this site, 2: what the bridge saw, may be empty. */
				return new self( trim( sprintf( __( 'The bridge could not reach this WordPress at %1$s to make sure that it is yours. A password in front of the site, a maintenance page or a firewall may be in the way. %2$s', 'gatepass' ), Gatepass_Endpoint::url(), $detail ) ) );

			case 'pairing_replace_required':
				return new self( __( 'This site is paired already, with a key that this WordPress does not have (it may have been restored or copied). Whoever runs your panel has to allow the replacement; then use a new pairing code.', 'gatepass' ) );

			case 'site_identity_conflict':
				/* translators: %s: URL of this site. */
				return new self( sprintf( __( 'The pairing code was made for another address than %s. If this is a copy of your site, it needs a code of its own; if the address has changed, register the new one with your panel.', 'gatepass' ), (string) Gatepass_Origin::of( home_url() ) ) );

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
		if ( 0 === $status ) {
			/* translators: 1: URL, 2: technical explanation. */
			return new self( trim( sprintf( __( 'This WordPress could not reach the bridge at %1$s. Is it running, and does your hosting allow connections to it? %2$s', 'gatepass' ), $bridge, $detail ) ) );
		}
		/* translators: 1: URL, 2: HTTP status, 3: what the bridge says, may be empty. */
		return new self( trim( sprintf( __( 'The bridge at %1$s gave an answer that this plugin does not understand (status %2$d). Try again in a moment. %3$s', 'gatepass' ), $bridge, $status, $detail ) ) );
	}
}
