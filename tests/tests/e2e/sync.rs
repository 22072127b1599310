//! WordPress follows the panel: accounts come, change and go without anybody's login, whatever dies or is down meanwhile.

use std::time::Duration;

use gatepass_tests::api::member;
use gatepass_tests::wordpress::{self, ADMIN_EMAIL};
use gatepass_tests::{Result, Stack};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::refusals::{MEMBERSHIP, assert_page};

/// Notes which hooks on users are called, and does what the option `test_case` says.
const COMPANION: &str = r#"<?php
function test_case( $name ) {
	return get_option( 'test_case' ) === $name;
}
foreach ( array( 'user_register', 'profile_update', 'set_user_role', 'delete_user' ) as $hook ) {
	add_action( $hook, function ( $id ) use ( $hook ) {
		file_put_contents( WP_CONTENT_DIR . '/hooks', $hook . ' ' . $id . "\n", FILE_APPEND );
		if ( 'slow' === get_option( 'test_case' ) ) {
			usleep( 1500000 );
		}
		if ( $hook === get_option( 'test_case' ) ) {
			posix_kill( getmypid(), 9 );
		}
		if ( 'exit in ' . $hook === get_option( 'test_case' ) ) {
			exit;
		}
	} );
}
// Before the identity is written, and after.
add_action( 'add_user_meta', function ( $id, $key ) {
	if ( get_option( 'test_case' ) === 'meta ' . $key ) {
		posix_kill( getmypid(), 9 );
	}
}, 10, 2 );
add_action( 'delete_user_meta', function ( $ids, $id, $key ) {
	if ( test_case( 'gone ' . $key ) ) {
		posix_kill( getmypid(), 9 );
	}
}, 10, 3 );
add_action( 'deleted_user_meta', function ( $ids, $id, $key ) {
	if ( test_case( 'gone ' . $key ) ) {
		posix_kill( getmypid(), 9 );
	}
}, 10, 3 );
add_filter( 'pre_wp_mail', function ( $done, $mail ) {
	file_put_contents( WP_CONTENT_DIR . '/hooks', 'mail ' . $mail['subject'] . "\n", FILE_APPEND );
	return true;
}, 10, 2 );
add_filter( 'http_response', function ( $response, $arguments, $url ) {
	if ( test_case( 'killed before the ack' ) && false !== strpos( $url, '/wp/v1/changes?' ) ) {
		add_filter( 'pre_http_request', function () { posix_kill( getmypid(), 9 ); } );
	}
	if ( test_case( 'killed after the ack' ) && false !== strpos( $url, '/wp/v1/changes/acks' ) ) {
		posix_kill( getmypid(), 9 );
	}
	// The panel cancels, and WordPress hears of it, between the bridge's yes to a login and our reading of it.
	if ( test_case( 'canceled' ) && '/wp/v1/redemptions' === substr( $url, -18 ) ) {
		$answer   = json_decode( $response['body'], true );
		$identity = new Gatepass_Identity( get_option( 'gatepass_connection' )['issuer'], get_option( 'gatepass_connection' )['site_id'], $answer['subject'] );
		$user     = ( new Gatepass_Members( new Gatepass_Store() ) )->find( $identity );
		$round    = Gatepass_Sync_State::read_anew( ( new Gatepass_Store() )->connection() )->round();
		$newer    = array( 'round' => $round, 'position' => $answer['standing']['position'] + 1, 'allowed_until' => 0, 'status' => 'canceled' ) + $answer['standing'];
		Gatepass_Standing::from_array( $newer )->save( $user->ID, $identity );
	}
	return $response;
}, 10, 3 );
"#;

/// Where WordPress stands with the site's panel: an outcome, a position, a reason, and the state.
const PULL: &str = "$pulled = Gatepass_Sync::of_this_site()->run( 20 ); \
    $state = Gatepass_Sync_State::read_anew( ( new Gatepass_Store() )->connection() )->to_array(); \
    echo json_encode( array( 'outcome' => $pulled->outcome(), 'position' => $pulled->position(), 'reason' => $pulled->reason(), 'state' => $state ) );";

async fn stack() -> Result<Stack> {
    let stack = Stack::start().await?;
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("companion.php"), COMPANION)?;
    Ok(stack)
}

fn case(stack: &Stack, name: &str) -> Result {
    // Past WordPress, so that nobody need be alive.
    stack.wordpress.query("DELETE FROM wp_options WHERE option_name = 'test_case'")?;
    stack.wordpress.query(&format!(
        "INSERT INTO wp_options (option_name, option_value, autoload) VALUES ('test_case', '{name}', 'no')"
    ))?;
    Ok(())
}

/// The owner's firewall lets no poke through, so that nobody pulls but the test.
pub fn keep_pokes_out(stack: &Stack) -> Result {
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("firewall.php"),
        "<?php if ( isset( $_GET['poke'] ) ) { http_response_code( 403 ); exit; }",
    )?;
    Ok(())
}

/// Pulls as `wp gatepass sync` does.
fn pull(stack: &Stack) -> Result<Value> {
    let said = stack.wordpress.eval(PULL)?;
    serde_json::from_str(&said).map_err(|error| format!("{error}: {said}").into())
}

/// Pulls until there is no more to do: somebody else may be at it.
fn settle(stack: &Stack) -> Result<Value> {
    let mut pulled = Value::Null;
    for _ in 0..60 {
        pulled = pull(stack)?;
        if pulled["outcome"] == "complete" {
            return Ok(pulled);
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    Err(format!("it comes to no end: {pulled}").into())
}

/// As the panel sees it.
async fn seen(stack: &Stack, subject: &str) -> Result<Value> {
    stack.api.site_call(Method::GET, &format!("/members/{subject}"), None).await?.ok()
}

/// The panel sees that WordPress has followed.
async fn assert_synced(stack: &Stack, subject: &str) -> Result<Value> {
    let member = seen(stack, subject).await?;
    assert_eq!(member["sync"]["state"], "synced", "{member}");
    Ok(member["sync"]["wordpress_user_id"].clone())
}

/// The panel sees that WordPress has not, and why.
async fn assert_failed(stack: &Stack, subject: &str, code: &str) -> Result {
    let member = seen(stack, subject).await?;
    assert_eq!(member["sync"]["state"], "failed", "{member}");
    assert_eq!(member["sync"]["error"]["code"], code, "{member}");
    Ok(())
}

/// What hooks were called since this was last asked.
fn hooks(stack: &Stack) -> String {
    let file = stack.wordpress.www().join("wp-content/hooks");
    let said = std::fs::read_to_string(&file).unwrap_or_default();
    let _ = std::fs::remove_file(file);
    said
}

/// The user with an address: login name, display name, first name, roles.
fn user(stack: &Stack, email: &str) -> Result<String> {
    stack.wordpress.eval(&format!(
        "$u = get_user_by( 'email', '{email}' ); \
         echo $u ? implode( '|', array( $u->user_login, $u->display_name, $u->first_name, implode( ',', $u->roles ) ) ) : 'nobody';"
    ))
}

/// How a user stands, as the gate sees it: status, and whether the membership lets them in.
fn standing(stack: &Stack, email: &str) -> Result<String> {
    stack.wordpress.eval(&format!(
        "$c = ( new Gatepass_Store() )->connection(); $s = Gatepass_Standing::of_user( get_user_by( 'email', '{email}' )->ID, $c ); \
         echo null === $s ? 'unheard' : $s->status() . ( $s->allows( Gatepass_Sync_State::of( $c )->now() ) ? ' in' : ' shut' );"
    ))
}

/// A session that nobody's button began.
fn log_in(stack: &Stack, email: &str) -> Result {
    stack.wordpress.eval(&format!(
        "WP_Session_Tokens::get_instance( get_user_by( 'email', '{email}' )->ID )->create( time() + 3600 );"
    ))?;
    Ok(())
}

pub async fn an_account_comes_and_changes_without_a_login() -> Result {
    let stack = stack().await?;
    settle(&stack)?;
    hooks(&stack);
    let mut mia = member("mia");
    mia["first_name"] = json!("Mia & Leo");
    mia["consent"] = json!({ "terms_accepted_at": "2026-01-02T03:04:05Z", "marketing_opt_in": true });
    stack.api.put("mia", &mia).await?.ok()?;
    settle(&stack)?;
    let id = assert_synced(&stack, "mia").await?;
    assert_eq!(Some(id), stack.wordpress.user_id("mia@example.com")?.map(Value::from));
    assert_eq!(user(&stack, "mia@example.com")?, "member-mia|Member mia|Mia &amp; Leo|subscriber");
    assert_eq!(standing(&stack, "mia@example.com")?, "active in");
    let meta = |key: &str| {
        stack.wordpress.query(&format!(
            "SELECT meta_value FROM wp_usermeta JOIN wp_users ON ID = user_id WHERE meta_key = '_gatepass_{key}' \
             AND user_email IN ('mia@example.com', 'mia.b@example.com')"
        ))
    };
    assert!(meta("consent")?.contains("2026-01-02T03:04:05Z"));
    assert_eq!(meta("marketing_opt_in")?.trim(), "yes");
    assert!(meta("marketing_opt_in_at")?.trim().ends_with('Z'));
    let called = hooks(&stack);
    assert_eq!(called.matches("user_register").count(), 1, "{called}");
    assert!(!called.contains("mail"), "{called}");

    // All anew changes nothing, and nobody hears of it.
    stack.wordpress.eval("Gatepass_Sync::of_this_site()->run( 20, true );")?;
    settle(&stack)?;
    assert_eq!(hooks(&stack), "");

    stack.wordpress.eval(
        "add_role( 'customer', 'Customer', array( 'read' => true ) ); add_role( 'mine', 'Mine', array( 'read' => true ) );",
    )?;
    // A link to a new password, one to another address, and a session.
    stack.wordpress.eval(
        "$u = get_user_by( 'email', 'mia@example.com' ); get_password_reset_key( $u ); \
         update_user_meta( $u->ID, '_new_email', array( 'hash' => 'x', 'newemail' => 'thief@example.com' ) ); \
         ( new WP_User( $u->ID ) )->add_role( 'mine' );",
    )?;
    log_in(&stack, "mia@example.com")?;
    hooks(&stack);
    mia["email"] = json!("mia.b@example.com");
    mia["display_name"] = json!("Mia B.");
    mia["consent"] = json!({ "terms_accepted_at": "2026-01-02T03:04:05Z" });
    mia["membership"]["plan"] = json!("gold");
    stack.api.put("mia", &mia).await?.ok()?;
    settle(&stack)?;
    assert_synced(&stack, "mia").await?;
    assert_eq!(hooks(&stack).matches("profile_update").count(), 1, "and no mail");
    assert!(user(&stack, "mia.b@example.com")?.starts_with("member-mia|Mia B.|"));
    assert_eq!(stack.wordpress.session_rows("mia.b@example.com")?, 1, "an address ends no session");
    let left = stack.wordpress.query(
        "SELECT user_activation_key FROM wp_users WHERE user_email = 'mia.b@example.com' UNION ALL \
         SELECT meta_value FROM wp_usermeta WHERE meta_key = '_new_email'",
    )?;
    assert_eq!(left.trim(), "", "no link of before works");
    assert_eq!((meta("marketing_opt_in")?.trim(), meta("marketing_opt_in_at")?.trim()), ("no", ""));

    // Another name and role. Roles that are not Gatepass's to give are not Gatepass's to take.
    mia["username"] = json!("mia");
    mia["roles"] = json!(["customer"]);
    stack.api.put("mia", &mia).await?.ok()?;
    settle(&stack)?;
    assert_synced(&stack, "mia").await?;
    assert_eq!(user(&stack, "mia.b@example.com")?, "mia|Mia B.|Mia &amp; Leo|mine,customer");
    assert_eq!(
        stack.wordpress.query("SELECT user_nicename FROM wp_users WHERE user_login = 'mia'")?.trim(),
        "mia"
    );
    assert_eq!(stack.wordpress.session_rows("mia.b@example.com")?, 0, "its cookie names nobody any more");

    // Canceled, and back.
    log_in(&stack, "mia.b@example.com")?;
    mia["membership"]["status"] = json!("canceled");
    stack.api.put("mia", &mia).await?.ok()?;
    settle(&stack)?;
    assert_eq!(standing(&stack, "mia.b@example.com")?, "canceled shut");
    assert_eq!(stack.wordpress.session_rows("mia.b@example.com")?, 0);
    mia["membership"]["status"] = json!("active");
    stack.api.put("mia", &mia).await?.ok()?;
    settle(&stack)?;
    assert_eq!(standing(&stack, "mia.b@example.com")?, "active in");
    Ok(())
}

pub async fn a_plugin_that_signs_new_users_in_signs_nobody_in_here() -> Result {
    let stack = Stack::start().await?;
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(
        folder.join("signs-in.php"),
        "<?php add_action( 'user_register', function ( $id ) { wp_set_auth_cookie( $id, true ); } );
        add_action( 'shutdown', function () { if ( isset( $_GET['poke'] ) ) {
            update_option( 'test_headers', implode( '|', headers_list() ) ); } } );",
    )?;
    let member = gatepass_tests::api::member("greeted");
    assert_eq!(stack.api.put_and_wait("greeted", &member, 10).await?.sync(), "synced");
    assert_eq!(stack.wordpress.session_rows("greeted@example.com")?, 0);
    let headers = stack.wordpress.eval("echo get_option( 'test_headers' );")?;
    assert!(headers.contains("Content-Type") && !headers.contains("Set-Cookie"), "{headers}");
    Ok(())
}

pub async fn what_cannot_be_done_is_told_with_its_reason_and_leaves_everything_as_it_was() -> Result {
    let stack = stack().await?;
    settle(&stack)?;
    let others = stack.wordpress.user_count()?;
    let mut admin = member("twin");
    admin["email"] = json!(ADMIN_EMAIL);
    stack.api.put("twin", &admin).await?.ok()?;
    let mut leo = member("leo");
    leo["username"] = json!("admin");
    stack.api.put("leo", &leo).await?.ok()?;
    let mut bo = member("bo");
    // A role that this WordPress does not have.
    bo["roles"] = json!(["customer"]);
    stack.api.put("bo", &bo).await?.ok()?;
    stack.member("zoe").await?;
    settle(&stack)?;
    assert_failed(&stack, "twin", "email_taken").await?;
    assert_failed(&stack, "leo", "username_taken").await?;
    assert_failed(&stack, "bo", "role_not_allowed").await?;
    assert_synced(&stack, "zoe").await?;
    assert_eq!(stack.wordpress.user_count()?, others + 1);

    // Whose address is somebody else's now gets neither it nor the name that came with it, until it is free.
    leo["username"] = json!("leo");
    stack.api.put("leo", &leo).await?.ok()?;
    settle(&stack)?;
    leo["email"] = json!("zoe@example.com");
    leo["display_name"] = json!("Leo the Great");
    leo["username"] = json!("great");
    stack.api.put("leo", &leo).await?.ok()?;
    settle(&stack)?;
    assert_failed(&stack, "leo", "email_taken").await?;
    assert_eq!(user(&stack, "leo@example.com")?, "leo|Member leo|Member|subscriber");
    stack.wordpress.eval("wp_update_user( array( 'ID' => get_user_by( 'email', 'zoe@example.com' )->ID, 'user_email' => 'z@example.com' ) );")?;
    leo["membership"]["plan"] = json!("again");
    stack.api.put("leo", &leo).await?.ok()?;
    settle(&stack)?;
    assert_synced(&stack, "leo").await?;
    assert_eq!(user(&stack, "zoe@example.com")?, "great|Leo the Great|Member|subscriber");

    // A name that is somebody else's: neither it nor the address that came with it.
    leo["username"] = json!("admin");
    leo["email"] = json!("leo.new@example.com");
    stack.api.put("leo", &leo).await?.ok()?;
    settle(&stack)?;
    assert_failed(&stack, "leo", "username_taken").await?;
    assert_eq!(user(&stack, "zoe@example.com")?, "great|Leo the Great|Member|subscriber");

    // Somebody who has become more than the owner allows is out of the panel's reach, canceled or not.
    stack.wordpress.eval("( new WP_User( get_user_by( 'login', 'great' )->ID ) )->set_role( 'editor' );")?;
    log_in(&stack, "zoe@example.com")?;
    leo["email"] = json!("stolen@example.com");
    leo["membership"]["status"] = json!("canceled");
    stack.api.put("leo", &leo).await?.ok()?;
    settle(&stack)?;
    assert_failed(&stack, "leo", "account_privileged").await?;
    assert_eq!(user(&stack, "zoe@example.com")?, "great|Leo the Great|Member|editor");
    assert_eq!(stack.wordpress.session_rows("zoe@example.com")?, 1);
    Ok(())
}

pub async fn whoever_is_taken_for_dead_stops_at_once() -> Result {
    let stack = stack().await?;
    keep_pokes_out(&stack)?;
    let before = settle(&stack)?;
    for subject in ["dead-a", "dead-b"] {
        stack.member(subject).await?;
    }
    // The first change takes so long that another pull takes the lock over.
    let said = stack.wordpress.eval(&format!(
        "add_action( 'user_register', function () {{ global $wpdb; if ( 1 < did_action( 'user_register' ) ) {{ return; }} sleep( 6 ); \
         $wpdb->query( \"UPDATE {{$wpdb->options}} SET option_value = '1:dead' WHERE option_name = 'gatepass_lock_sync_1'\" ); \
         Gatepass_Lock::take( 'sync_1', 1.0 ); }} ); {PULL}"
    ))?;
    let pulled: Value = serde_json::from_str(&said).map_err(|error| format!("{error}: {said}"))?;
    assert_eq!(pulled["outcome"], "more", "{pulled}");
    assert_eq!(pulled["state"]["cursor"], before["state"]["cursor"], "{pulled}");
    assert_eq!(pulled["state"]["last_error"], "", "{pulled}");
    assert!(stack.wordpress.user_id("dead-a@example.com")?.is_some());
    assert_eq!(stack.wordpress.user_id("dead-b@example.com")?, None);

    stack.wordpress.query("DELETE FROM wp_options WHERE option_name = 'gatepass_lock_sync_1'")?;
    settle(&stack)?;
    assert_synced(&stack, "dead-a").await?;
    assert_synced(&stack, "dead-b").await?;

    // Whose change is old by the time its turn comes is left as they are, whatever it wants of the account.
    let email = stack.wordpress.eval(
        "$c = ( new Gatepass_Store() )->connection(); $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), 'dead-b' ); \
         $s = Gatepass_Sync_State::read_anew( $c ); $follower = Gatepass_Follower::of_this_site( new Gatepass_Store() ); \
         $late = array( 'subject' => 'dead-b', 'position' => 1, 'member' => array( 'email' => 'old@example.com' ), 'allowed_until' => 9 ); \
         $follower->follow( $i, Gatepass_Change::from_array( $late, $s->epoch() ), $s ); \
         ( new Gatepass_Store() )->save_removal( 'delete', 0 ); \
         $follower->follow( $i, Gatepass_Change::from_array( array( 'member' => null ) + $late, $s->epoch() ), $s ); \
         $u = ( new Gatepass_Members( new Gatepass_Store() ) )->find( $i ); echo $u ? $u->user_email : 'nobody';",
    )?;
    assert_eq!(email, "dead-b@example.com");
    assert_eq!(standing(&stack, &email)?, "active in");
    Ok(())
}

/// Puts a member with a post, removes it, and gives the post's author and status, if it is still there.
async fn removed(stack: &Stack, subject: &str) -> Result<String> {
    stack.member(subject).await?;
    settle(stack)?;
    let post = stack.wordpress.eval(&format!(
        "echo wp_insert_post( array( 'post_title' => 'mine', 'post_status' => 'publish', 'post_author' => get_user_by( 'email', '{subject}@example.com' )->ID ) );"
    ))?;
    log_in(stack, &format!("{subject}@example.com"))?;
    stack.api.site_call(Method::DELETE, &format!("/members/{subject}"), None).await?.ok()?;
    settle(stack)?;
    stack.wordpress.query(&format!(
        "SELECT CONCAT(COALESCE(user_login, 'nobody'), ' ', post_status) FROM wp_posts LEFT JOIN wp_users ON wp_users.ID = post_author WHERE wp_posts.ID = {post}"
    ))
}

pub async fn what_becomes_of_a_removed_members_account_is_the_owners_choice() -> Result {
    let stack = stack().await?;
    let choose = |choice: &str, heir: u64| {
        stack.wordpress.eval(&format!("( new Gatepass_Store() )->save_removal( '{choice}', {heir} );"))
    };
    assert_eq!(removed(&stack, "kept").await?.trim(), "member-kept publish", "nothing is lost by default");
    assert_eq!(standing(&stack, "kept@example.com")?, " shut");
    assert_eq!(stack.wordpress.session_rows("kept@example.com")?, 0);
    // Who comes back finds the account.
    let before = stack.wordpress.user_id("kept@example.com")?;
    stack.member("kept").await?;
    settle(&stack)?;
    assert_eq!(stack.wordpress.user_id("kept@example.com")?, before);
    assert_eq!(standing(&stack, "kept@example.com")?, "active in");

    choose("reassign", 1)?;
    assert_eq!(removed(&stack, "given").await?.trim(), "admin publish");
    assert_eq!(stack.wordpress.user_id("given@example.com")?, None);

    // The heir is gone, or is a customer: nothing is deleted.
    for heir in [999, before.unwrap_or_default()] {
        choose("reassign", heir)?;
        let subject = format!("stays-{heir}");
        assert_eq!(removed(&stack, &subject).await?.trim(), format!("member-{subject} publish"));
        assert_eq!(standing(&stack, &format!("{subject}@example.com"))?, " shut");
    }

    choose("delete", 0)?;
    assert_eq!(removed(&stack, "deleted").await?.trim(), "nobody trash");
    assert_eq!(stack.wordpress.user_id("deleted@example.com")?, None);
    // Nobody loses an account whom the owner lets in without a membership.
    stack.member("exempt").await?;
    settle(&stack)?;
    stack.wordpress.eval(
        "$s = new Gatepass_Store(); $s->save_gate_rules( $s->gate_rules()->wanted( array( get_user_by( 'email', 'exempt@example.com' )->ID ), false, 86400 ) );",
    )?;
    assert_eq!(removed(&stack, "exempt").await?.trim(), "member-exempt publish");
    assert_eq!(stack.wordpress.session_rows("exempt@example.com")?, 1);
    let left = stack
        .wordpress
        .query("SELECT COUNT(*) FROM wp_usermeta WHERE user_id NOT IN (SELECT ID FROM wp_users)")?;
    assert_eq!(left.trim(), "0");
    Ok(())
}

pub async fn pulls_at_once_are_one_and_none_is_lost() -> Result {
    let stack = stack().await?;
    keep_pokes_out(&stack)?;
    settle(&stack)?;
    hooks(&stack);
    case(&stack, "slow")?;
    stack.member("first").await?;
    let (slow, busy) = std::thread::scope(|scope| -> Result<_> {
        let slow = scope.spawn(|| settle(&stack).map_err(|error| error.to_string()));
        std::thread::sleep(Duration::from_millis(900));
        let busy = pull(&stack).map_err(|error| error.to_string());
        Ok((slow.join().map_err(|_| "a panic")??, busy?))
    })?;
    // Whoever came second left word, and the first went round again.
    assert_eq!(slow["outcome"], "complete");
    assert!(busy["outcome"] == "busy" || busy["outcome"] == "complete", "{busy}");
    case(&stack, "")?;
    settle(&stack)?;
    assert_eq!(hooks(&stack).matches("user_register").count(), 1);
    let left = stack.wordpress.query("SELECT option_name FROM wp_options WHERE option_name IN ('gatepass_sync_again') OR option_name LIKE 'gatepass_lock%'")?;
    assert_eq!(left.trim(), "", "neither lock nor word is left");

    // Word that is left in the very moment in which the holder looks for the last time, and before it gives the lock back.
    let said = stack.wordpress.eval(
        "global $again; add_filter( 'http_response', function ( $r, $a, $url ) { global $again; \
           if ( false !== strpos( $url, '/wp/v1/changes?' ) && 1 === ++$again ) { Gatepass_Sync_Again::raise(); } return $r; }, 10, 3 ); \
         Gatepass_Sync::of_this_site()->run( 20 ); echo $again;",
    )?;
    assert_eq!(said, "2", "it went round again");
    Ok(())
}

pub async fn php_may_die_anywhere() -> Result {
    let stack = stack().await?;
    keep_pokes_out(&stack)?;
    settle(&stack)?;
    let others = stack.wordpress.user_count()?;
    let free = "DELETE FROM wp_options WHERE option_name LIKE 'gatepass_lock%'";
    let deaths = [
        "meta nickname",
        "meta last_name",
        "user_register",
        "set_user_role",
        "exit in user_register",
        "killed before the ack",
        "killed after the ack",
    ];
    for (number, death) in deaths.into_iter().enumerate() {
        let mut member = member(&format!("new-{number}"));
        member["username"] = json!(format!("name-{number}"));
        stack.api.put(&format!("new-{number}"), &member).await?.ok()?;
        case(&stack, death)?;
        let _ = stack.wordpress.eval(PULL);
        case(&stack, "")?;
        // As if 30 seconds had gone by.
        stack.wordpress.query(free)?;
        settle(&stack)?;
        let id = assert_synced(&stack, &format!("new-{number}")).await?;
        let email = format!("new-{number}@example.com");
        assert_eq!(stack.wordpress.user_id(&email)?.map(Value::from), Some(id), "{death}");
        let last = format!("name-{number}|Member new-{number}|Member|subscriber");
        assert_eq!(user(&stack, &email)?, last, "{death}");
        assert_eq!(standing(&stack, &email)?, "active in", "{death}");
    }
    assert_eq!(stack.wordpress.user_count()?, others + deaths.len());
    let unfinished =
        stack.wordpress.query("SELECT COUNT(*) FROM wp_users WHERE user_activation_key <> ''")?;
    assert_eq!(unfinished.trim(), "0");

    // In the midst of a deletion.
    stack.wordpress.eval("( new Gatepass_Store() )->save_removal( 'delete', 0 );")?;
    for (number, death) in
        ["gone nickname", "gone session_tokens", "gone _gatepass_consent"].into_iter().enumerate()
    {
        log_in(&stack, &format!("new-{number}@example.com"))?;
        stack.api.site_call(Method::DELETE, &format!("/members/new-{number}"), None).await?.ok()?;
        case(&stack, death)?;
        let _ = stack.wordpress.eval(PULL);
        case(&stack, "")?;
        stack.wordpress.query(free)?;
        settle(&stack)?;
        assert_eq!(stack.wordpress.user_id(&format!("new-{number}@example.com"))?, None, "{death}");
    }

    // A change that is PHP's death each time stands in nobody's way for long.
    case(&stack, "exit in profile_update")?;
    let mut fatal = member("new-4");
    fatal["display_name"] = json!("Fatal");
    stack.api.put("new-4", &fatal).await?.ok()?;
    stack.member("behind").await?;
    for _ in 0..3 {
        let _ = stack.wordpress.eval(PULL);
    }
    settle(&stack)?;
    assert_synced(&stack, "behind").await?;

    // What has been the death of PHP too often is left; but the gate hears of the end of a membership even so.
    case(&stack, "")?;
    stack.wordpress.eval(
        "$s = Gatepass_Sync_State::read_anew( ( new Gatepass_Store() )->connection() ); \
         foreach ( range( 1, 40 ) as $i ) { foreach ( range( 1, 3 ) as $death ) { $s = $s->with_death_at( $s->cursor() + $i ); } } $s->save();",
    )?;
    fatal["membership"]["status"] = json!("canceled");
    stack.api.put("new-4", &fatal).await?.ok()?;
    settle(&stack)?;
    assert_failed(&stack, "new-4", "internal").await?;
    assert_eq!(standing(&stack, "new-4@example.com")?, "canceled shut");
    Ok(())
}

pub async fn the_gate_hears_of_an_end_whatever_stands_in_the_way_of_the_account() -> Result {
    let stack = stack().await?;
    stack.member("twice").await?;
    settle(&stack)?;
    // Somebody has copied the user with all that belongs to it.
    stack.wordpress.eval(
        "$u = get_user_by( 'email', 'twice@example.com' ); \
         $copy = wp_insert_user( array( 'user_login' => 'copy', 'user_email' => 'copy@example.com', 'user_pass' => 'x', 'role' => 'subscriber' ) ); \
         foreach ( get_user_meta( $u->ID ) as $key => $v ) { if ( 0 === strpos( $key, '_gatepass_' ) ) { update_user_meta( $copy, $key, wp_slash( maybe_unserialize( $v[0] ) ) ); } }",
    )?;
    log_in(&stack, "copy@example.com")?;
    assert_eq!(standing(&stack, "copy@example.com")?, "active in");
    let mut twice = member("twice");
    twice["membership"]["status"] = json!("canceled");
    stack.api.put("twice", &twice).await?.ok()?;
    settle(&stack)?;
    assert_failed(&stack, "twice", "internal").await?;
    for email in ["twice@example.com", "copy@example.com"] {
        assert_eq!(standing(&stack, email)?, "canceled shut");
    }
    assert_eq!(stack.wordpress.session_rows("copy@example.com")?, 0);

    // A change of which only the account's part cannot be understood.
    let kept = stack.wordpress.eval(
        "require_once ABSPATH . 'wp-admin/includes/user.php'; wp_delete_user( get_user_by( 'login', 'copy' )->ID ); \
         $c = ( new Gatepass_Store() )->connection(); $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), 'twice' ); \
         $s = Gatepass_Sync_State::read_anew( $c ); \
         $odd = array( 'subject' => 'twice', 'position' => $s->cursor() + 1, 'member' => array( 'email' => 7 ), 'allowed_until' => PHP_INT_MAX ); \
         echo Gatepass_Follower::of_this_site( new Gatepass_Store() )->follow( $i, Gatepass_Change::from_array( $odd, $s->epoch() ), $s )['result'];",
    )?;
    assert_eq!(kept, "failed");
    assert!(standing(&stack, "twice@example.com")?.ends_with(" in"));
    Ok(())
}

pub async fn a_new_primary_is_followed_from_the_beginning_and_whom_it_does_not_know_is_shut_out() -> Result {
    let mut stack = stack().await?;
    for number in 0..3 {
        stack.member(&format!("known-{number}")).await?;
    }
    let before = settle(&stack)?;
    // A customer whom no panel knows, as a restored backup of Gatepass would leave one.
    stack.wordpress.eval(
        "$c = ( new Gatepass_Store() )->connection(); $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), 'lost' ); \
         $id = wp_insert_user( array( 'user_login' => 'lost', 'user_email' => 'lost@example.com', 'user_pass' => 'x', \
           'meta_input' => array( $i->meta_key() => $i->readable() ) ) ); \
         Gatepass_Standing::from_array( array( 'epoch' => 'of before', 'position' => 9, 'status' => 'active', 'allowed_until' => 9007199254740, 'round' => 1 ) )->save( $id, $i );",
    )?;
    log_in(&stack, "lost@example.com")?;
    log_in(&stack, "known-1@example.com")?;
    settle(&stack)?;
    assert_eq!(standing(&stack, "lost@example.com")?, "active in", "nobody has said anything else yet");
    hooks(&stack);

    stack.redis.restart()?;
    let mut after = Value::Null;
    for _ in 0..40 {
        after = pull(&stack)?;
        if after["outcome"] == "complete" {
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    assert_eq!(after["outcome"], "complete", "{after}");
    assert_ne!(after["state"]["epoch"], before["state"]["epoch"]);
    assert_eq!(standing(&stack, "lost@example.com")?, " shut");
    assert_eq!(stack.wordpress.session_rows("lost@example.com")?, 0);
    assert!(user(&stack, "lost@example.com")?.starts_with("lost|"), "and never deleted");
    assert_eq!(standing(&stack, "known-1@example.com")?, "active in");
    assert_eq!(stack.wordpress.session_rows("known-1@example.com")?, 1);
    assert_eq!(hooks(&stack), "", "nothing else has changed");
    stack.member("later").await?;
    settle(&stack)?;
    assert_synced(&stack, "later").await?;
    Ok(())
}

pub async fn a_site_that_no_poke_reaches_follows_by_cron() -> Result {
    let stack = stack().await?;
    settle(&stack)?;
    keep_pokes_out(&stack)?;
    stack.member("cron").await?;
    assert_eq!(user(&stack, "cron@example.com")?, "nobody");

    // The store does not answer for a while: nothing is lost but time.
    let due = "wp_clear_scheduled_hook( 'gatepass_sync' ); wp_schedule_event( time() - 1, 'gatepass_five_minutes', 'gatepass_sync' );";
    stack.redis.pause()?;
    let failed = pull(&stack)?;
    stack.redis.resume()?;
    assert_eq!(
        (&failed["outcome"], &failed["reason"]),
        (&json!("failed"), &json!("store_unavailable")),
        "{failed}"
    );
    assert!(
        failed["state"]["failing_since"].as_u64() > Some(0) && failed["state"]["complete"] == true,
        "{failed}"
    );

    stack.wordpress.eval(&format!(
        "add_filter( 'cron_schedules', array( 'Gatepass_Sync_Cron', 'add_schedule' ) ); {due}"
    ))?;
    let visitor = stack.wordpress.visitor();
    for _ in 0..100 {
        visitor.get("/wp-cron.php?doing_wp_cron").await?;
        if user(&stack, "cron@example.com")? != "nobody" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(user(&stack, "cron@example.com")?, "member-cron|Member cron|Member|subscriber");
    let next = stack.wordpress.eval("echo wp_get_scheduled_event( 'gatepass_sync' )->interval;")?;
    assert_eq!(next, "300", "and again in five minutes");
    let state = settle(&stack)?;
    assert_eq!((&state["state"]["failing_since"], &state["state"]["last_error"]), (&json!(0), &json!("")));
    assert_synced(&stack, "cron").await?;
    Ok(())
}

pub async fn a_site_that_has_moved_by_a_folder_asks_first_whether_it_is_a_copy() -> Result {
    let stack = stack().await?;
    keep_pokes_out(&stack)?;
    settle(&stack)?;
    let asked = stack.wordpress.eval(
        "$beats = 0; add_filter( 'pre_http_request', function ( $answer, $arguments, $url ) use ( &$beats ) { \
         $beats += false === strpos( $url, '/heartbeat' ) ? 0 : 1; return $answer; }, 1, 3 ); \
         Gatepass_Sync::of_this_site()->run( 20 ); echo $beats; \
         add_filter( 'home_url', function ( $url ) { return $url . '/staging'; } ); \
         Gatepass_Sync::of_this_site()->run( 20 ); echo $beats;",
    )?;
    assert_eq!(asked, "01");
    Ok(())
}

pub async fn a_strangers_poke_costs_nothing() -> Result {
    let stack = stack().await?;
    settle(&stack)?;
    let visitor = stack.wordpress.visitor();
    let url = format!("{}/wp-admin/admin-post.php?action=gatepass&poke=1", stack.wordpress.url());
    let (_, handoff) = stack.handoff("poked").await?;
    settle(&stack)?;
    let options = "SELECT MD5(GROUP_CONCAT(option_name, option_value ORDER BY option_name)) FROM wp_options WHERE option_name NOT LIKE '%transient%' AND option_name <> 'cron'";
    let (calls, before) = (stack.redis.calls()?, stack.wordpress.query(options)?);
    for poke in ["", "a.b.c", handoff.token(), &"x".repeat(5000)] {
        let answer = visitor.post(&url, &[("poke", poke)], "https://stranger.example").await?;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert!(answer.headers().get("set-cookie").is_none());
        assert_eq!(answer.headers()["cache-control"], "no-store");
        assert_eq!(answer.text().await?, r#"{"code":"poke_invalid"}"#);
    }
    assert_eq!(stack.wordpress.query(options)?, before);
    let scripts = |calls: &std::collections::BTreeMap<String, u64>| {
        calls.get("evalsha").copied().unwrap_or_default() + calls.get("eval").copied().unwrap_or_default()
    };
    // Gatepass itself may look for something to deliver meanwhile; four calls of a site are more than that.
    assert!(scripts(&stack.redis.calls()?) <= scripts(&calls) + 3);
    // A look at it is only the landing page.
    assert_eq!(
        visitor.get("/wp-admin/admin-post.php?action=gatepass&poke=1").await?.status(),
        StatusCode::OK
    );
    stack.wordpress.eval("( new Gatepass_Store() )->forget_connection();")?;
    let answer = visitor.post(&url, &[("poke", "x")], "").await?;
    assert_eq!(
        (answer.status(), answer.text().await?.as_str()),
        (StatusCode::NOT_FOUND, r#"{"code":"not_paired"}"#)
    );
    Ok(())
}

pub async fn a_login_undoes_no_cancellation_that_was_heard_meanwhile() -> Result {
    let stack = stack().await?;
    let (_, handoff) = stack.handoff("late").await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    // The login alone tells the gate, before any pull.
    assert_eq!(standing(&stack, "late@example.com")?, "active in");

    let handoff = stack.api.issue("late").await?;
    case(&stack, "canceled")?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, StatusCode::FORBIDDEN, MEMBERSHIP).await?;
    assert_eq!(standing(&stack, "late@example.com")?, "canceled shut");
    assert_eq!(stack.wordpress.session_rows("late@example.com")?, 0);
    Ok(())
}

pub async fn the_panel_sees_and_ends_the_sessions_that_wordpress_has() -> Result {
    let stack = stack().await?;
    let (_, handoff) = stack.handoff("watched").await?;
    let visitor = stack.wordpress.visitor();
    visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert!(visitor.is_signed_in().await?);
    log_in(&stack, "watched@example.com")?;

    let told = stack.api.site_call(Method::GET, "/members/watched/sessions", None).await?.ok()?;
    let sessions = told["sessions"].as_array().ok_or("no sessions")?;
    assert_eq!(sessions.len(), 2, "{told}");
    let by_button: Vec<_> = sessions.iter().filter(|session| session["handoff_id"] == handoff.id).collect();
    assert!(by_button.len() == 1 && by_button[0]["client_ip"] == "127.0.0.1", "{told}");
    let verifiers =
        stack.wordpress.query("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'session_tokens'")?;
    for session in sessions {
        assert!(
            !verifiers.contains(session["id"].as_str().unwrap_or_default()),
            "it names what WordPress keeps"
        );
    }

    stack.api.site_call(Method::DELETE, "/members/watched/sessions", None).await?.ok()?;
    settle(&stack)?;
    assert!(!visitor.is_signed_in().await?);
    assert_eq!(stack.wordpress.session_rows("watched@example.com")?, 0);
    // Once, and not those that come after.
    log_in(&stack, "watched@example.com")?;
    stack.wordpress.eval("Gatepass_Sync::of_this_site()->run( 20, true );")?;
    settle(&stack)?;
    assert_eq!(stack.wordpress.session_rows("watched@example.com")?, 1);

    // Of an account with more rights than the owner allows it sees none.
    stack.wordpress.eval("get_user_by( 'email', 'watched@example.com' )->set_role( 'author' );")?;
    let told = stack.api.site_call(Method::GET, "/members/watched/sessions", None).await?.ok()?;
    assert_eq!(told["sessions"], json!([]), "{told}");
    Ok(())
}

pub async fn on_a_network_a_member_belongs_to_the_blog_and_its_sessions_to_all() -> Result {
    let stack = stack().await?;
    settle(&stack)?;
    crate::owner_log::make_network(&stack)?;
    // A network here has no port in its address, and would rightly be taken for a copy.
    stack.wordpress.eval(
        "Gatepass_Sync_State::of( ( new Gatepass_Store() )->connection() )->with( array( 'origin' => 'http://127.0.0.1' ) )->save();",
    )?;
    keep_pokes_out(&stack)?;
    let blog = stack.wordpress.eval("echo wpmu_create_blog( '127.0.0.1', '/two/', 'Two', 1 );")?;
    stack.member("here").await?;
    stack.member("both").await?;
    settle(&stack)?;
    let blogs = |email: &str| {
        stack.wordpress.eval(&format!(
            "echo implode( ',', array_keys( get_blogs_of_user( get_user_by( 'email', '{email}' )->ID ) ) );"
        ))
    };
    assert_eq!(blogs("both@example.com")?, "1");
    stack.wordpress.eval(&format!(
        "add_user_to_blog( {blog}, get_user_by( 'email', 'both@example.com' )->ID, 'subscriber' );"
    ))?;
    for name in ["here", "both"] {
        log_in(&stack, &format!("{name}@example.com"))?;
        stack.api.put_status(name, "canceled").await?;
    }
    settle(&stack)?;
    assert_eq!(stack.wordpress.session_rows("here@example.com")?, 0);
    assert_eq!(stack.wordpress.session_rows("both@example.com")?, 1, "the other blog's business, too");
    assert_eq!(standing(&stack, "both@example.com")?, "canceled shut");

    // Of sessions it is told, and ends, those of its own button, and not those of another blog's customer of that name.
    let told = stack.wordpress.eval(&format!(
        "$u = get_user_by( 'email', 'both@example.com' ); $sessions = array(); \
         foreach ( array( 1 => 'ours', {blog} => 'theirs' ) as $blog => $agent ) {{ $sessions[ $agent ] = array( 'expiration' => time() + 99, 'login' => time(), 'ua' => $agent, 'gatepass' => array( 'subject' => 'both', 'blog' => $blog ) ); }} \
         update_user_meta( $u->ID, 'session_tokens', $sessions ); $c = ( new Gatepass_Store() )->connection(); \
         $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), 'both' ); \
         $told = wp_list_pluck( Gatepass_Sessions::report( $u->ID, $i, time() ), 'user_agent' ); Gatepass_Sessions::end( $u->ID, $i ); \
         echo implode( ',', $told ), ' ', implode( ',', array_keys( get_user_meta( $u->ID, 'session_tokens', true ) ) );"
    ))?;
    assert_eq!(told, "ours theirs");

    stack.wordpress.eval("( new Gatepass_Store() )->save_removal( 'delete', 0 );")?;
    stack.api.site_call(Method::DELETE, "/members/both", None).await?.ok()?;
    settle(&stack)?;
    assert_eq!(blogs("both@example.com")?, "2", "taken from this blog, and not deleted");
    stack.member("both").await?;
    settle(&stack)?;
    assert_eq!(blogs("both@example.com")?, "1,2");

    // More than allowed on any blog, and so out of reach.
    stack.wordpress.eval(&format!(
        "add_user_to_blog( {blog}, get_user_by( 'email', 'both@example.com' )->ID, 'editor' );"
    ))?;
    stack.api.put_status("both", "canceled").await?;
    settle(&stack)?;
    assert_failed(&stack, "both", "account_privileged").await?;
    Ok(())
}
