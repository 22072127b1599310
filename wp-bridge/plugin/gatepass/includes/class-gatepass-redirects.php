<?php
/**
 * Where a customer goes after signing in: never off this site.
 *
 * @package Gatepass
 */

/**
 * Judges redirect targets by origin. WordPress's own check compares host names only, lets other
 * plugins add hosts, and mends odd input; here odd input is no target at all.
 */
final class Gatepass_Redirects {

	/**
	 * Origins of this site: of its pages and of its wp-admin.
	 *
	 * @var string[]
	 */
	private $origins;

	/**
	 * Constructor.
	 *
	 * @param string[] $urls URLs of this site; the first is what a mere path belongs to.
	 */
	public function __construct( array $urls ) {
		$this->origins = array_values( array_unique( array_filter( array_map( array( 'Gatepass_Origin', 'of_site' ), $urls ) ) ) );
	}

	/**
	 * The first of some targets that lies on this site.
	 *
	 * @param array<int,string|null> $unverified_targets Absolute URLs or paths, best first.
	 * @param string                 $fallback           What to do if none does.
	 * @return string Absolute URL.
	 */
	public function choose( array $unverified_targets, string $fallback ): string {
		foreach ( $unverified_targets as $target ) {
			$url = null === $target ? null : $this->on_site( $target );
			if ( null !== $url ) {
				return $url;
			}
		}
		return $fallback;
	}

	/**
	 * A target as an absolute URL on this site.
	 *
	 * @param string $unverified_target Absolute URL, or a path from the root.
	 * @return string|null Null for everything else.
	 */
	public function on_site( string $unverified_target ): ?string {
		if ( array() === $this->origins || strlen( $unverified_target ) > 2048
			|| 1 === preg_match( '/[\x00-\x20\x7f\\\\]/', $unverified_target ) ) {
			return null;
		}
		$url = $unverified_target;
		if ( 1 === preg_match( '#\A/(?!/)#', $url ) ) {
			$url = $this->origins[0] . $url;
		}
		return in_array( Gatepass_Origin::of( $url ), $this->origins, true ) ? $url : null;
	}
}
