//! Every page that a person meets: can it be used with a keyboard, a screen reader, a phone, in the dark?

use gatepass_tests::browser::{ENTER, TAB};
use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Browser, Result, Stack};

/// On a desk and on a phone, in light and dark: nothing that axe-core finds, and nothing wider than the window.
pub async fn assert_usable(browser: &Browser, what: &str, selector: &str) -> Result {
    for (width, height) in [(1200, 900), (390, 844)] {
        browser.set_window_size(width, height).await?;
        for dark in [false, true] {
            browser.prefer_dark(dark).await?;
            let found = browser.accessibility_findings(selector).await?;
            assert!(found.is_empty(), "{what}, {width} wide, dark: {dark}:\n{}", found.join("\n"));
        }
        let script = "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        let beyond = browser.execute(script, Vec::new()).await?;
        assert_eq!(beyond, 0, "{what} is wider than a window of {width}");
    }
    browser.set_window_size(1200, 900).await?;
    Ok(())
}

pub async fn the_pages_of_a_login_can_be_used_by_everybody() -> Result {
    let stack = Stack::start().await?;
    let browser = stack.browser().await?;

    let (_, handoff) = stack.handoff("seen").await?;
    browser.goto(handoff.endpoint()).await?;
    browser.wait_for_text("press the button again").await?;
    assert_usable(&browser, "landing without a token", "html").await?;

    browser.goto(&handoff.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    browser.goto("about:blank").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text("press the button again").await?;
    assert_usable(&browser, "ask again", "html").await?;

    let (member, lapsed) = stack.handoff("seen-lapsed").await?;
    stack.api.put_status(&member.subject, "canceled").await?;
    browser.goto(&lapsed.login_url).await?;
    browser.wait_for_text("membership is not active").await?;
    assert_usable(&browser, "membership", "html").await?;

    let (_, other) = stack.handoff("seen-other").await?;
    browser.goto(&other.login_url).await?;
    browser.wait_for_text("Continue as").await?;
    assert_usable(&browser, "the question", "html").await?;

    stack.redis.pause()?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    assert_eq!(&visitor.redeem(&other, &attempt).await?.headers()["x-gatepass-page"], "temporary");
    browser.goto("about:blank").await?;
    browser.goto(&other.login_url).await?;
    browser.wait_for_text("does not work right now").await?;
    assert_usable(&browser, "temporary", "html").await
}

pub async fn the_question_can_be_answered_by_keyboard() -> Result {
    let stack = Stack::start().await?;
    let browser = stack.browser().await?;
    browser.log_in_with_password(stack.wordpress.url(), ADMIN, PASSWORD).await?;
    browser.wait_for_path("/wp-admin/").await?;
    let member = stack.member("by-keyboard").await?;
    let handoff = stack.api.issue_to(&member.subject, "/wp-admin/profile.php").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text("Continue as").await?;
    browser.press(TAB).await?;
    let focused = browser.active_element().await?.text().await?;
    assert!(focused.starts_with("Continue as"), "the first stop is {focused:?}");
    browser.press(ENTER).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert_ne!(browser.signed_in_as().await?.as_deref(), Some(ADMIN));
    Ok(())
}

pub async fn the_owners_and_the_panels_pages_can_be_used_by_everybody() -> Result {
    let stack = Stack::bound().await?;
    let browser = stack.browser().await?;
    browser.goto(&stack.demo.url()).await?;
    assert_usable(&browser, "the demo panel", "html").await?;
    browser.click_in("[data-plan=kitchen]", "Log in to site").await?;
    browser.wait_for_text("Your subscription has ended").await?;
    assert_usable(&browser, "the demo panel's notice", "html").await?;

    // Of pages that are WordPress's own, our part.
    browser.goto(&format!("{}/wp-login.php", stack.wordpress.url())).await?;
    assert_usable(&browser, "the button on wp-login.php", ".gatepass-sign-in").await?;
    browser.log_in_with_password(stack.wordpress.url(), ADMIN, PASSWORD).await?;
    browser.wait_for_path("/wp-admin/").await?;
    browser.goto(&format!("{}/wp-admin/options-general.php?page=gatepass", stack.wordpress.url())).await?;
    assert_usable(&browser, "the settings page", "#wpbody-content .wrap").await?;

    stack.wordpress.eval(
        "$log = new Gatepass_Log(); $staff = array( 'subject' => 'staff-7', 'name' => 'Sam Support', 'reason' => 'invoice 12' ); \
         $log->record( 'signed_in', array( 'user_id' => 1, 'handoff' => 'ho_1', 'subject' => 'cus_4711', 'reference' => '7K3M-Q2ZD', \
         'ip' => '2001:db8:1234:5678:9abc:def0:1234:5678', 'actor' => $staff ) ); \
         $log->record( 'refused', array( 'cause' => 'membership_inactive', 'handoff' => 'ho_2', 'subject' => str_repeat( 'long-', 25 ) ) );",
    )?;
    browser
        .goto(&format!("{}/wp-admin/options-general.php?page=gatepass&tab=sign-ins", stack.wordpress.url()))
        .await?;
    browser.wait_for_text("Sam Support").await?;
    assert_usable(&browser, "the owner's log", "#wpbody-content .wrap").await?;
    Ok(())
}
