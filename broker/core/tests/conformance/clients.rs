use gatepass_core::ClientId;
use gatepass_core::client::{ApiKey, ApiKeyHash, Client, Listed, Rolling, Scope};
use gatepass_core::clock::System;
use gatepass_core::trail::{Reading, Trail};

use crate::stage::{Stage, T0, after, context};

fn client(name: &str) -> Client {
    Client {
        id: ClientId::generate(T0, &System).unwrap(),
        tenant: "default".parse().unwrap(),
        name: name.to_owned(),
        scopes: vec![Scope::Handoffs, Scope::MembersWrite],
        created_at: T0,
        revoked_at: None,
        expires_at: None,
        replaces: None,
    }
}

pub async fn a_client_is_found_by_its_keys_hash(stage: &Stage) {
    let (key, other) = (ApiKey::generate(&System).unwrap(), ApiKey::generate(&System).unwrap());
    let panel = client("panel");
    stage.store.add_client(&key.hash(), &panel, &context()).await.unwrap();
    assert_eq!(stage.store.client(&key.hash()).await.unwrap(), Some(panel.clone()));
    assert_eq!(stage.store.client(&other.hash()).await.unwrap(), None);
    assert_eq!(stage.store.clients().await.unwrap(), [Listed { client: panel, last_used_at: None }]);
}

pub async fn revoking_a_client_keeps_the_first_time(stage: &Stage) {
    let key = ApiKey::generate(&System).unwrap();
    let panel = client("panel");
    stage.store.add_client(&key.hash(), &panel, &context()).await.unwrap();
    for millis in [1, 2] {
        let revoked = stage.store.revoke_client(panel.id, after(millis), &context()).await.unwrap().unwrap();
        assert_eq!(revoked.revoked_at, Some(after(1)));
    }
    assert_eq!(stage.store.client(&key.hash()).await.unwrap().unwrap().revoked_at, Some(after(1)));
    assert!(stage.store.revoke_client(client("x").id, T0, &context()).await.unwrap().is_none());
}

pub async fn its_tenants_trail_tells_of_it(stage: &Stage) {
    let key = ApiKey::generate(&System).unwrap();
    let panel = client("panel");
    stage.store.add_client(&key.hash(), &panel, &context()).await.unwrap();
    for millis in [1, 2] {
        stage.other.revoke_client(panel.id, after(millis), &context()).await.unwrap();
    }
    let trail = Trail::Tenant(panel.tenant.clone());
    assert_eq!(stage.trail_of(&trail).await, ["client.added", "client.revoked"]);
    let events = stage.store.events(&trail, Reading::After(0), 10).await.unwrap();
    assert_eq!((events[0].at, events[1].at), (T0, after(1)));
    let note = format!("panel ({}), for handoffs, members:write", panel.id);
    assert_eq!(events[1].context, context().noting(note));
    assert!(stage.trail_of(&Trail::Tenant("other".parse().unwrap())).await.is_empty());
}

pub async fn a_rolled_key_ends_with_its_overlap_and_no_later_than_it_would(stage: &Stage) {
    let keys: Vec<ApiKey> = (0..3).map(|_| ApiKey::generate(&System).unwrap()).collect();
    let old = client("panel");
    stage.store.add_client(&keys[0].hash(), &old, &context()).await.unwrap();
    let roll = async |hash: &ApiKeyHash, new: &Client, until: u64, now: u64| {
        stage.other.roll_client(old.id, (hash, new), after(until), after(now), &context()).await.unwrap()
    };
    let successor = || Client { replaces: Some(old.id), ..client("panel") };
    let (first, second) = (successor(), successor());
    let Rolling::Rolled(rolled) = roll(&keys[1].hash(), &first, 1000, 0).await else { panic!() };
    assert_eq!(rolled.expires_at, Some(after(1000)));
    let Rolling::Rolled(rolled) = roll(&keys[2].hash(), &second, 5000, 1).await else { panic!() };
    assert_eq!(rolled.expires_at, Some(after(1000)), "an end that is nearer stays");
    let found = stage.store.client(&keys[0].hash()).await.unwrap().unwrap();
    assert_eq!(found, rolled);
    assert!(found.is_live(after(999)) && !found.is_live(after(1000)));
    assert_eq!(stage.store.client(&keys[1].hash()).await.unwrap(), Some(first.clone()));
    assert!(first.is_live(after(1_000_000)));
    let third = ApiKey::generate(&System).unwrap().hash();
    assert_eq!(roll(&third, &successor(), 9000, 1000).await, Rolling::Ended(found));
    assert_eq!(stage.store.client(&third).await.unwrap(), None);
    stage.store.revoke_client(first.id, after(2), &context()).await.unwrap();
    let (new, by) = ((&third, &second), context());
    let of_first = stage.store.roll_client(first.id, new, after(9), after(3), &by).await.unwrap();
    assert!(matches!(of_first, Rolling::Ended(_)));
    let of_nobody = stage.store.roll_client(client("x").id, new, after(9), T0, &by).await.unwrap();
    assert_eq!(of_nobody, Rolling::NotFound);
    let told = ["client.added", "client.rolled", "client.rolled", "client.revoked"];
    assert_eq!(stage.trail_of(&Trail::Tenant(old.tenant.clone())).await, told);
}

pub async fn the_list_tells_when_a_key_was_last_used(stage: &Stage) {
    let panel = client("panel");
    stage.store.add_client(&ApiKey::generate(&System).unwrap().hash(), &panel, &context()).await.unwrap();
    let last_used = async || stage.other.clients().await.unwrap()[0].last_used_at;
    assert_eq!(last_used().await, None);
    for millis in [1, 2] {
        stage.store.note_client_use(panel.id, after(millis)).await.unwrap();
        assert_eq!(last_used().await, Some(after(millis)));
    }
}
