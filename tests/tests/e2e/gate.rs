//! The gate: who is kept out when the membership ends, through every door, and who is left alone.

use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Result, Stack, Visitor};
use reqwest::{Method, Response, StatusCode, header};
use serde_json::Value;

use crate::support::install;

/// What an ended membership reads like, wherever it is said.
const ENDED: &str = "Your membership is not active";
/// A time that does not come.
const ENDLESS: u64 = 9_007_199_254_740;

/// Mails go into an option, application passwords work without HTTPS, pulls are counted and answered as told. Nobody is
/// poked: what is known is what a test says.
const COMPANION: &str = r#"<?php
if ( isset( $_GET['poke'] ) ) {
	status_header( 503 );
	exit;
}
add_filter( 'wp_is_application_passwords_available', '__return_true' );
add_action( 'phpmailer_init', function ( $mailer ) {
	$mails   = get_option( 'test_mails', array() );
	$mails[] = $mailer->getToAddresses()[0][0] . ' ' . $mailer->Body;
	update_option( 'test_mails', $mails );
	$mailer->Mailer   = 'sendmail';
	$mailer->Sendmail = get_option( 'test_mail_breaks' ) ? '/bin/false' : '/bin/true';
} );
add_filter( 'pre_http_request', function ( $answer, $arguments, $url ) {
	global $wpdb;
	$bridge = get_option( 'test_bridge' );
	if ( ! $bridge || false === strpos( $url, '/wp/v1/changes' ) ) {
		return $answer;
	}
	$answer = array( 'headers' => array(), 'cookies' => array(), 'response' => array( 'code' => 200, 'message' => 'OK' ), 'body' => '{}' );
	if ( false !== strpos( $url, '/acks' ) ) {
		return $answer;
	}
	// Whoever was told something asks once more whether that was all.
	static $counted = false;
	$counted || $wpdb->query( "INSERT INTO {$wpdb->options} ( option_name, option_value, autoload ) VALUES ( CONCAT( 'test_pull_', UUID() ), '', 'no' )" );
	$counted = true;
	usleep( 300000 );
	$news           = array( 'epoch' => 'test', 'members' => json_decode( get_option( 'test_news', '[]' ) ), 'next' => 9, 'more' => false, 'server_time' => gmdate( 'c' ) );
	$answer['body'] = json_encode( $news );
	return 'up' === $bridge ? $answer : new WP_Error( 'http_request_failed', 'down' );
}, 10, 3 );
add_action( 'wp_ajax_test_who', 'test_who' );
add_action( 'wp_ajax_nopriv_test_who', 'test_who' );
function test_who() {
	wp_send_json( wp_get_current_user()->user_login );
}
// Plugins that look at the cookie alone, or have their own way of knowing who somebody is, after everybody else.
add_action( 'template_redirect', function () {
	if ( isset( $_GET['test_cookie'] ) ) {
		auth_redirect();
		wp_send_json( 'passed' );
	}
} );
add_action( 'plugins_loaded', function () {
	add_filter( 'determine_current_user', function ( $id ) {
		return isset( $_GET['test_token'] ) ? (int) $_GET['test_token'] : $id;
	}, PHP_INT_MAX );
} );
add_action( 'init', function () {
	if ( isset( $_GET['test_nonce'] ) ) {
		wp_send_json( wp_create_nonce( 'wp_rest' ) );
	}
	if ( isset( $_GET['test_let_in'] ) ) {
		wp_set_auth_cookie( (int) $_GET['test_let_in'] );
		exit;
	}
} );
"#;

/// A site with members who have passwords, and what is known of them.
pub struct House {
    pub stack: Stack,
}

/// A member of the house.
pub struct Person {
    pub id: u64,
    pub login: String,
    pub email: String,
}

impl House {
    pub async fn new() -> Result<Self> {
        Self::on(Stack::start().await?)
    }

    pub fn on(stack: Stack) -> Result<Self> {
        install(&stack, "companion.php", COMPANION)?;
        let house = Self { stack };
        house.heard("'as_of' => time(), 'complete' => true")?;
        Ok(house)
    }

    /// A member who has signed in by button once, and has a password.
    pub async fn member(&self, subject: &str) -> Result<Person> {
        let (member, handoff) = self.stack.handoff(subject).await?;
        self.stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
        let id = self.stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
        let login = self.eval(&format!(
            "wp_set_password( '{PASSWORD}', {id} ); WP_Session_Tokens::get_instance( {id} )->destroy_all(); \
             echo get_userdata( {id} )->user_login;"
        ))?;
        let person = Person { id, login, email: member.email };
        self.stand(&person, ENDLESS)?;
        Ok(person)
    }

    /// The same without a sign-in.
    pub fn made(&self, subject: &str) -> Result<Person> {
        let email = format!("{subject}@example.com");
        let id = self.eval(&format!(
            "$c = ( new Gatepass_Store() )->connection(); $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), '{subject}' ); \
             echo wp_insert_user( array( 'user_login' => '{subject}', 'user_pass' => '{PASSWORD}', 'user_email' => '{email}', \
             'role' => 'subscriber', 'meta_input' => array( $i->meta_key() => $i->readable() ) ) );"
        ))?;
        let person = Person { id: id.parse()?, login: subject.to_owned(), email };
        self.stand(&person, ENDLESS)?;
        Ok(person)
    }

    pub fn eval(&self, code: &str) -> Result<String> {
        self.stack.wordpress.eval(code)
    }

    /// What the panel has said last: until when the member is let in.
    pub fn stand(&self, person: &Person, allowed_until: u64) -> Result {
        self.eval(&format!(
            "$i = Gatepass_Identity::of_user( {id}, ( new Gatepass_Store() )->connection() ); \
             $s = Gatepass_Standing::of_identity( {id}, $i ); \
             ( $s ?? Gatepass_Standing::from_array( array() ) )->with( array( 'status' => 'any', 'allowed_until' => {allowed_until} ) )->save( {id}, $i );",
            id = person.id
        ))?;
        Ok(())
    }

    /// How far the site has followed the panel.
    pub fn heard(&self, members: &str) -> Result {
        self.eval(&format!("Gatepass_Sync_State::of( ( new Gatepass_Store() )->connection() )->with( array( {members} ) )->save();"))?;
        Ok(())
    }

    /// Signs in on wp-login.php.
    pub async fn log_in(&self, login: &str, password: &str) -> Result<(Visitor, StatusCode, String)> {
        let visitor = self.stack.wordpress.visitor();
        let answer = visitor.log_in_with_password(login, password).await?;
        let (status, page) = (answer.status(), answer.text().await?);
        Ok((visitor, status, page))
    }

    pub async fn signed_in(&self, person: &Person) -> Result<Visitor> {
        let (visitor, status, page) = self.log_in(&person.login, PASSWORD).await?;
        assert_eq!(status, StatusCode::FOUND, "{page}");
        assert!(visitor.is_signed_in().await?);
        Ok(visitor)
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.wordpress.url())
    }

    pub async fn post(&self, visitor: &Visitor, path: &str, form: &[(&str, &str)]) -> Result<Response> {
        visitor.post(&self.url(path), form, self.stack.wordpress.url()).await
    }

    fn sessions(&self, person: &Person) -> Result<usize> {
        self.stack.wordpress.session_rows(&person.login)
    }
}

/// The renewal page, as a browser gets it.
async fn assert_renewal(answer: Response, what: &str) -> Result {
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{what}");
    assert_eq!(&answer.headers()["x-gatepass-page"], "membership", "{what}");
    assert_eq!(&answer.headers()[header::CACHE_CONTROL], "no-store", "{what}");
    let page = answer.text().await?;
    assert!(page.contains(ENDED) && page.contains("#renew\""), "{what}: {page}");
    Ok(())
}

pub async fn only_the_right_password_tells_that_a_membership_has_ended() -> Result {
    let house = House::new().await?;
    let (active, lapsed) = (house.member("gate-a").await?, house.member("gate-b").await?);
    house.stand(&lapsed, 1)?;

    for name in [&lapsed.login, &lapsed.email] {
        let (visitor, status, page) = house.log_in(name, PASSWORD).await?;
        assert_eq!(status, StatusCode::OK);
        assert!(page.contains(ENDED) && page.contains("#renew\">Renew your membership</a>"), "{page}");
        assert!(!visitor.is_signed_in().await?);
    }
    assert_eq!(house.sessions(&lapsed)?, 0);

    // A wrong one: WordPress's own words, letter by letter those that an active member would see.
    for name in [|person: &Person| person.login.clone(), |person: &Person| person.email.clone()] {
        let mut pages = Vec::new();
        for person in [&active, &lapsed] {
            let (_, status, page) = house.log_in(&name(person), "wrong").await?;
            pages.push((status, page.replace(&name(person), "NAME")));
        }
        assert_eq!(pages[0], pages[1]);
        assert!(pages[0].1.contains("is incorrect"), "{}", pages[0].1);
    }

    // An active one gets in, and so does whoever is active again, or whose grace has not run out.
    assert!(house.signed_in(&active).await?.is_signed_in().await?);
    house.stand(&lapsed, ENDLESS)?;
    house.signed_in(&lapsed).await?;
    let now: u64 = house.eval("echo time();")?.parse()?;
    house.stand(&lapsed, now + 60)?;
    house.signed_in(&lapsed).await?;
    // By the bridge's clock, not by ours.
    house.heard("'offset' => 120")?;
    assert!(house.log_in(&lapsed.login, PASSWORD).await?.2.contains(ENDED));
    house.heard("'offset' => 0")?;

    // Unknown to the panel: let in until the site has once heard of everybody.
    house.eval(&format!("foreach ( get_user_meta( {0} ) as $key => $v ) {{ if ( 0 === strpos( $key, '_gatepass_standing_' ) ) {{ delete_user_meta( {0}, $key ); }} }}", lapsed.id))?;
    assert!(house.log_in(&lapsed.login, PASSWORD).await?.2.contains(ENDED));
    house.heard("'complete' => false")?;
    house.signed_in(&lapsed).await?;
    Ok(())
}

pub async fn whoever_is_no_member_is_left_alone() -> Result {
    let house = House::new().await?;
    let lapsed = house.member("gate-c").await?;
    house.stand(&lapsed, 0)?;
    let other = house.eval(&format!(
        "echo wp_insert_user( array( 'user_login' => 'not-linked', 'user_pass' => '{PASSWORD}', 'user_email' => 'not-linked@example.com', 'role' => 'subscriber' ) );"
    ))?;
    let other =
        Person { id: other.parse()?, login: "not-linked".into(), email: "not-linked@example.com".into() };
    house.signed_in(&other).await?;

    // A customer of a pairing of before.
    house.eval(&format!(
        "$i = new Gatepass_Identity( 'https://old.example', 'site_{}', 'x' ); update_user_meta( {}, $i->meta_key(), $i->readable() );",
        "a".repeat(26),
        other.id
    ))?;
    house.signed_in(&other).await?;

    // An administrator, even if linked and lapsed.
    house.eval(
        "$c = ( new Gatepass_Store() )->connection(); $i = new Gatepass_Identity( $c->issuer(), $c->site_id(), 'boss' ); \
         update_user_meta( 1, $i->meta_key(), $i->readable() ); Gatepass_Standing::from_array( array() )->save( 1, $i );",
    )?;
    let boss = house.stack.wordpress.visitor();
    assert_eq!(boss.log_in_with_password(ADMIN, PASSWORD).await?.status(), StatusCode::FOUND);
    assert!(boss.is_signed_in().await?);

    // Who can do more than the owner allows members, and does not own the site, is kept out, and loses nothing else.
    let author = house.member("gate-author").await?;
    let session = house.signed_in(&author).await?;
    let role = |role: &str| house.eval(&format!("( new WP_User( {} ) )->set_role( '{role}' );", author.id));
    role("author")?;
    house.stand(&author, 0)?;
    assert!(!session.is_signed_in().await?);
    assert_eq!(session.get("/").await?.status(), StatusCode::OK);
    assert_eq!(house.sessions(&author)?, 1);
    assert!(house.log_in(&author.login, PASSWORD).await?.2.contains(ENDED));
    role("administrator")?;
    assert!(session.is_signed_in().await?);

    // Whom the owner names on the settings page; and nobody else, though others are named as well.
    assert!(house.log_in(&lapsed.login, PASSWORD).await?.2.contains(ENDED));
    let page = boss.get("/wp-admin/options-general.php?page=gatepass").await?.text().await?;
    let nonce = page.split("name=\"_wpnonce\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
    let exempt = format!("{}\nnobody-of-this-name", lapsed.email);
    let form = [
        ("action", "gatepass_settings"),
        ("do", "gate"),
        ("_wpnonce", nonce.ok_or("no nonce")?),
        ("exempt", &exempt),
        ("stale", "keep"),
        ("hours", "24"),
    ];
    house.post(&boss, "/wp-admin/admin-post.php", &form).await?;
    let page =
        boss.get("/wp-admin/options-general.php?page=gatepass&settings-updated=true").await?.text().await?;
    assert!(page.contains("nobody-of-this-name"), "whoever is not found is named: {page}");
    // A list of which not all has come changes nothing.
    let too_long = "x\n".repeat(10_001);
    let cut = form.map(|(name, value)| (name, if name == "exempt" { too_long.as_str() } else { value }));
    house.post(&boss, "/wp-admin/admin-post.php", &cut).await?;
    let without: Vec<_> = form.into_iter().filter(|(name, _)| *name != "exempt").collect();
    house.post(&boss, "/wp-admin/admin-post.php", &without).await?;
    let visitor = house.signed_in(&lapsed).await?;
    assert!(visitor.is_signed_in().await?);

    // The developers' filter has a say of members alone.
    install(
        &house.stack,
        "filter.php",
        "<?php add_filter( 'gatepass_is_member_allowed', function ( $allowed, $user ) { return 'gate-d@example.com' === $user->user_email ? ! $allowed : false; }, 10, 2 );",
    )?;
    let second = house.member("gate-d").await?;
    assert!(house.log_in(&second.login, PASSWORD).await?.2.contains(ENDED));
    house.stand(&second, 0)?;
    house.signed_in(&second).await?;
    house.signed_in(&other).await?;
    assert!(boss.is_signed_in().await?);
    Ok(())
}

pub async fn a_stranger_learns_nothing_by_asking_for_a_new_password() -> Result {
    let house = House::new().await?;
    let (active, lapsed) = (house.member("gate-e").await?, house.member("gate-f").await?);
    house.eval(&format!(
        "add_option( 'test_key', get_password_reset_key( get_userdata( {} ) ) );",
        lapsed.id
    ))?;
    let old = house.eval("echo get_option( 'test_key' );")?;
    let kept = house.eval(&format!("echo get_userdata( {} )->user_activation_key;", lapsed.id))?;
    house.stand(&lapsed, 0)?;

    let mails = || -> Result<Vec<String>> {
        Ok(serde_json::from_str(&house.eval("echo json_encode( get_option( 'test_mails', array() ) );")?)?)
    };
    let ask = async |person: &Person| -> Result<(StatusCode, String, String)> {
        let visitor = house.stack.wordpress.visitor();
        let answer = house
            .post(&visitor, "/wp-login.php?action=lostpassword", &[("user_login", &person.email)])
            .await?;
        let to = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|to| to.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok((answer.status(), to, answer.text().await?.replace(&person.email, "NAME")))
    };
    let of_active = ask(&active).await?;
    assert_eq!(of_active.0, StatusCode::FOUND);
    assert!(of_active.1.ends_with("wp-login.php?checkemail=confirm"), "{of_active:?}");
    assert_eq!(ask(&lapsed).await?, of_active);
    assert_eq!(mails()?.len(), 1);
    assert!(mails()?[0].starts_with(&active.email));
    let same = house.eval(&format!("echo get_userdata( {} )->user_activation_key;", lapsed.id))?;
    assert_eq!(same, kept, "no key is made");

    // Where mails cannot be sent, WordPress says so: of everybody.
    house.eval("update_option( 'test_mail_breaks', 1 );")?;
    let of_active = ask(&active).await?;
    assert!(of_active.2.contains("could not be sent"), "{of_active:?}");
    assert_eq!(ask(&lapsed).await?, of_active);
    assert_eq!(mails()?.len(), 2);
    house.eval("delete_option( 'test_mail_breaks' );")?;
    ask(&active).await?;

    // Whoever makes a key without asking, as shops do: it is not kept, and the mail with it stays here.
    let code = |person: &Person| {
        format!(
            "$u = get_userdata( {} ); $key = get_password_reset_key( $u ); wp_mail( $u->user_email, 'x', 'Key: ' . $key ); \
         wp_mail( $u->user_email, 'y', 'An invoice' ); echo is_wp_error( check_password_reset_key( $key, $u->user_login ) ) ? 'no' : 'yes';",
            person.id
        )
    };
    let before = mails()?.len();
    assert_eq!(house.eval(&code(&active))?, "yes");
    assert_eq!(mails()?.len(), before + 2);
    assert_eq!(house.eval(&code(&lapsed))?, "no");
    assert_eq!(mails()?.len(), before + 3);
    assert!(mails()?[before + 2].ends_with("An invoice"), "{:?}", mails()?);

    // A key of before opens nothing: not on WordPress's page, and not by its functions.
    house.eval(&format!("$GLOBALS['wpdb']->update( $GLOBALS['wpdb']->users, array( 'user_activation_key' => '{kept}' ), array( 'ID' => {} ) );", lapsed.id))?;
    let open = async |key: &str| -> Result<String> {
        let visitor = house.stack.wordpress.visitor();
        visitor.get(&format!("/wp-login.php?action=rp&key={key}&login={}", lapsed.login)).await?;
        let answer = visitor.get("/wp-login.php?action=rp").await?;
        Ok(answer
            .headers()
            .get(header::LOCATION)
            .and_then(|to| to.to_str().ok())
            .unwrap_or("the form")
            .to_owned())
    };
    assert!(open(&old).await?.ends_with("error=expiredkey"));
    assert!(open("wrong").await?.ends_with("error=invalidkey"));
    let by_function = format!(
        "$u = get_userdata( {} ); $e = new WP_Error(); do_action( 'validate_password_reset', $e, $u ); echo $e->get_error_code(); \
         ob_start( function ( $page ) {{ return strpos( $page, '{ENDED}' ) ? ' page' : ' nothing'; }} ); reset_password( $u, 'new' ); echo 'done';",
        lapsed.id
    );
    assert_eq!(house.eval(&by_function)?, "gatepass_membership_inactive page");
    house.stand(&lapsed, ENDLESS)?;
    assert_eq!(open(&old).await?, "the form");
    house.signed_in(&lapsed).await?;
    Ok(())
}

pub async fn no_api_lets_a_lapsed_member_in() -> Result {
    let house = House::new().await?;
    let (active, lapsed) = (house.member("gate-g").await?, house.member("gate-h").await?);
    let application_password = |person: &Person| {
        house.eval(&format!("echo WP_Application_Passwords::create_new_application_password( {}, array( 'name' => 'x' ) )[0];", person.id))
    };
    let (of_active, of_lapsed) = (application_password(&active)?, application_password(&lapsed)?);
    house.stand(&lapsed, 0)?;

    let rest = async |person: &Person, password: &str| -> Result<(StatusCode, String)> {
        let request = house.stack.wordpress.visitor().http().get(house.url("/?rest_route=/wp/v2/users/me"));
        let answer = request.basic_auth(&person.login, Some(password)).send().await?;
        Ok((answer.status(), answer.text().await?))
    };
    assert_eq!(rest(&active, &of_active).await?.0, StatusCode::OK);
    let (status, said) = rest(&lapsed, &of_lapsed).await?;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(said.contains("gatepass_membership_inactive") && !said.contains('<'), "{said}");
    // A wrong one tells nothing.
    assert_eq!(rest(&lapsed, "wrong").await?, rest(&active, "wrong").await?);

    let call = async |method: &str, parameters: &[&str]| -> Result<String> {
        let values: Vec<_> = parameters
            .iter()
            .map(|value| format!("<param><value><string>{value}</string></value></param>"))
            .collect();
        let values = values.concat();
        let body = format!(
            "<?xml version=\"1.0\"?><methodCall><methodName>{method}</methodName><params>{values}</params></methodCall>"
        );
        let http = house.stack.wordpress.visitor();
        let request =
            http.http().post(house.url("/xmlrpc.php")).header(header::CONTENT_TYPE, "text/xml").body(body);
        Ok(request.send().await?.text().await?)
    };
    for password in [PASSWORD, &of_active] {
        assert!(call("wp.getProfile", &["1", &active.login, password]).await?.contains("gate-g@example.com"));
    }
    let wrong = call("wp.getProfile", &["1", &lapsed.login, "wrong"]).await?;
    assert!(wrong.contains("<fault>"), "{wrong}");
    for password in [PASSWORD, &of_lapsed] {
        assert_eq!(
            call("wp.getProfile", &["1", &lapsed.login, password]).await?,
            wrong,
            "not even by a right one"
        );
    }
    // Many calls in one.
    let one = |person: &Person| {
        format!(
            "<value><struct><member><name>methodName</name><value>wp.getProfile</value></member><member><name>params</name><value><array><data>\
         <value>1</value><value>{}</value><value>{PASSWORD}</value></data></array></value></member></struct></value>",
            person.login
        )
    };
    let body = format!(
        "<?xml version=\"1.0\"?><methodCall><methodName>system.multicall</methodName><params><param><value><array><data>{}{}</data></array></value></param></params></methodCall>",
        one(&active),
        one(&lapsed)
    );
    let visitor = house.stack.wordpress.visitor();
    let answer = visitor
        .http()
        .post(house.url("/xmlrpc.php"))
        .header(header::CONTENT_TYPE, "text/xml")
        .body(body)
        .send()
        .await?
        .text()
        .await?;
    assert!(answer.contains("gate-g@example.com") && !answer.contains("gate-h@example.com"), "{answer}");

    // Nobody can write how they stand, nor see it.
    let member = house.signed_in(&active).await?;
    let nonce: String = member.get("/?test_nonce=1").await?.json().await?;
    let standing = house.eval(&format!("foreach ( get_user_meta( {} ) as $key => $v ) {{ if ( 0 === strpos( $key, '_gatepass_standing_' ) ) {{ echo $key; }} }}", active.id))?;
    let body = serde_json::json!({ "meta": { standing.as_str(): { "allowed_until": 1 } }, standing.as_str(): 1, "nickname": "N" });
    let request = member
        .http()
        .request(Method::POST, house.url("/?rest_route=/wp/v2/users/me"))
        .header("X-WP-Nonce", &nonce)
        .json(&body);
    let answer = request.send().await?;
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(!answer.text().await?.contains("gatepass"));
    assert!(
        house
            .eval(&format!("echo json_encode( get_user_meta( {}, '{standing}', true ) );", active.id))?
            .contains(&ENDLESS.to_string())
    );
    Ok(())
}

pub async fn a_live_session_ends_with_the_membership() -> Result {
    let house = House::new().await?;
    let person = house.member("gate-i").await?;
    for path in [
        "/",
        "/?feed=rss2",
        "/wp-admin/",
        "/wp-admin/profile.php",
        "/wp-login.php",
        "/wp-login.php?action=logout",
        "/no-such-page/",
    ] {
        house.stand(&person, ENDLESS)?;
        let visitor = house.signed_in(&person).await?;
        // Another device of theirs, which shows nothing yet.
        let other = house.signed_in(&person).await?;
        house.stand(&person, 0)?;
        let anonymous = house.stack.wordpress.visitor().get(path).await?;
        let (status, public) = (anonymous.status(), anonymous.text().await?);
        let answer = visitor.get(path).await?;
        let taken = |cookie: &header::HeaderValue| {
            cookie
                .to_str()
                .is_ok_and(|cookie| cookie.starts_with("wordpress_logged_in_") && cookie.contains("expires="))
        };
        assert!(
            answer.headers().get_all(header::SET_COOKIE).iter().any(taken),
            "{path}: the cookies are taken"
        );
        assert_renewal(answer, path).await?;
        let again = visitor.get(path).await?;
        assert_eq!(again.status(), status, "{path}: the next one is the public's");
        assert_eq!(again.text().await?.len(), public.len(), "{path}");
        assert_eq!(house.sessions(&person)?, 1, "{path}");
        assert_renewal(other.get("/").await?, path).await?;
        assert_eq!(house.sessions(&person)?, 0);
    }
    // Nothing is forgotten: renewed, the member signs in as before.
    house.stand(&person, ENDLESS)?;
    let visitor = house.signed_in(&person).await?;

    // Where cookies cannot be taken away, it is said once and not for ever.
    let answer = house.stack.wordpress.visitor().log_in_with_password(&person.login, PASSWORD).await?;
    let cookies: Vec<_> =
        answer.cookies().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let stubborn = async |more: &str| -> Result<Response> {
        let cookies = format!("{}{more}", cookies.join("; "));
        Ok(http.get(house.url("/")).header(header::COOKIE, cookies).send().await?)
    };
    house.stand(&person, 0)?;
    let answer = stubborn("").await?;
    let told = answer.cookies().find(|cookie| cookie.name() == "gatepass_told");
    let told = told.ok_or("nothing remembers it")?.value().to_owned();
    assert_renewal(answer, "cookies that stay").await?;
    assert_renewal(stubborn("; gatepass_told=x").await?, "told of another session").await?;
    assert_eq!(stubborn(&format!("; gatepass_told={told}")).await?.status(), StatusCode::OK);
    house.stand(&person, ENDLESS)?;

    // What a page asks for in the background is refused, and leaves it to the next page view to say why.
    let nonce: String = visitor.get("/?test_nonce=1").await?.json().await?;
    let rest = async |visitor: &Visitor, path: &str| -> Result<Response> {
        Ok(visitor.http().get(house.url(path)).header("X-WP-Nonce", &nonce).send().await?)
    };
    assert_eq!(rest(&visitor, "/?rest_route=/wp/v2/users/me").await?.status(), StatusCode::OK);
    house.stand(&person, 0)?;
    for (what, answer) in [
        ("REST", rest(&visitor, "/?rest_route=/wp/v2/users/me").await?),
        ("REST again", rest(&visitor, "/wp-json/wp/v2/users/me").await?),
    ] {
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
        let said: Value = answer.json().await?;
        assert_eq!(said["code"], "gatepass_membership_inactive", "{what}: {said}");
    }
    assert_renewal(visitor.get("/wp-admin/").await?, "after a request in the background").await?;
    assert!(!visitor.is_signed_in().await?);
    house.stand(&person, ENDLESS)?;
    let visitor = house.signed_in(&person).await?;
    house.stand(&person, 0)?;
    let answer = visitor.get("/wp-admin/admin-ajax.php?action=test_who").await?;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(answer.json::<Value>().await?["code"], "gatepass_membership_inactive");
    assert_renewal(visitor.get("/").await?, "after admin-ajax").await?;

    // A form that is posted does nothing.
    house.stand(&person, ENDLESS)?;
    let visitor = house.signed_in(&person).await?;
    house.stand(&person, 0)?;
    let form = [("comment", "from the dead"), ("comment_post_ID", "1")];
    assert_renewal(house.post(&visitor, "/wp-comments-post.php", &form).await?, "a comment").await?;
    assert_eq!(
        house
            .stack
            .wordpress
            .query("SELECT COUNT(*) FROM wp_comments WHERE comment_content = 'from the dead'")?
            .trim(),
        "0"
    );

    // Somebody else may log in from a page that was open.
    house.stand(&person, ENDLESS)?;
    let visitor = house.signed_in(&person).await?;
    house.stand(&person, 0)?;
    let form = [("log", ADMIN), ("pwd", PASSWORD)];
    assert_eq!(house.post(&visitor, "/wp-login.php", &form).await?.status(), StatusCode::FOUND);
    assert!(visitor.is_signed_in().await?);
    Ok(())
}

pub async fn no_way_around_opens_a_session_for_a_lapsed_member() -> Result {
    let house = House::new().await?;
    let person = house.member("gate-j").await?;
    let answer = house.stack.wordpress.visitor().log_in_with_password(&person.login, PASSWORD).await?;
    let cookies: Vec<_> =
        answer.cookies().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
    house.stand(&person, 0)?;
    // One of the doors is WP-Cron's, which asks the panel.
    house.stack.api.put_status("gate-j", "canceled").await?;
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let replay = async |cookie: &str, path: &str| -> Result<Response> {
        Ok(http.get(house.url(path)).header(header::COOKIE, cookie).send().await?)
    };
    // Each cookie alone, replayed again and again by somebody who takes no notice of what is set; it never opens
    // anything, not even for those who look at the cookie alone.
    for cookie in &cookies {
        for path in [
            "/wp-admin/profile.php",
            "/wp-admin/index.php?reauth=1",
            "/wp-admin/customize.php",
            "/?customize_changeset_uuid=x&preview=true",
            "/wp-admin/admin-ajax.php?action=test_who",
            "/wp-admin/admin-post.php?action=x",
            "/wp-login.php?action=enter_recovery_mode&rm_token=x&rm_key=x",
            "/wp-cron.php?doing_wp_cron",
            "/wp-admin/profile.php?interim-login=1",
            "/wp-login.php?interim-login=1",
            "/",
        ] {
            let answer = replay(cookie, path).await?;
            let status = answer.status();
            let page = answer.text().await?;
            assert!(!page.contains(&person.login) && !page.contains("gate-j@"), "{path}: {status} {page}");
            assert!(
                !path.starts_with("/wp-admin/")
                    || path.contains("admin-ajax")
                    || !status.is_success()
                    || page.is_empty(),
                "{path}: {status}"
            );
        }
    }
    assert_eq!(house.sessions(&person)?, 0);

    // A plugin that asks nobody gets as far as one answer.
    let visitor = house.stack.wordpress.visitor();
    visitor.get(&format!("/?test_let_in={}", person.id)).await?;
    assert_eq!(house.sessions(&person)?, 1);
    assert_renewal(visitor.get("/wp-admin/").await?, "a plugin's own login").await?;
    assert_eq!(house.sessions(&person)?, 0);

    // Nor does one that knows by other means who somebody is.
    let token = format!("test_token={}", person.id);
    let stranger = house.stack.wordpress.visitor();
    assert_renewal(stranger.get(&format!("/?{token}")).await?, "a plugin's own token").await?;
    let answer = stranger.get(&format!("/?rest_route=/wp/v2/users/me&{token}")).await?;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    house.stand(&person, ENDLESS)?;
    let answer = stranger.get(&format!("/?rest_route=/wp/v2/users/me&{token}")).await?;
    assert_eq!(answer.status(), StatusCode::OK);

    // Whoever comes from the panel with an old session still comes in: the panel knows better.
    house.stand(&person, ENDLESS)?;
    let visitor = house.signed_in(&person).await?;
    house.stand(&person, 0)?;
    let (_, handoff) = house.stack.handoff("gate-j").await?;
    assert_eq!(visitor.get("/wp-admin/admin-post.php?action=gatepass").await?.status(), StatusCode::OK);
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(visitor.is_signed_in().await?);
    Ok(())
}

pub async fn what_the_panel_says_reaches_who_is_signed_in() -> Result {
    let house = House::new().await?;
    let person = house.member("gate-q").await?;
    let pull = || house.eval("echo Gatepass_Sync::of_this_site()->pull( 20 ) ? 'done' : 'not';");
    assert_eq!(pull()?, "done");
    for (canceled, path) in
        [("canceled", "/"), ("paused", "/wp-admin/"), ("expired", "/wp-admin/profile.php")]
    {
        let visitor = house.signed_in(&person).await?;
        house.stack.api.put_status("gate-q", canceled).await?;
        assert_eq!(pull()?, "done");
        assert_eq!(house.sessions(&person)?, 0, "{canceled}");
        assert_renewal(visitor.get(path).await?, canceled).await?;
        assert!(visitor.get("/").await?.status().is_success());
        assert!(house.log_in(&person.login, PASSWORD).await?.2.contains(ENDED));
        house.stack.api.put_status("gate-q", "active").await?;
        assert_eq!(pull()?, "done");
    }
    // Whom the owner has exempted stays signed in, too.
    let visitor = house.signed_in(&person).await?;
    house.eval(&format!("$s = new Gatepass_Store(); $s->save_gate_rules( $s->gate_rules()->wanted( array( {} ), false, 86400 ) );", person.id))?;
    house.stack.api.put_status("gate-q", "canceled").await?;
    assert_eq!(pull()?, "done");
    assert!(visitor.is_signed_in().await?);
    house.signed_in(&person).await?;
    Ok(())
}

pub async fn a_lapsed_member_in_a_browser_sees_where_to_renew() -> Result {
    let house = House::new().await?;
    let person = house.member("gate-k").await?;
    let browser = house.stack.browser().await?;
    for (from, to) in [("/", "/?p=1"), ("/wp-admin/profile.php", "/wp-admin/index.php")] {
        house.stand(&person, ENDLESS)?;
        browser.log_in_with_password(house.stack.wordpress.url(), &person.login, PASSWORD).await?;
        browser.wait_for_path("/wp-admin/profile.php").await?;
        browser.goto(&house.url(from)).await?;
        house.stand(&person, 0)?;
        browser.goto(&house.url(to)).await?;
        browser.wait_for_text(ENDED).await?;
        let link = browser.control("body", "Renew your membership").await?.attr("href").await?;
        assert!(link.is_some_and(|to| to.ends_with("#renew")));
        browser.click("To the front page").await?;
        browser.wait_for_path("/").await?;
        assert!(!browser.text().await?.contains(ENDED));
        assert_eq!(browser.signed_in_as().await?, None);
    }
    // And on the form itself.
    browser.log_in_with_password(house.stack.wordpress.url(), &person.login, PASSWORD).await?;
    browser.wait_for_text(ENDED).await?;
    browser.control("#login_error", "Renew your membership").await?;
    Ok(())
}

pub async fn a_page_view_of_a_member_costs_no_query_and_no_call() -> Result {
    let house = House::new().await?;
    let person = house.member("gate-o").await?;
    // As WordPress has it at hand for whoever is signed in.
    let code = |more: &str| {
        format!(
            "$user = get_userdata( {} ); get_user_meta( $user->ID ); $store = new Gatepass_Store(); {more} \
             $never = function () {{ throw new Exception( 'asked' ); }}; add_filter( 'pre_http_request', $never ); \
             $admission = new Gatepass_Admission( $store, new Gatepass_Privileges( $store ), new Gatepass_Refresh( $never ) ); \
             $before = $wpdb->num_queries; $verdict = $admission->verdict( $user, true ); echo $verdict, $wpdb->num_queries - $before;",
            person.id
        )
    };
    assert_eq!(house.eval(&code(""))?, "open0");
    assert_eq!(house.eval(&code("$user = get_userdata( 1 ); get_user_meta( 1 );"))?, "open0");
    // It does count them.
    house.eval("delete_option( 'gatepass_gate' );")?;
    assert_ne!(house.eval(&code(""))?, "open0");
    assert_eq!(house.eval(&code(""))?, "open0", "and what was lost is back");
    Ok(())
}

pub async fn staff_who_act_for_a_member_go_with_the_membership() -> Result {
    let house = House::new().await?;
    let desk = crate::support::desk(&house.stack)?;
    house.heard("'complete' => false")?;
    let staff = crate::support::sam_signed_in(&house.stack, &desk, "gate-p").await?;
    assert!(staff.get("/").await?.text().await?.contains("gatepass-on-behalf"));
    let id = house.stack.wordpress.user_id("gate-p@example.com")?.ok_or("no user")?;
    let login = house.eval(&format!("echo get_userdata( {id} )->user_login;"))?;
    let person = Person { id, login, email: "gate-p@example.com".into() };
    house.stand(&person, 0)?;
    assert_renewal(staff.get("/wp-admin/").await?, "support").await?;
    assert_eq!(house.sessions(&person)?, 0);
    // Kept out by what was known, let in again by what is heard in the same request: still marked as support.
    house.stand(&person, ENDLESS)?;
    let staff = crate::support::sam_signed_in(&house.stack, &desk, "gate-p").await?;
    house.stand(&person, 1)?;
    house.eval(
        "update_option( 'gatepass_gate', array_merge( get_option( 'gatepass_gate' ), array( 'paired_at' => 1 ) ) ); \
         update_option( 'test_bridge', 'up' );",
    )?;
    let member = serde_json::json!([{ "subject": "gate-p", "position": 11, "revision": 1, "allowed_until": ENDLESS, "sessions_ended": 0,
        "member": { "email": person.email, "roles": ["subscriber"] }, "membership": { "status": "active" } }]);
    house.eval(&format!("update_option( 'test_news', '{member}' );"))?;
    house.heard("'as_of' => time() - 90000, 'complete' => true, 'epoch' => 'test', 'resyncing' => false")?;
    let page = staff.get("/").await?.text().await?;
    assert!(page.contains("gatepass-on-behalf"), "{page}");
    Ok(())
}

/// How often the panel was asked since this was last asked.
fn pulls(house: &House) -> Result<usize> {
    let count = "SELECT COUNT(*) FROM wp_options WHERE option_name LIKE 'test\\_pull\\_%'";
    let seen = house.stack.wordpress.query(count)?.trim().parse()?;
    house.stack.wordpress.query("DELETE FROM wp_options WHERE option_name LIKE 'test\\_pull\\_%'")?;
    Ok(seen)
}

/// As if the panel had not been asked for five minutes.
fn five_minutes_later(house: &House) -> Result {
    house
        .stack
        .wordpress
        .query("UPDATE wp_options SET option_value = '1:done' WHERE option_name = 'gatepass_refresh'")?;
    Ok(())
}

pub async fn what_is_known_for_too_long_is_asked_for_once_and_then_the_owners_word_counts() -> Result {
    let house = House::new().await?;
    let person = house.member("gate-l").await?;
    let stale = "'as_of' => time() - 90000, 'complete' => true, 'epoch' => 'test', 'resyncing' => false";
    house.heard(stale)?;
    let rules = |rules: &str| {
        house.eval(&format!("update_option( 'gatepass_gate', array_merge( get_option( 'gatepass_gate' ), array( {rules} ) ) );"))
    };
    rules("'paired_at' => 1")?;
    house.eval("update_option( 'test_bridge', 'down' );")?;
    // The login asks, and it gets an answer all the same.
    let visitor = house.signed_in(&person).await?;
    assert_eq!(pulls(&house)?, 1);

    // Many at once.
    five_minutes_later(&house)?;
    let crowd = (0..20).map(|_| visitor.get("/wp-admin/profile.php"));
    for answer in all_of(crowd).await {
        assert_eq!(answer?.status(), StatusCode::OK);
    }
    assert_eq!(pulls(&house)?, 1);
    assert!(visitor.is_signed_in().await?);
    assert_eq!(pulls(&house)?, 0);

    // The owner's other word. The session stays for when the panel is heard of again.
    rules("'shuts' => true")?;
    let answer = visitor.get("/wp-admin/profile.php").await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(&answer.headers()["x-gatepass-page"], "temporary");
    assert!(answer.headers().get(header::SET_COOKIE).is_none());
    let (public, seen) = (house.stack.wordpress.visitor().get("/").await?, visitor.get("/").await?);
    assert_eq!(seen.status(), StatusCode::OK);
    assert_eq!(seen.text().await?.len(), public.text().await?.len());
    let (_, _, page) = house.log_in(&person.login, PASSWORD).await?;
    assert!(page.contains("could not be checked just now") && !page.contains(ENDED), "{page}");
    let (_, status, _) = house.log_in(ADMIN, PASSWORD).await?;
    assert_eq!(status, StatusCode::FOUND);
    assert_eq!((pulls(&house)?, house.sessions(&person)?), (0, 1));

    // It is, and who was signed in still is.
    house.eval("update_option( 'test_bridge', 'up' );")?;
    five_minutes_later(&house)?;
    assert!(visitor.is_signed_in().await?);
    assert!(visitor.is_signed_in().await?);
    assert_eq!(pulls(&house)?, 1);

    // What is heard so counts at once: renewed, and ended.
    let news = |position: u32, until: u64| {
        let member = serde_json::json!([{ "subject": "gate-l", "position": position, "revision": 1, "allowed_until": until, "sessions_ended": 0,
            "member": { "email": person.email, "roles": ["subscriber"] }, "membership": { "status": "active" } }]);
        house.eval(&format!("update_option( 'test_news', '{member}' );"))?;
        house.heard(stale)?;
        five_minutes_later(&house)
    };
    house.stand(&person, 1)?;
    news(11, ENDLESS)?;
    assert!(visitor.is_signed_in().await?, "renewed");
    news(12, 1)?;
    assert_renewal(visitor.get("/wp-admin/profile.php").await?, "ended").await?;
    assert_eq!(pulls(&house)?, 2);
    Ok(())
}

/// Waits for all.
async fn all_of<T: Send + 'static>(all: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    let mut done: Vec<Option<T>> = all.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (one, place) in all.iter_mut().zip(&mut done) {
            if place.is_none()
                && let std::task::Poll::Ready(value) = one.as_mut().poll(context)
            {
                *place = Some(value);
            }
        }
        if done.iter().all(Option::is_some) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done.into_iter().flatten().collect()
}

pub async fn on_a_network_each_blog_has_its_own_gate() -> Result {
    let house = House::new().await?;
    let (here, both) = (house.member("gate-m").await?, house.member("gate-n").await?);
    let url = house.stack.wordpress.url().to_owned();
    let host = url.trim_start_matches("http://").to_owned();
    let other_host = host.replace("127.0.0.1", "localhost");

    // Blogs by host, so that the web server needs no rules of its own.
    house.eval(&format!(
        "require_once ABSPATH . 'wp-admin/includes/upgrade.php'; require_once ABSPATH . 'wp-admin/includes/network.php'; \
         foreach ( $wpdb->tables( 'ms_global' ) as $name => $table ) {{ $wpdb->$name = $table; }} install_network(); \
         $wpdb->query( \"UPDATE $wpdb->options SET option_value = '{url}' WHERE option_name IN ( 'siteurl', 'home' )\" ); \
         $done = populate_network( 1, '{host}', 'admin@example.com', 'Network', '/' ); \
         if ( is_wp_error( $done ) ) {{ exit( $done->get_error_message() ); }}",
    ))?;
    let config = house.stack.wordpress.www().join("wp-config.php");
    let network = format!(
        "define( 'MULTISITE', true );\ndefine( 'SUBDOMAIN_INSTALL', true );\ndefine( 'DOMAIN_CURRENT_SITE', '{host}' );\n\
         define( 'PATH_CURRENT_SITE', '/' );\ndefine( 'SITE_ID_CURRENT_SITE', 1 );\ndefine( 'BLOG_ID_CURRENT_SITE', 1 );\n"
    );
    let text = std::fs::read_to_string(&config)?
        .replace("define( 'WP_HOME', $lab['url'] );", "")
        .replace("define( 'WP_SITEURL', $lab['url'] );", "")
        .replace("$table_prefix =", &format!("{network}$table_prefix ="));
    std::fs::write(&config, text)?;
    let blog = house.eval(&format!(
        "$id = wpmu_create_blog( '{other_host}', '/', 'Two', 1 ); echo is_wp_error( $id ) ? $id->get_error_message() : $id;"
    ))?;
    assert_eq!(blog, "2");
    // WordPress before 6.2 takes the port out of a blog's host.
    house.eval(&format!(
        "$wpdb->update( $wpdb->blogs, array( 'domain' => '{other_host}' ), array( 'blog_id' => 2 ) ); clean_blog_cache( 2 ); \
         foreach ( array( 'home', 'siteurl' ) as $name ) {{ update_blog_option( 2, $name, 'http://{other_host}' ); }}"
    ))?;
    house.eval(&format!("add_user_to_blog( 2, {}, 'subscriber' );", both.id))?;

    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
    let log_in = async |host: &str, person: &Person| -> Result<(StatusCode, String, String)> {
        let form = [("log", person.login.as_str()), ("pwd", PASSWORD)];
        let answer = http.post(format!("http://{host}/wp-login.php")).form(&form).send().await?;
        let cookies: Vec<_> =
            answer.cookies().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        Ok((answer.status(), cookies.join("; "), answer.text().await?))
    };
    let get = async |host: &str, path: &str, cookies: &str| -> Result<Response> {
        Ok(http.get(format!("http://{host}{path}")).header(header::COOKIE, cookies).send().await?)
    };
    let (status, of_here, page) = log_in(&host, &here).await?;
    assert_eq!(status, StatusCode::FOUND, "{page}");
    let (status, of_both, _) = log_in(&host, &both).await?;
    assert_eq!(status, StatusCode::FOUND);
    assert_eq!(get(&host, "/wp-admin/profile.php", &of_both).await?.status(), StatusCode::OK);
    assert_eq!(get(&host, "/?test_cookie=1", &of_both).await?.text().await?, "\"passed\"");

    for person in [&here, &both] {
        house.stand(person, 0)?;
        let (_, _, page) = log_in(&host, person).await?;
        assert!(page.contains(ENDED), "{page}");
    }
    // Who is of this blog alone is signed out.
    assert_renewal(get(&host, "/", &of_here).await?, "of this blog alone").await?;
    assert_eq!(house.sessions(&here)?, 0);

    // Who is of another as well is a stranger here, and stays signed in there.
    for _ in 0..2 {
        let (public, seen) = (get(&host, "/", "").await?, get(&host, "/", &of_both).await?);
        assert_eq!(seen.status(), StatusCode::OK);
        assert!(seen.headers().get(header::SET_COOKIE).is_none());
        assert_eq!(seen.text().await?.len(), public.text().await?.len());
        let answer = get(&host, "/wp-admin/profile.php", &of_both).await?;
        assert!(answer.headers().get(header::SET_COOKIE).is_none());
        assert_renewal(answer, "in wp-admin").await?;
        let answer = get(&host, "/?test_cookie=1", &of_both).await?;
        assert_renewal(answer, "where the cookie alone is looked at").await?;
        let page = get(&host, "/wp-login.php", &of_both).await?.text().await?;
        assert!(page.contains(ENDED) && page.contains("id=\"loginform\""), "{page}");
        let who = get(&host, "/wp-admin/admin-ajax.php?action=test_who", &of_both).await?.text().await?;
        assert!(!who.contains(&both.login), "{who}");
        let answer = get(&other_host, "/wp-admin/profile.php", &of_both).await?;
        assert_eq!(answer.status(), StatusCode::OK);
        assert!(answer.text().await?.contains(&both.email));
    }
    assert_eq!(house.sessions(&both)?, 1);
    assert_eq!(log_in(&other_host, &both).await?.0, StatusCode::FOUND);
    assert_eq!(log_in(&host, &both).await?.0, StatusCode::OK);

    // Nor does anybody get in here by a blog of their own, as a network may let everybody register one.
    house.eval(&format!(
        "foreach ( get_blogs_of_user( {0} ) as $blog ) {{ if ( get_current_blog_id() !== $blog->userblog_id ) {{ add_user_to_blog( $blog->userblog_id, {0}, 'administrator' ); }} }}",
        both.id
    ))?;
    assert_eq!(log_in(&host, &both).await?.0, StatusCode::OK);
    assert_renewal(get(&host, "/wp-admin/profile.php", &of_both).await?, "owner of another blog").await?;
    assert_eq!(house.sessions(&both)?, 2);
    Ok(())
}
