//! Identifiers, times, scopes, API keys and secrets: what is read is written the same, so that nothing has two names.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use gatepass_core::client::{ApiKey, Scope};
use gatepass_core::handoff::Outcome;
use gatepass_core::member::Status;
use gatepass_core::pairing::PairingSecret;
use gatepass_core::{Attempt, ClientId, HandoffId, RequestId, SiteId, Subject, Tenant, Timestamp};
use gatepass_keys::KeyId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::texts;

/// Seeds: one of each, and times in every form.
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "site_ahcm2tafsn2xdkw3tnw5lwcvee",
        "ho_ahcm2tafsn2xdkw3tnw5lwcvee",
        "client_ahcm2tafsn2xdkw3tnw5lwcvee",
        "SITE_AHCM2TAFSN2XDKW3TNW5LWCVEE",
        "customer-1001",
        "mia@example.com",
        "default",
        "req_ahcm2tafsn2xdkw3",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "gpk_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "handoffs",
        "members:read",
        "members:write",
        "sites",
        "past_due",
        "2026-01-31T12:00:00Z",
        "2026-01-31T13:00:00.5+01:00",
        "0000-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59.999-23:59",
        "2026-12-31T23:59:60Z",
        "2024-02-29t00:00:00.123456789z",
    ])
}

/// Reads a text as everything that it could be.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    one_name::<SiteId>(text);
    one_name::<HandoffId>(text);
    one_name::<ClientId>(text);
    one_name::<Subject>(text);
    one_name::<Tenant>(text);
    one_name::<RequestId>(text);
    one_name::<KeyId>(text);
    if let Ok(scope) = text.parse::<Scope>() {
        assert_eq!(scope.as_str(), text);
    }
    if let Ok(attempt) = text.parse::<Attempt>() {
        assert_eq!(attempt.expose(), text);
        assert!(!format!("{attempt:?}").contains(text));
    }
    if let Ok(key) = text.parse::<ApiKey>() {
        assert_eq!(key.expose(), text);
        assert!(!format!("{key:?}").contains(text));
    }
    if let Ok(secret) = text.parse::<PairingSecret>() {
        assert!(!format!("{secret:?}").contains(text) && secret.hash() != text);
    }
    if let Some(status) = read::<Status>(text) {
        assert_eq!(written(&status), text);
    }
    assert!(read::<Outcome>(text).is_none(), "a text is no outcome");
    time(text);
}

/// What is read is shown, written and read again as what it was.
fn one_name<T>(text: &str)
where
    T: FromStr<Err: Display> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let parsed = text.parse::<T>();
    let as_json = read::<T>(text);
    match parsed {
        Ok(id) => {
            assert_eq!(id.to_string(), text);
            assert_eq!(written(&id), text);
            assert_eq!(as_json.as_ref(), Some(&id), "JSON is read otherwise");
            assert!(text.is_ascii() && text.len() <= 128 && !text.contains(['{', '}', '/', '\\', '\0', ' ']));
        }
        Err(error) => {
            assert!(as_json.is_none(), "JSON is read otherwise");
            assert!(!error.to_string().is_empty());
        }
    }
}

/// A time is read from more than one spelling, and written in one.
fn time(text: &str) {
    let Some(time) = read::<Timestamp>(text) else { return };
    let canonical = written(&time);
    assert_eq!(read::<Timestamp>(&canonical), Some(time));
    assert_eq!(time.to_string(), canonical);
    assert!(canonical.ends_with('Z') && canonical.len() <= "9999-12-31T23:59:59.999Z".len());
}

fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(Value::from(text)).ok()
}

fn written(value: &impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
