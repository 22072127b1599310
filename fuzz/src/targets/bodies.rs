//! Request bodies by themselves: read as the services read them, then judged. The first character says what a body
//! is: `m` a member, `p` a policy, `o` an outcome, `v` versions, `c` checks.

use std::fmt::Debug;

use gatepass_core::handoff::Outcome;
use gatepass_core::heartbeat::Checks;
use gatepass_core::member::Wanted;
use gatepass_core::site::{Policy, Versions};
use gatepass_core::validate;
use gatepass_http::body::parse;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::texts;
use crate::oracle::assert_shape;

/// Seeds: one of each with everything in it, and mistakes.
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        r#"m{"email":"mia@example.com","membership":{"status":"active"}}"#,
        r#"m{"email":"mia@example.com","email_verified":true,"username":"mia","display_name":"Mia Lindqvist","first_name":"Mia","last_name":"Lindqvist","locale":"de_DE","roles":["subscriber","customer"],"membership":{"status":"past_due","plan":"gold","valid_until":"2027-01-31T12:00:00Z","grace_until":"2026-01-31T12:00:00+01:00"},"consent":{"terms_accepted_at":"2026-01-31T12:00:00Z","privacy_accepted_at":null,"marketing_opt_in":false}}"#,
        r#"m{"email":"mia@example.com","membership":["active",null,null,null]}"#,
        r#"m{"email":"mia@example.com","membership":{"status":{"active":null}}}"#,
        r#"m{"email":"mia@example.com","membership":{"status":"trialing","status":"paused"}}"#,
        r#"m{"email":"a@b.co","membership":{"status":"canceled","valid_until":1e400}}"#,
        r#"m{"email":"\ud800@b.co","membership":{"status":"expired"}}"#,
        r#"p{"panel_url":"https://panel.example/","panel_start_url":"https://panel.example/start","renew_url":"https://panel.example/renew","default_redirect":"/my-account/","token_lifetime":60,"require_binding":true,"allowed_roles":["subscriber"]}"#,
        r#"p{"token_lifetime":-1,"allowed_roles":[]}"#,
        r#"p{"token_lifetime":4294967296}"#,
        r#"o{"result":"logged_in","wordpress_user_id":7,"created":true}"#,
        r#"o{"result":"failed","code":"no_account","wordpress_user_id":null}"#,
        r#"o{"wordpress_user_id":7,"result":"logged_in"}"#,
        r#"c{"rest_api":"good","https":"recommended","clock":"critical"}"#,
        r#"c{"rest_api":"good","rest_api":"critical","":"good"}"#,
        r#"v{"plugin":"0.1.0","wordpress":"7.1.1","php":"8.2.1"}"#,
        "m[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[",
    ])
}

/// Reads and judges a body.
pub fn run(input: &[u8]) {
    let Some((kind, body)) = input.split_first() else { return };
    match kind {
        b'm' => {
            let Some(wanted) = read::<Wanted>(body) else { return };
            let roles = Policy::default().allowed_roles;
            let errors = validate::wanted(&wanted, &roles);
            errors.iter().for_each(assert_explained);
            if errors.is_empty() {
                assert!(wanted.email.len() <= 100 && wanted.email.is_ascii() && wanted.email.contains('@'));
                assert!(!wanted.email.contains(['<', '>', '"', ' ', '\n', '\0']));
                assert!(wanted.roles.iter().all(|role| roles.contains(role)));
                for text in [&wanted.display_name, &wanted.first_name, &wanted.last_name] {
                    assert!(text.chars().count() <= 250 && !text.chars().any(char::is_control));
                }
            }
        }
        b'p' => {
            let Some(policy) = read::<Policy>(body) else { return };
            let errors = validate::policy(&policy);
            errors.iter().for_each(assert_explained);
            assert!(!errors.is_empty() || (5..=300).contains(&policy.token_lifetime));
        }
        b'o' => drop(read::<Outcome>(body)),
        b'v' => drop(read::<Versions>(body)),
        b'c' => drop(read::<Checks>(body)),
        _ => {}
    }
}

/// What is read has the documented shape, and comes back as it was from being written, as a store does.
fn read<T: DeserializeOwned + Serialize + PartialEq + Debug>(body: &[u8]) -> Option<T> {
    match parse::<T>(body) {
        Ok(value) => {
            assert_shape(body);
            let written = serde_json::to_vec(&value).expect("JSON");
            assert_eq!(parse::<T>(&written).ok().as_ref(), Some(&value));
            Some(value)
        }
        Err(problem) => {
            assert!(problem.code().status().is_client_error());
            None
        }
    }
}

fn assert_explained(error: &validate::FieldError) {
    assert!(!error.field.is_empty() && !error.code.is_empty() && !error.message.is_empty());
}
