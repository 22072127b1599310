use gatepass_core::ClientId;
use gatepass_core::client::{ApiKey, Client, Listed, Scope};
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
