<?php
/**
 * What a customer has agreed to.
 *
 * @package Gatepass
 */

/**
 * Kept with the user for whoever has to prove it, or sends mail: once as the panel says it, and once as the plain yes or
 * no, with its time, that newsletter plugins look for. The biography, where others have kept such things, is the
 * customer's own and public in many themes; it is left alone.
 */
final class Gatepass_Consent {

	/**
	 * When the terms and the privacy notice were accepted, as RFC 3339; empty for not. And whether marketing mail is
	 * wanted.
	 *
	 * @var array{terms_accepted_at:string,privacy_accepted_at:string,marketing_opt_in:bool}
	 */
	private $members;

	/**
	 * Constructor.
	 *
	 * @param array{terms_accepted_at:string,privacy_accepted_at:string,marketing_opt_in:bool} $members All of them.
	 */
	private function __construct( array $members ) {
		$this->members = $members;
	}

	/**
	 * Reads the `consent` of an answer, or what was stored.
	 *
	 * @param mixed $consent Decoded JSON, or an array of before.
	 * @return self|null Null if nothing is said.
	 */
	public static function from_array( $consent ): ?self {
		if ( ! is_array( $consent ) ) {
			return null;
		}
		$time = static function ( $value ): string {
			return is_string( $value ) && strlen( $value ) <= 40 && false !== strtotime( $value ) ? $value : '';
		};
		return new self(
			array(
				'terms_accepted_at'   => $time( $consent['terms_accepted_at'] ?? null ),
				'privacy_accepted_at' => $time( $consent['privacy_accepted_at'] ?? null ),
				'marketing_opt_in'    => true === ( $consent['marketing_opt_in'] ?? null ),
			)
		);
	}

	/**
	 * What is kept of a user.
	 *
	 * @param int $user_id The user.
	 * @return self|null Null if nothing is.
	 */
	public static function of_user( int $user_id ): ?self {
		return self::from_array( get_user_meta( $user_id, Gatepass_Names::META_CONSENT, true ) );
	}

	/**
	 * Keeps it with a user. Writes what has changed; the time of the yes to marketing stays that of the first one in a row.
	 *
	 * @param int $user_id The user.
	 * @param int $now     Seconds since 1970.
	 */
	public function save( int $user_id, int $now ): void {
		$said = get_user_meta( $user_id, Gatepass_Names::META_MARKETING, true );
		update_user_meta( $user_id, Gatepass_Names::META_CONSENT, $this->members );
		if ( ! $this->members['marketing_opt_in'] ) {
			delete_user_meta( $user_id, Gatepass_Names::META_MARKETING_AT );
			update_user_meta( $user_id, Gatepass_Names::META_MARKETING, 'no' );
			return;
		}
		if ( 'yes' !== $said || '' === (string) get_user_meta( $user_id, Gatepass_Names::META_MARKETING_AT, true ) ) {
			update_user_meta( $user_id, Gatepass_Names::META_MARKETING_AT, gmdate( 'Y-m-d\TH:i:s\Z', $now ) );
		}
		update_user_meta( $user_id, Gatepass_Names::META_MARKETING, 'yes' );
	}

	/**
	 * Forgets what is kept of a user.
	 *
	 * @param int $user_id The user.
	 * @return bool Whether there was anything.
	 */
	public static function forget( int $user_id ): bool {
		$there = false;
		foreach ( array( Gatepass_Names::META_CONSENT, Gatepass_Names::META_MARKETING, Gatepass_Names::META_MARKETING_AT ) as $key ) {
			$there = delete_user_meta( $user_id, $key ) || $there;
		}
		return $there;
	}

	/**
	 * When the terms were accepted.
	 *
	 * @return string RFC 3339; empty if not, or not known.
	 */
	public function terms_accepted_at(): string {
		return $this->members['terms_accepted_at'];
	}

	/**
	 * When the privacy notice was accepted.
	 *
	 * @return string RFC 3339; empty if not, or not known.
	 */
	public function privacy_accepted_at(): string {
		return $this->members['privacy_accepted_at'];
	}

	/**
	 * Whether marketing mail is wanted.
	 *
	 * @return bool
	 */
	public function marketing_opt_in(): bool {
		return $this->members['marketing_opt_in'];
	}
}
