use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gatepass_core::handoff::{Issuance, Refusal};
use gatepass_core::keyring::revoke_everywhere;
use gatepass_core::member::Status;
use gatepass_core::store::Announced;
use gatepass_core::trail::{Reading, Trail};
use gatepass_keys::{KeyChange, KeyState, SigningKey};

use crate::stage::{Came, Stage, T0, Ticket, after, context, new_site};

fn change(revision: u64, to: KeyState) -> KeyChange {
    KeyChange {
        revision,
        at: 1_790_000_000 + revision,
        kid: SigningKey::generate([7; 32]).kid().clone(),
        from: None,
        to,
        by: "ops".to_owned(),
        reason: (to == KeyState::Revoked).then(|| "leaked".to_owned()),
    }
}

async fn announce(stage: &Stage, revision: u64, changes: &[KeyChange]) -> Announced {
    stage.other.announce_keyring(revision, changes, T0, &context()).await.unwrap()
}

pub async fn the_newest_revision_stays_and_is_told_once(stage: &Stage) {
    assert_eq!(stage.store.keyring_revision().await.unwrap(), 0);
    let all = [change(1, KeyState::Active), change(1, KeyState::Next), change(2, KeyState::Retired)];
    assert_eq!(announce(stage, 1, &all[..2]).await, Announced::Told);
    assert_eq!(announce(stage, 1, &all[..2]).await, Announced::Known);
    assert_eq!(announce(stage, 2, &all).await, Announced::Told, "only what is new is told");
    assert_eq!(announce(stage, 1, &all[..2]).await, Announced::Behind { seen: 2 });
    let revoked = [change(5, KeyState::Removed), change(9, KeyState::Revoked)];
    assert_eq!(announce(stage, 9, &revoked).await, Announced::Told);
    assert_eq!(stage.store.keyring_revision().await.unwrap(), 9);
    let trail = Trail::Tenant("default".parse().unwrap());
    let told = ["key.activated", "key.published", "key.retired", "key.removed", "key.revoked"];
    assert_eq!(stage.trail_of(&trail).await, told);
    let last = stage.store.events(&trail, Reading::Before(u64::MAX), 1).await.unwrap().remove(0);
    let note = format!("{} by ops: leaked", revoked[1].kid);
    assert_eq!((last.at.secs(), last.context), (1_790_000_009, context().noting(note)));
}

pub async fn of_racing_announcements_each_is_told_once(stage: &Stage) {
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let store = Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
        let changes = [change(1, KeyState::Active), change(2, KeyState::Next)];
        racers.spawn(async move { store.announce_keyring(2, &changes, T0, &context()).await.unwrap() });
    }
    let answers = racers.join_all().await;
    assert_eq!(answers.iter().filter(|answer| **answer == Announced::Told).count(), 1, "{answers:?}");
    let trail = Trail::Tenant("default".parse().unwrap());
    assert_eq!(stage.trail_of(&trail).await, ["key.activated", "key.published"]);
}

pub async fn a_key_that_is_revoked_everywhere_opens_and_signs_nothing_anywhere(stage: &Stage) {
    let one = stage.site_with_member().await;
    let issued = stage.issued(one).await;
    let other = stage.site_of("other", "https://other.example").await;
    stage.put(other, "cust-1", Status::Active).await;
    let kid = issued.handoff.kid.clone();
    for _ in 0..2 {
        let unreached = revoke_everywhere(&stage.store, &kid, after(1), &context()).await.unwrap();
        assert!(unreached.sites.is_empty());
    }
    assert_eq!(stage.redeem(&issued, after(1)).await, Came::Refused(Refusal::Revoked));
    let later = stage.site_of("other", "https://later.example").await;
    stage.put(later, "cust-1", Status::Active).await;
    for site in [one, other, later] {
        let ticket = Ticket::new(site);
        let before = stage.trail(site).await;
        let refused = stage.store.issue(site, &ticket.handoff, &context()).await.unwrap();
        assert_eq!(refused, Issuance::KeyRevoked);
        assert!(stage.store.handoff(site, ticket.handoff.id).await.unwrap().is_none());
        assert_eq!(stage.trail(site).await, before, "nothing was written");
        let mut fresh = Ticket::new(site);
        fresh.handoff.kid = SigningKey::generate([8; 32]).kid().clone();
        stage.issue(fresh).await;
    }
    let told = stage.trail(one).await.into_iter().filter(|kind| kind == "key.revoked").count();
    assert_eq!(told, 1);
}

pub async fn a_site_that_is_registered_meanwhile_refuses_a_revoked_key_too(stage: &Stage) {
    let (kid, done) = (Ticket::new(stage.site().await).handoff.kid, Arc::new(AtomicBool::new(false)));
    let mut registering = tokio::task::JoinSet::new();
    for lane in 0..4 {
        let store = Arc::clone(if lane % 2 == 0 { &stage.store } else { &stage.other });
        let done = Arc::clone(&done);
        registering.spawn(async move {
            let mut sites = Vec::new();
            while !done.load(Ordering::Relaxed) || sites.len() < 5 {
                let site = new_site("default", &format!("https://{lane}-{}.example", sites.len()));
                store.create_site(&site, T0, &context()).await.unwrap();
                sites.push(site.id);
            }
            sites
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    let unreached = revoke_everywhere(&stage.store, &kid, T0, &context()).await.unwrap();
    assert!(unreached.sites.is_empty());
    done.store(true, Ordering::Relaxed);
    for site in registering.join_all().await.into_iter().flatten() {
        let refused = stage.store.issue(site, &Ticket::new(site).handoff, &context()).await.unwrap();
        assert_eq!(refused, Issuance::KeyRevoked);
    }
}
