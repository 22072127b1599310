<?php
/**
 * What binds a sign-in to one browser.
 *
 * @package Gatepass
 */

/**
 * A secret in a cookie. Its hash goes to the panel and from there into the handoff; at redemption the
 * bridge compares it with the hash of the cookie that comes with the token. So a link that somebody
 * else obtained, for another account or by theft, signs nobody in here.
 *
 * Beside the secret the cookie holds where the customer wanted to go: the panel need not know.
 *
 * The same secret serves every start of a browser, so that two tabs do not disturb each other. It ends
 * with a log-out, or with an hour.
 */
final class Gatepass_Binding {

	/**
	 * Life of the cookie in seconds: enough to sign in at the panel first, second factor included.
	 */
	const SECONDS = 3600;

	/**
	 * Browsers keep 4 KB for a cookie.
	 */
	const MAX_BYTES = 3000;

	/**
	 * The secret: 256 random bits in base64url.
	 *
	 * @var string
	 */
	private $secret;

	/**
	 * Where the customer wanted to go, as it came. Empty for nowhere in particular.
	 *
	 * @var string
	 */
	private $unverified_destination;

	/**
	 * Constructor.
	 *
	 * @param string $secret                 43 characters of base64url.
	 * @param string $unverified_destination Where to go.
	 */
	private function __construct( string $secret, string $unverified_destination ) {
		$this->secret                 = $secret;
		$this->unverified_destination = $unverified_destination;
	}

	/**
	 * The binding that this browser has.
	 *
	 * @param Gatepass_Request $request The request.
	 * @return self|null Null if it has none.
	 */
	public static function of( Gatepass_Request $request ): ?self {
		$parts = explode( '.', self::kept()->read( $request, self::MAX_BYTES ), 2 );
		if ( 43 !== strlen( $parts[0] ) || null === Gatepass_Base64url::decode( $parts[0] ) ) {
			return null;
		}
		return new self( $parts[0], (string) Gatepass_Base64url::decode( $parts[1] ?? '' ) );
	}

	/**
	 * The binding of a start: the secret that the browser has, or a new one, and this destination.
	 *
	 * @param Gatepass_Request $request                The request.
	 * @param string           $unverified_destination Where to go. To be checked by Gatepass_Redirects when it is used.
	 * @return self
	 */
	public static function start( Gatepass_Request $request, string $unverified_destination ): self {
		$known = self::of( $request );
		return new self( null === $known ? Gatepass_Base64url::encode( random_bytes( 32 ) ) : $known->secret, $unverified_destination );
	}

	/**
	 * Puts it into the browser.
	 */
	public function remember(): void {
		$destination = '' === $this->unverified_destination ? '' : '.' . Gatepass_Base64url::encode( $this->unverified_destination );
		self::kept()->set( $this->secret . $destination, time() + self::SECONDS );
	}

	/**
	 * Takes it out of the browser, if it is there.
	 */
	public static function forget(): void {
		if ( '' !== self::kept()->read( new Gatepass_Request(), self::MAX_BYTES ) ) {
			self::kept()->remove();
		}
	}

	/**
	 * What the panel and the bridge learn of it.
	 *
	 * @return string SHA-256 in base64url, 43 characters.
	 */
	public function hash(): string {
		return Gatepass_Base64url::encode( hash( 'sha256', $this->secret, true ) );
	}

	/**
	 * Where the customer wanted to go. To be checked by Gatepass_Redirects.
	 *
	 * @return string|null Null for nowhere in particular.
	 */
	public function destination(): ?string {
		return '' === $this->unverified_destination ? null : $this->unverified_destination;
	}

	/**
	 * The cookie.
	 *
	 * @return Gatepass_Cookie
	 */
	private static function kept(): Gatepass_Cookie {
		return new Gatepass_Cookie( Gatepass_Names::COOKIE_BINDING, Gatepass_Names::COOKIE_BINDING_HTTPS );
	}
}
