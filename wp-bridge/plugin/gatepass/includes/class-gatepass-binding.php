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
 * The same secret serves the starts of a browser for half an hour, so that two tabs do not disturb each other (where
 * they go afterwards, the last one decides). It ends with a log-out, or with an hour, whatever the browser keeps.
 */
final class Gatepass_Binding {

	/**
	 * Life of the secret in seconds: enough to sign in at the panel first, second factor included.
	 */
	const SECONDS = 3600;

	/**
	 * How long after one start an arrival that fails is not led through another by itself, in seconds.
	 */
	const ONCE_IN = 60;

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
	 * When it was made, in seconds since 1970.
	 *
	 * @var int
	 */
	private $born;

	/**
	 * When an arrival was last led through the start again, in seconds since 1970; 0 for never.
	 *
	 * @var int
	 */
	private $again;

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
	 * @param int    $born                   When it was made.
	 * @param int    $again                  When an arrival was last led through the start again.
	 * @param string $unverified_destination Where to go.
	 */
	private function __construct( string $secret, int $born, int $again, string $unverified_destination ) {
		$this->secret                 = $secret;
		$this->born                   = $born;
		$this->again                  = $again;
		$this->unverified_destination = $unverified_destination;
	}

	/**
	 * The binding that this browser has.
	 *
	 * @param Gatepass_Request $request The request.
	 * @return self|null Null if it has none, or one that is too old.
	 */
	public static function of( Gatepass_Request $request ): ?self {
		$cookie = self::kept()->read( $request, self::MAX_BYTES );
		if ( 1 !== preg_match( '/\A([A-Za-z0-9_-]{43})\.(\d{1,11})\.(\d{1,11})\.([A-Za-z0-9_-]*)\z/', $cookie, $parts )
			|| null === Gatepass_Base64url::decode( $parts[1] ) ) {
			return null;
		}
		$age = time() - (int) $parts[2];
		if ( $age > self::SECONDS || $age < 0 ) {
			return null;
		}
		return new self( $parts[1], (int) $parts[2], (int) $parts[3], (string) Gatepass_Base64url::decode( $parts[4] ) );
	}

	/**
	 * The binding of a start: the secret that the browser has, if it lives long enough, or a new one.
	 *
	 * @param Gatepass_Request $request                The request.
	 * @param string           $unverified_destination Where to go. To be checked by Gatepass_Redirects when it is used.
	 * @param bool             $again                  Whether an arrival failed, and is led through the start again;
	 *                                                 it still wants to go where it wanted to.
	 * @return self
	 */
	public static function start( Gatepass_Request $request, string $unverified_destination, bool $again = false ): self {
		$now   = time();
		$known = self::of( $request );
		if ( $again && null !== $known && '' === $unverified_destination ) {
			$unverified_destination = $known->unverified_destination;
		}
		$lasts = null !== $known && $now - $known->born < self::SECONDS / 2;
		return new self(
			$lasts ? $known->secret : Gatepass_Base64url::encode( random_bytes( 32 ) ),
			$lasts ? $known->born : $now,
			$again ? $now : 0,
			$unverified_destination
		);
	}

	/**
	 * Puts it into the browser.
	 */
	public function remember(): void {
		$parts = array( $this->secret, $this->born, $this->again, Gatepass_Base64url::encode( $this->unverified_destination ) );
		self::kept()->set( implode( '.', $parts ), $this->born + self::SECONDS );
	}

	/**
	 * Whether an arrival was led through the start again a moment ago. Once is enough.
	 *
	 * @return bool
	 */
	public function has_just_begun_again(): bool {
		return time() - $this->again < self::ONCE_IN;
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
