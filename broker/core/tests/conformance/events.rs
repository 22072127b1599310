use std::time::Duration;

use gatepass_core::Timestamp;
use gatepass_core::event::{Context, EventKind};
use gatepass_core::id::SiteId;
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::store::{Entry, Events};
use gatepass_core::trail::{
    About, Extent, Filter, Newest, Reading, Retention, Trail, about, page, sweep,
};

use crate::stage::{Backend, Stage, T0, Ticket, after, context};

fn days(days: u64) -> Timestamp {
    T0.plus(Duration::from_secs(days * 24 * 60 * 60))
}

async fn append(stage: &Stage, site: SiteId, times: usize, at: Timestamp) {
    let kind = EventKind::HandoffRefused;
    let entry = Entry { at, kind, cause: Some("signature"), subject: None, handoff_id: None };
    for _ in 0..times {
        stage.store.append_event(site, &entry, &context()).await.unwrap();
    }
}

/// The numbers of the events that are kept.
async fn kept(stage: &Stage, site: SiteId) -> Vec<u64> {
    let events = stage.store.events(&Trail::Site(site), Reading::After(0), 10_000).await.unwrap();
    events.iter().map(|event| event.seq).collect()
}

pub async fn a_trail_is_ordered_and_paged(stage: &Stage) {
    let site = stage.site().await;
    append(stage, site, 11, T0).await;
    let trail = Trail::Site(site);
    let read = async |reading| {
        let events = stage.store.events(&trail, reading, 8).await.unwrap();
        events.iter().map(|event| event.seq).collect::<Vec<u64>>()
    };
    assert_eq!(read(Reading::After(0)).await, (1..=8).collect::<Vec<_>>());
    assert_eq!(read(Reading::After(8)).await, (9..=12).collect::<Vec<_>>());
    assert!(read(Reading::After(12)).await.is_empty());
    assert_eq!(read(Reading::Before(u64::MAX)).await, (5..=12).rev().collect::<Vec<_>>());
    assert_eq!(read(Reading::Before(5)).await, (1..=4).rev().collect::<Vec<_>>());
    assert!(read(Reading::Before(1)).await.is_empty());
    let last = stage.store.events(&trail, Reading::After(11), 8).await.unwrap().remove(0);
    assert_eq!((last.kind.as_str(), last.cause.as_deref()), ("handoff.refused", Some("signature")));
}

pub async fn what_is_too_old_is_swept(stage: &Stage) {
    let (site, other) = (stage.site().await, stage.site_of("other", "https://example.com").await);
    append(stage, site, 1200, T0).await;
    append(stage, site, 3, days(1)).await;
    append(stage, other, 1, days(1)).await;
    let retention = Retention::new(400, 0);
    let just_before = Timestamp::from_millis(days(400).millis() - 1);
    assert_eq!(sweep(&*stage.store, retention, just_before).await.unwrap(), 0);
    // Of both sites: those of T0 and the one of registering them.
    assert_eq!(sweep(&*stage.store, retention, days(400)).await.unwrap(), 1202);
    assert_eq!(kept(stage, site).await, [1202, 1203, 1204]);
    assert_eq!(kept(stage, other).await, [2]);
    assert_eq!(sweep(&*stage.store, Retention::NONE, days(9999)).await.unwrap(), 0);
}

pub async fn of_each_trail_the_newest_events_are_kept(stage: &Stage) {
    let (site, other) = (stage.site().await, stage.site_of("other", "https://example.com").await);
    append(stage, site, 1200, T0).await;
    let retention = Retention::new(0, 100);
    assert_eq!(sweep(&*stage.store, retention, T0).await.unwrap(), 1101);
    assert_eq!(kept(stage, site).await, (1102..=1201).collect::<Vec<_>>());
    assert_eq!(kept(stage, other).await, [1]);
    assert_eq!(sweep(&*stage.other, retention, T0).await.unwrap(), 0);
}

/// Redis keeps it in memory, and does not wait for the sweep.
#[tokio::test]
async fn redis_keeps_about_so_many_events_whenever_it_writes() {
    let stage = Stage::redis().await;
    let Backend::Redis(server) = &stage.backend else { return };
    let connect = async || Redis::connect(&server.url(), &Options::default()).await.unwrap();
    let site = stage.site().await;
    append(&stage, site, 1000, T0).await;
    let entry = Entry { at: T0, kind: EventKind::MemberChanged, cause: None, subject: None, handoff_id: None };
    connect().await.append_event(site, &entry, &context()).await.unwrap();
    assert_eq!(kept(&stage, site).await.len(), 1002, "without being told to, it removes nothing");
    let keeping = connect().await.keeping(Retention::new(0, 250));
    keeping.append_event(site, &entry, &context()).await.unwrap();
    let left = kept(&stage, site).await;
    assert!((250..=350).contains(&left.len()) && left.last() == Some(&1003), "{left:?}");
}

pub async fn a_number_is_never_given_twice(stage: &Stage) {
    let site = stage.site().await;
    let trail = Trail::Site(site);
    append(stage, site, 4, T0).await;
    assert_eq!(stage.store.extent(&trail).await.unwrap(), Extent { oldest: 1, newest: 5 });
    assert_eq!(sweep(&*stage.store, Retention::new(1, 0), days(1)).await.unwrap(), 5);
    assert_eq!(stage.store.extent(&trail).await.unwrap(), Extent { oldest: 6, newest: 5 });
    append(stage, site, 1, T0).await;
    assert_eq!(kept(stage, site).await, [6]);
    assert_eq!(stage.store.extent(&trail).await.unwrap(), Extent { oldest: 6, newest: 6 });
    let nobodys = Trail::Tenant("nobody".parse().unwrap());
    assert_eq!(stage.store.extent(&nobodys).await.unwrap(), Extent { oldest: 1, newest: 0 });
}

pub async fn a_sweep_and_the_writers_do_not_disturb_each_other(stage: &Stage) {
    let site = stage.site().await;
    append(stage, site, 1500, T0).await;
    let retention = Retention::new(1, 0);
    let write = async {
        for _ in 0..100 {
            append(stage, site, 1, days(1)).await;
        }
    };
    let (first, second, ()) = tokio::join!(
        async { sweep(&*stage.store, retention, days(1)).await.unwrap() },
        async { sweep(&*stage.other, retention, days(1)).await.unwrap() },
        write,
    );
    assert_eq!(first + second, 1501, "each is removed once");
    assert_eq!(kept(stage, site).await, (1502..=1601).collect::<Vec<_>>());
}

pub async fn every_trail_is_listed_once(stage: &Stage) {
    let site = stage.site_with_member().await;
    let removed = stage.site_of("other", "https://example.com").await;
    stage.issue(Ticket::new(site)).await;
    stage.store.remove_site(removed, T0, &context()).await.unwrap();
    let mut trails = stage.store.trails().await.unwrap();
    trails.sort();
    assert_eq!(trails, [Trail::Site(site), Trail::Tenant("other".parse().unwrap())]);
}

fn sought(change: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    change(&mut filter);
    filter
}

pub async fn a_page_holds_what_is_looked_for_and_says_how_to_go_on(stage: &Stage) {
    let site = stage.site_with_member().await;
    let trail = Trail::Site(site);
    append(stage, site, 700, T0).await;
    let ticket = stage.issued(site).await;
    let page = async |after, limit, filter: &Filter| {
        let page = page(&*stage.store, &trail, after, limit, filter).await.unwrap();
        let seqs: Vec<u64> = page.events.iter().map(|event| event.seq).collect();
        (seqs, page.next, page.more, page.oldest)
    };
    let all = Filter::default();
    assert_eq!(page(0, 2, &all).await, (vec![1, 2], 2, true, 1));
    assert_eq!(page(702, 5, &all).await, (vec![703], 703, false, 1));
    assert_eq!(page(703, 5, &all).await, (vec![], 703, false, 1));
    let hers = sought(|filter| filter.subject = Some(ticket.handoff.subject.clone()));
    assert_eq!(page(0, 5, &hers).await, (vec![2, 703], 703, false, 1));
    assert_eq!(page(0, 1, &hers).await, (vec![2], 2, true, 1));
    let its = sought(|filter| filter.handoff_id = Some(ticket.handoff.id));
    assert_eq!(page(0, 5, &its).await, (vec![703], 703, false, 1));
    let kind = sought(|filter| filter.kind = Some(EventKind::SiteRegistered));
    assert_eq!(page(0, 5, &kind).await, (vec![1], 703, false, 1));

    sweep(&*stage.store, Retention::new(0, 3), T0).await.unwrap();
    assert_eq!(page(5, 5, &all).await, (vec![701, 702, 703], 703, false, 701), "6 to 700 are gone");
}

pub async fn a_page_looks_at_no_more_than_it_may(stage: &Stage) {
    let site = stage.site().await;
    append(stage, site, 10_200, T0).await;
    let nobodys = sought(|filter| filter.subject = "nobody".parse().ok());
    let first = page(&*stage.store, &Trail::Site(site), 0, 10, &nobodys).await.unwrap();
    assert_eq!((first.events.len(), first.next, first.more), (0, 10_000, true));
    let rest = page(&*stage.store, &Trail::Site(site), first.next, 10, &nobodys).await.unwrap();
    assert_eq!((rest.events.len(), rest.next, rest.more), (0, 10_201, false));
}

pub async fn several_trails_are_read_as_one_from_the_newest_back(stage: &Stage) {
    let (a, b) = (stage.site().await, stage.site_of("other", "https://example.com").await);
    for number in 1..=120 {
        append(stage, if number % 3 == 0 { a } else { b }, 1, after(number)).await;
    }
    let trails = [Trail::Site(a), Trail::Site(b)];
    let read = async |since| {
        let (mut newest, mut times) = (Newest::of(&*stage.store, &trails, since), Vec::new());
        while let Some((_, event)) = newest.next().await.unwrap() {
            times.push(event.at);
        }
        times
    };
    let expected: Vec<Timestamp> = (1..=120).rev().map(after).chain([T0, T0]).collect();
    assert_eq!(read(None).await, expected);
    assert_eq!(read(Some(after(200_000))).await.len(), 41 + 50, "of each at most one batch");
}

pub async fn all_of_a_request_or_a_handoff_is_found(stage: &Stage) {
    let (site, other) = (stage.site_with_member().await, stage.site_of("other", "https://example.com").await);
    let ticket = stage.issued(site).await;
    let by = |id: &str| Context { request_id: id.parse().unwrap(), ..context() };
    for (id, attempt) in [("R-7K3MQ2ZD", 1), ("R-AAAAAAAA", 2)] {
        let presented = ticket.by_attempt(attempt).presented;
        stage.store.redeem(site, &presented, T0, &by(id)).await.unwrap();
    }
    append(stage, site, 600, days(1)).await;
    append(stage, other, 600, days(1)).await;
    let trails = stage.store.trails().await.unwrap();
    let find = async |what: About, since| {
        let found = about(&*stage.store, &trails, &what, since).await.unwrap();
        found.into_iter().map(|(trail, event)| (trail, event.kind)).collect::<Vec<_>>()
    };
    let expected = |kinds: &[&str]| -> Vec<_> {
        kinds.iter().map(|kind| (Trail::Site(site), (*kind).to_owned())).collect()
    };
    let handoff = || About::Handoff(ticket.handoff.id);
    let its = expected(&["handoff.issued", "handoff.redeemed", "handoff.refused"]);
    assert_eq!(find(handoff(), None).await, its);
    assert_eq!(find(handoff(), Some(after(1))).await, []);
    let request = || About::Request("R-7K3MQ2ZD".parse().unwrap());
    assert_eq!(find(request(), None).await, expected(&["handoff.redeemed"]));
    assert_eq!(about(&*stage.store, &[Trail::Site(other)], &request(), None).await.unwrap().len(), 0);
    assert_eq!(find(About::Request("R-7K3MQ2ZE".parse().unwrap()), None).await, []);
}
