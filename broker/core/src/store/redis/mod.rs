//! The store for more than one machine: Redis 7 or newer, or Valkey. Every decision is one Lua script and one round
//! trip; the scripts lie beside this file and read like the rules they carry out.

mod clients;
mod events;
mod handoffs;
mod keys;
mod members;
mod sites;

use std::time::Duration;

use ::redis::aio::{ConnectionManager, ConnectionManagerConfig};
use ::redis::{AsyncCommands, FromRedisValue, RedisError, Script, ScriptInvocation};
use async_trait::async_trait;

use super::{Result, Store, StoreError};
use crate::clock::Timestamp;
use crate::event::Context;
use crate::id::SiteId;

/// How long one answer may take. A redemption that is not answered by then may still have happened; the customer is
/// told to try again, and the same attempt finds out.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may take to be made.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// A store on Redis.
#[derive(Clone)]
pub struct Redis {
    connection: ConnectionManager,
    address: String,
    scripts: std::sync::Arc<Scripts>,
}

/// Every script by its name: those of a site with the common part in front, those of a tenant as they are.
macro_rules! scripts {
    (site: [$($name:ident),* $(,)?], tenant: [$($plain:ident),* $(,)?]) => {
        struct Scripts { $($name: Script,)* $($plain: Script),* }
        impl Scripts {
            fn new() -> Self {
                Self {
                    $($name: Script::new(concat!(
                        include_str!("scripts/common.lua"),
                        include_str!(concat!("scripts/", stringify!($name), ".lua")),
                    )),)*
                    $($plain: Script::new(include_str!(concat!("scripts/", stringify!($plain), ".lua")))),*
                }
            }
        }
    };
}
scripts! {
    site: [
        append_event, issue, pair, put_member, put_pairing_code, put_site, redeem, report_outcome, revoke_handoff,
        revoke_subject,
    ],
    tenant: [claim_origin, release_origin]
}

impl Redis {
    /// Connects to `url` (`redis://[user:password@]host[:port][/db]`).
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] with what to look at, when the URL is no good or nothing answers there.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = ::redis::Client::open(url)
            .map_err(|e| StoreError::Unavailable(format!("this is no Redis URL: {e}")))?;
        let address = client.get_connection_info().addr().to_string();
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(1)
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_connection_timeout(Some(CONNECTION_TIMEOUT));
        let connection = ConnectionManager::new_with_config(client, config)
            .await
            .map_err(|e| StoreError::Unavailable(format!("no Redis at {address}: {e}")))?;
        let store = Self { connection, address, scripts: std::sync::Arc::new(Scripts::new()) };
        store.ping().await?;
        Ok(store)
    }

    /// Starts the call of a site's script with what every script is given.
    fn call<'a>(
        script: &'a Script,
        site: SiteId,
        now: Timestamp,
        context: &Context,
    ) -> Result<ScriptInvocation<'a>> {
        let mut call = script.prepare_invoke();
        call.key(keys::state(site))
            .key(keys::events(site))
            .key(keys::site(site))
            .arg(now.millis())
            .arg(to_json(context)?);
        Ok(call)
    }

    async fn run<T: FromRedisValue>(&self, call: &ScriptInvocation<'_>) -> Result<T> {
        Ok(call.invoke_async(&mut self.connection.clone()).await?)
    }

    fn connection(&self) -> ConnectionManager {
        self.connection.clone()
    }
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").field("address", &self.address).finish_non_exhaustive()
    }
}

#[async_trait]
impl Store for Redis {
    async fn ping(&self) -> Result<()> {
        let () = self.connection().ping().await?;
        Ok(())
    }

    fn describe(&self) -> String {
        format!("Redis at {}", self.address)
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

fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(super::corrupt)
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(super::corrupt)
}

/// A required field of a hash or an answer.
fn required<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| super::corrupt(format!("no {name}")))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T> {
    text.parse().map_err(super::corrupt)
}
