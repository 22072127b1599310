<?php
/**
 * Tests of the plugin's pure logic. Needs PHP with sodium, and no WordPress:
 *
 *     php wp-bridge/plugin/tests/run.php
 *
 * What needs a WordPress is tested end to end, in a real one.
 *
 * @package Gatepass
 */

require __DIR__ . '/bootstrap.php';

/**
 * WordPress's filters, with nobody hooked.
 *
 * @param string $hook  Name of the hook.
 * @param mixed  $value Value.
 * @return mixed
 */
function apply_filters( $hook, $value ) {
	return $value;
}

/**
 * The options of a pretended WordPress, and what else it is.
 */
final class Pretended {

	/**
	 * Options.
	 *
	 * @var array<string,mixed>
	 */
	public static $options = array();

	/**
	 * Whether it is a network.
	 *
	 * @var bool
	 */
	public static $network = false;

	/**
	 * Whether a network administrator is signed in.
	 *
	 * @var bool
	 */
	public static $network_administrator = false;
}

// phpcs:disable Squiz.Commenting.FunctionComment -- WordPress's functions, as far as pure logic needs them.
function get_option( $name, $otherwise = false ) {
	return Pretended::$options[ $name ] ?? $otherwise;
}
function update_option( $name, $value ) {
	Pretended::$options[ $name ] = $value;
	return true;
}
function delete_option( $name ) {
	unset( Pretended::$options[ $name ] );
	return true;
}
function wp_cache_get() {
	return false;
}
function wp_cache_delete() {
	return true;
}
function is_multisite() {
	return Pretended::$network;
}
function current_user_can() {
	return Pretended::$network_administrator;
}
function admin_url( $path ) {
	return 'http://127.0.0.1/wp-admin/' . $path;
}
function wp_unslash( $value ) {
	return stripslashes( $value );
}
if ( ! function_exists( 'mb_substr' ) ) {
	function mb_substr( $text, $start, $length ) {
		return preg_match( '/^.{' . $start . '}(.{0,' . $length . '})/su', $text, $found ) ? $found[1] : '';
	}
}
function wp_check_invalid_utf8( $text ) {
	return 1 === preg_match( '//u', $text ) ? $text : '';
}
function wp_json_encode( $value ) {
	return json_encode( $value );
}
function __( $text ) {
	return $text;
}
// phpcs:enable

const SITE = 'site_abcdefghijklmnopqrstuvwxyz';

/**
 * A key pair of a seed.
 *
 * @param string $character Which.
 * @return array{secret:string,public:string,jwk:array<string,string>}
 */
function key_pair( string $character = 'a' ): array {
	$pair   = sodium_crypto_sign_seed_keypair( str_repeat( $character, 32 ) );
	$public = sodium_crypto_sign_publickey( $pair );
	return array(
		'secret' => sodium_crypto_sign_secretkey( $pair ),
		'public' => $public,
		'jwk'    => array(
			'kty' => 'OKP',
			'crv' => 'Ed25519',
			'kid' => Gatepass_Key_Set::thumbprint( $public ),
			'x'   => Gatepass_Base64url::encode( $public ),
		),
	);
}

/**
 * The set that pins the first key.
 *
 * @return Gatepass_Key_Set
 */
function pinned(): Gatepass_Key_Set {
	return Gatepass_Key_Set::from_jwks( array( key_pair()['jwk'] ) );
}

/**
 * A right header, varied.
 *
 * @param array<string,mixed> $changes Members to change; null removes one.
 * @return array<string,mixed>
 */
function header_with( array $changes = array() ): array {
	return varied(
		array(
			'alg' => 'EdDSA',
			'typ' => 'gatepass-handoff+jwt',
			'kid' => key_pair()['jwk']['kid'],
		),
		$changes
	);
}

/**
 * Right claims, varied.
 *
 * @param array<string,mixed> $changes Members to change; null removes one.
 * @return array<string,mixed>
 */
function claims_with( array $changes = array() ): array {
	return varied(
		array(
			'iss' => 'https://id.example',
			'aud' => SITE,
			'sub' => 'customer-7',
			'jti' => '01900000-0000-7000-8000-000000000000',
			'iat' => 1000,
			'exp' => 1060,
		),
		$changes
	);
}

/**
 * Members, varied.
 *
 * @param array<string,mixed> $members Members.
 * @param array<string,mixed> $changes Members to change; null removes one.
 * @return array<string,mixed>
 */
function varied( array $members, array $changes ): array {
	return array_filter(
		array_merge( $members, $changes ),
		static function ( $value ) {
			return null !== $value;
		}
	);
}

/**
 * A signed token.
 *
 * @param array<string,mixed>|string $header Header, or its very JSON.
 * @param array<string,mixed>|string $claims Claims, or their very JSON.
 * @param string                     $signer Which key signs.
 * @return string
 */
function token( $header, $claims, string $signer = 'a' ): string {
	$parts = array();
	foreach ( array( $header, $claims ) as $part ) {
		$parts[] = Gatepass_Base64url::encode( is_string( $part ) ? $part : json_encode( $part ) );
	}
	$input = implode( '.', $parts );
	return $input . '.' . Gatepass_Base64url::encode( sodium_crypto_sign_detached( $input, key_pair( $signer )['secret'] ) );
}

/**
 * Keys where they stand.
 *
 * @param array<string,string> $statuses Where each stands, by the character of its seed.
 * @return array<int,array<string,string>>
 */
function published( array $statuses ): array {
	$jwks = array();
	foreach ( $statuses as $character => $status ) {
		$jwks[] = key_pair( (string) $character )['jwk'] + array( 'status' => $status );
	}
	return $jwks;
}

/**
 * A signed key set.
 *
 * @param int                         $version Its version.
 * @param array<string,string>|string $keys    Where each stands, by the character of its seed; or the very claims.
 * @param string                      $signer  Which key signs.
 * @param string                      $type    The media type.
 * @return string Compact JWS.
 */
function signed_set( int $version, $keys, string $signer, string $type = 'gatepass-keys+jwt' ): string {
	$claims = is_string( $keys ) ? $keys : array(
		'version' => $version,
		'iat'     => 1000,
		'keys'    => published( $keys ),
	);
	$header = header_with(
		array(
			'typ' => $type,
			'kid' => key_pair( $signer )['jwk']['kid'],
		)
	);
	return token( $header, $claims, $signer );
}

/**
 * Where signed sets lead a site that has pinned version 5: a retired, an active and a next key.
 *
 * @param mixed ...$sets What came.
 * @return string Version and key ids; empty if nowhere.
 */
function followed( ...$sets ): string {
	$pinned   = array(
		'r' => 'retired',
		'a' => 'active',
		'n' => 'next',
	);
	$followed = Gatepass_Signed_Keys::follow( $sets, Gatepass_Key_Set::from_jwks( published( $pinned ) ), 5 );
	return null === $followed ? '' : $followed->version() . ' ' . $followed->keys()->fingerprint();
}

/**
 * What {@see followed()} gives for a version and its keys.
 *
 * @param int    $version    Which.
 * @param string $characters Of the keys' seeds.
 * @return string
 */
function leads_to( int $version, string $characters ): string {
	return $version . ' ' . Gatepass_Key_Set::from_jwks( published( array_fill_keys( str_split( $characters ), 'active' ) ) )->fingerprint();
}

/**
 * Whether a token passes.
 *
 * @param string $token Compact JWS.
 * @return bool
 */
function passes( string $token ): bool {
	return null !== Gatepass_Handoff::verify( $token, pinned(), SITE );
}

/**
 * Fails the test unless a condition holds.
 *
 * @param bool   $condition What should hold.
 * @param string $what      What that is.
 * @throws RuntimeException If it does not.
 */
function expect( bool $condition, string $what = 'expectation' ): void {
	if ( ! $condition ) {
		throw new RuntimeException( $what . ' does not hold' );
	}
}

/**
 * A pairing string.
 *
 * @param array<string,mixed> $changes Members to change; null removes one.
 * @return string
 */
function pairing_string( array $changes = array() ): string {
	$members = varied(
		array(
			'v'      => 1,
			'bridge' => 'https://bridge.example/',
			'site'   => SITE,
			'secret' => str_repeat( 's', 43 ),
			'keys'   => pinned()->fingerprint(),
		),
		$changes
	);
	return 'gp_pair_' . Gatepass_Base64url::encode( json_encode( $members ) );
}

/**
 * The answer to a redemption.
 *
 * @param array<string,mixed> $changes Members to change; null removes one.
 * @return Gatepass_Redemption|null
 */
function redemption( array $changes = array() ): ?Gatepass_Redemption {
	$handoff = Gatepass_Handoff::verify( token( header_with(), claims_with() ), pinned(), SITE );
	return Gatepass_Redemption::from_answer(
		varied(
			array(
				'handoff_id'  => 'ho_' . str_repeat( 'a', 26 ),
				'jti'         => '01900000-0000-7000-8000-000000000000',
				'subject'     => 'customer-7',
				'member'      => array(
					'email' => 'ada@example.com',
					'roles' => array( 'customer' ),
				),
				'session'     => array( 'remember' => true ),
				'redirect_to' => '/account/',
			),
			$changes
		),
		$handoff
	);
}

/**
 * Who acts for a customer, varied.
 *
 * @param array<string,mixed> $changes Members to change; null removes one.
 * @return array<string,mixed>
 */
function actor_with( array $changes = array() ): array {
	return varied(
		array(
			'subject' => 'staff-7',
			'name'    => 'Sam',
			'reason'  => 'Ticket 4711',
		),
		$changes
	);
}

/**
 * A connection with a new key.
 *
 * @param Gatepass_Policy $policy Its policy.
 * @return Gatepass_Connection
 */
function connection( Gatepass_Policy $policy ): Gatepass_Connection {
	return new Gatepass_Connection( SITE, 'https://id.example', 'https://bridge.example', pinned(), 1, $policy, Gatepass_Site_Key::generate(), 1000 );
}

/**
 * How far a pretended site has followed the panel.
 *
 * @param array<string,mixed> $members Members that are not as for a site that has never pulled.
 * @return Gatepass_Sync_State
 */
function sync_state( array $members ): Gatepass_Sync_State {
	return Gatepass_Sync_State::from_array( null, 'key' )->with( $members );
}

/**
 * WordPress's and WooCommerce's roles, in short.
 *
 * @return array<string,array<string,bool>>
 */
function role_definitions(): array {
	return array(
		'administrator' => array(
			'read'           => true,
			'edit_posts'     => true,
			'manage_options' => true,
		),
		'editor'        => array(
			'read'       => true,
			'edit_posts' => true,
		),
		'subscriber'    => array(
			'read'    => true,
			'level_0' => true,
		),
		'customer'      => array(
			'read'       => true,
			'edit_posts' => false,
		),
	);
}

$tests = array(
	// Base64url.
	'base64url_encodes_without_padding_and_back'       => static function () {
		foreach ( array( '', 'f', 'fo', 'foo', "\xfb\xff\xfe" ) as $bytes ) {
			expect( Gatepass_Base64url::decode( Gatepass_Base64url::encode( $bytes ) ) === $bytes );
		}
		expect( '-__-' === Gatepass_Base64url::encode( "\xfb\xff\xfe" ) );
	},
	'base64url_refuses_padding_white_space_and_the_other_alphabet' => static function () {
		foreach ( array( 'Zg==', 'Zm8=', 'Zm 9', "Zm9v\n", '+w', '/w', 'Zm.9', 'Z' ) as $text ) {
			expect( null === Gatepass_Base64url::decode( $text ), $text );
		}
	},
	'base64url_refuses_stray_bits_at_the_end'          => static function () {
		expect( 'f' === Gatepass_Base64url::decode( 'Zg' ) );
		expect( null === Gatepass_Base64url::decode( 'Zh' ) );
	},

	// JSON.
	'json_reads_only_objects'                          => static function () {
		expect( array( 'a' => 1 ) === Gatepass_Json::object( '{"a":1}' ) );
		foreach ( array( '', '[]', '[1]', 'null', '"a"', '1', '{', '{"a":1}x' ) as $text ) {
			expect( null === Gatepass_Json::object( $text ), $text );
		}
	},
	'json_refuses_a_member_twice_however_it_is_written' => static function () {
		expect( null === Gatepass_Json::object( '{"a":1,"a":2}' ) );
		expect( null === Gatepass_Json::object( '{"a":1, "\u0061" : 2}' ) );
		expect( null === Gatepass_Json::object( '{"b":{"a":1,"a":1}}' ) );
		expect( null === Gatepass_Json::object( '{"1":1,"1":2}' ) );
	},
	'json_refuses_an_infinite_number'                  => static function () {
		expect( null === Gatepass_Json::object( '{"a":[1e400]}' ) );
		expect( null !== Gatepass_Json::object( '{"a":[1e300]}' ) );
	},
	'json_reads_as_deep_as_it_is_told'                 => static function () {
		expect( null !== Gatepass_Json::object( '{"a":[{}]}', 3 ) );
		expect( null === Gatepass_Json::object( '{"a":[{}]}', 2 ) );
	},
	'json_takes_a_name_again_in_another_object'        => static function () {
		expect( null !== Gatepass_Json::object( '{"a":{"a":1},"b":[{"a":1},{"a":2}],"c":"a\":\"}{"}' ) );
	},

	// Keys.
	'thumbprint_is_that_of_rfc_8037'                   => static function () {
		$raw = Gatepass_Base64url::decode( '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' );
		expect( 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' === Gatepass_Key_Set::thumbprint( $raw ) );
	},
	'signature_of_rfc_8037_holds'                      => static function () {
		$raw       = Gatepass_Base64url::decode( '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' );
		$input     = 'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc';
		$signature = Gatepass_Base64url::decode( 'hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg' );
		expect( sodium_crypto_sign_verify_detached( $signature, $input, $raw ) );
	},
	'key_set_refuses_a_key_under_another_id'           => static function () {
		$jwk        = key_pair()['jwk'];
		$jwk['kid'] = key_pair( 'b' )['jwk']['kid'];
		expect( null === Gatepass_Key_Set::from_jwks( array( $jwk ) ) );
	},
	'key_set_refuses_other_kinds_of_keys'              => static function () {
		foreach ( array( array( 'kty' => 'EC' ), array( 'crv' => 'X25519' ), array( 'x' => 'AAAA' ), array( 'x' => array() ) ) as $change ) {
			expect( null === Gatepass_Key_Set::from_jwks( array( array_merge( key_pair()['jwk'], $change ) ) ) );
		}
		foreach ( array( null, array(), 'x', array( 'x' ) ) as $jwks ) {
			expect( null === Gatepass_Key_Set::from_jwks( $jwks ) );
		}
	},
	'key_set_fingerprint_does_not_depend_on_order'     => static function () {
		$a    = key_pair( 'a' )['jwk'];
		$b    = key_pair( 'b' )['jwk'];
		$kids = array( $a['kid'], $b['kid'] );
		sort( $kids, SORT_STRING );
		$wanted = Gatepass_Base64url::encode( hash( 'sha256', implode( "\n", $kids ), true ) );
		expect( Gatepass_Key_Set::from_jwks( array( $a, $b ) )->fingerprint() === $wanted );
		expect( Gatepass_Key_Set::from_jwks( array( $b, $a ) )->fingerprint() === $wanted );
	},
	'key_set_survives_storing'                         => static function () {
		expect( Gatepass_Key_Set::from_jwks( pinned()->to_jwks() )->fingerprint() === pinned()->fingerprint() );
	},
	'key_set_survives_storing_with_what_each_may_do'   => static function () {
		$keys = array(
			'a' => 'next',
			'b' => 'active',
			'c' => 'retired',
		);
		$jwks = Gatepass_Key_Set::from_jwks( published( $keys ) )->to_jwks();
		expect( published( $keys ) === $jwks );
		$set = Gatepass_Key_Set::from_jwks( $jwks );
		foreach ( $keys as $character => $status ) {
			$kid = key_pair( $character )['jwk']['kid'];
			expect( null !== $set->find( $kid ), $status );
			expect( ( 'retired' === $status ) === ( null === $set->find_signer( $kid ) ), $status );
		}
		expect( null === $set->find_signer( key_pair( 'd' )['jwk']['kid'] ) );
	},
	'key_set_of_before_there_were_statuses_is_all_active' => static function () {
		expect( null !== pinned()->find_signer( key_pair()['jwk']['kid'] ) );
		foreach ( array( '', 'revoked', 'ACTIVE', 1, null ) as $status ) {
			$set = Gatepass_Key_Set::from_jwks( array( key_pair()['jwk'] + array( 'status' => $status ) ) );
			expect( ( null === $status ) === ( null !== $set ), json_encode( $status ) );
		}
	},
	'key_set_holds_32_keys_each_once'                  => static function () {
		$many = array();
		foreach ( range( 1, 32 ) as $number ) {
			$many[] = key_pair( chr( 64 + $number ) )['jwk'];
		}
		expect( null !== Gatepass_Key_Set::from_jwks( $many ) );
		expect( null === Gatepass_Key_Set::from_jwks( array_merge( $many, array( key_pair( 'z' )['jwk'] ) ) ) );
		expect( null === Gatepass_Key_Set::from_jwks( array( key_pair()['jwk'], key_pair()['jwk'] ) ) );
	},

	// Signed key sets.
	'signed_keys_follow_the_active_and_the_next_key'   => static function () {
		$keys = array(
			'a' => 'retired',
			'n' => 'active',
			'm' => 'next',
		);
		foreach ( array( 'a', 'n' ) as $signer ) {
			expect( leads_to( 6, 'anm' ) === followed( signed_set( 6, $keys, $signer ) ), $signer );
		}
	},
	'signed_keys_of_a_retired_or_unknown_key_lead_nowhere' => static function () {
		foreach ( array( 'r', 'x' ) as $signer ) {
			expect( '' === followed( signed_set( 6, array( 'n' => 'active' ), $signer ) ), $signer );
		}
		// Under another's name.
		$header = header_with( array( 'typ' => 'gatepass-keys+jwt' ) );
		$claims = array(
			'version' => 6,
			'iat'     => 1000,
			'keys'    => published( array( 'n' => 'active' ) ),
		);
		expect( '' !== followed( token( $header, $claims, 'a' ) ) );
		expect( '' === followed( token( $header, $claims, 'x' ) ) );
	},
	'signed_keys_never_go_back'                        => static function () {
		foreach ( array( -1, 0, 1, 4, 5 ) as $version ) {
			expect( '' === followed( signed_set( $version, array( 'n' => 'active' ), 'a' ) ), (string) $version );
		}
		// Nor in the midst of following.
		$newer = signed_set( 9, array( 'n' => 'active' ), 'a' );
		expect( leads_to( 9, 'n' ) === followed( $newer, signed_set( 8, array( 'm' => 'active' ), 'n' ), signed_set( 9, array( 'm' => 'active' ), 'n' ) ) );
	},
	'signed_keys_have_a_version_that_is_one_number_to_everybody' => static function () {
		$keys = json_encode( published( array( 'n' => 'active' ) ) );
		foreach ( array( '9007199254740992', '9223372036854775807', '9223372036854775808', '1e400', '6.0', '6.5', '"6"', 'true', 'null', '[6]', '{}' ) as $version ) {
			expect( '' === followed( signed_set( 0, '{"version":' . $version . ',"iat":1000,"keys":' . $keys . '}', 'a' ) ), $version );
		}
		expect( '' !== followed( signed_set( 0, '{"version":9007199254740991,"iat":1000,"keys":' . $keys . '}', 'a' ) ) );
		foreach ( array( '', '"iat":-1,', '"iat":"1000",', '"iat":1e300,' ) as $iat ) {
			expect( '' === followed( signed_set( 0, '{"version":6,' . $iat . '"keys":' . $keys . '}', 'a' ) ), $iat );
		}
	},
	'signed_keys_say_where_each_stands_and_one_is_active' => static function () {
		$wrong = array(
			array( 'n' => 'next' ),
			array( 'n' => 'retired' ),
			array(),
			array(
				'n' => 'active',
				'm' => 'active',
			),
			array(
				'n' => 'active',
				'm' => 'revoked',
			),
		);
		foreach ( $wrong as $keys ) {
			expect( '' === followed( signed_set( 6, $keys, 'a' ) ), json_encode( $keys ) );
		}
		$claims = static function ( $keys ): string {
			return json_encode(
				array(
					'version' => 6,
					'iat'     => 1000,
					'keys'    => $keys,
				)
			);
		};
		$right  = published( array( 'n' => 'active' ) );
		expect( '' !== followed( signed_set( 0, $claims( $right ), 'a' ) ) );
		$another = array( 'kid' => key_pair( 'x' )['jwk']['kid'] ) + $right[0];
		foreach ( array( array( key_pair( 'n' )['jwk'] ), array( 'first' => $right[0] ), array_merge( $right, $right ), array( $another ), null, 'x', 1 ) as $keys ) {
			expect( '' === followed( signed_set( 0, $claims( $keys ), 'a' ) ), json_encode( $keys ) );
		}
	},
	'signed_keys_are_32_at_most'                       => static function () {
		$keys = array( 'n' => 'active' );
		foreach ( range( 2, 32 ) as $number ) {
			$keys[ chr( 127 + $number ) ] = 'retired';
		}
		expect( '' !== followed( signed_set( 6, $keys, 'a' ) ) );
		expect( '' === followed( signed_set( 6, $keys + array( 'm' => 'next' ), 'a' ) ) );
	},
	'signed_keys_refuse_a_member_twice_and_what_is_too_long' => static function () {
		$keys = json_encode( published( array( 'n' => 'active' ) ) );
		expect( '' === followed( signed_set( 0, '{"version":6,"version":7,"iat":1000,"keys":' . $keys . '}', 'a' ) ) );
		expect( '' === followed( signed_set( 0, '{"version":6,"iat":1000,"keys":' . $keys . ',"keys":' . $keys . '}', 'a' ) ) );
		$twice = str_replace( '"status"', '"status":"next","status"', $keys );
		expect( '' === followed( signed_set( 0, '{"version":6,"iat":1000,"keys":' . $twice . '}', 'a' ) ) );
		expect( '' === followed( signed_set( 0, '{"version":6,"iat":1000,"keys":' . $keys . ',"x":"' . str_repeat( 'x', 13000 ) . '"}', 'a' ) ) );
	},
	'signed_keys_are_no_handoff_and_no_poke_nor_the_other_way_round' => static function () {
		$keys = array( 'n' => 'active' );
		foreach ( array( 'gatepass-handoff+jwt', 'gatepass-poke+jwt', 'gatepass-site+jwt', 'GATEPASS-KEYS+JWT', 'jwt', '' ) as $type ) {
			expect( '' === followed( signed_set( 6, $keys, 'a', $type ) ), $type );
		}
		// One text that would be right as both, but for its type.
		$both   = claims_with(
			array(
				'version' => 6,
				'keys'    => published( $keys ),
			)
		);
		$header = static function ( string $type ): array {
			return header_with( array( 'typ' => $type ) );
		};
		expect( '' !== followed( token( $header( 'gatepass-keys+jwt' ), $both ) ) );
		expect( '' === followed( token( $header( 'gatepass-handoff+jwt' ), $both ) ) );
		expect( passes( token( $header( 'gatepass-handoff+jwt' ), $both ) ) );
		expect( ! passes( token( $header( 'gatepass-keys+jwt' ), $both ) ) );
		$connection = connection( new Gatepass_Policy( null ) );
		expect( null !== Gatepass_Poke::verify( token( $header( 'gatepass-poke+jwt' ), $both ), $connection ) );
		expect( null === Gatepass_Poke::verify( token( $header( 'gatepass-keys+jwt' ), $both ), $connection ) );
	},
	'signed_keys_pass_over_rubbish'                    => static function () {
		$good = signed_set( 6, array( 'n' => 'active' ), 'a' );
		expect( leads_to( 6, 'n' ) === followed( null, 1, array(), array( $good ), '', 'a.b.c', $good . '.x', substr( $good, 0, -1 ), $good ) );
	},
	'signed_keys_lead_a_site_that_slept_through_many_rotations' => static function () {
		// Each key signs as its last set the one that hands over to its successor.
		$sets = array();
		foreach ( range( 0, 23 ) as $number ) {
			$signer = 0 === $number ? 'a' : chr( 64 + $number );
			$sets[] = signed_set( 6 + 3 * $number, array( chr( 65 + $number ) => 'active' ), $signer );
		}
		expect( leads_to( 75, 'X' ) === followed( ...$sets ) );
		// One that slept longer than sets are kept finds none that it can trust.
		array_shift( $sets );
		expect( '' === followed( ...$sets ) );
		// A gap later on leads as far as the gap.
		expect( leads_to( 6, 'A' ) === followed( signed_set( 6, array( 'A' => 'active' ), 'a' ), ...array_slice( $sets, 1 ) ) );
		// A flood is not read to its end.
		expect( '' === followed( ...array_merge( array_fill( 0, 64, 'x' ), array( signed_set( 6, array( 'A' => 'active' ), 'a' ) ) ) ) );
	},
	'signed_keys_that_have_left_do_not_come_back'      => static function () {
		// The key that leaked hands over to a fresh one, and then signs once more.
		$emergency = signed_set( 6, array( 'f' => 'active' ), 'a' );
		$stolen    = signed_set( 7, array( 'x' => 'active' ), 'a' );
		expect( leads_to( 6, 'f' ) === followed( $emergency, $stolen ) );
	},

	// Handoff tokens.
	'handoff_passes'                                   => static function () {
		expect( passes( token( header_with(), claims_with() ) ) );
	},
	'handoff_passes_under_the_name_of_rfc_9864'        => static function () {
		expect( passes( token( header_with( array( 'alg' => 'Ed25519' ) ), claims_with() ) ) );
	},
	'handoff_passes_whatever_time_it_is'               => static function () {
		expect( passes( token( header_with(), claims_with( array( 'iat' => 1, 'exp' => 2 ) ) ) ) ); // phpcs:ignore
	},
	'handoff_of_an_unknown_key_is_left_to_the_bridge'  => static function () {
		expect( passes( token( header_with( array( 'kid' => key_pair( 'b' )['jwk']['kid'] ) ), claims_with(), 'b' ) ) );
	},
	'handoff_of_an_unknown_key_still_has_to_be_ours'   => static function () {
		$header = header_with( array( 'kid' => key_pair( 'b' )['jwk']['kid'] ) );
		expect( ! passes( token( $header, claims_with( array( 'aud' => 'site_' . str_repeat( 'b', 26 ) ) ), 'b' ) ) );
	},
	'handoff_refuses_a_signature_by_another_key'       => static function () {
		expect( ! passes( token( header_with(), claims_with(), 'b' ) ) );
	},
	'handoff_refuses_any_changed_byte'                 => static function () {
		$token = token( header_with(), claims_with() );
		for ( $i = 0; $i < strlen( $token ); $i++ ) {
			$changed       = $token;
			$changed[ $i ] = 'A' === $token[ $i ] ? 'B' : 'A';
			// Another key id makes it the bridge's business, which knows all keys there are.
			$header = (array) Gatepass_Json::object( (string) Gatepass_Base64url::decode( explode( '.', $changed )[0] ) );
			expect( ! passes( $changed ) || null === pinned()->find( $header['kid'] ), 'byte ' . $i );
		}
	},
	'handoff_refuses_no_signature'                     => static function () {
		$parts = explode( '.', token( header_with( array( 'alg' => 'none' ) ), claims_with() ) );
		expect( ! passes( $parts[0] . '.' . $parts[1] . '.' ) );
		expect( ! passes( $parts[0] . '.' . $parts[1] ) );
	},
	'handoff_refuses_other_algorithms'                 => static function () {
		foreach ( array( 'none', 'HS256', 'RS256', 'ES256', 'eddsa', 'Ed448', array( 'EdDSA' ), true, null ) as $alg ) {
			expect( ! passes( token( header_with( array( 'alg' => $alg ) ), claims_with() ) ) );
		}
	},
	'handoff_refuses_other_types'                      => static function () {
		foreach ( array( 'JWT', 'gatepass-site+jwt', 'gatepass-poke+jwt', 'GATEPASS-HANDOFF+JWT', null ) as $typ ) {
			expect( ! passes( token( header_with( array( 'typ' => $typ ) ), claims_with() ) ) );
		}
	},
	'handoff_refuses_extensions_it_must_understand'    => static function () {
		expect( ! passes( token( header_with( array( 'crit' => array( 'b64' ) ) ), claims_with() ) ) );
		expect( ! passes( token( header_with( array( 'crit' => array() ) ), claims_with() ) ) );
	},
	'handoff_ignores_keys_that_the_header_brings'      => static function () {
		$header = header_with( array( 'jwk' => key_pair( 'b' )['jwk'], 'jku' => 'https://evil.example' ) ); // phpcs:ignore
		expect( passes( token( $header, claims_with() ) ) );
		expect( ! passes( token( $header, claims_with(), 'b' ) ) );
	},
	'handoff_refuses_a_missing_key_id'                 => static function () {
		foreach ( array( null, '', 'short', 7 ) as $kid ) {
			expect( ! passes( token( header_with( array( 'kid' => $kid ) ), claims_with() ) ) );
		}
	},
	'handoff_refuses_another_sites_token'              => static function () {
		foreach ( array( 'site_' . str_repeat( 'b', 26 ), '', null, SITE . ' ', array( SITE ), 0, true ) as $aud ) {
			expect( ! passes( token( header_with(), claims_with( array( 'aud' => $aud ) ) ) ) );
		}
	},
	'handoff_refuses_subjects_of_other_shapes'         => static function () {
		foreach ( array( '', 'a b', "a\n", 'ä', str_repeat( 'a', 129 ), 7, null, array( 'a' ) ) as $sub ) {
			expect( ! passes( token( header_with(), claims_with( array( 'sub' => $sub ) ) ) ) );
		}
	},
	'handoff_refuses_times_that_are_none'              => static function () {
		foreach ( array( '1060', 1060.5, null, 1000, 999, -1, 253402300800 ) as $exp ) {
			expect( ! passes( token( header_with(), claims_with( array( 'exp' => $exp ) ) ) ) );
		}
	},
	'handoff_refuses_ids_of_other_shapes'              => static function () {
		foreach ( array( '', 'x', '01900000-0000-4000-8000-000000000000', '01900000-0000-7000-8000-00000000000A', '{01900000-0000-7000-8000-000000000000}' ) as $jti ) {
			expect( ! passes( token( header_with(), claims_with( array( 'jti' => $jti ) ) ) ), $jti );
		}
	},
	'handoff_refuses_a_member_twice'                   => static function () {
		$claims = str_replace( '"sub":', '"sub":"admin","sub":', json_encode( claims_with() ) );
		expect( ! passes( token( header_with(), $claims ) ) );
		$header = str_replace( '"alg":', '"alg":"none","alg":', json_encode( header_with() ) );
		expect( ! passes( token( $header, claims_with() ) ) );
	},
	'handoff_refuses_more_than_two_kibibytes'          => static function () {
		expect( ! passes( token( header_with(), claims_with( array( 'x' => str_repeat( 'x', 2000 ) ) ) ) ) );
		expect( ! passes( str_repeat( '.', 100000 ) ) );
	},
	'handoff_refuses_what_is_no_token'                 => static function () {
		foreach ( array( '', '.', '..', 'a.b.c', 'a.b.c.d', "\0", 'e30.e30.e30' ) as $text ) {
			expect( ! passes( $text ), $text );
		}
	},
	'attempt_is_128_bits_of_base64url'                 => static function () {
		expect( null !== Gatepass_Attempt::parse( Gatepass_Base64url::encode( str_repeat( "\xff", 16 ) ) ) );
		foreach ( array( '', str_repeat( 'A', 21 ), str_repeat( 'A', 23 ), str_repeat( 'A', 21 ) . 'B', str_repeat( '+', 22 ) ) as $text ) {
			expect( null === Gatepass_Attempt::parse( $text ), $text );
		}
	},

	// The bridge's answer.
	'redemption_is_read'                               => static function () {
		$redemption = redemption();
		expect( 'ada@example.com' === $redemption->wanted()->text( 'email' ) && '' === $redemption->wanted()->text( 'username' ) );
		expect( $redemption->remember() && array( 'customer' ) === $redemption->wanted()->roles() && '/account/' === $redemption->redirect_to() );
	},
	'redemption_of_another_token_is_refused'           => static function () {
		expect( null === redemption( array( 'jti' => '01900000-0000-7000-8000-000000000001' ) ) );
		expect( null === redemption( array( 'subject' => 'customer-8' ) ) );
		expect( null === redemption( array( 'subject' => null ) ) );
	},
	'redemption_without_member_or_id_is_refused'       => static function () {
		expect( null === redemption( array( 'member' => null ) ) );
		expect( null === redemption( array( 'member' => array( 'email' => null ) ) ) );
		expect( null === redemption( array( 'handoff_id' => '../sites' ) ) );
	},
	'redemption_says_who_acts_or_is_refused'           => static function () {
		expect( null === redemption()->actor() && null === redemption()->max_seconds() );
		$redemption = redemption(
			array(
				'actor'   => actor_with(),
				'session' => array(
					'remember'    => true,
					'max_seconds' => 3600,
				),
			)
		);
		expect( 'Sam' === $redemption->actor()->name() && 3600 === $redemption->max_seconds() );
		foreach ( array( 'Sam', array(), true, actor_with( array( 'name' => null ) ), actor_with( array( 'reason' => array( 'x' ) ) ), actor_with( array( 'subject' => '' ) ), actor_with( array( 'name' => str_repeat( 'x', 401 ) ) ) ) as $actor ) {
			expect( null === redemption( array( 'actor' => $actor ) ), (string) json_encode( $actor ) );
		}
		foreach ( array( '3600', 0, -1, 1.5, null ) as $seconds ) {
			expect( null === redemption( array( 'session' => array( 'max_seconds' => $seconds ) ) )->max_seconds() );
		}
	},

	// What a handoff says of its session.
	'terms_survive_being_kept'                         => static function () {
		foreach ( array( array(), array( 'actor' => actor_with() ) ) as $changes ) {
			$terms = Gatepass_Terms::of( redemption( $changes ), 1000 );
			$again = Gatepass_Terms::of_session( array( Gatepass_Names::SESSION_DATA => $terms->to_array() ) );
			expect( $terms->to_array() === $again->to_array() );
		}
		expect( null === Gatepass_Terms::of_session( array() ) && null === Gatepass_Terms::of_session( null ) && null === Gatepass_Terms::from_array( 'x' ) );
	},
	'terms_of_staff_are_short_and_not_remembered'      => static function () {
		$own = Gatepass_Terms::of( redemption(), 1000 );
		expect( $own->remember() && 99999 === $own->limit( 99999, 1000 ) && ! $own->are_over( PHP_INT_MAX ) );
		$staff = Gatepass_Terms::of( redemption( array( 'actor' => actor_with() ) ), 1000 );
		expect( ! $staff->remember() && 3600 === $staff->limit( 99999, 1000 ) && 60 === $staff->limit( 60, 1000 ) );
		// Counted from the handoff, however late the session is made.
		expect( 600 === $staff->limit( 99999, 4000 ) && 0 === $staff->limit( 99999, 5000 ) );
		expect( ! $staff->are_over( 4599 ) && $staff->are_over( 4600 ) );
		$shorter = redemption(
			array(
				'actor'   => actor_with(),
				'session' => array( 'max_seconds' => 60 ),
			)
		);
		expect( Gatepass_Terms::of( $shorter, 1000 )->are_over( 1060 ) );
	},
	'terms_that_are_damaged_stay_those_of_staff'       => static function () {
		$whole = Gatepass_Terms::of( redemption( array( 'actor' => actor_with() ) ), 1000 )->to_array();
		foreach ( array( array( 'until' => null ), array( 'until' => 'never' ), array( 'on_behalf' => true ), array( 'on_behalf' => array() ), array( 'on_behalf' => '' ) ) as $changes ) {
			$terms = Gatepass_Terms::from_array( varied( $whole, $changes ) );
			expect( null !== $terms->actor() && ! $terms->remember() && $terms->are_over( 1000 ), (string) json_encode( $changes ) );
		}
	},
	'answer_without_a_page_of_ours_is_temporary'       => static function () {
		foreach ( array( array( 0, array() ), array( 404, array() ), array( 410, array( 'page' => 'ask_again' ) ), array( 403, array( 'code' => 'x', 'page' => 'welcome' ) ), array( 204, array( 'code' => 'x', 'page' => 'membership' ) ) ) as $case ) { // phpcs:ignore
			$refusal = ( new Gatepass_Answer( $case[0], $case[1] ) )->refusal();
			expect( 'temporary' === $refusal->page() && 503 === $refusal->status() && $refusal->passes() );
		}
	},
	'answer_with_a_page_of_ours_is_that_page'          => static function () {
		$pages = array(
			'ask_again'  => 410,
			'membership' => 403,
			'temporary'  => 503,
		);
		foreach ( $pages as $page => $status ) {
			$refusal = ( new Gatepass_Answer( 410, array( 'code' => 'x', 'page' => $page ) ) )->refusal(); // phpcs:ignore
			expect( $refusal->page() === $page && $refusal->status() === $status );
		}
	},
	'links_are_web_links_or_none'                      => static function () {
		expect( 'https://panel.example/a?b=c' === Gatepass_Policy::link( 'https://panel.example/a?b=c' ) );
		foreach ( array( 'javascript:alert(1)', 'data:text/html,x', '/path', '', null, 7, "https://a.example/\n", 'https://u:p@a.example' ) as $url ) {
			expect( null === Gatepass_Policy::link( $url ) );
		}
	},
	'answer_with_a_header_twice_is_read'               => static function () {
		$headers = array(
			'date'        => array( 'Sun, 22 Nov 2026 12:00:00 GMT', 'Sun, 22 Nov 2026 12:00:09 GMT' ),
			'retry-after' => array( '7', '9' ),
		);
		$answer  = Gatepass_Answer::from_response(
			array(
				'code'    => 503,
				'headers' => $headers,
			)
		);
		expect( gmmktime( 12, 0, 0, 11, 22, 2026 ) === $answer->date() && 7 === $answer->refusal()->retry_after() );
		expect( null === Gatepass_Answer::from_response( array() )->date() );
	},
	'answer_names_its_first_mistake'                   => static function () {
		$answer = new Gatepass_Answer( 422, array( 'errors' => array( array( 'field' => 'landing_url', 'message' => 'off site' ), array( 'message' => 'more' ) ) ) ); // phpcs:ignore
		expect( 'landing_url: off site' === $answer->first_mistake() );
		foreach ( array( null, 'x', array(), array( 'x' ), array( array( 'message' => array() ) ) ) as $errors ) {
			expect( '' === ( new Gatepass_Answer( 422, array( 'errors' => $errors ) ) )->first_mistake() );
		}
	},
	'answer_is_lost_unless_the_bridge_decided'         => static function () {
		expect( Gatepass_Answer::none( 'http_request_failed' )->is_lost() );
		expect( ( new Gatepass_Answer( 200, array() ) )->is_lost() && ( new Gatepass_Answer( 503, array( 'code' => 'store_unavailable' ) ) )->is_lost() );
		expect( ! ( new Gatepass_Answer( 404, array( 'code' => 'pairing_code_invalid' ) ) )->is_lost() && ! ( new Gatepass_Answer( 200, array( 'issuer' => 'x' ) ) )->is_lost() );
	},
	'account_trouble_is_not_worth_another_try'         => static function () {
		foreach ( array( 'account_blocked', 'origin_mismatch', 'origin_unknown', 'account_privileged', 'email_taken', 'username_taken', 'account_not_on_blog', 'role_not_allowed', 'internal' ) as $cause ) {
			expect( ! Gatepass_Refusal::account( $cause )->passes(), $cause );
		}
	},

	// Pairing.
	'pairing_string_is_read'                           => static function () {
		$code = Gatepass_Pairing_String::parse( pairing_string() );
		expect( 'https://bridge.example/' === $code->bridge() && SITE === $code->site_id() );
		expect( str_repeat( 's', 43 ) === $code->secret() && pinned()->fingerprint() === $code->keys_fingerprint() );
	},
	'pairing_string_survives_wrapped_lines'            => static function () {
		expect( null !== Gatepass_Pairing_String::parse( ' ' . chunk_split( pairing_string(), 40, "\r\n" ) ) );
	},
	'pairing_string_of_another_shape_is_refused'       => static function () {
		foreach ( array( '', 'gp_pair_', 'gp_pair_e30', substr( pairing_string(), 1 ), substr( pairing_string(), 0, -9 ), pairing_string( array( 'v' => 2 ) ), pairing_string( array( 'v' => '1' ) ) ) as $text ) {
			expect( null === Gatepass_Pairing_String::parse( $text ), $text );
		}
		expect( null === Gatepass_Pairing_String::parse( str_repeat( ' ', 4096 ) . pairing_string() ) );
		foreach ( array( array( 'bridge' => 'https://x?a' ), array( 'bridge' => 'https://x/?' ), array( 'bridge' => 'https://x/#' ), array( 'issuer' => 7 ), array( 'issuer' => array() ), array( 'bridge' => 'ftp://x' ), array( 'bridge' => 'https://u@x' ), array( 'site' => 'site_A' ), array( 'secret' => 's' ), array( 'keys' => null ) ) as $change ) {
			expect( null === Gatepass_Pairing_String::parse( pairing_string( $change ) ) );
		}
	},
	'pairing_string_may_name_the_issuer'               => static function () {
		expect( null === Gatepass_Pairing_String::parse( pairing_string() )->issuer() );
		expect( 'https://id.example' === Gatepass_Pairing_String::parse( pairing_string( array( 'issuer' => 'https://id.example' ) ) )->issuer() );
	},
	'pairing_with_this_machine_is_for_those_who_run_the_network' => static function () {
		$here = 'http://127.0.0.1:8470';
		expect( Gatepass_Bridge::may_pair( $here ) && Gatepass_Bridge::may_pair( 'https://bridge.example/base' ) );
		expect( ! Gatepass_Bridge::may_pair( 'https://bridge.example/?x=' ) && ! Gatepass_Bridge::may_pair( 'https://bridge.example/#' ) );
		Pretended::$network = true;
		expect( ! Gatepass_Bridge::may_pair( $here ) && Gatepass_Bridge::may_pair( 'https://bridge.example' ) );
		expect( Gatepass_Bridge::is_safe( $here ), 'who is paired goes on' );
		Pretended::$network_administrator = true;
		expect( Gatepass_Bridge::may_pair( $here ) && ! Gatepass_Bridge::may_pair( 'http://bridge.example' ) );
		Pretended::$network               = false;
		Pretended::$network_administrator = false;
	},
	'plain_http_leads_to_this_machine_only'            => static function () {
		foreach ( array( 'https://bridge.example', 'http://127.0.0.1:8470', 'http://localhost:8470', 'http://[::1]:8470' ) as $url ) {
			expect( Gatepass_Bridge::is_safe( $url ), $url );
		}
		foreach ( array( 'http://bridge.example', 'http://127.0.0.1.evil.example', 'http://localhost.evil.example', 'ftp://127.0.0.1', 'http://127.0.0.1@evil.example', '' ) as $url ) {
			expect( ! Gatepass_Bridge::is_safe( $url ), $url );
		}
	},
	'site_proof_is_short_and_names_site_bridge_and_key' => static function () {
		$key   = Gatepass_Site_Key::generate();
		$parts = explode( '.', $key->proof( SITE, 'https://bridge.example', 5000 ) );
		$raw   = Gatepass_Base64url::decode( $key->public_x() );
		expect( sodium_crypto_sign_verify_detached( Gatepass_Base64url::decode( $parts[2] ), $parts[0] . '.' . $parts[1], $raw ) );
		expect( '{"alg":"EdDSA","typ":"gatepass-site+jwt","kid":"' . Gatepass_Key_Set::thumbprint( $raw ) . '"}' === Gatepass_Base64url::decode( $parts[0] ) );
		expect( '{"iss":"' . SITE . '","sub":"' . SITE . '","aud":"https://bridge.example","iat":5000,"exp":5060}' === Gatepass_Base64url::decode( $parts[1] ) );
	},
	'challenge_is_answered_for_its_site_and_nonce'     => static function () {
		$key       = Gatepass_Site_Key::generate();
		$signature = Gatepass_Base64url::decode( $key->answer_challenge( SITE, str_repeat( 'n', 43 ) ) );
		$raw       = Gatepass_Base64url::decode( $key->public_x() );
		expect( sodium_crypto_sign_verify_detached( $signature, "gatepass-pairing-challenge\n" . SITE . "\n" . str_repeat( 'n', 43 ), $raw ) );
	},
	'site_key_survives_storing'                        => static function () {
		$key = Gatepass_Site_Key::generate();
		expect( Gatepass_Site_Key::from_stored( $key->to_stored() )->public_x() === $key->public_x() );
		foreach ( array( null, '', 'AAAA', array() ) as $stored ) {
			expect( null === Gatepass_Site_Key::from_stored( $stored ) );
		}
	},

	// Origins and redirects.
	'origin_is_written_as_browsers_write_it'           => static function () {
		$origins = array(
			'https://Example.com/a?b#c' => 'https://example.com',
			'https://example.com:443'   => 'https://example.com',
			'http://example.com:80/'    => 'http://example.com',
			'http://example.com:443/'   => 'http://example.com:443',
			'http://127.0.0.1:8080/x'   => 'http://127.0.0.1:8080',
			'http://[::1]:8080/x'       => 'http://[::1]:8080',
		);
		foreach ( $origins as $url => $origin ) {
			expect( Gatepass_Origin::of( $url ) === $origin, $url );
		}
		foreach ( array( '', '/a', '//a.example', 'a.example', 'ftp://a.example', 'https:a.example', 'https://', 'https://u@a.example', 'https://a.example\\@b.example', 'https://a.example:443+x', 'https://a.example:' ) as $url ) {
			expect( null === Gatepass_Origin::of( $url ), $url );
		}
	},
	'origin_of_a_site_with_other_letters_is_punycode_or_none' => static function () {
		$puny = extension_loaded( 'intl' ) ? 'https://xn--mller-kva.example:8443' : null;
		expect( Gatepass_Origin::of_site( 'https://müller.example:8443/wp/' ) === $puny );
		expect( null === Gatepass_Origin::of( 'https://müller.example' ), 'other URLs are taken in ASCII only' );
		expect( 'https://shop.example' === Gatepass_Origin::of_site( 'https://shop.example/ü?ü' ) );
		expect( null === Gatepass_Origin::of_site( 'https://ü@shop.example' ) && null === Gatepass_Origin::of_site( "https://ü\nx" ) );
	},
	'redirect_takes_paths_and_own_urls'                => static function () {
		$redirects = new Gatepass_Redirects( array( 'https://shop.example/blog/', 'https://shop.example/wp/wp-admin/' ) );
		expect( 'https://shop.example/account/?a=b#c' === $redirects->on_site( '/account/?a=b#c' ) );
		expect( 'https://shop.example/x?to=https://evil.example' === $redirects->on_site( 'https://shop.example/x?to=https://evil.example' ) );
		expect( 'https://SHOP.example/x' === $redirects->on_site( 'https://SHOP.example/x' ) );
	},
	'redirect_never_leaves_the_site'                   => static function () {
		$redirects = new Gatepass_Redirects( array( 'https://shop.example', 'https://shop.example/wp-admin/' ) );
		$targets   = array( '', '//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example', 'https://evil.example', 'http://shop.example/', 'https://shop.example:8443/', 'https://shop.example@evil.example', 'https://evil.example@shop.example/', 'https://shop.example.evil.example', 'https:evil.example', 'javascript:alert(1)', 'data:text/html,x', "/a\r\nLocation: https://evil.example", "/\t/evil.example", 'account', '?a', '#a', '/a b', 'https://shop.example\\.evil.example', 'https://shop.example%2eevil.example', '/' . str_repeat( 'a', 3000 ) );
		foreach ( $targets as $target ) {
			expect( null === $redirects->on_site( $target ), $target );
		}
	},
	'redirect_takes_the_first_target_on_the_site'      => static function () {
		$redirects = new Gatepass_Redirects( array( 'https://shop.example' ) );
		expect( 'https://shop.example/b' === $redirects->choose( array( 'https://evil.example', null, '/b', '/c' ), 'https://shop.example/' ) );
		expect( 'https://shop.example/' === $redirects->choose( array( null, '//evil.example' ), 'https://shop.example/' ) );
	},

	// Roles.
	'role_is_the_first_wanted_one_that_is_allowed'     => static function () {
		$roles = new Gatepass_Roles( role_definitions(), array( 'subscriber', 'customer' ) );
		expect( 'customer' === $roles->choose( array( 'editor', 'customer', 'subscriber' ) ) );
		expect( 'subscriber' === $roles->choose( array() ) );
		expect( null === $roles->choose( array( 'administrator', 'nobody' ) ) );
	},
	'role_that_owns_the_site_is_never_allowed'         => static function () {
		$roles = new Gatepass_Roles( role_definitions(), array( 'administrator', 'subscriber' ) );
		expect( array( 'subscriber' ) === $roles->allowed() );
		expect( null === $roles->choose( array( 'administrator' ) ) );
		expect( $roles->owns_the_site( 'administrator' ) && ! $roles->owns_the_site( 'editor' ) );
	},
	'role_with_raw_html_or_network_rights_owns_the_site' => static function () {
		foreach ( array( 'unfiltered_html', 'manage_network_plugins', 'manage_network_themes', 'create_sites', 'delete_sites', 'delete_site', 'upload_plugins', 'upload_themes', 'upgrade_network', 'setup_network' ) as $capability ) {
			expect( ( new Gatepass_Roles( array( 'author' => array( $capability => true ) ), array() ) )->owns_the_site( 'author' ), $capability );
		}
	},
	'role_given_owner_rights_drops_out_by_itself'      => static function () {
		$definitions                             = role_definitions();
		$definitions['subscriber']['edit_users'] = true;
		expect( null === ( new Gatepass_Roles( $definitions, array( 'subscriber' ) ) )->choose( array() ) );
	},
	'role_that_does_not_exist_is_not_allowed'          => static function () {
		$definitions = role_definitions();
		unset( $definitions['customer'] );
		expect( array( 'subscriber' ) === ( new Gatepass_Roles( $definitions, array( 'customer', 'subscriber' ) ) )->allowed() );
	},
	'rights_beyond_the_allowed_roles_are_excess'       => static function () {
		$roles = new Gatepass_Roles( role_definitions(), array( 'subscriber', 'customer' ) );
		expect( array() === $roles->excess( array( 'read' => true, 'level_0' => true, 'subscriber' => true ), array() ) ); // phpcs:ignore
		expect( array( 'edit_posts' ) === $roles->excess( array( 'read' => true, 'edit_posts' => true, 'customer' => true ), array() ) ); // phpcs:ignore
		expect( array() === $roles->excess( array( 'edit_posts' => false ), array() ) );
	},
	'rights_count_and_not_the_name_of_a_role'          => static function () {
		$roles = new Gatepass_Roles( role_definitions(), array( 'subscriber' ) );
		expect( array( 'manage_options' ) === $roles->excess( array( 'subscriber' => true, 'manage_options' => true ), array() ) ); // phpcs:ignore
		expect( array( 'shadow_admin' ) === $roles->excess( array( 'shadow_admin' => true ), array() ) );
	},
	'rights_do_not_count_the_name_of_another_blogs_role' => static function () {
		$roles = new Gatepass_Roles( role_definitions(), array( 'subscriber' ) );
		expect( array( 'learner' ) === $roles->excess( array( 'learner' => true ), array() ) );
		expect( array() === $roles->excess( array( 'read' => true, 'learner' => true ), array(), array( 'learner' ) ) ); // phpcs:ignore
		expect( array( 'teach' ) === $roles->excess( array( 'teach' => true, 'learner' => true ), array(), array( 'learner' ) ) ); // phpcs:ignore
		expect( array( 'edit_users' ) === $roles->excess( array( 'edit_users' => true ), array(), array( 'edit_users' ) ) );
	},
	'rights_called_harmless_by_the_owner_do_not_count' => static function () {
		$roles = new Gatepass_Roles( role_definitions(), array( 'subscriber' ) );
		expect( array() === $roles->excess( array( 'view_lessons' => true ), array( 'view_lessons' ) ) );
	},

	// Identities and references.
	'identity_depends_on_all_its_parts'                => static function () {
		$hashes = array();
		foreach ( array( array( 'i', 's', 'u' ), array( 'j', 's', 'u' ), array( 'i', 't', 'u' ), array( 'i', 's', 'v' ), array( 'is', '', 'u' ) ) as $parts ) {
			$hashes[] = ( new Gatepass_Identity( $parts[0], $parts[1], $parts[2] ) )->hash();
		}
		expect( 5 === count( array_unique( $hashes ) ) && 32 === strlen( $hashes[0] ) );
		expect( substr( hash( 'sha256', "i\ns\nu" ), 0, 32 ) === $hashes[0] );
	},
	'user_name_is_made_of_the_subject'                 => static function () {
		$name = static function ( string $subject, int $try = 0 ): string {
			return ( new Gatepass_Identity( 'https://id.example', SITE, $subject ) )->user_name( $try );
		};
		expect( 'member-42' === $name( '42' ) );
		expect( 'member-cus-ab-c' === $name( 'cus_AB:c' ) );
		expect( $name( '42', 1 ) !== $name( '42' ) && 0 === strpos( $name( '42', 1 ), 'member-42-' ) );
		foreach ( array( str_repeat( 'k', 128 ), '...', '_' ) as $subject ) {
			expect( 1 === preg_match( '/\Amember-[a-z0-9-]{1,37}\z/', $name( $subject, 5 ) ), $subject );
		}
	},
	'user_name_tells_nothing_of_an_address'            => static function () {
		$name = ( new Gatepass_Identity( 'https://id.example', SITE, 'ada.lovelace@example.com' ) )->user_name( 0 );
		expect( 1 === preg_match( '/\Amember-[0-9a-f]{10}\z/', $name ) );
	},
	'reference_cannot_be_misread'                      => static function () {
		$reference = new Gatepass_Reference( "\x00\x01\x1f\x20\xff\x12\x15\x1b" );
		expect( '01Z0-ZJNV' === $reference->shown() && 'R-01Z0ZJNV' === $reference->request_id() );
		expect( 1 === preg_match( '/\A[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}\z/', ( new Gatepass_Reference( random_bytes( 8 ) ) )->shown() ) );
	},
	'reference_says_the_cause_that_no_trail_tells'     => static function () {
		$reference = new Gatepass_Reference( "\x00\x01\x1f\x20\xff\x12\x15\x1b" );
		$shown     = static function ( Gatepass_Refusal $refusal ) use ( $reference ): string {
			return $reference->shown( $refusal->local_cause() );
		};
		expect( 'U7-01Z0-ZJNV' === $shown( new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'binding_absent' ) ) );
		expect( '01Z0-ZJNV' === $shown( new Gatepass_Refusal( Gatepass_Refusal::ASK_AGAIN, 'handoff_used' ) ) );

		$answered = static function ( int $status, array $members ) use ( $shown ): string {
			return substr( $shown( ( new Gatepass_Answer( $status, $members ) )->refusal() ), 0, 3 );
		};
		$expired = array(
			'code' => 'handoff_expired',
			'page' => 'ask_again',
		);
		expect( '01Z' === $answered( 410, $expired ) && 'UA-' === $answered( 410, $expired + array( 'trail' => 'counted' ) ) );
		expect( 'U1-' === $answered( 400, array( 'code' => 'handoff_invalid', 'trail' => 'counted' ) ) ); // phpcs:ignore WordPress.Arrays.ArrayDeclarationSpacing
		expect( 'U8-' === $answered( 0, array( 'code' => 'http_request_failed' ) ) && 'U8-' === $answered( 502, array() ) );
		expect( 'UC-' === $answered( 503, array( 'code' => 'store_unavailable' ) ) );

		$characters = array_values( Gatepass_Reference::LOCAL_CAUSES );
		expect( count( $characters ) === count( array_unique( $characters ) ) );
		foreach ( $characters as $character ) {
			expect( 1 === strlen( $character ) && false !== strpos( Gatepass_Reference::ALPHABET, $character ) );
		}
	},

	// Binding.
	'binding_of_a_browser_is_its_own_or_none'          => static function () {
		$of = static function ( $cookie ): ?Gatepass_Binding {
			$_SERVER['HTTP_COOKIE'] = Gatepass_Names::COOKIE_BINDING . '=' . rawurlencode( $cookie );
			return Gatepass_Binding::of( new Gatepass_Request() );
		};
		$secret = Gatepass_Base64url::encode( str_repeat( 'a', 32 ) );
		$now    = time();
		foreach ( array( '', 'x', $secret, "$secret.$now.0", "{$secret}x.$now.0.", substr( $secret, 1 ) . ".$now.0.", " $secret.$now.0.", "$secret.$now.0.%", "$secret.-1.0." ) as $wrong ) {
			expect( null === $of( $wrong ) );
		}
		$bound = $of( "$secret.$now.0." );
		expect( null !== $bound && null === $bound->destination() && 43 === strlen( $bound->hash() ) && $secret !== $bound->hash() );
		$with = $of( "$secret.$now.0." . Gatepass_Base64url::encode( '/a?b=c' ) );
		expect( '/a?b=c' === $with->destination() && $with->hash() === $bound->hash() );

		// One that fails begins again once, and still knows where it wanted to go; an ordinary start does not.
		$again = Gatepass_Binding::start( new Gatepass_Request(), '', true );
		expect( $again->hash() === $bound->hash() && '/a?b=c' === $again->destination() && $again->has_just_begun_again() );
		expect( ! $bound->has_just_begun_again() && ! $of( "$secret.$now." . ( $now - Gatepass_Binding::ONCE_IN ) . '.' )->has_just_begun_again() );
		$start = Gatepass_Binding::start( new Gatepass_Request(), '/b' );
		expect( $start->hash() === $bound->hash() && '/b' === $start->destination() && ! $start->has_just_begun_again() );

		// It ends with its hour, whatever the browser keeps; a start takes a new one in time.
		$old = $now - Gatepass_Binding::SECONDS / 2 - 1;
		expect( null !== $of( "$secret.$old.0." ) && Gatepass_Binding::start( new Gatepass_Request(), '' )->hash() !== $bound->hash() );
		expect( null === $of( "$secret." . ( $now - Gatepass_Binding::SECONDS - 1 ) . '.0.' ) && null === $of( "$secret." . ( $now + 60 ) . '.0.' ) );
		$of( '' );
		expect( Gatepass_Binding::start( new Gatepass_Request(), '' )->hash() !== Gatepass_Binding::start( new Gatepass_Request(), '' )->hash() );
	},
	'start_of_a_copy_leads_nowhere'                    => static function () {
		$store = new Gatepass_Store();
		$start = new Gatepass_Start( $store, new Gatepass_Request(), new Gatepass_Heartbeat( $store, new Gatepass_Bridge( $store ) ) );
		$store->set_conflict( true );
		try {
			$start->begin( connection( new Gatepass_Policy( array( 'panel_start_url' => 'https://panel.example/start' ) ) ) );
			$cause = '';
		} catch ( Gatepass_Refusal $refusal ) {
			$cause = $refusal->cause();
			expect( ! $refusal->passes() && $cause === $refusal->local_cause() );
		} finally {
			$store->set_conflict( false );
		}
		expect( 'site_is_a_copy' === $cause );
	},
	'start_leaves_the_panels_own_query_alone'          => static function () {
		$store   = new Gatepass_Store();
		$request = new Gatepass_Request();
		$start   = new Gatepass_Start( $store, $request, new Gatepass_Heartbeat( $store, new Gatepass_Bridge( $store ) ) );
		$to      = static function ( string $panel ) use ( $start ): string {
			return $start->begin( connection( new Gatepass_Policy( array( 'panel_start_url' => $panel ) ) ) );
		};
		$_GET    = array( 'login_hint' => 'a:b@c' );
		foreach ( array( '/start?page.id=5&', '/start?a=1&a=2&', '/start?a[]=1&b+c=%20d&', '/start?flag&', '/start?' ) as $own ) {
			$wanted = '~\A' . preg_quote( 'https://panel.example' . $own . 'site=' . SITE . '&binding=', '~' ) . '[\w-]{43}&login_hint=a%3Ab%40c\z~';
			expect( 1 === preg_match( $wanted, $to( 'https://panel.example' . rtrim( $own, '?&' ) ) ), $own );
		}
		$_GET = array();
	},
	'start_is_required_as_soon_as_there_is_one'        => static function () {
		$requires = static function ( array $policy ): bool {
			return ( new Gatepass_Policy( $policy ) )->requires_binding();
		};
		expect( ! $requires( array() ) && $requires( array( 'require_binding' => true ) ) && ! $requires( array( 'require_binding' => 1 ) ) );
		expect( $requires( array( 'panel_start_url' => 'https://panel.example/start' ) ) );
		expect( ! $requires( array( 'panel_start_url' => 'javascript:alert(1)' ) ) );
	},

	// Pages.
	'pages_allow_their_own_script_and_style_and_nothing_else' => static function () {
		$policy = Gatepass_Pages::content_security_policy( array( 'https://shop.example' ) );
		expect( 0 === strpos( $policy, "default-src 'none'; script-src 'sha256-" ) );
		expect( false !== strpos( $policy, "'sha256-" . base64_encode( hash( 'sha256', Gatepass_Pages::SCRIPT, true ) ) . "'" ) );
		expect( false !== strpos( $policy, "'sha256-" . base64_encode( hash( 'sha256', Gatepass_Pages::STYLE, true ) ) . "'" ) );
		expect( false === strpos( $policy, 'unsafe' ) && false === strpos( $policy, '*' ) );
	},
	'pages_fetch_nothing_from_elsewhere'               => static function () {
		expect( 0 === preg_match( '#url\(|@import|https?:#', Gatepass_Pages::STYLE . Gatepass_Pages::SCRIPT ) );
		expect( 0 === preg_match( '#</#', Gatepass_Pages::STYLE . Gatepass_Pages::SCRIPT ) );
	},

	'pages_show_nothing_that_cannot_be_seen'           => static function () {
		$hidden = array( "\u{200B}", "\u{200D}", "\u{200F}", "\u{202A}", "\u{202E}", "\u{2066}", "\u{2068}", "\u{2069}" );
		expect( 'Mia Näme' === Gatepass_Pages::visible( "Mia\u{202E} \u{A0} N" . implode( '', $hidden ) . 'äme ' ) );
		foreach ( array( "a\u{2010}b", "a\u{202F}b", "a\u{2060}b", 'Ömer', '米娅', "\u{20AC}" ) as $plain ) {
			expect( Gatepass_Pages::visible( $plain ) === $plain, $plain );
		}
	},
	'pages_need_no_mbstring'                           => static function () {
		expect( 'A' === Gatepass_Pages::initial( 'ada' ) && '' === Gatepass_Pages::initial( '' ) && '' === Gatepass_Pages::initial( "\xff" ) );
		expect( in_array( Gatepass_Pages::initial( 'élan' ), array( 'É', 'é' ), true ) );
		foreach ( plugin_files() as $file ) {
			$code = file_get_contents( $file );
			preg_match_all( '/\b(mb_\w+)\s*\(/', $code, $calls );
			// WordPress itself has these two where PHP has not.
			foreach ( array_diff( $calls[1], array( 'mb_substr', 'mb_strlen' ) ) as $call ) {
				expect( false !== strpos( $code, "function_exists( '" . $call . "' )" ), $file . ': ' . $call );
			}
		}
	},

	// What is kept.
	'policy_of_another_pairing_does_not_count'         => static function () {
		Pretended::$options = array();
		$store              = new Gatepass_Store();
		$of                 = static function ( string $panel ): Gatepass_Policy {
			return new Gatepass_Policy( array( 'panel_url' => $panel ) );
		};
		$old                = connection( $of( 'https://old.example' ) );
		$store->save_connection( $old );
		$stored = Pretended::$options[ Gatepass_Names::OPTION_CONNECTION ];
		$store->save_policy( $old, $of( 'https://old.example' ) );
		expect( ! isset( Pretended::$options[ Gatepass_Names::OPTION_POLICY ] ), 'nothing is written when nothing changed' );
		$store->save_policy( $old, $of( 'https://moved.example' ) );
		expect( 'https://moved.example' === $store->connection()->policy()->panel_url() );
		expect( Pretended::$options[ Gatepass_Names::OPTION_CONNECTION ] === $stored, 'the connection is not written' );

		$store->save_connection( connection( $of( 'https://new.example' ) ) );
		$store->save_policy( $old, $of( 'https://late.example' ) );
		expect( 'https://new.example' === $store->connection()->policy()->panel_url() );
		$store->forget_connection();
		$store->save_policy( $old, $of( 'https://late.example' ) );
		expect( null === $store->connection() );
		Pretended::$options = array();
	},
	'clock_beyond_belief_is_not_learnt'                => static function () {
		$store = new Gatepass_Store();
		foreach ( array( 3600, -3600, 30000000 ) as $offset ) {
			$store->learn_bridge_time( time() + $offset );
			expect( abs( $store->bridge_time() - time() - $offset ) <= 1 );
		}
		Pretended::$options = array();
		foreach ( array( 32000000, -32000000, PHP_INT_MAX - 2 * time() ) as $offset ) {
			$store->learn_bridge_time( time() + $offset );
			expect( array() === Pretended::$options );
			Pretended::$options[ Gatepass_Names::OPTION_CLOCK_OFFSET ] = $offset;
			expect( abs( $store->bridge_time() - time() ) <= 1 );
			Pretended::$options = array();
		}
	},
	'clock_learnt_stays_when_the_site_is_paired_again' => static function () {
		$store = new Gatepass_Store();
		$store->learn_bridge_time( time() + 600 );
		$store->save_connection( connection( new Gatepass_Policy( null ) ) );
		expect( $store->bridge_time() > time() + 590 );
		$store->forget_connection();
		expect( array() === Pretended::$options );
	},
	'pairing_code_gets_the_same_key_again_and_another_code_another' => static function () {
		$store = new Gatepass_Store();
		$code  = Gatepass_Pairing_String::parse( pairing_string() );
		$other = Gatepass_Pairing_String::parse( pairing_string( array( 'secret' => str_repeat( 't', 43 ) ) ) );
		$key   = $store->begin_pairing( $code );
		expect( $store->begin_pairing( $code )->public_x() === $key->public_x() );
		$second = $store->begin_pairing( $other );
		expect( $second->public_x() !== $key->public_x() );
		$store->end_pairing( $key );
		expect( $store->pending_pairing()['key']->public_x() === $second->public_x(), 'somebody else is still pairing' );
		expect( false === strpos( serialize( Pretended::$options ), str_repeat( 't', 43 ) ), 'the secret is not kept' );
		$store->end_pairing( $second );
		expect( array() === Pretended::$options );
	},
	'pairing_too_old_is_removed_with_its_key'          => static function () {
		$store = new Gatepass_Store();
		$store->begin_pairing( Gatepass_Pairing_String::parse( pairing_string() ) );
		expect( Pretended::$options[ Gatepass_Names::OPTION_PENDING ]['until'] > time() + 1800, 'it outlives its code' );
		Pretended::$options[ Gatepass_Names::OPTION_PENDING ]['until'] = time() - 1;
		expect( null === $store->pending_pairing() && array() === Pretended::$options );
	},
	'user_meta_is_protected'                           => static function () {
		expect( '_' === Gatepass_Names::META_IDENTITY_PREFIX[0] && '_' === Gatepass_Names::META_ATTEMPTS[0] && '_' === Gatepass_Names::META_PENDING[0] );
	},

	// The request.
	'request_fields_have_a_length'                     => static function () {
		$request = new Gatepass_Request();
		$_POST   = array(
			'long'  => str_repeat( '%aa', 40000 ),
			'token' => str_repeat( 'x', 2048 ),
			'raw'   => '%41\\"<b>',
			'list'  => array( 'x' ),
		);
		$_GET    = array( 'nonce' => str_repeat( 'n', 201 ) );
		expect( '' === $request->field( 'long', 2048 ) && '' === $request->field( 'list' ) && '' === $request->query( 'nonce' ) );
		expect( 2048 === strlen( $request->field( 'token', 2048 ) ) && '' === $request->field( 'token', 2047 ) );
		expect( '%41"<b>' === $request->field( 'raw' ), 'it is left as it came' );
		$_POST = array();
		$_GET  = array();
	},
	'request_comes_from_nowhere_if_we_do_not_know_ourselves' => static function () {
		$request = new Gatepass_Request();
		unset( $_SERVER['HTTP_ORIGIN'] );
		expect( ! $request->comes_from( null ) && ! $request->comes_from( '' ) && ! $request->comes_from( 'https://shop.example' ) );
		$_SERVER['HTTP_ORIGIN'] = '';
		expect( ! $request->comes_from( null ) && ! $request->comes_from( '' ) );
		$_SERVER['HTTP_ORIGIN'] = 'https://shop.example';
		expect( $request->comes_from( 'https://shop.example' ) && ! $request->comes_from( null ) );
		unset( $_SERVER['HTTP_ORIGIN'] );
	},

	'request_knows_a_cookie_by_its_exact_name_alone'   => static function () {
		$read = static function ( string $header ): string {
			$_SERVER['HTTP_COOKIE'] = $header;
			return ( new Gatepass_Request() )->cookie( '__Host-a', 8 );
		};
		foreach ( array( '__Host-a=it.', 'b=c; __Host-a=it%2E; d', '__Host-a=it.;__Host-ab=c', '_[Host-a=bad; __Host-a=it.' ) as $header ) {
			expect( 'it.' === $read( $header ), $header );
		}
		// PHP before 8.1.28 and 8.2.18 takes the first two for it in $_COOKIE.
		foreach ( array( '_[Host-a=x', '..Host-a=x', '.[Host-a=x', '_.Host-a=x', ' _Host-a=x', '__host-a=x', '__Host-a[]=x', '%5F_Host-a=x', '', '__Host-a', 'b=__Host-a=x' ) as $header ) {
			expect( '' === $read( $header ), $header );
		}
		expect( '' === $read( '__Host-a=it; __Host-a=it' ) && '' === $read( '__Host-a=it; __Host-a' ), 'one of the two is not ours' );
		expect( 8 === strlen( $read( '__Host-a=%41BCDEFGH' ) ) && '' === $read( '__Host-a=ABCDEFGHI' ) );
		unset( $_SERVER['HTTP_COOKIE'] );
		$_COOKIE = array( '__Host-a' => 'x' );
		expect( '' === ( new Gatepass_Request() )->cookie( '__Host-a', 8 ) );
		$_COOKIE = array();
	},

	// The owner's log.
	'log_names_a_handoff_as_the_panel_does'            => static function () {
		$id = static function ( string $jti ): string {
			return Gatepass_Handoff::verify( token( header_with(), claims_with( array( 'jti' => $jti ) ) ), pinned(), SITE )->id();
		};
		expect( 'ho_agiaaaaaabyabaaaaaaaaaaaaa' === $id( '01900000-0000-7000-8000-000000000000' ) );
		expect( 'ho_agip77ysgr5lzdppaerukz4j74' === $id( '0190ffff-1234-7abc-8def-0123456789ff' ) );
	},
	'log_knows_whose_signature_was_checked'            => static function () {
		$signed = static function ( array $header ): bool {
			return Gatepass_Handoff::verify( token( header_with( $header ), claims_with(), 'b' ), Gatepass_Key_Set::from_jwks( array( key_pair( 'b' )['jwk'] ) ), SITE )->is_signed();
		};
		expect( $signed( array( 'kid' => key_pair( 'b' )['jwk']['kid'] ) ) && ! $signed( array() ) );
	},
	'log_has_words_for_every_cause'                    => static function () {
		$words = Gatepass_Log_Line::causes();
		// Before the bridge is asked, and a stranger's token: neither is logged.
		$unlogged = array( 'token_invalid', 'attempt_invalid', 'origin_mismatch', 'origin_unknown', 'binding_absent', 'start_not_set_up', 'site_is_a_copy' );
		$causes   = array_keys( Gatepass_Reference::LOCAL_CAUSES );
		foreach ( plugin_files() as $file ) {
			preg_match_all( "/Gatepass_Refusal(?:::account)?\\( (?:Gatepass_Refusal::\\w+, )?'(\\w+)'/", file_get_contents( $file ), $thrown );
			$causes = array_merge( $causes, $thrown[1] );
		}
		expect( in_array( 'session_ended', $causes, true ) && in_array( 'email_taken', $causes, true ) );
		foreach ( array_diff( array_unique( $causes ), $unlogged, array( 'bridge_answered_nonsense' ) ) as $cause ) {
			expect( isset( $words[ $cause ] ), $cause );
		}
		$line = new Gatepass_Log_Line( array( 'cause' => 'of_tomorrow' ) );
		expect( false !== strpos( $line->cause_in_words(), 'of_tomorrow' ) );
	},
	'log_line_has_the_names_that_it_says_it_has'       => static function () {
		$line = new Gatepass_Log_Line( array( 'at' => '2026-11-22 17:00:01', 'user_id' => '0' ) ); // phpcs:ignore
		expect( Gatepass_Log_Line::names() === array_keys( $line->to_array() ) && '2026-11-22T17:00:01Z' === $line->to_array()['at'] );
	},
	'csv_holds_no_formula'                             => static function () {
		foreach ( array( '=1+1', '+1', '-1', '@SUM(1)', '  =1', "\xC2\xA0=1", '＝1', '＋1', '－1', '＠1' ) as $formula ) {
			expect( "'" . $formula === Gatepass_Csv::guarded( $formula ), $formula );
		}
		expect( "' =1" === Gatepass_Csv::guarded( "\t=1" ) && "' =1" === Gatepass_Csv::guarded( "\n=1" ) && "' -1" === Gatepass_Csv::guarded( "\0-1" ) );
		foreach ( array( ';', ',', '|', ' ', "\xC2\xA0" ) as $separator ) {
			expect( "Mia{$separator}'=HYPERLINK(1){$separator}'-2" === Gatepass_Csv::guarded( "Mia{$separator}=HYPERLINK(1){$separator}-2" ), $separator );
		}
		expect( "Mia '=1 '@2" === Gatepass_Csv::guarded( "Mia\t=1\r@2" ) && "Mia;'  ＝1" === Gatepass_Csv::guarded( 'Mia;  ＝1' ) && "Mia;'\"=1" === Gatepass_Csv::guarded( 'Mia;"=1' ) );
		foreach ( array( '', 'Mia', 'a=1', 'cus-1', '1-1', '2001:db8::1', 'ümlaut', "'", 'Lindqvist, Mia; Leo | Bo' ) as $plain ) {
			expect( Gatepass_Csv::guarded( $plain ) === $plain, $plain );
		}
	},
	'csv_cell_never_ends_early'                        => static function () {
		$cells = array( 'a"b', 'c,d', "e\r\nf", '";=1', '' );
		$row   = Gatepass_Csv::row( $cells );
		expect( "\"a\"\"b\",\"c,d\",\"e  f\",\"\"\";'=1\",\"\"\r\n" === $row );
		expect( array( 'a"b', 'c,d', 'e  f', "\";'=1", '' ) === str_getcsv( rtrim( $row ), ',', '"', '' ) );
	},

	// The gate.
	'gate_goes_by_the_latest_word_and_the_bridges_clock' => static function () {
		$state = sync_state( array( 'complete' => true, 'offset' => 100 ) ); // phpcs:ignore
		$until = static function ( int $until ): Gatepass_Standing {
			return Gatepass_Standing::from_array( array( 'allowed_until' => $until ) );
		};
		expect( 'open' === Gatepass_Gate_Rules::judge( array( $until( time() + 110 ) ), $state ) );
		expect( 'shut' === Gatepass_Gate_Rules::judge( array( $until( time() + 90 ) ), $state ) );
		expect( 'open' === Gatepass_Gate_Rules::judge( array( $until( 9007199254740 ) ), $state ) );
		expect( 'shut' === Gatepass_Gate_Rules::judge( array( Gatepass_Standing::from_array( array() ) ), $state ) );
		expect( 'shut' === Gatepass_Gate_Rules::judge( array( Gatepass_Standing::from_array( array( 'allowed_until' => '9007199254740' ) ) ), $state ), 'a text is no time' );
		expect( 'open' === Gatepass_Gate_Rules::judge( array( $until( 0 ), $until( time() + 110 ) ), $state ), 'one of two customers' );
	},
	'gate_lets_unknown_members_in_until_it_has_heard_of_everybody' => static function () {
		expect( 'open' === Gatepass_Gate_Rules::judge( array( null ), sync_state( array() ) ) );
		expect( 'shut' === Gatepass_Gate_Rules::judge( array( null ), sync_state( array( 'complete' => true ) ) ) );
	},
	'gate_rules_are_of_one_pairing_and_the_owners_word_outlives_it' => static function () {
		$connection = connection( new Gatepass_Policy( null ) );
		$rules      = Gatepass_Gate_Rules::from_array( null )->wanted( array( 7, 7, 8 ), true, 7200 )->of_pairing( $connection );
		$rules      = Gatepass_Gate_Rules::from_array( $rules->to_array() );
		expect( $rules->is_paired() && $rules->pairing() === $connection->site_key()->public_x() );
		expect( $rules->are_for( new Gatepass_Identity( 'https://id.example', SITE, 'x' ) ) );
		expect( ! $rules->are_for( new Gatepass_Identity( 'https://other.example', SITE, 'x' ) ) );
		expect( ! $rules->are_for( new Gatepass_Identity( 'https://id.example', 'site_' . str_repeat( 'b', 26 ), 'x' ) ) );
		$rules = $rules->of_pairing( null );
		expect( ! $rules->is_paired() && array( 7, 8 ) === $rules->exempt() && $rules->shuts_when_stale() && 7200 === $rules->max_stale() );
	},
	'gate_rules_of_anything_are_sensible'              => static function () {
		foreach ( array( null, 'x', array( 'exempt' => 'x', 'shuts' => 'yes', 'max_stale' => '5', 'site' => 5 ), array( 'exempt' => array( '1', null ) ) ) as $stored ) { // phpcs:ignore
			$rules = Gatepass_Gate_Rules::from_array( $stored );
			expect( ! $rules->is_paired() && array() === $rules->exempt() && ! $rules->shuts_when_stale() && 86400 === $rules->max_stale() );
		}
		expect( 3600 === Gatepass_Gate_Rules::from_array( array( 'max_stale' => 1 ) )->max_stale() );
		expect( 2592000 === Gatepass_Gate_Rules::from_array( array( 'max_stale' => PHP_INT_MAX ) )->max_stale() );
	},
	'gate_calls_stale_what_is_too_old_since_it_was_heard_or_paired' => static function () {
		$rules = Gatepass_Gate_Rules::from_array( array( 'paired_at' => 1 ) );
		expect( $rules->is_too_old( sync_state( array() ) ) && $rules->is_too_old( sync_state( array( 'as_of' => time() - 86500 ) ) ) );
		expect( ! $rules->is_too_old( sync_state( array( 'as_of' => time() - 86300 ) ) ) );
		expect( $rules->is_too_old( sync_state( array( 'as_of' => time() - 86300, 'offset' => 200 ) ) ), 'by the bridge\'s clock' ); // phpcs:ignore
		expect( ! Gatepass_Gate_Rules::from_array( array( 'paired_at' => time() - 10 ) )->is_too_old( sync_state( array() ) ), 'just paired' );
		// A clock that was a year ahead makes nothing young for a year.
		$ahead = time() + 31536000;
		$month = sync_state( array( 'as_of' => time() - 30 * 86400 ) );
		expect( Gatepass_Gate_Rules::from_array( array( 'paired_at' => $ahead ) )->is_too_old( $month ), 'paired in the future' );
		expect( Gatepass_Gate_Rules::from_array( null )->is_too_old( sync_state( array( 'as_of' => $ahead ) ) ), 'heard in the future' );
		expect( ! Gatepass_Gate_Rules::from_array( array( 'paired_at' => $ahead ) )->is_too_old( sync_state( array( 'as_of' => time() - 10 ) ) ) );
		expect( ! Gatepass_Gate_Rules::from_array( null )->is_too_old( sync_state( array( 'as_of' => time() + 5 ) ) ), 'about right' );
	},
	'gate_asks_every_five_minutes'                     => static function () {
		$now  = 1800000000;
		$turn = new Gatepass_Turn( 'any', Gatepass_Refresh::EVERY );
		expect( $turn->is_due( null, $now ) && $turn->is_due( ( $now - 300 ) . ':done', $now ) );
		expect( ! $turn->is_due( ( $now - 299 ) . ':done', $now ) && ! $turn->is_due( (string) $now, $now ) );
		expect( $turn->is_due( (string) ( $now + 3000 ), $now ), 'a clock that was put back' );
	},
	'gate_remembers_its_rules_while_the_site_is_paired' => static function () {
		$store = new Gatepass_Store();
		expect( ! $store->gate_rules()->is_paired() && array() === Pretended::$options );
		$store->save_connection( connection( new Gatepass_Policy( null ) ) );
		expect( $store->gate_rules()->is_paired() );
		// As a site has it that was paired before there was a gate.
		unset( Pretended::$options[ Gatepass_Names::OPTION_GATE ] );
		expect( $store->gate_rules()->is_paired() && isset( Pretended::$options[ Gatepass_Names::OPTION_GATE ] ) );
		$store->forget_connection();
		expect( array() === Pretended::$options );
	},

	// The code itself.
	'code_runs_on_php_7_4'                             => static function () {
		foreach ( plugin_files() as $file ) {
			expect( array() === newer_than_7_4( file_get_contents( $file ) ), $file . ': ' . implode( ', ', newer_than_7_4( file_get_contents( $file ) ) ) );
		}
		expect( array( 'match', '?->', 'union type', 'promotion', 'trailing comma', 'catch without variable' ) === newer_than_7_4( '<?php match(1){}; $a?->b; function f(int|string $a){} function g(private $a){} function h($a,){} try{}catch(E){}' ) );
	},
	'code_says_nothing_that_translators_do_not_have'   => static function () {
		$known = file_get_contents( dirname( __DIR__ ) . '/gatepass/languages/gatepass.pot' );
		foreach ( plugin_files() as $file ) {
			preg_match_all( "/\\b(?:__|esc_html__|esc_html_e|esc_attr__)\\( '((?:[^'\\\\]|\\\\.)*)', 'gatepass' \\)/", file_get_contents( $file ), $said );
			foreach ( $said[1] as $text ) {
				expect( false !== strpos( $known, 'msgid "' . addcslashes( stripslashes( $text ), '"\\' ) . '"' ), $text );
			}
		}
	},
	// What is pulled.
	'poke_is_taken_only_signed_by_a_pinned_key_and_for_us' => static function () {
		$type = array( 'typ' => 'gatepass-poke+jwt' );
		$iss  = array( 'iss' => 'https://id.example' );
		$us   = connection( new Gatepass_Policy( null ) );
		$poke = static function ( array $header, array $claims, string $key = 'a' ) use ( $us ): bool {
			return null !== Gatepass_Poke::verify( token( header_with( $header ), claims_with( $claims ), $key ), $us );
		};
		Pretended::$options = array();
		// It names nobody, and its time is not judged by ours.
		expect( $poke( $type, $iss + array( 'sub' => null ) ) );
		expect( $poke( $type, $iss + array( 'iat' => 1, 'exp' => 2 ) ) ); // phpcs:ignore
		expect( ! $poke( array(), $iss ), 'a handoff' );
		expect( ! $poke( $type, array( 'iss' => 'https://other.example' ) ), 'another issuer' );
		expect( ! $poke( $type, $iss + array( 'aud' => 'site_other' ) ), 'another site' );
		expect( ! $poke( $type, $iss, 'b' ), 'a wrong signature' );
		expect( ! $poke( $type + array( 'kid' => key_pair( 'b' )['jwk']['kid'] ), $iss, 'b' ), 'a key that is not pinned' );
		expect( ! $poke( $type + array( 'crit' => array() ), $iss ), 'an extension' );
		expect( null === Gatepass_Poke::verify( '', $us ) && null === Gatepass_Poke::verify( 'a.b.c', $us ) );
		expect( ! passes( token( header_with( $type ), claims_with() ) ), 'a poke is no handoff' );
	},
	'poke_that_is_repeated_long_after_is_not_taken'    => static function () {
		Pretended::$options = array();
		$us                 = connection( new Gatepass_Policy( null ) );
		$poke               = static function ( int $issued_at, Gatepass_Connection $connection ): ?int {
			$claims = claims_with( array( 'iss' => 'https://id.example', 'iat' => $issued_at, 'exp' => $issued_at + 60 ) ); // phpcs:ignore
			return Gatepass_Poke::verify( token( header_with( array( 'typ' => 'gatepass-poke+jwt' ) ), $claims ), $connection );
		};
		expect( 5000 === $poke( 5000, $us ) && array() === Pretended::$options, 'nothing is kept of what is only looked at' );
		Gatepass_Poke::keep( 5000, $us );
		Gatepass_Poke::keep( 4990, $us );
		expect( 4880 === $poke( 4880, $us ), 'overtaken' );
		expect( null === $poke( 4879, $us ), 'repeated' );
		expect( 5001 === $poke( 5001, $us ) );
		// Pairing anew begins anew.
		expect( 1000 === $poke( 1000, connection( new Gatepass_Policy( null ) ) ) );
		Pretended::$options = array();
	},
	'standing_lets_in_until_its_time_and_not_at_it'    => static function () {
		$standing = Gatepass_Standing::from_array( array( 'allowed_until' => 1000 ) );
		expect( $standing->allows( 999 ) && ! $standing->allows( 1000 ) );
		expect( ! Gatepass_Standing::from_array( array() )->allows( 0 ), 'nothing known is shut' );
		foreach ( array( '1000', 1000.5, true, -1, null, array( 1000 ) ) as $odd ) {
			expect( ! Gatepass_Standing::from_array( array( 'allowed_until' => $odd ) )->allows( 0 ), gettype( $odd ) );
		}
	},
	'standing_of_another_epoch_is_not_newer'           => static function () {
		$standing = static function ( string $epoch, int $position ): Gatepass_Standing {
			return Gatepass_Standing::from_array( array( 'epoch' => $epoch, 'position' => $position ) ); // phpcs:ignore
		};
		expect( $standing( 'a', 2 )->is_newer_than( $standing( 'a', 1 ) ) );
		expect( ! $standing( 'a', 1 )->is_newer_than( $standing( 'a', 1 ) ) && ! $standing( 'a', 1 )->is_newer_than( $standing( 'a', 2 ) ) );
		expect( ! $standing( 'b', 2 )->is_newer_than( $standing( 'a', 1 ) ) );
	},
	'standing_goes_before_another_by_store_round_and_position' => static function () {
		$state    = sync_state( array( 'epoch' => 'b', 'round' => 5 ) ); // phpcs:ignore
		$standing = static function ( string $epoch, int $position, int $round ): Gatepass_Standing {
			return Gatepass_Standing::from_array( array( 'epoch' => $epoch, 'position' => $position, 'round' => $round ) ); // phpcs:ignore
		};
		$before   = static function ( Gatepass_Standing $known, Gatepass_Standing $said ) use ( $state ): bool {
			return Gatepass_Follower::goes_before( $known, $said, $state );
		};
		expect( $before( $standing( 'b', 9, 5 ), $standing( 'b', 8, 0 ) ) );
		expect( ! $before( $standing( 'b', 9, 5 ), $standing( 'b', 9, 0 ) ) && ! $before( $standing( 'b', 9, 5 ), $standing( 'b', 10, 0 ) ) );
		expect( ! $before( $standing( 'b', 9, 4 ), $standing( 'b', 2, 0 ) ), 'the store was put back' );
		expect( $before( $standing( 'b', 1, 5 ), $standing( 'a', 9, 0 ) ), 'a late word of the store before' );
		expect( ! $before( $standing( 'a', 9, 5 ), $standing( 'b', 1, 0 ) ) && ! $before( $standing( 'a', 9, 5 ), $standing( 'a', 9, 0 ) ) );
		$never = sync_state( array() );
		expect( ! Gatepass_Follower::goes_before( $standing( '', 0, 0 ), $standing( 'b', 1, 0 ), $never ), 'before the first pull' );
	},
	'standing_is_stored_and_read_as_it_is'             => static function () {
		$standing = Gatepass_Standing::from_array(
			array(
				'epoch'          => 'e',
				'position'       => 7,
				'status'         => 'past_due',
				'plan'           => 'gold',
				'grace_until'    => '2026-12-01T00:00:00Z',
				'allowed_until'  => 9007199254740,
				'sessions_ended' => 2,
			)
		);
		expect( Gatepass_Standing::from_array( $standing->to_array() )->to_array() === $standing->to_array() );
		expect( 3 === $standing->with( array( 'round' => 3 ) )->round() && 0 === $standing->round() );
		expect( 'past_due' === $standing->status() && 2 === $standing->sessions_ended() && 9007199254740 === $standing->allowed_until() );
	},
	'sync_state_of_another_pairing_counts_as_nothing'  => static function () {
		Pretended::$options = array();
		$ours               = connection( new Gatepass_Policy( null ) );
		$theirs             = connection( new Gatepass_Policy( null ) );
		$news               = array( 'cursor' => 7, 'complete' => true, 'epoch' => 'e', 'as_of' => 900 ); // phpcs:ignore
		Gatepass_Sync_State::of( $ours )->with( $news )->save();
		$state = Gatepass_Sync_State::of( $ours );
		expect( 7 === $state->cursor() && $state->is_complete() && 'e' === $state->epoch() && 900 === $state->as_of() );
		$state = Gatepass_Sync_State::of( $theirs );
		expect( 0 === $state->cursor() && ! $state->is_complete() && '' === $state->epoch() && $state->is_resyncing() );
		Pretended::$options = array();
	},
	'sync_state_takes_no_other_types'                  => static function () {
		$state = Gatepass_Sync_State::from_array( array( 'pairing' => 'x', 'cursor' => '7', 'complete' => 1, 'more' => 1 ), 'x' ); // phpcs:ignore
		expect( 0 === $state->cursor() && ! $state->is_complete() && ! isset( $state->to_array()['more'] ) );
	},
	'sync_state_begins_anew_in_another_round'          => static function () {
		$state = Gatepass_Sync_State::from_array( null, 'x' )->with( array( 'cursor' => 7, 'complete' => true, 'resyncing' => false, 'sweep' => 3, 'round' => 4 ) ); // phpcs:ignore
		$anew  = $state->with_death_at( 9 )->anew( 'b' );
		// Greater than any of before, also of a pairing that was forgotten.
		expect( $anew->round() >= time() - 1 && $anew->anew( 'c' )->round() > $anew->round() );
		expect( 0 === $anew->cursor() && $anew->is_resyncing() && 0 === $anew->sweep() && 'b' === $anew->epoch() );
		// Until it is through, what was known goes on counting.
		expect( $anew->is_complete() && 0 === $anew->deaths_at( 9 ) );
	},
	'sync_state_counts_deaths_by_position_and_forgets_old_ones' => static function () {
		$state = Gatepass_Sync_State::from_array( null, 'x' );
		for ( $position = 1; $position <= 60; $position++ ) {
			$state = $state->with_death_at( $position );
		}
		$state = $state->with_death_at( 60 );
		expect( 2 === $state->deaths_at( 60 ) && 1 === $state->deaths_at( 59 ) && 0 === $state->deaths_at( 1 ) );
	},
	'sync_state_believes_a_clock_that_is_about_right'  => static function () {
		expect( 0 === Gatepass_Sync_State::offset_of( 1005, 1000 ) && 0 === Gatepass_Sync_State::offset_of( 995, 1000 ) );
		expect( 6 === Gatepass_Sync_State::offset_of( 1006, 1000 ) && -3600 === Gatepass_Sync_State::offset_of( 1000, 4600 ) );
		$state = Gatepass_Sync_State::from_array( null, 'x' )->with( array( 'offset' => -3600 ) );
		expect( abs( $state->now() - time() + 3600 ) <= 1 );
	},
	'change_of_a_removed_member_lets_nobody_in'        => static function () {
		$member  = array(
			'subject'         => 'c-1',
			'position'        => 17,
			'member'          => array( 'email' => 'mia@example.com' ),
			'membership'      => array( 'status' => 'active' ),
			'consent'         => array( 'marketing_opt_in' => true ),
			'allowed_until'   => 5000,
			'sessions_ended'  => 3,
			'report_sessions' => true,
		);
		$change  = Gatepass_Change::from_array( $member, 'e' );
		$removed = Gatepass_Change::from_array( varied( $member, array( 'member' => null ) ), 'e' );
		expect( ! $change->is_removed() && 'mia@example.com' === $change->wanted()->text( 'email' ) && $change->wants_sessions() );
		expect( $change->standing()->allows( 4999 ) && 'active' === $change->standing()->status() && 'e' === $change->standing()->epoch() );
		expect( $removed->is_removed() && null === $removed->wanted() && 17 === $removed->position() && 3 === $removed->standing()->sessions_ended() );
		expect( ! $removed->standing()->allows( 1 ) && '' === $removed->standing()->status() );
		// What cannot be understood is no removal.
		foreach ( array( array(), 'odd', array( 'email' => 7 ) ) as $odd ) {
			$change = Gatepass_Change::from_array( array( 'member' => $odd ) + $member, 'e' );
			expect( ! $change->is_removed() && null === $change->wanted() );
		}
		foreach ( array( array( 'subject' => 'a b' ), array( 'subject' => null ), array( 'position' => 0 ), array( 'position' => '17' ) ) as $odd ) {
			expect( null === Gatepass_Change::from_array( varied( $member, $odd ), 'e' ) );
		}
	},
	'changes_are_read_or_are_none'                     => static function () {
		$answer = array(
			'epoch'       => 'e',
			'resync'      => false,
			'members'     => array( array( 'subject' => 'c-1', 'position' => 1 ), 'odd', array( 'subject' => 'c-2', 'position' => 2 ) ), // phpcs:ignore
			'next'        => 2,
			'more'        => true,
			'server_time' => '2026-11-22T20:00:00Z',
		);
		$page   = Gatepass_Changes::from_answer( $answer );
		expect( 2 === count( $page->changes() ) && 2 === $page->next() && $page->has_more() && ! $page->is_resync() && 1795377600 === $page->time() );
		$missing = array( array( 'epoch' => null ), array( 'epoch' => '' ), array( 'members' => null ), array( 'next' => null ), array( 'next' => -1 ), array( 'server_time' => 'soon' ) );
		foreach ( $missing as $odd ) {
			expect( null === Gatepass_Changes::from_answer( varied( $answer, $odd ) ), json_encode( $odd ) );
		}
	},
	'wanted_texts_are_texts'                           => static function () {
		$wanted = Gatepass_Wanted::from_array( array( 'email' => 'a@example.com', 'username' => null, 'display_name' => array( 'x' ), 'roles' => array( 'a', 7, 'b' ) ) ); // phpcs:ignore
		expect( '' === $wanted->text( 'username' ) && '' === $wanted->text( 'display_name' ) && array( 'a', 'b' ) === $wanted->roles() );
	},
	'consent_is_read_or_empty'                         => static function () {
		expect( null === Gatepass_Consent::from_array( null ) && null === Gatepass_Consent::from_array( '' ) );
		$consent = Gatepass_Consent::from_array( array( 'terms_accepted_at' => '2026-01-02T03:04:05Z', 'privacy_accepted_at' => '<script>', 'marketing_opt_in' => 'yes' ) ); // phpcs:ignore
		expect( '2026-01-02T03:04:05Z' === $consent->terms_accepted_at() && '' === $consent->privacy_accepted_at() && ! $consent->marketing_opt_in() );
	},
	'session_is_told_without_what_would_open_it'       => static function () {
		$verifier = hash( 'sha256', 'token' );
		$session  = array(
			'expiration' => 2000,
			'login'      => 1000,
			'ip'         => '2001:db8::1',
			'ua'         => "Fire\r\nfox \u{1F98A}",
			'gatepass'   => array(
				'handoff'   => 'ho_' . str_repeat( 'a', 26 ),
				'subject'   => 'c-1',
				'until'     => 1500,
				'on_behalf' => actor_with() + array( 'since' => 1000 ),
			),
		);
		$told     = Gatepass_Sessions::told( $verifier, $session );
		expect( 1 === preg_match( '/\A[0-9a-f]{16}\z/', $told['id'] ) && false === strpos( json_encode( $told ), substr( $verifier, 0, 16 ) ) );
		expect( '1970-01-01T00:16:40Z' === $told['started_at'] && '1970-01-01T00:33:20Z' === $told['expires_at'] );
		expect( '2001:db8::1' === $told['client_ip'] && "Firefox \u{1F98A}" === $told['user_agent'] );
		expect( 'ho_' . str_repeat( 'a', 26 ) === $told['handoff_id'] && true === $told['on_behalf'] );
		$told = Gatepass_Sessions::told( $verifier, array( 'expiration' => 2000, 'ip' => 'unknown', 'ua' => "\xff" ) ); // phpcs:ignore
		expect( null === $told['client_ip'] && null === $told['handoff_id'] && false === $told['on_behalf'] && '' === $told['user_agent'] );
	},
	'acks_go_in_portions_that_a_call_can_take'         => static function () {
		$ack  = static function ( int $number, int $length ): array {
			return array( 'subject' => 'c-' . $number, 'fill' => str_repeat( 'x', $length ) ); // phpcs:ignore
		};
		$acks = array_map( $ack, range( 1, 250 ), array_fill( 0, 250, 10 ) );
		expect( array( 100, 100, 50 ) === array_map( 'count', Gatepass_Sync::portions( $acks ) ) );
		$most = Gatepass_Sync::MAX_ACK_BYTES;
		$acks = array( $ack( 1, intdiv( $most, 2 ) ), $ack( 2, intdiv( $most, 2 ) ), $ack( 3, 2 * $most ), $ack( 4, 1 ) );
		expect( array( 1, 1, 1, 1 ) === array_map( 'count', Gatepass_Sync::portions( $acks ) ) );
		expect( array_merge( ...Gatepass_Sync::portions( $acks ) ) === $acks && array() === Gatepass_Sync::portions( array() ) );
	},

	'code_names_its_options_and_meta_in_one_place'     => static function () {
		foreach ( plugin_files() as $file ) {
			if ( false === strpos( $file, 'class-gatepass-names.php' ) ) {
				expect( 0 === preg_match( "/'gatepass_(?!uninstall)[a-z_]+'/", file_get_contents( $file ) ), $file );
			}
		}
	},
	'code_reads_the_request_in_one_place'              => static function () {
		foreach ( plugin_files() as $file ) {
			if ( false === strpos( $file, 'class-gatepass-request.php' ) ) {
				expect( 0 === preg_match( '/\$_(GET|POST|REQUEST|COOKIE|FILES)\b/', file_get_contents( $file ) ), $file );
			}
		}
	},
);

/**
 * The plugin's PHP files.
 *
 * @return string[]
 */
function plugin_files(): array {
	$folder = dirname( __DIR__ ) . '/gatepass';
	return array_merge( glob( $folder . '/*.php' ), glob( $folder . '/includes/*.php' ) );
}

/**
 * Syntax that PHP 7.4 does not have. Not all of it, but what one's fingers write by habit.
 *
 * @param string $code PHP code.
 * @return string[]
 */
function newer_than_7_4( string $code ): array {
	$newer  = array();
	$tokens = array_values(
		array_filter(
			token_get_all( $code ),
			static function ( $token ) {
				return ! is_array( $token ) || ! in_array( $token[0], array( T_WHITESPACE, T_COMMENT, T_DOC_COMMENT ), true );
			}
		)
	);
	$names  = array(
		'T_MATCH'                    => 'match',
		'T_NULLSAFE_OBJECT_OPERATOR' => '?->',
		'T_ENUM'                     => 'enum',
		'T_READONLY'                 => 'readonly',
		'T_ATTRIBUTE'                => 'attribute',
	);
	$text   = static function ( int $at ) use ( $tokens ): string {
		$token = $tokens[ $at ] ?? '';
		return is_array( $token ) ? $token[1] : $token;
	};
	foreach ( $tokens as $i => $token ) {
		$kind = is_array( $token ) ? token_name( $token[0] ) : '';
		if ( isset( $names[ $kind ] ) ) {
			$newer[] = $names[ $kind ];
		}
		if ( 'T_CATCH' === $kind && '$' !== $text( $i + 3 )[0] && '|' !== $text( $i + 3 ) ) {
			$newer[] = 'catch without variable';
		}
		if ( 'T_FUNCTION' !== $kind && 'T_FN' !== $kind ) {
			continue;
		}
		// The signature: up to the body, at depth 0 again.
		$depth = 0;
		for ( $j = $i + 1; '' !== $text( $j ); $j++ ) {
			$piece  = $text( $j );
			$depth += '(' === $piece ? 1 : ( ')' === $piece ? -1 : 0 );
			if ( 0 === $depth && in_array( $piece, array( '{', ';', '=>' ), true ) ) {
				break;
			}
			if ( '|' === $piece ) {
				$newer[] = 'union type';
			} elseif ( 1 === $depth && in_array( strtolower( $piece ), array( 'private', 'protected', 'public' ), true ) ) {
				$newer[] = 'promotion';
			} elseif ( ',' === $piece && ')' === $text( $j + 1 ) && 1 === $depth ) {
				$newer[] = 'trailing comma';
			} elseif ( ':' === $text( $j - 1 ) && in_array( strtolower( $piece ), array( 'mixed', 'static', 'never', 'false', 'null', 'true' ), true ) ) {
				$newer[] = 'return type ' . $piece;
			}
		}
	}
	return $newer;
}

$passed = 0;
$failed = 0;
foreach ( $tests as $name => $test ) {
	try {
		$test();
		++$passed;
		echo 'test ', $name, ' ... ok', PHP_EOL;
	} catch ( Throwable $failure ) {
		++$failed;
		echo 'test ', $name, ' ... FAILED: ', $failure->getMessage(), ' (', basename( $failure->getFile() ), ':', $failure->getLine(), ')', PHP_EOL;
	}
}
echo 'test result: ', 0 === $failed ? 'ok' : 'FAILED', ". {$passed} passed; {$failed} failed", PHP_EOL;
exit( 0 === $failed ? 0 : 1 );
