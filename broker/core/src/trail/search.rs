//! Finding events. A trail has an index of its numbers and nothing else (but see [`Events::indexed`]): what is looked
//! for is looked for from one end, in batches, so that no reader holds a store up.

use std::collections::VecDeque;
use std::time::Duration;

use super::{Reading, Trail};
use crate::clock::Timestamp;
use crate::event::{Event, EventKind};
use crate::id::{HandoffId, RequestId, Subject};
use crate::store::{Events, Result};

/// How many events are read at a time.
const BATCH: usize = 500;
/// How many are looked at for one page.
const PAGE_SCAN: usize = 10_000;
/// How far events may lie out of the order of their times: processes whose clocks differ write them.
const DISORDER: Duration = Duration::from_secs(60);
/// How far apart the events of one request or handoff may lie: a token lives five minutes at most, and what WordPress
/// made of it is reported at once.
const STORY: Duration = Duration::from_secs(15 * 60);

/// What is looked for; what is `None` is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the event's member of that name")]
pub struct Filter {
    pub subject: Option<Subject>,
    pub handoff_id: Option<HandoffId>,
    pub kind: Option<EventKind>,
    pub request_id: Option<RequestId>,
    pub cause: Option<String>,
    /// The first moment.
    pub since: Option<Timestamp>,
    /// The moment after the last one.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// Whether an event is looked for.
    pub fn matches(&self, event: &Event) -> bool {
        let is =
            |wanted: Option<&str>, found: Option<&str>| wanted.is_none_or(|wanted| found == Some(wanted));
        is(self.subject.as_ref().map(Subject::as_str), event.subject.as_ref().map(Subject::as_str))
            && self.handoff_id.is_none_or(|id| event.handoff_id == Some(id))
            && is(self.kind.map(EventKind::as_str), Some(&event.kind))
            && is(self.request_id.as_ref().map(RequestId::as_str), Some(event.context.request_id.as_str()))
            && is(self.cause.as_deref(), event.cause.as_deref())
            && self.since.is_none_or(|since| event.at >= since)
            && self.until.is_none_or(|until| event.at < until)
    }
}

/// Some events of a trail, and how to go on.
#[derive(Debug)]
pub struct Page {
    /// In order.
    pub events: Vec<Event>,
    /// The last event that was looked at: go on after it.
    pub next: u64,
    /// Whether there is more to be looked at already.
    pub more: bool,
    /// The oldest event that is kept. Whoever asked for what comes after less than the one before has missed some.
    pub oldest: u64,
}

/// The events after `after` that are looked for: at most `limit` of them, and of a long trail only those that were
/// found among so many that one request may look at.
///
/// # Errors
/// When the store does not answer.
pub async fn page(
    store: &dyn Events,
    trail: &Trail,
    after: u64,
    limit: usize,
    filter: &Filter,
) -> Result<Page> {
    let extent = store.extent(trail).await?;
    let mut page = Page {
        events: Vec::new(),
        next: after.max(extent.oldest.saturating_sub(1)),
        more: false,
        oldest: extent.oldest,
    };
    for _ in 0..PAGE_SCAN / BATCH {
        let batch = store.events(trail, Reading::After(page.next), BATCH).await?;
        let is_last = batch.len() < BATCH;
        for event in batch {
            if page.events.len() == limit {
                break;
            }
            page.next = event.seq;
            if filter.matches(&event) {
                page.events.push(event);
            }
        }
        if is_last || page.events.len() == limit {
            break;
        }
    }
    page.more = page.next < extent.newest;
    Ok(page)
}

/// Several trails read as one, from the newest event back.
#[derive(Debug)]
pub struct Newest<'a> {
    store: &'a dyn Events,
    heads: Vec<Head>,
    since: Option<Timestamp>,
}

/// Where the reading of a trail stands.
#[derive(Debug)]
struct Head {
    trail: Trail,
    read: VecDeque<Event>,
    /// From where to read on; `None` at the end.
    before: Option<u64>,
    batch: usize,
}

impl<'a> Newest<'a> {
    /// Of these trails. Their ends are not looked at further back than is needed for what came since `since`.
    pub fn of(store: &'a dyn Events, trails: &[Trail], since: Option<Timestamp>) -> Self {
        let head = |trail: &Trail| Head {
            trail: trail.clone(),
            read: VecDeque::new(),
            before: Some(u64::MAX),
            batch: BATCH / 10,
        };
        Self { store, heads: trails.iter().map(head).collect(), since }
    }

    /// The next one, older than those before; by the order of its own trail, should their times tell another.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn next(&mut self) -> Result<Option<(Trail, Event)>> {
        let enough = self.since.map(|since| since.minus(DISORDER));
        for head in &mut self.heads {
            let Some(before) = head.before.filter(|_| head.read.is_empty()) else { continue };
            head.read = self.store.events(&head.trail, Reading::Before(before), head.batch).await?.into();
            let is_whole = head.read.len() == head.batch;
            let last = head.read.back().filter(|last| is_whole && enough.is_none_or(|time| last.at >= time));
            head.before = last.map(|last| last.seq);
            head.batch = BATCH;
        }
        let newest = self.heads.iter_mut().max_by_key(|head| head.read.front().map(|event| event.at));
        Ok(newest.and_then(|head| Some((head.trail.clone(), head.read.pop_front()?))))
    }
}

/// What events can be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A request.
    Request(RequestId),
    /// A handoff.
    Handoff(HandoffId),
}

/// All events of a request or a handoff, in order, from these trails and since `since`.
///
/// # Errors
/// When the store does not answer.
pub async fn about(
    store: &dyn Events,
    trails: &[Trail],
    about: &About,
    since: Option<Timestamp>,
) -> Result<Vec<(Trail, Event)>> {
    let mut found = if let Some(mut found) = store.indexed(about).await? {
        found.retain(|(trail, event)| trails.contains(trail) && since.is_none_or(|since| event.at >= since));
        found
    } else {
        look_through(store, trails, about, since).await?
    };
    found.sort_by_key(|(_, event)| (event.at, event.seq));
    Ok(found)
}

async fn look_through(
    store: &dyn Events,
    trails: &[Trail],
    about: &About,
    since: Option<Timestamp>,
) -> Result<Vec<(Trail, Event)>> {
    let filter = match about.clone() {
        About::Request(id) => Filter { request_id: Some(id), since, ..Filter::default() },
        About::Handoff(id) => Filter { handoff_id: Some(id), since, ..Filter::default() },
    };
    let (mut newest, mut found) = (Newest::of(store, trails, since), Vec::<(Trail, Event)>::new());
    while let Some((trail, event)) = newest.next().await? {
        // What belongs together was written together: the rest of the trails has no more of it.
        if found.last().is_some_and(|(_, last)| event.at < last.at.minus(STORY)) {
            break;
        }
        if filter.matches(&event) {
            found.push((trail, event));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Actor, Context};

    #[test]
    fn every_member_of_a_filter_must_hold() {
        let id = HandoffId::from(uuid::Uuid::nil());
        let event = Event {
            seq: 1,
            at: Timestamp::from_secs(100),
            kind: "handoff.refused".to_owned(),
            cause: Some("used".to_owned()),
            subject: Some("mia".parse().unwrap()),
            handoff_id: Some(id),
            context: Context::new("req-1".parse().unwrap(), Actor::Site),
        };
        let filter = |change: fn(&mut Filter)| {
            let mut filter = Filter {
                subject: Some("mia".parse().unwrap()),
                handoff_id: Some(HandoffId::from(uuid::Uuid::nil())),
                kind: Some(EventKind::HandoffRefused),
                request_id: Some("req-1".parse().unwrap()),
                cause: Some("used".to_owned()),
                since: Some(Timestamp::from_secs(100)),
                until: Some(Timestamp::from_secs(101)),
            };
            change(&mut filter);
            filter.matches(&event)
        };
        assert!(Filter::default().matches(&event) && filter(|_| ()));
        for change in [
            (|filter| filter.subject = "bo".parse().ok()) as fn(&mut Filter),
            |filter| filter.handoff_id = Some(HandoffId::from(uuid::Uuid::max())),
            |filter| filter.kind = Some(EventKind::HandoffRevoked),
            |filter| filter.request_id = "req-2".parse().ok(),
            |filter| filter.cause = Some("expired".to_owned()),
            |filter| filter.since = Some(Timestamp::from_millis(100_001)),
            |filter| filter.until = Some(Timestamp::from_secs(100)),
        ] {
            assert!(!filter(change));
        }
    }
}
