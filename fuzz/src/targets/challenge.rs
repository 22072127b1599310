//! The answer to a pairing's challenge, which comes from whoever answers at the site's address. `{signature}` in an
//! input stands for the good one.

use gatepass_core::SiteId;
use gatepass_core::pairing::challenge_message;
use gatepass_corpus::{SITE, b64, key};
use gatepass_wp_bridge::challenge::check_answer;
use serde_json::Value;

use super::texts;
use crate::oracle::is_unambiguous;

const NONCE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Seeds: the plugin's answer, and others'.
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        &format!(r#"{{"site_id":"{SITE}","signature":"{{signature}}"}}"#),
        &format!(r#"{{"site_id":"{SITE}","public_key":"x","signature":"{{signature}}","extra":[1,null]}}"#),
        &format!(r#"{{"site_id":"{SITE}","signature":"{{signature}}=="}}"#),
        &format!(r#"{{"site_id":"{SITE}","signature":["{{signature}}"]}}"#),
        r#"{"site_id":"site_aaaaaaaaaaaaaaaaaaaaaaaaaa","signature":"{signature}"}"#,
        "<!doctype html><p>Please wait</p>",
    ])
}

/// Judges an answer.
pub fn run(input: &[u8]) {
    let site: SiteId = SITE.parse().expect("a site id");
    let good = b64(key().sign(challenge_message(site, NONCE).as_bytes()));
    let body = String::from_utf8_lossy(input).replace("{signature}", &good).into_bytes();
    for body in [input, &body] {
        if check_answer(body, site, NONCE, &key().public()).is_ok() {
            assert!(is_unambiguous(body), "a member twice was accepted");
            let answer: Value = serde_json::from_slice(body).expect("JSON");
            assert_eq!((&answer["site_id"], &answer["signature"]), (&SITE.into(), &good.as_str().into()));
        }
    }
}
