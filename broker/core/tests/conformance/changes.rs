//! What sites follow: positions, cursors, acknowledgements, and what an epoch is for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::change::{
    Ack, Acknowledged, Applied, Change, Changes, Delivery, Following, PAGE, Progress, Session, SyncError, SyncState,
};
use gatepass_core::handoff::{Issuance, Refusal};
use gatepass_core::member::{Member, Status, Wanted};
use gatepass_core::store::{Asking, Errand, MemberPut, MemberRemoval};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::{SiteId, Store, Timestamp};
use tokio::task::JoinSet;

use crate::pairing::{proven, put_code};
use crate::stage::{Backend, Came, Stage, T0, Ticket, after, context, wanted};

/// Pulls one page.
async fn pull(stage: &Stage, site: SiteId, epoch: Option<&str>, cursor: u64) -> Changes {
    stage.store.changes(site, epoch, cursor, PAGE, T0).await.unwrap().unwrap()
}

/// Pulls as a site that has never pulled.
async fn first(stage: &Stage, site: SiteId) -> Changes {
    pull(stage, site, None, 0).await
}

fn said(changes: &Changes) -> Vec<(&str, u64)> {
    changes.members.iter().map(|change| (change.subject.as_str(), change.position)).collect()
}

pub fn synced(subject: &str, position: u64) -> Ack {
    let applied = Applied::Synced { wordpress_user_id: Some(12) };
    Ack { subject: subject.parse().unwrap(), position, applied, sessions: None }
}

fn failed(subject: &str, position: u64, code: &str) -> Ack {
    let error = SyncError { code: code.to_owned(), message: "Somebody else has it.".to_owned() };
    Ack { applied: Applied::Failed(error), ..synced(subject, position) }
}

fn session() -> Session {
    Session {
        id: "0123456789abcdef".to_owned(),
        started_at: T0,
        expires_at: after(1000),
        client_ip: Some("192.0.2.1".parse().unwrap()),
        user_agent: "Firefox".to_owned(),
        handoff_id: None,
        on_behalf: false,
    }
}

async fn acknowledge(stage: &Stage, site: SiteId, epoch: &str, acks: &[Ack]) -> Acknowledged {
    stage.store.acknowledge(site, epoch, acks, after(7), &context()).await.unwrap()
}

async fn following(stage: &Stage, site: SiteId, subject: &str) -> Following {
    stage.store.sync(site, &subject.parse().unwrap()).await.unwrap().unwrap()
}

async fn ask(stage: &Stage, site: SiteId, subject: &str, errand: Errand) -> Asking {
    let subject = subject.parse().unwrap();
    stage.store.ask_of_site(site, &subject, errand, after(5), &context()).await.unwrap()
}

async fn asked(stage: &Stage, site: SiteId, subject: &str, errand: Errand) -> Following {
    let Asking::Asked(following) = ask(stage, site, subject, errand).await else { panic!("not asked") };
    following
}

async fn remove(stage: &Stage, site: SiteId, subject: &str, now: Timestamp) -> MemberRemoval {
    stage.store.remove_member(site, &subject.parse().unwrap(), None, now, &context()).await.unwrap()
}

async fn progress(stage: &Stage, site: SiteId) -> Progress {
    stage.store.progress(site).await.unwrap().unwrap()
}

async fn pair(stage: &Stage, site: SiteId) {
    put_code(&*stage.store, site, "code", true, T0).await;
    stage.store.pair(site, &proven("code", 1), T0, &context()).await.unwrap();
}

async fn behind(store: &dyn Store) -> Vec<SiteId> {
    let mut behind = store.behind(1000).await.unwrap();
    behind.sort();
    behind
}

pub async fn a_site_pulls_what_lies_behind_its_cursor_in_its_order(stage: &Stage) {
    let site = stage.site().await;
    for subject in ["a", "b", "c"] {
        stage.put(site, subject, Status::Active).await;
    }
    let all = first(stage, site).await;
    assert_eq!(said(&all), [("a", 1), ("b", 2), ("c", 3)]);
    assert_eq!((all.resync, all.next, all.more), (false, 3, false));
    let [a, ..] = &all.members[..] else { panic!() };
    let nothing_more = Change {
        subject: "a".parse().unwrap(),
        position: 1,
        wanted: Some(wanted(Status::Active)),
        revision: 1,
        sessions_ended: 0,
        report_sessions: false,
    };
    assert_eq!(*a, nothing_more);

    stage.put(site, "a", Status::Canceled).await;
    let news = pull(stage, site, Some(&all.epoch), all.next).await;
    assert_eq!((said(&news), news.next), (vec![("a", 4)], 4));
    let wanted = news.members[0].wanted.as_ref().unwrap();
    assert_eq!(wanted.membership.status, Status::Canceled);
    let nothing = pull(stage, site, Some(&all.epoch), news.next).await;
    assert_eq!((said(&nothing), nothing.next, nothing.more), (vec![], 4, false));
    // Who has changed stands once, at the end.
    assert_eq!(said(&first(stage, site).await), [("b", 2), ("c", 3), ("a", 4)]);
}

pub async fn a_page_ends_and_says_that_there_is_more(stage: &Stage) {
    let site = stage.site().await;
    for number in 0..5 {
        stage.put(site, &format!("c{number}"), Status::Active).await;
    }
    remove(stage, site, "c1", T0).await;
    let page = async |epoch: Option<String>, cursor| {
        stage.store.changes(site, epoch.as_deref(), cursor, 2, T0).await.unwrap().unwrap()
    };
    let one = page(None, 0).await;
    assert_eq!((said(&one), one.next, one.more), (vec![("c0", 1), ("c2", 3)], 3, true));
    let two = page(Some(one.epoch.clone()), one.next).await;
    assert_eq!((said(&two), two.next, two.more), (vec![("c3", 4), ("c4", 5)], 5, true));
    let three = page(Some(one.epoch.clone()), two.next).await;
    assert_eq!((said(&three), three.next, three.more), (vec![("c1", 6)], 6, false));
}

pub async fn a_cursor_of_another_epoch_or_beyond_the_end_begins_anew(stage: &Stage) {
    let site = stage.site_with_member().await;
    let epoch = first(stage, site).await.epoch;
    for (asked_of, cursor, resync) in [
        (Some(epoch.as_str()), 1, false),
        (Some(epoch.as_str()), 0, false),
        (None, 0, false),
        (None, 1, true),
        (Some("another"), 0, true),
        (Some("another"), 1, true),
        (Some(&epoch[1..]), 1, true),
        (Some(&"e".repeat(10_000)), 1, true),
        (Some(epoch.as_str()), 2, true),
        (Some(epoch.as_str()), 1 << 53, true),
        (Some(epoch.as_str()), i64::MAX as u64, true),
        (Some(epoch.as_str()), u64::MAX, true),
    ] {
        let answer = pull(stage, site, asked_of, cursor).await;
        assert_eq!(answer.resync, resync, "{asked_of:?} {cursor}");
        let nothing = asked_of == Some(epoch.as_str()) && cursor == 1;
        assert_eq!(said(&answer), if nothing { vec![] } else { vec![("cust-1", 1)] }, "{asked_of:?} {cursor}");
        assert_eq!((&answer.epoch, answer.next, answer.more), (&epoch, 1, false));
    }
}

pub async fn an_acknowledgement_counts_for_the_position_of_now(stage: &Stage) {
    let site = stage.site_with_member().await;
    let epoch = first(stage, site).await.epoch;
    let pending = following(stage, site, "cust-1").await;
    assert_eq!(pending, Following { position: 1, effect: 1, ..Following::default() });
    assert_eq!(pending.state(), SyncState::Pending);

    // Ahead of it, of nobody, and of nothing.
    for ack in [synced("cust-1", 2), synced("cust-1", u64::MAX), synced("nobody", 1), synced("cust-1", 0)] {
        assert_eq!(acknowledge(stage, site, &epoch, &[ack]).await, Acknowledged::Kept { kept: 0 });
    }
    assert_eq!(following(stage, site, "cust-1").await, pending);
    assert_eq!(stage.store.sync(site, &"nobody".parse().unwrap()).await.unwrap(), None);

    assert_eq!(acknowledge(stage, site, &epoch, &[synced("cust-1", 1)]).await, Acknowledged::Kept { kept: 1 });
    let done = Following {
        position: 1,
        effect: 1,
        acknowledged: 1,
        at: Some(after(7)),
        wordpress_user_id: Some(12),
        error: None,
    };
    assert_eq!(following(stage, site, "cust-1").await, done);
    assert_eq!(done.state(), SyncState::Synced);
    let member = stage.store.member(site, &"cust-1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(member.following, done);

    // A late one makes nothing newer so.
    stage.put(site, "cust-1", Status::Canceled).await;
    for ack in [synced("cust-1", 1), failed("cust-1", 1, "internal")] {
        assert_eq!(acknowledge(stage, site, &epoch, &[ack]).await, Acknowledged::Kept { kept: 0 });
    }
    assert_eq!(following(stage, site, "cust-1").await, Following { position: 2, effect: 2, ..done.clone() });

    assert_eq!(
        acknowledge(stage, site, &epoch, &[failed("cust-1", 2, "email_taken")]).await,
        Acknowledged::Kept { kept: 1 }
    );
    let failed = following(stage, site, "cust-1").await;
    assert_eq!(failed.error.as_ref().map(|error| error.code.as_str()), Some("email_taken"));
    assert_eq!((failed.state(), failed.wordpress_user_id), (SyncState::Failed, Some(12)));
}

pub async fn nobody_acknowledges_for_another_sites_members(stage: &Stage) {
    let (site, other) = (stage.site_with_member().await, stage.site_of("default", "https://b.example").await);
    let epoch = first(stage, site).await.epoch;
    let before = following(stage, site, "cust-1").await;
    let kept = acknowledge(stage, other, &epoch, &[synced("cust-1", 1), failed("cust-1", 1, "internal")]).await;
    assert_eq!(kept, Acknowledged::Kept { kept: 0 });
    assert_eq!(following(stage, site, "cust-1").await, before);
    assert!(first(stage, other).await.members.is_empty());
    assert_eq!(stage.trail(other).await, ["site.registered"]);
}

pub async fn the_trail_is_told_of_what_is_new(stage: &Stage) {
    let site = stage.site_with_member().await;
    let epoch = first(stage, site).await.epoch;
    let told = async || stage.trail(site).await.split_off(2);
    for _ in 0..3 {
        acknowledge(stage, site, &epoch, &[synced("cust-1", 1), synced("cust-1", 1)]).await;
    }
    assert_eq!(told().await, ["member.synced"]);
    for _ in 0..3 {
        acknowledge(stage, site, &epoch, &[failed("cust-1", 1, "email_taken")]).await;
    }
    assert_eq!(told().await, ["member.synced", "member.sync_failed: email_taken"]);
    let at = stage.store.sync(site, &"cust-1".parse().unwrap()).await.unwrap().unwrap().at;
    stage.store.acknowledge(site, &epoch, &[failed("cust-1", 1, "email_taken")], after(9), &context()).await.unwrap();
    assert_eq!(following(stage, site, "cust-1").await.at, at, "nothing is written");

    // A report is asked for and given, and changes nothing.
    let position = asked(stage, site, "cust-1", Errand::ReportSessions).await.position;
    acknowledge(stage, site, &epoch, &[failed("cust-1", position, "email_taken")]).await;
    assert_eq!(told().await.len(), 2);
    assert_eq!(following(stage, site, "cust-1").await.state(), SyncState::Failed);
    let position = asked(stage, site, "cust-1", Errand::TryAgain).await.position;
    asked(stage, site, "cust-1", Errand::ReportSessions).await;
    acknowledge(stage, site, &epoch, &[failed("cust-1", position + 1, "email_taken")]).await;
    assert_eq!(told().await[2..], ["member.sync_asked", "member.sync_failed: email_taken"]);
    let last = stage.store.events(&Trail::Site(site), Reading::Before(u64::MAX), 1).await.unwrap();
    assert_eq!((last[0].cause.as_deref(), &last[0].context), (Some("email_taken"), &context()));
    let error = following(stage, site, "cust-1").await.error.unwrap();
    assert_eq!(error.message, "Somebody else has it.", "the site's own words stand with the member only");
}

pub async fn a_site_that_ever_changes_its_mind_does_not_fill_the_trail(stage: &Stage) {
    let site = stage.site_with_member().await;
    let epoch = first(stage, site).await.epoch;
    for number in 0..500 {
        let ack = failed("cust-1", 1, if number % 2 == 0 { "internal" } else { "email_taken" });
        acknowledge(stage, site, &epoch, &[ack]).await;
    }
    let told = stage.trail(site).await.split_off(2);
    assert_eq!(told.len(), 62);
    assert_eq!(told[61], "member.sync_failed: limit_site");
    // What it says last is known all the same, and what is new is told.
    acknowledge(stage, site, &epoch, &[synced("cust-1", 1)]).await;
    assert_eq!(following(stage, site, "cust-1").await.state(), SyncState::Synced);
    stage.put(site, "cust-1", Status::Canceled).await;
    acknowledge(stage, site, &epoch, &[synced("cust-1", 2)]).await;
    assert_eq!(stage.trail(site).await.split_off(64), ["member.changed", "member.synced"]);
}

pub async fn a_site_hears_of_a_member_that_was_removed(stage: &Stage) {
    let site = stage.site_with_member().await;
    stage.put(site, "cust-2", Status::Active).await;
    let epoch = first(stage, site).await.epoch;
    acknowledge(stage, site, &epoch, &[synced("cust-1", 1)]).await;
    let (ticket, subject) = (stage.issued(site).await, "cust-1".parse().unwrap());
    let wrong = stage.store.remove_member(site, &subject, Some(2), T0, &context()).await.unwrap();
    assert_eq!(wrong, MemberRemoval::RevisionMismatch { current: 1 });
    let right = stage.store.remove_member(site, &subject, Some(1), after(10), &context()).await.unwrap();
    let MemberRemoval::Removed(now) = right else { panic!("{right:?}") };
    assert_eq!((now.position, now.acknowledged, now.wordpress_user_id), (3, 1, None));
    // Again, also as a repetition of the very call, it is removed.
    let again = stage.store.remove_member(site, &subject, Some(1), after(11), &context()).await.unwrap();
    assert_eq!(again, MemberRemoval::AlreadyRemoved(now.clone()));
    assert_eq!(remove(stage, site, "nobody", T0).await, MemberRemoval::NotFound);

    assert_eq!(stage.store.member(site, &subject).await.unwrap(), None);
    assert_eq!(following(stage, site, "cust-1").await, now);
    let members = stage.store.members(site, 0, 10).await.unwrap();
    assert_eq!(members.iter().map(|member| member.subject.as_str()).collect::<Vec<_>>(), ["cust-2"]);
    for errand in [Errand::TryAgain, Errand::ReportSessions] {
        assert_eq!(ask(stage, site, "cust-1", errand).await, Asking::NotFound);
    }
    assert!(!stage.store.revoke_subject(site, &subject, T0, &context()).await.unwrap());
    assert_eq!(stage.redeem(&ticket, after(12)).await, Came::Refused(Refusal::Revoked));

    let news = pull(stage, site, Some(&epoch), 2).await;
    let [Change { wanted: None, position: 3, .. }] = &news.members[..] else { panic!("{news:?}") };
    let gone = Ack { applied: Applied::Synced { wordpress_user_id: None }, ..synced("cust-1", 3) };
    acknowledge(stage, site, &epoch, &[gone]).await;
    assert_eq!(following(stage, site, "cust-1").await.state(), SyncState::Synced);
    assert_eq!(
        stage.trail(site).await.split_off(3),
        ["member.synced", "handoff.issued", "member.removed", "handoff.refused: revoked", "member.synced"]
    );
    if let Backend::Redis(server) = &stage.backend {
        let kept: BTreeMap<String, String> = server.query(&["HGETALL", &format!("gp:{{{site}}}:m:cust-1")]).unwrap();
        assert!(!format!("{kept:?}").contains("mia"), "{kept:?}");
    }
}

pub async fn a_member_that_was_removed_is_none_to_log_in(stage: &Stage) {
    let site = stage.site_with_member().await;
    remove(stage, site, "cust-1", T0).await;
    let ticket = Ticket::for_subject(site, "cust-1", after(1));
    let issued = stage.store.issue(site, &ticket.handoff, &context()).await.unwrap();
    assert_eq!(issued, Issuance::MemberNotFound);
}

pub async fn a_member_is_made_anew_with_the_same_document_too(stage: &Stage) {
    let site = stage.site_with_member().await;
    let before = stage.issued(site).await;
    asked(stage, site, "cust-1", Errand::EndSessions).await;
    remove(stage, site, "cust-1", after(10)).await;
    asked(stage, site, "cust-1", Errand::EndSessions).await;
    let (subject, active) = ("cust-1".parse().unwrap(), wanted(Status::Active));
    let put = async |if_match| {
        stage.store.put_member(site, &subject, &active, if_match, after(20), &context()).await.unwrap()
    };
    assert_eq!(put(Some(3)).await, MemberPut::RevisionMismatch { current: 0 });
    let MemberPut::Created(member) = put(Some(0)).await else { panic!() };
    assert_eq!((member.revision, member.following.position, member.sessions_ended), (5, 5, 2));
    assert_eq!(member.following.state(), SyncState::Pending);
    assert_eq!(put(None).await, MemberPut::Unchanged(member.clone()));
    assert_eq!(stage.store.member(site, &subject).await.unwrap(), Some(member));
    assert_eq!(stage.redeem(&before, after(21)).await, Came::Refused(Refusal::Revoked));
    let later = stage.issue(Ticket::for_subject(site, "cust-1", after(30))).await;
    assert_eq!(stage.redeem(&later, after(31)).await, Came::Redeemed);
    let all = first(stage, site).await;
    assert_eq!(said(&all), [("cust-1", 5)]);
    assert_eq!(stage.store.members(site, 0, 10).await.unwrap().len(), 1);
}

pub async fn an_errand_takes_a_position_and_no_revision(stage: &Stage) {
    let site = stage.site_with_member().await;
    let epoch = first(stage, site).await.epoch;
    acknowledge(stage, site, &epoch, &[synced("cust-1", 1)]).await;
    let ticket = stage.issued(site).await;
    assert_eq!(ask(stage, site, "nobody", Errand::EndSessions).await, Asking::NotFound);

    let following = asked(stage, site, "cust-1", Errand::TryAgain).await;
    assert_eq!((following.position, following.acknowledged, following.state()), (2, 1, SyncState::Pending));
    let only = async |after| {
        let mut changes = pull(stage, site, Some(&epoch), after).await;
        assert_eq!(changes.members.len(), 1);
        changes.members.remove(0)
    };
    let change = only(1).await;
    assert_eq!((change.position, change.revision, change.sessions_ended, change.report_sessions), (2, 1, 0, false));

    asked(stage, site, "cust-1", Errand::EndSessions).await;
    let change = only(2).await;
    assert_eq!((change.position, change.revision, change.sessions_ended, change.report_sessions), (3, 1, 1, false));
    // What was issued is void with the sessions.
    let refused = Came::Refused(Refusal::Revoked);
    assert_eq!(stage.redeem(&ticket, after(6)).await, refused);

    asked(stage, site, "cust-1", Errand::ReportSessions).await;
    let change = only(3).await;
    assert_eq!((change.position, change.revision, change.sessions_ended, change.report_sessions), (4, 1, 1, true));
    // A change that comes in between does not hide it.
    stage.put(site, "cust-1", Status::Trialing).await;
    let change = only(4).await;
    assert_eq!((change.position, change.revision, change.sessions_ended, change.report_sessions), (5, 5, 1, true));
    acknowledge(stage, site, &epoch, &[synced("cust-1", 5)]).await;
    assert!(!only(0).await.report_sessions);
    let member = stage.store.member(site, &"cust-1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((member.revision, member.sessions_ended), (5, 1));
    assert_eq!(
        stage.trail(site).await.split_off(2),
        [
            "member.synced",
            "handoff.issued",
            "member.sync_asked",
            "member.sessions_ended",
            "handoff.refused: revoked",
            "member.changed",
            "member.synced"
        ]
    );
}

pub async fn a_report_of_sessions_does_not_hide_how_it_stands(stage: &Stage) {
    let site = stage.site_with_member().await;
    let (epoch, subject) = (first(stage, site).await.epoch, "cust-1".parse().unwrap());
    let stands = async || {
        let now = following(stage, site, "cust-1").await;
        let member = stage.store.member(site, &subject).await.unwrap().unwrap();
        assert_eq!(member.following, now);
        let listed = stage.store.members(site, 0, 10).await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&member));
        let put = stage.store.put_member(site, &subject, &member.wanted, None, T0, &context()).await.unwrap();
        assert_eq!(put, MemberPut::Unchanged(member));
        (now.position, now.state(), now.error.map(|error| error.code))
    };
    let refused = || Some("email_taken".to_owned());
    // Asked for before it has said anything.
    asked(stage, site, "cust-1", Errand::ReportSessions).await;
    assert_eq!(stands().await, (2, SyncState::Pending, None));
    acknowledge(stage, site, &epoch, &[failed("cust-1", 2, "email_taken")]).await;
    assert_eq!(stands().await, (2, SyncState::Failed, refused()));

    let answer = asked(stage, site, "cust-1", Errand::ReportSessions).await;
    assert_eq!((answer.position, answer.effect, answer.state()), (3, 1, SyncState::Failed));
    assert_eq!(stands().await, (3, SyncState::Failed, refused()));
    acknowledge(stage, site, &epoch, &[failed("cust-1", 3, "email_taken")]).await;
    assert_eq!(stands().await, (3, SyncState::Failed, refused()));

    for (position, errand) in [(4, Errand::TryAgain), (6, Errand::EndSessions)] {
        let answer = asked(stage, site, "cust-1", errand).await;
        assert_eq!((answer.effect, answer.state()), (position, SyncState::Pending));
        asked(stage, site, "cust-1", Errand::ReportSessions).await;
        assert_eq!(stands().await, (position + 1, SyncState::Pending, refused()));
        acknowledge(stage, site, &epoch, &[failed("cust-1", position + 1, "email_taken")]).await;
        assert_eq!(stands().await, (position + 1, SyncState::Failed, refused()));
    }
    stage.put(site, "cust-1", Status::Canceled).await;
    assert_eq!(stands().await, (8, SyncState::Pending, refused()));
    acknowledge(stage, site, &epoch, &[synced("cust-1", 8)]).await;
    asked(stage, site, "cust-1", Errand::ReportSessions).await;
    assert_eq!(stands().await, (9, SyncState::Synced, None));
}

pub async fn reported_sessions_are_kept_for_a_minute_for_whoever_asked(stage: &Stage) {
    let site = stage.site_with_member().await;
    let (epoch, subject) = (first(stage, site).await.epoch, "cust-1".parse().unwrap());
    let reported = async |position, now| stage.store.reported_sessions(site, &subject, position, now).await.unwrap();
    let telling = |position| Ack { sessions: Some(vec![session()]), ..synced("cust-1", position) };
    // Nobody asked.
    acknowledge(stage, site, &epoch, &[telling(1)]).await;
    assert_eq!(reported(0, after(7)).await, None);

    let position = asked(stage, site, "cust-1", Errand::ReportSessions).await.position;
    assert_eq!(acknowledge(stage, site, &epoch, &[telling(1)]).await, Acknowledged::Kept { kept: 0 });
    assert_eq!(reported(0, after(7)).await, None);
    acknowledge(stage, site, &epoch, &[telling(position)]).await;
    assert_eq!(reported(position, after(7)).await, Some(vec![session()]));
    assert_eq!(reported(position, after(60_006)).await, Some(vec![session()]));
    assert_eq!(reported(position, after(60_007)).await, None);
    assert_eq!(reported(position + 1, after(7)).await, None, "asked for later");
    // And told once only: nobody fills the store with them.
    let other = Ack { sessions: Some(Vec::new()), ..synced("cust-1", position) };
    acknowledge(stage, site, &epoch, &[other]).await;
    assert_eq!(reported(position, after(7)).await, Some(vec![session()]));

    let position = asked(stage, site, "cust-1", Errand::ReportSessions).await.position;
    acknowledge(stage, site, &epoch, &[telling(position)]).await;
    stage.store.sweep(after(60_006)).await.unwrap();
    assert!(reported(position, after(7)).await.is_some());
    stage.store.sweep(after(120_000)).await.unwrap();
    if matches!(stage.backend, Backend::Sqlite { .. }) {
        assert_eq!(reported(position, after(7)).await, None, "swept");
    }
    let position = asked(stage, site, "cust-1", Errand::ReportSessions).await.position;
    acknowledge(stage, site, &epoch, &[telling(position)]).await;
    remove(stage, site, "cust-1", T0).await;
    assert_eq!(reported(position, after(7)).await, None, "nothing is left of whoever is removed");
}

pub async fn members_are_listed_in_the_order_of_their_last_change(stage: &Stage) {
    let site = stage.site().await;
    for subject in ["a", "b", "c", "d"] {
        stage.put(site, subject, Status::Active).await;
    }
    stage.put(site, "a", Status::Canceled).await;
    remove(stage, site, "c", T0).await;
    let page = async |after, limit| {
        let members = stage.store.members(site, after, limit).await.unwrap();
        let place = |member: &Member| (member.subject.to_string(), member.following.position);
        members.iter().map(place).collect::<Vec<_>>()
    };
    let at = |subject: &str, position| (subject.to_owned(), position);
    assert_eq!(page(0, 2).await, [at("b", 2), at("d", 4)]);
    assert_eq!(page(4, 2).await, [at("a", 5)]);
    assert_eq!(page(5, 2).await, []);
    assert_eq!(page(u64::MAX, 2).await, []);
}

pub async fn many_members_are_put_in_their_order(stage: &Stage) {
    let site = stage.site_with_member().await;
    remove(stage, site, "cust-1", T0).await;
    let member = |subject: &str, status| (subject.parse().unwrap(), wanted(status));
    let mut many: Vec<_> = (0..1100).map(|number| member(&format!("c{number}"), Status::Active)).collect();
    many.push(member("c7", Status::Canceled));
    many.push(member("cust-1", Status::Active));
    many.push(member("cust-1", Status::Active));
    let came = stage.store.put_members(site, &many, T0, &context()).await.unwrap();
    assert_eq!(came.len(), many.len());
    for (number, came) in came[..1100].iter().enumerate() {
        let MemberPut::Created(member) = came else { panic!("{number}: {came:?}") };
        assert_eq!((member.subject.to_string(), member.revision), (format!("c{number}"), 3 + number as u64));
    }
    let [MemberPut::Updated(seven), MemberPut::Created(anew), MemberPut::Unchanged(same)] = &came[1100..] else {
        panic!("{:?}", &came[1100..])
    };
    assert_eq!((seven.revision, seven.following.position, anew), (1103, 1103, same));
    assert_eq!(stage.store.member(site, &seven.subject).await.unwrap().as_ref(), Some(seven));
    assert_eq!(progress(stage, site).await.position, 1104);
    let again = stage.store.put_members(site, &many[..1], T0, &context()).await.unwrap();
    assert_eq!(again, [MemberPut::Unchanged(stage.store.member(site, &many[0].0).await.unwrap().unwrap())]);
    assert_eq!(stage.store.put_members(site, &[], T0, &context()).await.unwrap(), []);
}

pub async fn how_far_a_site_has_pulled_is_noted(stage: &Stage) {
    let site = stage.site_with_member().await;
    let other = stage.site_of("default", "https://b.example").await;
    let epoch = first(stage, other).await.epoch;
    let pulled = async |now, after| {
        stage.store.changes(site, Some(&epoch), after, 10, now).await.unwrap();
        let Progress { pulled, delivery, .. } = progress(stage, site).await;
        (pulled, delivery.pulled_at)
    };
    assert_eq!(progress(stage, site).await, Progress { position: 1, ..Progress::default() });
    first(stage, site).await;
    assert_eq!(pulled(after(0), 1).await, (1, Some(after(0))));
    assert_eq!(pulled(after(59_999), 1).await, (1, Some(after(0))), "seldom written");
    assert_eq!(pulled(after(60_000), 1).await, (1, Some(after(60_000))));
    assert_eq!(pulled(after(10), 1).await, (1, Some(after(10))), "the clock was put back");
    // A site that was set back says so.
    assert_eq!(pulled(after(20), 0).await, (0, Some(after(20))));
    assert_eq!(pulled(after(30), 7).await, (0, Some(after(20))), "a cursor beyond the end is none");
}

pub async fn how_a_site_is_told_is_kept_beside(stage: &Stage) {
    let site = stage.site_with_member().await;
    first(stage, site).await;
    let delivery = Delivery {
        pulled_at: Some(after(99)),
        failing_since: Some(after(1)),
        error: Some("connection refused".to_owned()),
        next_try_at: Some(after(2)),
    };
    stage.store.note_delivery(site, &delivery).await.unwrap();
    assert_eq!(progress(stage, site).await.delivery, Delivery { pulled_at: Some(T0), ..delivery });
    stage.store.note_delivery(site, &Delivery::default()).await.unwrap();
    assert_eq!(progress(stage, site).await.delivery, Delivery { pulled_at: Some(T0), ..Delivery::default() });
}

pub async fn a_site_is_behind_until_it_has_pulled_everything(stage: &Stage) {
    let (site, unpaired) = (stage.site().await, stage.site_of("default", "https://b.example").await);
    stage.put(unpaired, "cust-1", Status::Active).await;
    assert_eq!(behind(&*stage.store).await, []);
    pair(stage, site).await;
    assert_eq!(behind(&*stage.store).await, [site], "it has never pulled");
    let epoch = first(stage, site).await.epoch;
    assert_eq!(behind(&*stage.other).await, []);
    let mut cursor = 0;
    for step in 0..6 {
        match step {
            0 => stage.put(site, "cust-1", Status::Active).await,
            1 => {
                let paused = [("cust-1".parse().unwrap(), wanted(Status::Paused))];
                stage.store.put_members(site, &paused, T0, &context()).await.unwrap();
            }
            2 => drop(asked(stage, site, "cust-1", Errand::EndSessions).await),
            3 => drop(asked(stage, site, "cust-1", Errand::TryAgain).await),
            4 => drop(asked(stage, site, "cust-1", Errand::ReportSessions).await),
            _ => drop(remove(stage, site, "cust-1", T0).await),
        }
        for _ in 0..2 {
            assert_eq!(behind(&*stage.store).await, [site], "{step}");
            assert_eq!(behind(&*stage.other).await, [site], "{step}");
        }
        let changes = pull(stage, site, Some(&epoch), cursor).await;
        assert_eq!(changes.members.len(), 1, "{step}");
        assert_eq!(behind(&*stage.store).await, [site], "it has been told, and has not said that it followed");
        cursor = changes.next;
        assert!(pull(stage, site, Some(&epoch), cursor).await.members.is_empty());
        assert_eq!(behind(&*stage.store).await, [], "{step}");
    }
    // Paired with another WordPress, which knows nothing.
    pair(stage, site).await;
    assert_eq!(progress(stage, site).await.delivery, Delivery::default());
    assert_eq!(behind(&*stage.store).await, [site]);
    stage.store.remove_site(site, T0, &context()).await.unwrap();
    assert_eq!(behind(&*stage.store).await, []);
}

pub async fn of_many_sites_behind_none_is_missed_for_long(stage: &Stage) {
    for number in 0..30 {
        let site = stage.site_of("default", &format!("https://{number}.example")).await;
        pair(stage, site).await;
    }
    let all = behind(&*stage.store).await;
    assert_eq!(all.len(), 30);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let some = stage.store.behind(10).await.unwrap();
        assert_eq!(some.len(), 10);
        seen.extend(some);
    }
    assert_eq!(seen.len(), 30);
}

pub async fn after_a_change_of_the_primary_everything_is_pulled_again(stage: &Stage) {
    let site = stage.site_with_member().await;
    pair(stage, site).await;
    let epoch = first(stage, site).await.epoch;
    pull(stage, site, Some(&epoch), 1).await;
    acknowledge(stage, site, &epoch, &[synced("cust-1", 1)]).await;
    assert_eq!(behind(&*stage.store).await, []);
    stage.change_primary();
    let store = stage.reconnected().await;
    assert_eq!(behind(&*store).await, [site]);
    assert_eq!(store.progress(site).await.unwrap().unwrap().pulled, 0);
    let late = store.acknowledge(site, &epoch, &[failed("cust-1", 1, "internal")], T0, &context()).await.unwrap();
    assert_eq!(late, Acknowledged::OtherEpoch);
    let sync = store.sync(site, &"cust-1".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(sync.state(), SyncState::Synced, "the late one counts for nothing");

    let all = store.changes(site, Some(&epoch), 1, PAGE, T0).await.unwrap().unwrap();
    assert!(all.resync && all.epoch != epoch);
    assert_eq!(said(&all), [("cust-1", 1)]);
    assert_eq!(behind(&*store).await, [site]);
    let end = store.changes(site, Some(&all.epoch), all.next, PAGE, T0).await.unwrap().unwrap();
    assert!(!end.resync && end.members.is_empty());
    assert_eq!(behind(&*store).await, []);
}

pub async fn after_the_store_was_put_back_everything_is_pulled_again(stage: &Stage) {
    let site = stage.site().await;
    for number in 1..=10 {
        stage.put(site, &format!("c{number}"), Status::Active).await;
    }
    let ten = first(stage, site).await;
    let copy = stage.copy();
    for number in 11..=15 {
        stage.put(site, &format!("c{number}"), Status::Active).await;
    }
    let fifteen = pull(stage, site, Some(&ten.epoch), ten.next).await;
    assert_eq!((ten.next, fifteen.next), (10, 15));

    // What was at 11 to 15 never was, and other things are there now.
    stage.put_back(&copy);
    for number in 1..=6 {
        stage.put(site, &format!("c{number}"), Status::Canceled).await;
    }
    let all = pull(stage, site, Some(&fifteen.epoch), fifteen.next).await;
    assert_eq!((&all.epoch, all.resync, all.members.len(), all.next), (&ten.epoch, true, 10, 16));
    let end = pull(stage, site, Some(&all.epoch), all.next).await;
    assert_eq!((end.resync, said(&end)), (false, vec![]));

    // A cursor from before the copy is as good as it was.
    stage.put_back(&copy);
    let same = pull(stage, site, Some(&ten.epoch), 10).await;
    assert_eq!((same.resync, said(&same)), (false, vec![]));
    stage.put(site, "c1", Status::Canceled).await;
    let news = pull(stage, site, Some(&ten.epoch), 10).await;
    assert_eq!((news.resync, said(&news)), (false, vec![("c1", 11)]));
    assert!(!pull(stage, site, Some(&ten.epoch), 11).await.resync);
}

pub async fn a_cursor_that_another_wordpress_was_given_is_none(stage: &Stage) {
    let site = stage.site_with_member().await;
    pair(stage, site).await;
    let all = first(stage, site).await;
    assert!(!pull(stage, site, Some(&all.epoch), all.next).await.resync);
    pair(stage, site).await;
    assert!(pull(stage, site, Some(&all.epoch), all.next).await.resync);
}

/// Two look who is behind, and one puts in the middle of it. At first the site is marked, and has pulled everything.
pub async fn nobody_takes_away_the_mark_that_another_has_just_made(stage: &Stage) {
    let site = stage.site().await;
    pair(stage, site).await;
    let (epoch, subject) = (first(stage, site).await.epoch, "cust-1".parse().unwrap());
    for round in 0..120 {
        let (store, other) = (Arc::clone(&stage.store), Arc::clone(&stage.other));
        let status = if round % 2 == 0 { Status::Active } else { Status::Paused };
        let put = async {
            // Each round a round trip later.
            for _ in 0..round % 8 {
                stage.store.ping().await.unwrap();
            }
            stage.store.put_member(site, &subject, &wanted(status), None, T0, &context()).await.unwrap()
        };
        let looks = [tokio::spawn(async move { store.behind(10).await }), tokio::spawn(async move { other.behind(10).await })];
        let put = put.await;
        for look in looks {
            look.await.unwrap().unwrap();
        }
        assert!(matches!(put, MemberPut::Created(_) | MemberPut::Updated(_)));
        assert_eq!(behind(&*stage.store).await, [site], "round {round}");
        let end = first(stage, site).await.next;
        assert!(!pull(stage, site, Some(&epoch), end).await.resync);
    }
}

/// While 64 write, one pulls.
pub async fn while_others_write_no_change_is_lost(stage: &Stage) {
    const WRITES: u64 = 12;
    let site = stage.site().await;
    let mut writers = JoinSet::new();
    for number in 0..64 {
        let store = Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
        writers.spawn(async move {
            let mut positions = Vec::new();
            // Each subject has several writers.
            let subject = format!("c{}", number % 20).parse().unwrap();
            for write in 0..WRITES {
                let display_name = format!("{number} {write}");
                let wanted = Wanted { display_name, ..wanted(Status::Active) };
                if write % 5 == 4 {
                    match store.remove_member(site, &subject, None, T0, &context()).await.unwrap() {
                        MemberRemoval::Removed(following) => positions.push(following.position),
                        other => assert!(matches!(other, MemberRemoval::AlreadyRemoved(_)), "{other:?}"),
                    }
                    continue;
                }
                match store.put_member(site, &subject, &wanted, None, T0, &context()).await.unwrap() {
                    MemberPut::Created(member) | MemberPut::Updated(member) => positions.push(member.revision),
                    other => panic!("{other:?}"),
                }
            }
            positions
        });
    }
    let (mut cursor, mut epoch, mut known) = (0, None::<String>, BTreeMap::new());
    let mut positions = Vec::new();
    let mut pages = 0;
    loop {
        let done = writers.is_empty();
        let changes = stage.store.changes(site, epoch.as_deref(), cursor, 3, T0).await.unwrap().unwrap();
        pages += 1;
        assert!(!changes.resync);
        let mut last = cursor;
        for Change { subject, position, wanted, .. } in changes.members {
            assert!(position > last, "in order");
            last = position;
            known.insert(subject, (position, wanted));
        }
        (cursor, epoch) = (changes.next, Some(changes.epoch));
        while let Some(ended) = writers.try_join_next() {
            positions.extend(ended.unwrap());
        }
        if done && !changes.more {
            break;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let given = positions.len() as u64;
    positions.sort_unstable();
    assert_eq!(positions, (1..=given).collect::<Vec<_>>(), "each position is given once");
    assert_eq!((progress(stage, site).await.position, cursor), (given, given));
    assert!(pages > 1);
    for (subject, (position, wanted)) in known {
        let member = stage.store.member(site, &subject).await.unwrap();
        assert_eq!(member.map(|member| member.wanted), wanted, "{subject}");
        assert_eq!(stage.store.sync(site, &subject).await.unwrap().unwrap().position, position, "{subject}");
    }
}
