//! A member as a store keeps it: also one that was removed, of which nothing is left but what its site must hear.

use crate::change::{Change, Following};
use crate::clock::Timestamp;
use crate::id::Subject;
use crate::member::{Member, Wanted};

pub(super) struct Kept {
    pub(super) subject: Subject,
    /// `None` once it is removed.
    pub(super) wanted: Option<Wanted>,
    pub(super) revision: u64,
    pub(super) updated_at: Timestamp,
    pub(super) sessions_ended: u64,
    /// The last position at which a report of the sessions was asked for.
    pub(super) report: u64,
    pub(super) following: Following,
}

impl Kept {
    /// The member, unless it was removed.
    pub(super) fn member(self) -> Option<Member> {
        let Self { subject, wanted, revision, updated_at, sessions_ended, report: _, following } = self;
        Some(Member { subject, revision, updated_at, wanted: wanted?, sessions_ended, following })
    }

    /// What its site is to make of it.
    pub(super) fn change(self) -> Change {
        Change {
            report_sessions: self.report > self.following.acknowledged,
            subject: self.subject,
            position: self.following.position,
            wanted: self.wanted,
            revision: self.revision,
            sessions_ended: self.sessions_ended,
        }
    }
}
