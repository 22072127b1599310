use std::sync::Arc;

use gatepass_core::change::{Acknowledged, Delivery};
use gatepass_core::event::EventKind;
use gatepass_core::handoff::{Issuance, Refusal};
use gatepass_core::member::Status;
use gatepass_core::heartbeat::Pulse;
use gatepass_core::site::{Policy, Site};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::store::{
    Asking, ChangePolicy, Entry, Errand, MemberPut, MemberRemoval, PolicyChange, SiteCreation, SiteMove,
};
use gatepass_core::validate::FieldError;

use crate::stage::{Backend, Came, Stage, T0, after, context, new_site, wanted};

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

fn change(to: impl Fn(Policy) -> Policy + Send + Sync + 'static) -> ChangePolicy {
    Arc::new(move |policy| Ok(to(policy)))
}

pub async fn a_change_of_policy_changes_what_is_there(stage: &Stage) {
    let site = stage.site().await;
    let lifetime = change(|policy| Policy { token_lifetime: 30, ..policy });
    let changed = stage.store.change_policy(site, lifetime.clone(), T0, &context()).await.unwrap();
    let PolicyChange::Changed(changed) = changed else { panic!("{changed:?}") };
    assert_eq!(changed.policy, Policy { token_lifetime: 30, ..Policy::default() });
    assert_eq!(stage.store.site(site).await.unwrap().as_ref(), Some(&*changed));
    let refuse: ChangePolicy = Arc::new(|_| Err(vec![FieldError::new("x", "y", "z")]));
    let refused = stage.store.change_policy(site, refuse, T0, &context()).await.unwrap();
    assert!(matches!(refused, PolicyChange::Refused(errors) if errors[0].field == "x"));
    assert_eq!(stage.store.site(site).await.unwrap().as_ref(), Some(&*changed));
    let unknown = new_site("default", "https://x.example").id;
    let nowhere = stage.store.change_policy(unknown, lifetime, T0, &context()).await.unwrap();
    assert_eq!(nowhere, PolicyChange::SiteNotFound);
}

pub async fn of_racing_changes_of_policy_none_is_lost(stage: &Stage) {
    let site = stage.site().await;
    let mut racers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let store = Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
        let add = change(move |mut policy| {
            policy.allowed_roles.push(format!("role-{number}"));
            policy
        });
        racers.spawn(async move { store.change_policy(site, add, T0, &context()).await.unwrap() });
    }
    racers.join_all().await;
    let roles = stage.store.site(site).await.unwrap().unwrap().policy.allowed_roles;
    assert_eq!(roles.len(), Policy::default().allowed_roles.len() + 8, "{roles:?}");
}

pub async fn of_racing_registrations_of_an_origin_one_wins(stage: &Stage) {
    for round in 0..10 {
        let mut racers = tokio::task::JoinSet::new();
        for number in 0..6 {
            let store = Arc::clone(if number % 2 == 0 { &stage.store } else { &stage.other });
            let site = new_site("default", &format!("https://{round}.example"));
            racers.spawn(async move { store.create_site(&site, T0, &context()).await.unwrap() });
        }
        let results = racers.join_all().await;
        assert_eq!(results.iter().filter(|result| **result == SiteCreation::Created).count(), 1, "{results:?}");
    }
    assert_eq!(stage.store.sites(&"default".parse().unwrap(), None, 100).await.unwrap().len(), 10);
}

pub async fn nothing_is_written_for_a_site_that_is_removed(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    stage.store.remove_site(site, T0, &context()).await.unwrap();
    let subject = "cust-1".parse().unwrap();
    let wanted = wanted(Status::Active);
    let put = stage.store.put_member(site, &subject, &wanted, None, T0, &context()).await.unwrap();
    assert_eq!(put, MemberPut::SiteNotFound);
    let issued = stage.store.issue(site, &ticket.handoff, &context()).await.unwrap();
    assert_eq!(issued, Issuance::SiteNotFound);
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::NoRecord));
    assert!(!stage.store.revoke_subject(site, &subject, T0, &context()).await.unwrap());
    let put = stage.store.put_members(site, &[(subject.clone(), wanted)], T0, &context()).await.unwrap();
    assert_eq!(put, [MemberPut::SiteNotFound]);
    let removed = stage.store.remove_member(site, &subject, None, T0, &context()).await.unwrap();
    assert_eq!(removed, MemberRemoval::SiteNotFound);
    for errand in [Errand::TryAgain, Errand::EndSessions, Errand::ReportSessions] {
        let asked = stage.store.ask_of_site(site, &subject, errand, T0, &context()).await.unwrap();
        assert_eq!(asked, Asking::NotFound);
    }
    assert_eq!(stage.store.changes(site, None, 0, 10, T0).await.unwrap(), None);
    let acknowledged = stage.store.acknowledge(site, "", &[], T0, &context()).await.unwrap();
    assert_eq!(acknowledged, Acknowledged::SiteNotFound);
    stage.store.note_delivery(site, &Delivery::default()).await.unwrap();
    assert_eq!(stage.store.progress(site).await.unwrap(), None);
    assert_eq!(stage.store.sync(site, &subject).await.unwrap(), None);
    assert!(stage.store.members(site, 0, 10).await.unwrap().is_empty());
    assert!(stage.store.behind(10).await.unwrap().is_empty());
    let entry =
        Entry { at: T0, kind: EventKind::HandoffRefused, cause: None, subject: None, handoff_id: None };
    stage.store.append_event(site, &entry, &context()).await.unwrap();
    if let Backend::Redis(server) = &stage.backend {
        let mut connection = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        let of_the_service = ["gp:{gp:clients}:default:", "gp:{gp:behind}:"];
        keys.retain(|key| !of_the_service.iter().any(|begin| key.starts_with(begin)));
        assert_eq!(keys, ["gp:schema"], "nothing is of the site");
    }
}

pub async fn removing_a_site_removes_all_that_is_its(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let other = stage.site_of("default", "https://other.example").await;
    assert!(stage.store.remove_site(site, T0, &context()).await.unwrap());
    assert!(!stage.store.remove_site(site, T0, &context()).await.unwrap());
    assert!(stage.store.site(site).await.unwrap().is_none());
    assert!(stage.store.member(site, &"cust-1".parse().unwrap()).await.unwrap().is_none());
    assert!(stage.trail(site).await.is_empty());
    assert_eq!(stage.redeem(&ticket, T0).await, Came::Refused(Refusal::NoRecord));
    assert!(stage.store.site(other).await.unwrap().is_some());
    let tenants = Trail::Tenant("default".parse().unwrap());
    assert_eq!(stage.trail_of(&tenants).await, ["site.removed"], "and once");
    let told = stage.store.events(&tenants, Reading::After(0), 1).await.unwrap().remove(0);
    assert_eq!((told.at, told.context), (T0, context().noting(format!("https://example.com ({site})"))));
    // The origin is free again.
    stage.site().await;
}

pub async fn a_site_that_moves_keeps_all_but_its_pairing(stage: &Stage) {
    let site = stage.site_with_member().await;
    let ticket = stage.issued(site).await;
    let store = &stage.store;
    let before = store.site(site).await.unwrap().unwrap();
    let to = "https://new.example.com".parse().unwrap();
    let moved = store.move_site(site, &to, after(1), &context()).await.unwrap();
    let SiteMove::Moved(moved) = moved else { panic!("{moved:?}") };
    assert_eq!(*moved, Site { origin: to.clone(), paired: None, pulse: Pulse::default(), ..before.clone() });
    assert_eq!(store.site(site).await.unwrap().as_ref(), Some(&*moved));
    // What was on its way is void; members are still there.
    assert_eq!(stage.redeem(&ticket, after(2)).await, Came::Refused(Refusal::Revoked));
    assert!(store.member(site, &ticket.handoff.subject).await.unwrap().is_some());
    assert_eq!(store.sites(&before.tenant, None, 10).await.unwrap(), [(*moved).clone()]);
    // The same again changes nothing, the old address is free, and the new one is taken.
    assert_eq!(store.move_site(site, &to, after(3), &context()).await.unwrap(), SiteMove::Moved(moved));
    let there = new_site("default", "https://new.example.com");
    let created = store.create_site(&there, after(4), &context()).await.unwrap();
    assert_eq!(created, SiteCreation::OriginKnown(site));
    stage.site().await;
    let told = stage.trail(site).await.iter().filter(|line| *line == "site.moved").count();
    assert_eq!(told, 1);
}

pub async fn a_site_does_not_move_onto_another(stage: &Stage) {
    let (one, other) = (stage.site().await, stage.site_of("default", "https://other.example").await);
    let before = stage.store.site(one).await.unwrap();
    let to = "https://other.example".parse().unwrap();
    let refused = stage.store.move_site(one, &to, T0, &context()).await.unwrap();
    assert_eq!(refused, SiteMove::OriginKnown(other));
    assert_eq!(stage.store.site(one).await.unwrap(), before);
    // Another tenant's does not matter, and one that is not there goes nowhere.
    let foreign = stage.site_of("b", "https://example.com").await;
    assert!(matches!(stage.store.move_site(foreign, &to, T0, &context()).await.unwrap(), SiteMove::Moved(_)));
    let gone = new_site("default", "https://gone.example").id;
    assert_eq!(stage.store.move_site(gone, &to, T0, &context()).await.unwrap(), SiteMove::SiteNotFound);
}
