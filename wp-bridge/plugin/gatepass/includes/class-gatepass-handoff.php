<?php
/**
 * The handoff token as far as WordPress judges it.
 *
 * @package Gatepass
 */

/**
 * A token for a sign-in, whose signature holds under the pinned keys. The one exception is a key id that is not
 * pinned: after a rotation the bridge knows keys which this site has yet to learn, so it decides.
 */
final class Gatepass_Handoff {

	/**
	 * Longer tokens are refused unread.
	 */
	const MAX_BYTES = Gatepass_Token::MAX_BYTES;

	/**
	 * The media type in the token's header.
	 */
	const TYPE = 'gatepass-handoff+jwt';

	/**
	 * The token itself.
	 *
	 * @var string
	 */
	private $token;

	/**
	 * Claims that are compared with the bridge's answer.
	 *
	 * @var array{jti:string,sub:string,aud:string}
	 */
	private $claims;

	/**
	 * Whether its key is pinned, and so its signature checked.
	 *
	 * @var bool
	 */
	private $is_signed;

	/**
	 * Constructor.
	 *
	 * @param string                                  $token     Compact JWS.
	 * @param array{jti:string,sub:string,aud:string} $claims    Claims.
	 * @param bool                                    $is_signed Whether its key is pinned.
	 */
	private function __construct( string $token, array $claims, bool $is_signed ) {
		$this->token     = $token;
		$this->claims    = $claims;
		$this->is_signed = $is_signed;
	}

	/**
	 * Checks a token that came with a browser.
	 *
	 * @param string           $unverified_token What was posted.
	 * @param Gatepass_Key_Set $keys             The pinned keys.
	 * @param string           $site_id          Our own id, the only audience we accept.
	 * @return self|null Null for everything that is wrong: the customer is told no more than that.
	 */
	public static function verify( string $unverified_token, Gatepass_Key_Set $keys, string $site_id ): ?self {
		$token = Gatepass_Token::verify( $unverified_token, self::TYPE, $keys, $site_id );
		if ( null === $token || ! self::is_subject( $token->claim( 'sub' ) ) ) {
			return null;
		}
		return new self(
			$unverified_token,
			array(
				'jti' => $token->claim( 'jti' ),
				'sub' => $token->claim( 'sub' ),
				'aud' => $token->claim( 'aud' ),
			),
			$token->is_signed()
		);
	}

	/**
	 * Whether a text can be a subject, the panel's own id of its customer.
	 *
	 * @param string $text Any text.
	 * @return bool
	 */
	public static function is_subject( string $text ): bool {
		return 1 === preg_match( '/\A[A-Za-z0-9._:@-]{1,128}\z/', $text );
	}

	/**
	 * The token, for the bridge's eyes only.
	 *
	 * @return string
	 */
	public function token(): string {
		return $this->token;
	}

	/**
	 * The panel's id of its customer. Proven only if the key was pinned; the bridge proves the rest.
	 *
	 * @return string
	 */
	public function subject(): string {
		return $this->claims['sub'];
	}

	/**
	 * The handoff's id, as panel and bridge write it.
	 *
	 * @return string ho_ and the token's id in base32 (RFC 4648, lower case, no padding).
	 */
	public function id(): string {
		$bits = '';
		foreach ( str_split( str_replace( '-', '', $this->claims['jti'] ) ) as $digit ) {
			$bits .= str_pad( decbin( (int) hexdec( $digit ) ), 4, '0', STR_PAD_LEFT );
		}
		$id = 'ho_';
		foreach ( str_split( $bits, 5 ) as $five ) {
			$id .= 'abcdefghijklmnopqrstuvwxyz234567'[ (int) bindec( str_pad( $five, 5, '0' ) ) ];
		}
		return $id;
	}

	/**
	 * Whether its signature was checked here. If not, its key is not pinned, and only the bridge can tell.
	 *
	 * @return bool
	 */
	public function is_signed(): bool {
		return $this->is_signed;
	}

	/**
	 * Whether the bridge's answer is about this very token. A redemption does not name its
	 * audience; that it is ours was checked above.
	 *
	 * @param string $jti     The answer's token id.
	 * @param string $subject The answer's subject.
	 * @return bool
	 */
	public function is( string $jti, string $subject ): bool {
		return hash_equals( $this->claims['jti'], $jti ) && hash_equals( $this->claims['sub'], $subject );
	}
}
