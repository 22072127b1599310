<?php
/**
 * Follows the broker's keys.
 *
 * @package Gatepass
 */

/**
 * Fetches signed key sets when the bridge has newer ones than are pinned, or when somebody shows a key that is not. The
 * bridge judges sign-ins in any case; what is pinned here keeps what is none of the broker's from being shown to it.
 */
final class Gatepass_Key_Update {

	/**
	 * How often the bridge is asked at most, in seconds: anybody can invent a key.
	 */
	const EVERY = 10;

	/**
	 * Blogs that fetch at the end of this request.
	 *
	 * @var array<int,bool>
	 */
	private static $due = array();

	/**
	 * The bridge.
	 *
	 * @var Gatepass_Bridge
	 */
	private $bridge;

	/**
	 * Constructor.
	 *
	 * @param Gatepass_Bridge $bridge The bridge.
	 */
	public function __construct( Gatepass_Bridge $bridge ) {
		$this->bridge = $bridge;
	}

	/**
	 * Hears which version the bridge has, and fetches it when the browser has its answer.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param mixed               $version    What the bridge said.
	 */
	public function hear( Gatepass_Connection $connection, $version ): void {
		$is_known = ! Gatepass_Signed_Keys::is_version( $version ) || $version <= $connection->keys_version();
		// One that could not be followed to is tried for again by the next heartbeat.
		if ( $is_known || Gatepass_Keys::of( $connection->pairing() )->lost() === $version ) {
			return;
		}
		$blog = get_current_blog_id();
		if ( ! isset( self::$due[ $blog ] ) ) {
			self::$due[ $blog ] = true;
			Gatepass_Afterwards::run(
				function () use ( $connection ): void {
					$this->fetch( $connection );
				}
			);
		}
	}

	/**
	 * Tries once more for what could not be followed to.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 */
	public function try_again( Gatepass_Connection $connection ): void {
		if ( Gatepass_Keys::of( $connection->pairing() )->lost() > 0 ) {
			$this->fetch( $connection );
		}
	}

	/**
	 * Fetches, unless somebody has a moment ago; and pins what can be followed.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @return Gatepass_Connection|null The connection of now; null if the site has been unpaired or paired anew.
	 */
	public function fetch( Gatepass_Connection $connection ): ?Gatepass_Connection {
		$turn = new Gatepass_Turn( Gatepass_Names::OPTION_KEYS_ASKED, self::EVERY );
		if ( null !== $turn->take() ) {
			$answer = $this->bridge->key_sets( $connection, ( new Gatepass_Reference( random_bytes( 8 ) ) )->request_id() );
			if ( 200 === $answer->status() ) {
				$this->pin( $connection, $answer->members() );
			}
		}
		Gatepass_Store::forget_cached();
		$now = ( new Gatepass_Store() )->connection();
		return null !== $now && $now->pairing() === $connection->pairing() ? $now : null;
	}

	/**
	 * Pins what can be followed.
	 *
	 * @param Gatepass_Connection $connection The connection.
	 * @param array<string,mixed> $unverified The bridge's answer.
	 */
	private function pin( Gatepass_Connection $connection, array $unverified ): void {
		$sets   = $unverified['key_sets'] ?? null;
		$newest = $unverified['version'] ?? null;
		if ( ! is_array( $sets ) || ! Gatepass_Signed_Keys::is_version( $newest ) ) {
			return;
		}
		Gatepass_Keys::change(
			$connection,
			static function ( Gatepass_Connection $now, Gatepass_Keys $keys ) use ( $sets, $newest ): Gatepass_Keys {
				$followed = Gatepass_Signed_Keys::follow( $sets, $now->keys(), $now->keys_version() );
				return $keys->with_followed( $followed, null === $followed ? $now->keys_version() : $followed->version(), $newest );
			}
		);
	}
}
