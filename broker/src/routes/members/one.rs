//! One member: put, read, change, try again, remove.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use gatepass_core::Timestamp;
use gatepass_core::client::Scope;
use gatepass_core::member::{Membership, Status, Wanted};
use gatepass_core::membership::{self, MembershipChange};
use gatepass_core::store::{Errand, MemberPut, MemberRemoval};
use gatepass_core::validate::{self, FieldError, FieldErrors};
use gatepass_http::{Code, Json, Problem, Then};
use serde::Deserialize;

use super::{About, Answer, ask, if_match, not_found, subject_in};
use crate::BrokerState;
use crate::extract::OwnSite;
use crate::routes::field::Field;

type Path = web::Path<(String, String)>;

fn mismatch(current: u64) -> Problem {
    Problem::new(Code::RevisionMismatch).with("revision", current)
}

pub(in crate::routes) async fn put(
    state: web::Data<BrokerState>,
    path: Path,
    request: HttpRequest,
    Then(own, Json(wanted)): Then<OwnSite, Json<Wanted>>,
) -> Result<HttpResponse, Problem> {
    own.by.may(Scope::MembersWrite)?;
    let (about, if_match) = (About::new(&state, &request, &own, &path)?, if_match(&request)?);
    Problem::check(validate::wanted(&wanted, &own.site.policy.allowed_roles))?;
    let (now, context) = (state.ambient.now(), &own.by.context);
    match state.store.put_member(about.site, &about.subject, &wanted, if_match, now, context).await? {
        MemberPut::Created(member) => about.answer(StatusCode::CREATED, member).await,
        MemberPut::Updated(member) | MemberPut::Unchanged(member) => {
            about.answer(StatusCode::OK, member).await
        }
        MemberPut::SiteNotFound => Err(Problem::new(Code::SiteNotFound)),
        MemberPut::Limited(limited) => Err(limited.into()),
        MemberPut::RevisionMismatch { current } => Err(mismatch(current)),
    }
}

pub(in crate::routes) async fn get(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    path: Path,
) -> Result<web::Json<Answer>, Problem> {
    by.may(Scope::MembersRead)?;
    let member = state.store.member(site.id, &subject_in(&path)?).await?.ok_or_else(not_found)?;
    Ok(web::Json(Answer::new(member, state.ambient.now())))
}

/// Members of the membership that change.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::routes) struct MembershipChanges {
    status: Field<Status>,
    plan: Field<String>,
    valid_until: Field<Timestamp>,
    grace_until: Field<Timestamp>,
}

impl MembershipChanges {
    fn apply(&self, old: Membership) -> Result<Membership, FieldErrors> {
        let status = self
            .status
            .optional(Some(old.status))
            .ok_or_else(|| vec![FieldError::new("status", "required", "a membership always has a status")])?;
        Ok(Membership {
            status,
            plan: self.plan.optional(old.plan),
            valid_until: self.valid_until.optional(old.valid_until),
            grace_until: self.grace_until.optional(old.grace_until),
        })
    }
}

pub(in crate::routes) async fn change_membership(
    state: web::Data<BrokerState>,
    path: Path,
    request: HttpRequest,
    Then(own, Json(changes)): Then<OwnSite, Json<MembershipChanges>>,
) -> Result<HttpResponse, Problem> {
    own.by.may(Scope::MembersWrite)?;
    let (about, if_match) = (About::new(&state, &request, &own, &path)?, if_match(&request)?);
    let (now, context) = (state.ambient.now(), &own.by.context);
    let change = |old| changes.apply(old);
    let done = membership::change_membership(
        &*state.store,
        about.site,
        &about.subject,
        change,
        if_match,
        now,
        context,
    );
    match done.await? {
        MembershipChange::Done(member) => about.answer(StatusCode::OK, *member).await,
        MembershipChange::Refused(errors) => Err(Problem::invalid(errors)),
        MembershipChange::MemberNotFound => Err(not_found()),
        MembershipChange::SiteNotFound => Err(Problem::new(Code::SiteNotFound)),
        MembershipChange::Limited(limited) => Err(limited.into()),
        MembershipChange::RevisionMismatch { current } => Err(mismatch(current)),
    }
}

pub(in crate::routes) async fn remove(
    state: web::Data<BrokerState>,
    path: Path,
    request: HttpRequest,
    own: OwnSite,
) -> Result<HttpResponse, Problem> {
    own.by.may(Scope::MembersWrite)?;
    let (about, if_match) = (About::new(&state, &request, &own, &path)?, if_match(&request)?);
    let (now, context) = (state.ambient.now(), &own.by.context);
    match state.store.remove_member(about.site, &about.subject, if_match, now, context).await? {
        MemberRemoval::Removed(following) | MemberRemoval::AlreadyRemoved(following) => {
            about.answer_sync(following).await
        }
        MemberRemoval::NotFound => Err(not_found()),
        MemberRemoval::SiteNotFound => Err(Problem::new(Code::SiteNotFound)),
        MemberRemoval::Limited(limited) => Err(limited.into()),
        MemberRemoval::RevisionMismatch { current } => Err(mismatch(current)),
    }
}

pub(in crate::routes) async fn try_again(
    state: web::Data<BrokerState>,
    path: Path,
    request: HttpRequest,
    own: OwnSite,
) -> Result<HttpResponse, Problem> {
    own.by.may(Scope::MembersWrite)?;
    let about = About::new(&state, &request, &own, &path)?;
    ask(&about, Errand::TryAgain, state.ambient.now()).await?;
    let member = state.store.member(about.site, &about.subject).await?.ok_or_else(not_found)?;
    about.answer(StatusCode::OK, member).await
}
