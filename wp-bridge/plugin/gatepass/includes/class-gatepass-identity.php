<?php
/**
 * Who somebody is to a panel.
 *
 * @package Gatepass
 */

/**
 * Issuer, site and subject: together they name one customer for ever, whatever happens to the
 * customer's e-mail address or name.
 */
final class Gatepass_Identity {

	/**
	 * The three parts.
	 *
	 * @var string[]
	 */
	private $parts;

	/**
	 * Constructor.
	 *
	 * @param string $issuer  Who issues handoffs.
	 * @param string $site_id This site.
	 * @param string $subject The panel's id of its customer.
	 */
	public function __construct( string $issuer, string $site_id, string $subject ) {
		$this->parts = array( $issuer, $site_id, $subject );
	}

	/**
	 * Reads what {@see readable()} has written.
	 *
	 * @param string $text The user meta value.
	 * @return self|null Null if it is not that.
	 */
	public static function from_readable( string $text ): ?self {
		$parts = explode( ' ', $text );
		return 3 === count( $parts ) ? new self( $parts[0], $parts[1], $parts[2] ) : null;
	}

	/**
	 * Who a user is to this site's panels, of now and of before. On a network the identities of other blogs are
	 * not this blog's to tell.
	 *
	 * @param int    $user_id The user.
	 * @param string $site_id This site, empty while it is not paired.
	 * @return self[]
	 */
	public static function all_of( int $user_id, string $site_id ): array {
		$identities = array();
		foreach ( (array) get_user_meta( $user_id ) as $key => $values ) {
			$identity = 0 === strpos( (string) $key, Gatepass_Names::META_IDENTITY_PREFIX ) ? self::from_readable( (string) reset( $values ) ) : null;
			if ( null !== $identity && ( ! is_multisite() || $identity->site_id() === $site_id ) ) {
				$identities[] = $identity;
			}
		}
		return $identities;
	}

	/**
	 * Who a user is to the panel that this site is paired with now.
	 *
	 * @param int                 $user_id    The user.
	 * @param Gatepass_Connection $connection The pairing.
	 * @return self|null Null if no customer of it.
	 */
	public static function of_user( int $user_id, Gatepass_Connection $connection ): ?self {
		foreach ( self::all_of( $user_id, $connection->site_id() ) as $identity ) {
			if ( $identity->site_id() === $connection->site_id() && $identity->issuer() === $connection->issuer() ) {
				return $identity;
			}
		}
		return null;
	}

	/**
	 * Who issues handoffs.
	 *
	 * @return string
	 */
	public function issuer(): string {
		return $this->parts[0];
	}

	/**
	 * The site.
	 *
	 * @return string
	 */
	public function site_id(): string {
		return $this->parts[1];
	}

	/**
	 * The panel's id of its customer.
	 *
	 * @return string
	 */
	public function subject(): string {
		return $this->parts[2];
	}

	/**
	 * A short name of the identity, of even length, safe anywhere. Parts have no line breaks, so
	 * no two identities read the same.
	 *
	 * @return string 32 hex digits.
	 */
	public function hash(): string {
		return substr( hash( 'sha256', implode( "\n", $this->parts ) ), 0, 32 );
	}

	/**
	 * The user meta key. WordPress indexes meta by key, not by value; hence the hash in the key.
	 *
	 * @return string
	 */
	public function meta_key(): string {
		return Gatepass_Names::META_IDENTITY_PREFIX . $this->hash();
	}

	/**
	 * The user meta value, for people who look.
	 *
	 * @return string
	 */
	public function readable(): string {
		return implode( ' ', $this->parts );
	}

	/**
	 * A user name for a customer whose panel wants none in particular. It is public in WordPress
	 * (author pages), so nothing of an e-mail address goes into it.
	 *
	 * @param int $try 0, then 1, 2 … while names are taken.
	 * @return string Letters, digits and hyphens, at most 44 of them for the first six tries.
	 */
	public function user_name( int $try ): string {
		$subject = $this->parts[2];
		$name    = false === strpos( $subject, '@' ) ? trim( (string) preg_replace( '/[^a-z0-9]+/', '-', strtolower( $subject ) ), '-' ) : '';
		$name    = rtrim( substr( $name, 0, 24 ), '-' );
		if ( '' === $name ) {
			return 'member-' . substr( $this->hash(), 0, 10 + 2 * $try );
		}
		return 'member-' . $name . ( 0 === $try ? '' : '-' . substr( $this->hash(), 0, 2 + 2 * $try ) );
	}
}
