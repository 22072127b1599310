//! What Redis must be set to. What would let a spent token come back or a record vanish is refused at start; what
//! is unwise, or cannot be looked at, is named loudly. A primary that a failover brings later is looked at too:
//! then all of it is only named, for refusing would make an outage of a failover.

use std::collections::HashMap;

use ::redis::aio::MultiplexedConnection;
use ::redis::{ErrorKind, InfoDict, RedisError, RedisResult, Script, ServerErrorKind};

/// The oldest release that is supported. Valkey calls itself 7.2 in `redis_version`, whatever its own release is.
const OLDEST: u32 = 7;

/// What the settings are for.
#[derive(Clone, Copy)]
pub(super) struct Use {
    pub(super) by_sentinel: bool,
    pub(super) wait_replicas: u32,
}

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    /// Which process it is; a new one after every restart.
    pub(super) run_id: String,
    /// Why it must not be used.
    pub(super) refusal: Option<String>,
    /// What is unwise.
    pub(super) warnings: Vec<String>,
}

/// Which process this is, to look only once at each.
pub(super) async fn run_id(connection: &mut MultiplexedConnection) -> RedisResult<String> {
    let info: InfoDict = ::redis::cmd("INFO").arg("server").query_async(connection).await?;
    Ok(info.get("run_id").unwrap_or_default())
}

/// Looks at a primary's settings.
///
/// # Errors
/// When it does not answer.
pub(super) async fn look(connection: &mut MultiplexedConnection, by: Use) -> RedisResult<Findings> {
    let mut found = Findings { refusal: rights(connection, by).await?, ..Findings::default() };
    if found.refusal.is_some() {
        return Ok(found);
    }
    let info: InfoDict = ::redis::cmd("INFO").query_async(connection).await?;
    found.run_id = info.get("run_id").unwrap_or_default();
    found.refusal = server(&info);
    if found.refusal.is_some() {
        return Ok(found);
    }

    let names = ["maxmemory-policy", "appendonly", "save", "min-replicas-to-write"];
    let settings: RedisResult<HashMap<String, String>> =
        ::redis::cmd("CONFIG").arg("GET").arg(&names).query_async(connection).await;
    match settings {
        // Without CONFIG, as at most who rent Redis out, INFO still tells how it forgets.
        Err(error) if broken(&error) => return Err(error),
        Err(_) => {
            found.refusal = eviction(info.get::<String>("maxmemory_policy").as_deref());
            found.warnings.push(
                "it does not show its settings (CONFIG GET): make sure yourself that it keeps its data over a restart \
                 and, with replicas, that min-replicas-to-write is 1 or more"
                    .to_owned(),
            );
        }
        Ok(settings) => {
            let set = |name: &str| settings.get(name).map(String::as_str);
            found.refusal = eviction(set("maxmemory-policy"));
            if set("appendonly") == Some("no") && set("save") == Some("") {
                found.warnings.push(
                    "it keeps nothing over a restart (appendonly no, save \"\"): sites, members and API keys would \
                     be lost; set appendonly yes"
                        .to_owned(),
                );
            }
            if by.by_sentinel && set("min-replicas-to-write") == Some("0") {
                found.warnings.push(
                    "min-replicas-to-write is 0: a primary that is cut off goes on taking writes that a failover \
                     then loses; set it to 1 or more, and min-replicas-max-lag to some seconds"
                        .to_owned(),
                );
            }
        }
    }
    let replicas: u32 = info.get("connected_slaves").unwrap_or_default();
    if replicas < by.wait_replicas {
        found.warnings.push(format!(
            "{replicas} of its replicas are connected, and wait-replicas is {}: until there are as many, every write \
             that takes rights away is answered with 503",
            by.wait_replicas
        ));
    }
    Ok(found)
}

/// Whether it broke, rather than refused.
fn broken(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Io | ErrorKind::Parse) || error.code() == Some("NOAUTH")
}

/// Whether we may do what is needed; why not.
async fn rights(connection: &mut MultiplexedConnection, by: Use) -> RedisResult<Option<String>> {
    // The fence against failovers reads the replication id inside the scripts.
    let fence = "return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''";
    let replid: RedisResult<String> = Script::new(fence).invoke_async(connection).await;
    match replid {
        Ok(replid) if replid.is_empty() => {
            return Ok(Some("INFO replication shows no master_replid".to_owned()));
        }
        Ok(_) => {}
        Err(error) if broken(&error) => return Err(error),
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading) => return Err(error),
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
            return Ok(Some(format!("its ACL keeps us from what we need: {error}")));
        }
        Err(error) => {
            return Ok(Some(format!("a script may not call INFO; allow it (ACL: +info): {error}")));
        }
    }
    if by.wait_replicas > 0 {
        let wait: RedisResult<u32> = ::redis::cmd("WAIT").arg(0).arg(1).query_async(connection).await;
        match wait {
            Err(error) if broken(&error) => return Err(error),
            Err(error) => return Ok(Some(format!("wait-replicas needs WAIT (ACL: +wait): {error}"))),
            Ok(_) => {}
        }
    }
    Ok(None)
}

/// What `INFO` tells against a server.
fn server(info: &InfoDict) -> Option<String> {
    let version: String = info.get("redis_version").unwrap_or_default();
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < OLDEST) {
        return Some(format!("it is release {version}; {OLDEST} or newer is needed"));
    }
    if info.get::<u32>("cluster_enabled") == Some(1) {
        return Some(
            "it runs in cluster mode, which is not supported; use one server, or primary and replicas with Sentinel"
                .to_owned(),
        );
    }
    if info.get::<String>("role").is_some_and(|role| role != "master") {
        return Some("it is a replica; name the primary, or the sentinels".to_owned());
    }
    None
}

fn eviction(policy: Option<&str>) -> Option<String> {
    match policy {
        Some("noeviction") => None,
        policy => Some(format!(
            "maxmemory-policy is {}, so it may forget anything, revocations too; set noeviction",
            policy.unwrap_or("not shown")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Older servers are not to be had for the tests; this is what they say.
    #[test]
    fn a_release_before_7_is_refused_and_valkey_is_not() {
        let told = |info: &str| server(&InfoDict::new(info));
        assert!(told("redis_version:6.2.14\r\nrole:master\r\n").is_some_and(|why| why.contains("6.2.14")));
        assert_eq!(told("redis_version:7.0.15\r\nrole:master\r\n"), None);
        let valkey = "redis_version:7.2.4\r\nserver_name:valkey\r\nvalkey_version:9.1.2\r\nrole:master\r\n";
        assert_eq!(told(valkey), None);
    }
}
