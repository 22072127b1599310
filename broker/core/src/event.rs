//! The audit trail: what happened, to whom, by whom, and why. A store writes an event in the same step as the
//! change that it tells of, so that neither can be there without the other.

use std::net::IpAddr;

use gatepass_keys::{KeyChange, KeyState};
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::handoff::OnBehalf;
use crate::id::{ClientId, HandoffId, InvalidId, RequestId, Subject};

macro_rules! kinds {
    ($($name:ident $text:literal,)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "each name says it")]
        pub enum EventKind { $($name,)+ }

        impl EventKind {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As written in the trail.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

kinds! {
    SiteRegistered "site.registered",
    SiteUpdated "site.updated",
    SiteMoved "site.moved",
    SiteRemoved "site.removed",
    SitePairingCodeMade "site.pairing_code_made",
    SitePaired "site.paired",
    SitePairingRefused "site.pairing_refused",
    SiteHeartbeatRefused "site.heartbeat_refused",
    SiteKeyRenewed "site.key_renewed",
    SiteKeyRefused "site.key_refused",
    SiteKeyRevoked "site.key_revoked",
    ClientAdded "client.added",
    ClientRolled "client.rolled",
    ClientRevoked "client.revoked",
    KeyPublished "key.published",
    KeyActivated "key.activated",
    KeyRetired "key.retired",
    KeyRemoved "key.removed",
    KeyRevoked "key.revoked",
    MemberChanged "member.changed",
    MemberRemoved "member.removed",
    MemberRefused "member.refused",
    MemberSessionsEnded "member.sessions_ended",
    MemberSyncAsked "member.sync_asked",
    MemberSynced "member.synced",
    MemberSyncFailed "member.sync_failed",
    HandoffIssued "handoff.issued",
    HandoffIssueRefused "handoff.issue_refused",
    HandoffRedeemed "handoff.redeemed",
    HandoffRepeated "handoff.repeated",
    HandoffRefused "handoff.refused",
    HandoffRevoked "handoff.revoked",
    HandoffLoggedIn "handoff.logged_in",
    HandoffLoginFailed "handoff.login_failed",
}

impl std::str::FromStr for EventKind {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let known = Self::ALL.iter().find(|kind| kind.as_str() == text);
        known.copied().ok_or(InvalidId { expected: "a kind of event, such as handoff.refused" })
    }
}

impl From<KeyState> for EventKind {
    /// What happened to a key that came to this.
    fn from(state: KeyState) -> Self {
        match state {
            KeyState::Next => Self::KeyPublished,
            KeyState::Active => Self::KeyActivated,
            KeyState::Retired => Self::KeyRetired,
            KeyState::Removed => Self::KeyRemoved,
            KeyState::Revoked => Self::KeyRevoked,
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
    /// The customer's address, as the site or the panel reports it; of a pairing or a heartbeat, where the site's request
    /// came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<IpAddr>,
    /// The customer's browser, as the site reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// Who was at the command line, as the operating system says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Who of the panel's staff acts for the customer. A store takes it from the handoff that the event is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf: Option<OnBehalf>,
    /// Whatever else is worth telling, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Context {
    /// A context with only what is always there.
    pub const fn new(request_id: RequestId, actor: Actor) -> Self {
        Self {
            request_id,
            actor,
            client_ip: None,
            user_agent: None,
            operator: None,
            on_behalf: None,
            note: None,
        }
    }

    /// The same, with a note.
    #[must_use]
    pub fn noting(&self, note: impl Into<String>) -> Self {
        Self { note: Some(note.into()), ..self.clone() }
    }

    /// The same, with what is to be told of a key: which, by whom, and why.
    pub(crate) fn telling(&self, change: &KeyChange) -> Self {
        let why = change.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        self.noting(format!("{} by {}{why}", change.kid, change.by))
    }

    /// The same, naming who acts for the customer.
    pub(crate) fn naming(&self, actor: Option<&OnBehalf>) -> Self {
        Self { on_behalf: actor.cloned(), ..self.clone() }
    }
}

/// One line of a trail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its place in the trail, from 1.
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
    fn every_kind_is_written_as_it_is_read() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }
}
