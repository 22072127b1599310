//! The plugin in company: other plugins that refuse, throw, take cookies back or are slow, an owner who changes
//! something while a login is under way, and answers that get lost.

use std::time::{Duration, Instant};

use data_encoding::BASE64URL_NOPAD;
use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;

use crate::refusals::{NO_ACCOUNT, assert_page};

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

/// What it does is said by the option `test_case`, so that a test can change its mind.
const COMPANION: &str = r##"<?php
function test_case( $name ) {
	return get_option( 'test_case' ) === $name;
}
function test_only( $url, $end ) {
	return substr( $url, -strlen( $end ) ) === $end;
}
// Somebody else's request, between the bridge's answer and our reading of it: past every cache.
add_filter( 'http_response', function ( $response, $arguments, $url ) {
	global $wpdb;
	if ( test_only( $url, '/wp/v1/pairings' ) && test_case( 'lose' ) ) {
		return new WP_Error( 'http_request_failed', 'cURL error 28: told nobody' );
	}
	// The policy has changed, whoever asks.
	$response['body'] = preg_replace( '#"panel_url":"[^"]*"#', '"panel_url":"https://moved.example/"', $response['body'] );
	if ( ! test_only( $url, '/wp/v1/redemptions' ) ) {
		return $response;
	}
	$row = $wpdb->get_var( "SELECT option_value FROM {$wpdb->options} WHERE option_name = 'gatepass_connection'" );
	if ( test_case( 'paired anew' ) ) {
		$pair            = sodium_crypto_sign_secretkey( sodium_crypto_sign_keypair() );
		$new             = unserialize( $row );
		$new['site_key'] = rtrim( strtr( base64_encode( $pair ), '+/', '-_' ), '=' );
		$wpdb->update( $wpdb->options, array( 'option_value' => serialize( $new ) ), array( 'option_name' => 'gatepass_connection' ) );
	}
	if ( test_case( 'unpaired' ) ) {
		$wpdb->delete( $wpdb->options, array( 'option_name' => 'gatepass_connection' ) );
	}
	if ( test_case( 'switched off' ) ) {
		$wpdb->insert( $wpdb->options, array( 'option_name' => 'gatepass_enabled', 'option_value' => '0', 'autoload' => 'no' ) );
	}
	return $response;
}, 10, 3 );
add_filter( 'wp_authenticate_user', function ( $user ) {
	return test_case( 'disabled' ) || test_case( 'disabled, not asked' ) ? new WP_Error( 'disabled', 'no' ) : $user;
} );
add_filter( 'gatepass_check_wp_authenticate_user', function ( $check ) {
	return test_case( 'disabled, not asked' ) ? false : $check;
} );
add_filter( 'gatepass_may_sign_in', function ( $may, $user, $subject ) {
	return test_case( 'not ' . $subject ) && $user instanceof WP_User ? new WP_Error( 'no', 'no' ) : $may;
}, 10, 3 );
foreach ( array( 'set_auth_cookie', 'wp_login' ) as $hook ) {
	add_action( $hook, function () use ( $hook ) {
		if ( test_case( 'throw in ' . $hook ) ) {
			throw new RuntimeException( 'a secret' );
		}
	} );
}
add_action( 'wp_login', function () {
	if ( test_case( 'second factor' ) ) {
		wp_clear_auth_cookie();
		echo 'Your code, please';
		exit;
	}
	if ( test_case( 'second factor later' ) ) {
		wp_clear_auth_cookie();
	}
}, PHP_INT_MAX );
add_action( 'user_register', function ( $id ) {
	if ( 0 === strpos( get_userdata( $id )->user_email, 'slow' ) ) {
		sleep( 4 );
	}
} );
class Test_Shop_Session {
	public $of;
	public function destroy_session() {
		update_option( 'test_cart_left', $this->of );
	}
}
class Test_Shop {
	public $session;
	public function initialize_session() {
		$this->session     = new Test_Shop_Session();
		$this->session->of = get_current_user_id();
	}
}
function WC() {
	static $shop;
	return $shop = $shop ?? new Test_Shop();
}
if ( test_case( 'no origin' ) ) {
	unset( $_SERVER['HTTP_ORIGIN'] );
}
"##;

/// A stack in whose WordPress the companion lives.
async fn stack() -> Result<Stack> {
    let stack = Stack::start().await?;
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("companion.php"), COMPANION)?;
    Ok(stack)
}

fn case(stack: &Stack, name: &str) -> Result {
    stack.wordpress.eval(&format!("update_option( 'test_case', '{name}' );"))?;
    Ok(())
}

fn option(stack: &Stack, name: &str) -> Result<String> {
    stack.wordpress.query(&format!("SELECT option_value FROM wp_options WHERE option_name = '{name}'"))
}

/// A new pairing code for the stack's site.
fn new_code(stack: &Stack) -> Result<String> {
    let said = stack.gatepass.command(&["site", "pairing-code", stack.api.site()])?;
    Ok(said.trim().to_owned())
}

/// The member is signed in.
async fn assert_login(stack: &Stack, subject: &str) -> Result {
    let (_, handoff) = stack.handoff(subject).await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{subject}");
    assert!(visitor.is_signed_in().await?, "{subject}");
    Ok(())
}

/// The member is not signed in, there is no session, and the trail has this cause.
async fn assert_refused(stack: &Stack, subject: &str, cause: &str) -> Result {
    let (member, handoff) = stack.handoff(subject).await?;
    let sessions = stack.wordpress.session_rows(&member.email)?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), UNAVAILABLE, "{subject}");
    assert!(answer.text().await?.contains(NO_ACCOUNT), "{subject}");
    assert!(!visitor.is_signed_in().await?, "{subject}");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, sessions, "{subject}");
    assert_eq!(stack.api.wait_for_state(&handoff.id, "refused").await?["refusal"], cause, "{subject}");
    Ok(())
}

pub async fn a_login_under_way_undoes_nothing_that_the_owner_does_meanwhile() -> Result {
    let stack = stack().await?;
    let paired = option(&stack, "gatepass_connection")?;
    assert_login(&stack, "policy").await?;
    assert_eq!(option(&stack, "gatepass_connection")?, paired, "a changed policy writes no key");
    assert!(option(&stack, "gatepass_policy")?.contains("https://moved.example/"));

    let (member, handoff) = stack.handoff("off").await?;
    case(&stack, "switched off")?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, UNAVAILABLE, "switched off").await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    stack.wordpress.eval("( new Gatepass_Store() )->set_enabled( true );")?;

    let (member, handoff) = stack.handoff("anew").await?;
    case(&stack, "paired anew")?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, StatusCode::GONE, crate::refusals::ASK_AGAIN).await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    assert_ne!(option(&stack, "gatepass_connection")?, paired, "the new key stays");

    // The site has its own key back, and is unpaired in the midst of a login.
    let repair = "$s = new Gatepass_Store(); $c = get_option( 'gatepass_connection' ); \
        $c['site_key'] = getenv( 'TEST_KEY' ); update_option( 'gatepass_connection', $c );";
    let key = paired.split("\"site_key\";s:86:\"").nth(1).and_then(|rest| rest.split('"').next());
    stack.wordpress.eval(
        &repair.replace(
            "getenv( 'TEST_KEY' )",
            &format!("'{}'", key.ok_or("no key of 64 bytes in the option")?),
        ),
    )?;
    let (member, handoff) = stack.handoff("unpaired").await?;
    case(&stack, "unpaired")?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, UNAVAILABLE, "not set up yet").await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    assert_eq!(option(&stack, "gatepass_connection")?, "", "what is gone stays gone");
    Ok(())
}

pub async fn a_lost_answer_to_a_pairing_is_asked_for_again_with_the_same_code() -> Result {
    let stack = stack().await?;
    assert_login(&stack, "before").await?;
    let code = new_code(&stack)?;
    case(&stack, "lose")?;
    let said = stack.wordpress.pair(&code).err().ok_or("it paired without an answer")?.to_string();
    assert!(said.contains("same code") && !said.contains("cURL"), "{said}");
    let pending = option(&stack, "gatepass_pending_pairing")?;
    assert!(!pending.is_empty(), "the key that the bridge has taken is gone");
    // Twice lost is no worse.
    stack.wordpress.pair(&code).err().ok_or("it paired without an answer")?;
    assert_eq!(option(&stack, "gatepass_pending_pairing")?, pending);

    case(&stack, "")?;
    stack.wordpress.pair(&code)?;
    assert_eq!(option(&stack, "gatepass_pending_pairing")?, "");
    assert_login(&stack, "after").await?;

    // A code that is known to be of no use leaves no key behind.
    new_code(&stack)?;
    let unknown = format!("{}A", code.get(..code.len() - 1).ok_or("no code")?);
    stack.wordpress.pair(&unknown).err().ok_or("half a code paired")?;
    assert_eq!(option(&stack, "gatepass_pending_pairing")?, "");
    assert_login(&stack, "still").await
}

pub async fn pairing_again_works_though_the_sites_clock_is_wrong() -> Result {
    let stack = stack().await?;
    for offset in [-7200, 7200] {
        stack.wordpress.eval(&format!("update_option( 'gatepass_clock_offset', {offset} );"))?;
        stack.wordpress.pair(&new_code(&stack)?)?;
        let learnt: i64 = option(&stack, "gatepass_clock_offset")?.trim().parse()?;
        assert!(learnt.abs() <= 2, "it learnt {learnt}, or forgot it when it was paired");
        assert_login(&stack, &format!("clock{offset}")).await?;
    }
    Ok(())
}

pub async fn an_account_that_another_plugin_disables_is_not_signed_in() -> Result {
    let stack = stack().await?;
    assert_login(&stack, "disabled").await?;
    case(&stack, "disabled")?;
    assert_refused(&stack, "disabled", "account_blocked").await?;
    case(&stack, "disabled, not asked")?;
    assert_login(&stack, "disabled").await?;
    case(&stack, "not disabled")?;
    assert_refused(&stack, "disabled", "account_blocked").await?;
    assert_login(&stack, "another").await
}

pub async fn a_second_factor_that_only_takes_the_cookies_back_lets_nobody_in() -> Result {
    let stack = stack().await?;
    for (name, status) in [("second factor", StatusCode::OK), ("second factor later", StatusCode::SEE_OTHER)]
    {
        let subject = name.replace(' ', "-");
        case(&stack, name)?;
        let (member, handoff) = stack.handoff(&subject).await?;
        let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
        // The repeat passes through the second factor as well.
        for _ in 0..2 {
            assert_eq!(visitor.redeem(&handoff, &attempt).await?.status(), status, "{name}");
            assert!(!visitor.is_signed_in().await?, "{name}");
            assert_eq!(stack.wordpress.session_rows(&member.email)?, 0, "{name}");
        }
        let state = stack.api.handoff(&handoff.id).await?;
        assert_eq!(state["state"], "redeemed", "{name}: it says that somebody is in");
    }
    assert_eq!(
        stack
            .wordpress
            .query("SELECT option_name FROM wp_options WHERE option_name LIKE 'gatepass_lock%'")?,
        ""
    );
    Ok(())
}

pub async fn another_plugins_exception_leaves_neither_a_session_nor_a_lock() -> Result {
    let stack = stack().await?;
    assert_login(&stack, "thrown").await?;
    for hook in ["set_auth_cookie", "wp_login"] {
        case(&stack, &format!("throw in {hook}"))?;
        assert_refused(&stack, "thrown", "internal").await?;
        case(&stack, "")?;
        let begun = Instant::now();
        assert_login(&stack, "thrown").await?;
        assert!(begun.elapsed() < Duration::from_secs(5), "{hook}: it waited for a lock");
    }
    let log = std::fs::read_to_string(stack.wordpress.debug_log())?;
    assert!(log.contains("RuntimeException") && !log.contains("a secret"), "{log}");
    Ok(())
}

pub async fn a_slow_plugin_holds_up_no_other_new_customer() -> Result {
    let stack = stack().await?;
    let (_, slow) = stack.handoff("slow").await?;
    let (_, quick) = stack.handoff("quick").await?;
    let (a, b) = (stack.wordpress.visitor(), stack.wordpress.visitor());
    let (attempt_a, attempt_b) = (wordpress::new_attempt()?, wordpress::new_attempt()?);
    let begun = Instant::now();
    let (first, second) = tokio::join!(a.redeem(&slow, &attempt_a), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        (b.redeem(&quick, &attempt_b).await, begun.elapsed())
    });
    assert_eq!((first?.status(), second.0?.status()), (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER));
    assert!(begun.elapsed() > Duration::from_secs(4), "the slow one was quick");
    assert!(second.1 < Duration::from_millis(3500), "the quick one took {:?}", second.1);
    Ok(())
}

pub async fn the_cart_of_the_account_before_is_left() -> Result {
    let stack = stack().await?;
    let (before, first) = stack.handoff("cart").await?;
    let (_, second) = stack.handoff("no-cart").await?;
    let visitor = stack.wordpress.visitor();
    visitor.redeem(&first, &wordpress::new_attempt()?).await?;
    assert_eq!(option(&stack, "test_cart_left")?, "");
    let id = stack.wordpress.user_id(&before.email)?.ok_or("no user")?.to_string();
    let attempt = wordpress::new_attempt()?;
    let form = [("token", second.token()), ("attempt", &attempt), ("leaving", &id)];
    visitor.post(second.endpoint(), &form, stack.wordpress.url()).await?;
    assert_eq!(option(&stack, "test_cart_left")?.trim(), id);
    assert_eq!(stack.wordpress.session_rows(&before.email)?, 0);
    Ok(())
}

pub async fn site_health_sees_whether_the_origin_survives() -> Result {
    let stack = stack().await?;
    let test = "echo ( new Gatepass_Site_Health( new Gatepass_Store() ) )->test_endpoint()['status'];";
    assert_eq!(stack.wordpress.eval(test)?, "good");
    case(&stack, "no origin")?;
    assert_eq!(stack.wordpress.eval(test)?, "critical");

    // What a browser gets then: once the page that says the token again, and not for ever.
    let (member, handoff) = stack.handoff("origin").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    let mut form = vec![("token", handoff.token()), ("attempt", attempt.as_str())];
    let answer = visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
    assert_eq!((answer.status(), &answer.headers()["x-gatepass-page"] == "landing"), (StatusCode::OK, true));
    form.push(("repost", "1"));
    let answer = visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
    assert_page(&visitor, answer, UNAVAILABLE, "could not be recognised").await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    Ok(())
}

pub async fn a_field_of_any_size_is_refused_at_once(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("big-field").await?;
    let (visitor, big) = (stack.wordpress.visitor(), "%aa".repeat(60_000));
    for form in [[("token", big.as_str()), ("attempt", "x")], [("token", handoff.token()), ("attempt", &big)]]
    {
        let begun = Instant::now();
        let answer = visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
        assert_eq!(answer.status(), StatusCode::GONE);
        assert_eq!(answer.headers()["x-gatepass-origin"], "match");
        assert!(begun.elapsed() < Duration::from_secs(5), "it took {:?}", begun.elapsed());
    }
    Ok(())
}

pub async fn what_a_deleted_user_left_behind_is_nobody(stack: &Stack) -> Result {
    assert_login(stack, "left-behind").await?;
    let first = stack.wordpress.user_id("left-behind@example.com")?.ok_or("no user")?;
    // As an importer or a hand in the database does it: the user goes, the meta stays.
    stack.wordpress.query(&format!("DELETE FROM wp_users WHERE ID = {first}"))?;
    assert_login(stack, "left-behind").await?;
    let second = stack.wordpress.user_id("left-behind@example.com")?.ok_or("no user")?;
    assert_ne!(first, second);
    assert_login(stack, "left-behind").await?;
    assert_eq!(stack.wordpress.user_id("left-behind@example.com")?, Some(second));
    let keys =
        format!("SELECT meta_key FROM wp_usermeta WHERE user_id = {second} AND meta_key LIKE '%gatepass%'");
    let keys = stack.wordpress.query(&keys)?;
    let identities = keys.lines().filter(|key| key.starts_with("_gatepass_identity_"));
    assert!(identities.count() == 1 && keys.lines().all(|key| key.starts_with('_')), "{keys}");
    Ok(())
}

pub async fn a_ticked_role_that_is_not_there_can_be_seen(stack: &Stack) -> Result {
    let owner = stack.wordpress.visitor();
    owner.log_in_with_password(ADMIN, PASSWORD).await?;
    let page = owner.get("/wp-admin/options-general.php?page=gatepass").await?.text().await?;
    let line = page.split("<li>").find(|line| line.contains("value=\"customer\"")).ok_or("no such role")?;
    assert!(line.contains("checked") && line.contains("Not defined on this site yet"), "{line}");
    Ok(())
}

pub async fn a_pairing_that_cannot_work_is_refused_in_words_before_anything_is_sent(stack: &Stack) -> Result {
    let site = stack.gatepass.add_site("http://127.0.0.1:9", &[])?;
    let expected = [
        ("http://localhost:9/", "must have the same scheme"),
        ("http://müller.example/", "cannot be written as browsers write it"),
    ];
    for (home, said) in expected {
        let pair = format!(
            "if ( extension_loaded( 'intl' ) && strpos( '{home}', 'ü' ) ) {{ echo '{said}'; exit; }} \
             add_filter( 'option_home', function () {{ return '{home}'; }} ); \
             add_filter( 'pre_http_request', function () {{ throw new Exception( 'it was sent' ); }} ); \
             $store = new Gatepass_Store(); \
             try {{ ( new Gatepass_Pairing( $store, new Gatepass_Bridge( $store ) ) )->pair( '{code}' ); }} \
             catch ( Gatepass_Pairing_Failed $failure ) {{ echo $failure->getMessage(); }}",
            code = site.pairing_code
        );
        let answer = stack.wordpress.eval(&pair)?;
        assert!(answer.contains(said), "{answer}");
    }
    Ok(())
}

pub async fn a_bridge_that_is_another_issuer_than_the_code_says_is_refused() -> Result {
    let stack = Stack::start().await?;
    let paired = option(&stack, "gatepass_connection")?;
    let code = new_code(&stack)?;
    let json = BASE64URL_NOPAD.decode(code.trim_start_matches("gp_pair_").as_bytes())?;
    let mut contents: serde_json::Value = serde_json::from_slice(&json)?;
    contents["issuer"] = "https://another.example".into();
    let changed = format!("gp_pair_{}", BASE64URL_NOPAD.encode(contents.to_string().as_bytes()));
    let said = stack.wordpress.pair(&changed).err().ok_or("it paired")?.to_string();
    assert!(said.contains("in another name"), "{said}");
    assert_eq!(option(&stack, "gatepass_connection")?, paired);
    Ok(())
}
