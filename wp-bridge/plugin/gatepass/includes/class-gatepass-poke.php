<?php
/**
 * The broker's word that there is something to pull.
 *
 * @package Gatepass
 */

/**
 * A poke: signed, and without data. Whoever repeats one makes this site ask the bridge, and learns nothing.
 */
final class Gatepass_Poke {

	/**
	 * The media type in the token's header.
	 */
	const TYPE = 'gatepass-poke+jwt';

	/**
	 * Whether a poke is the broker's, and for us. Unlike a handoff, one that names a key we have not pinned is nobody's:
	 * otherwise any stranger could make us ask the bridge. WP-Cron asks all the same.
	 *
	 * @param string              $unverified_token What was posted.
	 * @param Gatepass_Connection $connection       The pairing.
	 * @return bool
	 */
	public static function is_genuine( string $unverified_token, Gatepass_Connection $connection ): bool {
		$token = Gatepass_Token::verify( $unverified_token, self::TYPE, $connection->keys(), $connection->site_id() );
		return null !== $token && $token->is_signed() && $token->claim( 'iss' ) === $connection->issuer();
	}
}
