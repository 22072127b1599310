//! Asking the panel, at a site with a `membership_url`, whether the membership is in force: at every issue, signed, and
//! without an answer there is no login. What the panel answers becomes the member's state as if it had been put, and
//! the handoff keeps when it was asked; the atomic step of a redemption looks at both.

use std::sync::Arc;
use std::time::Duration;

use gatepass_core::event::{Context, EventKind};
use gatepass_core::id::uuid_v7;
use gatepass_core::member::{Member, Membership, Status, Wanted};
use gatepass_core::site::Site;
use gatepass_core::store::{Entry, MemberPut};
use gatepass_core::validate;
use gatepass_core::{Subject, Timestamp};
use gatepass_http::destinations::Destinations;
use gatepass_http::load::Load;
use gatepass_http::outbound::{CallError, Outbound, read_body};
use gatepass_http::regulars::Regulars;
use gatepass_http::{Code, Problem};
use gatepass_keys::token::question::{QuestionClaims, sign};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::BrokerState;
use crate::places::Places;

/// How long the panel may take.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
/// How often a change of the member is tried again when others change it meanwhile.
const TRIES: usize = 3;

/// What the panel says of a customer: the whole wanted state as in `PUT …/members/{subject}`, or the membership alone.
#[derive(Debug)]
enum Said {
    Whole(Box<Wanted>),
    Membership(Membership),
}

/// Reads an answer; `None` is `{"membership": null}`.
fn read(answer: &[u8]) -> Result<Option<Said>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct MembershipOnly {
        membership: Option<Membership>,
    }

    let answer: serde_json::Value = serde_json::from_slice(answer)?;
    if answer.get("email").is_some() {
        serde_json::from_value(answer).map(Said::Whole).map(Some)
    } else if answer.get("membership").is_none() {
        Err(serde::de::Error::missing_field("membership"))
    } else {
        serde_json::from_value(answer).map(|MembershipOnly { membership }| membership.map(Said::Membership))
    }
}

/// Why the panel's answer is none.
#[derive(Debug, thiserror::Error)]
enum NoAnswer {
    #[error("{0}")]
    Call(CallError),
    /// Where its name leads to is nothing that a panel is told.
    #[error(
        "the panel's address is not a public one, and Gatepass may call no other; its operator can allow it"
    )]
    Forbidden,
    #[error("no answer in {} seconds", PATIENCE.as_secs())]
    TooLate,
    #[error("the panel answered with status {0}")]
    Status(u16),
    /// Nothing of the answer itself: it may say anything of anybody.
    #[error("the panel's answer is no JSON of a membership")]
    Shape,
    #[error("the panel's answer is refused: {field} is {code}")]
    Invalid { field: String, code: &'static str },
}

impl From<CallError> for NoAnswer {
    fn from(error: CallError) -> Self {
        if matches!(error, CallError::Forbidden(_)) { Self::Forbidden } else { Self::Call(error) }
    }
}

/// Calls panels.
#[derive(Debug)]
pub(crate) struct Asker {
    outbound: Outbound,
    /// Who asks keeps a request's place for as long as the panel takes: no panel may take them all.
    places: Arc<Places>,
    /// How often each site's panel is asked: no key makes a flood of it.
    questions: Regulars,
    /// How often the trail of each site is told of a silent panel.
    told: Regulars,
}

impl Asker {
    pub(crate) fn new(destinations: Arc<Destinations>) -> Result<Self, reqwest::Error> {
        Ok(Self {
            outbound: Outbound::new(destinations)?,
            places: Places::new(128, 64),
            // 20 a second and 300 at once; once a second and 30 at once.
            questions: Regulars::new(50_000, 300),
            told: Regulars::new(1_000_000, 30),
        })
    }

    /// What the panel says; `None` when it does not know the customer.
    async fn call(&self, url: &Url, token: &str, body: String) -> Result<Option<Said>, NoAnswer> {
        let mut request = Request::new(Method::POST, url.clone());
        let mut bearer = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| NoAnswer::Shape)?;
        bearer.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, bearer);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        *request.body_mut() = Some(body.into());
        let mut response = self.outbound.send(request).await?;
        let status = response.status();
        if status != StatusCode::OK && status != StatusCode::NOT_FOUND {
            return Err(NoAnswer::Status(status.as_u16()));
        }
        let answer = read_body(&mut response, MAX_ANSWER_BYTES).await?;
        if answer.len() > MAX_ANSWER_BYTES {
            return Err(NoAnswer::Shape);
        }
        // Any server answers 404 to what it does not know. That the customer is unknown only the panel itself can say.
        match read(&answer) {
            Ok(said) if said.is_none() || status == StatusCode::OK => Ok(said),
            Err(_) if status == StatusCode::OK => Err(NoAnswer::Shape),
            _ => Err(NoAnswer::Status(status.as_u16())),
        }
    }
}

/// Asks about one customer, and keeps the answer. When it was asked; `None` at a site that does not ask.
pub(crate) async fn ask(
    state: &BrokerState,
    site: &Site,
    subject: &Subject,
    load: &Load,
    context: &Context,
) -> Result<Option<Timestamp>, Problem> {
    let Some(url) = &site.policy.membership_url else { return Ok(None) };
    let asker = &state.asker;
    let _place = asker.places.take(&site.tenant, load.max() / 4).ok_or_else(|| {
        Problem::new(Code::Overloaded)
            .detail("the panel is asked about too many at a time and answers too slowly")
    })?;
    for _ in 0..TRIES {
        // Read before it is asked: an answer must not undo what the panel puts meanwhile.
        let known = state.store.member(site.id, subject).await?;
        let asked_at = state.ambient.now();
        asker.questions.admit(site.id, asked_at)?;
        let said = match question(state, site, url, subject, asked_at).await? {
            Ok(said) => said,
            // The trail is told of the first ones; a panel that stays silent would fill it.
            Err(_) if asker.told.admit(site.id, asked_at).is_err() => {
                return Err(Problem::new(Code::MembershipUnknown));
            }
            Err(why) => {
                let entry = Entry {
                    at: state.ambient.now(),
                    kind: EventKind::HandoffIssueRefused,
                    cause: Some("membership_unknown"),
                    subject: Some(subject),
                    handoff_id: None,
                };
                state.store.append_event(site.id, &entry, &context.noting(why.to_string())).await?;
                return Err(Problem::new(Code::MembershipUnknown));
            }
        };
        if keep(state, site, subject, known, said, context).await? {
            return Ok(Some(asked_at));
        }
    }
    Err(Problem::new(Code::MembershipUnknown))
}

/// One question and its answer; `None` when the panel does not know the customer.
async fn question(
    state: &BrokerState,
    site: &Site,
    url: &Url,
    subject: &Subject,
    now: Timestamp,
) -> Result<Result<Option<Said>, NoAnswer>, Problem> {
    let claims = QuestionClaims {
        issuer: state.issuer.clone(),
        audience: url.to_string(),
        subject: subject.to_string(),
        site: site.id.to_string(),
        id: uuid_v7(now, state.ambient.rng())?,
        issued_at: now.secs(),
    };
    let token = sign(state.keyring.signing().await?.keyring.active(), &claims);
    let body = json!({ "site": site.id, "subject": subject }).to_string();
    let answer = tokio::time::timeout(PATIENCE, state.asker.call(url, token.expose(), body)).await;
    Ok(answer.unwrap_or(Err(NoAnswer::TooLate)).and_then(|said| check(said, site)))
}

/// What the panel says has to be as good as what it puts.
fn check(said: Option<Said>, site: &Site) -> Result<Option<Said>, NoAnswer> {
    let errors = match &said {
        Some(Said::Whole(wanted)) => validate::wanted(wanted, &site.policy.allowed_roles),
        Some(Said::Membership(membership)) => validate::membership(membership),
        None => Vec::new(),
    };
    match errors.first() {
        None => Ok(said),
        Some(error) => Err(NoAnswer::Invalid { field: error.field.clone(), code: error.code }),
    }
}

/// Makes what the panel says the member's state. Whoever it does not know is canceled, if we do. Not kept if the member
/// has changed since it was `known`.
async fn keep(
    state: &BrokerState,
    site: &Site,
    subject: &Subject,
    known: Option<Member>,
    said: Option<Said>,
    context: &Context,
) -> Result<bool, Problem> {
    let wanted = match (said, known.as_ref().map(|known| known.wanted.clone())) {
        (Some(Said::Whole(wanted)), _) => *wanted,
        (Some(Said::Membership(membership)), Some(known)) => Wanted { membership, ..known },
        (None, Some(known)) => {
            let membership = Membership { status: Status::Canceled, ..known.membership };
            Wanted { membership, ..known }
        }
        // Nobody knows the customer, or nobody their address.
        (_, None) => return Ok(true),
    };
    if known.as_ref().is_some_and(|known| known.wanted == wanted) {
        return Ok(true);
    }
    let (revision, now) = (known.map_or(0, |known| known.revision), state.ambient.now());
    match state.store.put_member(site.id, subject, &wanted, Some(revision), now, context).await? {
        MemberPut::Created(_) | MemberPut::Updated(_) => {
            state.delivery.changed(site.id, now);
            Ok(true)
        }
        MemberPut::Unchanged(_) => Ok(true),
        MemberPut::RevisionMismatch { .. } => Ok(false),
        MemberPut::SiteNotFound => Err(Problem::new(Code::SiteNotFound)),
        MemberPut::Limited(limited) => Err(limited.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_may_say_all_or_the_membership_alone() {
        let read = |text: &str| read(text.as_bytes()).map_err(|error| error.to_string());
        assert!(matches!(read(r#"{"membership": {"status": "active"}}"#), Ok(Some(Said::Membership(_)))));
        assert!(matches!(read(r#"{"membership": null}"#), Ok(None)), "nobody's customer");
        let whole = r#"{"email": "mia@example.com", "membership": {"status": "active"}}"#;
        assert!(matches!(read(whole), Ok(Some(Said::Whole(_)))));
        for wrong in [
            "",
            "[]",
            "true",
            "{}",
            r#"{"membership": {"status": "ok"}}"#,
            r#"{"membership": {"status": "active"}, "x": 1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        // A typing error is named, and not that it is neither the one nor the other.
        assert!(
            read(r#"{"email": "m@example.com", "membership": {"status": "activ"}}"#)
                .unwrap_err()
                .contains("activ")
        );
    }
}
