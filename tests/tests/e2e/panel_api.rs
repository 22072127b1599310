//! The panel API: who may ask, for what, and what is said of a mistake.

use gatepass_tests::{Result, Stack, api};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const UNPROCESSABLE: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

pub async fn another_tenants_api_key_sees_no_such_site(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("not-yours").await?;
    let foreign = stack
        .api
        .with_key(stack.gatepass.command(&["client", "add", "foreign", "--tenant", "other"])?.trim());
    let issue = json!({ "subject": member.subject });
    let handoff_path = format!("/handoffs/{}", handoff.id);
    let calls: [(Method, &str, Option<Value>); 10] = [
        (Method::POST, "/handoffs", Some(issue)),
        (Method::GET, &handoff_path, None),
        (Method::POST, &format!("{handoff_path}/revoke"), None),
        (Method::PUT, "/members/x", Some(api::member("x"))),
        (Method::GET, "/members/not-yours", None),
        (Method::GET, "", None),
        (Method::PATCH, "", Some(json!({ "policy": {} }))),
        (Method::DELETE, "", None),
        (Method::POST, "/pairing-code", Some(json!({}))),
        (Method::GET, "/events", None),
    ];
    for (method, path, body) in calls {
        let answer = foreign.site_call(method.clone(), path, body.as_ref()).await?;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::NOT_FOUND, "site_not_found"),
            "{method} {path}"
        );
        // Exactly as for a site that is not there at all.
        let path = format!("/v1/sites/site_{}{path}", "a".repeat(26));
        let nowhere = foreign.call(method, &path, body.as_ref()).await?;
        assert_eq!(without_id(nowhere.body), without_id(answer.body), "{path}");
    }
    let list = foreign.call(Method::GET, "/v1/sites", None).await?.ok()?;
    assert_eq!(list["sites"], json!([]));
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    Ok(())
}

fn without_id(mut problem: Value) -> Value {
    problem["request_id"] = Value::Null;
    problem
}

pub async fn without_a_live_key_nothing_is_answered(stack: &Stack) -> Result {
    let id = {
        let made: Value =
            serde_json::from_str(&stack.gatepass.command(&["client", "add", "leaked", "--json"])?)?;
        let api = stack.api.with_key(made["api_key"].as_str().unwrap_or_default());
        api.site_call(Method::GET, "", None).await?.ok()?;
        let id = made["client"]["id"].as_str().unwrap_or_default().to_owned();
        stack.gatepass.command(&["client", "revoke", &id])?;
        // A second is all that a worker may remember.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let answer = api.site_call(Method::GET, "", None).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "unauthorized"));
        id
    };
    assert!(
        stack
            .gatepass
            .command(&["client", "list"])?
            .lines()
            .any(|l| l.contains(&id) && l.contains("revoked"))
    );
    for key in ["", "gpk_", "x", &format!("gpk_{}", "A".repeat(43))] {
        let answer = stack.api.with_key(key).site_call(Method::GET, "", None).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "unauthorized"), "{key}");
    }
    Ok(())
}

pub async fn a_key_does_only_what_its_scope_says(stack: &Stack) -> Result {
    let key = stack.gatepass.command(&["client", "add", "narrow", "--scope", "members:read"])?;
    let narrow = stack.api.with_key(key.trim());
    let answer = narrow.try_issue(&json!({ "subject": "x" })).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "insufficient_scope"));
    let answer = narrow.put("x", &api::member("x")).await?;
    assert_eq!(answer.code(), "insufficient_scope");
    let answer = narrow.site_call(Method::GET, "/members/nobody", None).await?;
    assert_eq!(answer.code(), "member_not_found");
    Ok(())
}

pub async fn a_mistake_is_answered_with_its_field(stack: &Stack) -> Result {
    let cases: [(Value, &str); 6] = [
        (json!({ "subject": "a/b" }), "subject"),
        (json!({ "subject": ["a"] }), "subject"),
        (json!({ "subject": "a", "ttl": 4 }), "ttl"),
        (json!({ "subject": "a", "ttl": 301 }), "ttl"),
        (json!({ "subject": "a", "binding": "short" }), "binding"),
        (json!({ "subject": "a", "remember": "yes" }), "remember"),
    ];
    for (body, field) in cases {
        let answer = stack.api.try_issue(&body).await?;
        assert_eq!((answer.status, answer.code()), (UNPROCESSABLE, "validation_failed"), "{body}");
        assert_eq!(answer.body["errors"][0]["field"], field, "{body}");
    }
    let answer = stack.api.try_issue(&json!({ "subject": "a", "is_admin": true })).await?;
    assert_eq!((answer.status, answer.code()), (UNPROCESSABLE, "validation_failed"));
    let mut member = api::member("x");
    member["email"] = json!("I'm not an email");
    let answer = stack.api.put("x", &member).await?;
    assert_eq!(answer.body["errors"][0]["field"], "email");
    Ok(())
}

pub async fn every_answer_carries_its_request_id(stack: &Stack) -> Result {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/v1/sites/{}", stack.gatepass.url(), stack.api.site());
    let answer = http.get(&url).header("X-Request-Id", "panel-42").send().await?;
    assert_eq!(answer.headers()["x-request-id"], "panel-42");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.json::<Value>().await?["request_id"], "panel-42");
    let answer = http.get(&url).header("X-Request-Id", "no good\u{7f}").send().await;
    if let Ok(answer) = answer {
        assert!(answer.headers()["x-request-id"].to_str()?.starts_with("req_"));
    }
    Ok(())
}

pub async fn putting_a_member_twice_changes_nothing_and_if_match_guards(stack: &Stack) -> Result {
    let first = stack.api.put("idempotent", &api::member("idempotent")).await?;
    let second = stack.api.put("idempotent", &api::member("idempotent")).await?;
    assert_eq!((first.status, second.status), (StatusCode::CREATED, StatusCode::OK));
    assert_eq!(first.body["revision"], second.body["revision"]);
    let read = stack.api.site_call(Method::GET, "/members/idempotent", None).await?.ok()?;
    assert_eq!(read["email"], "idempotent@example.com");
    assert_eq!(read["allowed"], true);
    Ok(())
}

pub async fn a_site_is_registered_read_changed_and_removed(stack: &Stack) -> Result {
    let new = json!({ "url": "https://shop.example", "policy": { "token_lifetime": 30 } });
    let made = stack.api.call(Method::POST, "/v1/sites", Some(&new)).await?;
    assert_eq!(made.status, StatusCode::CREATED);
    let id = made.body["id"].as_str().unwrap_or_default().to_owned();
    let again = stack.api.call(Method::POST, "/v1/sites", Some(&new)).await?;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "site_exists"));
    assert_eq!(again.body["site_id"], id.as_str());

    let path = format!("/v1/sites/{id}");
    let not_paired =
        stack.api.call(Method::POST, &format!("{path}/handoffs"), Some(&json!({ "subject": "a" }))).await?;
    assert_eq!(not_paired.code(), "site_not_paired");
    let change = json!({ "policy": { "renew_url": "https://panel.example/renew" } });
    let changed = stack.api.call(Method::PATCH, &path, Some(&change)).await?.ok()?;
    assert_eq!(changed["policy"]["renew_url"], "https://panel.example/renew");
    assert_eq!(changed["policy"]["token_lifetime"], 30, "what is not named stays");
    let wrong = json!({ "policy": { "renew_url": "javascript:alert(1)" } });
    assert_eq!(stack.api.call(Method::PATCH, &path, Some(&wrong)).await?.status, UNPROCESSABLE);
    let code = stack.api.call(Method::POST, &format!("{path}/pairing-code"), Some(&json!({}))).await?.ok()?;
    assert!(code["pairing_code"].as_str().is_some_and(|code| code.starts_with("gp_pair_")));
    assert_eq!(stack.api.call(Method::DELETE, &path, None).await?.status, StatusCode::NO_CONTENT);
    assert_eq!(stack.api.call(Method::GET, &path, None).await?.code(), "site_not_found");
    Ok(())
}

pub async fn the_trail_tells_a_login_from_issue_to_outcome(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("traced").await?;
    let visitor = stack.wordpress.visitor();
    visitor.redeem(&handoff, &gatepass_tests::wordpress::new_attempt()?).await?;
    stack.api.wait_for_state(&handoff.id, "logged_in").await?;
    let trail = stack.api.trail(&handoff.id).await?;
    assert_eq!(trail, ["handoff.issued", "handoff.redeemed", "handoff.logged_in"]);
    Ok(())
}

pub async fn a_body_is_judged_only_after_who_sends_it(stack: &Stack) -> Result {
    let http = reqwest::Client::builder().no_proxy().build()?;
    let base = stack.gatepass.url();
    let foreign = stack.gatepass.command(&["client", "add", "foreign-body", "--tenant", "other"])?;
    let nobody = format!("gpk_{}", "B".repeat(43));
    let own = format!("{base}/v1/sites/{}/handoffs", stack.api.site());
    let nowhere = format!("{base}/v1/sites/site_{}/handoffs", "a".repeat(26));
    for (url, key, status) in [
        (&own, nobody.as_str(), StatusCode::UNAUTHORIZED),
        (&own, foreign.trim(), StatusCode::NOT_FOUND),
        (&nowhere, foreign.trim(), StatusCode::NOT_FOUND),
        (&own, stack.api.key(), StatusCode::BAD_REQUEST),
    ] {
        let request = http.post(url).bearer_auth(key).header("Content-Type", "application/json").body("{");
        assert_eq!(request.send().await?.status(), status, "{url}");
    }
    let answer = http.post(&own).bearer_auth(stack.api.key()).body("subject=mia").send().await?;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for odd in [json!(["mia"]), json!("mia"), json!(null)] {
        let answer = stack.api.try_issue(&odd).await?;
        assert!(answer.status.is_client_error() && !answer.code().is_empty(), "{odd}");
    }
    Ok(())
}

pub async fn another_method_is_a_405_and_another_path_a_404(stack: &Stack) -> Result {
    let answer = stack.api.call(Method::DELETE, "/v1/sites", None).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    let answer = stack.api.call(Method::GET, "/wp/v1/redemptions", None).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"));
    let answer = stack.api.call(Method::GET, "/v1/nothing", None).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "not_found"));
    for path in ["/healthz", "/readyz"] {
        assert_eq!(stack.api.call(Method::GET, path, None).await?.ok()?["status"], "ok");
        assert_eq!(stack.api.call(Method::HEAD, path, None).await?.status, StatusCode::OK);
    }
    Ok(())
}

pub async fn a_time_that_means_nothing_is_refused(stack: &Stack) -> Result {
    for odd in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-05:00", "tomorrow", "2026-02-30T00:00:00Z"]
    {
        let mut member = api::member("odd-times");
        member["membership"]["valid_until"] = json!(odd);
        let answer = stack.api.put("odd-times", &member).await?;
        assert_eq!((answer.status, answer.code()), (UNPROCESSABLE, "validation_failed"), "{odd}");
        assert_eq!(answer.body["errors"][0]["field"], "membership.valid_until", "{odd}");
    }
    Ok(())
}
