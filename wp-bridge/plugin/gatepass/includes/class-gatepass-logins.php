<?php
/**
 * What WordPress signs in by: e-mail addresses and user names.
 *
 * @package Gatepass
 */

/**
 * Who has which, and who may get which. WordPress looks first and writes later, and signs in by either; so whoever
 * gives one to a user locks it first.
 */
final class Gatepass_Logins {

	/**
	 * WordPress's columns hold so many characters.
	 */
	const MAX_EMAIL = 100;
	const MAX_NAME  = 60;

	/**
	 * Does something while nobody else gives these addresses and names to a user. Others go on meanwhile, however long
	 * the hooks on a user take. An address and a name that read the same share a lock; and all take theirs in the same
	 * order, so that no two wait for each other.
	 *
	 * @param string[]          $logins Addresses and names.
	 * @param callable():WP_User $work  What is to be done.
	 * @return WP_User What it gives.
	 * @throws Gatepass_Refusal If one of them stays taken.
	 */
	public static function while_locked( array $logins, callable $work ): WP_User {
		$hashes = array();
		foreach ( $logins as $login ) {
			$hashes[] = substr( hash( 'sha256', strtolower( $login ) ), 0, 32 );
		}
		sort( $hashes, SORT_STRING );
		$locks = array();
		try {
			foreach ( array_unique( $hashes ) as $hash ) {
				$lock = Gatepass_Lock::take( 'create_' . $hash );
				if ( null === $lock ) {
					throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'busy' );
				}
				$locks[] = $lock;
			}
			return $work();
		} finally {
			foreach ( $locks as $lock ) {
				$lock->release();
			}
		}
	}

	/**
	 * Sees to it that an address can be given to a user.
	 *
	 * @param string $email   The address.
	 * @param int    $user_id Who may have it already; 0 for nobody.
	 * @throws Gatepass_Refusal If WordPress would not take it as it is, or somebody else signs in by it.
	 */
	public static function require_email( string $email, int $user_id ): void {
		if ( strlen( $email ) > self::MAX_EMAIL || ! is_email( $email ) || sanitize_email( $email ) !== $email ) {
			throw Gatepass_Refusal::account( 'email_invalid', $user_id );
		}
		// A user name may look like an address.
		if ( self::is_anothers( email_exists( $email ), $user_id ) || self::is_anothers( username_exists( $email ), $user_id ) ) {
			throw Gatepass_Refusal::account( 'email_taken', $user_id );
		}
	}

	/**
	 * Whether WordPress would take a user name just as it is.
	 *
	 * @param string $name The name.
	 * @return bool
	 */
	public static function is_name( string $name ): bool {
		$illegal = array_map( 'strtolower', (array) apply_filters( 'illegal_user_logins', array() ) ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
		return '' !== $name && strlen( $name ) <= self::MAX_NAME && sanitize_user( $name, true ) === $name && validate_username( $name )
			&& ! in_array( strtolower( $name ), $illegal, true );
	}

	/**
	 * Whether somebody else signs in by a name, or has it in the address of their page.
	 *
	 * @param string $name    The name.
	 * @param int    $user_id Who may have it already; 0 for nobody.
	 * @return bool
	 */
	public static function is_name_taken( string $name, int $user_id = 0 ): bool {
		$by_slug = get_user_by( 'slug', sanitize_title( $name ) );
		return self::is_anothers( username_exists( $name ), $user_id ) || self::is_anothers( email_exists( $name ), $user_id )
			|| self::is_anothers( false === $by_slug ? false : $by_slug->ID, $user_id );
	}

	/**
	 * Whether what a user was given is somebody else's, too: whoever does not know of our locks was as fast.
	 *
	 * @param int    $user_id The user.
	 * @param string $email   The address given; empty for none.
	 * @param string $name    The name given; empty for none.
	 * @return string email_taken or username_taken; empty if it is theirs alone.
	 */
	public static function shared( int $user_id, string $email, string $name ): string {
		global $wpdb;

		// phpcs:disable WordPress.DB.DirectDatabaseQuery -- By WordPress's own indexes; its caches do not know of two.
		if ( '' !== $email && null !== $wpdb->get_var( $wpdb->prepare( "SELECT ID FROM {$wpdb->users} WHERE user_email = %s AND ID <> %d LIMIT 1", $email, $user_id ) ) ) {
			return 'email_taken';
		}
		if ( '' !== $name && null !== $wpdb->get_var( $wpdb->prepare( "SELECT ID FROM {$wpdb->users} WHERE user_login = %s AND ID <> %d LIMIT 1", $name, $user_id ) ) ) {
			return 'username_taken';
		}
		// phpcs:enable
		return '';
	}

	/**
	 * Whether what was found is somebody else.
	 *
	 * @param int|false $found   Who was found.
	 * @param int       $user_id Who may be.
	 * @return bool
	 */
	private static function is_anothers( $found, int $user_id ): bool {
		return false !== $found && (int) $found !== $user_id;
	}
}
