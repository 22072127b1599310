//! The audit trail of a site.

use std::str::FromStr;

use actix_web::web;
use gatepass_core::client::Scope;
use gatepass_core::event::Event;
use gatepass_core::trail::{self, Filter, Trail};
use gatepass_core::validate::{FieldError, FieldErrors};
use gatepass_http::Problem;
use serde::{Deserialize, Serialize};

use crate::BrokerState;
use crate::extract::OwnSite;

/// How many events an answer has if nobody says.
const DEFAULT_LIMIT: usize = 200;
const MAX_LIMIT: usize = 1000;

/// What is asked for, as it comes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    after: Option<String>,
    limit: Option<String>,
    subject: Option<String>,
    handoff: Option<String>,
    kind: Option<String>,
    request_id: Option<String>,
}

#[derive(Serialize)]
pub(super) struct Answer {
    events: Vec<Event>,
    /// Pass it as `after` to go on; the same again when nothing is new.
    next: u64,
    /// Whether going on at once finds more to look at. A page may be short, or empty, although it does.
    more: bool,
    /// The oldest event that is kept. If it is more than `after` + 1, those in between are gone.
    oldest: u64,
}

/// Reads one parameter, if it is there.
fn parsed<T: FromStr<Err: std::fmt::Display>>(
    field: &str,
    text: Option<&str>,
    errors: &mut FieldErrors,
) -> Option<T> {
    let wrong = |error: T::Err| errors.push(FieldError::new(field, "invalid", error.to_string()));
    text?.parse().map_err(wrong).ok()
}

pub(super) async fn read(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    asked: web::Query<Asked>,
) -> Result<web::Json<Answer>, Problem> {
    // Who may change a site has always been able to read its trail.
    by.may(Scope::Sites).or_else(|_| by.may(Scope::Events))?;
    let mut errors = FieldErrors::new();
    let after = parsed("after", asked.after.as_deref(), &mut errors).unwrap_or(0);
    let limit = parsed("limit", asked.limit.as_deref(), &mut errors).unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::new("limit", "out_of_range", format!("expected 1 to {MAX_LIMIT}")));
    }
    let filter = Filter {
        subject: parsed("subject", asked.subject.as_deref(), &mut errors),
        handoff_id: parsed("handoff", asked.handoff.as_deref(), &mut errors),
        kind: parsed("kind", asked.kind.as_deref(), &mut errors),
        request_id: parsed("request_id", asked.request_id.as_deref(), &mut errors),
        ..Filter::default()
    };
    Problem::check(errors)?;
    let page = trail::page(&*state.store, &Trail::Site(site.id), after, limit, &filter).await?;
    Ok(web::Json(Answer { events: page.events, next: page.next, more: page.more, oldest: page.oldest }))
}
