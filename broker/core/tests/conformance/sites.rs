use gatepass_core::handoff::Refusal;
use gatepass_core::site::Policy;
use gatepass_core::store::SiteCreation;

use crate::stage::{Came, Stage, T0, context, new_site};

pub async fn a_tenant_has_an_origin_once(stage: &Stage) {
    let site = new_site("default", "https://example.com");
    assert_eq!(stage.store.create_site(&site, T0, &context()).await.unwrap(), SiteCreation::Created);
    assert_eq!(stage.store.site(site.id).await.unwrap(), Some(site.clone()));
    let again = new_site("default", "https://EXAMPLE.com:443/");
    let created = stage.store.create_site(&again, T0, &context()).await.unwrap();
    assert_eq!(created, SiteCreation::OriginKnown(site.id));
    assert!(stage.store.site(again.id).await.unwrap().is_none());
}

pub async fn two_tenants_may_have_the_same_origin(stage: &Stage) {
    let a = stage.site_of("a", "https://example.com").await;
    let b = stage.site_of("b", "https://example.com").await;
    assert_ne!(a, b);
}

pub async fn a_list_is_paged_and_holds_only_its_tenants_sites(stage: &Stage) {
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(stage.site_of("a", &format!("https://{number}.example")).await);
    }
    stage.site_of("b", "https://0.example").await;
    ids.sort_by_key(ToString::to_string);
    let tenant = "a".parse().unwrap();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = stage.store.sites(&tenant, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        listed.extend(page.into_iter().map(|site| site.id));
    }
    assert_eq!(listed, ids);
}

pub async fn a_policy_is_replaced_as_a_whole(stage: &Stage) {
    let site = stage.site().await;
    let policy = Policy { token_lifetime: 30, renew_url: "https://p.example/r".parse().ok(), ..Policy::default() };
    let changed = stage.store.set_policy(site, &policy, T0, &context()).await.unwrap().unwrap();
    assert_eq!(changed.policy, policy);
    assert_eq!(stage.store.site(site).await.unwrap(), Some(changed));
    let unknown = new_site("default", "https://x.example").id;
    assert!(stage.store.set_policy(unknown, &policy, T0, &context()).await.unwrap().is_none());
}

pub async fn removing_a_site_removes_all_that_is_its(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let other = stage.site_of("default", "https://other.example").await;
    assert!(stage.store.remove_site(site).await.unwrap());
    assert!(!stage.store.remove_site(site).await.unwrap());
    assert!(stage.store.site(site).await.unwrap().is_none());
    assert!(stage.store.member(site, &"cust-1".parse().unwrap()).await.unwrap().is_none());
    assert!(stage.store.events(site, 0, 10).await.unwrap().is_empty());
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::NoRecord));
    assert!(stage.store.site(other).await.unwrap().is_some());
    // The origin is free again.
    stage.site().await;
}
