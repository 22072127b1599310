//! Many members at once: import and export, one a line.

use std::sync::Arc;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, rt, web};
use gatepass_core::client::Scope;
use gatepass_core::{SiteId, Store};
use gatepass_http::answer::{CutShort, Pieces, streamed};
use gatepass_http::{Code, Problem, Stream};

use super::load;
use crate::BrokerState;
use crate::extract::{Authenticated, OwnSite};
use crate::import::{Import, ImportError, Lines, to_line};
use crate::places::Place;

const NDJSON: &str = "application/x-ndjson";

/// How many members are exported at a time.
const PAGE: usize = 500;

/// A place among the imports and exports, which take long: two of each tenant at a time.
fn place(state: &BrokerState, request: &HttpRequest, by: &Authenticated) -> Result<Place, Problem> {
    let at_most = (load(request)?.max() / 8).max(1);
    state.bulk.take(&by.client.tenant, at_most).ok_or_else(|| {
        Problem::new(Code::Overloaded).detail("too many imports and exports run; try again when one is done")
    })
}

pub(in crate::routes) async fn import(
    state: web::Data<BrokerState>,
    request: HttpRequest,
    OwnSite { site, by }: OwnSite,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::MembersWrite)?;
    let mut body = Stream::new(&request, payload, NDJSON)?;
    let _place = place(&state, &request, &by)?;
    let (mut import, mut lines) = (Import::new(&*state.store, &site, &by.context), Lines::default());
    while let Some(piece) = body.next().await? {
        let mut rest = &*piece;
        while !rest.is_empty() {
            let taken = lines.feed(rest, |line| {
                import.take(&line);
                !import.is_full()
            });
            rest = rest.get(taken..).unwrap_or_default();
            if import.is_full() {
                put(&state, site.id, &mut import).await?;
            }
        }
    }
    lines.finish(|line| {
        import.take(&line);
        true
    });
    put(&state, site.id, &mut import).await?;
    Ok(HttpResponse::Ok().json(import.finish()))
}

/// Puts what has come together. The site is told at once: it may pull while the rest arrives.
async fn put(state: &BrokerState, site: SiteId, import: &mut Import<'_>) -> Result<(), Problem> {
    let before = import.report().changed();
    let put = import.put(state.ambient.now()).await;
    if import.report().changed() > before {
        state.delivery.changed(site, state.ambient.now());
    }
    put.map_err(|error| match error {
        ImportError::Store(error) => error.into(),
        ImportError::SiteNotFound => Problem::new(Code::SiteNotFound),
        ImportError::Limited(limited) => limited.into(),
    })
    .map_err(|problem| problem.with("lines", import.report().lines))
}

pub(in crate::routes) async fn export(
    state: web::Data<BrokerState>,
    request: HttpRequest,
    OwnSite { site, by }: OwnSite,
) -> Result<HttpResponse, Problem> {
    by.may(Scope::MembersRead)?;
    let place = place(&state, &request, &by)?;
    let (pieces, body) = streamed(&request);
    let store = Arc::clone(&state.store);
    rt::spawn(async move {
        write(&*store, site.id, &pieces).await;
        drop(place);
    });
    Ok(HttpResponse::Ok().insert_header((CACHE_CONTROL, "no-store")).content_type(NDJSON).body(body))
}

/// Who changes meanwhile comes again, as it is then: the later line is the one that counts, also for an import.
async fn write(store: &dyn Store, site: SiteId, pieces: &Pieces) {
    let mut after = 0;
    loop {
        let page = match store.members(site, after, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%site, %error, "an export is cut short");
                let _ = pieces.send(Err(CutShort)).await;
                return;
            }
        };
        let Some(last) = page.last() else { return };
        after = last.following.position;
        let text: String = page.iter().map(|member| to_line(member) + "\n").collect();
        if pieces.send(Ok(Bytes::from(text))).await.is_err() {
            return;
        }
    }
}
