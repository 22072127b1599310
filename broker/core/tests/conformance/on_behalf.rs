//! Handoffs by which somebody of the panel's staff acts for a customer.

use gatepass_core::handoff::{ON_BEHALF_SESSION, OnBehalf, Outcome, Redemption, Refusal, Revocation};
use gatepass_core::member::Status;
use gatepass_core::trail::{Reading, Trail};

use crate::stage::{Came, Stage, T0, Ticket, context};

const IN: Outcome = Outcome::LoggedIn { wordpress_user_id: 7, created: false };

/// Whose name would break out of anything that is not careful with it.
fn staff() -> OnBehalf {
    OnBehalf {
        subject: "staff-1".parse().unwrap(),
        name: "Sam \"Ä\" O'Neil\\".to_owned(),
        reason: "</script> \u{2028} {\"actor\":null}, 4/5 of 100% — 客戶".to_owned(),
    }
}

fn by_staff(ticket: Ticket) -> Ticket {
    let mut ticket = ticket;
    ticket.handoff.details.actor = Some(staff());
    ticket
}

/// Each event of the trail from the third on (the first two are of the site and its member), and who it says acts.
async fn named(stage: &Stage, site: gatepass_core::SiteId) -> Vec<(String, Option<OnBehalf>)> {
    let events = stage.store.events(&Trail::Site(site), Reading::After(2), 100).await.unwrap();
    events.into_iter().map(|event| (event.kind, event.context.on_behalf)).collect()
}

pub async fn every_event_of_the_handoff_names_who_acts(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issue(by_staff(Ticket::new(site))).await;
    stage.redeem(&ticket, T0).await;
    stage.redeem(&ticket, T0).await;
    stage.redeem(&ticket.by_attempt(2), T0).await;
    stage.store.report_outcome(site, ticket.handoff.id, &IN, T0, &context()).await.unwrap();
    let revoked = stage.issue(by_staff(Ticket::new(site))).await;
    let came = stage.store.revoke_handoff(site, revoked.handoff.id, T0, &context()).await.unwrap();
    let Revocation::Revoked(kept) = came else { panic!("{came:?}") };
    assert_eq!(kept.actor, Some(staff()));
    stage.redeem(&revoked.previewed(), T0).await;

    let kinds = ["issued", "redeemed", "repeated", "refused", "logged_in", "issued", "revoked", "refused"];
    let expected = kinds.map(|kind| (format!("handoff.{kind}"), Some(staff())));
    assert_eq!(named(stage, site).await, expected);
    // The rest of what is known of a request is not lost over it.
    let event = stage.store.events(&Trail::Site(site), Reading::After(3), 1).await.unwrap().remove(0);
    assert_eq!((event.context.request_id, event.context.actor), (context().request_id, context().actor));
}

pub async fn who_was_to_act_is_named_where_nothing_is_issued(stage: &Stage) {
    let site = stage.site_with_member().await;
    stage.put(site, "cust-1", Status::Canceled).await;
    let ticket = by_staff(Ticket::new(site));
    stage.store.issue(site, &ticket.handoff, &context()).await.unwrap();
    assert_eq!(named(stage, site).await.pop(), Some(("handoff.issue_refused".to_owned(), Some(staff()))));
}

pub async fn nobody_is_named_for_a_token_that_is_not_the_records(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issue(by_staff(Ticket::new(site))).await;
    let mut other = Ticket::new(site);
    other.presented.id = ticket.handoff.id;
    let another_second = Ticket::for_subject(site, "cust-1", crate::stage::after(1000));
    other.presented.token_hash = another_second.presented.token_hash;
    assert_eq!(stage.redeem(&other, T0).await, Came::Refused(Refusal::Mismatch));
    assert_eq!(named(stage, site).await.pop(), Some(("handoff.refused".to_owned(), None)));
}

pub async fn a_customers_own_handoff_names_nobody(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.redeem(&ticket, T0).await;
    stage.store.report_outcome(site, ticket.handoff.id, &IN, T0, &context()).await.unwrap();
    assert!(named(stage, site).await.iter().all(|(_, actor)| actor.is_none()));
    assert_eq!(stage.store.handoff(site, ticket.handoff.id).await.unwrap().unwrap().actor, None);
}

/// Whatever else the record says: `remember` is `true` in these tickets.
pub async fn its_session_is_short_and_not_remembered(stage: &Stage) {
    let site = stage.site_with_member().await;
    for (ticket, remembered, limit) in [
        (Ticket::new(site), true, None),
        (by_staff(Ticket::new(site)), false, Some(ON_BEHALF_SESSION)),
    ] {
        let ticket = stage.issue(ticket).await;
        assert_eq!(
            stage.store.handoff(site, ticket.handoff.id).await.unwrap().unwrap().actor,
            ticket.handoff.details.actor
        );
        let came = stage.store.redeem(site, &ticket.presented, T0, &context()).await.unwrap();
        let Redemption::Redeemed(redeemed) = came else { panic!("{came:?}") };
        let details = redeemed.details();
        assert_eq!((details.is_remembered(), details.session_limit()), (remembered, limit));
        assert_eq!(details.actor, ticket.handoff.details.actor);
    }
}
