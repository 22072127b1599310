//! A member's sessions in WordPress: which there are, and ending them.

use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse, web};
use gatepass_core::Timestamp;
use gatepass_core::change::Session;
use gatepass_core::client::Scope;
use gatepass_core::store::Errand;
use gatepass_http::{Code, Problem};
use serde::Serialize;

use super::{About, ask, may_wait};
use crate::BrokerState;
use crate::extract::OwnSite;

/// How long the site has to tell them.
const ANSWER_TIME: Duration = Duration::from_secs(5);

#[derive(Serialize)]
struct Sessions {
    sessions: Vec<Session>,
    /// When WordPress was asked.
    as_of: Timestamp,
}

pub(in crate::routes) async fn read(
    state: web::Data<BrokerState>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    own: OwnSite,
) -> Result<HttpResponse, Problem> {
    own.by.may(Scope::MembersRead)?;
    let about = About::new(&state, &request, &own, &path)?;
    if own.site.paired.is_none() {
        return Err(Problem::new(Code::SiteNotPaired));
    }
    let right = may_wait(&state, &request, &own.by)?.ok_or_else(|| {
        Problem::new(Code::Overloaded).detail("too many wait for WordPress; try again in a moment")
    })?;
    let as_of = state.ambient.now();
    let position = ask(&about, Errand::ReportSessions, as_of).await?.position;
    state.delivery.changed(about.site, as_of);
    let reported = right.until(ANSWER_TIME, async || {
        state.store.reported_sessions(about.site, &about.subject, position, state.ambient.now()).await
    });
    let sessions = reported.await?.ok_or_else(|| {
        let detail = format!("it did not tell its sessions within {} seconds", ANSWER_TIME.as_secs());
        Problem::new(Code::SiteUnreachable).detail(detail)
    })?;
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).json(Sessions { sessions, as_of }))
}

pub(in crate::routes) async fn end(
    state: web::Data<BrokerState>,
    path: web::Path<(String, String)>,
    request: HttpRequest,
    own: OwnSite,
) -> Result<HttpResponse, Problem> {
    own.by.may(Scope::MembersWrite)?;
    let about = About::new(&state, &request, &own, &path)?;
    let following = ask(&about, Errand::EndSessions, state.ambient.now()).await?;
    about.answer_sync(following).await
}
