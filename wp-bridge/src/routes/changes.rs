//! Changes: what a site is to make so, and what it says that it did.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};
use gatepass_core::change::{self, Ack, Acknowledged, Applied, Change, Session};
use gatepass_core::member::{Consent, Membership};
use gatepass_core::validate::{self, FieldError, FieldErrors};
use gatepass_core::{Subject, Timestamp};
use gatepass_http::{Code, Json, Problem, Then};
use serde::{Deserialize, Serialize};

use super::{MemberAnswer, PolicyAnswer};
use crate::BridgeState;
use crate::extract::ProvenSite;

/// The largest body of acknowledgements, in bytes: a hundred with a long message each, or several with all sessions.
pub(super) const MAX_ACKS_BYTES: usize = 256 * 1024;

/// The largest number that a WordPress user may have here: exact in JSON for everybody.
const MAX_USER_ID: u64 = (1 << 53) - 1;

/// What is asked for, as it comes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// The cursor: up to where the site has applied everything.
    after: String,
    /// The epoch that the cursor is of; none from a site that has not pulled yet.
    epoch: Option<String>,
}

#[derive(Serialize)]
struct Answer<'a> {
    epoch: &'a str,
    resync: bool,
    members: Vec<ChangeAnswer<'a>>,
    next: u64,
    more: bool,
    server_time: Timestamp,
    policy: PolicyAnswer<'a>,
    /// Of the issuer's key set.
    keys_version: u64,
}

#[derive(Serialize)]
struct ChangeAnswer<'a> {
    subject: &'a Subject,
    position: u64,
    revision: u64,
    /// `null` when the panel has removed it, as the next two.
    member: Option<MemberAnswer<'a>>,
    membership: Option<&'a Membership>,
    consent: Option<&'a Consent>,
    /// Seconds since 1970; 0 is never.
    allowed_until: i64,
    sessions_ended: u64,
    report_sessions: bool,
}

impl<'a> From<&'a Change> for ChangeAnswer<'a> {
    fn from(change: &'a Change) -> Self {
        let wanted = change.wanted.as_ref();
        Self {
            subject: &change.subject,
            position: change.position,
            revision: change.revision,
            member: wanted.map(|wanted| MemberAnswer::new(change.revision, wanted)),
            membership: wanted.map(|wanted| &wanted.membership),
            consent: wanted.map(|wanted| &wanted.consent),
            allowed_until: wanted.map_or(0, |wanted| wanted.membership.allowed_until_secs()),
            sessions_ended: change.sessions_ended,
            report_sessions: change.report_sessions,
        }
    }
}

pub(super) async fn read(
    state: web::Data<BridgeState>,
    ProvenSite { site, .. }: ProvenSite,
    asked: web::Query<Asked>,
) -> Result<HttpResponse, Problem> {
    let now = state.ambient.now();
    state.pulls.admit(site.id, now)?;
    let after = asked.after.parse().map_err(|_| {
        Problem::invalid(vec![FieldError::new("after", "invalid", "expected a number, 0 at first")])
    })?;
    let changes = state.store.changes(site.id, asked.epoch.as_deref(), after, change::PAGE, now).await?;
    let changes = changes.ok_or_else(|| Problem::new(Code::SiteProofInvalid))?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Answer {
        epoch: &changes.epoch,
        resync: changes.resync,
        members: changes.members.iter().map(ChangeAnswer::from).collect(),
        next: changes.next,
        more: changes.more,
        server_time: now,
        policy: PolicyAnswer::from(&site.policy),
        keys_version: state.keys.version(),
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Said {
    /// Of which the positions are.
    epoch: String,
    acks: Vec<SaidOfOne>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaidOfOne {
    subject: Subject,
    position: u64,
    result: Outcome,
    /// The user; `null` when there is none (any more).
    #[serde(default)]
    wordpress_user_id: Option<u64>,
    /// Why it failed.
    #[serde(default)]
    error: Option<Failure>,
    /// If they were asked for.
    #[serde(default)]
    sessions: Option<Vec<Session>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Synced,
    Failed,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Failure {
    code: String,
    message: String,
}

#[derive(Serialize)]
struct Kept {
    kept: usize,
}

/// Reads one acknowledgement.
fn ack(said: SaidOfOne, field: &str, errors: &mut FieldErrors) -> Ack {
    let SaidOfOne { subject, position, result, wordpress_user_id, error, mut sessions } = said;
    if wordpress_user_id.is_some_and(|id| !(1..=MAX_USER_ID).contains(&id)) {
        let field = format!("{field}.wordpress_user_id");
        errors.push(FieldError::new(&field, "out_of_range", format!("expected 1 to {MAX_USER_ID}, or null")));
    }
    if error.is_some() != (result == Outcome::Failed) {
        let message = "an error belongs to what failed, and to nothing else";
        errors.push(FieldError::new(&format!("{field}.error"), "invalid", message));
    }
    if let Some(sessions) = &mut sessions {
        validate::sessions(errors, &format!("{field}.sessions"), sessions);
    }
    let applied = match error {
        None => Applied::Synced { wordpress_user_id },
        Some(Failure { code, message }) => {
            Applied::Failed(validate::sync_error(errors, &format!("{field}.error"), &code, message))
        }
    };
    Ack { subject, position, applied, sessions }
}

pub(super) async fn acknowledge(
    state: web::Data<BridgeState>,
    Then(ProvenSite { site, context, .. }, Json(said)): Then<ProvenSite, Json<Said>>,
) -> Result<HttpResponse, Problem> {
    let now = state.ambient.now();
    state.acks.admit(site.id, now)?;
    if said.acks.len() > change::PAGE {
        let message = format!("at most {} at a time", change::PAGE);
        return Err(Problem::invalid(vec![FieldError::new("acks", "too_long", message)]));
    }
    let mut errors = FieldErrors::new();
    let each = said.acks.into_iter().enumerate();
    let acks: Vec<_> =
        each.map(|(number, said)| ack(said, &format!("acks[{number}]"), &mut errors)).collect();
    Problem::check(errors)?;
    match state.store.acknowledge(site.id, &said.epoch, &acks, now, &context).await? {
        Acknowledged::Kept { kept } => {
            Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Kept { kept }))
        }
        Acknowledged::OtherEpoch => Err(Problem::new(Code::EpochChanged)),
        Acknowledged::SiteNotFound => Err(Problem::new(Code::SiteProofInvalid)),
    }
}
