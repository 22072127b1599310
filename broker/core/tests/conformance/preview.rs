//! Previews: a redemption in everything but its effect.

use gatepass_core::handoff::{ATTEMPT_WINDOW, Intent, OnBehalf, Preview, Redemption, Refusal, State};
use gatepass_core::limit::{Bucket, Limited, Limits, Rate};
use gatepass_core::member::Status;

use crate::redemption::{assert_order, race, races};
use crate::stage::{Came, Stage, T0, Ticket, after, came, context, wanted};

pub async fn it_tells_whom_a_redemption_would_let_in_and_spends_nothing(stage: &Stage) {
    let site = stage.site_with_member().await;
    let mut ticket = Ticket::new(site);
    let actor = OnBehalf { subject: "staff-1".parse().unwrap(), name: "Sam".into(), reason: "help".into() };
    ticket.handoff.details.actor = Some(actor.clone());
    let ticket = stage.issue(ticket).await;
    let expected = Preview {
        id: ticket.handoff.id,
        subject: "cust-1".parse().unwrap(),
        display_name: wanted(Status::Active).display_name,
        actor: Some(actor),
    };
    let status = async || stage.store.handoff(site, ticket.handoff.id).await.unwrap().unwrap().state(after(1));
    let trail = stage.trail(site).await;
    for attempt in [1, 2, 1] {
        let preview = ticket.by_attempt(attempt).previewed();
        let came = stage.store.redeem(site, &preview.presented, after(1), &context()).await.unwrap();
        let Redemption::Previewed(preview) = came else { panic!("{came:?}") };
        assert_eq!(*preview, expected);
        assert_eq!(status().await, State::Issued);
    }
    assert_eq!(stage.trail(site).await, trail, "nothing happened");
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed, "whoever looked, and however often");

    // Once it is spent, only the attempt that spent it is told, for as long as it is told anything.
    assert_eq!(stage.redeem(&ticket.previewed(), T0).await, Came::Previewed);
    assert_eq!(stage.redeem(&ticket.by_attempt(2).previewed(), T0).await, Came::Refused(Refusal::Used));
    let late = T0.plus(ATTEMPT_WINDOW);
    assert_eq!(stage.redeem(&ticket.previewed(), late).await, Came::Refused(Refusal::Used));
}

pub async fn it_is_refused_in_the_order_in_which_a_redemption_is(stage: &Stage) {
    assert_order(stage, Intent::Preview).await;
}

pub async fn a_refused_preview_is_told_to_the_trail(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.put(site, "cust-1", Status::Canceled).await;
    stage.redeem(&ticket.previewed(), T0).await;
    let trail = stage.trail(site).await;
    assert_eq!(trail.last().unwrap(), "handoff.refused: membership_inactive");
    assert_eq!(trail.len(), 5);
    // And it is no less to be redeemed afterwards.
    stage.put(site, "cust-1", Status::Active).await;
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
}

pub async fn it_belongs_to_the_browser_that_the_handoff_is_bound_to(stage: &Stage) {
    let site = stage.site_with_member().await;
    let mut ticket = Ticket::new(site);
    ticket.handoff.binding = Some("cookie-a".to_owned());
    let mut preview = stage.issue(ticket).await.previewed();
    for wrong in [None, Some("cookie-b"), Some("")] {
        preview.presented.binding = wrong.map(str::to_owned);
        assert_eq!(stage.redeem(&preview, T0).await, Came::Refused(Refusal::BindingMismatch));
    }
    preview.presented.binding = Some("cookie-a".to_owned());
    assert_eq!(stage.redeem(&preview, T0).await, Came::Previewed);
}

pub async fn of_previews_racing_redemptions_none_lets_anybody_in(stage: &Stage) {
    let site = stage.site_with_member().await;
    let count = |results: &[Came], what| results.iter().filter(|came| **came == what).count();
    for _ in 0..races() {
        let ticket = stage.issued(site).await;
        let of = |number: u8| {
            (number / 2, if number.is_multiple_of(2) { Intent::Preview } else { Intent::Spend })
        };
        let results = race(stage, &ticket, of).await;
        assert_eq!(count(&results, Came::Redeemed), 1, "{results:?}");
        let others = count(&results, Came::Previewed) + count(&results, Came::Refused(Refusal::Used));
        assert_eq!(others, 63, "{results:?}");
    }
    let ticket = stage.issued(site).await;
    let results = race(stage, &ticket, |number| (number, Intent::Preview)).await;
    assert_eq!(count(&results, Came::Previewed), 64, "{results:?}");
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Redeemed);
}

/// The thief has the link, but not the cookie that it is bound to.
pub async fn it_is_counted_for_the_token_and_stops_no_login(stage: &Stage) {
    let site = stage.site_with_member().await;
    let store = stage.limited(Limits { token: Rate::per_minute(5), ..Limits::NONE }).await;
    let come = async |ticket: &Ticket, millis| {
        came(store.redeem(site, &ticket.presented, after(millis), &context()).await.unwrap())
    };
    let full = Came::Limited(Limited { bucket: Bucket::Token, retry_after: std::time::Duration::from_secs(12) });
    let mut thief = Ticket::new(site);
    thief.handoff.binding = Some("cookie".to_owned());
    let thief = stage.issue(thief).await;
    let mut ticket = thief.clone();
    ticket.presented.binding = Some("cookie".to_owned());
    for _ in 0..5 {
        assert_eq!(come(&thief.previewed(), 0).await, Came::Refused(Refusal::BindingMismatch));
    }
    assert_eq!(come(&thief.previewed(), 0).await, full);
    for _ in 0..5 {
        assert_eq!(come(&ticket.previewed(), 0).await, Came::Previewed, "the thief's tries are not these");
    }
    assert_eq!(come(&ticket.previewed(), 0).await, full);
    assert_eq!(come(&ticket.previewed(), 12_000).await, Came::Previewed);
    let told = stage.trail(site).await.into_iter().filter(|line| line == "handoff.refused: limit_token");
    assert_eq!(told.count(), 2, "once for each bucket");

    assert_eq!(come(&ticket, 12_000).await, Came::Redeemed);
    for _ in 0..5 {
        assert_eq!(come(&ticket, 12_000).await, Came::Repeated, "repeats are counted by themselves");
    }
    assert_eq!(come(&ticket, 12_000).await, full);
}
