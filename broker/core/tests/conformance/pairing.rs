use gatepass_core::handoff::Refusal;
use gatepass_core::pairing::{PAIRING_LIFETIME, Pairing, PairingCode, Proven};
use gatepass_core::site::{Paired, Versions};
use gatepass_core::store::Sites;
use gatepass_core::{SiteId, Timestamp};
use gatepass_keys::{KeyId, SigningKey};

use crate::stage::{Came, Stage, T0, after, context};

const END: u64 = PAIRING_LIFETIME.as_millis() as u64;

pub async fn put_code(
    store: &dyn Sites,
    site: SiteId,
    secret_hash: &str,
    replace: bool,
    now: Timestamp,
) {
    let code = PairingCode { secret_hash: secret_hash.to_owned(), expires_at: now.plus(PAIRING_LIFETIME), replace };
    assert!(store.put_pairing_code(site, &code, now, &context()).await.unwrap());
}

pub async fn code(stage: &Stage, site: SiteId, secret_hash: &str, now: Timestamp) -> String {
    put_code(&*stage.store, site, secret_hash, false, now).await;
    secret_hash.to_owned()
}

fn kid(number: u8) -> KeyId {
    SigningKey::generate([number; 32]).kid().clone()
}

pub fn proven(secret_hash: &str, key: u8) -> Proven {
    Proven {
        secret_hash: secret_hash.to_owned(),
        replaces: None,
        paired: Paired {
            key: SigningKey::generate([key; 32]).public(),
            landing_url: "https://example.com/wp-admin/admin-post.php?action=gatepass".parse().unwrap(),
            paired_at: T0,
            versions: Versions::default(),
            code_hash: secret_hash.to_owned(),
            key_since: None,
            previous: None,
        },
    }
}

async fn pair(stage: &Stage, site: SiteId, proven: &Proven, millis: u64) -> &'static str {
    match stage.store.pair(site, proven, after(millis), &context()).await.unwrap() {
        Pairing::Paired(site) => {
            assert_eq!(site.paired.as_ref(), Some(&proven.paired));
            assert_eq!(stage.store.site(site.id).await.unwrap().as_ref(), Some(&*site));
            "paired"
        }
        Pairing::CodeInvalid => "code invalid",
        Pairing::ReplaceRequired => "replace required",
        Pairing::SiteNotFound => "site not found",
    }
}

pub async fn a_code_pairs_once(stage: &Stage) {
    let site = stage.site().await;
    code(stage, site, "one", T0).await;
    assert_eq!(pair(stage, site, &proven("guessed", 1), 0).await, "code invalid");
    assert!(stage.store.pairing_code_holds(site, "one", T0).await.unwrap());
    assert!(!stage.store.pairing_code_holds(site, "guessed", T0).await.unwrap());
    assert_eq!(pair(stage, site, &proven("one", 1), 0).await, "paired");
    assert!(!stage.store.pairing_code_holds(site, "one", T0).await.unwrap());
    assert_eq!(pair(stage, site, &proven("one", 1), 0).await, "code invalid");
    let other = stage.site_of("default", "https://other.example").await;
    code(stage, site, "two", T0).await;
    assert_eq!(pair(stage, other, &proven("two", 1), 0).await, "code invalid");
    stage.store.remove_site(other, T0, &context()).await.unwrap();
    assert_eq!(pair(stage, other, &proven("two", 1), 0).await, "site not found");
}

pub async fn a_code_ends_after_30_minutes(stage: &Stage) {
    let site = stage.site().await;
    code(stage, site, "one", T0).await;
    assert!(stage.store.pairing_code_holds(site, "one", after(END - 1)).await.unwrap());
    assert!(!stage.store.pairing_code_holds(site, "one", after(END)).await.unwrap());
    assert_eq!(pair(stage, site, &proven("one", 1), END).await, "code invalid");
    assert_eq!(pair(stage, site, &proven("one", 1), END - 1).await, "paired");
}

pub async fn a_new_code_voids_the_one_before(stage: &Stage) {
    let site = stage.site().await;
    code(stage, site, "one", T0).await;
    code(stage, site, "two", T0).await;
    assert_eq!(pair(stage, site, &proven("one", 1), 0).await, "code invalid");
    assert_eq!(pair(stage, site, &proven("two", 1), 0).await, "paired");
}

pub async fn of_racing_sites_one_is_paired(stage: &Stage) {
    let site = stage.site().await;
    code(stage, site, "one", T0).await;
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..16 {
        let store = std::sync::Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
        racers.spawn(async move { store.pair(site, &proven("one", number), T0, &context()).await.unwrap() });
    }
    let results = racers.join_all().await;
    assert_eq!(results.iter().filter(|result| matches!(result, Pairing::Paired(_))).count(), 1);
}

pub async fn pairing_again_needs_the_old_key_or_the_operators_word(stage: &Stage) {
    let site = stage.site().await;
    code(stage, site, "one", T0).await;
    assert_eq!(pair(stage, site, &proven("one", 1), 0).await, "paired");

    code(stage, site, "two", T0).await;
    assert_eq!(pair(stage, site, &proven("two", 2), 0).await, "replace required");
    let with_a_strangers_key = Proven { replaces: Some(kid(9)), ..proven("two", 2) };
    assert_eq!(pair(stage, site, &with_a_strangers_key, 0).await, "replace required");
    let with_the_old_key = Proven { replaces: Some(kid(1)), ..proven("two", 2) };
    assert_eq!(pair(stage, site, &with_the_old_key, 0).await, "paired");

    put_code(&*stage.store, site, "three", true, T0).await;
    assert_eq!(pair(stage, site, &proven("three", 3), 0).await, "paired");
}

pub async fn pairing_again_voids_handoffs_issued_before(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    code(stage, site, "one", T0).await;
    assert_eq!(pair(stage, site, &proven("one", 1), 1).await, "paired");
    assert_eq!(stage.redeem(&ticket, after(2)).await, Came::Refused(Refusal::Revoked));
}
