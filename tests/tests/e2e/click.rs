//! The main job.

use fantoccini::Locator;
use gatepass_tests::{Result, Stack};

pub async fn exactly_one_session_row_more(stack: &Stack) -> Result {
    let browser = stack.browser().await?;
    let (member, handoff) = stack.handoff("one-row").await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);

    browser.goto(&handoff.login_url).await?;
    browser.wait_for_path("/").await?;
    assert!(browser.signed_in_as().await?.is_some());

    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    let state = stack.api.wait_for_state(&handoff.id, "logged_in").await?;
    assert_eq!(state["wordpress_user_id"].as_u64(), stack.wordpress.user_id(&member.email)?, "{state}");
    Ok(())
}

pub async fn logging_out_ends_it(stack: &Stack) -> Result {
    let browser = stack.browser().await?;
    let member = stack.member("logging-out").await?;
    let handoff = stack.api.issue_to(&member.subject, "/wp-admin/profile.php").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);

    let log_out = browser.find(Locator::Css("#wp-admin-bar-logout a")).await?.prop("href").await?;
    browser.goto(&log_out.unwrap_or_default()).await?;

    browser.wait_for_path("/wp-login.php?loggedout=true&wp_lang=en_US").await?;
    assert_eq!(browser.signed_in_as().await?, None);
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    Ok(())
}
