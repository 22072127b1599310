use gatepass_core::event::EventKind;
use gatepass_core::store::Entry;

use crate::stage::{Stage, T0, context};

pub async fn a_trail_is_ordered_and_paged(stage: &Stage) {
    let site = stage.site().await;
    let subject = "cust-1".parse().unwrap();
    let entry = Entry {
        at: T0,
        kind: EventKind::HandoffRefused,
        cause: Some("signature"),
        subject: Some(&subject),
        handoff_id: None,
    };
    for _ in 0..11 {
        stage.store.append_event(site, &entry, &context()).await.unwrap();
    }
    let (first, second) =
        (stage.store.events(site, 0, 8).await.unwrap(), stage.store.events(site, 8, 8).await.unwrap());
    let seqs: Vec<u64> = first.iter().chain(&second).map(|event| event.seq).collect();
    assert_eq!(seqs, (1..=12).collect::<Vec<u64>>());
    assert_eq!(second[0].cause.as_deref(), Some("signature"));
    assert_eq!(second[0].subject, Some(subject));
    assert!(stage.store.events(site, 12, 8).await.unwrap().is_empty());
}
