//! The store for more than one machine: Redis 7 or newer, or Valkey. Every decision is one Lua script and one round
//! trip; the scripts lie beside this file and read like the rules they carry out.

mod address;
mod behind;
mod clients;
mod events;
mod feed;
mod handoffs;
mod keyrings;
pub(super) mod keys;
mod link;
mod members;
mod replicas;
mod settings;
mod sites;
mod target;
mod tls;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use ::redis::{AsyncCommands, FromRedisValue, InfoDict, RedisError, Script, ScriptInvocation};
use async_trait::async_trait;

use self::behind::Marks;
use self::link::Link;
use self::replicas::{Lane, Lanes};
use self::settings::Findings;
pub use self::target::{Found, Target};
use super::{Result, Status, Store, StoreError, from_json, parsed, to_json};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::SiteId;
use crate::limit::{Bucket, Counted, Limited, Limits};
use crate::trail::{Retention, Trail};

/// The layout of keys and values that this program knows. There is no older one yet.
const SCHEMA: i64 = 1;

/// A store on Redis.
#[derive(Clone)]
pub struct Redis {
    link: Link,
    lanes: Arc<Lanes>,
    scripts: Arc<Scripts>,
    marks: Arc<Marks>,
    limits: Limits,
}

/// What a URL does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// PEM file with the CAs that Redis's certificate may come from, instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// PEM file with the client certificate and its chain; Redis asks for one unless `tls-auth-clients` is `no`.
    pub cert_file: Option<PathBuf>,
    /// PEM file with that certificate's private key.
    pub key_file: Option<PathBuf>,
    /// How many replicas must have a write that takes rights away before it is answered for; 0 is not to wait.
    pub wait_replicas: u32,
}

impl Options {
    fn has_tls_files(&self) -> bool {
        self.ca_file.is_some() || self.cert_file.is_some() || self.key_file.is_some()
    }
}

/// Every script by its name: those of a site, its members and the service with what they have in common in front, the
/// others as they are.
macro_rules! scripts {
    (site: [$($name:ident),*], members: [$($of:ident),*], service: [$($told:ident),*], other: [$($plain:ident),*]) => {
        struct Scripts { $($name: Script,)* $($of: Script,)* $($told: Script,)* $($plain: Script),* }
        impl Scripts {
            fn new(retention: Retention) -> Self {
                let bound = retention.events.map_or(i64::MAX, |events| i64::try_from(events).unwrap_or(i64::MAX));
                let bounded = |script: &str| Script::new(&format!("local TRAIL_EVENTS = '{bound}'\n{script}"));
                Self {
                    $($name: bounded(concat!(
                        include_str!("scripts/trail.lua"),
                        include_str!("scripts/common.lua"),
                        include_str!(concat!("scripts/", stringify!($name), ".lua")),
                    )),)*
                    $($of: bounded(concat!(
                        include_str!("scripts/trail.lua"),
                        include_str!("scripts/common.lua"),
                        include_str!("scripts/member.lua"),
                        include_str!(concat!("scripts/", stringify!($of), ".lua")),
                    )),)*
                    $($told: bounded(concat!(
                        include_str!("scripts/trail.lua"),
                        include_str!(concat!("scripts/", stringify!($told), ".lua")),
                    )),)*
                    $($plain: Script::new(include_str!(concat!("scripts/", stringify!($plain), ".lua")))),*
                }
            }
        }
    };
}
scripts! {
    site: [
        acknowledge, append_event, hear, issue, move_site, note_delivery, pair, progress, put_pairing,
        put_pairing_code, put_site, redeem,
        report_outcome, revoke_handoff, revoke_key, revoke_subject
    ],
    members: [ask_of_site, changes, list_members, put_members, remove_member],
    service: [announce_keyring, put_client, roll_client, tell_tenant],
    other: [claim_origin, release_origin, unmark]
}

impl Redis {
    /// Connects, without limits and to keep every event, to `redis://[user:password@]host[:port][/db]`, or by Sentinel to
    /// `redis+sentinel://[user:password@]host[:port][,host[:port]…]/NAME[/db]`, and looks at how it is set. With
    /// `rediss` for `redis` it is TLS all the way. A sentinel's own user and password stand behind the URL:
    /// `?sentinel_username=…&sentinel_password=…`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with what to look at, when the URL is no good, nothing answers there, or what
    /// answers must not be used.
    pub async fn connect(url: &str, options: &Options) -> Result<Self> {
        let mut link = Link::open(url, options).await?;
        check_whole(&mut link).await?;
        check_schema(&mut link).await?;
        let (lanes, scripts) =
            (Arc::new(Lanes::new(options.wait_replicas)), Arc::new(Scripts::new(Retention::NONE)));
        Ok(Self { link, lanes, scripts, marks: Arc::default(), limits: Limits::NONE })
    }

    /// The same store, with these limits.
    #[must_use]
    pub fn limited(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The same store, which keeps about so many events of each trail whenever it writes one. It is for whoever also
    /// calls [`sweep`](crate::trail::sweep).
    #[must_use]
    pub fn keeping(mut self, retention: Retention) -> Self {
        self.scripts = Arc::new(Scripts::new(retention));
        self
    }

    /// Starts the call of a script that writes into a trail, with what every such script is given.
    fn call_of<'a>(
        script: &'a Script,
        trail: &Trail,
        now: Timestamp,
        context: &Context,
    ) -> Result<ScriptInvocation<'a>> {
        let mut call = script.prepare_invoke();
        call.key(keys::state(trail)).key(keys::events(trail)).arg(now.millis()).arg(to_json(context)?);
        Ok(call)
    }

    /// Starts the call of a site's script with what every script of a site is given.
    fn call<'a>(
        script: &'a Script,
        site: SiteId,
        now: Timestamp,
        context: &Context,
    ) -> Result<ScriptInvocation<'a>> {
        let mut call = Self::call_of(script, &Trail::Site(site), now, context)?;
        call.key(keys::site(site));
        Ok(call)
    }

    /// The same for a script that writes no event.
    fn quiet_call(script: &Script, site: SiteId, now: Timestamp) -> ScriptInvocation<'_> {
        let (mut call, trail) = (script.prepare_invoke(), Trail::Site(site));
        call.key(keys::state(&trail))
            .key(keys::events(&trail))
            .arg(now.millis())
            .arg("")
            .key(keys::site(site));
        call
    }

    /// The same for one that needs no time.
    fn timeless_call(script: &Script, site: SiteId) -> ScriptInvocation<'_> {
        Self::quiet_call(script, site, Timestamp::from_millis(0))
    }

    /// Names buckets to a script, in its order.
    fn count<const N: usize>(call: &mut ScriptInvocation<'_>, site: SiteId, buckets: [Counted; N]) {
        for Counted { bucket, name, rate } in buckets {
            let pace = name.as_ref().and_then(|_| rate.pace());
            call.key(keys::bucket(site, bucket, &name.unwrap_or_default()))
                .arg(pace.map(|pace| pace.interval.to_string()).unwrap_or_default());
        }
    }

    async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T> {
        Ok(call.invoke_async(&mut self.link.clone()).await?)
    }

    /// Runs a script that takes rights away.
    async fn run_durably<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T> {
        self.run_durably_if(call, |_| true).await
    }

    /// The same; an answer of another kind tells that nothing was written, and is not waited with.
    async fn run_durably_if<T: FromRedisValue>(
        &self,
        call: &ScriptInvocation<'_>,
        written: impl FnOnce(&T) -> bool,
    ) -> Result<T> {
        let mut lane = self.lane().await?;
        let answer = call.invoke_async(&mut lane).await?;
        if written(&answer) {
            lane.reach_replicas().await?;
        } else {
            lane.give_back();
        }
        Ok(answer)
    }

    async fn lane(&self) -> Result<Lane<'_>> {
        self.lanes.lane(&self.link).await
    }

    fn connection(&self) -> Link {
        self.link.clone()
    }

    /// What the names of all keys that match a pattern tell, each once: of those that are there from beginning to end.
    /// All keys are looked through, a few at a time.
    async fn all_named<T: Ord>(&self, pattern: &str, read: impl Fn(&str) -> Option<T>) -> Result<Vec<T>> {
        let (mut cursor, mut all) = (0_u64, BTreeSet::new());
        loop {
            let (next, found): (u64, Vec<String>) = ::redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(pattern)
                .arg("COUNT")
                .arg(1000)
                .query_async(&mut self.connection())
                .await?;
            all.extend(found.iter().filter_map(|key| read(key)));
            if next == 0 {
                return Ok(all.into_iter().collect());
            }
            cursor = next;
        }
    }
}

/// Refuses a store of which only a part has arrived.
async fn check_whole(link: &mut Link) -> Result<()> {
    if link.exists(keys::COPYING).await? {
        return Err(StoreError::Unavailable(format!(
            "the Redis at {} holds a copy of a store that did not come to its end (or is still under way): run \
             gatepass store copy again, which begins anew",
            link.name()
        )));
    }
    Ok(())
}

/// Marks an empty Redis as one of this layout, and refuses one of a newer.
async fn check_schema(link: &mut Link) -> Result<()> {
    let mut found: Option<i64> = link.get(keys::SCHEMA).await?;
    if found.is_none() {
        // Of two that come at once the second finds what the first one set.
        found =
            ::redis::cmd("SET").arg(keys::SCHEMA).arg(SCHEMA).arg("NX").arg("GET").query_async(link).await?;
    }
    match found {
        Some(found) if found > SCHEMA => Err(StoreError::NewerSchema { found, known: SCHEMA }),
        _ => Ok(()),
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("at", &self.link.name()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Redis {
    async fn ping(&self) -> Result<()> {
        let () = self.connection().ping().await?;
        Ok(())
    }

    async fn check(&self) -> Result<()> {
        // Redis reads all that it has when it starts, and does not start when that is damaged.
        Ok(())
    }

    async fn settled(&self) -> Result<()> {
        self.lane().await?.reach_replicas().await
    }

    async fn advice(&self) -> Result<Vec<String>> {
        let Findings { refusal, warnings, .. } = self.link.look().await?;
        Ok(refusal.into_iter().chain(warnings).collect())
    }

    async fn status(&self) -> Result<Status> {
        let mut ask = ::redis::cmd("INFO");
        ask.arg(&["server", "memory", "replication"]);
        let info: InfoDict = ask.query_async(&mut self.connection()).await?;
        let micros: Option<i64> = info.get("server_time_usec");
        Ok(Status {
            version: info.get("redis_version").unwrap_or_default(),
            bytes: info.get("used_memory"),
            replicas: info.get("connected_slaves"),
            primary: info.get("master_replid"),
            time: micros.map(|micros| Timestamp::from_millis(micros.div_euclid(1000))),
        })
    }

    async fn try_writing(&self) -> Result<()> {
        Ok(self.connection().set(keys::MARK, 1).await?)
    }

    fn describe(&self) -> String {
        format!("Redis at {}", self.link.name())
    }
}

impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            ::redis::ErrorKind::UnexpectedReturnType | ::redis::ErrorKind::Parse => {
                Self::Corrupt(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// A required field of a hash or an answer.
fn required<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| super::corrupt(format!("no {name}")))
}

/// What the Lua function `limited` answered behind the word: the cause, and for how long (milliseconds).
fn limited(cause: Option<&str>, wait: Option<&str>) -> Result<Limited> {
    let cause = required(cause, "cause")?;
    let bucket = Bucket::from_cause(cause).ok_or_else(|| super::corrupt(format!("cause {cause}")))?;
    let retry_after = std::time::Duration::from_millis(parsed(required(wait, "wait")?)?);
    Ok(Limited { bucket, retry_after })
}
