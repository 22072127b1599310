<?php
/**
 * The broker's word that there is something to pull.
 *
 * @package Gatepass
 */

/**
 * A poke: signed, and without data. Whoever repeats one while it is young makes this site ask the bridge, and learns
 * nothing; once a newer one has come, it is nobody's.
 */
final class Gatepass_Poke {

	/**
	 * The media type in the token's header.
	 */
	const TYPE = 'gatepass-poke+jwt';

	/**
	 * By how much a poke may be older than the newest, in seconds: some overtake others. Both were made by the broker's
	 * clock; ours is not asked.
	 */
	const MAX_AGE = 120;

	/**
	 * When a poke was made that is the broker's, for us, and none that is repeated. Unlike a handoff, one that names a key
	 * we have not pinned is nobody's, unless that key can be learnt: otherwise any stranger could make us pull.
	 *
	 * @param string              $unverified_token What was posted.
	 * @param Gatepass_Connection $connection       The pairing.
	 * @param callable|null       $learn            Takes the pairing and gives it with the keys of now, or null.
	 * @return int|null Seconds since 1970; null for one that is not to be taken.
	 */
	public static function verify( string $unverified_token, Gatepass_Connection $connection, ?callable $learn = null ): ?int {
		$token = Gatepass_Token::verify( $unverified_token, self::TYPE, $connection->keys(), $connection->site_id() );
		if ( null !== $learn && null !== $token && ! $token->is_signed() && $token->claim( 'iss' ) === $connection->issuer() ) {
			$now   = $learn( $connection );
			$token = null === $now ? null : Gatepass_Token::verify( $unverified_token, self::TYPE, $now->keys(), $now->site_id() );
		}
		if ( null === $token || ! $token->is_signed() || $token->claim( 'iss' ) !== $connection->issuer() ) {
			return null;
		}
		return $token->issued_at() < self::newest( $connection ) - self::MAX_AGE ? null : $token->issued_at();
	}

	/**
	 * Keeps that a poke was taken.
	 *
	 * @param int                 $issued_at  When it was made.
	 * @param Gatepass_Connection $connection The pairing.
	 */
	public static function keep( int $issued_at, Gatepass_Connection $connection ): void {
		if ( $issued_at > self::newest( $connection ) ) {
			update_option( Gatepass_Names::OPTION_POKED, array( $connection->pairing() => $issued_at ), false );
		}
	}

	/**
	 * When the newest poke was made that this pairing has taken.
	 *
	 * @param Gatepass_Connection $connection The pairing.
	 * @return int Seconds since 1970; 0 for none.
	 */
	private static function newest( Gatepass_Connection $connection ): int {
		$kept = get_option( Gatepass_Names::OPTION_POKED );
		return is_array( $kept ) ? (int) ( $kept[ $connection->pairing() ] ?? 0 ) : 0;
	}
}
