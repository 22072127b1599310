<?php
/**
 * What becomes of an account whose customer the panel has removed.
 *
 * @package Gatepass
 */

/**
 * The owner's choice. By default the account stays, shut: nothing is lost that a mistake in the panel could lose. On a
 * network a user is taken from this blog, and never deleted.
 */
final class Gatepass_Removal {

	/**
	 * The account stays, with its content, and lets nobody in.
	 */
	const KEEP = 'keep';

	/**
	 * The account is deleted, and its content becomes another user's.
	 */
	const REASSIGN = 'reassign';

	/**
	 * The account is deleted with its content.
	 */
	const DELETE = 'delete';

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
	 * Does to an account what the owner has chosen. To be called under the identity's lock, for an account without too
	 * many rights.
	 *
	 * @param WP_User           $user     Whose.
	 * @param Gatepass_Identity $identity Who they were to the panel.
	 * @return bool Whether the account is still there, or still of this blog.
	 * @throws Gatepass_Refusal If it cannot be done; then the account stays.
	 */
	public function apply( WP_User $user, Gatepass_Identity $identity ): bool {
		$choice = $this->store->removal();
		// Whom the owner lets in without a membership is not lost with it either.
		if ( self::KEEP === $choice || in_array( $user->ID, $this->store->gate_rules()->exempt(), true ) ) {
			return true;
		}
		if ( is_multisite() && ! is_user_member_of_blog( $user->ID ) ) {
			return false;
		}
		$heir = null;
		if ( self::REASSIGN === $choice ) {
			$heir = $this->store->reassign_to();
			if ( $heir === $user->ID || ! self::can_inherit( $heir ) ) {
				throw Gatepass_Refusal::account( 'heir_missing', $user->ID );
			}
		}
		require_once ABSPATH . 'wp-admin/includes/user.php';

		// WordPress deletes meta first and the user last. Who dies in between must find the account again.
		$keep_identity = static function ( $deleted, $meta_id ) use ( $identity ) {
			$meta = get_metadata_by_mid( 'user', (int) $meta_id );
			return false !== $meta && $meta->meta_key === $identity->meta_key() ? true : $deleted;
		};
		add_filter( 'delete_user_metadata_by_mid', $keep_identity, PHP_INT_MAX, 2 );
		try {
			$deleted = wp_delete_user( $user->ID, $heir );
		} finally {
			remove_filter( 'delete_user_metadata_by_mid', $keep_identity, PHP_INT_MAX );
		}
		if ( ! $deleted ) {
			throw Gatepass_Refusal::account( 'internal', $user->ID );
		}
		if ( ! is_multisite() ) {
			delete_user_meta( $user->ID, $identity->meta_key() );
		}
		return false;
	}

	/**
	 * Whether a user can get the content of others: one of this blog, and no customer of a panel.
	 *
	 * @param int $user_id The user.
	 * @return bool
	 */
	public static function can_inherit( int $user_id ): bool {
		$user = $user_id > 0 ? get_userdata( $user_id ) : false;
		if ( false === $user || ( is_multisite() && ! is_user_member_of_blog( $user_id ) ) ) {
			return false;
		}
		foreach ( array_keys( (array) get_user_meta( $user_id ) ) as $key ) {
			if ( 0 === strpos( (string) $key, Gatepass_Names::META_IDENTITY_PREFIX ) ) {
				return false;
			}
		}
		return true;
	}
}
