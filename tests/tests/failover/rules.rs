//! Which answer is allowed when. Whatever is not named here fails the run.
//!
//! | asked | answer | allowed |
//! |---|---|---|
//! | anything | 503 `store_unavailable` | during an outage |
//! | | 503 `overloaded` | once any data is lost: those who had it are strangers now, and strangers have few look-ups |
//! | issue | 201 | always |
//! | | 401 `unauthorized`, 404 `site_not_found` | once the data is lost |
//! | redeem, issued | 200 | always; *the ledger* sees whom else the token let in |
//! | | 410 `handoff_used` | always; *the ledger* sees whether another attempt can have used it |
//! | | 410 `handoff_superseded` | with an outage since before it was issued |
//! | | 410 `handoff_expired` | the same (its record was not replicated), or at its age, or once the data is lost |
//! | redeem, never issued | 410 `handoff_expired` | always: there is no record |
//! | | 410 `handoff_mismatch` | under the id of one that was issued |
//! | redeem, any | 401 `site_proof_invalid` | once the data is lost |

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::wire::Answer;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    Issue,
    /// To redeem what was issued.
    Redeem,
    /// To redeem what was never issued, under an id of its own.
    RedeemForged,
    /// The same under the id of a token that was issued.
    RedeemForgedId,
}

/// What is known of the moments in which an answer came about.
#[expect(clippy::struct_excessive_bools, reason = "each is true or not by itself")]
#[derive(Debug, Clone, Copy)]
pub struct Conditions {
    /// An outage overlaps the request.
    pub outage: bool,
    /// One overlaps the time from before the token was issued to the answer.
    pub outage_since_issue: bool,
    /// The data was lost before the answer.
    pub lost: bool,
    /// Somebody's data were.
    pub any_lost: bool,
    /// Since the token was asked for.
    pub age: Duration,
}

/// Whether an answer is allowed.
pub fn allows(asked: Asked, answer: &Answer, when: Conditions) -> bool {
    let Some(status) = answer.status() else { return false };
    let forged = matches!(asked, Asked::RedeemForged | Asked::RedeemForgedId);
    match (asked, status.as_u16(), answer.text("code")) {
        (_, 503, "store_unavailable") => when.outage,
        (_, 503, "overloaded") => when.any_lost,
        (Asked::Issue, 201, _) | (Asked::Redeem, 200, _) | (Asked::Redeem, 410, "handoff_used") => true,
        (Asked::Issue, 401, "unauthorized") | (Asked::Issue, 404, "site_not_found") => when.lost,
        (Asked::Redeem, 410, "handoff_superseded") => when.outage_since_issue,
        (_, 410, "handoff_expired") => {
            forged || when.outage_since_issue || when.lost || when.age >= Duration::from_secs(299)
        }
        (_, 410, "handoff_mismatch") => asked == Asked::RedeemForgedId,
        (_, 401, "site_proof_invalid") => when.lost && asked != Asked::Issue,
        _ => false,
    }
}

/// When something was being done to the store, as whoever does it says: from before it begins until both processes
/// have worked again.
#[derive(Debug, Default)]
pub struct Outages(Mutex<Vec<(Instant, Option<Instant>)>>);

impl Outages {
    pub fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), None));
    }

    pub fn end(&self) {
        if let Some((_, end @ None)) = self.0.lock().unwrap_or_else(PoisonError::into_inner).last_mut() {
            *end = Some(Instant::now());
        }
    }

    pub fn overlap(&self, from: Instant, to: Instant) -> bool {
        let outages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        outages.iter().any(|(began, ended)| *began <= to && ended.is_none_or(|ended| ended >= from))
    }
}
