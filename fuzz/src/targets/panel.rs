//! The panel API whole: every route, header, query and body.

use actix_web::http::Method;
use gatepass_keys::token::handoff::Unverified;
use serde_json::Value;

use super::texts;
use crate::oracle::assert_shape;
use crate::service::{Sent, send};

/// Seeds: every route as a panel uses it, and with what does not belong there.
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "GET /v1/sites",
        "GET /v1/sites?cursor={site}",
        "GET /v1/sites?cursor=x&cursor=y",
        "GET /v1/sites/{site}",
        "GET /v1/sites/%00\nX-Request-Id: panel-42",
        "GET /v1/sites/{site}/events?after=1",
        "GET /v1/sites/{site}/events?after=18446744073709551616",
        "GET /v1/sites/{site}/handoffs/{handoff}",
        "GET /v1/sites/{site}/members/mia",
        "GET /v1/sites/{site}/members/%ff%fe",
        "GET /v1/sites/{site}/members/..%2fmia",
        "GET /.well-known/jwks.json",
        "GET /healthz",
        "HEAD /readyz",
        "DELETE /v1/sites/{site}",
        "TRACE /v1/sites/{site}",
        "GET /v1/sites\nAuthorization: bearer {key}",
        "GET /v1/sites\nAuthorization: Basic {key}",
        "GET /v1/sites\nAuthorization: Bearer ",
        "POST /v1/sites\n\n{\"url\":\"https://shop.example\",\"policy\":{\"token_lifetime\":30,\"panel_url\":\"https://panel.example/\",\"allowed_roles\":[\"subscriber\"]}}",
        "POST /v1/sites\n\n{\"url\":\"{origin}\"}",
        "PATCH /v1/sites/{site}\n\n{\"policy\":{\"renew_url\":null,\"token_lifetime\":60,\"panel_start_url\":\"https://panel.example/start\",\"require_binding\":true,\"default_redirect\":\"/a\"}}",
        "POST /v1/sites/{site}/pairing-code\n\n{}",
        "POST /v1/sites/{site}/pairing-code\n\n{\"replace\":true}",
        "POST /v1/sites/{site}/handoffs\n\n{\"subject\":\"mia\"}",
        "POST /v1/sites/{site}/handoffs\n\n{\"subject\":\"mia\",\"redirect_to\":\"/my-account/\",\"remember\":true,\"client_ip\":\"192.0.2.1\",\"binding\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ttl\":30}",
        "POST /v1/sites/{site}/handoffs\n\n{\"subject\":\"mia\",\"ttl\":-1}",
        "POST /v1/sites/{unpaired}/handoffs\n\n{\"subject\":\"mia\"}",
        "POST /v1/sites/{site}/handoffs\nContent-Type: text/plain\n\n{\"subject\":\"mia\"}",
        "POST /v1/sites/{site}/handoffs\nContent-Type: application/json; charset=utf-16\n\n{\"subject\":\"mia\"}",
        "POST /v1/sites/{site}/handoffs\nContent-Encoding: gzip\n\n{\"subject\":\"mia\"}",
        "POST /v1/sites/{site}/handoffs/{handoff}/revoke",
        "PUT /v1/sites/{site}/members/mia\n\n{\"email\":\"mia@example.com\",\"membership\":{\"status\":\"active\"}}",
        "PUT /v1/sites/{site}/members/mia\nIf-Match: \"7\"\n\n{\"email\":\"mia@example.com\",\"membership\":{\"status\":\"paused\"}}",
        "PUT /v1/sites/{site}/members/mia\nIf-Match: *\n\n{}",
        "PUT /v1/sites/{site}/members/kim@example.com\n\n{\"email\":\"kim@example.com\",\"email_verified\":true,\"username\":\"kim\",\"display_name\":\"Kim\",\"first_name\":\"K\",\"last_name\":\"Im\",\"locale\":\"de_DE\",\"roles\":[\"customer\"],\"membership\":{\"status\":\"past_due\",\"plan\":\"gold\",\"valid_until\":\"2027-01-31T12:00:00Z\",\"grace_until\":\"2026-11-30T12:00:00+01:00\"},\"consent\":{\"terms_accepted_at\":\"2026-01-31T12:00:00Z\",\"privacy_accepted_at\":null,\"marketing_opt_in\":true}}",
        "PUT /v1/sites/{site}/members/mia\n\n{\"email\":\"mia@example.com\",\"membership\":[\"active\"]}",
        "GET /v1/sites/{site}/members",
        "GET /v1/sites/{site}/members?status=active&sync=pending&cursor=0&limit=10",
        "GET /v1/sites/{site}/members?status=gold&sync=x&cursor=-1&limit=0",
        "GET /v1/sites/{site}/members:export",
        "POST /v1/sites/{site}/members:import\nContent-Type: application/x-ndjson\n\n{\"subject\":\"kim\",\"email\":\"kim@example.com\",\"membership\":{\"status\":\"active\"}}",
        "POST /v1/sites/{site}/members:import\nContent-Type: application/x-ndjson\n\nrubbish",
        "PATCH /v1/sites/{site}/members/mia/membership\n\n{\"status\":\"past_due\",\"grace_until\":\"2027-01-31T12:00:00Z\",\"valid_until\":null}",
        "PATCH /v1/sites/{site}/members/mia/membership\n\n{\"status\":null}",
        "POST /v1/sites/{site}/members/mia/sync",
        "DELETE /v1/sites/{site}/members/mia/sessions",
        "DELETE /v1/sites/{site}/members/mia",
    ])
}

/// Sends a request to the panel API.
pub fn run(input: &[u8]) {
    // What belongs to the bridge has a target of its own, and may call out.
    let Some(sent) = send(input).filter(|sent| !sent.path.starts_with("/wp/")) else { return };
    if (200..300).contains(&sent.answer.status) {
        assert_accepted(&sent);
    }
}

fn assert_accepted(sent: &Sent) {
    let answer: Value = serde_json::from_slice(&sent.answer.body).unwrap_or_default();
    // An import has a body of many, or none.
    let without = ["/revoke", "/sync", ":import"];
    let takes_body = matches!(sent.method, Method::POST | Method::PUT | Method::PATCH)
        && !without.iter().any(|part| sent.path.contains(part));
    if !takes_body {
        return;
    }
    assert_shape(&sent.body);
    let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
    if sent.method == Method::PUT {
        assert_echoed(&body, &answer);
    }
    if let Some(url) = answer["login_url"].as_str() {
        let (place, token) = url.split_once("#token=").expect("a token");
        assert!(place.starts_with("http://127.0.0.1:1/wp-admin/admin-post.php?action=gatepass&handoff=ho_"));
        assert!(Unverified::parse(token).is_ok());
    }
}

/// What a member was put as is what it is from then on.
fn assert_echoed(put: &Value, kept: &Value) {
    for (name, value) in put.as_object().expect("an object") {
        let kept = &kept[name];
        match value {
            Value::Object(_) => assert_echoed(value, kept),
            Value::String(text) if name.ends_with("_at") || name.ends_with("_until") => {
                assert!(kept.is_string(), "{name}: {text} became {kept}");
            }
            _ => assert_eq!(value, kept, "{name}"),
        }
    }
}
