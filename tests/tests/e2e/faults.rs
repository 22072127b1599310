//! Parts that do not answer, and an owner who switches off. Each test has a stack of its own.

use std::time::{Duration, Instant};

use fantoccini::Locator;
use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;
use serde_json::json;

use crate::refusals::{ASK_AGAIN, TEMPORARY, assert_page};

pub async fn while_the_store_is_paused_the_page_is_a_503_and_the_same_attempt_works_afterwards() -> Result {
    let stack = Stack::start().await?;
    let (member, handoff) = stack.handoff("paused").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    stack.redis.pause()?;
    let asked = Instant::now();
    let answer = visitor.redeem(&handoff, &attempt).await?;
    assert!(asked.elapsed() < Duration::from_secs(8), "the customer waited for {:?}", asked.elapsed());
    assert!(answer.headers().contains_key("retry-after"));
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, TEMPORARY).await?;
    let answer = stack.api.try_issue(&json!({ "subject": member.subject })).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"));
    stack.redis.resume()?;

    let deadline = Instant::now() + Duration::from_secs(10);
    while visitor.redeem(&handoff, &attempt).await?.status() != StatusCode::SEE_OTHER {
        assert!(Instant::now() < deadline, "the same attempt does not work again");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(visitor.is_signed_in().await?);
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn the_button_on_the_temporary_page_repeats_the_attempt() -> Result {
    let stack = Stack::start().await?;
    let (member, handoff) = stack.handoff("tries-again").await?;
    let browser = stack.browser().await?;
    stack.redis.pause()?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text(TEMPORARY).await?;
    stack.redis.resume()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    browser.click("Try again").await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    assert!(browser.signed_in_as().await?.is_some());
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn after_a_restart_of_the_store_the_page_says_ask_again_and_a_new_click_works() -> Result {
    let mut stack = Stack::start().await?;
    let (member, handoff) = stack.handoff("restarted").await?;
    stack.redis.restart()?;
    let visitor = stack.wordpress.visitor();
    // The connection of before is gone; what is asked while it is made anew is answered "temporary".
    let deadline = Instant::now() + Duration::from_secs(10);
    let answer = loop {
        let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
        if answer.status() != StatusCode::SERVICE_UNAVAILABLE || Instant::now() > deadline {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_page(&visitor, answer, StatusCode::GONE, ASK_AGAIN).await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);

    let browser = stack.browser().await?;
    let handoff = stack.api.issue_to(&member.subject, "/wp-admin/profile.php").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    Ok(())
}

pub async fn with_gatepass_gone_the_page_is_a_503_and_passwords_still_work() -> Result {
    let mut stack = Stack::start().await?;
    let (_, handoff) = stack.handoff("gone").await?;
    stack.gatepass.service().kill()?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, TEMPORARY).await?;
    visitor.log_in_with_password(ADMIN, PASSWORD).await?;
    assert!(visitor.is_signed_in().await?);
    Ok(())
}

pub async fn restarting_gatepass_fails_no_login_that_was_issued_before() -> Result {
    let mut stack = Stack::start().await?;
    let (member, handoff) = stack.handoff("across-a-restart").await?;
    stack.gatepass.restart()?;
    let visitor = stack.wordpress.visitor();
    assert_eq!(visitor.redeem(&handoff, &wordpress::new_attempt()?).await?.status(), StatusCode::SEE_OTHER);
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn the_owner_can_switch_it_off_and_on() -> Result {
    let stack = Stack::start().await?;
    let (member, handoff) = stack.handoff("switched-off").await?;
    let owner = stack.browser().await?;
    owner.log_in_with_password(stack.wordpress.url(), ADMIN, PASSWORD).await?;
    owner.wait_for_path("/wp-admin/").await?;
    let settings = format!("{}/wp-admin/options-general.php?page=gatepass", stack.wordpress.url());
    owner.goto(&settings).await?;
    owner.click("Switch off").await?;
    owner.control("body", "Switch on").await?;

    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, "switched off").await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);

    owner.click("Switch on").await?;
    owner.control("body", "Switch off").await?;
    assert!(owner.find(Locator::Css("body")).await?.is_displayed().await?);
    assert_eq!(visitor.redeem(&handoff, &wordpress::new_attempt()?).await?.status(), StatusCode::SEE_OTHER);
    Ok(())
}

pub async fn a_site_whose_clock_is_wrong_logs_in_all_the_same() -> Result {
    let stack = Stack::start().await?;
    for (subject, offset) in [("clock-behind", -3600), ("clock-ahead", 3600)] {
        // As if the site had learnt a wrong time: it puts itself right by the answer's Date.
        stack.wordpress.eval(&format!("update_option( 'gatepass_clock_offset', {offset} );"))?;
        let (member, handoff) = stack.handoff(subject).await?;
        let visitor = stack.wordpress.visitor();
        let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{subject}");
        assert_eq!(stack.wordpress.session_rows(&member.email)?, 1, "{subject}");
    }
    Ok(())
}
