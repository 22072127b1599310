use std::sync::Arc;

use gatepass_core::SiteId;
use gatepass_core::handoff::Refusal;
use gatepass_core::site_key::{KeyRenewal, Renewal, SITE_KEY_OVERLAP, SiteKeyRevocation};
use gatepass_keys::SigningKey;

use crate::pairing::{proven, put_code};
use crate::stage::{Came, Stage, T0, after, context};

const OVERLAP: u64 = SITE_KEY_OVERLAP.as_millis() as u64;

fn key(number: u8) -> SigningKey {
    SigningKey::generate([number; 32])
}

fn renewal(by: u8, to: u8) -> Renewal {
    Renewal { proven_by: key(by).kid().clone(), key: key(to).public() }
}

/// A site with an active member, paired with key 1.
async fn paired(stage: &Stage) -> SiteId {
    let site = stage.site_with_member().await;
    put_code(&*stage.store, site, "one", false, T0).await;
    stage.store.pair(site, &proven("one", 1), T0, &context()).await.unwrap();
    site
}

async fn renew(stage: &Stage, site: SiteId, by: u8, to: u8, millis: u64) -> &'static str {
    match stage.store.renew_site_key(site, &renewal(by, to), after(millis), &context()).await.unwrap() {
        KeyRenewal::Renewed(renewed) => {
            assert_eq!(stage.other.site(site).await.unwrap().as_ref(), Some(&*renewed));
            "renewed"
        }
        KeyRenewal::Known(_) => "known",
        KeyRenewal::Superseded => "superseded",
        KeyRenewal::NotPaired => "not paired",
    }
}

pub async fn both_keys_prove_a_site_for_an_hour(stage: &Stage) {
    let site = paired(stage).await;
    assert_eq!(renew(stage, site, 1, 2, 10).await, "renewed");
    let paired = stage.store.site(site).await.unwrap().unwrap().paired.unwrap();
    assert_eq!((paired.key_since(), paired.paired_at), (after(10), T0));
    let proves = |number, millis| paired.is_proven_by(key(number).kid(), after(millis));
    assert!(proves(2, 10) && proves(1, 10) && proves(1, 10 + OVERLAP - 1));
    assert!(!proves(1, 10 + OVERLAP) && proves(2, 10 + OVERLAP) && !proves(3, 10));
    assert_eq!(stage.trail(site).await.last().unwrap(), "site.key_renewed");
}

pub async fn a_lost_answer_is_asked_for_again_and_a_stolen_key_takes_nothing(stage: &Stage) {
    let site = paired(stage).await;
    assert_eq!(renew(stage, site, 3, 2, 0).await, "not paired", "somebody else's key");
    assert_eq!(renew(stage, site, 1, 2, 0).await, "renewed");
    assert_eq!(renew(stage, site, 1, 2, 1).await, "known");
    assert_eq!(renew(stage, site, 2, 2, 1).await, "known");
    assert_eq!(renew(stage, site, 1, 3, 1).await, "superseded");
    for to in [2, 3] {
        assert_eq!(renew(stage, site, 1, to, OVERLAP).await, "not paired", "the overlap is over");
    }
    assert_eq!(renew(stage, site, 2, 4, OVERLAP).await, "renewed");
    assert_eq!(renew(stage, site, 1, 4, OVERLAP).await, "not paired");
    let renewed = stage.trail(site).await.into_iter().filter(|kind| kind == "site.key_renewed").count();
    assert_eq!(renewed, 2);
    stage.store.remove_site(site, T0, &context()).await.unwrap();
    assert_eq!(renew(stage, site, 4, 5, OVERLAP).await, "not paired");
}

pub async fn of_racing_renewals_one_wins(stage: &Stage) {
    let site = paired(stage).await;
    let mut racers = tokio::task::JoinSet::new();
    for number in 2..18 {
        let store = Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
        racers.spawn(async move { store.renew_site_key(site, &renewal(1, number), T0, &context()).await.unwrap() });
    }
    let answers = racers.join_all().await;
    let won = answers.iter().filter(|answer| matches!(answer, KeyRenewal::Renewed(_))).count();
    let lost = answers.iter().filter(|answer| matches!(answer, KeyRenewal::Superseded)).count();
    assert_eq!((won, lost), (1, 15), "{answers:?}");
}

pub async fn a_revoked_key_ends_the_pairing_and_voids_what_was_issued(stage: &Stage) {
    let site = paired(stage).await;
    assert_eq!(renew(stage, site, 1, 2, 0).await, "renewed");
    // Later than the pairing, which voids what was issued before.
    let ticket = stage.issue(crate::stage::Ticket::for_subject(site, "cust-1", after(1))).await;
    let revoke = async || stage.store.revoke_site_key(site, after(2), &context()).await.unwrap();
    assert_eq!(revoke().await, SiteKeyRevocation::Revoked(key(2).kid().clone()));
    assert_eq!(revoke().await, SiteKeyRevocation::NotPaired);
    assert_eq!(stage.other.site(site).await.unwrap().unwrap().paired, None);
    assert_eq!(stage.redeem(&ticket, after(3)).await, Came::Refused(Refusal::Revoked));
    for by in [1, 2] {
        assert_eq!(renew(stage, site, by, 3, 3).await, "not paired");
    }
    put_code(&*stage.store, site, "two", false, after(3)).await;
    let again = stage.store.pair(site, &proven("two", 3), after(3), &context()).await.unwrap();
    assert!(matches!(again, gatepass_core::pairing::Pairing::Paired(_)), "{again:?}");
    stage.store.remove_site(site, T0, &context()).await.unwrap();
    assert_eq!(revoke().await, SiteKeyRevocation::SiteNotFound);
}
