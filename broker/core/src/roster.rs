//! The members of a site, page by page.

use crate::change::SyncState;
use crate::id::SiteId;
use crate::member::{Member, Status};
use crate::store::{Members, StoreError};

/// How many members are read at a time.
const READ: usize = 500;

/// How many members are looked at for one page, at the most.
const LOOKED_AT: usize = 10 * READ;

/// Which members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only with this membership.
    pub status: Option<Status>,
    /// Only where WordPress stands so.
    pub sync: Option<SyncState>,
}

impl Filter {
    fn passes(self, member: &Member) -> bool {
        self.status.is_none_or(|status| member.wanted.membership.status == status)
            && self.sync.is_none_or(|sync| member.following.state() == sync)
    }
}

/// Some members, in the order of their last changes.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The members. There may be few, or none, although there is a `next`.
    pub members: Vec<Member>,
    /// Where to go on; `None` at the end.
    pub next: Option<u64>,
}

/// The members behind `after`, at most `limit`. Who changes while pages are read comes again at the end, so that nobody
/// is missed.
pub async fn page(
    store: &dyn Members,
    site: SiteId,
    filter: Filter,
    mut after: u64,
    limit: usize,
) -> Result<Page, StoreError> {
    let (mut members, mut looked_at) = (Vec::new(), 0);
    let at_a_time = if filter == Filter::default() { limit.min(READ) } else { READ };
    loop {
        let read = store.members(site, after, at_a_time).await?;
        if read.is_empty() {
            return Ok(Page { members, next: None });
        }
        looked_at += read.len();
        for member in read {
            after = member.following.position;
            if filter.passes(&member) {
                members.push(member);
            }
            if members.len() == limit {
                return Ok(Page { members, next: Some(after) });
            }
        }
        if looked_at >= LOOKED_AT {
            return Ok(Page { members, next: Some(after) });
        }
    }
}
