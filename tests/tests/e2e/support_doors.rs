//! What only the customer may do, tried through every door in a session of the support staff.

use gatepass_tests::wordpress::{self, PASSWORD};
use gatepass_tests::{Result, Stack, Visitor};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{desk, handoff_by_sam, install, sam_signed_in, sessions};

const WHY: &str = "You are signed in on behalf of a customer";

/// What other plugins do for whoever is signed in, without asking anybody: the deepest places.
const PLUGIN: &str = r"<?php
add_action( 'wp_ajax_test_door', function () {
	require_once ABSPATH . 'wp-admin/includes/user.php';
	$id    = get_current_user_id();
	$email = wp_get_current_user()->user_email;
	$done  = null;
	switch ( $_GET['door'] ) {
		case 'wp_update_user': // As WooCommerce's account form does.
			$done = wp_update_user( array( 'ID' => $id, 'user_email' => 'thief@example.com', 'user_pass' => 'thief', 'first_name' => 'Changed' ) );
			break;
		case 'wp_set_password':
			wp_set_password( 'thief', $id );
			break;
		case 'reset_password':
			reset_password( wp_get_current_user(), 'thief' );
			break;
		case 'get_password_reset_key':
			$done = get_password_reset_key( wp_get_current_user() );
			break;
		case 'create_new_application_password':
			$done = WP_Application_Passwords::create_new_application_password( $id, array( 'name' => 'thief' ) );
			break;
		case 'wp_destroy_other_sessions':
			wp_destroy_other_sessions();
			break;
		case 'destroy_all':
			WP_Session_Tokens::get_instance( $id )->destroy_all();
			break;
		case 'wp_delete_user':
			$done = wp_delete_user( $id );
			break;
		case 'export':
			$done = wp_create_user_request( $email, 'export_personal_data' );
			break;
		case 'erase':
			$done = wp_create_user_request( $email, 'remove_personal_data' );
			break;
		case 'nonce':
			$done = wp_create_nonce( $_GET['of'] );
			break;
		case 'may':
			$done = current_user_can( $_GET['of'], $id );
			break;
	}
	wp_send_json( is_wp_error( $done ) ? $done->get_error_code() : $done );
} );
// Without HTTPS WordPress has none, and there would be nothing to refuse.
add_filter( 'wp_is_application_passwords_available', '__return_true' );
add_filter( 'pre_wp_mail', function ( $sent, $mail ) {
	update_option( 'test_mail', $mail['subject'] );
	return true;
}, 10, 2 );
add_action( 'gatepass_on_behalf', function ( $customer, $who ) {
	header( 'X-Test-Told: ' . rawurlencode( $customer->user_email . ' ' . $who['name'] ) );
}, 10, 2 );
";

/// A site with such a plugin, a session of Sam's on behalf of a customer, and one of the customer's own.
struct House {
    stack: Stack,
    staff: Visitor,
    customer: Visitor,
    before: String,
}

const SUBJECT: &str = "guarded";

impl House {
    async fn new() -> Result<Self> {
        let stack = Stack::start().await?;
        install(&stack, "door.php", PLUGIN)?;
        let own = stack.handoff(SUBJECT).await?.1;
        let customer = stack.wordpress.visitor();
        customer.redeem(&own, &wordpress::new_attempt()?).await?;
        // A password, an application password, and an address that waits to be confirmed, all of her own.
        stack.wordpress.eval(&format!(
            "$id = get_user_by( 'email', '{SUBJECT}@example.com' )->ID; $kept = get_user_meta( $id, 'session_tokens', true ); \
             wp_set_password( '{PASSWORD}', $id ); \
             WP_Application_Passwords::create_new_application_password( $id, array( 'name' => 'hers' ) ); \
             update_user_meta( $id, '_new_email', array( 'hash' => 'abc', 'newemail' => 'thief@example.com' ) );"
        ))?;
        let customer_again = stack.wordpress.visitor();
        let own = stack.api.issue(SUBJECT).await?;
        customer_again.redeem(&own, &wordpress::new_attempt()?).await?;
        let staff = sam_signed_in(&stack, &desk(&stack)?, SUBJECT).await?;
        let mut house = Self { stack, staff, customer: customer_again, before: String::new() };
        house.before = house.state()?;
        Ok(house)
    }

    /// All that must not change, and the last mail that was sent.
    fn state(&self) -> Result<String> {
        let user = self.stack.wordpress.query(&format!(
            "SELECT ID, user_login, user_email, user_pass, user_activation_key FROM wp_users WHERE user_nicename LIKE '%{SUBJECT}%' OR user_email = '{SUBJECT}@example.com'"
        ))?;
        let meta = self.stack.wordpress.query(&format!(
            "SELECT meta_key, meta_value FROM wp_usermeta m JOIN wp_users u ON u.ID = m.user_id \
             WHERE u.user_email = '{SUBJECT}@example.com' AND meta_key IN ( '_new_email', '_application_passwords' ) ORDER BY meta_key"
        ))?;
        let requests =
            self.stack.wordpress.query("SELECT COUNT(*) FROM wp_posts WHERE post_type = 'user_request'")?;
        let mail = self
            .stack
            .wordpress
            .query("SELECT option_value FROM wp_options WHERE option_name = 'test_mail'")?;
        Ok(format!("{user}{meta}{requests}{mail}"))
    }

    /// Nothing has changed, and nobody was shut out.
    async fn assert_unchanged(&self, door: &str) -> Result {
        assert_eq!(self.state()?, self.before, "{door}");
        assert!(self.customer.is_signed_in().await?, "{door} ended the customer's session");
        Ok(())
    }

    async fn door(&self, who: &Visitor, door: &str) -> Result<Response> {
        who.get(&format!("/wp-admin/admin-ajax.php?action=test_door&door={door}")).await
    }

    async fn nonce(&self, of: &str) -> Result<String> {
        Ok(self.door(&self.staff, &format!("nonce&of={of}")).await?.json().await?)
    }

    /// A call of the REST API as a page of the site makes it.
    async fn rest(&self, method: Method, path: &str, body: Option<Value>) -> Result<(StatusCode, Value)> {
        let nonce = self.staff.get("/wp-admin/admin-ajax.php?action=rest-nonce").await?.text().await?;
        let url = format!("{}/wp-json{path}", self.stack.wordpress.url());
        let mut request = self.staff.http().request(method, url).header("X-WP-Nonce", nonce);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        Ok((answer.status(), answer.json().await?))
    }
}

pub async fn no_function_of_wordpress_changes_what_is_the_customers() -> Result {
    let house = House::new().await?;
    for (door, status) in [
        ("wp_update_user", StatusCode::OK),
        ("wp_set_password", StatusCode::OK),
        ("reset_password", StatusCode::FORBIDDEN),
        ("get_password_reset_key", StatusCode::OK),
        ("create_new_application_password", StatusCode::OK),
        ("wp_destroy_other_sessions", StatusCode::OK),
        ("wp_delete_user", StatusCode::FORBIDDEN),
        ("export", StatusCode::OK),
        ("erase", StatusCode::OK),
    ] {
        let answer = house.door(&house.staff, door).await?;
        assert_eq!(answer.status(), status, "{door}");
        assert_eq!(
            answer.headers()["x-test-told"],
            "guarded%40example.com%20Sam%20Support",
            "other plugins are told"
        );
        house.assert_unchanged(door).await?;
    }
    // What is harmless is done.
    let id = house.stack.wordpress.user_id("guarded@example.com")?.ok_or("no user")?;
    let name = format!("SELECT meta_value FROM wp_usermeta WHERE user_id = {id} AND meta_key = 'first_name'");
    assert_eq!(house.stack.wordpress.query(&name)?.trim(), "Changed");
    for right in ["create_app_password", "list_app_passwords", "delete_app_passwords", "delete_user"] {
        assert_eq!(
            house.door(&house.staff, &format!("may&of={right}")).await?.json::<Value>().await?,
            false,
            "{right}"
        );
    }
    assert_eq!(house.door(&house.staff, "may&of=edit_user").await?.json::<Value>().await?, true);
    // "Log out everywhere" is a way to leave.
    house.door(&house.staff, "destroy_all").await?;
    house.assert_unchanged("destroy_all").await?;
    assert!(!house.staff.is_signed_in().await?);

    // The same doors are open to the customer, or this test would see nothing.
    for door in ["wp_update_user", "create_new_application_password", "export"] {
        let before = house.state()?;
        house.door(&house.customer, door).await?;
        assert_ne!(house.state()?, before, "{door}");
        if door == "wp_update_user" {
            let back =
                format!("wp_update_user( array( 'ID' => {id}, 'user_email' => 'guarded@example.com' ) );");
            house.stack.wordpress.eval(&back)?;
        }
    }
    Ok(())
}

pub async fn no_page_of_wordpress_changes_what_is_the_customers() -> Result {
    let house = House::new().await?;
    let profile = house.staff.get("/wp-admin/profile.php").await?.text().await?;
    assert!(
        !profile.contains("name=\"pass1\"") && !profile.contains("new_application_password_name"),
        "{profile}"
    );
    let nonce = profile
        .split("id=\"_wpnonce\" name=\"_wpnonce\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    let nonce = nonce.ok_or("no nonce in the profile")?;
    let id = house.stack.wordpress.user_id("guarded@example.com")?.ok_or("no user")?.to_string();
    let login = house.stack.wordpress.query(&format!("SELECT user_login FROM wp_users WHERE ID = {id}"))?;
    let url = format!("{}/wp-admin/profile.php", house.stack.wordpress.url());
    let base = [
        ("_wpnonce", nonce),
        ("action", "update"),
        ("user_id", &id),
        ("checkuser_id", &id),
        ("from", "profile"),
        ("nickname", "Mia"),
        ("user_login", login.trim()),
    ];
    for (what, fields) in [
        ("e-mail", vec![("email", "thief@example.com")]),
        (
            "password",
            vec![("email", "guarded@example.com"), ("pass1", "thief-thief-1"), ("pass2", "thief-thief-1")],
        ),
    ] {
        let answer =
            house.staff.post(&url, &[&base[..], &fields].concat(), house.stack.wordpress.url()).await?;
        let page = answer.text().await?;
        assert!(page.contains(WHY), "{what}: {page}");
        house.assert_unchanged(what).await?;
    }
    // And what is hers to confirm is not confirmed, or dismissed, for her.
    for query in [
        "newuseremail=abc".to_owned(),
        format!("dismiss={id}_new_email&_wpnonce={}", house.nonce(&format!("dismiss-{id}_new_email")).await?),
    ] {
        house.staff.get(&format!("/wp-admin/profile.php?{query}")).await?;
        house.assert_unchanged(&query).await?;
    }

    let ajax = format!("{}/wp-admin/admin-ajax.php", house.stack.wordpress.url());
    let form = [("action", "destroy-sessions"), ("user_id", &id), ("nonce", nonce)];
    let answer: Value = house.staff.post(&ajax, &form, house.stack.wordpress.url()).await?.json().await?;
    assert_eq!(answer["success"], false);
    assert!(answer["data"]["message"].as_str().is_some_and(|why| why.starts_with(WHY)), "{answer}");
    house.assert_unchanged("destroy-sessions").await?;

    let nonce = house.nonce("authorize_application_password").await?;
    let form = [
        ("action", "authorize_application_password"),
        ("_wpnonce", nonce.as_str()),
        ("approve", "1"),
        ("app_name", "thief"),
        ("app_id", ""),
    ];
    let url = format!("{}/wp-admin/authorize-application.php", house.stack.wordpress.url());
    house.staff.post(&url, &form, house.stack.wordpress.url()).await?;
    house.assert_unchanged("authorize-application.php").await?;

    for page in ["rp&key=x&login=x", "resetpass", "confirmaction&request_id=1&confirm_key=x"] {
        let answer = house.staff.get(&format!("/wp-login.php?action={page}")).await?;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{page}");
    }
    let url = format!("{}/wp-login.php?action=lostpassword", house.stack.wordpress.url());
    let answer =
        house.staff.post(&url, &[("user_login", "guarded@example.com")], house.stack.wordpress.url()).await?;
    assert!(answer.text().await?.contains(WHY));
    house.assert_unchanged("lostpassword").await
}

pub async fn no_api_of_wordpress_changes_what_is_the_customers() -> Result {
    let house = House::new().await?;
    let id = house.stack.wordpress.user_id("guarded@example.com")?.ok_or("no user")?;
    for path in ["/wp/v2/users/me".to_owned(), format!("/wp/v2/users/{id}"), format!("/WP/V2/users/{id}")] {
        for body in [json!({ "password": "thief" }), json!({ "email": "thief@example.com" })] {
            let (status, answer) = house.rest(Method::POST, &path, Some(body.clone())).await?;
            assert_eq!(status, StatusCode::FORBIDDEN, "{path} {body}: {answer}");
            assert!(answer["message"].as_str().is_some_and(|why| why.starts_with(WHY)), "{answer}");
        }
        house.assert_unchanged(&path).await?;
    }
    let batch = json!({ "requests": [
        { "method": "PUT", "path": "/wp/v2/users/me", "body": { "password": "thief", "email": "thief@example.com" } } ] });
    house.rest(Method::POST, "/batch/v1", Some(batch)).await?;
    house.assert_unchanged("batch").await?;
    for (method, path) in [
        (Method::GET, "/wp/v2/users/me/application-passwords"),
        (Method::POST, "/wp/v2/users/me/application-passwords"),
        (Method::DELETE, "/wp/v2/users/me/application-passwords"),
        (Method::DELETE, "/wp/v2/users/me?force=true&reassign=1"),
    ] {
        let (status, answer) = house.rest(method.clone(), path, Some(json!({ "name": "thief" }))).await?;
        assert!(
            status.is_client_error() || status == StatusCode::NOT_IMPLEMENTED,
            "{method} {path}: {status} {answer}"
        );
        house.assert_unchanged(&format!("{method} {path}")).await?;
    }
    // What is harmless is done, and so this was no matter of the nonce.
    let (status, answer) = house
        .rest(
            Method::POST,
            "/wp/v2/users/me",
            Some(json!({ "nickname": "M", "email": "guarded@example.com" })),
        )
        .await?;
    assert_eq!(status, StatusCode::OK, "{answer}");
    house.assert_unchanged("nickname").await?;

    // XML-RPC takes no cookie, and there is no password.
    let call = "<?xml version=\"1.0\"?><methodCall><methodName>wp.editProfile</methodName><params><param><value>1</value></param>\
        <param><value>guarded@example.com</value></param><param><value></value></param><param><value><struct><member>\
        <name>display_name</name><value>thief</value></member></struct></value></param></params></methodCall>";
    let url = format!("{}/xmlrpc.php", house.stack.wordpress.url());
    let answer =
        house.staff.http().post(url).header(header::CONTENT_TYPE, "text/xml").body(call).send().await?;
    assert!(answer.text().await?.contains("<fault>"));
    house.assert_unchanged("xmlrpc").await
}

/// WordPress signs in by either of two cookies. Each alone still says whose session it is.
pub async fn dropping_one_of_the_cookies_sheds_nothing() -> Result {
    let house = House::new().await?;
    let handoff = handoff_by_sam(&house.stack, &desk(&house.stack)?, SUBJECT).await?;
    let answer = house.stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    let cookies: Vec<_> =
        answer.cookies().map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned())).collect();
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let mut tried = 0;
    for kept in ["wordpress_logged_in_", "wordpress_"] {
        let is_kept = |name: &str| {
            name.starts_with(kept) && (kept != "wordpress_" || !name.starts_with("wordpress_logged_in_"))
        };
        let Some((name, value)) = cookies.iter().find(|(name, _)| is_kept(name)) else { continue };
        let cookie = format!("{name}={value}");
        let url = format!("{}/wp-admin/admin-ajax.php?action=test_door&door=", house.stack.wordpress.url());
        for door in [
            "wp_update_user",
            "wp_set_password",
            "create_new_application_password",
            "wp_destroy_other_sessions",
        ] {
            let answer = http.get(format!("{url}{door}")).header(header::COOKIE, &cookie).send().await?;
            // admin-ajax.php answers 400 to whoever is not signed in: then there is nothing to be done either.
            tried += u32::from(answer.status() == StatusCode::OK);
            house.assert_unchanged(&format!("{door} with {kept} alone")).await?;
        }
    }
    assert!(tried >= 4, "nothing was tried");
    assert!(sessions(&house.stack, SUBJECT)?.len() >= 3);
    Ok(())
}
