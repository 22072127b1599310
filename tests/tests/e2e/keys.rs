//! Keys that change: WordPress follows the broker's, and renews its own, whatever is lost or forged on the way.

use std::time::Duration;

use gatepass_core::clock::{Clock, System, random_bytes};
use gatepass_keys::{Action, KeyState, Keyring, KeyringError, KeyringFolder, Step, Wrapping};
use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::install;

/// Makes keys of a letter each, and what they sign. Answers in the bridge's place as the options say: `test_sets` are its key
/// sets, `test_known` the letters or the public halves of the site's keys that it knows, `test_renewal` what becomes of a
/// renewal. Every call to the bridge is noted. Only pokes of the test's own come through.
const COMPANION: &str = r#"<?php
if ( isset( $_GET['poke'] ) && ! isset( $_GET['test'] ) ) {
	status_header( 403 );
	exit;
}
function test_pair( $letter ) {
	return sodium_crypto_sign_seed_keypair( str_repeat( $letter, 32 ) );
}
function test_jwk( $letter, $status ) {
	$raw = sodium_crypto_sign_publickey( test_pair( $letter ) );
	return array( 'kty' => 'OKP', 'crv' => 'Ed25519', 'kid' => Gatepass_Key_Set::thumbprint( $raw ), 'x' => Gatepass_Base64url::encode( $raw ), 'status' => $status );
}
function test_sign( $type, $claims, $letter ) {
	$header = array( 'alg' => 'EdDSA', 'typ' => $type, 'kid' => test_jwk( $letter, '' )['kid'] );
	$input  = Gatepass_Base64url::encode( json_encode( $header ) ) . '.' . Gatepass_Base64url::encode( json_encode( $claims ) );
	return $input . '.' . Gatepass_Base64url::encode( sodium_crypto_sign_detached( $input, sodium_crypto_sign_secretkey( test_pair( $letter ) ) ) );
}
function test_jwks( $keys ) {
	return array_map( 'test_jwk', array_keys( $keys ), array_values( $keys ) );
}
function test_set( $version, $keys, $letter ) {
	return test_sign( 'gatepass-keys+jwt', array( 'version' => $version, 'iat' => 1000, 'keys' => test_jwks( $keys ) ), $letter );
}
function test_poke( $letter ) {
	$connection = ( new Gatepass_Store() )->connection();
	$claims     = array( 'iss' => $connection->issuer(), 'aud' => $connection->site_id(), 'jti' => '01900000-0000-7000-8000-000000000000', 'iat' => time(), 'exp' => time() + 60 );
	return test_sign( 'gatepass-poke+jwt', $claims, $letter );
}
// What is pinned: a signs, n comes next, r has signed.
function test_pin( $version = 5 ) {
	$keys = test_jwks( array( 'r' => 'retired', 'a' => 'active', 'n' => 'next' ) );
	update_option( 'gatepass_keys', array( 'pairing' => ( new Gatepass_Store() )->connection()->pairing(), 'version' => $version, 'keys' => $keys ) );
}
function test_rotated() {
	return array( 'version' => 6, 'key_sets' => array( test_set( 6, array( 'a' => 'retired', 'n' => 'active', 'm' => 'next' ), 'a' ) ) );
}
function test_answer( $status, $body ) {
	return array( 'headers' => array(), 'cookies' => array(), 'response' => array( 'code' => $status, 'message' => '' ), 'body' => is_string( $body ) ? $body : json_encode( $body ) );
}
function test_proof( $jws, $known ) {
	list( $header, $claims, $signature ) = explode( '.', $jws );
	foreach ( $known as $x ) {
		if ( sodium_crypto_sign_verify_detached( Gatepass_Base64url::decode( $signature ), $header . '.' . $claims, Gatepass_Base64url::decode( $x ) ) ) {
			return true;
		}
	}
	return false;
}
function test_known( $known ) {
	update_option( 'test_known', $known );
}
function test_own() {
	Gatepass_Store::forget_cached();
	return ( new Gatepass_Store() )->connection()->site_key()->public_x();
}
function test_renewal( $body ) {
	$x     = $body['public_key']['x'];
	$known = get_option( 'test_known' );
	if ( ! test_proof( $body['proof'], array( $x ) ) ) {
		return test_answer( 422, array( 'code' => 'proof_differs' ) );
	}
	$case = get_option( 'test_renewal', 'yes' );
	if ( 'lost before' === $case ) {
		return new WP_Error( 'http_request_failed', 'lost' );
	}
	// As the bridge does: it asks the site's own address.
	$nonce  = str_repeat( 'n', 43 );
	$answer = json_decode( wp_remote_retrieve_body( wp_remote_get( admin_url( 'admin-post.php?action=gatepass_challenge&nonce=' . $nonce ) ) ), true );
	$site   = ( new Gatepass_Store() )->connection()->site_id();
	$holds  = isset( $answer['signature'] ) && $site === $answer['site_id'] && sodium_crypto_sign_verify_detached( Gatepass_Base64url::decode( $answer['signature'] ), "gatepass-pairing-challenge\n$site\n$nonce", Gatepass_Base64url::decode( $x ) );
	if ( 'challenge' === $case || ! $holds ) {
		return test_answer( 422, array( 'code' => 'pairing_challenge_failed' ) );
	}
	if ( 'slow' === $case ) {
		sleep( 2 );
	}
	test_known( 'no overlap' === get_option( 'test_overlap' ) ? array( $x ) : array( $x, $known[0] ) );
	if ( 'lost after' === $case ) {
		return new WP_Error( 'http_request_failed', 'lost' );
	}
	return test_answer( 200, array( 'kid' => Gatepass_Key_Set::thumbprint( Gatepass_Base64url::decode( 'strange' === $case ? $known[0] : $x ) ), 'overlap_until' => gmdate( 'c', time() + 3600 ) ) );
}
add_filter( 'pre_http_request', function ( $answer, $arguments, $url ) {
	if ( false === strpos( $url, '/wp/v1/' ) ) {
		return $answer;
	}
	$path = strtok( substr( $url, strpos( $url, '/wp/v1/' ) + 7 ), '?' );
	file_put_contents( WP_CONTENT_DIR . '/calls', substr( $url, strpos( $url, '/wp/v1/' ) + 7 ) . "\n", FILE_APPEND );
	$known = get_option( 'test_known' );
	if ( $known && ! test_proof( substr( $arguments['headers']['Authorization'], 7 ), $known ) ) {
		return test_answer( 401, array( 'code' => 'site_proof_invalid', 'page' => 'temporary' ) );
	}
	if ( 'key-sets' === $path ) {
		switch ( get_option( 'test_case' ) ) {
			case 'killed':
				posix_kill( getmypid(), 9 );
				break;
			case 'killed while it writes':
				add_filter( 'pre_update_option_gatepass_keys', function () { posix_kill( getmypid(), 9 ); } );
				break;
			case 'slow':
				usleep( 1500000 );
				break;
			case 'overtaken':
				// As another process would: past this one's cache.
				$GLOBALS['wpdb']->update( $GLOBALS['wpdb']->options, array( 'option_value' => serialize( array( 'version' => 7, 'keys' => test_jwks( array( 'm' => 'active' ) ) ) + get_option( 'gatepass_keys' ) ) ), array( 'option_name' => 'gatepass_keys' ) );
				break;
			case 'down':
				return new WP_Error( 'http_request_failed', 'down' );
		}
		return get_option( 'test_sets' ) ? test_answer( 200, get_option( 'test_sets' ) ) : $answer;
	}
	if ( 'site-key' === $path ) {
		return $known ? test_renewal( json_decode( $arguments['body'], true ) ) : $answer;
	}
	if ( $known ) {
		return test_answer( 200, array( 'policy' => array(), 'epoch' => 'test', 'members' => array(), 'next' => 0, 'more' => false, 'server_time' => gmdate( 'c' ) ) );
	}
	return $answer;
}, 10, 3 );
add_filter( 'http_response', function ( $response, $arguments, $url ) {
	$version = get_option( 'test_keys_version' );
	$body    = false === strpos( $url, '/wp/v1/' ) ? null : json_decode( $response['body'], true );
	if ( $version && is_array( $body ) && false === strpos( $url, '/wp/v1/key-sets' ) ) {
		$response['body'] = json_encode( array( 'keys_version' => json_decode( $version ) ) + $body );
	}
	return $response;
}, 10, 3 );
"#;

/// A site whose pinned keys are those of letters.
struct House {
    stack: Stack,
}

impl House {
    async fn new() -> Result<Self> {
        let stack = Stack::start().await?;
        install(&stack, "companion.php", COMPANION)?;
        let house = Self { stack };
        house.eval("test_pin();")?;
        Ok(house)
    }

    /// The same, and a bridge that is played: it knows the site's key of now.
    async fn with_played_bridge() -> Result<Self> {
        let house = Self::new().await?;
        house.eval("test_known( array( test_own() ) );")?;
        Ok(house)
    }

    fn eval(&self, code: &str) -> Result<String> {
        self.stack.wordpress.eval(code)
    }

    fn json(&self, code: &str) -> Result<Value> {
        let said = self.eval(&format!("echo json_encode( {code} );"))?;
        serde_json::from_str(&said).map_err(|error| format!("{error}: {said}").into())
    }

    /// The version that is pinned, and the one that cannot be reached.
    fn pinned(&self) -> Result<(u64, u64)> {
        let said = self.json(
            "array( ( $c = ( new Gatepass_Store() )->connection() )->keys_version(), Gatepass_Keys::of( $c->pairing() )->lost() )",
        )?;
        Ok(serde_json::from_value(said)?)
    }

    /// Waits for what is done after an answer.
    async fn wait_for_pinned(&self, version: u64, lost: u64) -> Result {
        for _ in 0..100 {
            if self.pinned()? == (version, lost) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("{:?} instead of {:?}; {:?}", self.pinned()?, (version, lost), self.calls("")).into())
    }

    /// Calls to the bridge whose path begins so.
    fn calls(&self, path: &str) -> Vec<String> {
        let calls = std::fs::read_to_string(self.stack.wordpress.www().join("wp-content/calls"));
        let calls = calls.unwrap_or_default();
        calls.lines().filter(|line| line.starts_with(path)).map(ToOwned::to_owned).collect()
    }

    fn forget_calls(&self) {
        let _ = std::fs::remove_file(self.stack.wordpress.www().join("wp-content/calls"));
    }

    /// As if the last fetch were long ago.
    fn let_time_pass(&self) -> Result {
        self.stack
            .wordpress
            .query("UPDATE wp_options SET option_value = option_value - 11 WHERE option_name = 'gatepass_keys_asked'")?;
        Ok(())
    }

    async fn poke(&self, letter: char) -> Result<StatusCode> {
        let token = self.eval(&format!("echo test_poke( '{letter}' );"))?;
        self.post_poke(&token).await
    }

    async fn post_poke(&self, token: &str) -> Result<StatusCode> {
        Ok(self.stack.wordpress.visitor().post(&self.poke_url(), &[("poke", token)], "").await?.status())
    }

    fn poke_url(&self) -> String {
        format!("{}/wp-admin/admin-post.php?action=gatepass&poke=1&test=1", self.stack.wordpress.url())
    }

    /// Renews the site's key, and says what came of it.
    fn renew(&self) -> Result<String> {
        self.eval("echo Gatepass_Renewal::of_this_site()->run();")
    }

    fn own(&self) -> Result<String> {
        self.eval("echo test_own();")
    }

    /// What `wp gatepass status` says.
    fn status(&self) -> Result<Value> {
        let said = self.eval(
            "class WP_CLI { static function print_value( $value ) { echo json_encode( $value ); } } $s = new Gatepass_Store(); \
             ( new Gatepass_CLI( $s, new Gatepass_Pairing( $s, new Gatepass_Bridge( $s ) ) ) )->status( array(), array( 'format' => 'json' ) );",
        )?;
        serde_json::from_str(&said).map_err(|error| format!("{error}: {said}").into())
    }

    /// The state of Site Health's test of keys.
    fn health(&self) -> Result<String> {
        self.eval("require_once ABSPATH . 'wp-admin/includes/admin.php'; echo ( new Gatepass_Site_Health( new Gatepass_Store() ) )->test_keys()['status'];")
    }

    /// A member signs in by button.
    async fn sign_in(&self, subject: &str) -> Result {
        let (_, handoff) = self.stack.handoff(subject).await?;
        let answer = self.stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{subject}");
        Ok(())
    }

    /// What the administrator sees on the dashboard.
    async fn dashboard(&self) -> Result<String> {
        let owner = self.stack.wordpress.visitor();
        owner.log_in_with_password(ADMIN, PASSWORD).await?;
        Ok(owner.get("/wp-admin/index.php").await?.text().await?)
    }
}

pub async fn newer_keys_are_followed_whoever_tells_of_them() -> Result {
    let house = House::new().await?;
    house.eval("update_option( 'test_sets', test_rotated() );")?;
    house.sign_in("keys-silent").await?;
    assert_eq!(house.pinned()?, (5, 0));
    assert!(house.calls("key-sets").is_empty());

    house.eval("update_option( 'test_keys_version', 6 );")?;
    for teller in [
        "",
        "( new Gatepass_Heartbeat( new Gatepass_Store(), new Gatepass_Bridge( new Gatepass_Store() ) ) )->beat();",
        "Gatepass_Sync::of_this_site()->run( 20 );",
    ] {
        house.eval("test_pin();")?;
        house.let_time_pass()?;
        house.forget_calls();
        if teller.is_empty() {
            house.sign_in("keys-redeemer").await?;
        } else {
            house.eval(teller)?;
        }
        house.wait_for_pinned(6, 0).await?;
        assert_eq!(house.calls("key-sets"), ["key-sets?after=5"], "{teller}");
    }
    // From now on nobody asks, and a key that has left the set is nobody's.
    house.forget_calls();
    house.let_time_pass()?;
    house.sign_in("keys-redeemer").await?;
    assert!(house.calls("key-sets").is_empty());
    assert_eq!(house.poke('m').await?, StatusCode::OK);
    assert_eq!(house.poke('r').await?, StatusCode::UNAUTHORIZED);
    // What is no version is none.
    for version in ["7.5", "\"7\"", "-7", "1e19", "[7]", "true", "9007199254740992"] {
        house.forget_calls();
        house.let_time_pass()?;
        house.eval(&format!("update_option( 'test_keys_version', '{version}' );"))?;
        house.eval("Gatepass_Sync::of_this_site()->run( 20 );")?;
        assert!(house.calls("changes").len() == 1 && house.calls("key-sets").is_empty(), "{version}");
    }
    Ok(())
}

pub async fn a_poke_by_a_key_that_is_not_pinned_has_it_learnt_and_is_judged_then() -> Result {
    let house = House::new().await?;
    house.eval("update_option( 'test_sets', test_rotated() );")?;
    assert_eq!(house.poke('n').await?, StatusCode::OK);
    assert!(house.calls("key-sets").is_empty(), "a pinned key needs nobody");
    assert_eq!(house.poke('m').await?, StatusCode::OK);
    assert_eq!(house.pinned()?, (6, 0));
    assert_eq!(house.calls("key-sets").len(), 1);

    // Whoever invents keys costs one look at the bridge in ten seconds, however many they are, and has nothing pulled.
    house.let_time_pass()?;
    house.forget_calls();
    let forged =
        house.json("array_map( 'test_poke', str_split( 'bcdefghijklopqstuvwxyzBCDEFGHIJKLMNOPQRS' ) )")?;
    let forged: Vec<String> = serde_json::from_value(forged)?;
    house.eval("update_option( 'test_case', 'slow' );")?;
    let visitor = house.stack.wordpress.visitor();
    let url = house.poke_url();
    let mut posts = tokio::task::JoinSet::new();
    for token in forged {
        let (visitor, url) = (visitor.clone(), url.clone());
        posts.spawn(async move {
            let answer = visitor.post(&url, &[("poke", &token)], "").await;
            answer.map(|answer| answer.status()).map_err(|error| error.to_string())
        });
    }
    while let Some(status) = posts.join_next().await {
        assert_eq!(status??, StatusCode::UNAUTHORIZED);
    }
    assert_eq!((house.calls("key-sets").len(), house.calls("changes").len()), (1, 0));
    // A fresh key is hidden by that for ten seconds at most.
    house.eval("delete_option( 'test_case' ); test_pin(); update_option( 'test_sets', test_rotated() );")?;
    assert_eq!(house.poke('m').await?, StatusCode::UNAUTHORIZED);
    house.let_time_pass()?;
    assert_eq!(house.poke('m').await?, StatusCode::OK);

    // Nothing is asked for another site's or issuer's, nor while the owner has switched it off.
    house.let_time_pass()?;
    house.forget_calls();
    for claim in ["iss", "aud"] {
        let token = house.eval(&format!(
            "$c = json_decode( Gatepass_Base64url::decode( explode( '.', test_poke( 'x' ) )[1] ), true ); $c['{claim}'] .= 'x'; echo test_sign( 'gatepass-poke+jwt', $c, 'x' );"
        ))?;
        assert_eq!(house.post_poke(&token).await?, StatusCode::UNAUTHORIZED);
    }
    house.eval("( new Gatepass_Store() )->set_enabled( false );")?;
    assert_eq!(house.poke('x').await?, StatusCode::UNAUTHORIZED);
    assert!(house.calls("key-sets").is_empty());
    Ok(())
}

pub async fn a_fetch_that_dies_or_is_overtaken_harms_nothing() -> Result {
    let house = House::new().await?;
    house.eval("update_option( 'test_sets', test_rotated() );")?;
    let case = |name: &str| house.eval(&format!("update_option( 'test_case', '{name}' );"));
    for name in ["killed", "killed while it writes"] {
        case(name)?;
        assert_ne!(house.poke('m').await.unwrap_or(StatusCode::BAD_GATEWAY), StatusCode::OK);
        assert_eq!(house.pinned()?, (5, 0), "{name}");
        house.let_time_pass()?;
    }
    // The lock of the dead counts for half a minute.
    let old = "UPDATE wp_options SET option_value = CONCAT( '1', SUBSTRING( option_value, 11 ) ) WHERE option_name LIKE 'gatepass_lock_keys%'";
    house.stack.wordpress.query(old)?;
    for answer in ["down", "''"] {
        case("down")?;
        if answer != "down" {
            case("")?;
            house.eval("update_option( 'test_sets', '<html>' );")?;
        }
        assert_eq!(house.poke('m').await?, StatusCode::UNAUTHORIZED);
        assert_eq!(house.pinned()?, (5, 0), "silence and nonsense are no loss: {answer}");
        house.let_time_pass()?;
    }
    // Somebody has pinned version 7 while we waited for 6.
    house.eval("update_option( 'test_sets', test_rotated() );")?;
    case("overtaken")?;
    assert_eq!(house.poke('n').await?, StatusCode::OK, "nobody fetches");
    house.poke('x').await?;
    assert_eq!(house.pinned()?, (7, 0));
    case("")?;
    assert_eq!(house.poke('m').await?, StatusCode::OK);
    assert_eq!(house.poke('a').await?, StatusCode::UNAUTHORIZED);
    Ok(())
}

pub async fn a_site_that_slept_too_long_says_so_and_signs_in_all_the_same() -> Result {
    let house = House::new().await?;
    assert_eq!(house.health()?, "good");
    // Its signer had not been heard of when this site fell asleep.
    house.eval("update_option( 'test_sets', array( 'version' => 40, 'key_sets' => array( test_set( 40, array( 'z' => 'active' ), 'y' ), test_set( 39, array( 'y' => 'active' ), 'r' ) ) ) ); update_option( 'test_keys_version', 40 );")?;
    house.sign_in("keys-late").await?;
    house.wait_for_pinned(5, 40).await?;
    house.let_time_pass()?;
    house.forget_calls();
    house.sign_in("keys-late").await?;
    assert!(house.calls("key-sets").is_empty(), "the same version again is no news");
    assert_eq!(house.health()?, "critical");
    let notice = "lost track of your panel’s keys";
    assert!(house.dashboard().await?.contains(notice));
    let status = house.status()?;
    assert_eq!((&status["keys_version"], &status["keys_lost"]), (&json!(5), &json!(true)), "{status}");

    // The next heartbeat tries again; should the bridge find the missing link, all is well.
    let beat = "( new Gatepass_Heartbeat( new Gatepass_Store(), new Gatepass_Bridge( new Gatepass_Store() ) ) )->beat();";
    house.eval(beat)?;
    assert_eq!((house.calls("key-sets").len(), house.pinned()?), (1, (5, 40)));
    house.let_time_pass()?;
    house.eval("update_option( 'test_sets', array( 'version' => 40, 'key_sets' => array( test_set( 30, array( 'y' => 'active' ), 'n' ), test_set( 40, array( 'z' => 'active' ), 'y' ) ) ) );")?;
    house.eval(beat)?;
    assert_eq!((house.pinned()?, house.health()?.as_str()), ((40, 0), "good"));
    assert!(!house.dashboard().await?.contains(notice));

    // And so it is when the site is paired again: nothing is left of what was.
    house.eval("update_option( 'test_keys_version', 50 ); update_option( 'test_sets', array( 'version' => 50, 'key_sets' => array() ) );")?;
    house.let_time_pass()?;
    house.sign_in("keys-late").await?;
    house.wait_for_pinned(40, 50).await?;
    house.eval("delete_option( 'test_keys_version' ); delete_option( 'test_sets' );")?;
    let code =
        house.stack.gatepass.command(&["site", "pairing-code", house.stack.api.site(), "--replace"])?;
    house.stack.wordpress.pair(code.trim())?;
    assert_eq!(house.pinned()?.1, 0);
    assert_eq!(house.eval("echo get_option( 'gatepass_keys' );")?, "");
    house.sign_in("keys-late").await?;
    Ok(())
}

pub async fn a_site_gets_a_new_key_of_its_own_and_stays_who_it_is() -> Result {
    let house = House::with_played_bridge().await?;
    let challenge = format!("/wp-admin/admin-post.php?action=gatepass_challenge&nonce={}", "n".repeat(43));
    let visitor = house.stack.wordpress.visitor();
    assert_eq!(visitor.get(&challenge).await?.status(), StatusCode::NOT_FOUND);
    house.eval("Gatepass_Sync::of_this_site()->run( 20 );")?;
    let who = "array( Gatepass_Sync_State::of( $c = ( new Gatepass_Store() )->connection() )->to_array(), ( new Gatepass_Store() )->gate_rules()->to_array(), $c->pairing() )";
    let (before, known) = (house.own()?, house.json(who)?);
    assert_ne!(known[0]["as_of"], 0);

    assert_eq!(house.renew()?, "");
    let after = house.own()?;
    assert_ne!(after, before);
    assert_eq!(house.json("get_option( 'test_known' )")?, json!([after, before]));
    assert_eq!(house.json(who)?, known, "members and gate go on");
    assert_eq!(visitor.get(&challenge).await?.status(), StatusCode::NOT_FOUND);
    // A bridge that has not heard of it yet knows us by the one before.
    house.eval(&format!("test_known( array( '{before}' ) );"))?;
    let pull = "echo Gatepass_Sync::of_this_site()->run( 20 )->outcome();";
    assert_eq!(house.eval(pull)?, "complete");
    // Or has lost it in a failover: so it is told again, for the one before is good for an hour only.
    house.eval(
        "update_option( 'gatepass_keys', array( 'previous_until' => 1 ) + get_option( 'gatepass_keys' ) );",
    )?;
    assert_eq!(house.eval(pull)?, "complete");
    house.eval("Gatepass_Renewal::on_cron();")?;
    assert_eq!(house.own()?, after);
    assert_eq!(house.json("get_option( 'test_known' )")?, json!([after, before]));
    // The same when the owner presses the button, who is told the truth.
    house.eval(&format!("test_known( array( '{before}' ) );"))?;
    assert_eq!((house.renew()?.as_str(), house.own()?), ("", after.clone()));
    assert_eq!(house.json("get_option( 'test_known' )")?, json!([after, before]));
    // The one before is forgotten when its hour is over.
    house.eval(&format!("test_known( array( '{after}' ) );"))?;
    let stored = |name: &str| house.eval(&format!("echo get_option( 'gatepass_keys' )['{name}'];"));
    house.eval("Gatepass_Renewal::on_cron();")?;
    assert_ne!(stored("previous")?, "");
    house.eval("update_option( 'gatepass_keys', array( 'previous_until' => time() - 1 ) + get_option( 'gatepass_keys' ) ); Gatepass_Renewal::on_cron();")?;
    assert_eq!((stored("previous")?.as_str(), house.own()?), ("", after.clone()));

    // By itself when it is 90 days old, and not before.
    for (days, renewed) in [(89, false), (-89, false), (90, true)] {
        house.eval(&format!("update_option( 'gatepass_keys', array( 'since' => time() - {days} * DAY_IN_SECONDS ) + get_option( 'gatepass_keys' ) ); Gatepass_Renewal::on_cron();"))?;
        assert_eq!(house.own()? != after, renewed, "{days}");
    }
    // Nor does one made while the clock was years ahead stay until then.
    let before = house.own()?;
    house.eval("update_option( 'gatepass_keys', array( 'since' => time() + YEAR_IN_SECONDS ) + get_option( 'gatepass_keys' ) ); Gatepass_Renewal::on_cron();")?;
    assert_ne!(house.own()?, before);
    // WordPress runs that with the heartbeat.
    let before = house.own()?;
    house.eval("update_option( 'gatepass_keys', array( 'since' => 1000 ) + get_option( 'gatepass_keys' ) ); wp_clear_scheduled_hook( 'gatepass_heartbeat' ); wp_schedule_single_event( time() - 1, 'gatepass_heartbeat' );")?;
    visitor.get("/wp-cron.php").await?;
    for _ in 0..100 {
        if house.own()? != before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_ne!(house.own()?, before);
    // By the button.
    let owner = house.stack.wordpress.visitor();
    owner.log_in_with_password(ADMIN, PASSWORD).await?;
    let page = owner.get("/wp-admin/options-general.php?page=gatepass").await?.text().await?;
    let nonce = page.split("name=\"_wpnonce\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let form = [("action", "gatepass_settings"), ("do", "renew_key"), ("_wpnonce", nonce.ok_or("no nonce")?)];
    let before = house.own()?;
    let url = format!("{}/wp-admin/admin-post.php", house.stack.wordpress.url());
    owner.post(&url, &form, house.stack.wordpress.url()).await?;
    let page = owner.get("/wp-admin/options-general.php?page=gatepass&settings-updated=true").await?;
    assert!(page.text().await?.contains("This site has a new key."));
    assert_ne!(house.own()?, before);
    Ok(())
}

pub async fn whatever_is_lost_of_a_renewal_one_of_the_keys_is_the_right_one() -> Result {
    let house = House::with_played_bridge().await?;
    let case = |name: &str| house.eval(&format!("update_option( 'test_renewal', '{name}' );"));
    let first = house.own()?;
    for (name, said) in [
        ("lost before", "bridge_unreachable"),
        ("challenge", "pairing_challenge_failed"),
        ("strange", "bridge_unreachable"),
    ] {
        case(name)?;
        house.eval(&format!("test_known( array( '{first}' ) );"))?;
        assert_eq!(house.renew()?, said, "{name}");
        assert_eq!(house.own()?, first, "{name}");
    }
    let pending =
        "echo Gatepass_Site_Key::from_stored( get_option( 'gatepass_keys' )['pending'] )->public_x();";
    let next = house.eval(pending)?;

    // Taken, and the answer lost: the old key still counts, and the next try is for the same new one.
    case("lost after")?;
    house.eval(&format!("test_known( array( '{first}' ) );"))?;
    assert_eq!(house.renew()?, "bridge_unreachable");
    assert_eq!((house.own()?, house.eval(pending)?), (first.clone(), next.clone()));
    assert_eq!(house.json("get_option( 'test_known' )")?, json!([next, first]));
    case("yes")?;
    house.eval("Gatepass_Renewal::on_cron();")?;
    assert_eq!(house.own()?, next);

    // The same, and nobody looked until the old one counts no more: whoever asks first finds out.
    case("lost after")?;
    house.eval("update_option( 'test_overlap', 'no overlap' );")?;
    assert_eq!(house.renew()?, "bridge_unreachable");
    assert_eq!(house.own()?, next);
    assert_eq!(house.eval("echo Gatepass_Sync::of_this_site()->run( 20 )->outcome();")?, "complete");
    assert_eq!(json!([house.own()?]), house.json("get_option( 'test_known' )")?);
    assert_ne!(house.own()?, next);
    assert_eq!(house.renew()?, "bridge_unreachable");
    assert_eq!(house.renew()?, "", "the heartbeat before it finds out");

    // Two at once: one renews, and both end with the key that the bridge knows.
    case("slow")?;
    house.eval("delete_option( 'test_overlap' );")?;
    house.forget_calls();
    let (one, other) = std::thread::scope(|scope| {
        let run = || house.renew().map_err(|error| error.to_string());
        let (one, other) = (scope.spawn(run), scope.spawn(run));
        (one.join(), other.join())
    });
    let mut said = [one.map_err(|_| "panicked")??, other.map_err(|_| "panicked")??];
    said.sort();
    assert_eq!(said, ["", "busy"]);
    assert_eq!(house.calls("site-key").len(), 1);
    assert_eq!(house.json("get_option( 'test_known' )")?[0], json!(house.own()?));
    Ok(())
}

pub async fn a_backup_that_is_too_old_is_told_of_and_one_that_is_not_works() -> Result {
    let house = House::with_played_bridge().await?;
    let backup = house.eval("echo base64_encode( serialize( get_option( 'gatepass_keys' ) ) );")?;
    let restore = format!("update_option( 'gatepass_keys', unserialize( base64_decode( '{backup}' ) ) );");
    let old = house.own()?;
    assert_eq!(house.renew()?, "");
    let pull = "echo Gatepass_Sync::of_this_site()->run( 20 )->outcome();";
    // Within the hour the bridge takes the key before.
    house.eval(&restore)?;
    assert_eq!((house.own()?, house.eval(pull)?.as_str()), (old.clone(), "complete"));
    assert_eq!(house.health()?, "good");
    // Later it does not, and nobody but the owner can do anything about it.
    house.eval("test_known( array( get_option( 'test_known' )[0] ) );")?;
    assert_eq!(house.eval(pull)?, "failed");
    assert_eq!(house.renew()?, "site_proof_invalid");
    assert_eq!(house.health()?, "good", "a moment is no news");
    house.eval("update_option( 'gatepass_keys', array( 'refused_at' => time() - 60 ) + get_option( 'gatepass_keys' ) );")?;
    assert_eq!(house.health()?, "critical");
    let notice = "does not know this site’s key any more";
    assert!(house.dashboard().await?.contains(notice));
    // Known again, whyever: all is well.
    house.eval(&format!("test_known( array( '{old}' ) );"))?;
    assert_eq!(house.eval(pull)?, "complete");
    assert_eq!(house.health()?, "good");
    assert!(!house.dashboard().await?.contains(notice));
    // An older set of the broker's is followed from where it is.
    house.eval("update_option( 'test_sets', test_rotated() ); update_option( 'test_keys_version', 6 );")?;
    assert_eq!(house.poke('m').await?, StatusCode::OK);
    assert_eq!(house.pinned()?, (6, 0));
    house.eval(&restore)?;
    house.let_time_pass()?;
    assert_eq!(house.poke('m').await?, StatusCode::OK);
    assert_eq!(house.pinned()?, (6, 0));
    Ok(())
}

/// Changes the broker's keyring as an operator may, whether or not it is due.
fn change(stack: &Stack, decide: impl FnOnce(&Keyring) -> Vec<Action>) -> Result<Keyring> {
    let folder = KeyringFolder::new(stack.gatepass.data_dir().join("keyring"), Wrapping::none());
    let now = u64::try_from(System.now().secs())?;
    let decide = |keyring: &Keyring| Ok::<_, KeyringError>(decide(keyring));
    Ok(folder.change(random_bytes(&System)?, now, "a test", decide)?)
}

/// The key that is next signs, and another is published.
fn rotate(stack: &Stack) -> Result<u64> {
    let next = |keyring: &Keyring| {
        let next = keyring.entries().iter().find(|key| key.state == KeyState::Next);
        next.map(|key| key.kid.clone())
    };
    let publish = |keyring: &Keyring| match next(keyring) {
        None => vec![Action::Take(Step::Publish)],
        Some(_) => Vec::new(),
    };
    change(stack, publish)?;
    change(stack, |keyring| next(keyring).map(|kid| Action::Take(Step::Promote(kid))).into_iter().collect())?;
    Ok(change(stack, publish)?.revision())
}

/// Waits until the site has pinned at least this version. It asks every five minutes what has changed, and is told then;
/// here it asks all the time.
async fn wait_until_site_has(stack: &Stack, version: u64) -> Result {
    let mut pinned = 0;
    for _ in 0..60 {
        let said = stack.wordpress.eval(
            "Gatepass_Sync::of_this_site()->run( 3 ); Gatepass_Store::forget_cached(); echo ( new Gatepass_Store() )->connection()->keys_version();",
        )?;
        pinned = said.parse()?;
        if pinned >= version {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(format!("version {pinned} instead of {version}").into())
}

pub async fn a_real_site_follows_its_real_broker_and_no_login_fails() -> Result {
    let stack = Stack::start().await?;
    let sign_in = async |subject: &str| -> Result {
        let (_, handoff) = stack.handoff(subject).await?;
        let answer = stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{subject}");
        Ok(())
    };
    // Rotation for rotation.
    for number in 0..2 {
        let version = rotate(&stack)?;
        sign_in(&format!("keys-real-{number}")).await?;
        wait_until_site_has(&stack, version).await?;
    }
    // Asleep through many, and awake by a member that its panel changes: the poke is by a key it has never heard of.
    let mut version = 0;
    for _ in 0..12 {
        version = rotate(&stack)?;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    stack.member("keys-awake").await?;
    for _ in 0..100 {
        if stack.wordpress.user_id("keys-awake@example.com")?.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(stack.wordpress.user_id("keys-awake@example.com")?.is_some(), "the poke was taken");
    wait_until_site_has(&stack, version).await?;
    let lost = "echo Gatepass_Keys::of( ( new Gatepass_Store() )->connection()->pairing() )->lost();";
    assert_eq!(stack.wordpress.eval(lost)?, "0");
    // An emergency: the key that leaked vouches for the fresh ones once, and never again.
    let emergency = change(&stack, |_| vec![Action::ReplaceAll { reason: "a test".to_owned() }])?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    sign_in("keys-emergency").await?;
    wait_until_site_has(&stack, emergency.revision()).await?;

    // A pairing code from before a rotation pairs all the same, and leads to the keys of now.
    let code = stack.gatepass.command(&["site", "pairing-code", stack.api.site(), "--replace"])?;
    let version = rotate(&stack)?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stack.wordpress.pair(code.trim())?;
    sign_in("keys-paired-again").await?;
    wait_until_site_has(&stack, version).await?;
    // And the operator sees which version the site has.
    stack.wordpress.eval("( new Gatepass_Heartbeat( new Gatepass_Store(), new Gatepass_Bridge( new Gatepass_Store() ) ) )->beat();")?;
    let pinned = stack.wordpress.eval("echo ( new Gatepass_Store() )->connection()->keys_version();")?;
    let shown: Value = serde_json::from_str(&stack.gatepass.command(&["site", "show", stack.api.site()])?)?;
    assert_eq!(shown["seen"]["versions"]["keys"], pinned.as_str(), "{shown}");
    Ok(())
}

pub async fn a_real_bridge_takes_the_sites_new_key_and_the_one_before_for_a_while() -> Result {
    let stack = Stack::start().await?;
    let eval = |code: &str| stack.wordpress.eval(code);
    let kid =
        "Gatepass_Store::forget_cached(); echo ( new Gatepass_Store() )->connection()->site_key()->kid();";
    let renew = "echo Gatepass_Renewal::of_this_site()->run();";
    let pull = "echo Gatepass_Sync::of_this_site()->run( 20 )->outcome();";
    let before = eval(kid)?;
    let backup = eval("echo base64_encode( serialize( get_option( 'gatepass_keys' ) ) );")?;
    assert_eq!(eval(renew)?, "");
    let after = eval(kid)?;
    assert_ne!(after, before);
    let (_, handoff) = stack.handoff("keys-renewed").await?;
    let answer = stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(eval(pull)?, "complete");

    // A backup with the key before works for an hour, but gets no third key in the place of the second.
    eval(&format!("update_option( 'gatepass_keys', unserialize( base64_decode( '{backup}' ) ) );"))?;
    assert_eq!((eval(kid)?, eval(pull)?), (before, "complete".to_owned()));
    assert_eq!(eval(renew)?, "site_key_superseded");
    Ok(())
}
