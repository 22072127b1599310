//! Heartbeats: what a site says of itself, what it learns, and what a copy of it is told.

use gatepass_tests::api::{self, PanelApi};
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::{Result, Stack};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const PATH: &str = "/wp/v1/heartbeat";

async fn paired(stack: &Stack) -> Result<(FakeSite, PairingCode, PanelApi)> {
    let (site, code) =
        FakeSite::paired_with(&stack.gatepass, &["--panel-url", "https://panel.example/"]).await?;
    let api = stack.api.for_site(&code.site);
    Ok((site, code, api))
}

/// What the plugin would say, to be varied.
fn heartbeat(site: &FakeSite, code: &PairingCode) -> Value {
    let pairing = site.pairing(code);
    json!({
        "versions": { "plugin": "0.4.0", "wordpress": "6.8.1", "php": "8.2.28" },
        "url": pairing["url"], "landing_url": pairing["landing_url"],
        "checks": { "rest_api": "good", "https": "recommended", "clock": "critical" },
    })
}

pub async fn what_a_site_says_of_itself_is_shown_and_it_learns_its_policy(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    assert_eq!(api.site_call(Method::GET, "", None).await?.ok()?["seen"], Value::Null);
    let said = heartbeat(&site, &code);
    let answer = site.ask(&code, PATH, &said).await?.ok()?;
    assert_eq!(answer["issuer"], stack.gatepass.url());
    assert_eq!(answer["policy"]["panel_url"], "https://panel.example/");
    assert!(answer["server_time"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer}");

    let mut seen = api.site_call(Method::GET, "", None).await?.ok()?["seen"].take();
    let shown: Value = serde_json::from_str(&stack.gatepass.command(&["site", "show", &code.site])?)?;
    assert_eq!(shown["seen"], seen);
    assert!(seen["at"].take().is_string());
    assert_eq!(seen, json!({ "at": null, "versions": said["versions"], "checks": said["checks"] }));
    let answer = site.post(&code, PATH, None, &said).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "site_proof_invalid"));
    Ok(())
}

pub async fn a_login_page_that_was_renamed_is_used_from_then_on(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    api.put("mia", &api::member("mia")).await?.ok()?;
    let mut said = heartbeat(&site, &code);
    said["landing_url"] = json!(format!("{}/enter?action=gatepass", site.url));
    site.ask(&code, PATH, &said).await?.ok()?;
    let login_url = api.issue("mia").await?.login_url;
    assert!(
        login_url.starts_with(&format!("{}/enter?action=gatepass&handoff=ho_", site.url)),
        "{login_url:.90}"
    );
    let events = api.events(0).await?;
    let updated =
        events["events"].as_array().into_iter().flatten().find(|event| event["kind"] == "site.updated");
    let note = updated.and_then(|event| event["note"].as_str()).unwrap_or_default();
    assert!(note.contains(&format!("{}/enter?action=gatepass", site.url)), "{events}");

    for elsewhere in
        ["https://evil.test/?action=gatepass", &format!("{}/#x", site.url), "javascript:alert(1)"]
    {
        said["landing_url"] = json!(elsewhere);
        let answer = site.ask(&code, PATH, &said).await?;
        assert_eq!(answer.body["errors"][0]["field"], "landing_url", "{elsewhere}: {}", answer.body);
    }
    assert_eq!(
        api.issue("mia").await?.endpoint().split_once("&handoff").map(|(page, _)| page),
        login_url.split_once("&handoff").map(|(page, _)| page)
    );
    Ok(())
}

pub async fn a_copy_of_a_site_is_told_so_and_changes_nothing(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    let before = api.site_call(Method::GET, "", None).await?.ok()?;
    let mut copy = heartbeat(&site, &code);
    for url in ["https://staging.example", "http://127.0.0.1:1/"] {
        copy["url"] = json!(url);
        copy["landing_url"] = json!(format!("{url}?action=gatepass"));
        let answer = site.ask(&code, PATH, &copy).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "site_identity_conflict"));
    }
    assert_eq!(api.site_call(Method::GET, "", None).await?.ok()?, before);
    let events = api.events(0).await?;
    let told: Vec<_> = events["events"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|event| event["kind"] == "site.heartbeat_refused")
        .collect();
    assert_eq!(told.len(), 1, "{events}");
    assert_eq!(
        (&told[0]["cause"], &told[0]["client_ip"]),
        (&json!("identity_conflict"), &json!("127.0.0.1"))
    );
    assert!(
        told[0]["note"].as_str().is_some_and(|note| note.contains("https://staging.example")),
        "{events}"
    );
    Ok(())
}

pub async fn a_site_that_says_ever_new_things_is_slowed_down(stack: &Stack) -> Result {
    let (site, code, _) = paired(stack).await?;
    let mut said = heartbeat(&site, &code);
    for number in 0..30 {
        said["versions"]["plugin"] = json!(format!("0.{number}"));
        let answer = site.ask(&code, PATH, &said).await?;
        if answer.code() == "rate_limited" {
            assert!(number >= 10, "after {number}");
            assert_eq!((&answer.body["bucket"], answer.retry_after.is_some()), (&json!("site"), true));
            return Ok(());
        }
        answer.ok()?;
    }
    Err("nobody slows it down".into())
}
