use gatepass_core::Subject;
use gatepass_core::member::{Status, Wanted};
use gatepass_core::store::MemberPut;

use crate::stage::{Stage, T0, after, context, wanted};

async fn put(stage: &Stage, site: gatepass_core::SiteId, wanted: &Wanted, if_match: Option<u64>) -> MemberPut {
    let subject: Subject = "cust-1".parse().unwrap();
    stage.store.put_member(site, &subject, wanted, if_match, after(5), &context()).await.unwrap()
}

pub async fn putting_the_same_again_changes_nothing(stage: &Stage) {
    let site = stage.site().await;
    let MemberPut::Created(created) = put(stage, site, &wanted(Status::Active), None).await else { panic!() };
    assert_eq!((created.revision, created.updated_at), (1, after(5)));
    let again = put(stage, site, &wanted(Status::Active), None).await;
    assert_eq!(again, MemberPut::Unchanged(created.clone()));
    assert_eq!(stage.store.member(site, &created.subject).await.unwrap(), Some(created));
    assert_eq!(stage.trail(site).await, ["site.registered", "member.changed"]);
}

pub async fn a_revision_grows_with_every_change_of_the_site(stage: &Stage) {
    let site = stage.site().await;
    stage.put(site, "cust-2", Status::Active).await;
    let MemberPut::Created(first) = put(stage, site, &wanted(Status::Active), None).await else { panic!() };
    let MemberPut::Updated(second) = put(stage, site, &wanted(Status::Canceled), None).await else { panic!() };
    assert_eq!((first.revision, second.revision), (2, 3));
}

pub async fn if_match_compares_the_revision(stage: &Stage) {
    let site = stage.site().await;
    let active = wanted(Status::Active);
    assert_eq!(put(stage, site, &active, Some(1)).await, MemberPut::RevisionMismatch { current: 0 });
    assert!(matches!(put(stage, site, &active, Some(0)).await, MemberPut::Created(_)));
    let canceled = wanted(Status::Canceled);
    assert_eq!(put(stage, site, &canceled, Some(0)).await, MemberPut::RevisionMismatch { current: 1 });
    assert!(matches!(put(stage, site, &canceled, Some(1)).await, MemberPut::Updated(_)));
}

pub async fn a_subject_is_another_one_on_another_site(stage: &Stage) {
    let (site, other) = (stage.site_with_member().await, stage.site_of("default", "https://b.example").await);
    let subject = "cust-1".parse().unwrap();
    assert!(stage.store.member(other, &subject).await.unwrap().is_none());
    stage.put_at(other, "cust-1", Status::Canceled, T0).await;
    let here = stage.store.member(site, &subject).await.unwrap().unwrap();
    assert_eq!(here.wanted.membership.status, Status::Active);
}
