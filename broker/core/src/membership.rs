//! The use case *change the membership*: one field group of a member's wanted state, without sending the rest again.

use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::{SiteId, Subject};
use crate::limit::Limited;
use crate::member::{Member, Membership};
use crate::store::{MemberPut, Members, StoreError};
use crate::validate::{self, FieldErrors};

/// How often it is tried while others change the same member at the same time.
const TRIES: usize = 16;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembershipChange {
    /// The membership is so now; whether it was not before, the revision tells.
    Done(Box<Member>),
    /// Not changed: the new membership is no good.
    Refused(FieldErrors),
    /// There is no such member.
    MemberNotFound,
    /// There is no such site (any more).
    SiteNotFound,
    /// Asked for too often; not changed.
    Limited(Limited),
    /// Not changed: the member's revision is another one.
    RevisionMismatch {
        /// The one it has.
        current: u64,
    },
}

/// Changes a member's membership. What `change` is given is what is replaced, so that of two changes at once neither
/// undoes the other; it may be called more than once. Of the rest of the member nothing is judged again: a cancellation
/// must not fail because a role that was good once is no longer.
///
/// # Errors
/// When the store does not answer, or others keep changing the member.
pub async fn change_membership(
    store: &dyn Members,
    site: SiteId,
    subject: &Subject,
    change: impl Fn(Membership) -> Result<Membership, FieldErrors> + Send + Sync,
    if_match: Option<u64>,
    now: Timestamp,
    context: &Context,
) -> Result<MembershipChange, StoreError> {
    for _ in 0..TRIES {
        let Some(member) = store.member(site, subject).await? else {
            return Ok(MembershipChange::MemberNotFound);
        };
        let current = member.revision;
        if if_match.is_some_and(|wanted| wanted != current) {
            return Ok(MembershipChange::RevisionMismatch { current });
        }
        let mut wanted = member.wanted;
        wanted.membership = match change(wanted.membership) {
            Ok(membership) => membership,
            Err(errors) => return Ok(MembershipChange::Refused(errors)),
        };
        let errors = validate::membership(&wanted.membership);
        if !errors.is_empty() {
            return Ok(MembershipChange::Refused(errors));
        }
        match store.put_member(site, subject, &wanted, Some(current), now, context).await? {
            MemberPut::Created(member) | MemberPut::Updated(member) | MemberPut::Unchanged(member) => {
                return Ok(MembershipChange::Done(Box::new(member)));
            }
            MemberPut::SiteNotFound => return Ok(MembershipChange::SiteNotFound),
            MemberPut::Limited(limited) => return Ok(MembershipChange::Limited(limited)),
            MemberPut::RevisionMismatch { .. } => {}
        }
    }
    Err(StoreError::Unavailable("others keep changing this member".to_owned()))
}
