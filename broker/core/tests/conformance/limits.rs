//! Limits: what is counted, for whom, and that nobody is locked out by somebody else.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::clock::System;
use gatepass_core::event::{Actor, Context};
use gatepass_core::handoff::{Issuance, Refusal};
use gatepass_core::limit::{Bucket, Limited, Limits, Rate};
use gatepass_core::member::Status;
use gatepass_core::store::{Asking, Errand, MemberPut, MemberRemoval};
use gatepass_core::{ClientId, SiteId, Store, Subject, Timestamp};

use crate::stage::{Came, Stage, T0, Ticket, after, came, context, wanted};

const ATTACKER: &str = "192.0.2.66";

/// Five a minute of one thing.
const FIVE: Rate = Rate::per_minute(5);

fn limited(bucket: Bucket, secs: u64) -> Limited {
    Limited { bucket, retry_after: Duration::from_secs(secs) }
}

fn from(address: &str) -> Context {
    Context { client_ip: Some(address.parse::<IpAddr>().unwrap()), ..context() }
}

fn panel() -> Context {
    Context { actor: Actor::Client(ClientId::generate(T0, &System).unwrap()), ..context() }
}

async fn issue(store: &dyn Store, site: SiteId, subject: &str, now: Timestamp, by: &Context) -> Issuance {
    store.issue(site, &Ticket::for_subject(site, subject, now).handoff, by).await.unwrap()
}

async fn redeem(store: &dyn Store, ticket: &Ticket, now: Timestamp, by: &Context) -> Came {
    came(store.redeem(ticket.site, &ticket.presented, now, by).await.unwrap())
}

/// A token that the store knows nothing of.
fn unknown(site: SiteId) -> Ticket {
    Ticket::new(site)
}

pub async fn a_member_is_asked_for_only_so_often(stage: &Stage) {
    let (site, other_site) =
        (stage.site_with_member().await, stage.site_of("default", "https://other.example").await);
    stage.put(site, "cust-2", Status::Active).await;
    stage.put(other_site, "cust-1", Status::Active).await;
    let store = stage.limited(Limits { member: FIVE, ..Limits::NONE }).await;
    for _ in 0..5 {
        assert_eq!(issue(&*store, site, "cust-1", T0, &panel()).await, Issuance::Issued);
    }
    let full = Issuance::Limited(limited(Bucket::Member, 12));
    assert_eq!(issue(&*store, site, "cust-1", T0, &panel()).await, full);
    assert_eq!(issue(&*store, site, "cust-2", T0, &panel()).await, Issuance::Issued);
    assert_eq!(issue(&*store, other_site, "cust-1", T0, &panel()).await, Issuance::Issued);
    assert_eq!(issue(&*store, site, "cust-1", after(12_000), &panel()).await, Issuance::Issued);
    assert_eq!(issue(&*store, site, "cust-1", after(12_000), &panel()).await, full);
}

pub async fn an_api_key_asks_only_so_often_on_each_site(stage: &Stage) {
    let (site, other_site) =
        (stage.site_with_member().await, stage.site_of("default", "https://other.example").await);
    let store = stage.limited(Limits { api_key: FIVE, ..Limits::NONE }).await;
    let (by, wanted) = (panel(), wanted(Status::Active));
    let put = async |site, subject: &str, by: &Context| {
        store.put_member(site, &subject.parse().unwrap(), &wanted, None, T0, by).await.unwrap()
    };
    for subject in ["a", "b", "b", "b", "b"] {
        assert!(!matches!(put(site, subject, &by).await, MemberPut::Limited(_)));
    }
    let full = limited(Bucket::ApiKey, 12);
    assert_eq!(put(site, "c", &by).await, MemberPut::Limited(full));
    // An import takes no login's place.
    for _ in 0..5 {
        assert_eq!(issue(&*store, site, "cust-1", T0, &by).await, Issuance::Issued);
    }
    assert_eq!(issue(&*store, site, "cust-1", T0, &by).await, Issuance::Limited(full));
    assert!(store.member(site, &"c".parse().unwrap()).await.unwrap().is_none());
    assert!(matches!(put(other_site, "c", &by).await, MemberPut::Created(_)));
    assert!(matches!(put(site, "c", &panel()).await, MemberPut::Created(_)));
    assert!(matches!(put(site, "d", &context()).await, MemberPut::Created(_)), "the operator has no key");
}

pub async fn fruitless_tries_of_a_token_are_limited(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { token: FIVE, ..Limits::NONE }).await;
    let (spent, other) = (stage.issued(site).await, stage.issued(site).await);
    for ticket in [&spent, &other] {
        assert_eq!(stage.redeem(ticket, T0).await, Came::Redeemed);
    }
    let thief = spent.by_attempt(2);
    for _ in 0..5 {
        assert_eq!(redeem(&*store, &thief, T0, &context()).await, Came::Refused(Refusal::Used));
    }
    let full = Came::Limited(limited(Bucket::Token, 12));
    assert_eq!(redeem(&*store, &thief, T0, &context()).await, full);
    assert_eq!(redeem(&*store, &other.by_attempt(2), T0, &context()).await, Came::Refused(Refusal::Used));
    assert_eq!(redeem(&*store, &thief, after(12_000), &context()).await, Came::Refused(Refusal::Used));
}

pub async fn fruitless_tries_from_an_address_are_limited_on_each_site(stage: &Stage) {
    let (site, other_site) =
        (stage.site_with_member().await, stage.site_of("default", "https://other.example").await);
    let store = stage.limited(Limits { address: FIVE, ..Limits::NONE }).await;
    let (by, no_record) = (from("2001:db8::1"), Came::Refused(Refusal::NoRecord));
    for _ in 0..5 {
        assert_eq!(redeem(&*store, &unknown(site), T0, &by).await, no_record);
    }
    let full = Came::Limited(limited(Bucket::Address, 12));
    assert_eq!(redeem(&*store, &unknown(site), T0, &by).await, full);
    assert_eq!(redeem(&*store, &unknown(site), T0, &from("2001:db8:0:ffff::2")).await, full, "the same network");
    assert_eq!(redeem(&*store, &unknown(site), T0, &from("2001:db8:1::1")).await, no_record);
    assert_eq!(redeem(&*store, &unknown(site), T0, &context()).await, no_record, "nobody knows from where");
    assert_eq!(redeem(&*store, &unknown(other_site), T0, &by).await, no_record);
}

/// The attacker shares the address with everybody (an office, a site behind a proxy that it does not know of) and
/// even has the customer's link, but not the cookie that it is bound to.
pub async fn a_good_token_logs_in_however_full_the_buckets_are(stage: &Stage) {
    let site = stage.site_with_member().await;
    let limits = Limits { token: FIVE, address: FIVE, member: FIVE, api_key: FIVE };
    let store = stage.limited(limits).await;
    let mut bound = Ticket::new(site);
    bound.handoff.binding = Some("cookie".to_owned());
    let bound = stage.issue(bound).await;
    let mut refused = Vec::new();
    for _ in 0..50 {
        refused.push(redeem(&*store, &bound.by_attempt(2), T0, &from(ATTACKER)).await);
        redeem(&*store, &unknown(site), T0, &from(ATTACKER)).await;
    }
    assert!(refused.iter().any(|came| matches!(came, Came::Limited(_))), "{refused:?}");
    let mut honest = bound.clone();
    honest.presented.binding = Some("cookie".to_owned());
    assert_eq!(redeem(&*store, &honest, T0, &from(ATTACKER)).await, Came::Redeemed);
    assert_eq!(redeem(&*store, &honest, T0, &from(ATTACKER)).await, Came::Repeated, "a double click");
    let another = stage.issued(site).await;
    assert_eq!(redeem(&*store, &another, T0, &from(ATTACKER)).await, Came::Redeemed);
    assert_eq!(issue(&*store, site, "cust-1", T0, &panel()).await, Issuance::Issued);
}

pub async fn repeats_of_an_attempt_are_limited(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { token: FIVE, ..Limits::NONE }).await;
    let ticket = stage.issued(site).await;
    assert_eq!(redeem(&*store, &ticket, T0, &context()).await, Came::Redeemed);
    for _ in 0..5 {
        assert_eq!(redeem(&*store, &ticket, T0, &context()).await, Came::Repeated);
    }
    assert_eq!(redeem(&*store, &ticket, T0, &context()).await, Came::Limited(limited(Bucket::Token, 12)));
    assert_eq!(redeem(&*store, &ticket, after(12_000), &context()).await, Came::Repeated);
}

pub async fn what_is_refused_for_one_bucket_does_not_count_in_another(stage: &Stage) {
    let site = stage.site_with_member().await;
    stage.put(site, "cust-2", Status::Active).await;
    let limits = Limits { member: Rate::per_minute(1), api_key: FIVE, ..Limits::NONE };
    let (store, by) = (stage.limited(limits).await, panel());
    for asked in 0..20 {
        let issued = issue(&*store, site, "cust-1", T0, &by).await;
        assert_eq!(matches!(issued, Issuance::Limited(_)), asked > 0);
    }
    assert_eq!(issue(&*store, site, "cust-2", T0, &by).await, Issuance::Issued);
}

pub async fn shutting_a_member_out_is_never_refused(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { api_key: FIVE, ..Limits::NONE }).await;
    let (by, subject) = (panel(), "cust-1".parse().unwrap());
    let put = async |status| {
        let put = store.put_member(site, &subject, &wanted(status), None, T0, &by).await.unwrap();
        matches!(put, MemberPut::Limited(_))
    };
    for _ in 0..5 {
        assert!(!put(Status::Active).await);
    }
    assert!(put(Status::Trialing).await, "the bucket is full");
    assert!(!put(Status::Canceled).await);
    assert!(!put(Status::Canceled).await, "its answer may have been lost");
    assert!(put(Status::Active).await, "letting in again is counted");
    let member = store.member(site, &subject).await.unwrap().unwrap();
    assert_eq!(member.wanted.membership.status, Status::Canceled);
}

pub async fn removing_and_ending_sessions_is_never_refused(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { api_key: FIVE, ..Limits::NONE }).await;
    let (by, subject, nobody) = (panel(), "cust-1".parse().unwrap(), "nobody".parse().unwrap());
    let ask = async |errand| store.ask_of_site(site, &subject, errand, T0, &by).await.unwrap();
    let remove =
        async |subject: &Subject| store.remove_member(site, subject, None, T0, &by).await.unwrap();
    for errand in [Errand::TryAgain, Errand::ReportSessions, Errand::EndSessions, Errand::TryAgain] {
        assert!(matches!(ask(errand).await, Asking::Asked(_)));
    }
    assert_eq!(remove(&nobody).await, MemberRemoval::NotFound);
    let full = limited(Bucket::ApiKey, 12);
    for errand in [Errand::TryAgain, Errand::ReportSessions] {
        assert_eq!(ask(errand).await, Asking::Limited(full));
    }
    assert_eq!(remove(&nobody).await, MemberRemoval::Limited(full));
    let position = store.sync(site, &subject).await.unwrap().unwrap().position;
    assert_eq!(position, 5);
    for more in 1..=3 {
        let Asking::Asked(now) = ask(Errand::EndSessions).await else { panic!() };
        assert_eq!(now.position, position + more);
    }
    assert!(matches!(remove(&subject).await, MemberRemoval::Removed(_)));
    assert!(matches!(remove(&subject).await, MemberRemoval::AlreadyRemoved(_)));
    assert!(matches!(ask(Errand::EndSessions).await, Asking::Asked(_)));
    // The trail is told once a minute that there were more.
    assert_eq!(
        stage.trail(site).await.split_off(2),
        [
            "member.sync_asked",
            "member.sessions_ended",
            "member.sync_asked",
            "member.refused: limit_api_key",
            "member.removed"
        ]
    );
}

pub async fn many_members_count_as_one(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { api_key: FIVE, ..Limits::NONE }).await;
    let by = panel();
    let put = async |subjects: &[&str], status| {
        let many: Vec<_> =
            subjects.iter().map(|subject| (subject.parse().unwrap(), wanted(status))).collect();
        store.put_members(site, &many, T0, &by).await.unwrap()
    };
    let thousand: Vec<_> = (0..1200).map(|number| format!("c{number}")).collect();
    let thousand: Vec<_> = thousand.iter().map(String::as_str).collect();
    for status in [Status::Active, Status::Trialing, Status::Active, Status::Trialing, Status::Active] {
        let came = put(&thousand, status).await;
        assert!(came.iter().all(|came| matches!(came, MemberPut::Created(_) | MemberPut::Updated(_))));
    }
    let full = MemberPut::Limited(limited(Bucket::ApiKey, 12));
    assert!(put(&thousand, Status::Active).await.iter().all(|came| *came == full));
    // What shuts out goes through, beside what does not.
    let [canceled, new] = &put(&["c0", "new"], Status::Canceled).await[..] else { panic!() };
    assert!(matches!(canceled, MemberPut::Updated(_)));
    assert_eq!(*new, full);
}

/// Whoever has a full bucket to share the address with still sees which page is theirs.
pub async fn what_an_honest_person_comes_to_is_answered_as_it_is(stage: &Stage) {
    let site = stage.site_with_member().await;
    let limits = Limits { token: FIVE, address: FIVE, member: FIVE, api_key: FIVE };
    let (store, by) = (stage.limited(limits).await, panel());
    let (late, lapsed) = (stage.issued(site).await, stage.issued(site).await);
    for asked in 0..20 {
        let came = redeem(&*store, &unknown(site), T0, &from(ATTACKER)).await;
        assert_eq!(matches!(came, Came::Limited(_)), asked >= 5);
        assert_eq!(issue(&*store, site, "nobody", T0, &by).await, Issuance::MemberNotFound);
    }
    let events = stage.trail(site).await.len();
    for _ in 0..3 {
        let came = redeem(&*store, &late, after(65_000), &context()).await;
        assert_eq!(came, Came::Refused(Refusal::Expired));
        stage.put(site, "cust-1", Status::Canceled).await;
        let came = redeem(&*store, &lapsed, T0, &from(ATTACKER)).await;
        assert_eq!(came, Came::Refused(Refusal::MembershipInactive));
        assert_eq!(issue(&*store, site, "cust-1", T0, &by).await, Issuance::MembershipInactive);
    }
    let more = stage.trail(site).await.len() - events;
    // The expired one comes from nowhere, and is told each time; of the others nothing is told again this minute.
    assert_eq!(more, 1 + 3);
}

pub async fn a_clock_that_was_put_back_shuts_nobody_out(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { member: FIVE, ..Limits::NONE }).await;
    assert_eq!(issue(&*store, site, "cust-1", after(3_600_000), &panel()).await, Issuance::Issued);
    for _ in 0..5 {
        assert_eq!(issue(&*store, site, "cust-1", T0, &panel()).await, Issuance::Issued);
    }
    let full = Issuance::Limited(limited(Bucket::Member, 12));
    assert_eq!(issue(&*store, site, "cust-1", T0, &panel()).await, full);
    assert_eq!(issue(&*store, site, "cust-1", after(12_000), &panel()).await, Issuance::Issued);
}

pub async fn the_trail_is_told_of_a_full_bucket_once_a_minute(stage: &Stage) {
    let site = stage.site_with_member().await;
    let limits = Limits { member: Rate::per_minute(1), address: Rate::per_minute(1), ..Limits::NONE };
    let store = stage.limited(limits).await;
    let told = async || {
        let trail = stage.trail(site).await;
        ["handoff.issue_refused: limit_member", "handoff.refused: limit_address"]
            .map(|line| trail.iter().filter(|said| *said == line).count())
    };
    for (millis, expected) in [(0, [1, 1]), (59_000, [1, 1]), (61_000, [2, 2])] {
        for _ in 0..5 {
            issue(&*store, site, "cust-1", after(millis), &panel()).await;
            redeem(&*store, &unknown(site), after(millis), &from(ATTACKER)).await;
        }
        assert_eq!(told().await, expected, "after {millis} ms");
    }
}

pub async fn all_processes_count_together(stage: &Stage) {
    let site = stage.site_with_member().await;
    let limits = Limits { member: Rate::per_minute(20), ..Limits::NONE };
    let stores = [stage.limited(limits).await, stage.limited(limits).await];
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..60 {
        let store = Arc::clone(&stores[racer % 2]);
        racers.spawn(async move { issue(&*store, site, "cust-1", T0, &panel()).await });
    }
    let issued = racers.join_all().await.into_iter().filter(|issued| *issued == Issuance::Issued).count();
    assert_eq!(issued, 20);
}

pub async fn nothing_is_counted_for_a_site_that_is_not_there(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { member: FIVE, address: FIVE, ..Limits::NONE }).await;
    assert!(stage.store.remove_site(site, T0, &context()).await.unwrap());
    for _ in 0..10 {
        assert_eq!(issue(&*store, site, "cust-1", T0, &panel()).await, Issuance::SiteNotFound);
        let came = redeem(&*store, &unknown(site), T0, &from(ATTACKER)).await;
        assert_eq!(came, Came::Refused(Refusal::NoRecord));
    }
}
