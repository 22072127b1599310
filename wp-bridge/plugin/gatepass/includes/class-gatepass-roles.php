<?php
/**
 * Which roles may be given, and who has too many rights to be let in.
 *
 * @package Gatepass
 */

/**
 * The rules about roles, as pure functions over role definitions (role name => capabilities).
 */
final class Gatepass_Roles {

	/**
	 * Whoever has one of these owns the site, or can make himself its owner. A role with one of them
	 * can be neither ticked nor given.
	 */
	const OWNING = array(
		'activate_plugins',
		'create_sites',
		'create_users',
		'delete_plugins',
		'delete_site',
		'delete_sites',
		'delete_themes',
		'delete_users',
		'edit_files',
		'edit_plugins',
		'edit_theme_options',
		'edit_themes',
		'edit_users',
		'export',
		'import',
		'install_plugins',
		'install_themes',
		'manage_network',
		'manage_network_options',
		'manage_network_plugins',
		'manage_network_themes',
		'manage_network_users',
		'manage_options',
		'manage_sites',
		'manage_woocommerce',
		'promote_users',
		'remove_users',
		'setup_network',
		'switch_themes',
		'unfiltered_html',
		'unfiltered_upload',
		'update_core',
		'update_plugins',
		'update_themes',
		'upgrade_network',
		'upload_plugins',
		'upload_themes',
	);

	/**
	 * What any visitor with an account has.
	 */
	const HARMLESS = array( 'read', 'level_0' );

	/**
	 * Capabilities of every role: only the true ones, as names.
	 *
	 * @var array<string,string[]>
	 */
	private $definitions;

	/**
	 * Roles ticked by the owner.
	 *
	 * @var string[]
	 */
	private $ticked;

	/**
	 * Constructor.
	 *
	 * @param array<string,array<string,bool>> $definitions Role name => capabilities.
	 * @param string[]                         $ticked      Roles ticked by the owner.
	 */
	public function __construct( array $definitions, array $ticked ) {
		$this->definitions = array();
		foreach ( $definitions as $name => $capabilities ) {
			$this->definitions[ (string) $name ] = array_map( 'strval', array_keys( array_filter( $capabilities ) ) );
		}
		$this->ticked = $ticked;
	}

	/**
	 * The roles of this WordPress.
	 *
	 * @param string[] $ticked Roles ticked by the owner.
	 * @return self
	 */
	public static function of_this_site( array $ticked ): self {
		$definitions = array();
		foreach ( wp_roles()->role_objects as $name => $role ) {
			$definitions[ $name ] = is_array( $role->capabilities ) ? $role->capabilities : array();
		}
		return new self( $definitions, $ticked );
	}

	/**
	 * Whether a role owns the site, and so can never be allowed.
	 *
	 * @param string $role Role name.
	 * @return bool
	 */
	public function owns_the_site( string $role ): bool {
		return array() !== array_intersect( $this->definitions[ $role ] ?? array(), self::OWNING );
	}

	/**
	 * Whether a role can do no more than read and have a profile.
	 *
	 * @param string $role Role name.
	 * @return bool
	 */
	public function is_harmless( string $role ): bool {
		return array() === array_diff( $this->definitions[ $role ] ?? array(), self::HARMLESS );
	}

	/**
	 * Roles that may be given: ticked, existing, and not owning the site. A role that has been given
	 * such rights since it was ticked drops out by itself.
	 *
	 * @return string[]
	 */
	public function allowed(): array {
		$allowed = array();
		foreach ( $this->ticked as $role ) {
			if ( isset( $this->definitions[ $role ] ) && ! $this->owns_the_site( $role ) ) {
				$allowed[] = $role;
			}
		}
		return $allowed;
	}

	/**
	 * The role for a new user.
	 *
	 * @param string[] $wanted Roles the panel wants, best first; none means subscriber.
	 * @return string|null Null if none of them is allowed.
	 */
	public function choose( array $wanted ): ?string {
		$allowed = $this->allowed();
		foreach ( array() === $wanted ? array( 'subscriber' ) : $wanted as $role ) {
			if ( in_array( $role, $allowed, true ) ) {
				return $role;
			}
		}
		return null;
	}

	/**
	 * Capabilities that somebody has beyond what the allowed roles together have. WordPress lists a
	 * user's roles among the capabilities; those names are not counted, unless they are the name of
	 * a right that owns the site.
	 *
	 * @param array<string,bool> $capabilities The user's capabilities (WP_User::$allcaps).
	 * @param string[]           $harmless     Capabilities that do not count.
	 * @param string[]           $roles        The user's roles where they are not of this blog (WP_User::$roles).
	 * @return string[] Empty: not privileged.
	 */
	public function excess( array $capabilities, array $harmless, array $roles = array() ): array {
		$counted = self::HARMLESS;
		foreach ( $this->allowed() as $role ) {
			$counted = array_merge( $counted, $this->definitions[ $role ] );
		}
		$has   = array_map( 'strval', array_keys( array_filter( $capabilities ) ) );
		$names = array_diff( array_map( 'strval', array_merge( array_keys( $this->definitions ), $roles ) ), self::OWNING );
		return array_values( array_diff( $has, $counted, $harmless, $names ) );
	}
}
