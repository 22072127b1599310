//! Handoffs that are bound to a browser: what the panel is told of the start, and what is taken without.

use gatepass_tests::fake_site::FakeSite;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack, api};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const START: &str = "https://panel.example/start?from=site";

pub async fn with_a_start_at_the_panel_every_handoff_must_be_bound(stack: &Stack) -> Result {
    let (site, code) = FakeSite::paired_with(&stack.gatepass, &[]).await?;
    let api = stack.api.for_site(&code.site);
    api.put("mia", &api::member("mia")).await?.ok()?;
    let unbound = api.issue("mia").await?;
    assert!(!unbound.login_url.contains("bound="), "{}", unbound.endpoint());

    let set = async |policy: Value| {
        api.site_call(Method::PATCH, "", Some(&json!({ "policy": policy }))).await?.ok()
    };
    let known = set(json!({ "panel_start_url": START })).await?;
    let landing = known["landing_url"].as_str().unwrap_or_default();
    assert_eq!(known["start_url"], format!("{landing}&start=1"));
    for (policy, why) in [
        (json!({ "panel_start_url": START, "require_binding": false }), "there is a start"),
        (json!({ "require_binding": true }), "its operator says so, too"),
    ] {
        set(policy).await?;
        let answer = api.try_issue(&json!({ "subject": "mia" })).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{why}");
        let error = &answer.body["errors"][0];
        assert_eq!((&error["field"], &error["code"]), (&json!("binding"), &json!("required")), "{why}");
        assert!(error["message"].as_str().is_some_and(|said| said.contains("start_url")), "{error}");
        let bound = api.issue_with(&json!({ "subject": "mia", "binding": "A".repeat(43) })).await?;
        assert_eq!(bound.endpoint(), format!("{landing}&handoff={}&bound=1", bound.id));

        // The site hears of what holds, not of the reason.
        let body = json!({
            "token": bound.token(), "attempt": new_attempt()?, "client_ip": null, "binding": "A".repeat(43),
        });
        let answer = site.ask(&code, "/wp/v1/redemptions", &body).await?.ok()?;
        assert_eq!(answer["policy"]["require_binding"], true, "{why}");
    }
    // One that was on its way before there was a start is taken no more.
    let late = json!({ "token": unbound.token(), "attempt": new_attempt()?, "client_ip": null, "binding": "A".repeat(43) });
    let answer = site.ask(&code, "/wp/v1/redemptions", &late).await?;
    assert_eq!(answer.code(), "binding_mismatch", "{}", answer.body);

    // Nobody could log in if it were required with nowhere to begin.
    let nowhere = json!({ "policy": { "panel_start_url": null } });
    let answer = api.site_call(Method::PATCH, "", Some(&nowhere)).await?;
    assert_eq!(answer.body["errors"][0]["field"], "policy.panel_start_url", "{}", answer.body);
    set(json!({ "panel_start_url": null, "require_binding": false })).await?;
    api.issue("mia").await?;

    for wrong in ["http://panel.example/", "https://panel.example/#x", "https://mia@panel.example/", "//x"] {
        let change = json!({ "policy": { "panel_start_url": wrong } });
        let answer = api.site_call(Method::PATCH, "", Some(&change)).await?;
        assert_eq!(answer.body["errors"][0]["field"], "policy.panel_start_url", "{wrong}: {}", answer.body);
    }
    Ok(())
}

pub async fn an_operator_sets_and_takes_away_the_start_at_the_command_line(stack: &Stack) -> Result {
    let options = ["--panel-start-url", START, "--renew-url", "https://panel.example/renew"];
    let site = stack.gatepass.add_site("https://bound.example", &options)?.id;
    let set = |options: &[&str]| -> Result<Value> {
        Ok(serde_json::from_str(&stack.gatepass.command(&[&["site", "set", &site], options].concat())?)?)
    };
    let known = set(&[])?;
    assert_eq!((&known["policy"]["panel_start_url"], &known["start_url"]), (&json!(START), &Value::Null));
    let refused =
        set(&["--panel-start-url", "none", "--require-binding", "true"]).err().ok_or("it was taken")?;
    assert!(refused.to_string().contains("nobody could log in"), "{refused}");
    let changed = set(&["--panel-start-url", "none"])?;
    let policy = &changed["policy"];
    assert_eq!((&policy["panel_start_url"], &policy["require_binding"]), (&Value::Null, &json!(false)));
    assert_eq!(policy["renew_url"], "https://panel.example/renew", "what is not named stays");
    let refused = set(&["--panel-start-url", "http://panel.example/"]).err().ok_or("it was taken")?;
    assert!(refused.to_string().contains("--panel-start-url: expected https://"), "{refused}");
    Ok(())
}
