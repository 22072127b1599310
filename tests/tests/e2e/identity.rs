//! Who a token makes of its bearer: always the member's own account, never somebody's who was there before.

use gatepass_tests::api;
use gatepass_tests::wordpress::{self, ADMIN, ADMIN_EMAIL, PASSWORD};
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;
use serde_json::json;

use crate::refusals::{NO_ACCOUNT, assert_page};

const UNAVAILABLE: StatusCode = StatusCode::SERVICE_UNAVAILABLE;

pub async fn an_email_equal_to_the_administrators_never_becomes_the_administrator(stack: &Stack) -> Result {
    for (subject, email) in [("like-admin", ADMIN_EMAIL), ("like-admin-2", "ADMIN@example.com")] {
        let mut member = api::member(subject);
        member["email"] = json!(email);
        stack.api.put(subject, &member).await?.ok()?;
        let sessions = stack.wordpress.session_rows(ADMIN)?;
        let handoff = stack.api.issue(subject).await?;
        let visitor = stack.wordpress.visitor();
        let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
        assert_page(&visitor, answer, UNAVAILABLE, NO_ACCOUNT).await?;
        assert_eq!(stack.wordpress.session_rows(ADMIN)?, sessions);
        assert_eq!(stack.api.wait_for_state(&handoff.id, "refused").await?["refusal"], "email_taken");
    }
    Ok(())
}

pub async fn a_user_name_equal_to_the_administrators_never_becomes_the_administrator(
    stack: &Stack,
) -> Result {
    let mut member = api::member("named-admin");
    member["username"] = json!(ADMIN);
    stack.api.put("named-admin", &member).await?.ok()?;
    let handoff = stack.api.issue("named-admin").await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, UNAVAILABLE, NO_ACCOUNT).await?;
    assert_eq!(stack.api.wait_for_state(&handoff.id, "refused").await?["refusal"], "username_taken");
    assert_eq!(stack.wordpress.user_id(&format!("{}@example.com", "named-admin"))?, None);
    Ok(())
}

pub async fn a_mapped_user_later_made_administrator_is_refused(stack: &Stack) -> Result {
    let (member, first) = stack.handoff("promoted").await?;
    let visitor = stack.wordpress.visitor();
    assert_eq!(visitor.redeem(&first, &wordpress::new_attempt()?).await?.status(), StatusCode::SEE_OTHER);
    let id = stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
    let state = stack.api.wait_for_state(&first.id, "logged_in").await?;
    assert_eq!(state["wordpress_user_id"], id);

    for more in ["set_role( 'administrator' )", "set_role( 'editor' )", "add_cap( 'edit_users' )"] {
        stack
            .wordpress
            .eval(&format!("$u = new WP_User( {id} ); $u->set_role( 'subscriber' ); $u->{more};"))?;
        let sessions = stack.wordpress.session_rows(&member.email)?;
        let handoff = stack.api.issue(&member.subject).await?;
        let visitor = stack.wordpress.visitor();
        let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
        assert_page(&visitor, answer, UNAVAILABLE, NO_ACCOUNT).await?;
        assert_eq!(stack.wordpress.session_rows(&member.email)?, sessions, "{more}");
        assert_eq!(
            stack.api.wait_for_state(&handoff.id, "refused").await?["refusal"],
            "account_privileged",
            "{more}"
        );
    }
    Ok(())
}

pub async fn a_role_above_the_owners_list_is_not_given(stack: &Stack) -> Result {
    let mut member = api::member("wants-more");
    member["roles"] = json!(["administrator"]);
    let answer = stack.api.put("wants-more", &member).await?;
    assert_eq!((answer.code(), &answer.body["errors"][0]["field"]), ("validation_failed", &json!("roles")));
    // Not even if the operator allows it: the site's owner has the last word.
    let roles = ["--allow-role", "subscriber", "--allow-role", "customer", "--allow-role", "administrator"];
    stack.gatepass.command(&[&["site", "set", stack.api.site()], &roles[..]].concat())?;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(5);
    while stack.api.put("wants-more", &member).await?.status != StatusCode::CREATED {
        assert!(std::time::Instant::now() < deadline, "the changed policy does not count");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let handoff = stack.api.issue("wants-more").await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, UNAVAILABLE, NO_ACCOUNT).await?;
    assert_eq!(stack.api.wait_for_state(&handoff.id, "refused").await?["refusal"], "role_not_allowed");
    assert_eq!(stack.wordpress.user_id("wants-more@example.com")?, None, "nothing half done");
    Ok(())
}

pub async fn the_same_customer_is_the_same_user_next_time(stack: &Stack) -> Result {
    let (member, first) = stack.handoff("regular").await?;
    let visitor = stack.wordpress.visitor();
    visitor.redeem(&first, &wordpress::new_attempt()?).await?;
    let id = stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
    let roles = stack.wordpress.eval(&format!("echo implode( ',', get_userdata( {id} )->roles );"))?;
    assert_eq!(roles, "subscriber");

    let second = stack.api.issue(&member.subject).await?;
    visitor.redeem(&second, &wordpress::new_attempt()?).await?;
    let state = stack.api.wait_for_state(&second.id, "logged_in").await?;
    assert_eq!(state["wordpress_user_id"], id);
    Ok(())
}

pub async fn a_password_login_goes_on_as_before(stack: &Stack) -> Result {
    let visitor = stack.wordpress.visitor();
    visitor.log_in_with_password(ADMIN, PASSWORD).await?;
    assert!(visitor.is_signed_in().await?);
    Ok(())
}

pub async fn plugins_see_a_normal_login(stack: &Stack) -> Result {
    // What an audit or two-factor plugin would hook: both arguments, a session already there, once a login.
    let seen = "add_action( 'wp_login', function ( $name, $user ) { \
        $sessions = count( WP_Session_Tokens::get_instance( $user->ID )->get_all() ); \
        add_user_meta( $user->ID, 'seen_login', $name . ' ' . get_current_user_id() . ' ' . $sessions ); }, PHP_INT_MAX, 2 );";
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("seen-login.php"), format!("<?php {seen}"))?;
    let (member, handoff) = stack.handoff("audited").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    visitor.redeem(&handoff, &attempt).await?;
    visitor.redeem(&handoff, &attempt).await?;
    let id = stack.wordpress.user_id(&member.email)?.ok_or("no user")?;
    let login = stack.wordpress.query(&format!("SELECT user_login FROM wp_users WHERE ID = {id}"))?;
    let seen = format!("SELECT meta_value FROM wp_usermeta WHERE meta_key = 'seen_login' AND user_id = {id}");
    assert_eq!(stack.wordpress.query(&seen)?.trim(), format!("{} {id} 1", login.trim()));
    Ok(())
}
