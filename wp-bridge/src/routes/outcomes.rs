//! Outcomes: what WordPress made of a redeemed handoff. Sent after the browser has its answer.

use actix_web::{HttpResponse, web};
use gatepass_core::HandoffId;
use gatepass_core::handoff::Outcome;
use gatepass_core::store::OutcomeReport;
use gatepass_core::validate::FieldError;
use gatepass_http::{Code, Json, Problem, Then};

use crate::BridgeState;
use crate::extract::ProvenSite;

pub(super) async fn create(
    state: web::Data<BridgeState>,
    path: web::Path<String>,
    Then(ProvenSite { site, context, .. }, Json(outcome)): Then<ProvenSite, Json<Outcome>>,
) -> Result<HttpResponse, Problem> {
    let id: HandoffId = path.parse().map_err(|_| Problem::new(Code::HandoffNotFound))?;
    if let Outcome::Failed { code, .. } = &outcome
        && (code.is_empty() || code.len() > 64 || !code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    {
        return Err(Problem::invalid(vec![FieldError::new("code", "invalid", "1 to 64 of a-z and _")]));
    }
    match state.store.report_outcome(site.id, id, &outcome, state.ambient.now(), &context).await? {
        OutcomeReport::Recorded | OutcomeReport::AlreadyRecorded => Ok(HttpResponse::NoContent().finish()),
        OutcomeReport::NotRedeemed => Err(Problem::new(Code::HandoffNotRedeemed)),
    }
}
