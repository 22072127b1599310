//! A member: what the panel wants WordPress to know about one customer, and whether they may come in.

use serde::{Deserialize, Serialize};

use crate::change::Following;
use crate::clock::Timestamp;
use crate::id::{InvalidId, Subject};

/// Where a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Paid and running.
    Active,
    /// Running, not paid for yet.
    Trialing,
    /// A payment is late; allowed until `grace_until`.
    PastDue,
    /// Suspended by the customer or the panel.
    Paused,
    /// Ended by the customer or the panel.
    Canceled,
    /// Ran out.
    Expired,
}

impl Status {
    /// All there are.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::Trialing, Self::PastDue, Self::Paused, Self::Canceled, Self::Expired];

    /// As written in requests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Trialing => "trialing",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let expected = "active, trialing, past_due, paused, canceled or expired";
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(InvalidId { expected })
    }
}

/// The membership of one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    /// Where the subscription stands.
    pub status: Status,
    /// The panel's name of the plan.
    #[serde(default)]
    pub plan: Option<String>,
    /// Whatever the status says, nobody comes in from this time on.
    #[serde(default)]
    pub valid_until: Option<Timestamp>,
    /// How long `past_due` is still let in; without it, not at all.
    #[serde(default)]
    pub grace_until: Option<Timestamp>,
}

impl Membership {
    /// The one number that a store compares with the time: the member may come in while `now < allowed_until`.
    /// `None` means never.
    pub fn allowed_until(&self) -> Option<Timestamp> {
        let forever = Timestamp::from_millis(MAX_MILLIS);
        let by_status = match self.status {
            Status::Active | Status::Trialing => forever,
            Status::PastDue => self.grace_until?,
            Status::Paused | Status::Canceled | Status::Expired => return None,
        };
        Some(by_status.min(self.valid_until.unwrap_or(forever)))
    }

    /// The same in whole seconds since 1970, as WordPress counts: `0` means never.
    pub fn allowed_until_secs(&self) -> i64 {
        self.allowed_until().map_or(0, |until| until.secs().max(0))
    }

    /// Whether the member may come in at `now`.
    pub fn allows(&self, now: Timestamp) -> bool {
        self.allowed_until().is_some_and(|until| now < until)
    }
}

impl Membership {
    /// Where it stands, for the trail.
    pub(crate) fn described(&self) -> String {
        let until =
            |what, time: Option<Timestamp>| time.map_or(String::new(), |time| format!(", {what} {time}"));
        let (valid, grace) = (until("valid until", self.valid_until), until("grace until", self.grace_until));
        format!("membership {}{valid}{grace}", self.status.as_str())
    }
}

/// The largest time a store keeps: exact in a double, which is what Lua counts with (2^53 - 1).
pub(crate) const MAX_MILLIS: i64 = (1 << 53) - 1;

/// What the customer agreed to, and when.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consent {
    /// Accepted the terms.
    #[serde(default)]
    pub terms_accepted_at: Option<Timestamp>,
    /// Accepted the privacy notice.
    #[serde(default)]
    pub privacy_accepted_at: Option<Timestamp>,
    /// Wants marketing mail.
    #[serde(default)]
    pub marketing_opt_in: bool,
}

/// The whole wanted state of a member, as the panel puts it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// E-mail address.
    pub email: String,
    /// Whether the panel has proof that the address is theirs.
    #[serde(default)]
    pub email_verified: bool,
    /// WordPress user name; without one the site makes one from the subject.
    #[serde(default)]
    pub username: Option<String>,
    /// Name to show.
    #[serde(default)]
    pub display_name: String,
    /// First name.
    #[serde(default)]
    pub first_name: String,
    /// Last name.
    #[serde(default)]
    pub last_name: String,
    /// WordPress locale, such as `de_DE`; empty for the site's own.
    #[serde(default)]
    pub locale: String,
    /// WordPress roles; the site's own list has the last word.
    #[serde(default)]
    pub roles: Vec<String>,
    /// The membership.
    pub membership: Membership,
    /// Consent.
    #[serde(default)]
    pub consent: Consent,
}

/// A member as kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Member {
    /// The panel's customer id.
    pub subject: Subject,
    /// Grows with every change on the site; given by the store.
    pub revision: u64,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What is wanted.
    #[serde(flatten)]
    pub wanted: Wanted,
    /// How often the panel has ended all sessions.
    #[serde(skip)]
    pub sessions_ended: u64,
    /// Where WordPress stands with it.
    #[serde(skip)]
    pub following: Following,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(status: Status, valid_until: Option<i64>, grace_until: Option<i64>) -> Membership {
        Membership {
            status,
            plan: None,
            valid_until: valid_until.map(Timestamp::from_secs),
            grace_until: grace_until.map(Timestamp::from_secs),
        }
    }

    #[test]
    fn who_may_come_in() {
        let now = Timestamp::from_secs(1000);
        for (status, valid, grace, allowed) in [
            (Status::Active, None, None, true),
            (Status::Trialing, None, None, true),
            (Status::Active, Some(1001), None, true),
            (Status::Active, Some(1000), None, false),
            (Status::PastDue, None, None, false),
            (Status::PastDue, None, Some(1001), true),
            (Status::PastDue, None, Some(1000), false),
            (Status::PastDue, Some(999), Some(2000), false),
            (Status::Paused, None, Some(2000), false),
            (Status::Canceled, Some(2000), None, false),
            (Status::Expired, None, None, false),
        ] {
            assert_eq!(
                membership(status, valid, grace).allows(now),
                allowed,
                "{status:?} {valid:?} {grace:?}"
            );
        }
    }
}
