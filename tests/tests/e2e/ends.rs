//! The whole way of a cancellation: from the panel's call to the customer's next click.

use std::time::{Duration, Instant};

use gatepass_tests::{Result, Stack};
use reqwest::Method;
use serde_json::json;

/// What a site is to have done in two seconds, on a machine that does other things meanwhile.
const GENEROUS: Duration = Duration::from_secs(10);

pub async fn after_a_cancellation_the_next_click_leads_to_the_renewal() -> Result {
    let stack = Stack::start().await?;
    let browser = stack.browser().await?;
    let mut took = Vec::new();
    for round in 0..3 {
        let subject = format!("ends-{round}");
        stack.member(&subject).await?;
        let handoff = stack.api.issue_to(&subject, "/wp-admin/profile.php").await?;
        browser.goto(&handoff.login_url).await?;
        browser.wait_for_path("/wp-admin/profile.php").await?;

        // Nobody waits for WordPress in this call.
        let (began, canceled) = (Instant::now(), json!({ "status": "canceled" }));
        stack.api.patch_membership(&subject, &canceled).await?.ok()?;
        while stack.wordpress.session_rows(&format!("{subject}@example.com"))? > 0 {
            assert!(began.elapsed() < GENEROUS, "the session goes on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        took.push(began.elapsed());
        browser.click("Dashboard").await?;
        browser.wait_for_text("Your membership").await?;
        assert!(browser.control("body", "Renew your membership").await.is_ok());
        // And the browser is signed out by it.
        browser.goto(&format!("{}/", stack.wordpress.url())).await?;
        assert!(!browser.text().await?.contains("Your membership"), "the site itself is public");
        let known = stack.api.site_call(Method::GET, &format!("/members/{subject}"), None).await?.ok()?;
        assert_eq!(known["sync"]["state"], "synced", "{known}");
    }
    println!("from the panel's call until no session was left: {took:?}");
    Ok(())
}
