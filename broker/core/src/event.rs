//! The audit trail: what happened, to whom, by whom, and why. A store writes an event in the same step as the
//! change that it tells of, so that neither can be there without the other.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{ClientId, HandoffId, RequestId, Subject};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each name says it")]
pub enum EventKind {
    #[serde(rename = "site.registered")]
    SiteRegistered,
    #[serde(rename = "site.updated")]
    SiteUpdated,
    #[serde(rename = "site.pairing_code_made")]
    SitePairingCodeMade,
    #[serde(rename = "site.paired")]
    SitePaired,
    #[serde(rename = "site.pairing_refused")]
    SitePairingRefused,
    #[serde(rename = "member.changed")]
    MemberChanged,
    #[serde(rename = "member.refused")]
    MemberRefused,
    #[serde(rename = "handoff.issued")]
    HandoffIssued,
    #[serde(rename = "handoff.issue_refused")]
    HandoffIssueRefused,
    #[serde(rename = "handoff.redeemed")]
    HandoffRedeemed,
    #[serde(rename = "handoff.repeated")]
    HandoffRepeated,
    #[serde(rename = "handoff.refused")]
    HandoffRefused,
    #[serde(rename = "handoff.revoked")]
    HandoffRevoked,
    #[serde(rename = "handoff.logged_in")]
    HandoffLoggedIn,
    #[serde(rename = "handoff.login_failed")]
    HandoffLoginFailed,
}

impl EventKind {
    /// As written in the trail.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SiteRegistered => "site.registered",
            Self::SiteUpdated => "site.updated",
            Self::SitePairingCodeMade => "site.pairing_code_made",
            Self::SitePaired => "site.paired",
            Self::SitePairingRefused => "site.pairing_refused",
            Self::MemberChanged => "member.changed",
            Self::MemberRefused => "member.refused",
            Self::HandoffIssued => "handoff.issued",
            Self::HandoffIssueRefused => "handoff.issue_refused",
            Self::HandoffRedeemed => "handoff.redeemed",
            Self::HandoffRepeated => "handoff.repeated",
            Self::HandoffRefused => "handoff.refused",
            Self::HandoffRevoked => "handoff.revoked",
            Self::HandoffLoggedIn => "handoff.logged_in",
            Self::HandoffLoginFailed => "handoff.login_failed",
        }
    }
}

/// Who did it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Actor {
    /// A panel, by its API key.
    Client(ClientId),
    /// The WordPress site itself.
    Site,
    /// Someone at the command line.
    Operator,
}

impl Actor {
    /// The API key, if it was one.
    pub const fn client(self) -> Option<ClientId> {
        match self {
            Self::Client(id) => Some(id),
            Self::Site | Self::Operator => None,
        }
    }
}

/// What is known of an event before its outcome is: who asked, by which request, from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The request that caused it.
    pub request_id: RequestId,
    /// Who did it.
    pub actor: Actor,
    /// The customer's address, as the site or the panel reports it; of a pairing, where the site's request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<IpAddr>,
    /// The customer's browser, as the site reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Whatever else is worth telling, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Context {
    /// A context with only what is always there.
    pub const fn new(request_id: RequestId, actor: Actor) -> Self {
        Self { request_id, actor, client_ip: None, user_agent: None, note: None }
    }
}

/// One line of the trail of a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its place in the site's trail, from 1.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// The exact cause of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// To whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// With which handoff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoff_id: Option<HandoffId>,
    /// By whom and from where.
    #[serde(flatten)]
    pub context: Context,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_the_same_everywhere() {
        for kind in [EventKind::SitePaired, EventKind::HandoffRefused, EventKind::HandoffLoginFailed] {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
