use std::time::Duration;

use gatepass_core::handoff::{Issuance, Outcome, RECORD_RETENTION, Refusal, Revocation, State};
use gatepass_core::member::Status;
use gatepass_core::store::OutcomeReport;

use crate::pairing::{proven, put_code};
use crate::stage::{Backend, Came, Stage, T0, Ticket, after, context};

const IN: Outcome = Outcome::LoggedIn { wordpress_user_id: 7, created: true };

fn failed() -> Outcome {
    Outcome::Failed { code: "account_privileged".to_owned(), wordpress_user_id: Some(1) }
}

pub async fn issuing_needs_a_member_whose_membership_is_in_force(stage: &Stage) {
    let site = stage.site().await;
    let ticket = Ticket::new(site);
    let by = context();
    let issue = || stage.store.issue(site, &ticket.handoff, &by);
    assert_eq!(issue().await.unwrap(), Issuance::MemberNotFound);
    stage.put(site, "cust-1", Status::Canceled).await;
    assert_eq!(issue().await.unwrap(), Issuance::MembershipInactive);
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::NoRecord));
    stage.put(site, "cust-1", Status::Trialing).await;
    assert_eq!(issue().await.unwrap(), Issuance::Issued);
    let trail = stage.trail(site).await;
    assert!(trail.contains(&"handoff.issue_refused: member_not_found".to_owned()), "{trail:?}");
    assert!(trail.contains(&"handoff.issue_refused: membership_inactive".to_owned()), "{trail:?}");
}

async fn state(stage: &Stage, ticket: &Ticket, millis: u64) -> State {
    stage.store.handoff(ticket.site, ticket.handoff.id).await.unwrap().unwrap().state(after(millis))
}

pub async fn its_state_tells_its_life(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    assert_eq!(state(stage, &ticket, 64_999).await, State::Issued);
    assert_eq!(state(stage, &ticket, 65_000).await, State::Expired);
    stage.redeem(&ticket, T0).await;
    assert_eq!(state(stage, &ticket, 70_000).await, State::Redeemed);
    stage.store.report_outcome(site, ticket.handoff.id, &IN, T0, &context()).await.unwrap();
    assert_eq!(state(stage, &ticket, 0).await, State::LoggedIn);

    let ticket = stage.issued(site).await;
    stage.redeem(&ticket, T0).await;
    stage.store.report_outcome(site, ticket.handoff.id, &failed(), T0, &context()).await.unwrap();
    assert_eq!(state(stage, &ticket, 0).await, State::Refused);
    let kept = stage.store.handoff(site, ticket.handoff.id).await.unwrap().unwrap();
    assert_eq!(kept.outcome, Some(failed()));
    assert_eq!((kept.subject.as_str(), kept.issued_at, kept.redeemed_at), ("cust-1", T0, Some(T0)));
}

pub async fn revoking_twice_is_revoking_once(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    for millis in [1, 2] {
        let revoked = stage.store.revoke_handoff(site, ticket.handoff.id, after(millis), &context()).await.unwrap();
        let Revocation::Revoked(handoff) = revoked else { panic!("{revoked:?}") };
        assert_eq!(handoff.revoked_at, Some(after(1)));
    }
    assert_eq!(state(stage, &ticket, 0).await, State::Revoked);
    assert_eq!(stage.trail(site).await.iter().filter(|line| *line == "handoff.revoked").count(), 1);
    let unknown = stage.store.revoke_handoff(site, Ticket::new(site).handoff.id, T0, &context()).await.unwrap();
    assert!(matches!(unknown, Revocation::NotFound));
}

pub async fn a_clock_that_was_put_back_brings_nothing_void_back(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issue(Ticket::for_subject(site, "cust-1", after(1000))).await;
    let subject = "cust-1".parse().unwrap();
    stage.store.revoke_subject(site, &subject, after(2000), &context()).await.unwrap();
    stage.store.revoke_subject(site, &subject, T0, &context()).await.unwrap();
    assert_eq!(stage.redeem(&ticket, after(3000)).await, Came::Refused(Refusal::Revoked));

    let ticket = stage.issue(Ticket::for_subject(site, "cust-1", after(4000))).await;
    for millis in [5000, 0] {
        put_code(&*stage.store, site, "again", true, after(millis)).await;
        stage.store.pair(site, &proven("again", 1), after(millis), &context()).await.unwrap();
    }
    assert_eq!(stage.redeem(&ticket, after(6000)).await, Came::Refused(Refusal::Revoked));
}

pub async fn a_handoff_that_is_void_already_can_be_revoked(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.store.revoke_subject(site, &"cust-1".parse().unwrap(), T0, &context()).await.unwrap();
    let revoked = stage.store.revoke_handoff(site, ticket.handoff.id, after(1), &context()).await.unwrap();
    assert!(matches!(revoked, Revocation::Revoked(_)), "{revoked:?}");
    assert_eq!(stage.trail(site).await.last().map(String::as_str), Some("handoff.revoked"));
}

pub async fn what_voids_a_handoff_shows_in_its_state(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.store.revoke_subject(site, &"cust-1".parse().unwrap(), T0, &context()).await.unwrap();
    assert_eq!(state(stage, &ticket, 0).await, State::Revoked);
    let ticket = stage.issue(Ticket::for_subject(site, "cust-1", after(1))).await;
    assert_eq!(state(stage, &ticket, 1).await, State::Issued);
    stage.store.revoke_key(site, &ticket.handoff.kid, after(2), &context()).await.unwrap();
    assert_eq!(state(stage, &ticket, 2).await, State::Revoked);
}

pub async fn a_redeemed_handoff_is_not_revoked(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.redeem(&ticket, T0).await;
    let revoked = stage.store.revoke_handoff(site, ticket.handoff.id, T0, &context()).await.unwrap();
    assert!(matches!(revoked, Revocation::AlreadyRedeemed(_)), "{revoked:?}");
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Repeated);
}

pub async fn the_first_outcome_stays(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.redeem(&ticket, T0).await;
    let report = async |outcome: Outcome| {
        stage.store.report_outcome(site, ticket.handoff.id, &outcome, T0, &context()).await.unwrap()
    };
    assert_eq!(report(IN).await, OutcomeReport::Recorded);
    assert_eq!(report(failed()).await, OutcomeReport::AlreadyRecorded);
    assert_eq!(state(stage, &ticket, 0).await, State::LoggedIn);
    assert_eq!(stage.trail(site).await.last().unwrap(), "handoff.logged_in");
}

pub async fn an_outcome_needs_a_redemption(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let report = stage.store.report_outcome(site, ticket.handoff.id, &IN, T0, &context()).await.unwrap();
    assert_eq!(report, OutcomeReport::NotRedeemed);
    assert_eq!(state(stage, &ticket, 0).await, State::Issued);
}

/// `SQLite` by the sweep, Redis by the time to live that it was given.
pub async fn a_record_can_be_read_for_an_hour_after_expiry(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let id = ticket.handoff.id;
    let end = ticket.handoff.expires_at.plus(RECORD_RETENTION);
    let just_before = gatepass_core::Timestamp::from_millis(end.millis() - 1);
    match &stage.backend {
        Backend::Sqlite { .. } => {
            assert_eq!(stage.store.sweep(just_before).await.unwrap(), 0);
            assert!(stage.store.handoff(site, id).await.unwrap().is_some());
            assert_eq!(stage.store.sweep(end).await.unwrap(), 1);
            assert!(stage.store.handoff(site, id).await.unwrap().is_none());
        }
        Backend::Redis(server) => {
            let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
            let key = format!("gp:{{{site}}}:h:{id}");
            let left: u64 = redis::cmd("PTTL").arg(key).query(&mut connection).unwrap();
            let whole = T0.age_at(end);
            let left = Duration::from_millis(left);
            assert!(left <= whole && left + Duration::from_secs(60) > whole, "{left:?} of {whole:?}");
        }
    }
}
