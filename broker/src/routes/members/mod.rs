//! Members: what WordPress is to know of the customers of a site, and what it made of it.

mod bulk;
mod list;
mod one;
mod prefer;
mod sessions;

use actix_web::http::StatusCode;
use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};
use gatepass_core::change::{Following, SyncError, SyncState};
use gatepass_core::member::Member;
use gatepass_core::store::{Asking, Errand};
use gatepass_core::validate::{self, FieldError};
use gatepass_core::{SiteId, Subject, Timestamp};
use gatepass_http::load::Load;
use gatepass_http::{Code, Problem};
use serde::Serialize;

use crate::BrokerState;
use crate::extract::{Authenticated, OwnSite};
use prefer::Preference;

pub(super) use bulk::{export, import};
pub(super) use list::list;
pub(super) use one::{change_membership, get, put, remove, try_again};
pub(super) use sessions::{end as end_sessions, read as sessions};

/// RFC 7240 section 3.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// A member as it is answered.
#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    member: Member,
    /// Whether the member may come in right now.
    allowed: bool,
    sync: Sync,
}

/// Where WordPress stands.
#[derive(Serialize)]
struct Sync {
    state: SyncState,
    wordpress_user_id: Option<u64>,
    /// Why it did not do what was wanted last.
    error: Option<SyncError>,
    /// When it last said anything of this member.
    at: Option<Timestamp>,
}

impl From<Following> for Sync {
    fn from(following: Following) -> Self {
        let state = following.state();
        let Following { at, wordpress_user_id, error, .. } = following;
        // What it said of a change before is of no interest any more.
        Self { state, wordpress_user_id, error: error.filter(|_| state == SyncState::Failed), at }
    }
}

impl Answer {
    fn new(member: Member, now: Timestamp) -> Self {
        let allowed = member.wanted.membership.allows(now);
        let sync = Sync::from(member.following.clone());
        Self { member, allowed, sync }
    }
}

/// Of a member that is no more, or of which only that matters.
#[derive(Serialize)]
struct SyncAnswer {
    subject: Subject,
    sync: Sync,
}

/// A request about one member.
struct About<'a> {
    state: &'a BrokerState,
    request: &'a HttpRequest,
    by: &'a Authenticated,
    site: SiteId,
    is_paired: bool,
    subject: Subject,
}

impl<'a> About<'a> {
    fn new(
        state: &'a BrokerState,
        request: &'a HttpRequest,
        OwnSite { site, by }: &'a OwnSite,
        path: &(String, String),
    ) -> Result<Self, Problem> {
        let (is_paired, subject) = (site.paired.is_some(), subject_in(path)?);
        Ok(Self { state, request, by, site: site.id, is_paired, subject })
    }

    /// Has the site told of what it has not acknowledged, and waits for that if the request prefers to.
    async fn deliver(&self, mut following: Following) -> Result<Delivered, Problem> {
        let Self { state, site, is_paired, subject, .. } = self;
        if following.state() == SyncState::Pending {
            state.delivery.changed(*site, state.ambient.now());
        }
        let wait = match prefer::wait(self.request) {
            // Whoever is not paired says nothing.
            Some(wait) if *is_paired => may_wait(state, self.request, self.by)?.map(|right| (wait, right)),
            _ => None,
        };
        let Some((Preference { longest, applied }, right)) = wait else {
            return Ok(Delivered { following, applied: None });
        };
        let effect = following.effect;
        let acknowledged = right
            .until(longest, async || {
                let now = state.store.sync(*site, subject).await?;
                Ok(now.filter(|now| now.acknowledged >= effect))
            })
            .await;
        match acknowledged {
            Ok(Some(now)) => following = now,
            Ok(None) => {}
            // What was asked for is done; only what WordPress made of it is not known.
            Err(error) => tracing::debug!(%error, "what WordPress made of a change is not known"),
        }
        Ok(Delivered { following, applied: Some(applied) })
    }

    /// The same, of a member that there is; and answers with it.
    async fn answer(&self, status: StatusCode, mut member: Member) -> Result<HttpResponse, Problem> {
        let delivered = self.deliver(member.following).await?;
        let mut response = delivered.response(status);
        member.following = delivered.following;
        Ok(response
            .insert_header((ETAG, format!("\"{}\"", member.revision)))
            .json(Answer::new(member, self.state.ambient.now())))
    }

    /// The same, where only the sync matters.
    async fn answer_sync(&self, following: Following) -> Result<HttpResponse, Problem> {
        let delivered = self.deliver(following).await?;
        let mut response = delivered.response(StatusCode::OK);
        let sync = Sync::from(delivered.following);
        Ok(response.json(SyncAnswer { subject: self.subject.clone(), sync }))
    }
}

/// What WordPress made of it, as far as was waited for.
struct Delivered {
    following: Following,
    applied: Option<HeaderValue>,
}

impl Delivered {
    fn response(&self, status: StatusCode) -> HttpResponseBuilder {
        let mut response = HttpResponse::build(status);
        if let Some(applied) = &self.applied {
            response.insert_header((PREFERENCE_APPLIED, applied.clone()));
        }
        response
    }
}

/// The right to wait for WordPress, if there is room.
fn may_wait(
    state: &BrokerState,
    request: &HttpRequest,
    by: &Authenticated,
) -> Result<Option<crate::waits::Wait>, Problem> {
    Ok(state.waits.begin(&by.client.tenant, load(request)?))
}

pub(super) fn load(request: &HttpRequest) -> Result<&Load, Problem> {
    let load = request.app_data::<web::Data<Load>>();
    load.map(|load| &***load).ok_or_else(|| Problem::new(Code::Internal))
}

fn subject_in(path: &(String, String)) -> Result<Subject, Problem> {
    let invalid =
        |error: gatepass_core::id::InvalidId| FieldError::new("subject", "invalid", error.to_string());
    let subject = path.1.parse::<Subject>().map_err(invalid).and_then(|subject| {
        validate::subject(&subject)?;
        Ok(subject)
    });
    subject.map_err(|error| Problem::invalid(vec![error]))
}

/// The revision in `If-Match` (RFC 9110 section 13.1.1), which is what we give as the `ETag`.
fn if_match(request: &HttpRequest) -> Result<Option<u64>, Problem> {
    let Some(value) = request.headers().get(IF_MATCH) else { return Ok(None) };
    let digits = value.to_str().ok().and_then(|text| text.strip_prefix('"')?.strip_suffix('"'));
    let revision =
        digits.filter(|text| text.bytes().all(|b| b.is_ascii_digit())).and_then(|text| text.parse().ok());
    revision.map(Some).ok_or_else(|| {
        Problem::new(Code::MalformedRequest).detail("If-Match takes the ETag of an answer, such as \"7\"")
    })
}

/// Asks something of WordPress about a member.
async fn ask(about: &About<'_>, errand: Errand, now: Timestamp) -> Result<Following, Problem> {
    let About { state, by, site, subject, .. } = about;
    match state.store.ask_of_site(*site, subject, errand, now, &by.context).await? {
        Asking::Asked(following) => Ok(following),
        Asking::NotFound => Err(not_found()),
        Asking::Limited(limited) => Err(limited.into()),
    }
}

fn not_found() -> Problem {
    Problem::new(Code::MemberNotFound)
}
