//! Members: the whole wanted state of one customer on one site.

use actix_web::http::header::{ETAG, IF_MATCH};
use actix_web::{HttpRequest, HttpResponse, web};
use gatepass_core::client::Scope;
use gatepass_core::member::{Member, Wanted};
use gatepass_core::store::MemberPut;
use gatepass_core::validate::{self, FieldError};
use gatepass_core::{Subject, Timestamp};
use gatepass_http::{Code, Json, Problem, Then};
use serde::Serialize;

use crate::BrokerState;
use crate::extract::OwnSite;

#[derive(Serialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    member: Member,
    /// Whether the member may come in right now.
    allowed: bool,
    sync: Sync,
}

/// What WordPress knows of it. For now it learns at the next login.
#[derive(Serialize)]
pub(super) struct Sync {
    state: &'static str,
}

fn answer(status: actix_web::http::StatusCode, member: Member, now: Timestamp) -> HttpResponse {
    let allowed = member.wanted.membership.allows(now);
    HttpResponse::build(status).insert_header((ETAG, format!("\"{}\"", member.revision))).json(Answer {
        member,
        allowed,
        sync: Sync { state: "pending" },
    })
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

pub(super) async fn put(
    state: web::Data<BrokerState>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    Then(OwnSite { site, by }, Json(wanted)): Then<OwnSite, Json<Wanted>>,
) -> Result<HttpResponse, Problem> {
    use actix_web::http::StatusCode;
    by.may(Scope::MembersWrite)?;
    let (subject, if_match) = (subject_in(&path)?, if_match(&request)?);
    Problem::check(validate::wanted(&wanted, &site.policy.allowed_roles))?;
    let now = state.ambient.now();
    match state.store.put_member(site.id, &subject, &wanted, if_match, now, &by.context).await? {
        MemberPut::Created(member) => Ok(answer(StatusCode::CREATED, member, now)),
        MemberPut::Updated(member) | MemberPut::Unchanged(member) => Ok(answer(StatusCode::OK, member, now)),
        MemberPut::SiteNotFound => Err(Problem::new(Code::SiteNotFound)),
        MemberPut::Limited(limited) => Err(limited.into()),
        MemberPut::RevisionMismatch { current } => {
            Err(Problem::new(Code::RevisionMismatch).with("revision", current))
        }
    }
}

pub(super) async fn get(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::MembersRead)?;
    let member = state.store.member(site.id, &subject_in(&path)?).await?;
    let member = member.ok_or_else(|| Problem::new(Code::MemberNotFound))?;
    Ok(answer(actix_web::http::StatusCode::OK, member, state.ambient.now()))
}
