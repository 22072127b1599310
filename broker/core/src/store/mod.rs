//! The stores: small traits by noun, two implementations, one suite of tests that both pass.
//!
//! # To add something to the store
//! 1. Add a method to the trait of its noun. Whatever needs a time gets it as an argument; a conditional write
//!    answers with an enum that names every outcome, never with `bool` or `Option` for "was it me".
//! 2. Write it in [`sqlite`] (one `BEGIN IMMEDIATE` transaction) and in [`redis`] (one script, one round trip; all
//!    keys of a site share the hash tag `{site_…}`), with its event in the same step.
//! 3. Add a case to the conformance suite in `tests/conformance`.

pub mod copy;
mod kept;
pub mod redis;
pub mod sqlite;

use std::sync::Arc;

use async_trait::async_trait;
use gatepass_keys::{KeyChange, KeyId};

use crate::change::{Ack, Acknowledged, Changes, Delivery, Following, Progress, Session};
use crate::client::{ApiKeyHash, Client, Listed, Rolling};
use crate::clock::Timestamp;
use crate::event::{Context, Event, EventKind};
use crate::handoff::{Handoff, Issuance, NewHandoff, Outcome, Presented, Redemption, Revocation};
use crate::heartbeat::{Heard, Heartbeat};
use crate::id::{ClientId, HandoffId, SiteId, Subject, Tenant};
use crate::limit::Limited;
use crate::member::{Member, Wanted};
use crate::pairing::{Pairing, PairingCode, Proven};
use crate::site::{Origin, Policy, Site};
use crate::site_key::{KeyRenewal, Renewal, SiteKeyRevocation};
use crate::trail::{About, Extent, Reading, Trail};
use crate::validate::FieldErrors;

/// Why a store gave no answer. Never a decision: a decision is a value.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is too slow, or is too busy. What was asked may or may not have happened.
    #[error("the store does not answer: {0}")]
    Unavailable(String),
    /// It answers, but with something that Gatepass did not write.
    #[error("the store holds something unreadable: {0}")]
    Corrupt(String),
    /// It was written by a newer Gatepass; nothing was changed.
    #[error("the store has schema {found}, this program knows up to {known}: run the newer gatepass")]
    NewerSchema {
        /// What it has.
        found: i64,
        /// What this program knows.
        known: i64,
    },
}

/// Shorthand of this module.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Sites and their pairing.
#[async_trait]
pub trait Sites: Send + Sync {
    /// Registers a site; a tenant has each origin once. Keys that are forbidden by then are revoked on it.
    async fn create_site(&self, site: &Site, now: Timestamp, context: &Context) -> Result<SiteCreation>;
    /// The site with this id, whoever's it is.
    async fn site(&self, id: SiteId) -> Result<Option<Site>>;
    /// A tenant's sites in the order of their ids, from the one after `after`.
    async fn sites(&self, tenant: &Tenant, after: Option<SiteId>, limit: usize) -> Result<Vec<Site>>;
    /// All sites, whoever's they are, in no order: each that was there before this was called, and has not been removed.
    async fn all_sites(&self) -> Result<Vec<SiteId>>;
    /// Changes the policy of a site. What `change` is given is what is replaced, so that of two changes at once
    /// neither undoes the other; it may be called more than once. A change that changes nothing writes nothing.
    async fn change_policy(
        &self,
        id: SiteId,
        change: ChangePolicy,
        now: Timestamp,
        context: &Context,
    ) -> Result<PolicyChange>;
    /// Gives a site another origin. Its pairing ends with that, since what it was paired with is at the old one, and so do
    /// handoffs that are on their way; members, trail and policy stay.
    async fn move_site(&self, id: SiteId, to: &Origin, now: Timestamp, context: &Context)
    -> Result<SiteMove>;
    /// Removes a site with all that belongs to it, its trail too; that of its tenant tells of it. The answer is whether
    /// there was one.
    async fn remove_site(&self, id: SiteId, now: Timestamp, context: &Context) -> Result<bool>;
    /// Keeps a pairing code, voiding the one before. The answer is whether there is such a site.
    async fn put_pairing_code(
        &self,
        id: SiteId,
        code: &PairingCode,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool>;
    /// Whether `secret_hash` is the site's pairing code at `now`, without using it up.
    async fn pairing_code_holds(&self, id: SiteId, secret_hash: &str, now: Timestamp) -> Result<bool>;
    /// Uses a pairing code up, takes the site's new key, and voids every handoff issued before, in one step.
    async fn pair(&self, id: SiteId, proven: &Proven, now: Timestamp, context: &Context) -> Result<Pairing>;
    /// Takes a new key for a site: decided and written, with its event, in one step.
    async fn renew_site_key(
        &self,
        id: SiteId,
        renewal: &Renewal,
        now: Timestamp,
        context: &Context,
    ) -> Result<KeyRenewal>;
    /// Ends a site's pairing with its key, and voids every handoff issued before, in one step.
    async fn revoke_site_key(
        &self,
        id: SiteId,
        now: Timestamp,
        context: &Context,
    ) -> Result<SiteKeyRevocation>;
    /// Keeps what a site says of itself, if that is news: decided and written, with its event, in one step, and so
    /// seldom that nobody fills the store with it.
    async fn hear(
        &self,
        id: SiteId,
        heartbeat: &Heartbeat,
        now: Timestamp,
        context: &Context,
    ) -> Result<Heard>;
}

/// Makes the new policy out of the old one, or says what is wrong with it.
pub type ChangePolicy = Arc<dyn Fn(Policy) -> std::result::Result<Policy, FieldErrors> + Send + Sync>;

/// What came of changing a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyChange {
    /// Changed; the site as it is now.
    Changed(Box<Site>),
    /// Not changed: the new policy is no good.
    Refused(FieldErrors),
    /// There is no such site.
    SiteNotFound,
}

/// What came of moving a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SiteMove {
    /// Moved, now or before; the site as it is now.
    Moved(Box<Site>),
    /// The tenant has another site at that origin.
    OriginKnown(SiteId),
    /// There is no such site.
    SiteNotFound,
}

/// What came of registering a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SiteCreation {
    /// Registered.
    Created,
    /// This tenant has the origin already, under this id.
    OriginKnown(SiteId),
}

/// API clients.
#[async_trait]
pub trait Clients: Send + Sync {
    /// Keeps a client under the hash of its key.
    async fn add_client(&self, hash: &ApiKeyHash, client: &Client, context: &Context) -> Result<()>;
    /// The client whose key has this hash, revoked or not.
    async fn client(&self, hash: &ApiKeyHash) -> Result<Option<Client>>;
    /// All clients, in the order of their ids.
    async fn clients(&self) -> Result<Vec<Listed>>;
    /// Gives a client a successor, under the hash of its key, and an end, in one step.
    async fn roll_client(
        &self,
        id: ClientId,
        new: (&ApiKeyHash, &Client),
        until: Timestamp,
        now: Timestamp,
        context: &Context,
    ) -> Result<Rolling>;
    /// Keeps that a client's key was used. It is for people, so not at every use.
    async fn note_client_use(&self, id: ClientId, at: Timestamp) -> Result<()>;
    /// Revokes a client from `now` on; a second time changes nothing. `None` when there is no such client.
    async fn revoke_client(&self, id: ClientId, now: Timestamp, context: &Context) -> Result<Option<Client>>;
}

/// Members.
#[async_trait]
pub trait Members: Send + Sync {
    /// Puts the whole wanted state, unless the API key of `context` has asked too often. Putting the same again
    /// changes nothing.
    async fn put_member(
        &self,
        site: SiteId,
        subject: &Subject,
        wanted: &Wanted,
        if_match: Option<u64>,
        now: Timestamp,
        context: &Context,
    ) -> Result<MemberPut>;
    /// Puts many, as [`put_member`](Self::put_member) does each, at once and in this order; together they count as one
    /// call of the API key's. Not all or nothing: when this fails, some may be kept, and it may be repeated.
    async fn put_members(
        &self,
        site: SiteId,
        members: &[(Subject, Wanted)],
        now: Timestamp,
        context: &Context,
    ) -> Result<Vec<MemberPut>>;
    /// One member; not one that was removed.
    async fn member(&self, site: SiteId, subject: &Subject) -> Result<Option<Member>>;
    /// Members in the order of their positions, from the one after `after`; without those that were removed. Who changes
    /// meanwhile comes again at the end, so that nobody is missed.
    async fn members(&self, site: SiteId, after: u64, limit: usize) -> Result<Vec<Member>>;
    /// Removes a member: nothing but the subject is kept, for WordPress to hear of it, and whatever was issued for it is
    /// void.
    async fn remove_member(
        &self,
        site: SiteId,
        subject: &Subject,
        if_match: Option<u64>,
        now: Timestamp,
        context: &Context,
    ) -> Result<MemberRemoval>;
    /// Asks something of WordPress about a member, which gets a new position by it. To end sessions is never refused, and
    /// one that was removed is a member for it.
    async fn ask_of_site(
        &self,
        site: SiteId,
        subject: &Subject,
        errand: Errand,
        now: Timestamp,
        context: &Context,
    ) -> Result<Asking>;
    /// Where WordPress stands with a member, also with one that was removed.
    async fn sync(&self, site: SiteId, subject: &Subject) -> Result<Option<Following>>;
    /// Revokes every handoff of this subject issued up to and including `now`. The answer is whether there is such
    /// a member.
    async fn revoke_subject(
        &self,
        site: SiteId,
        subject: &Subject,
        now: Timestamp,
        context: &Context,
    ) -> Result<bool>;
}

/// What WordPress can be asked to do about a member, beside following what the panel wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errand {
    /// To do again what failed.
    TryAgain,
    /// To end all sessions that there are now. What was issued and not redeemed is void with them.
    EndSessions,
    /// To tell which sessions there are.
    ReportSessions,
}

/// What came of asking something of WordPress about a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asking {
    /// Asked; where WordPress stands with it.
    Asked(Following),
    /// There is no such member, or no such site (any more).
    NotFound,
    /// Asked for too often; not asked of the site.
    Limited(Limited),
}

/// What came of removing a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberRemoval {
    /// Removed now; where WordPress stands with that.
    Removed(Following),
    /// Removed before; where WordPress stands with that.
    AlreadyRemoved(Following),
    /// There is no such member, and never was.
    NotFound,
    /// There is no such site (any more).
    SiteNotFound,
    /// Asked for too often, and there was nothing to remove: that is never refused.
    Limited(Limited),
    /// Not removed: the member's revision is another one.
    RevisionMismatch {
        /// The one it has.
        current: u64,
    },
}

/// What sites follow.
#[async_trait]
pub trait Feed: Send + Sync + std::fmt::Debug {
    /// What lies behind a site's cursor, which is `after` of `epoch`; it has then applied everything up to there, and
    /// that is noted. Whoever asks with another epoch, or none, or with a cursor beyond those that this site was given,
    /// gets everything from the beginning. `None` when there is no such site.
    async fn changes(
        &self,
        site: SiteId,
        epoch: Option<&str>,
        after: u64,
        limit: usize,
        now: Timestamp,
    ) -> Result<Option<Changes>>;
    /// Keeps what a site says that it applied. Each is of interest only while it is of the member's position of now.
    async fn acknowledge(
        &self,
        site: SiteId,
        epoch: &str,
        acks: &[Ack],
        now: Timestamp,
        context: &Context,
    ) -> Result<Acknowledged>;
    /// How far a site has followed. `None` when there is no such site.
    async fn progress(&self, site: SiteId) -> Result<Option<Progress>>;
    /// Paired sites that have not pulled everything of this epoch, in no order: if there are more, then others each
    /// time, so that no site is missed for long.
    async fn behind(&self, limit: usize) -> Result<Vec<SiteId>>;
    /// Keeps how it stands with telling a site.
    async fn note_delivery(&self, site: SiteId, delivery: &Delivery) -> Result<()>;
    /// The sessions that a site reported of a member at this position or later. They are kept for a minute, for whoever
    /// asked.
    async fn reported_sessions(
        &self,
        site: SiteId,
        subject: &Subject,
        position: u64,
        now: Timestamp,
    ) -> Result<Option<Vec<Session>>>;
}

/// What came of putting a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberPut {
    /// New.
    Created(Member),
    /// Changed.
    Updated(Member),
    /// The same as before.
    Unchanged(Member),
    /// There is no such site (any more).
    SiteNotFound,
    /// Asked for too often; not changed.
    Limited(Limited),
    /// Not changed: the member's revision is another one (`0`: there is no such member).
    RevisionMismatch {
        /// The one it has.
        current: u64,
    },
}

/// Handoffs.
#[async_trait]
pub trait Handoffs: Send + Sync {
    /// Writes the record of issuing and its event, if neither the member nor the API key of `context` has asked too
    /// often and the member may come in at `handoff.issued_at`.
    async fn issue(&self, site: SiteId, handoff: &NewHandoff, context: &Context) -> Result<Issuance>;
    /// The one atomic step. Decided in this order: no record · another token · another primary than at issue ·
    /// spent by the same attempt (revocation and membership looked at again, then the same answer) · spent ·
    /// revoked · expired · membership · binding · redeemed. Only the last one spends; each writes its event. A preview
    /// is decided in the same order, and where it would be redeemed or repeated, it spends nothing and writes no
    /// event. What would let nobody in, or again, and what previews, is counted for the token, and what refuses for
    /// the address in `context`; once that was too often, this is the answer instead, and the trail is told of it
    /// once a minute.
    async fn redeem(
        &self,
        site: SiteId,
        presented: &Presented,
        now: Timestamp,
        context: &Context,
    ) -> Result<Redemption>;
    /// One handoff; `None` when there is none (any more).
    async fn handoff(&self, site: SiteId, id: HandoffId) -> Result<Option<Handoff>>;
    /// Takes a handoff back, if it is not redeemed yet.
    async fn revoke_handoff(
        &self,
        site: SiteId,
        id: HandoffId,
        now: Timestamp,
        context: &Context,
    ) -> Result<Revocation>;
    /// Revokes every handoff that this key signed, on this site.
    async fn revoke_key(&self, site: SiteId, kid: &KeyId, now: Timestamp, context: &Context) -> Result<()>;
    /// Keeps what WordPress did with a redeemed handoff; the first report stays.
    async fn report_outcome(
        &self,
        site: SiteId,
        id: HandoffId,
        outcome: &Outcome,
        now: Timestamp,
        context: &Context,
    ) -> Result<OutcomeReport>;
    /// Removes records whose retention is over. A store that lets them expire by itself does nothing.
    async fn sweep(&self, now: Timestamp) -> Result<u64>;
}

/// What came of reporting an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutcomeReport {
    /// Kept.
    Recorded,
    /// One was kept before, and stays.
    AlreadyRecorded,
    /// There is no such redeemed handoff.
    NotRedeemed,
}

/// What those who have the keyring tell each other, and what becomes of its keys at the sites.
#[async_trait]
pub trait Keyrings: Send + Sync {
    /// The newest revision of the keyring that was announced; 0 when none was.
    async fn keyring_revision(&self) -> Result<u64>;
    /// Keeps a revision of the keyring if it is newer than the one before, and writes what changed since that one into
    /// the trail of the tenant `default`, in one step.
    async fn announce_keyring(
        &self,
        revision: u64,
        changes: &[KeyChange],
        now: Timestamp,
        context: &Context,
    ) -> Result<Announced>;
    /// Keeps that a key is to be revoked on every site that is registered from now on. Those that are there already
    /// [`revoke_everywhere`](crate::keyring::revoke_everywhere) tells after that.
    async fn forbid_key(&self, kid: &KeyId, now: Timestamp) -> Result<()>;
}

/// What came of announcing a keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// It is the newest, and was told.
    Told,
    /// It is the newest, and was told before.
    Known,
    /// There is a newer one.
    Behind {
        /// That one's revision.
        seen: u64,
    },
}

/// The audit trail.
#[async_trait]
pub trait Events: Send + Sync + std::fmt::Debug {
    /// Writes an event of a site that goes with no change of the store's.
    async fn append_event(&self, site: SiteId, entry: &Entry<'_>, context: &Context) -> Result<()>;
    /// Events of a trail in the order of reading.
    async fn events(&self, trail: &Trail, reading: Reading, limit: usize) -> Result<Vec<Event>>;
    /// All events of a request or a handoff, in no order, if the store has an index of them; else `None`, and trails
    /// must be looked through ([`trail::about`](crate::trail::about) does that).
    async fn indexed(&self, about: &About) -> Result<Option<Vec<(Trail, Event)>>>;
    /// How far a trail reaches.
    async fn extent(&self, trail: &Trail) -> Result<Extent>;
    /// All trails that anything was ever written to, in no order.
    async fn trails(&self) -> Result<Vec<Trail>>;
    /// Removes the old end of a trail, up to and including the event `last`, and says how many that were. At once: so
    /// let it be few.
    async fn remove_events(&self, trail: &Trail, last: u64) -> Result<u64>;
}

/// An event to be written.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
    /// The exact cause of a refusal.
    pub cause: Option<&'a str>,
    /// To whom.
    pub subject: Option<&'a Subject>,
    /// With which handoff.
    pub handoff_id: Option<HandoffId>,
}

/// What a store says of itself, for whoever watches it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Its own release.
    pub version: String,
    /// Of `SQLite` its files on disk, of Redis its memory.
    pub bytes: Option<u64>,
    /// Redis replicas that follow the primary.
    pub replicas: Option<u32>,
    /// Which Redis primary answers: another one after a failover, and after a restart.
    pub primary: Option<String>,
    /// What time it is there, if it has a clock of its own.
    pub time: Option<Timestamp>,
}

/// The store as a whole.
#[async_trait]
pub trait Store: Sites + Clients + Members + Feed + Handoffs + Keyrings + Events + std::fmt::Debug {
    /// Answers if the store does.
    async fn ping(&self) -> Result<()>;
    /// Reads all that it has, if only that tells whether it is damaged; it may take a while, in which it goes on
    /// answering.
    async fn check(&self) -> Result<()>;
    /// Answers once all that was written so far is as safe as writes that take rights away are made: for whoever
    /// answers for such a write a second time without writing it again.
    async fn settled(&self) -> Result<()>;
    /// What is unwise about how it is set, in words for its operator.
    async fn advice(&self) -> Result<Vec<String>>;
    /// What it says of itself.
    async fn status(&self) -> Result<Status>;
    /// Writes something that changes nothing, to see whether it can.
    async fn try_writing(&self) -> Result<()>;
    /// Lets go of its files, after which it answers nothing more: for the end of the program, so that nothing is left to
    /// be done at the next start.
    async fn close(&self) {}
    /// What kind of store this is, for people.
    fn describe(&self) -> String;
}

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(corrupt)
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(corrupt)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T> {
    text.parse().map_err(corrupt)
}

/// The time of a step of a key's, for the trail.
fn told_at(change: &KeyChange) -> Timestamp {
    Timestamp::from_secs(i64::try_from(change.at).unwrap_or(i64::MAX))
}

pub(crate) fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(what.to_string())
}
