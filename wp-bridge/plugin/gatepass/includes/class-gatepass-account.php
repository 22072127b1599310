<?php
/**
 * Keeps an account as the panel wants it.
 *
 * @package Gatepass
 */

/**
 * Compares first and writes only what differs, so that following the same change twice calls nobody's hooks twice. What
 * cannot be done is found out before anything is written.
 *
 * What the panel says nothing of is left to the account: an empty name, no roles, no user name.
 *
 * A user name is changed within WordPress's own update, in the very statement that changes the address. WordPress has no
 * other way; plugins that rename users write to the table behind its back. The name stands in every cookie, so a renamed
 * member signs in anew.
 */
final class Gatepass_Account {

	/**
	 * Settings.
	 *
	 * @var Gatepass_Store
	 */
	private $store;

	/**
	 * Users.
	 *
	 * @var Gatepass_Members
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Store   $store   Settings.
	 * @param Gatepass_Members $members Users.
	 */
	public function __construct( Gatepass_Store $store, Gatepass_Members $members ) {
		$this->store   = $store;
		$this->members = $members;
	}

	/**
	 * Makes an account as it is wanted. To be called under the identity's lock, for an account without too many rights.
	 *
	 * @param WP_User         $user   Whose.
	 * @param Gatepass_Wanted $wanted What the panel wants.
	 * @throws Gatepass_Refusal If it cannot be; then the account is as it was.
	 */
	public function follow( WP_User $user, Gatepass_Wanted $wanted ): void {
		$role   = array() === $wanted->roles() ? null : $this->members->role( $wanted );
		$name   = $this->members->wanted_name( $wanted );
		$logins = array();
		if ( $wanted->text( 'email' ) !== $user->user_email ) {
			$logins['user_email'] = $wanted->text( 'email' );
		}
		if ( null !== $name && $name !== $user->user_login ) {
			$logins['user_login'] = $name;
		}
		$changed = $logins + $this->profile( $user, $wanted );

		if ( array() === $logins ) {
			$this->write( $user, $changed );
		} else {
			Gatepass_Logins::while_locked(
				array_values( $logins ),
				function () use ( $user, $logins, $changed ): WP_User {
					$this->require_free( $user, $logins );
					if ( isset( $logins['user_email'] ) ) {
						// WordPress itself takes back a link to a new password; not the one that confirms yet another address.
						delete_user_meta( $user->ID, '_new_email' );
					}
					$this->write( $user, $changed );
					$this->verify( $user, $logins );
					return $user;
				}
			);
			if ( isset( $logins['user_login'] ) ) {
				// Their cookies name somebody who is no more.
				WP_Session_Tokens::get_instance( $user->ID )->destroy_all();
			}
		}
		if ( null !== $role ) {
			$this->give_role( $user, $role );
		}
	}

	/**
	 * What differs in the profile.
	 *
	 * @param WP_User         $user   Whose.
	 * @param Gatepass_Wanted $wanted What the panel wants.
	 * @return array<string,string> Field of WordPress's => its new value.
	 */
	private function profile( WP_User $user, Gatepass_Wanted $wanted ): array {
		$fields = array( 'locale' => $this->members->locale( $wanted->text( 'locale' ) ) );
		foreach ( array( 'display_name', 'first_name', 'last_name' ) as $name ) {
			// As WordPress would write it, or it would differ for ever: it keeps `&` as `&amp;`. Its column is this long.
			$text            = mb_substr( sanitize_text_field( $wanted->text( $name ) ), 0, 250 );
			$fields[ $name ] = (string) wp_unslash( apply_filters( 'pre_user_' . $name, wp_slash( $text ) ) ); // phpcs:ignore WordPress.NamingConventions -- WordPress's own.
		}
		$changed = array();
		foreach ( array_filter( $fields, 'strlen' ) as $name => $value ) {
			if ( (string) $user->get( $name ) !== $value ) {
				$changed[ $name ] = $value;
			}
		}
		if ( isset( $changed['display_name'] ) && $user->nickname === $user->display_name ) {
			$changed['nickname'] = $changed['display_name'];
		}
		return $changed;
	}

	/**
	 * Sees to it that nobody else has what is to be given.
	 *
	 * @param WP_User              $user   Whose.
	 * @param array<string,string> $logins New address, new name.
	 * @throws Gatepass_Refusal If somebody has, or WordPress would not take it.
	 */
	private function require_free( WP_User $user, array $logins ): void {
		if ( isset( $logins['user_email'] ) ) {
			Gatepass_Logins::require_email( $logins['user_email'], $user->ID );
		}
		if ( isset( $logins['user_login'] ) && Gatepass_Logins::is_name_taken( $logins['user_login'], $user->ID ) ) {
			throw Gatepass_Refusal::account( 'username_taken', $user->ID );
		}
	}

	/**
	 * Writes fields, as WordPress does when somebody saves a profile; but it mails nobody, for the panel knows better
	 * what its customer should read.
	 *
	 * @param WP_User              $user    Whose.
	 * @param array<string,string> $changed Field => its new value.
	 * @throws Gatepass_Refusal If WordPress refuses.
	 */
	private function write( WP_User $user, array $changed ): void {
		if ( array() === $changed ) {
			return;
		}
		$login = $changed['user_login'] ?? null;
		if ( null !== $login && sanitize_title( $user->user_login ) === $user->user_nicename ) {
			// The address of their page was made of the name.
			$changed['user_nicename'] = mb_substr( sanitize_title( $login ), 0, 50 );
		}
		unset( $changed['user_login'] );
		$rename = static function ( $data, $update, $id ) use ( $user, $login ) {
			return $update && (int) $id === $user->ID && is_array( $data ) && null !== $login ? array( 'user_login' => $login ) + $data : $data;
		};
		$quiet  = array( 'send_email_change_email', 'send_password_change_email' );
		foreach ( $quiet as $hook ) {
			add_filter( $hook, '__return_false', PHP_INT_MAX );
		}
		add_filter( 'wp_pre_insert_user_data', $rename, PHP_INT_MAX, 3 );
		try {
			$written = wp_update_user( wp_slash( array( 'ID' => $user->ID ) + $changed ) );
		} finally {
			remove_filter( 'wp_pre_insert_user_data', $rename, PHP_INT_MAX );
			foreach ( $quiet as $hook ) {
				remove_filter( $hook, '__return_false', PHP_INT_MAX );
			}
			clean_user_cache( $user );
			if ( null !== $login ) {
				wp_cache_delete( $login, 'userlogins' );
			}
		}
		if ( is_wp_error( $written ) ) {
			$cause = 'existing_user_email' === $written->get_error_code() ? 'email_taken' : 'internal';
			throw Gatepass_Refusal::account( $cause, $user->ID );
		}
	}

	/**
	 * Sees whether the account has what it was given, and alone; else gives it back what it had.
	 *
	 * @param WP_User              $user   As it was.
	 * @param array<string,string> $logins What it was given.
	 * @throws Gatepass_Refusal If it has not.
	 */
	private function verify( WP_User $user, array $logins ): void {
		$now   = get_userdata( $user->ID );
		$there = false !== $now;
		foreach ( $logins as $field => $value ) {
			// Some plugins write addresses in small letters.
			$there = $there && 0 === strcasecmp( $now->get( $field ), $value );
		}
		$cause = $there ? Gatepass_Logins::shared( $user->ID, $logins['user_email'] ?? '', $logins['user_login'] ?? '' ) : 'internal';
		if ( '' === $cause ) {
			return;
		}
		$before = array();
		foreach ( array_keys( $logins ) as $field ) {
			$before[ $field ] = $user->get( $field );
		}
		if ( false !== $now ) {
			$this->write( $now, $before );
		}
		throw Gatepass_Refusal::account( $cause, $user->ID );
	}

	/**
	 * Gives a role, and takes those that Gatepass may give. Others stay.
	 *
	 * @param WP_User $user Whose.
	 * @param string  $role The role.
	 */
	private function give_role( WP_User $user, string $role ): void {
		$user    = new WP_User( $user->ID );
		$allowed = Gatepass_Roles::of_this_site( $this->store->ticked_roles() )->allowed();
		$others  = array_diff( $user->roles, $allowed );
		if ( array() === $others && array( $role ) !== array_values( $user->roles ) ) {
			$user->set_role( $role );
			return;
		}
		if ( ! in_array( $role, $user->roles, true ) ) {
			$user->add_role( $role );
		}
		foreach ( array_diff( array_intersect( $user->roles, $allowed ), array( $role ) ) as $old ) {
			$user->remove_role( $old );
		}
	}
}
