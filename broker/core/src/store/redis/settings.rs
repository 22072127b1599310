//! What Redis must be set to. What would let a spent token come back or a record vanish is refused at start; what
//! is unwise, or cannot be looked at, is named loudly.

use std::collections::HashMap;

use ::redis::aio::MultiplexedConnection;
use ::redis::{InfoDict, RedisResult, Script};

use crate::store::{Result, StoreError};

/// The oldest release that is supported.
const OLDEST: u32 = 7;

/// Looks at a primary's settings.
///
/// # Errors
/// [`StoreError::Unavailable`] with what to change, when it must not be used as it is.
pub(super) async fn check(connection: &mut MultiplexedConnection, by_sentinel: bool) -> Result<()> {
    let refuse = |why: String| Err(StoreError::Unavailable(format!("this Redis cannot be used: {why}")));

    // The fence against failovers reads the replication id inside the scripts.
    let fence = "return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''";
    let replid: RedisResult<String> = Script::new(fence).invoke_async(connection).await;
    match replid {
        Ok(replid) if !replid.is_empty() => {}
        Ok(_) => return refuse("INFO replication shows no master_replid".to_owned()),
        Err(error) if error.is_io_error() => return Err(error.into()),
        Err(error) => return refuse(format!("a script may not call INFO; allow it (ACL: +info): {error}")),
    }
    let info: InfoDict = ::redis::cmd("INFO").query_async(connection).await?;
    let version: String = info.get("redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < OLDEST) {
        return refuse(format!("it is release {version}; {OLDEST} or newer is needed"));
    }
    if info.get::<String>("role").is_some_and(|role| role != "master") {
        return refuse("it is a replica; name the primary, or the sentinels".to_owned());
    }

    let names = ["maxmemory-policy", "maxmemory", "appendonly", "save", "min-replicas-to-write"];
    let settings: RedisResult<HashMap<String, String>> =
        ::redis::cmd("CONFIG").arg("GET").arg(&names).query_async(connection).await;
    let Ok(settings) = settings else {
        tracing::warn!(
            "Redis does not show its settings (CONFIG GET): make sure yourself that maxmemory-policy is noeviction and \
             that it keeps its data over a restart"
        );
        return Ok(());
    };
    let is = |name: &str, value: &str| settings.get(name).is_some_and(|set| set == value);
    if !is("maxmemory-policy", "noeviction") {
        let policy = settings.get("maxmemory-policy").cloned().unwrap_or_default();
        return refuse(format!("maxmemory-policy is {policy}, so it may forget anything; set noeviction"));
    }
    if is("appendonly", "no") && is("save", "") {
        tracing::warn!(
            "Redis keeps nothing over a restart (appendonly no, save \"\"): sites, members and API keys would be lost"
        );
    }
    if by_sentinel && is("min-replicas-to-write", "0") {
        tracing::warn!(
            "min-replicas-to-write is 0: a primary that is cut off goes on taking writes that a failover then loses; \
             set it to 1 or more"
        );
    }
    Ok(())
}
