<?php
/**
 * The WordPress users of the panel's customers.
 *
 * @package Gatepass
 */

/**
 * Finds the user of an identity, or makes one. To be called under the identity's lock.
 *
 * No e-mail address and no user name ever leads to an account that was there before: whoever
 * controls the panel, or one customer's address in it, must not control accounts of this site.
 */
final class Gatepass_Members {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store $store Settings.
	 */
	public function __construct( Gatepass_Store $store ) {
		$this->store = $store;
	}

	/**
	 * The user of an identity.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @return WP_User|null Null if there is none yet.
	 * @throws Gatepass_Refusal If two users claim to be this identity, or the network bans the user.
	 */
	public function find( Gatepass_Identity $identity ): ?WP_User {
		global $wpdb;

		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- By the index on meta_key; a cached "none" would make a second user.
		$ids = $wpdb->get_col( $wpdb->prepare( "SELECT DISTINCT m.user_id FROM {$wpdb->usermeta} m INNER JOIN {$wpdb->users} u ON u.ID = m.user_id WHERE m.meta_key = %s LIMIT 2", $identity->meta_key() ) );
		if ( count( $ids ) > 1 ) {
			throw Gatepass_Refusal::account( 'internal' );
		}
		$user = array() === $ids ? false : get_user_by( 'id', (int) $ids[0] );
		if ( false === $user ) {
			return null;
		}
		if ( is_multisite() && is_user_spammy( $user ) ) {
			throw Gatepass_Refusal::account( 'account_not_on_blog', $user->ID );
		}
		return $user;
	}

	/**
	 * Makes the user of an identity.
	 *
	 * @param Gatepass_Identity   $identity   Who.
	 * @param Gatepass_Redemption $redemption What the panel says of them.
	 * @return WP_User
	 * @throws Gatepass_Refusal If the owner's rules, or an account that was there before, forbid it.
	 */
	public function create( Gatepass_Identity $identity, Gatepass_Redemption $redemption ): WP_User {
		$role  = $this->role( $redemption );
		$email = $redemption->member( 'email' );
		$locks = $this->lock( array( $email, $this->wanted_name( $redemption ) ?? $identity->user_name( 0 ) ) );
		try {
			if ( ! is_email( $email ) ) {
				throw Gatepass_Refusal::account( 'internal' );
			}
			// A user name may look like an address, and WordPress signs in by either.
			if ( false !== email_exists( $email ) || false !== username_exists( $email ) ) {
				throw Gatepass_Refusal::account( 'email_taken' );
			}
			return $this->insert( $identity, $redemption, $role );
		} finally {
			foreach ( $locks as $lock ) {
				$lock->release();
			}
		}
	}

	/**
	 * Locks what two new users may not both have. Others go on meanwhile, however long the hooks on a
	 * new user take. An address and a name that read the same share a lock, for WordPress signs in by
	 * either; and all take theirs in the same order, so that no two wait for each other.
	 *
	 * @param string[] $names Address and name.
	 * @return Gatepass_Lock[]
	 * @throws Gatepass_Refusal If one of them stays taken.
	 */
	private function lock( array $names ): array {
		$hashes = array();
		foreach ( $names as $name ) {
			$hashes[] = substr( hash( 'sha256', strtolower( $name ) ), 0, 32 );
		}
		sort( $hashes, SORT_STRING );
		$locks = array();
		foreach ( array_unique( $hashes ) as $hash ) {
			$lock = Gatepass_Lock::take( 'create_' . $hash );
			if ( null === $lock ) {
				foreach ( $locks as $taken ) {
					$taken->release();
				}
				throw new Gatepass_Refusal( Gatepass_Refusal::TEMPORARY, 'busy' );
			}
			$locks[] = $lock;
		}
		return $locks;
	}

	/**
	 * Sees to it that a user belongs to this blog of a network.
	 *
	 * @param WP_User             $user       The user.
	 * @param Gatepass_Redemption $redemption What the panel says of them.
	 * @return WP_User The same, as this blog sees it.
	 * @throws Gatepass_Refusal If no role is allowed, or WordPress refuses.
	 */
	public function bring_to_blog( WP_User $user, Gatepass_Redemption $redemption ): WP_User {
		if ( ! is_multisite() || is_user_member_of_blog( $user->ID ) ) {
			return $user;
		}
		$added = add_user_to_blog( get_current_blog_id(), $user->ID, $this->role( $redemption ) );
		$there = true === $added ? get_user_by( 'id', $user->ID ) : false;
		if ( false === $there ) {
			throw Gatepass_Refusal::account( 'account_not_on_blog', $user->ID );
		}
		return $there;
	}

	/**
	 * The role the owner allows.
	 *
	 * @param Gatepass_Redemption $redemption What the panel wants.
	 * @return string
	 * @throws Gatepass_Refusal If the owner allows none of the wanted ones.
	 */
	private function role( Gatepass_Redemption $redemption ): string {
		$role = Gatepass_Roles::of_this_site( $this->store->ticked_roles() )->choose( $redemption->roles() );
		if ( null === $role ) {
			throw Gatepass_Refusal::account( 'role_not_allowed' );
		}
		return $role;
	}

	/**
	 * The user name that the panel wants.
	 *
	 * @param Gatepass_Redemption $redemption What the panel wants.
	 * @return string|null Null if it wants none, or one that WordPress would not take.
	 */
	private function wanted_name( Gatepass_Redemption $redemption ): ?string {
		$wanted = $redemption->member( 'username' );
		return '' !== $wanted && $this->is_name( $wanted ) ? $wanted : null;
	}

	/**
	 * A free user name.
	 *
	 * @param Gatepass_Identity   $identity   Who.
	 * @param Gatepass_Redemption $redemption What the panel wants.
	 * @return string
	 * @throws Gatepass_Refusal If the wanted name is somebody's.
	 */
	private function free_name( Gatepass_Identity $identity, Gatepass_Redemption $redemption ): string {
		$wanted = $this->wanted_name( $redemption );
		if ( null !== $wanted ) {
			if ( $this->is_taken( $wanted ) ) {
				throw Gatepass_Refusal::account( 'username_taken' );
			}
			return $wanted;
		}
		for ( $try = 0; $try < 6; $try++ ) {
			$name = $identity->user_name( $try );
			if ( $this->is_name( $name ) && ! $this->is_taken( $name ) ) {
				return $name;
			}
		}
		throw Gatepass_Refusal::account( 'username_taken' );
	}

	/**
	 * Whether WordPress would take a user name just as it is.
	 *
	 * @param string $name The name.
	 * @return bool
	 */
	private function is_name( string $name ): bool {
		$illegal = array_map( 'strtolower', (array) apply_filters( 'illegal_user_logins', array() ) ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
		return strlen( $name ) <= 60 && sanitize_user( $name, true ) === $name && validate_username( $name )
			&& ! in_array( strtolower( $name ), $illegal, true );
	}

	/**
	 * Whether somebody signs in by this name.
	 *
	 * @param string $name The name.
	 * @return bool
	 */
	private function is_taken( string $name ): bool {
		return false !== username_exists( $name ) || false !== get_user_by( 'slug', sanitize_title( $name ) )
			|| false !== email_exists( $name );
	}

	/**
	 * Writes the new user.
	 *
	 * @param Gatepass_Identity   $identity   Who.
	 * @param Gatepass_Redemption $redemption What the panel says of them.
	 * @param string              $role       The role allowed.
	 * @return WP_User
	 * @throws Gatepass_Refusal If WordPress refuses.
	 */
	private function insert( Gatepass_Identity $identity, Gatepass_Redemption $redemption, string $role ): WP_User {
		$name    = $this->free_name( $identity, $redemption );
		$display = sanitize_text_field( $redemption->member( 'display_name' ) );

		// WordPress itself mails nobody here, but plugins do when they see a new user: the panel has welcomed them.
		$quiet = array( 'wp_send_new_user_notification_to_user', 'wp_send_new_user_notification_to_admin' );
		foreach ( $quiet as $hook ) {
			add_filter( $hook, '__return_false', PHP_INT_MAX );
		}
		try {
			$id = wp_insert_user(
				wp_slash(
					array(
						'user_login'   => $name,
						'user_email'   => $redemption->member( 'email' ),
						// Known to nobody, and never shown.
						'user_pass'    => wp_generate_password( 64, true, true ),
						'display_name' => '' === $display ? $name : $display,
						'nickname'     => '' === $display ? $name : $display,
						'first_name'   => sanitize_text_field( $redemption->member( 'first_name' ) ),
						'last_name'    => sanitize_text_field( $redemption->member( 'last_name' ) ),
						'locale'       => $this->locale( $redemption->member( 'locale' ) ),
						'role'         => $role,
						// With the user, not after it: who dies in between must not leave an address taken by nobody.
						'meta_input'   => array( $identity->meta_key() => $identity->readable() ),
					)
				)
			);
		} finally {
			foreach ( $quiet as $hook ) {
				remove_filter( $hook, '__return_false', PHP_INT_MAX );
			}
		}
		if ( is_wp_error( $id ) ) {
			$codes = array(
				'existing_user_email' => 'email_taken',
				'existing_user_login' => 'username_taken',
			);
			throw Gatepass_Refusal::account( $codes[ $id->get_error_code() ] ?? 'internal' );
		}
		if ( is_multisite() ) {
			add_user_to_blog( get_current_blog_id(), $id, $role );
		}
		$user = get_user_by( 'id', $id );
		if ( false === $user ) {
			throw Gatepass_Refusal::account( 'internal' );
		}
		return $user;
	}

	/**
	 * A language this WordPress has.
	 *
	 * @param string $wanted As the panel writes it: de, de-DE or de_DE.
	 * @return string A locale, or empty for the site's own language.
	 */
	private function locale( string $wanted ): string {
		$wanted    = str_replace( '-', '_', $wanted );
		$available = array_merge( array( 'en_US' ), get_available_languages() );
		return in_array( $wanted, $available, true ) ? $wanted : '';
	}
}
