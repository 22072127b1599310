//! The members of a site, page by page.

use std::str::FromStr;

use actix_web::web;
use gatepass_core::client::Scope;
use gatepass_core::roster::{self, Filter};
use gatepass_core::validate::{FieldError, FieldErrors};
use gatepass_http::Problem;
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::BrokerState;
use crate::extract::OwnSite;

/// How many members an answer has if nobody says.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 500;

/// What is asked for, as it comes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::routes) struct Asked {
    status: Option<String>,
    sync: Option<String>,
    cursor: Option<String>,
    limit: Option<String>,
}

#[derive(Serialize)]
pub(in crate::routes) struct List {
    members: Vec<Answer>,
    /// Pass it as `cursor` to go on. A page may be short, or empty, although there is one; at the end it is `null`.
    next_cursor: Option<u64>,
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

pub(in crate::routes) async fn list(
    state: web::Data<BrokerState>,
    OwnSite { site, by }: OwnSite,
    asked: web::Query<Asked>,
) -> Result<web::Json<List>, Problem> {
    by.may(Scope::MembersRead)?;
    let mut errors = FieldErrors::new();
    let filter = Filter {
        status: parsed("status", asked.status.as_deref(), &mut errors),
        sync: parsed("sync", asked.sync.as_deref(), &mut errors),
    };
    let after = parsed("cursor", asked.cursor.as_deref(), &mut errors).unwrap_or(0);
    let limit = parsed("limit", asked.limit.as_deref(), &mut errors).unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        errors.push(FieldError::new("limit", "out_of_range", format!("expected 1 to {MAX_LIMIT}")));
    }
    Problem::check(errors)?;
    let page = roster::page(&*state.store, site.id, filter, after, limit).await?;
    let now = state.ambient.now();
    let members = page.members.into_iter().map(|member| Answer::new(member, now)).collect();
    Ok(web::Json(List { members, next_cursor: page.next }))
}
