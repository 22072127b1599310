<?php
/**
 * Refuses accounts that have more rights than the owner allows.
 *
 * @package Gatepass
 */

/**
 * Judges a WordPress user by capabilities, at every sign-in, however the account came to be linked:
 * a stolen panel must never become a stolen WordPress.
 */
final class Gatepass_Privileges {

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
	 * Whether a user has more rights than the allowed roles give, here or, on a network, on any blog.
	 *
	 * @param WP_User $user The user.
	 * @return bool
	 */
	public function is_privileged( WP_User $user ): bool {
		if ( $this->owns_this_site( $user ) ) {
			return true;
		}
		$roles    = Gatepass_Roles::of_this_site( $this->store->ticked_roles() );
		$harmless = (array) apply_filters( Gatepass_Names::FILTER_HARMLESS_CAPABILITIES, array() );
		$harmless = array_diff( array_filter( $harmless, 'is_string' ), Gatepass_Roles::OWNING );

		$blogs = array( get_current_blog_id() );
		if ( is_multisite() ) {
			foreach ( get_blogs_of_user( $user->ID, true ) as $blog ) {
				$blogs[] = (int) $blog->userblog_id;
			}
		}
		foreach ( array_unique( $blogs ) as $blog_id ) {
			$there = new WP_User( $user->ID, '', $blog_id );
			if ( array() !== $roles->excess( $there->allcaps, $harmless, $there->roles ) ) {
				return true;
			}
		}
		return false;
	}

	/**
	 * Whether a user owns this very site, or can make himself its owner. What they may do on other blogs of a network is
	 * not counted: there any member may be able to register one.
	 *
	 * @param WP_User $user The user.
	 * @return bool
	 */
	public function owns_this_site( WP_User $user ): bool {
		if ( is_multisite() && is_super_admin( $user->ID ) ) {
			return true;
		}
		// Asked for one by one: rights that a plugin grants by filter stand in no list.
		foreach ( Gatepass_Roles::OWNING as $capability ) {
			if ( user_can( $user, $capability ) ) {
				return true;
			}
		}
		return false;
	}
}
