//! What a handoff says goes through a second factor: two-factor plugins end the session inside `wp_login`, ask for a
//! code, and make another session in another request.

use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Result, Stack, Visitor};
use reqwest::{Response, StatusCode, header};
use serde_json::{Value, json};

use crate::support::{desk, handoff_by_sam, install, sam, sessions};
use crate::sync::keep_pokes_out;

/// What the plugin two-factor, 0.14 to 0.16, does to a login: the same hooks at the same priorities, in the same order.
/// The code is always 123456.
const TWO_FACTOR: &str = r#"<?php
final class Test_Two_Factor {
	private static $tokens = array();
	public static function hook() {
		add_action( 'login_form_validate_2fa', array( __CLASS__, 'validate' ) );
		add_filter( 'authenticate', array( __CLASS__, 'authenticate' ), 31 );
		add_action( 'wp_login', array( __CLASS__, 'wp_login' ), PHP_INT_MAX, 2 );
		add_action( 'set_auth_cookie', array( __CLASS__, 'collect' ) );
		add_action( 'set_logged_in_cookie', array( __CLASS__, 'collect' ) );
	}
	private static function is_used_by( $user ) {
		return ! user_can( $user, 'manage_options' ) && 'off' !== get_option( 'test_two_factor' );
	}
	public static function collect( $cookie ) {
		$parsed = wp_parse_auth_cookie( $cookie );
		if ( ! empty( $parsed['token'] ) ) {
			self::$tokens[] = $parsed['token'];
		}
	}
	public static function authenticate( $user ) {
		if ( $user instanceof WP_User && self::is_used_by( $user ) ) {
			add_filter( 'send_auth_cookies', '__return_false', PHP_INT_MAX );
		}
		return $user;
	}
	public static function wp_login( $name, $user ) {
		if ( ! self::is_used_by( $user ) ) {
			return;
		}
		$manager = WP_Session_Tokens::get_instance( $user->ID );
		foreach ( self::$tokens as $token ) {
			$manager->destroy( $token );
		}
		if ( 'leaves the cookies' !== get_option( 'test_two_factor' ) ) {
			wp_clear_auth_cookie();
		}
		$nonce = bin2hex( random_bytes( 32 ) );
		add_user_meta( $user->ID, '_two_factor_nonce', $nonce );
		echo '<form action="' . esc_url( site_url( 'wp-login.php?action=validate_2fa', 'login_post' ) ) . '" method="post">'
			. '<input name="wp-auth-id" value="' . $user->ID . '"><input name="wp-auth-nonce" value="' . $nonce . '"></form>';
		exit;
	}
	public static function validate() {
		$user = get_user_by( 'id', absint( $_REQUEST['wp-auth-id'] ) );
		if ( ! in_array( $_REQUEST['wp-auth-nonce'], get_user_meta( $user->ID, '_two_factor_nonce' ), true ) || '123456' !== $_REQUEST['code'] ) {
			wp_safe_redirect( home_url() );
			exit;
		}
		delete_user_meta( $user->ID, '_two_factor_nonce', $_REQUEST['wp-auth-nonce'] );
		$information = static function ( $session, $user_id ) use ( $user ) {
			if ( $user->ID === $user_id ) {
				$session['two-factor-login'] = time();
			}
			return $session;
		};
		add_filter( 'attach_session_information', $information, 10, 2 );
		remove_filter( 'send_auth_cookies', '__return_false', PHP_INT_MAX );
		wp_set_auth_cookie( $user->ID, ! empty( $_REQUEST['rememberme'] ) );
		remove_filter( 'attach_session_information', $information );
		wp_safe_redirect( admin_url() );
		exit;
	}
}
Test_Two_Factor::hook();
"#;

async fn stack() -> Result<Stack> {
    let stack = Stack::start().await?;
    install(&stack, "two-factor.php", TWO_FACTOR)?;
    Ok(stack)
}

/// The form that asks for the code.
struct Form {
    user: String,
    nonce: String,
}

impl Form {
    async fn read(answer: Response) -> Result<Self> {
        assert_eq!(answer.status(), StatusCode::OK);
        let page = answer.text().await?;
        let value = |name: &str| {
            let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1);
            rest.and_then(|rest| rest.split('"').next())
                .map(str::to_owned)
                .ok_or(format!("no {name}: {page}"))
        };
        Ok(Self { user: value("wp-auth-id")?, nonce: value("wp-auth-nonce")? })
    }

    /// Sends the code from a browser, and asks to be remembered.
    async fn send(&self, stack: &Stack, from: &Visitor, agent: &str) -> Result<Response> {
        let fields = [
            ("wp-auth-id", self.user.as_str()),
            ("wp-auth-nonce", &self.nonce),
            ("code", "123456"),
            ("rememberme", "1"),
        ];
        let url = format!("{}/wp-login.php?action=validate_2fa", stack.wordpress.url());
        Ok(from.http().post(url).header(header::USER_AGENT, agent).form(&fields).send().await?)
    }
}

/// A password for a customer, and the sessions that it has opened are gone.
fn set_password(stack: &Stack, subject: &str) -> Result {
    stack.wordpress.eval(&format!(
        "wp_set_password( '{PASSWORD}', get_user_by( 'email', '{subject}@example.com' )->ID );"
    ))?;
    Ok(())
}

fn pending(stack: &Stack) -> Result<usize> {
    let sql = "SELECT COUNT(*) FROM wp_usermeta WHERE meta_key = '_gatepass_pending'";
    Ok(stack.wordpress.query(sql)?.trim().parse()?)
}

/// The customer's only session.
fn session(stack: &Stack, subject: &str) -> Result<Value> {
    let mut rows = sessions(stack, subject)?;
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.pop().ok_or("no session".into())
}

fn assert_marked(session: &Value) {
    assert_eq!(session["gatepass"]["on_behalf"]["reason"], sam()["reason"], "{session}");
    assert_eq!(session["gatepass"]["remember"], false);
    let number = |value: &Value| value.as_i64().unwrap_or(i64::MAX);
    assert!(number(&session["expiration"]) <= number(&session["login"]) + 3600, "{session}");
}

pub async fn a_support_session_keeps_its_marks_through_a_second_factor() -> Result {
    let stack = stack().await?;
    let desk = desk(&stack)?;
    for case in ["", "leaves the cookies"] {
        stack.wordpress.eval(&format!("update_option( 'test_two_factor', '{case}' );"))?;
        let subject = format!("factor{}", case.len());
        let handoff = handoff_by_sam(&stack, &desk, &subject).await?;
        let (staff, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
        Form::read(staff.redeem(&handoff, &attempt).await?).await?;
        // A reload passes through it again.
        let form = Form::read(staff.redeem(&handoff, &attempt).await?).await?;
        assert_eq!(sessions(&stack, &subject)?.len(), 0);
        assert!(!staff.is_signed_in().await?);
        assert_eq!(desk.handoff(&handoff.id).await?["state"], "redeemed", "nobody is in yet");

        assert_eq!(form.send(&stack, &staff, "A").await?.status(), StatusCode::FOUND);
        assert!(staff.is_signed_in().await?, "{case}");
        let session = session(&stack, &subject)?;
        assert_marked(&session);
        assert!(session["two-factor-login"].is_i64(), "the other plugin's word is there too");
        let page = staff.get("/wp-admin/profile.php").await?.text().await?;
        assert!(page.contains("gatepass-on-behalf"));
    }
    Ok(())
}

pub async fn a_live_support_session_gets_nobody_past_a_second_factor() -> Result {
    let stack = stack().await?;
    let desk = desk(&stack)?;
    // In without a code, before the plugin asks for one.
    stack.wordpress.eval("update_option( 'test_two_factor', 'off' );")?;
    let staff = stack.wordpress.visitor();
    let first = handoff_by_sam(&stack, &desk, "factor-live").await?;
    staff.redeem(&first, &wordpress::new_attempt()?).await?;
    assert_eq!(sessions(&stack, "factor-live")?.len(), 1);
    stack.wordpress.eval("update_option( 'test_two_factor', '' );")?;

    // For the same customer, by a handoff on behalf and by an ordinary one; and for another.
    let again = handoff_by_sam(&stack, &desk, "factor-live").await?;
    let ordinary = stack.api.issue("factor-live").await?;
    let other = handoff_by_sam(&stack, &desk, "factor-other").await?;
    let user = stack.wordpress.user_id("factor-live@example.com")?.ok_or("no user")?.to_string();
    for handoff in [&again, &ordinary, &other] {
        let attempt = wordpress::new_attempt()?;
        let form = [("token", handoff.token()), ("attempt", &attempt), ("leaving", &user)];
        Form::read(staff.post(handoff.endpoint(), &form, stack.wordpress.url()).await?).await?;
    }
    assert_eq!(sessions(&stack, "factor-other")?.len(), 0, "a code was asked for, and none given");
    assert!(sessions(&stack, "factor-live")?.len() <= 1);
    assert!(!staff.is_signed_in().await?, "the cookies were taken back");
    Ok(())
}

pub async fn losing_the_cookie_between_the_factors_sheds_nothing() -> Result {
    let stack = stack().await?;
    let desk = desk(&stack)?;
    let handoff = handoff_by_sam(&stack, &desk, "lost").await?;
    let staff = stack.wordpress.visitor();
    let form = Form::read(staff.redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    // Another browser that calls itself something else, and has no cookie.
    let other = stack.wordpress.visitor();
    form.send(&stack, &other, "Something else").await?;
    assert!(other.is_signed_in().await?);
    assert_marked(&session(&stack, "lost")?);

    // Nor does signing out of another session of hers, in between, in the same browser.
    let handoff = handoff_by_sam(&stack, &desk, "lost").await?;
    let form = Form::read(other.redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    stack.wordpress.eval(
        "WP_Session_Tokens::get_instance( get_user_by( 'email', 'lost@example.com' )->ID )->destroy_all();
        do_action( 'wp_logout', get_user_by( 'email', 'lost@example.com' )->ID );",
    )?;
    form.send(&stack, &stack.wordpress.visitor(), "B").await?;
    assert_marked(&session(&stack, "lost")?);
    Ok(())
}

pub async fn the_customers_own_login_meanwhile_is_the_customers() -> Result {
    let stack = stack().await?;
    let desk = desk(&stack)?;
    let handoff = handoff_by_sam(&stack, &desk, "meanwhile").await?;
    let staff = stack.wordpress.visitor();
    Form::read(staff.redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    set_password(&stack, "meanwhile")?;

    // With the password, and the code in a later request.
    let customer = stack.wordpress.visitor();
    let form = Form::read(customer.log_in_with_password("meanwhile@example.com", PASSWORD).await?).await?;
    let staffs = handoff_by_sam(&stack, &desk, "meanwhile").await?;
    let staff_form = Form::read(staff.redeem(&staffs, &wordpress::new_attempt()?).await?).await?;
    form.send(&stack, &customer, "A").await?;
    let own = session(&stack, "meanwhile")?;
    assert_eq!(own["gatepass"], Value::Null, "{own}");
    let remembered = own["expiration"].as_i64().unwrap_or(0) - own["login"].as_i64().unwrap_or(0);
    assert!(remembered > 1_000_000, "{own}");
    assert!(!customer.get("/").await?.text().await?.contains("gatepass-on-behalf"));

    // By a handoff of hers, through the second factor, in her own browser.
    let clicked = stack.api.issue("meanwhile").await?;
    let another = stack.wordpress.visitor();
    let form = Form::read(another.redeem(&clicked, &wordpress::new_attempt()?).await?).await?;
    form.send(&stack, &another, "A").await?;
    let rows = sessions(&stack, "meanwhile")?;
    assert!(rows.iter().any(|row| row["gatepass"]["handoff"] == clicked.id.as_str()), "{rows:?}");
    assert!(rows.iter().all(|row| row["gatepass"]["on_behalf"].is_null()), "{rows:?}");

    // Without a second factor, in one request.
    stack.wordpress.eval("update_option( 'test_two_factor', 'off' );")?;
    stack.wordpress.visitor().log_in_with_password("meanwhile@example.com", PASSWORD).await?;
    let rows = sessions(&stack, "meanwhile")?;
    assert!(rows.len() == 3 && rows.iter().all(|row| row["gatepass"]["on_behalf"].is_null()), "{rows:?}");

    // And the member of staff is still on behalf of her, in whatever browser the code is typed.
    staff_form.send(&stack, &stack.wordpress.visitor(), "A").await?;
    let rows = sessions(&stack, "meanwhile")?;
    let marked: Vec<_> = rows.iter().filter(|row| !row["gatepass"]["on_behalf"].is_null()).collect();
    assert_eq!((rows.len(), marked.len()), (4, 1), "{rows:?}");
    assert_marked(marked[0]);
    Ok(())
}

pub async fn a_wrong_password_proves_nothing() -> Result {
    let stack = stack().await?;
    let desk = desk(&stack)?;
    let handoff = handoff_by_sam(&stack, &desk, "guessed").await?;
    let staff = stack.wordpress.visitor();
    let form = Form::read(staff.redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    set_password(&stack, "guessed")?;
    staff.log_in_with_password("guessed@example.com", "a guess").await?;
    // Nor does another account's.
    staff.log_in_with_password(ADMIN, PASSWORD).await?;
    form.send(&stack, &staff, "A").await?;
    assert_marked(&session(&stack, "guessed")?);
    Ok(())
}

pub async fn what_is_put_off_ends_when_it_is_used_and_with_its_time() -> Result {
    let stack = stack().await?;
    let desk = desk(&stack)?;
    let handoff = handoff_by_sam(&stack, &desk, "used-up").await?;
    let staff = stack.wordpress.visitor();
    let answer = staff.redeem(&handoff, &wordpress::new_attempt()?).await?;
    let cookie = answer.cookies().find(|cookie| cookie.name() == "gatepass_pending").ok_or("no cookie")?;
    assert!(cookie.http_only() && cookie.same_site_lax() && !cookie.value().is_empty());
    let secret = cookie.value().to_owned();
    assert_eq!(
        stack.wordpress.query(&format!("SELECT 1 FROM wp_usermeta WHERE INSTR( meta_value, '{secret}' )"))?,
        ""
    );
    let form = Form::read(answer).await?;
    assert_eq!(pending(&stack)?, 1);
    form.send(&stack, &staff, "A").await?;
    assert_eq!(pending(&stack)?, 0);

    // Ten minutes later the customer signs in by some other plugin, without a password.
    let handoff = handoff_by_sam(&stack, &desk, "used-up").await?;
    Form::read(stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    let other_plugin = "$id = get_user_by( 'email', 'used-up@example.com' )->ID; $manager = WP_Session_Tokens::get_instance( $id );
        $manager->destroy_all(); $manager->create( time() + 9999 );";
    stack.wordpress.eval(other_plugin)?;
    assert_eq!(session(&stack, "used-up")?["gatepass"]["on_behalf"]["name"], "Sam Support", "in doubt");
    let older = "foreach ( get_user_meta( $id = get_user_by( 'email', 'used-up@example.com' )->ID, '_gatepass_pending' ) as $record ) {
        update_user_meta( $id, '_gatepass_pending', array( 'until' => time() ) + $record, $record ); }";
    stack.wordpress.eval(older)?;
    stack.wordpress.eval(other_plugin)?;
    assert_eq!(session(&stack, "used-up")?["gatepass"], Value::Null);
    assert_eq!(pending(&stack)?, 0);

    // What nobody comes back for is swept away.
    let handoff = handoff_by_sam(&stack, &desk, "used-up").await?;
    Form::read(stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    stack.wordpress.eval("Gatepass_Pending::sweep();")?;
    assert_eq!(pending(&stack)?, 1);
    stack.wordpress.eval(older)?;
    stack.wordpress.eval("Gatepass_Pending::sweep();")?;
    assert_eq!(pending(&stack)?, 0);
    Ok(())
}

pub async fn a_session_made_anew_within_a_support_session_is_one_too() -> Result {
    let stack = Stack::start().await?;
    // The user is to be made by the sign-in.
    keep_pokes_out(&stack)?;
    let desk = desk(&stack)?;
    install(
        &stack,
        "renews.php",
        "<?php add_action( 'wp_ajax_test_renew', function () {
        wp_set_auth_cookie( get_current_user_id(), true ); exit; } );
        // A plugin that signs every new user in by itself.
        add_action( 'user_register', function ( $id ) { wp_set_auth_cookie( $id, true ); } );",
    )?;
    let handoff = handoff_by_sam(&stack, &desk, "renewed").await?;
    let staff = stack.wordpress.visitor();
    staff.redeem(&handoff, &wordpress::new_attempt()?).await?;
    staff.get("/wp-admin/admin-ajax.php?action=test_renew").await?;
    let rows = sessions(&stack, "renewed")?;
    assert_eq!(rows.len(), 3, "the plugin's, ours, and the one made anew");
    rows.iter().for_each(assert_marked);
    assert!(staff.get("/").await?.text().await?.contains("gatepass-on-behalf"));
    Ok(())
}

pub async fn an_ordinary_handoff_is_known_after_a_second_factor_too() -> Result {
    let stack = stack().await?;
    let member = stack.member("ordinary").await?;
    let body = json!({ "subject": member.subject, "remember": true });
    let handoff = stack.api.issue_with(&body).await?;
    let visitor = stack.wordpress.visitor();
    let form = Form::read(visitor.redeem(&handoff, &wordpress::new_attempt()?).await?).await?;
    form.send(&stack, &visitor, "A").await?;
    let session = session(&stack, "ordinary")?;
    assert_eq!(
        session["gatepass"],
        json!({ "handoff": handoff.id, "subject": "ordinary", "remember": true })
    );
    assert!(session["expiration"].as_i64().unwrap_or(0) > session["login"].as_i64().unwrap_or(0) + 1_000_000);
    Ok(())
}
