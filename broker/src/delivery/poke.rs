//! One poke: a call to the site's login endpoint that says "there is something to pull", and no more.

use gatepass_core::Timestamp;
use gatepass_core::clock::{NoRandomness, Rng};
use gatepass_core::id::uuid_v7;
use gatepass_core::site::Site;
use gatepass_http::body;
use gatepass_http::outbound::{CallError, Outbound, read_body};
use gatepass_keys::SigningKey;
use gatepass_keys::token::poke::{MAX_LIFETIME, PokeClaims, sign};
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request};
use serde::Deserialize;
use url::Url;
use url::form_urlencoded;

/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 4096;

/// What came of a poke. The answer is advice only: what a site did stands in its acknowledgements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Poked {
    /// The site has pulled, or is about to.
    Reached(Reached),
    /// It will not have.
    Failed(Failed),
}

/// How a site was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reached {
    /// It has pulled.
    Pulled,
    /// It was pulling, and will once more.
    Busy,
}

/// Why a poke came to nothing, for the operator and the panel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failed {
    /// It was reached, and did not reach the bridge itself.
    #[error("the site was reached, but could not pull: {0}")]
    NotPulled(String),
    /// The site does not take the poke for ours.
    #[error("the site does not recognise our signature; pair it again")]
    PokeInvalid,
    /// The plugin knows of no pairing.
    #[error("the site is not paired any more; pair it again")]
    NotPaired,
    /// The owner has switched the plugin off.
    #[error("Gatepass is switched off in WordPress")]
    SwitchedOff,
    /// Something else answered.
    #[error("the answer is not the plugin's (HTTP status {0}); redirects are not followed")]
    NotThePlugins(u16),
    /// Nothing answered.
    #[error(transparent)]
    Call(CallError),
}

impl Poked {
    /// In a word, for counting.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Reached(Reached::Pulled) => "pulled",
            Self::Reached(Reached::Busy) => "busy",
            Self::Failed(failed) => match failed {
                Failed::NotPulled(_) => "not_pulled",
                Failed::PokeInvalid => "poke_invalid",
                Failed::NotPaired => "not_paired",
                Failed::SwitchedOff => "switched_off",
                Failed::NotThePlugins(_) => "unexpected",
                Failed::Call(CallError::Forbidden(_)) => "forbidden",
                Failed::Call(CallError::Timeout) => "timeout",
                Failed::Call(CallError::Untrusted) => "untrusted",
                Failed::Call(CallError::Unreachable) => "unreachable",
            },
        }
    }
}

impl Failed {
    /// In words that a panel may read: to which address a name leads is not among them.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Call(CallError::Forbidden(_)) => {
                "the site has no public address, and Gatepass may call no other; its operator can allow it"
                    .to_owned()
            }
            failed => failed.to_string(),
        }
    }
}

/// A call to be made, with a token of its own. `None` while the site is not paired.
pub(super) fn request(
    site: &Site,
    key: &SigningKey,
    issuer: &str,
    rng: &dyn Rng,
    now: Timestamp,
) -> Result<Option<Request>, NoRandomness> {
    let Some(url) = site.poke_url() else { return Ok(None) };
    let issued_at = now.secs();
    let claims = PokeClaims {
        issuer: issuer.to_owned(),
        audience: site.id.to_string(),
        id: uuid_v7(now, rng)?,
        issued_at,
        expires_at: issued_at.saturating_add(MAX_LIFETIME.as_secs().cast_signed()),
    };
    let token = sign(key, &claims);
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("poke", token.expose()).finish();
    Ok(Some(form(url, body)))
}

fn form(url: Url, body: String) -> Request {
    let mut request = Request::new(Method::POST, url);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    *request.body_mut() = Some(body.into());
    request
}

/// Makes the call.
pub(super) async fn send(outbound: &Outbound, request: Request) -> Poked {
    match answer_to(outbound, request).await {
        Ok((status, body)) => read(status, &body),
        Err(error) => Poked::Failed(Failed::Call(error)),
    }
}

/// Status and beginning of the answer.
async fn answer_to(outbound: &Outbound, request: Request) -> Result<(u16, Vec<u8>), CallError> {
    let mut response = outbound.send(request).await?;
    let body = read_body(&mut response, MAX_ANSWER_BYTES).await?;
    Ok((response.status().as_u16(), body))
}

#[derive(Deserialize)]
struct Answer {
    code: String,
    #[serde(default)]
    reason: String,
}

fn read(status: u16, text: &[u8]) -> Poked {
    let answer = (text.len() <= MAX_ANSWER_BYTES).then(|| body::parse::<Answer>(text).ok()).flatten();
    let (code, reason) = answer.map(|answer| (answer.code, answer.reason)).unwrap_or_default();
    match (status, code.as_str()) {
        (200, "pulled") => Poked::Reached(Reached::Pulled),
        (202, "busy") => Poked::Reached(Reached::Busy),
        (503, "not_pulled") => Poked::Failed(Failed::NotPulled(word(reason))),
        (401, "poke_invalid") => Poked::Failed(Failed::PokeInvalid),
        (404 | 503, "not_paired") => Poked::Failed(Failed::NotPaired),
        (404 | 503, "switched_off") => Poked::Failed(Failed::SwitchedOff),
        _ => Poked::Failed(Failed::NotThePlugins(status)),
    }
}

/// A site's own word, if it is one: it is stored, logged and shown.
fn word(reason: String) -> String {
    let is_word =
        (1..=40).contains(&reason.len()) && reason.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if is_word { reason } else { "it does not say why".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plugins_own_answers_count() {
        for (status, body, word) in [
            (200, r#"{"code":"pulled","position":17}"#, "pulled"),
            (202, r#"{"code":"busy"}"#, "busy"),
            (503, r#"{"code":"not_pulled","reason":"bridge_unreachable"}"#, "not_pulled"),
            (401, r#"{"code":"poke_invalid"}"#, "poke_invalid"),
            (404, r#"{"code":"not_paired"}"#, "not_paired"),
            (503, r#"{"code":"switched_off"}"#, "switched_off"),
            (200, "<p>Hello</p>", "unexpected"),
            (200, "", "unexpected"),
            (200, r#"{"code":"busy"}"#, "unexpected"),
            (301, r#"{"code":"pulled"}"#, "unexpected"),
            (500, r#"{"code":"pulled"}"#, "unexpected"),
            (200, r#"["pulled"]"#, "unexpected"),
        ] {
            assert_eq!(read(status, body.as_bytes()).word(), word, "{status} {body}");
        }
        let long = format!(r#"{{"code":"pulled","x":"{}"}}"#, "x".repeat(MAX_ANSWER_BYTES));
        assert_eq!(read(200, long.as_bytes()).word(), "unexpected");
    }

    #[test]
    fn what_a_site_says_is_shown_only_if_it_is_a_word() {
        let said = |reason: &str| {
            let body = serde_json::json!({ "code": "not_pulled", "reason": reason }).to_string();
            let Poked::Failed(failed) = read(503, body.as_bytes()) else { panic!("{reason}") };
            failed.described()
        };
        assert_eq!(said("clock_wrong"), "the site was reached, but could not pull: clock_wrong");
        for odd in ["", "<script>", "a\nb", "Bearer gpk_x", &"a".repeat(41)] {
            assert_eq!(said(odd), "the site was reached, but could not pull: it does not say why", "{odd}");
        }
    }
}
