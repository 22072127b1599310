//! Limits as panels, customers and attackers meet them.

use gatepass_tests::api::{self, PanelApi};
use gatepass_tests::fake_site::FakeSite;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;
use serde_json::json;

use crate::refusals::{ASK_AGAIN, TEMPORARY, assert_page};

pub async fn whoever_asks_too_often_is_told_when_to_ask_again() -> Result {
    let folder = tempfile::tempdir()?;
    let limits = ["--limit-member", "3", "--limit-api-key", "6", "--limit-token", "2"];
    let gatepass = Gatepass::start_with(folder.path(), "sqlite", &limits)?;
    let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
    let panel = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
    let another = panel.with_key(&gatepass.add_client("another-panel")?);
    for subject in ["mia", "ben"] {
        another.put_status(subject, "active").await?;
    }

    let issued = panel.issue("mia").await?;
    for _ in 0..2 {
        panel.issue("mia").await?;
    }
    let refused = panel.try_issue(&json!({ "subject": "mia" })).await?;
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert_eq!(refused.body["bucket"], "member");
    let seconds = refused.retry_after.ok_or("no Retry-After")?;
    assert!((15..=20).contains(&seconds), "{seconds}");

    for _ in 0..3 {
        panel.issue("ben").await?;
    }
    for number in 0..6 {
        panel.put_status(&format!("carl-{number}"), "active").await?;
    }
    let refused = panel.put("emil", &api::member("emil")).await?;
    assert_eq!((refused.status, &refused.body["bucket"]), (StatusCode::TOO_MANY_REQUESTS, &json!("api_key")));
    another.put_status("emil", "active").await?;

    let proof = site.proof(&site.claims(&code));
    let redeem = async || {
        let body = json!({ "token": issued.token(), "attempt": new_attempt()?, "client_ip": "192.0.2.1" });
        site.post(&code, "/wp/v1/redemptions", Some(&proof), &body).await
    };
    redeem().await?.ok()?;
    for _ in 0..2 {
        assert_eq!(redeem().await?.code(), "handoff_used");
    }
    let refused = redeem().await?;
    assert_eq!((refused.status, refused.code()), (StatusCode::TOO_MANY_REQUESTS, "rate_limited"));
    assert_eq!((&refused.body["bucket"], &refused.body["page"]), (&json!("token"), &json!("temporary")));
    assert!(refused.retry_after.is_some_and(|seconds| (20..=30).contains(&seconds)), "{refused:?}");
    let trail = panel.trail(&issued.id).await?;
    assert_eq!(trail.last().map(String::as_str), Some("handoff.refused: limit_token"), "{trail:?}");
    Ok(())
}

/// Here everybody comes from one address, as behind an office's router or a proxy that the site does not know of.
pub async fn an_attacker_on_everybodys_address_locks_nobody_out() -> Result {
    let stack = Stack::start_with(&["--limit-address", "3", "--limit-token", "3"]).await?;
    let (_, spent) = stack.handoff("spent").await?;
    let attacker = stack.wordpress.visitor();
    assert_eq!(attacker.redeem(&spent, &new_attempt()?).await?.status(), StatusCode::SEE_OTHER);
    let thief = stack.wordpress.visitor();
    for _ in 0..3 {
        let answer = thief.redeem(&spent, &new_attempt()?).await?;
        assert_page(&thief, answer, StatusCode::GONE, ASK_AGAIN).await?;
    }
    for _ in 0..5 {
        let answer = thief.redeem(&spent, &new_attempt()?).await?;
        assert_page(&thief, answer, StatusCode::SERVICE_UNAVAILABLE, TEMPORARY).await?;
    }

    let (member, handoff) = stack.handoff("honest").await?;
    let browser = stack.browser().await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}
