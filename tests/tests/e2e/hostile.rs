//! Requests that nobody means well with, over real connections: every one gets the 4xx that it deserves, and leaves
//! nothing behind.

use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::spoil::spoil;
use gatepass_tests::wire::{Answer, Wire};
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{PanelApi, Result, Stack, api};
use reqwest::Method;
use serde_json::{Value, json};

/// A tenant with one paired site and one member, which nobody else touches.
struct Place {
    site: FakeSite,
    code: PairingCode,
    api: PanelApi,
    base: String,
}

impl Place {
    async fn new(stack: &Stack, tenant: &str) -> Result<Self> {
        let key = stack.gatepass.command(&["client", "add", tenant, "--tenant", tenant])?;
        let (site, base) = (FakeSite::start()?, stack.gatepass.url());
        let api = stack.api.with_key(key.trim());
        let made = api.call(Method::POST, "/v1/sites", Some(&json!({ "url": site.url }))).await?.ok()?;
        let api = api.for_site(made["id"].as_str().unwrap_or_default());
        let code = api.site_call(Method::POST, "/pairing-code", Some(&json!({}))).await?.ok()?;
        let code = PairingCode::read(code["pairing_code"].as_str().unwrap_or_default())?;
        site.pair(&code).await?.ok()?;
        api.put("mia", &api::member("mia")).await?.ok()?;
        Ok(Self { site, code, api, base })
    }

    /// All that the panel can see: what a refused request must leave as it was.
    async fn state(&self) -> Result<Value> {
        let sites = self.api.call(Method::GET, "/v1/sites", None).await?.ok()?;
        let mia = self.api.site_call(Method::GET, "/members/mia", None).await?.ok()?;
        Ok(json!([sites, mia, self.api.events(0).await?]))
    }

    fn at(&self, path: &str) -> String {
        path.replace("{site}", self.api.site())
    }

    fn panel(&self, method: &str, path: &str) -> Wire {
        Wire::new(method, &self.at(path)).header("Authorization", format!("Bearer {}", self.api.key()))
    }

    fn bridge(&self, path: &str) -> Wire {
        let proof = self.site.proof(&self.site.claims(&self.code));
        Wire::new("POST", path).header("Authorization", format!("Bearer {proof}"))
    }
}

/// The answer is a problem of this status and code.
fn assert_problem(answer: &Answer, status: u16, code: &str, why: &str) {
    assert_eq!((answer.status, answer.code()), (status, code), "{why}: {}", answer.body);
    assert!(answer.head.contains("content-type: application/problem+json"), "{why}: {}", answer.head);
    let id = answer.body["request_id"].as_str().unwrap_or_default();
    assert!(
        answer.head.contains(&format!("x-request-id: {id}").to_ascii_lowercase()),
        "{why}: {}",
        answer.head
    );
}

/// Every way to spoil a body is refused, and names the field where there is one.
fn assert_every_spoiled_body_is_refused(place: &Place, route: &str, request: &Wire, good: &Value) -> Result {
    for spoiled in spoil(good) {
        let answer = request.clone().json(&spoiled.body).send(&place.base)?;
        let why = format!("{route}, {}", spoiled.what);
        match (spoiled.code, answer.code()) {
            ("", "malformed_request") => assert_problem(&answer, 400, "malformed_request", &why),
            ("" | "validation_failed", _) => assert_problem(&answer, 422, "validation_failed", &why),
            (code, _) => assert_problem(&answer, 400, code, &why),
        }
        if let Some(field) = spoiled.field {
            let named = answer.body["errors"][0]["field"].as_str().unwrap_or_default();
            assert!(named == field || named.starts_with(&format!("{field}[")), "{why}: it names {named}");
        }
    }
    assert_only_plain_json_is_read(place, route, request, good)
}

fn assert_only_plain_json_is_read(place: &Place, route: &str, request: &Wire, good: &Value) -> Result {
    let good = request.clone().json(good.to_string());
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/xml",
        "application/jsonx",
        "application/json, text/plain",
        "application/problem+json",
        "application/json; charset=utf-16",
        "application/json; charset=iso-8859-1",
        "multipart/form-data; boundary=x",
    ] {
        let answer = good.clone().header("Content-Type", kind).send(&place.base)?;
        assert_problem(&answer, 415, "unsupported_media_type", &format!("{route} as {kind:?}"));
    }
    for coding in ["gzip", "br", "identity, gzip", "x"] {
        let answer = good.clone().header("Content-Encoding", coding).send(&place.base)?;
        assert_problem(&answer, 415, "unsupported_media_type", &format!("{route} in {coding}"));
    }
    let answer = good.without("Content-Type").send(&place.base)?;
    assert_problem(&answer, 415, "unsupported_media_type", &format!("{route} without a type"));
    let largest = if route == "acks" { 256 } else { 16 } * 1024;
    let answer = request.clone().json(vec![b' '; largest + 1]).send(&place.base)?;
    assert_problem(&answer, 413, "payload_too_large", &format!("{route}, too large"));
    Ok(())
}

pub async fn no_hostile_request_to_the_panel_api_does_anything(stack: &Stack) -> Result {
    let place = Place::new(stack, "hostile-panel").await?;
    let before = place.state().await?;
    let policy = json!({
        "panel_url": "https://panel.example/", "panel_start_url": "https://panel.example/start",
        "renew_url": "https://panel.example/renew", "default_redirect": "/my-account/", "token_lifetime": 30,
        "require_binding": true, "allowed_roles": ["subscriber"],
    });
    let member = json!({
        "email": "mia@example.com", "email_verified": true, "username": "mia", "display_name": "Mia", "first_name": "Mia",
        "last_name": "Lindqvist", "locale": "de_DE", "roles": ["subscriber"],
        "membership": {
            "status": "past_due", "plan": "gold", "valid_until": "2030-01-31T12:00:00Z", "grace_until": "2030-01-31T12:00:00Z",
        },
        "consent": {
            "terms_accepted_at": "2026-01-31T12:00:00Z", "privacy_accepted_at": "2026-01-31T12:00:00Z",
            "marketing_opt_in": true,
        },
    });
    let handoff = json!({
        "subject": "mia", "redirect_to": "/", "remember": true, "client_ip": "192.0.2.1", "binding": "A".repeat(43), "ttl": 30,
    });
    for (method, path, good) in [
        ("POST", "/v1/sites", json!({ "url": "https://hostile.example", "policy": policy })),
        ("PATCH", "/v1/sites/{site}", json!({ "policy": policy })),
        ("POST", "/v1/sites/{site}/pairing-code", json!({ "replace": true })),
        ("POST", "/v1/sites/{site}/handoffs", handoff),
        ("PUT", "/v1/sites/{site}/members/mia", member.clone()),
    ] {
        let route = format!("{method} {path}");
        assert_every_spoiled_body_is_refused(&place, &route, &place.panel(method, path), &good)?;
    }
    let put = place.panel("PUT", "/v1/sites/{site}/members/mia").json(member.to_string());
    for tag in [
        "",
        "7",
        "W/\"1\"",
        "\"x\"",
        "*",
        "\"-1\"",
        "\"1\", \"2\"",
        "\"18446744073709551616\"",
        "\"",
        "\u{e9}",
    ] {
        let answer = put.clone().header("If-Match", tag).send(&place.base)?;
        assert_problem(&answer, 400, "malformed_request", &format!("If-Match: {tag}"));
    }
    assert_eq!(place.state().await?, before);
    Ok(())
}

pub async fn no_hostile_address_or_header_does_anything(stack: &Stack) -> Result {
    let place = Place::new(stack, "hostile-address").await?;
    let before = place.state().await?;
    let (long, endless) = ("a".repeat(1500), "a".repeat(5000));
    for (path, status, code) in [
        ("/v1/sites/%00", 404, "site_not_found"),
        ("/v1/sites/%ff%fe", 404, "site_not_found"),
        ("/v1/sites/%2e%2e", 404, "site_not_found"),
        ("/v1/sites/../../etc/passwd", 404, "not_found"),
        ("/v1/sites/{site}%00", 404, "site_not_found"),
        ("/v1/sites/{site}%20", 404, "site_not_found"),
        ("/v1/sites/{site}/", 404, "not_found"),
        ("//v1/sites/{site}", 404, "not_found"),
        ("/V1/sites/{site}", 404, "not_found"),
        ("/v1/sites/{site}/members/", 404, "not_found"),
        ("/v1/sites/{site}/members/%ff", 422, "validation_failed"),
        ("/v1/sites/{site}/members/%00", 422, "validation_failed"),
        ("/v1/sites/{site}/members/mia%00", 422, "validation_failed"),
        ("/v1/sites/{site}/members/mia%0d%0aX:%20y", 422, "validation_failed"),
        ("/v1/sites/{site}/members/..%2fmia", 422, "validation_failed"),
        ("/v1/sites/{site}/members/..%5cmia", 422, "validation_failed"),
        ("/v1/sites/{site}/members/%7bmia%7d", 422, "validation_failed"),
        ("/v1/sites/{site}/members/m%C3%ADa", 422, "validation_failed"),
        ("/v1/sites/{site}/members/m%25", 422, "validation_failed"),
        ("/v1/sites/{site}/members/m%zz", 422, "validation_failed"),
        ("/v1/sites/{site}/members/..", 422, "validation_failed"),
        (&format!("/v1/sites/{{site}}/members/{long}"), 422, "validation_failed"),
        ("/v1/sites/{site}/handoffs/ho_", 404, "handoff_not_found"),
        ("/v1/sites/{site}/handoffs/..%2f..", 404, "handoff_not_found"),
        (&format!("/v1/sites/{{site}}/handoffs/{long}"), 404, "handoff_not_found"),
        (&format!("/v1/sites/{{site}}/handoffs/{endless}"), 414, "uri_too_long"),
        ("/v1/sites/{site}/events?after=-1", 422, "validation_failed"),
        ("/v1/sites/{site}/events?after=1.5", 422, "validation_failed"),
        ("/v1/sites/{site}/events?after=1e400", 422, "validation_failed"),
        ("/v1/sites/{site}/events?after=18446744073709551616", 422, "validation_failed"),
        ("/v1/sites/{site}/events?after=1&after=2", 400, "malformed_request"),
        ("/v1/sites/{site}/events?after[]=1", 400, "malformed_request"),
        ("/v1/sites/{site}/events?after=%ff", 422, "validation_failed"),
        ("/v1/sites?cursor=x", 400, "malformed_request"),
        ("/v1/sites?cursor=%00", 400, "malformed_request"),
        ("/v1/sites?page=1", 400, "malformed_request"),
    ] {
        assert_problem(&place.panel("GET", path).send(&place.base)?, status, code, &format!("{path:.60}"));
    }
    for (path, methods) in [
        ("/v1/sites", "PUT PATCH DELETE HEAD"),
        ("/v1/sites/{site}", "POST PUT HEAD"),
        ("/v1/sites/{site}/pairing-code", "GET PUT DELETE"),
        ("/v1/sites/{site}/events", "POST DELETE"),
        ("/v1/sites/{site}/handoffs", "GET PUT DELETE"),
        ("/v1/sites/{site}/handoffs/ho_x/revoke", "GET DELETE"),
        ("/v1/sites/{site}/members/mia", "POST"),
        ("/wp/v1/redemptions", "GET PUT DELETE"),
        ("/wp/v1/pairings", "GET DELETE"),
        ("/wp/v1/heartbeat", "GET PUT DELETE"),
        ("/wp/v1/changes", "POST PUT DELETE"),
        ("/wp/v1/changes/acks", "GET PUT DELETE"),
        ("/.well-known/jwks.json", "POST"),
        ("/healthz", "POST DELETE"),
    ] {
        for method in methods.split(' ').chain(["TRACE", "OPTIONS", "PROPFIND", "get"]) {
            let answer = place.panel(method, path).send(&place.base)?;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.body);
            assert!(method == "HEAD" || answer.code() == "method_not_allowed", "{method} {path}");
        }
    }

    let good = place.panel("GET", "/v1/sites/{site}");
    let key = place.api.key();
    let odd_keys = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer gpk_".to_owned(),
        format!("Bearer  {key}x"),
        format!("Bearer {key} {key}"),
        format!("Bearer {key},{key}"),
        format!("Bearer {}", key.to_ascii_uppercase()),
        format!("Bearer {}", &key[..key.len() - 1]),
        format!("Basic {key}"),
        format!("Bearer\t{key}"),
        format!("Bearer {key}\u{e9}"),
        key.to_owned(),
        format!("Bearer {}", "A".repeat(8000)),
    ];
    for credential in odd_keys {
        let answer = good.clone().header("Authorization", &credential).send(&place.base)?;
        assert_problem(&answer, 401, "unauthorized", &format!("{credential:.40}"));
        let answer = place.bridge("/wp/v1/redemptions").header("Authorization", &credential).json("{}");
        assert_problem(&answer.send(&place.base)?, 401, "site_proof_invalid", &format!("{credential:.40}"));
    }
    assert_problem(&good.clone().without("Authorization").send(&place.base)?, 401, "unauthorized", "no key");
    for id in ["", "a b", "\u{e9}", "<script>", &"x".repeat(65), "x\tX-Other: y"] {
        let answer = good.clone().header("X-Request-Id", id).send(&place.base)?;
        assert_eq!(answer.status, 200);
        assert!(answer.head.contains("x-request-id: req_"), "{id:.40}: {}", answer.head);
    }
    // What HTTP itself does not allow is refused before it is a request.
    for (name, value) in
        [("X-Nul", &b"a\0b"[..]), ("X-Line", b"a\rb"), ("X y", b"a"), ("Content-Length", b"-1")]
    {
        assert_eq!(good.clone().header(name, value).send(&place.base)?.status, 400, "{name}");
    }
    for path in ["/\0", "/a b", "/\u{e9}"] {
        assert_eq!(Wire::new("GET", path).send(&place.base)?.status, 400, "{path:?}");
    }
    assert_eq!(place.state().await?, before);
    Ok(())
}

pub async fn no_hostile_request_to_the_bridge_does_anything(stack: &Stack) -> Result {
    let place = Place::new(stack, "hostile-bridge").await?;
    let issued = place.api.issue("mia").await?;
    let code = place.api.site_call(Method::POST, "/pairing-code", Some(&json!({}))).await?.ok()?;
    let code = PairingCode::read(code["pairing_code"].as_str().unwrap_or_default())?;
    let before = place.state().await?;

    let redemption = json!({
        "token": issued.token(), "attempt": new_attempt()?, "binding": "A".repeat(43), "client_ip": "192.0.2.1", "user_agent": "x",
        "preview": false,
    });
    let request = place.bridge("/wp/v1/redemptions");
    assert_every_spoiled_body_is_refused(&place, "redemptions", &request, &redemption)?;
    let heartbeat = json!({
        "versions": { "plugin": "1.0", "wordpress": "6.8", "php": "8.2" }, "url": place.site.url,
        "landing_url": format!("{}/?action=gatepass", place.site.url), "checks": { "rest_api": "good" },
    });
    let request = place.bridge("/wp/v1/heartbeat");
    assert_every_spoiled_body_is_refused(&place, "heartbeat", &request, &heartbeat)?;
    let session = json!({
        "id": "0123456789abcdef", "started_at": "2026-01-31T12:00:00Z", "expires_at": "2026-02-02T12:00:00Z",
        "client_ip": "192.0.2.1", "user_agent": "x", "handoff_id": issued.id, "on_behalf": false,
    });
    let acks = json!({ "epoch": "none", "acks": [{
        "subject": "mia", "position": 1, "result": "failed", "wordpress_user_id": 7,
        "error": { "code": "internal", "message": "x" }, "sessions": [session],
    }] });
    let request = place.bridge("/wp/v1/changes/acks");
    assert_every_spoiled_body_is_refused(&place, "acks", &request, &acks)?;
    let outcome = place.bridge(&format!("/wp/v1/redemptions/{}/outcome", issued.id));
    for good in [
        json!({ "result": "logged_in", "wordpress_user_id": 7, "created": true }),
        json!({ "result": "failed", "code": "no_account", "wordpress_user_id": 7 }),
    ] {
        for spoiled in spoil(&good) {
            let answer = outcome.clone().json(&spoiled.body).send(&place.base)?;
            let why = format!("outcome, {}: {}", spoiled.what, answer.body);
            assert!(matches!(answer.code(), "validation_failed" | "malformed_request"), "{why}");
            assert!(spoiled.code.is_empty() || answer.code() == spoiled.code, "{why}");
        }
        assert_only_plain_json_is_read(&place, "outcome", &outcome, &good)?;
    }
    let mut pairing = place.site.pairing(&code);
    pairing["replaces"] = json!("x");
    pairing["public_key"]["kid"] = json!(place.site.key.public().kid());
    pairing["public_key"]["use"] = json!("sig");
    pairing["public_key"]["alg"] = json!("EdDSA");
    let request = Wire::new("POST", "/wp/v1/pairings");
    for spoiled in spoil(&pairing) {
        // The standard has members of a key ignored that are not known (RFC 7517 section 4).
        if spoiled.what.starts_with("an unknown member beside public_key.") {
            continue;
        }
        let answer = request.clone().json(&spoiled.body).send(&place.base)?;
        let why = format!("pairings, {}", spoiled.what);
        let expected = if spoiled.code.is_empty() { answer.code() } else { spoiled.code };
        let status = if expected == "validation_failed" { 422 } else { 400 };
        assert_problem(&answer, status, expected, &why);
    }
    assert_only_plain_json_is_read(&place, "pairings", &request, &pairing)?;

    // Well-formed, and empty or nonsense where it matters.
    let vary = |good: &Value, name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body.to_string()
    };
    for (name, value, status, code) in [
        ("attempt", json!(""), 422, "validation_failed"),
        ("attempt", json!("A".repeat(23)), 422, "validation_failed"),
        ("attempt", json!("AAAAAAAAAAAAAAAAAAAAAB"), 422, "validation_failed"),
        ("token", json!(""), 400, "handoff_invalid"),
        ("token", json!("\u{0}"), 400, "handoff_invalid"),
        ("token", json!("x".repeat(2049)), 400, "handoff_invalid"),
        ("client_ip", json!("256.0.0.1"), 422, "validation_failed"),
        ("client_ip", json!("192.0.2.1:80"), 422, "validation_failed"),
        ("client_ip", json!(""), 422, "validation_failed"),
    ] {
        let request = place.bridge("/wp/v1/redemptions").json(vary(&redemption, name, value.clone()));
        assert_problem(&request.send(&place.base)?, status, code, &format!("{name} is {value:.40}"));
    }
    let versions = json!({ "plugin": "x".repeat(65), "wordpress": "6.8", "php": "8.2" });
    let many: serde_json::Map<_, _> = (0..21).map(|n| ("a".repeat(n + 1), json!("good"))).collect();
    for (name, value) in [
        ("url", json!("")),
        ("url", json!("/")),
        ("url", json!(format!("{}/{}", place.site.url, "x".repeat(2000)))),
        ("landing_url", json!("")),
        ("landing_url", json!("//evil.test/")),
        ("landing_url", json!(format!("{}@evil.test/", place.site.url))),
        ("versions", versions),
        ("checks", json!({ "": "good" })),
        ("checks", json!({ "Rest": "good" })),
        ("checks", json!({ "rest_api": "bad" })),
        ("checks", json!(many)),
    ] {
        let request = place.bridge("/wp/v1/heartbeat").json(vary(&heartbeat, name, value.clone()));
        let answer = request.send(&place.base)?;
        assert_problem(&answer, 422, "validation_failed", &format!("{name} is {value:.40}"));
        let field = answer.body["errors"][0]["field"].as_str().unwrap_or_default();
        assert!(field.starts_with(name), "{name} is {value:.40}: {field}");
    }
    for (name, value) in [
        ("secret", json!("")),
        ("secret", json!("A".repeat(43))),
        ("site_id", json!("")),
        ("site_id", json!("../x")),
    ] {
        let answer = request.clone().json(vary(&pairing, name, value)).send(&place.base)?;
        assert_problem(&answer, 404, "pairing_code_invalid", name);
    }
    for id in ["", "..%2f..%2f", "%00", "ho_", "%ff"] {
        let path = format!("/wp/v1/redemptions/{id}/outcome");
        let answer =
            place.bridge(&path).json(r#"{"result":"logged_in","wordpress_user_id":7}"#).send(&place.base)?;
        let code = if id.is_empty() { "not_found" } else { "handoff_not_found" };
        assert_problem(&answer, 404, code, &path);
    }
    assert_eq!(place.state().await?, before);
    assert_eq!(place.api.handoff(&issued.id).await?["state"], "issued");
    Ok(())
}
