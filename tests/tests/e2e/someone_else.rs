//! Somebody else is signed in to the browser: they are asked before anything happens.

use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Browser, Handoff, Result, Stack};
use reqwest::{StatusCode, header};
use serde_json::json;

const QUESTION: &str = "Continue as Mia Example?";

/// A browser in which the administrator is signed in, and a handoff for Mia that has been taken there.
async fn asked(stack: &Stack, subject: &str) -> Result<(Browser, Handoff)> {
    let browser = stack.browser().await?;
    browser.log_in_with_password(stack.wordpress.url(), ADMIN, PASSWORD).await?;
    browser.wait_for_path("/wp-admin/").await?;
    let mut member = gatepass_tests::api::member(subject);
    member["display_name"] = json!("Mia Example");
    stack.api.put(subject, &member).await?.ok()?;
    let handoff = stack.api.issue_to(subject, "/wp-admin/profile.php").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text(QUESTION).await?;
    Ok((browser, handoff))
}

pub async fn declining_spends_nothing_and_leaves_everything_as_it_was(stack: &Stack) -> Result {
    let (browser, handoff) = asked(stack, "declined").await?;
    let text = browser.text().await?;
    assert!(text.contains(ADMIN) && text.contains("is signed out here"), "both names are told: {text}");
    assert_eq!(stack.wordpress.session_rows("declined@example.com")?, 0, "asking makes no session");
    let trail = stack.api.trail(&handoff.id).await?;

    browser.click(&format!("Stay signed in as {ADMIN}")).await?;
    browser.wait_for_path("/wp-admin/").await?;
    assert_eq!(browser.signed_in_as().await?.as_deref(), Some(ADMIN));
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    assert_eq!(stack.api.trail(&handoff.id).await?, trail);
    assert_eq!(stack.wordpress.session_rows("declined@example.com")?, 0);
    Ok(())
}

pub async fn continuing_ends_the_other_session_in_this_browser_only() -> Result {
    let stack = Stack::start().await?;
    let elsewhere = stack.wordpress.visitor();
    elsewhere.log_in_with_password(ADMIN, PASSWORD).await?;
    let (browser, handoff) = asked(&stack, "continued").await?;
    let sessions = stack.wordpress.session_rows(ADMIN)?;

    browser.click("Continue as Mia Example").await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert!(browser.text().await?.contains("Mia Example"));
    assert_eq!(stack.wordpress.session_rows(ADMIN)?, sessions - 1);
    assert!(elsewhere.is_signed_in().await?);
    assert_eq!(stack.api.wait_for_state(&handoff.id, "logged_in").await?["state"], "logged_in");

    // The same customer again is asked nothing.
    let again = stack.api.issue_to("continued", "/wp-admin/profile.php").await?;
    browser.goto(&again.login_url).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    Ok(())
}

pub async fn whoever_has_only_the_cookie_of_the_front_page_is_asked_as_well() -> Result {
    let stack = Stack::start().await?;
    let answer = stack.wordpress.visitor().log_in_with_password(ADMIN, PASSWORD).await?;
    let kept = answer.cookies().find(|cookie| cookie.name().starts_with("wordpress_logged_in_"));
    let kept = kept.map(|cookie| format!("{}={}", cookie.name(), cookie.value())).ok_or("no such cookie")?;
    // One of them is of the pairing.
    let sessions = stack.wordpress.session_rows(ADMIN)?;
    let (member, handoff) = stack.handoff("front-page").await?;
    let attempt = wordpress::new_attempt()?;
    let admin = stack.wordpress.user_id(ADMIN)?.ok_or("no administrator")?.to_string();
    let bring = async |leaving: &str| -> Result<reqwest::Response> {
        let form = [("token", handoff.token()), ("attempt", &attempt), ("leaving", leaving)];
        let request = stack.wordpress.visitor().http().post(handoff.endpoint()).form(&form);
        let request = request.header(header::ORIGIN, stack.wordpress.url()).header(header::COOKIE, &kept);
        Ok(request.send().await?)
    };
    let answer = bring("").await?;
    assert_eq!(&answer.headers()["x-gatepass-page"], "confirm");
    assert!(answer.text().await?.contains(ADMIN));
    assert_eq!(stack.wordpress.session_rows(ADMIN)?, sessions);

    assert_eq!(bring(&admin).await?.status(), StatusCode::SEE_OTHER);
    assert_eq!(stack.wordpress.session_rows(ADMIN)?, sessions - 1, "the session of who left has ended");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn two_of_one_name_are_told_apart_and_no_name_hides_anything(stack: &Stack) -> Result {
    let mut member = gatepass_tests::api::member("same-name");
    member["display_name"] = json!("Mia Namesake");
    stack.api.put("same-name", &member).await?.ok()?;
    let asked = async |login: &str, display_name: &str| -> Result<String> {
        stack.wordpress.eval(&format!(
            "wp_insert_user( array( 'user_login' => '{login}', 'user_pass' => '{PASSWORD}', 'display_name' => \"{display_name}\" ) );"
        ))?;
        let visitor = stack.wordpress.visitor();
        visitor.log_in_with_password(login, PASSWORD).await?;
        let answer = visitor.redeem(&stack.api.issue("same-name").await?, &wordpress::new_attempt()?).await?;
        assert_eq!(&answer.headers()["x-gatepass-page"], "confirm");
        Ok(answer.text().await?)
    };
    let mia = "<bdi>Mia Namesake</bdi>";
    // What cannot be seen makes no difference.
    let page = asked("namesake-7", r"mia  Name\u{200b}sake\u{2069}").await?;
    for expected in [
        "<title>Continue as Mia Namesake (customer same-name)?".to_owned(),
        format!("<h1>Continue as {mia} (customer <bdi>same-name</bdi>)?</h1>"),
        format!("<b>{mia} (customer <bdi>same-name</bdi>)</b>"),
        "<b><bdi>mia Namesake</bdi> (user name <bdi>namesake-7</bdi>)</b>".to_owned(),
    ] {
        assert!(page.contains(&expected), "{expected}: {page}");
    }
    let page = asked("hidden-7", r"\u{202e}oeL\u{202c}\u{2066}").await?;
    assert!(page.contains("<b><bdi>oeL</bdi></b>") && page.contains(&format!("<b>{mia}</b>")), "{page}");
    for hidden in ['\u{200b}', '\u{202e}', '\u{202c}', '\u{2066}', '\u{2068}', '\u{2069}'] {
        assert!(!page.contains(hidden), "{hidden:?}: {page}");
    }
    assert!(!page.contains("namesake-7") && !page.contains("(customer "), "no more than is needed: {page}");
    Ok(())
}

pub async fn a_token_that_is_no_good_is_refused_before_anybody_is_asked(stack: &Stack) -> Result {
    let visitor = stack.wordpress.visitor();
    visitor.log_in_with_password(ADMIN, PASSWORD).await?;
    let (member, handoff) = stack.handoff("asked-too-late").await?;
    stack.api.put_status(&member.subject, "canceled").await?;
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(&answer.headers()["x-gatepass-page"], "membership");
    assert!(visitor.is_signed_in().await?, "and whoever was there still is");
    Ok(())
}

pub async fn a_yes_counts_only_for_whom_it_was_said(stack: &Stack) -> Result {
    let visitor = stack.wordpress.visitor();
    visitor.log_in_with_password(ADMIN, PASSWORD).await?;
    let (_, handoff) = stack.handoff("said-for-another").await?;
    let attempt = wordpress::new_attempt()?;
    let admin = stack.wordpress.user_id(ADMIN)?.ok_or("no administrator")?.to_string();
    for leaving in ["", "0", "on", &format!("{admin}0"), &format!("0{admin}"), &format!(" {admin}")] {
        let form = [("token", handoff.token()), ("attempt", &attempt), ("leaving", leaving)];
        let answer = visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
        assert_eq!(&answer.headers()["x-gatepass-page"], "confirm", "{leaving:?}");
    }
    // Another site cannot say yes in the customer's place.
    let form = [("token", handoff.token()), ("attempt", &attempt), ("leaving", &admin)];
    let answer = visitor.post(handoff.endpoint(), &form, "https://evil.test").await?;
    assert_eq!(&answer.headers()["x-gatepass-page"], "landing");
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    let answer = visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    Ok(())
}
