use gatepass_core::handoff::{ATTEMPT_WINDOW, Intent, Presented, Redemption, Refusal};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::member::Status;
use gatepass_core::store::MemberPut;
use gatepass_keys::token::LEEWAY;

use crate::pairing::{code, proven};
use crate::stage::{Came, Stage, T0, Ticket, after, attempt, came, context, wanted};

const WINDOW: u64 = ATTEMPT_WINDOW.as_millis() as u64;

pub async fn a_token_logs_in_once(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let redemption = stage.store.redeem(site, &ticket.presented, after(10), &context()).await.unwrap();
    let Redemption::Redeemed(redeemed) = redemption else { panic!("{redemption:?}") };
    assert_eq!(redeemed.id(), ticket.handoff.id);
    assert_eq!(redeemed.details(), &ticket.handoff.details);
    assert_eq!(redeemed.member().subject.as_str(), "cust-1");
    assert_eq!(redeemed.member().wanted, wanted(Status::Active));
    assert_eq!(redeemed.member().revision, 1);
    assert_eq!(stage.redeem(&ticket.by_attempt(2), after(20)).await, Came::Refused(Refusal::Used));
}

pub async fn the_same_attempt_gets_the_same_answer_for_15_seconds(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
    let again = stage.store.redeem(site, &ticket.presented, after(WINDOW - 1), &context()).await.unwrap();
    let Redemption::Repeated(redeemed) = again else { panic!("{again:?}") };
    assert_eq!(redeemed.details(), &ticket.handoff.details);
    assert_eq!(redeemed.member().wanted, wanted(Status::Active));
    assert_eq!(stage.redeem(&ticket, after(WINDOW)).await, Came::Refused(Refusal::Used));

    // Also when the token expired in between: the answer may have been lost in its last second.
    let late = stage.issue(Ticket::for_subject(site, "cust-1", T0)).await;
    assert_eq!(stage.redeem(&late, after(64_000)).await, Came::Redeemed);
    assert_eq!(stage.redeem(&late, after(64_000 + WINDOW - 1)).await, Came::Repeated);
}

pub async fn a_repeated_attempt_is_refused_once_revoked_or_canceled(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
    stage.put(site, "cust-1", Status::Canceled).await;
    assert_eq!(stage.redeem(&ticket, after(1)).await, Came::Refused(Refusal::MembershipInactive));
    stage.put(site, "cust-1", Status::Active).await;
    assert_eq!(stage.redeem(&ticket, after(2)).await, Came::Repeated);
    stage.store.revoke_subject(site, &"cust-1".parse().unwrap(), after(3), &context()).await.unwrap();
    assert_eq!(stage.redeem(&ticket, after(4)).await, Came::Refused(Refusal::Revoked));
}

pub async fn no_record_means_no_login(stage: &Stage) {
    let site = stage.site_with_member().await;
    assert_eq!(stage.redeem(&Ticket::new(site), T0).await, Came::Refused(Refusal::NoRecord));
}

pub async fn another_token_with_a_live_id_is_refused(stage: &Stage) {
    let site = stage.site_with_member().await;
    stage.put(site, "cust-2", Status::Active).await;
    let ticket = stage.issued(site).await;
    let mut forged = ticket.clone();
    forged.presented.token_hash = Ticket::for_subject(site, "cust-2", T0).presented.token_hash;
    forged.presented.subject = "cust-2".parse().unwrap();
    assert_eq!(stage.redeem(&forged, T0).await, Came::Refused(Refusal::Mismatch));
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
    // Neither does knowing the attempt that redeemed the real one help.
    assert_eq!(stage.redeem(&forged, T0).await, Came::Refused(Refusal::Mismatch));
}

pub async fn a_token_from_before_the_primary_changed_is_superseded(stage: &Stage) {
    let site = stage.site_with_member().await;
    let (fresh, spent) = (stage.issued(site).await, stage.issued(site).await);
    assert_eq!(stage.redeem(&spent, T0).await, Came::Redeemed);
    stage.change_primary();
    assert_eq!(stage.redeem(&fresh, T0).await, Came::Refused(Refusal::Superseded));
    assert_eq!(stage.redeem(&spent, T0).await, Came::Refused(Refusal::Superseded));
    let ticket = stage.issued(site).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
}

pub async fn a_token_of_another_site_has_no_record(stage: &Stage) {
    let site = stage.site_with_member().await;
    let other = stage.site_of("default", "https://other.example").await;
    stage.put(other, "cust-1", Status::Active).await;
    let mut ticket = stage.issued(site).await;
    ticket.site = other;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::NoRecord));
}

pub async fn it_expires_on_the_millisecond(stage: &Stage) {
    let site = stage.site_with_member().await;
    let (in_time, late) = (stage.issued(site).await, stage.issued(site).await);
    let end = 60_000 + LEEWAY.as_millis() as u64;
    assert_eq!(stage.redeem(&in_time, after(end - 1)).await, Came::Redeemed);
    assert_eq!(stage.redeem(&late, after(end)).await, Came::Refused(Refusal::Expired));
}

pub async fn it_is_revoked_with_its_handoff_subject_key_or_pairing(stage: &Stage) {
    let site = stage.site_with_member().await;
    let subject = "cust-1".parse().unwrap();

    let ticket = stage.issued(site).await;
    stage.store.revoke_handoff(site, ticket.handoff.id, T0, &context()).await.unwrap();
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::Revoked));

    let ticket = stage.issued(site).await;
    assert!(stage.store.revoke_subject(site, &subject, T0, &context()).await.unwrap());
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::Revoked));
    let nobody = "nobody".parse().unwrap();
    assert!(!stage.store.revoke_subject(site, &nobody, T0, &context()).await.unwrap());

    let ticket = stage.issue(Ticket::for_subject(site, "cust-1", after(1))).await;
    let secret_hash = code(stage, site, "one", after(2)).await;
    stage.store.pair(site, &proven(&secret_hash, 1), after(2), &context()).await.unwrap();
    assert_eq!(stage.redeem(&ticket, after(2)).await, Came::Refused(Refusal::Revoked));

    let ticket = stage.issue(Ticket::for_subject(site, "cust-1", after(3))).await;
    assert_eq!(stage.redeem(&ticket, after(3)).await, Came::Redeemed);
    let ticket = stage.issue(Ticket::for_subject(site, "cust-1", after(4))).await;
    for _ in 0..2 {
        stage.store.revoke_key(site, &ticket.handoff.kid, after(4), &context()).await.unwrap();
    }
    assert_eq!(stage.redeem(&ticket, after(4)).await, Came::Refused(Refusal::Revoked));
    assert_eq!(stage.trail(site).await.iter().filter(|line| *line == "key.revoked").count(), 1);
}

pub async fn a_membership_that_ended_since_issue_is_refused(stage: &Stage) {
    let site = stage.site_with_member().await;
    for status in [Status::Canceled, Status::Paused, Status::Expired, Status::PastDue] {
        stage.put(site, "cust-1", Status::Active).await;
        let ticket = stage.issued(site).await;
        stage.put(site, "cust-1", status).await;
        assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::MembershipInactive), "{status:?}");
    }
    // By the clock alone, to the millisecond.
    let mut until = wanted(Status::Active);
    until.membership.valid_until = Some(after(1000));
    let put = stage.store.put_member(site, &"cust-1".parse().unwrap(), &until, None, T0, &context()).await;
    assert!(matches!(put, Ok(MemberPut::Updated(_))));
    let (in_time, late) = (stage.issued(site).await, stage.issued(site).await);
    assert_eq!(stage.redeem(&in_time, after(999)).await, Came::Redeemed);
    assert_eq!(stage.redeem(&late, after(1000)).await, Came::Refused(Refusal::MembershipInactive));
}

pub async fn it_is_bound_to_its_browser(stage: &Stage) {
    let site = stage.site_with_member().await;
    let mut ticket = Ticket::new(site);
    ticket.handoff.binding = Some("cookie-a".to_owned());
    let mut ticket = stage.issue(ticket).await;
    for wrong in [None, Some("cookie-b"), Some("")] {
        ticket.presented.binding = wrong.map(str::to_owned);
        assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::BindingMismatch));
    }
    ticket.presented.binding = Some("cookie-a".to_owned());
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
}

pub async fn once_a_site_takes_only_bound_handoffs_it_takes_no_other_that_is_on_its_way(stage: &Stage) {
    let site = stage.site_with_member().await;
    let mut unbound = stage.issued(site).await;
    let mut bound = Ticket::new(site);
    bound.handoff.binding = Some("cookie-a".to_owned());
    let mut bound = stage.issue(bound).await;
    for presented in [&mut unbound.presented, &mut bound.presented] {
        presented.must_be_bound = true;
        presented.binding = Some("cookie-a".to_owned());
    }
    assert_eq!(stage.redeem(&unbound, T0).await, Came::Refused(Refusal::BindingMismatch));
    unbound.presented.binding = None;
    assert_eq!(stage.redeem(&unbound, T0).await, Came::Refused(Refusal::BindingMismatch));
    assert_eq!(stage.redeem(&bound, T0).await, Came::Redeemed);
    unbound.presented.must_be_bound = false;
    assert_eq!(stage.redeem(&unbound, T0).await, Came::Redeemed, "nothing of that spent it");
}

pub async fn where_the_panel_is_asked_nothing_is_redeemed_for_which_it_was_not(stage: &Stage) {
    let site = stage.site_with_member().await;
    let mut unasked = stage.issued(site).await;
    unasked.presented.must_be_asked = true;
    assert_eq!(stage.redeem(&unasked, T0).await, Came::Refused(Refusal::NotAsked));
    unasked.presented.intent = Intent::Preview;
    assert_eq!(stage.redeem(&unasked, T0).await, Came::Refused(Refusal::NotAsked));

    let mut asked = Ticket::new(site);
    asked.handoff.details.asked_at = Some(T0);
    let mut asked = stage.issue(asked).await;
    asked.presented.must_be_asked = true;
    assert_eq!(stage.redeem(&asked, T0).await, Came::Redeemed);

    unasked.presented = Presented { must_be_asked: false, intent: Intent::Spend, ..unasked.presented.clone() };
    assert_eq!(stage.redeem(&unasked, T0).await, Came::Redeemed, "nothing of that spent it");
}

pub async fn outcomes_are_decided_in_their_order(stage: &Stage) {
    assert_order(stage, Intent::Spend).await;
}

/// Each step adds one more reason that is decided *earlier*, so that a store with another order fails.
pub async fn assert_order(stage: &Stage, intent: Intent) {
    let site = stage.site_with_member().await;
    let mut ticket = Ticket::new(site).to(intent);
    ticket.handoff.binding = Some("cookie-a".to_owned());
    let mut ticket = stage.issue(ticket).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::BindingMismatch));
    stage.put(site, "cust-1", Status::Canceled).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::MembershipInactive));
    ticket.presented.must_be_asked = true;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::NotAsked));
    let late = after(3_000_000);
    assert_eq!(stage.redeem(&ticket, late).await, Came::Refused(Refusal::Expired));
    stage.store.revoke_handoff(site, ticket.handoff.id, T0, &context()).await.unwrap();
    assert_eq!(stage.redeem(&ticket, late).await, Came::Refused(Refusal::Revoked));

    stage.put(site, "cust-1", Status::Active).await;
    let spent = stage.issued(site).await;
    assert_eq!(stage.redeem(&spent, T0).await, Came::Redeemed);
    let spent = spent.to(intent);
    stage.put(site, "cust-1", Status::Canceled).await;
    assert_eq!(stage.redeem(&spent, after(1)).await, Came::Refused(Refusal::MembershipInactive));
    stage.store.revoke_subject(site, &"cust-1".parse().unwrap(), T0, &context()).await.unwrap();
    assert_eq!(stage.redeem(&spent, after(1)).await, Came::Refused(Refusal::Revoked));
    assert_eq!(stage.redeem(&spent.by_attempt(2), after(1)).await, Came::Refused(Refusal::Used));
    stage.change_primary();
    assert_eq!(stage.redeem(&spent.by_attempt(2), after(1)).await, Came::Refused(Refusal::Superseded));
    let mut other_token = spent;
    other_token.presented.token_hash = Ticket::new(site).presented.token_hash;
    assert_eq!(stage.redeem(&other_token, after(1)).await, Came::Refused(Refusal::Mismatch));
    other_token.presented.id = Ticket::new(site).presented.id;
    assert_eq!(stage.redeem(&other_token, after(1)).await, Came::Refused(Refusal::NoRecord));
}

pub async fn a_refusal_spends_nothing(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.put(site, "cust-1", Status::Paused).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::MembershipInactive));
    stage.put(site, "cust-1", Status::Active).await;
    assert_eq!(stage.redeem(&ticket.by_attempt(2), T0).await, Came::Redeemed);
}

/// How many tokens are raced for: 50, or 1,000 with `GATEPASS_TEST_LONG`.
pub fn races() -> u32 {
    if std::env::var_os("GATEPASS_TEST_LONG").is_some() { 1000 } else { 50 }
}

/// What comes of 64 who present a token at once, each by this attempt and for this.
pub async fn race(stage: &Stage, ticket: &Ticket, attempt_of: impl Fn(u8) -> (u8, Intent)) -> Vec<Came> {
    let start = std::sync::Arc::new(tokio::sync::Barrier::new(64));
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..64 {
        let store = if number % 2 == 0 { &stage.store } else { &stage.other };
        let (store, start) = (std::sync::Arc::clone(store), std::sync::Arc::clone(&start));
        let (site, mut presented) = (ticket.site, ticket.presented.clone());
        let (by, intent) = attempt_of(number);
        (presented.attempt_hash, presented.intent) = (attempt(by), intent);
        racers.spawn(async move {
            start.wait().await;
            came(store.redeem(site, &presented, after(1), &context()).await.unwrap())
        });
    }
    racers.join_all().await
}

pub async fn of_64_racers_exactly_one_wins(stage: &Stage) {
    let site = stage.site_with_member().await;
    for _ in 0..races() {
        let ticket = stage.issued(site).await;
        let results = race(stage, &ticket, |number| (number, Intent::Spend)).await;
        assert_eq!(results.iter().filter(|came| **came == Came::Redeemed).count(), 1);
        assert_eq!(results.iter().filter(|came| **came == Came::Refused(Refusal::Used)).count(), 63);
    }
}

pub async fn of_64_racing_posts_of_one_attempt_all_get_the_same_answer(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let results = race(stage, &ticket, |_| (1, Intent::Spend)).await;
    assert_eq!(results.iter().filter(|came| **came == Came::Redeemed).count(), 1);
    assert_eq!(results.iter().filter(|came| **came == Came::Repeated).count(), 63);
}

pub async fn every_step_writes_its_event(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.redeem(&ticket, T0).await;
    stage.redeem(&ticket, T0).await;
    stage.redeem(&ticket.by_attempt(2), T0).await;
    let trail = [
        "site.registered",
        "member.changed",
        "handoff.issued",
        "handoff.redeemed",
        "handoff.repeated",
        "handoff.refused: used",
    ];
    assert_eq!(stage.trail(site).await, trail);
    let event = stage.store.events(&Trail::Site(site), Reading::After(5), 1).await.unwrap().remove(0);
    assert_eq!(event.handoff_id, Some(ticket.handoff.id));
    assert_eq!(event.subject, Some(ticket.handoff.subject));
    assert_eq!(event.at, T0);
    assert_eq!(event.context, context());
}
