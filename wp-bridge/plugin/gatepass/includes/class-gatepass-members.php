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
	 * Beginning of what stands in a new user's `user_activation_key` until the identity is written, too. WordPress takes
	 * it for a password reset's that was asked for in 1970.
	 */
	const UNFINISHED = '0:gatepass:';

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
		return self::the_one( $this->all_of( $identity ) );
	}

	/**
	 * Everybody who claims to be an identity: two, if somebody has copied a user with all that belongs to it.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @return WP_User[]
	 */
	public function all_of( Gatepass_Identity $identity ): array {
		global $wpdb;

		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- By the index on meta_key; a cached "none" would make a second user.
		$ids = $wpdb->get_col( $wpdb->prepare( "SELECT DISTINCT m.user_id FROM {$wpdb->usermeta} m INNER JOIN {$wpdb->users} u ON u.ID = m.user_id WHERE m.meta_key = %s", $identity->meta_key() ) );
		return array_values( array_filter( array_map( 'get_userdata', array_map( 'intval', $ids ) ) ) );
	}

	/**
	 * The only one of those who claim to be an identity.
	 *
	 * @param WP_User[] $users They.
	 * @return WP_User|null Null if there is none yet.
	 * @throws Gatepass_Refusal If there are several, or the network bans the user.
	 */
	public static function the_one( array $users ): ?WP_User {
		if ( count( $users ) > 1 ) {
			throw Gatepass_Refusal::account( 'internal' );
		}
		$user = $users[0] ?? null;
		if ( null !== $user && is_multisite() && is_user_spammy( $user ) ) {
			throw Gatepass_Refusal::account( 'account_not_on_blog', $user->ID );
		}
		return $user;
	}

	/**
	 * Makes the user of an identity.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @param Gatepass_Wanted   $wanted   What the panel says of them.
	 * @return WP_User
	 * @throws Gatepass_Refusal If the owner's rules, or an account that was there before, forbid it.
	 */
	public function create( Gatepass_Identity $identity, Gatepass_Wanted $wanted ): WP_User {
		$role  = $this->role( $wanted );
		$email = $wanted->text( 'email' );
		$name  = $this->wanted_name( $wanted );
		return Gatepass_Logins::while_locked(
			array( $email, $name ?? $identity->user_name( 0 ) ),
			function () use ( $identity, $wanted, $role, $email, $name ): WP_User {
				$unfinished = $this->unfinished( $identity, $email, $name ?? $identity->user_name( 0 ) );
				if ( null !== $unfinished ) {
					return $this->recover( $unfinished, $identity, $role );
				}
				Gatepass_Logins::require_email( $email, 0 );
				return $this->insert( $identity, $wanted, $name ?? $this->free_name( $identity ), $role );
			}
		);
	}

	/**
	 * Sees to it that a user who was found is whole, and belongs to this blog of a network.
	 *
	 * @param WP_User           $user     The user.
	 * @param Gatepass_Identity $identity Who.
	 * @param Gatepass_Wanted   $wanted   What the panel says of them.
	 * @return WP_User The same, as this blog sees it.
	 * @throws Gatepass_Refusal If no role is allowed, or WordPress refuses.
	 */
	public function bring_to_blog( WP_User $user, Gatepass_Identity $identity, Gatepass_Wanted $wanted ): WP_User {
		if ( self::is_unfinished( $user, $identity ) ) {
			return $this->recover( $user, $identity, $this->role( $wanted ) );
		}
		if ( ! is_multisite() || is_user_member_of_blog( $user->ID ) ) {
			return $user;
		}
		$added = add_user_to_blog( get_current_blog_id(), $user->ID, $this->role( $wanted ) );
		$there = true === $added ? get_user_by( 'id', $user->ID ) : false;
		if ( false === $there ) {
			throw Gatepass_Refusal::account( 'account_not_on_blog', $user->ID );
		}
		return $there;
	}

	/**
	 * The role the owner allows.
	 *
	 * @param Gatepass_Wanted $wanted What the panel wants.
	 * @return string
	 * @throws Gatepass_Refusal If the owner allows none of the wanted ones.
	 */
	public function role( Gatepass_Wanted $wanted ): string {
		$role = Gatepass_Roles::of_this_site( $this->store->ticked_roles() )->choose( $wanted->roles() );
		if ( null === $role ) {
			throw Gatepass_Refusal::account( 'role_not_allowed' );
		}
		return $role;
	}

	/**
	 * The user name that the panel wants.
	 *
	 * @param Gatepass_Wanted $wanted What the panel wants.
	 * @return string|null Null if it wants none, or one that WordPress would not take.
	 */
	public function wanted_name( Gatepass_Wanted $wanted ): ?string {
		return Gatepass_Logins::is_name( $wanted->text( 'username' ) ) ? $wanted->text( 'username' ) : null;
	}

	/**
	 * A language this WordPress has.
	 *
	 * @param string $wanted As the panel writes it: de, de-DE or de_DE.
	 * @return string A locale, or empty for the site's own language.
	 */
	public function locale( string $wanted ): string {
		$wanted    = str_replace( '-', '_', $wanted );
		$available = array_merge( array( 'en_US' ), get_available_languages() );
		return in_array( $wanted, $available, true ) ? $wanted : '';
	}

	/**
	 * A free user name for a customer whose panel wants none in particular.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @return string
	 * @throws Gatepass_Refusal If there is none.
	 */
	private function free_name( Gatepass_Identity $identity ): string {
		for ( $try = 0; $try < 6; $try++ ) {
			$name = $identity->user_name( $try );
			if ( Gatepass_Logins::is_name( $name ) && ! Gatepass_Logins::is_name_taken( $name ) ) {
				return $name;
			}
		}
		throw Gatepass_Refusal::account( 'username_taken' );
	}

	/**
	 * Writes the new user.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @param Gatepass_Wanted   $wanted   What the panel says of them.
	 * @param string            $name     Their user name.
	 * @param string            $role     The role allowed.
	 * @return WP_User
	 * @throws Gatepass_Refusal If the name is taken, or WordPress refuses.
	 */
	private function insert( Gatepass_Identity $identity, Gatepass_Wanted $wanted, string $name, string $role ): WP_User {
		if ( Gatepass_Logins::is_name_taken( $name ) ) {
			throw Gatepass_Refusal::account( 'username_taken' );
		}
		$display = sanitize_text_field( $wanted->text( 'display_name' ) );

		// WordPress itself mails nobody here, but plugins do when they see a new user: the panel has welcomed them.
		$quiet = array( 'wp_send_new_user_notification_to_user', 'wp_send_new_user_notification_to_admin' );
		foreach ( $quiet as $hook ) {
			add_filter( $hook, '__return_false', PHP_INT_MAX );
		}
		try {
			$id = wp_insert_user(
				wp_slash(
					array(
						'user_login'          => $name,
						'user_email'          => $wanted->text( 'email' ),
						// Known to nobody, and never shown.
						'user_pass'           => wp_generate_password( 64, true, true ),
						'display_name'        => '' === $display ? $name : $display,
						'nickname'            => '' === $display ? $name : $display,
						'first_name'          => sanitize_text_field( $wanted->text( 'first_name' ) ),
						'last_name'           => sanitize_text_field( $wanted->text( 'last_name' ) ),
						'locale'              => $this->locale( $wanted->text( 'locale' ) ),
						'role'                => $role,
						'meta_input'          => array( $identity->meta_key() => $identity->readable() ),
						// In the very row, for meta comes after it: who dies in between must not leave an address taken by nobody.
						'user_activation_key' => self::UNFINISHED . $identity->hash(),
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
		return $this->finish( new WP_User( $id ), $identity, $role );
	}

	/**
	 * Whether whoever began to make this user for an identity died over it. Nobody but this class writes such a key.
	 *
	 * @param WP_User           $user     The user.
	 * @param Gatepass_Identity $identity Who.
	 * @return bool
	 */
	private static function is_unfinished( WP_User $user, Gatepass_Identity $identity ): bool {
		return self::UNFINISHED . $identity->hash() === $user->user_activation_key;
	}

	/**
	 * The user that whoever died had begun to make for this identity.
	 *
	 * @param Gatepass_Identity $identity Who.
	 * @param string            $email    Their address.
	 * @param string            $name     Their user name.
	 * @return WP_User|null Null if there is none.
	 */
	private function unfinished( Gatepass_Identity $identity, string $email, string $name ): ?WP_User {
		foreach ( array( get_user_by( 'email', $email ), get_user_by( 'login', $name ) ) as $user ) {
			if ( false !== $user && self::is_unfinished( $user, $identity ) ) {
				return $user;
			}
		}
		return null;
	}

	/**
	 * Completes a user whom somebody died over. Plugins may have missed that there is a new one; better that one of them
	 * hears it twice.
	 *
	 * @param WP_User           $user     The user.
	 * @param Gatepass_Identity $identity Who.
	 * @param string            $role     The role allowed.
	 * @return WP_User The same, as this blog sees it.
	 * @throws Gatepass_Refusal If WordPress refuses.
	 */
	private function recover( WP_User $user, Gatepass_Identity $identity, string $role ): WP_User {
		$user = $this->finish( $user, $identity, $role );
		do_action( 'user_register', $user->ID, $user->to_array() ); // phpcs:ignore WordPress.NamingConventions.PrefixAllGlobals -- WordPress's own.
		return $user;
	}

	/**
	 * Completes a new user.
	 *
	 * @param WP_User           $user     The user.
	 * @param Gatepass_Identity $identity Who.
	 * @param string            $role     The role allowed.
	 * @return WP_User The same, as this blog sees it.
	 * @throws Gatepass_Refusal If WordPress refuses.
	 */
	private function finish( WP_User $user, Gatepass_Identity $identity, string $role ): WP_User {
		global $wpdb;

		update_user_meta( $user->ID, $identity->meta_key(), wp_slash( $identity->readable() ) );
		if ( is_multisite() ) {
			add_user_to_blog( get_current_blog_id(), $user->ID, $role );
		} elseif ( array() === $user->roles ) {
			$user->set_role( $role );
		}
		// phpcs:ignore WordPress.DB.DirectDatabaseQuery -- Only while it is ours: a plugin may have begun a password reset.
		$wpdb->update( $wpdb->users, array( 'user_activation_key' => '' ), array( 'ID' => $user->ID, 'user_activation_key' => self::UNFINISHED . $identity->hash() ) ); // phpcs:ignore WordPress.Arrays
		clean_user_cache( $user->ID );
		$done = get_user_by( 'id', $user->ID );
		if ( false === $done ) {
			throw Gatepass_Refusal::account( 'internal' );
		}
		return $done;
	}
}
