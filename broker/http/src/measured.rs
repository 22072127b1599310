//! A store that is watched: it counts what is asked of it, how long that takes, and what the two decisions come to.
//!
//! The list below repeats the store's traits, so that an operation that is not measured does not compile.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use gatepass_core::change::{Ack, Acknowledged, Changes, Delivery, Following, Progress, Session};
use gatepass_core::client::{ApiKeyHash, Client, Listed, Rolling};
use gatepass_core::event::{Context, Event};
use gatepass_core::handoff::{Handoff, Issuance, NewHandoff, Outcome, Presented, Redemption, Revocation};
use gatepass_core::heartbeat::{Heard, Heartbeat};
use gatepass_core::member::{Member, Wanted};
use gatepass_core::pairing::{Pairing, PairingCode, Proven};
use gatepass_core::site::{Origin, Site};
use gatepass_core::site_key::{KeyRenewal, Renewal, SiteKeyRevocation};
use gatepass_core::store::{
    Announced, Asking, ChangePolicy, Clients, Entry, Errand, Events, Feed, Handoffs, Keyrings, MemberPut,
    MemberRemoval, Members, OutcomeReport, PolicyChange, Result, SiteCreation, SiteMove, Sites, Status,
};
use gatepass_core::trail::{About, Extent, Reading, Trail};
use gatepass_core::{ClientId, HandoffId, SiteId, Store, Subject, Tenant, Timestamp};
use gatepass_keys::{KeyChange, KeyId};

use crate::metrics;

/// A store, and its clockwork.
#[derive(Debug)]
pub struct Measured(Arc<dyn Store>);

impl Measured {
    /// Watches this store.
    pub const fn new(store: Arc<dyn Store>) -> Self {
        Self(store)
    }
}

async fn measure<T>(operation: &'static str, asked: impl Future<Output = Result<T>>) -> Result<T> {
    let began = Instant::now();
    let answer = asked.await;
    metrics::store_asked(operation, began.elapsed(), answer.as_ref().err());
    answer
}

/// `operation(argument: Type, …) -> Answer => count;` for each trait; `count` is given the answer.
macro_rules! measured {
    ($($noun:ident {
        $($operation:ident($($name:ident: $of:ty),*) -> $answer:ty $(=> $count:expr)?;)*
    } $({ $($plain:item)* })?)*) => {
        /// The names of all operations.
        pub(crate) const OPERATIONS: &[&str] = &[$($(stringify!($operation)),*),*];
        $(
            #[async_trait]
            impl $noun for Measured {
                $(async fn $operation(&self, $($name: $of),*) -> Result<$answer> {
                    let answer = measure(stringify!($operation), self.0.$operation($($name),*)).await;
                    $(($count)(&answer);)?
                    answer
                })*
                $($($plain)*)?
            }
        )*
    };
}

measured! {
    Sites {
        create_site(site: &Site, now: Timestamp, context: &Context) -> SiteCreation;
        site(id: SiteId) -> Option<Site>;
        sites(tenant: &Tenant, after: Option<SiteId>, limit: usize) -> Vec<Site>;
        all_sites() -> Vec<SiteId>;
        change_policy(id: SiteId, change: ChangePolicy, now: Timestamp, context: &Context) -> PolicyChange;
        hear(id: SiteId, said: &Heartbeat, now: Timestamp, context: &Context) -> Heard;
        renew_site_key(id: SiteId, renewal: &Renewal, now: Timestamp, context: &Context) -> KeyRenewal;
        revoke_site_key(id: SiteId, now: Timestamp, context: &Context) -> SiteKeyRevocation;
        move_site(id: SiteId, to: &Origin, now: Timestamp, context: &Context) -> SiteMove;
        remove_site(id: SiteId, now: Timestamp, context: &Context) -> bool;
        put_pairing_code(id: SiteId, code: &PairingCode, now: Timestamp, context: &Context) -> bool;
        pairing_code_holds(id: SiteId, secret_hash: &str, now: Timestamp) -> bool;
        pair(id: SiteId, proven: &Proven, now: Timestamp, context: &Context) -> Pairing;
    }
    Clients {
        add_client(hash: &ApiKeyHash, client: &Client, context: &Context) -> ();
        client(hash: &ApiKeyHash) -> Option<Client>;
        clients() -> Vec<Listed>;
        roll_client(
            id: ClientId, new: (&ApiKeyHash, &Client), until: Timestamp, now: Timestamp, context: &Context
        ) -> Rolling;
        note_client_use(id: ClientId, at: Timestamp) -> ();
        revoke_client(id: ClientId, now: Timestamp, context: &Context) -> Option<Client>;
    }
    Members {
        put_member(
            site: SiteId, subject: &Subject, wanted: &Wanted, if_match: Option<u64>, now: Timestamp, context: &Context
        ) -> MemberPut;
        put_members(site: SiteId, members: &[(Subject, Wanted)], now: Timestamp, context: &Context) -> Vec<MemberPut>;
        member(site: SiteId, subject: &Subject) -> Option<Member>;
        members(site: SiteId, after: u64, limit: usize) -> Vec<Member>;
        remove_member(
            site: SiteId, subject: &Subject, if_match: Option<u64>, now: Timestamp, context: &Context
        ) -> MemberRemoval;
        ask_of_site(site: SiteId, subject: &Subject, errand: Errand, now: Timestamp, context: &Context) -> Asking;
        sync(site: SiteId, subject: &Subject) -> Option<Following>;
        revoke_subject(site: SiteId, subject: &Subject, now: Timestamp, context: &Context) -> bool;
    }
    Feed {
        changes(site: SiteId, epoch: Option<&str>, after: u64, limit: usize, now: Timestamp) -> Option<Changes>;
        acknowledge(site: SiteId, epoch: &str, acks: &[Ack], now: Timestamp, context: &Context) -> Acknowledged;
        progress(site: SiteId) -> Option<Progress>;
        behind(limit: usize) -> Vec<SiteId>;
        note_delivery(site: SiteId, delivery: &Delivery) -> ();
        reported_sessions(site: SiteId, subject: &Subject, position: u64, now: Timestamp) -> Option<Vec<Session>>;
    }
    Handoffs {
        issue(site: SiteId, handoff: &NewHandoff, context: &Context) -> Issuance => metrics::issued;
        redeem(site: SiteId, presented: &Presented, now: Timestamp, context: &Context) -> Redemption
            => metrics::redeemed;
        handoff(site: SiteId, id: HandoffId) -> Option<Handoff>;
        revoke_handoff(site: SiteId, id: HandoffId, now: Timestamp, context: &Context) -> Revocation;
        revoke_key(site: SiteId, kid: &KeyId, now: Timestamp, context: &Context) -> ();
        report_outcome(site: SiteId, id: HandoffId, outcome: &Outcome, now: Timestamp, context: &Context)
            -> OutcomeReport => |answer| metrics::reported(outcome, answer);
        sweep(now: Timestamp) -> u64;
    }
    Keyrings {
        keyring_revision() -> u64;
        announce_keyring(revision: u64, changes: &[KeyChange], now: Timestamp, context: &Context) -> Announced;
        forbid_key(kid: &KeyId, now: Timestamp) -> ();
    }
    Events {
        append_event(site: SiteId, entry: &Entry<'_>, context: &Context) -> ();
        events(trail: &Trail, reading: Reading, limit: usize) -> Vec<Event>;
        extent(trail: &Trail) -> Extent;
        indexed(about: &About) -> Option<Vec<(Trail, Event)>>;
        trails() -> Vec<Trail>;
        remove_events(trail: &Trail, last: u64) -> u64;
    }
    Store {
        ping() -> ();
        check() -> ();
        settled() -> ();
        advice() -> Vec<String>;
        status() -> Status;
        try_writing() -> ();
    } {
        async fn close(&self) {
            self.0.close().await;
        }
        fn describe(&self) -> String {
            self.0.describe()
        }
    }
}
