//! Where Redis is: the URL that a store is named by, put together with the files for TLS.
//!
//! | URL | leads to |
//! |---|---|
//! | `redis://[user:password@]host[:port][/db]` | one server |
//! | `redis+sentinel://[user:password@]host[:port],…/NAME[/db]` | whichever the sentinels call the primary of NAME |
//! | `rediss://…`, `rediss+sentinel://…` | the same over TLS: data servers and sentinels alike |
//!
//! User and password are the data servers'. Sentinels are asked without, as redis-py and ioredis do, unless
//! `?sentinel_username=…&sentinel_password=…` says with which (the user may be left out). What stands in a password of
//! `@ : / ? # %` is percent-encoded.

use std::collections::HashMap;

use ::redis::io::tcp::TcpSettings;
use ::redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use ::redis::{Client, ConnectionAddr, IntoConnectionInfo, TlsMode};
use tokio::sync::Mutex;
use url::{Host, Url};

use super::Options;
use super::tls::certificates;

const FORMS: &str = "expected redis://[user:password@]host[:port][/db] or \
     redis+sentinel://[user:password@]host[:port],…/NAME[/db], with rediss for TLS";
const SENTINEL_PORT: u16 = 26379;

/// Where the data is.
pub(super) enum Target {
    /// On this server.
    Server(Box<Client>),
    /// On whichever server the sentinels call primary.
    Sentinel(Box<Mutex<SentinelClient>>),
}

/// A URL understood.
pub(super) struct Address {
    pub(super) target: Target,
    /// For people: no user, no password.
    pub(super) name: String,
    pub(super) tls: bool,
}

/// Reads a URL. The answer to a wrong one never repeats it: it may hold a password.
pub(super) fn read(url: &str, options: &Options) -> Result<Address, String> {
    let (scheme, rest) = url.split_once("://").ok_or(FORMS)?;
    let (tls, by_sentinel) = match scheme {
        "redis" => (false, false),
        "rediss" => (true, false),
        "redis+sentinel" => (false, true),
        "rediss+sentinel" => (true, true),
        _ => return Err(FORMS.to_owned()),
    };
    // redis-rs would take `#insecure` as the wish not to verify who answers. There is no such wish.
    if rest.contains('#') {
        return Err("a # has no meaning in it (in a password it is written %23)".to_owned());
    }
    if !tls && options.has_tls_files() {
        return Err("there are files for TLS, but it says redis, not rediss".to_owned());
    }
    if by_sentinel { sentinels(rest, tls, options) } else { server(url, tls, options) }
}

/// Small commands must not wait for the answer to the one before.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn server(url: &str, tls: bool, options: &Options) -> Result<Address, String> {
    if url.contains('?') {
        return Err("a ? has no meaning in it (in a password it is written %3F)".to_owned());
    }
    let info = url.into_connection_info().map_err(|e| e.to_string())?.set_tcp_settings(tcp());
    let name = info.addr().to_string();
    let client = if tls { Client::build_with_tls(info, certificates(options)?) } else { Client::open(info) };
    let client = Box::new(client.map_err(|e| e.to_string())?);
    Ok(Address { target: Target::Server(client), name, tls })
}

fn sentinels(rest: &str, tls: bool, options: &Options) -> Result<Address, String> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (credentials, rest) = rest.rsplit_once('@').map_or(("", rest), |(before, after)| (before, after));
    let (hosts, path) = rest.split_once('/').ok_or(FORMS)?;
    let (service, db) = path.split_once('/').unwrap_or((path, ""));
    if service.is_empty() || db.contains('/') {
        return Err(FORMS.to_owned());
    }
    let nodes = hosts.split(',').map(|host| node(host, tls)).collect::<Result<Vec<_>, _>>()?;
    // The URL parser knows how user and password are encoded.
    let at = if credentials.is_empty() { "" } else { "@" };
    let data = format!("redis://{credentials}{at}localhost/{db}?{query}");
    let mut sentinel: HashMap<String, String> =
        Url::parse(&data).map_err(|_| FORMS)?.query_pairs().into_owned().collect();
    let data = data.split('?').next().unwrap_or_default();
    let data = data.into_connection_info().map_err(|e| e.to_string())?;
    let data = data.redis_settings();

    let failed = |e: ::redis::RedisError| e.to_string();
    let mut client = SentinelClientBuilder::new(nodes, service, SentinelServerType::Master)
        .map_err(failed)?
        .set_client_to_redis_tcp_settings(tcp())
        .set_client_to_sentinel_tcp_settings(tcp())
        .set_client_to_redis_db(data.db());
    if let Some(username) = data.username() {
        client = client.set_client_to_redis_username(username);
    }
    if let Some(password) = data.password() {
        client = client.set_client_to_redis_password(password);
    }
    if let Some(username) = sentinel.remove("sentinel_username") {
        client = client.set_client_to_sentinel_username(username);
    }
    if let Some(password) = sentinel.remove("sentinel_password") {
        client = client.set_client_to_sentinel_password(password);
    }
    if !sentinel.is_empty() {
        return Err("behind its ? there may be sentinel_username and sentinel_password".to_owned());
    }
    if tls {
        let certificates = certificates(options)?;
        client = client
            .set_client_to_redis_tls_mode(TlsMode::Secure)
            .set_client_to_redis_certificates(certificates.clone())
            .set_client_to_sentinel_certificates(certificates);
    }
    let client = client.build().map_err(failed)?;
    let name = format!("{service}, by the sentinels {hosts}");
    Ok(Address { target: Target::Sentinel(Box::new(Mutex::new(client))), name, tls })
}

/// A sentinel's address.
fn node(text: &str, tls: bool) -> Result<ConnectionAddr, String> {
    let url = Url::parse(&format!("redis://{text}/")).map_err(|_| FORMS)?;
    let host = match url.host().ok_or(FORMS)? {
        Host::Ipv6(address) => address.to_string(),
        host => host.to_string(),
    };
    let port = url.port().unwrap_or(SENTINEL_PORT);
    Ok(if tls {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    })
}
