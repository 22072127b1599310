//! The settings put together: flags over environment (clap does these two) over `gatepass.toml` over defaults.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatepass_core::keyring::token_life;
use gatepass_core::limit::{Limits, Rate};
use gatepass_core::site::{LIFETIME_SECS, check_http_url};
use gatepass_core::store::redis::Options;
use gatepass_core::trail::{DEFAULT_TRAIL_DAYS, DEFAULT_TRAIL_EVENTS, Retention};
use gatepass_keys::{Delays, RotationPolicy};
use ipnet::IpNet;
use url::Url;
use zeroize::Zeroizing;

use crate::args::{LimitSettings, LogFormat, Settings};
use crate::error::Failure;

const DEFAULT_FILE: &str = "gatepass.toml";
const DEFAULT_DATA_DIR: &str = "gatepass-data";
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8470);

/// Without what the framework says of every malformed request, at level error: anybody can send one.
const DEFAULT_LOG: &str = "info,actix_server=warn,actix_http=off";

/// Which store.
pub(crate) enum StoreChoice {
    /// A file in the data folder.
    Sqlite,
    /// Redis at this URL, which may hold a password.
    Redis(String, Options),
}

/// What private keys are encrypted with.
pub(crate) enum KeyringKey {
    /// Itself.
    Value(Zeroizing<String>),
    /// A file that holds it, read whenever it is needed.
    File(PathBuf),
}

/// How keys are changed, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyTimes {
    /// For how long a key signs; `None` until somebody says so.
    pub(crate) lifetime: Option<u64>,
    /// The longest that a token lives.
    pub(crate) max_token_lifetime: u32,
    /// For how long the published keys may be kept by caches.
    pub(crate) jwks_max_age: u32,
    /// How often bridges fetch them.
    pub(crate) jwks_refresh: u32,
    /// By how much clocks may differ.
    pub(crate) clock_skew: u32,
}

impl KeyTimes {
    /// How keys are rotated.
    pub(crate) fn policy(&self) -> RotationPolicy {
        let secs = |secs: u32| u64::from(secs);
        let token_life = token_life(Duration::from_secs(secs(self.max_token_lifetime)));
        let delays = Delays {
            token_life: token_life.as_secs(),
            jwks_max_age: secs(self.jwks_max_age),
            jwks_refresh: secs(self.jwks_refresh),
            clock_skew: secs(self.clock_skew),
        };
        delays.policy(self.lifetime)
    }
}

impl Default for KeyTimes {
    fn default() -> Self {
        Self {
            lifetime: days(30),
            max_token_lifetime: *LIFETIME_SECS.end(),
            jwks_max_age: 300,
            jwks_refresh: 60,
            clock_skew: 60,
        }
    }
}

/// What the program works with.
pub(crate) struct Config {
    pub(crate) data_dir: PathBuf,
    pub(crate) store: StoreChoice,
    /// How a Redis is reached, also while the store is none.
    pub(crate) redis: Options,
    pub(crate) listen: SocketAddr,
    pub(crate) bridge_listen: Option<SocketAddr>,
    pub(crate) metrics_listen: Option<SocketAddr>,
    /// As given; [`crate::instance`] knows what to do without.
    pub(crate) public_url: Option<Url>,
    pub(crate) bridge_url: Option<Url>,
    /// As given; by default it follows from the public URL.
    pub(crate) jwks_url: Option<Url>,
    pub(crate) keyring_key: Option<KeyringKey>,
    pub(crate) keys: KeyTimes,
    pub(crate) limits: Limits,
    pub(crate) retention: Retention,
    pub(crate) max_connections: usize,
    pub(crate) max_requests: usize,
    pub(crate) keep_alive: Duration,
    pub(crate) trusted_proxies: Vec<IpNet>,
    pub(crate) allow_private_networks: Vec<IpNet>,
    pub(crate) log_format: LogFormat,
    pub(crate) log: String,
    pub(crate) json: bool,
}

impl Config {
    pub(crate) fn new(given: Settings) -> Result<Self, Failure> {
        let file = read_file(given.config.as_deref())?;
        let options = Options {
            ca_file: given.store_ca_file.or(file.store_ca_file),
            cert_file: given.store_cert_file.or(file.store_cert_file),
            key_file: given.store_key_file.or(file.store_key_file),
            wait_replicas: given.wait_replicas.or(file.wait_replicas).unwrap_or_default(),
        };
        let store = match (given.store, given.store_file) {
            (None, None) => store_choice(file.store, file.store_file, &options)?,
            (value, file) => store_choice(value, file, &options)?,
        };
        let public_url = given.public_url.or(file.public_url);
        let bridge_url = given.bridge_url.or(file.bridge_url);
        let jwks_url = given.jwks_url.or(file.jwks_url);
        let urls = [("public-url", &public_url), ("bridge-url", &bridge_url), ("jwks-url", &jwks_url)];
        for (name, url) in urls {
            let Some(url) = url else { continue };
            check_http_url(url).map_err(|error| Failure::Usage(format!("--{name}: {error}")))?;
            if (url.query().is_some() && name != "jwks-url") || url.fragment().is_some() {
                return Err(Failure::Usage(format!("--{name}: without a query or a fragment")));
            }
        }
        let keyring_key = match (given.keyring_key, given.keyring_key_file) {
            (None, None) => keyring_key(file.keyring_key, file.keyring_key_file)?,
            (value, file) => keyring_key(value, file)?,
        };
        let default = KeyTimes::default();
        let keys = KeyTimes {
            lifetime: given.key_days.or(file.key_days).map_or(default.lifetime, days),
            max_token_lifetime: given
                .max_token_lifetime
                .or(file.max_token_lifetime)
                .unwrap_or(default.max_token_lifetime),
            jwks_max_age: given.jwks_max_age.or(file.jwks_max_age).unwrap_or(default.jwks_max_age),
            jwks_refresh: given.jwks_refresh.or(file.jwks_refresh).map_or(default.jwks_refresh, NonZero::get),
            clock_skew: given.clock_skew.or(file.clock_skew).unwrap_or(default.clock_skew),
        };
        check_times(&keys)?;
        Ok(Self {
            data_dir: given.data_dir.or(file.data_dir).unwrap_or_else(|| DEFAULT_DATA_DIR.into()),
            store,
            redis: options,
            listen: given.listen.or(file.listen).unwrap_or(DEFAULT_LISTEN),
            bridge_listen: given.bridge_listen.or(file.bridge_listen),
            metrics_listen: given.metrics_listen.or(file.metrics_listen),
            public_url,
            bridge_url,
            jwks_url,
            keyring_key,
            keys,
            limits: limits(given.limits, file.limits),
            retention: Retention::new(
                given.trail_days.or(file.trail_days).unwrap_or(DEFAULT_TRAIL_DAYS),
                given.trail_events.or(file.trail_events).unwrap_or(DEFAULT_TRAIL_EVENTS),
            ),
            max_connections: given.max_connections.or(file.max_connections).map_or(1024, NonZero::get),
            max_requests: given.max_requests.or(file.max_requests).map_or(512, NonZero::get),
            keep_alive: Duration::from_secs(
                given.keep_alive.or(file.keep_alive).map_or(75, |secs| secs.get().into()),
            ),
            trusted_proxies: given.trusted_proxies.or(file.trusted_proxies).unwrap_or_default(),
            allow_private_networks: given
                .allow_private_networks
                .or(file.allow_private_networks)
                .unwrap_or_default(),
            log_format: given.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
            log: given.log.or(file.log).unwrap_or_else(|| DEFAULT_LOG.to_owned()),
            json: given.json,
        })
    }
}

/// In seconds; none is never.
fn days(days: u32) -> Option<u64> {
    (days > 0).then(|| u64::from(days) * 24 * 60 * 60)
}

/// A day: a longer time is a mistake.
const MAX_SECS: u32 = 24 * 60 * 60;

fn check_times(keys: &KeyTimes) -> Result<(), Failure> {
    let times = [
        ("max-token-lifetime", keys.max_token_lifetime, LIFETIME_SECS),
        ("jwks-max-age", keys.jwks_max_age, 0..=MAX_SECS),
        ("jwks-refresh", keys.jwks_refresh, 1..=MAX_SECS),
        ("clock-skew", keys.clock_skew, 0..=MAX_SECS),
    ];
    match times.into_iter().find(|(_, secs, allowed)| !allowed.contains(secs)) {
        Some((name, _, allowed)) => {
            Err(Failure::Usage(format!("--{name}: {} to {} seconds", allowed.start(), allowed.end())))
        }
        None => Ok(()),
    }
}

fn keyring_key(value: Option<String>, file: Option<PathBuf>) -> Result<Option<KeyringKey>, Failure> {
    match (value, file) {
        (Some(_), Some(_)) => {
            Err(Failure::Usage("give either keyring-key or keyring-key-file, not both".to_owned()))
        }
        (Some(value), None) => Ok(Some(KeyringKey::Value(Zeroizing::new(value)))),
        (None, Some(file)) => Ok(Some(KeyringKey::File(file))),
        (None, None) => Ok(None),
    }
}

fn limits(given: LimitSettings, file: LimitSettings) -> Limits {
    let default = Limits::default();
    let rate =
        |given: Option<u32>, file: Option<u32>, default| given.or(file).map_or(default, Rate::per_minute);
    Limits {
        api_key: rate(given.api_key, file.api_key, default.api_key),
        member: rate(given.member, file.member, default.member),
        token: rate(given.token, file.token, default.token),
        address: rate(given.address, file.address, default.address),
    }
}

fn read_file(given: Option<&Path>) -> Result<Settings, Failure> {
    let path = given.unwrap_or(Path::new(DEFAULT_FILE));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if given.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Settings::default());
        }
        Err(error) => return Err(Failure::Usage(format!("cannot read {}: {error}", path.display()))),
    };
    // Only the message: the line itself may hold a password.
    toml::from_str(&text).map_err(|error| {
        let line =
            error.span().map_or(0, |span| text.get(..span.start).map_or(0, |t| t.lines().count().max(1)));
        Failure::Usage(format!("{}, line {line}: {}", path.display(), error.message()))
    })
}

impl Config {
    /// Refuses what is said of a Redis where none is worked with.
    pub(crate) fn expect_no_stray_settings(&self) -> Result<(), Failure> {
        if matches!(self.store, StoreChoice::Sqlite) && self.redis != Options::default() {
            return Err(Failure::Usage(
                "store-ca-file, store-cert-file, store-key-file and wait-replicas are for a store on Redis"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

fn store_choice(
    value: Option<String>,
    file: Option<PathBuf>,
    options: &Options,
) -> Result<StoreChoice, Failure> {
    let text = match (value, file) {
        (Some(_), Some(_)) => {
            return Err(Failure::Usage("give either store or store-file, not both".to_owned()));
        }
        (Some(value), None) => value,
        (None, Some(file)) => std::fs::read_to_string(&file)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", file.display())))?,
        (None, None) => "sqlite".to_owned(),
    };
    match text.trim() {
        "sqlite" => Ok(StoreChoice::Sqlite),
        url if is_redis(url) => Ok(StoreChoice::Redis(url.to_owned(), options.clone())),
        // What was given is not repeated: it may hold a password.
        _ => Err(Failure::Usage(
            "the store is sqlite or redis://host:port or redis+sentinel://host,host,host/NAME (or rediss for TLS)"
                .to_owned(),
        )),
    }
}

fn is_redis(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    matches!(scheme, Some("redis" | "rediss" | "redis+sentinel" | "rediss+sentinel"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Args;

    const SAMPLE: &str = include_str!("../../../deploy/gatepass.toml");

    /// The sample with every setting taken into use: a comment that holds one has no blank in front of its `=`.
    fn sample() -> toml::Table {
        let is_setting = |line: &&str| {
            line.starts_with('[') || line.split_once(" = ").is_some_and(|(name, _)| !name.contains(' '))
        };
        let lines: Vec<&str> =
            SAMPLE.lines().filter_map(|line| line.strip_prefix("# ")).filter(is_setting).collect();
        lines.join("\n").parse().unwrap()
    }

    #[test]
    fn the_sample_names_every_setting_and_no_other() {
        let sample = sample();
        let text = toml::to_string(&sample).unwrap();
        toml::from_str::<Settings>(&text).unwrap();
        for argument in Args::command().get_arguments().filter(|argument| argument.is_global_set()) {
            let name = argument.get_id().as_str();
            let named = match name.strip_prefix("limit_") {
                Some(limit) => sample["limits"].get(limit),
                None => sample.get(name),
            };
            assert_eq!(named.is_none(), ["config", "json"].contains(&name), "{name}");
        }
    }

    #[test]
    fn the_samples_values_are_the_defaults() {
        let given: Settings = toml::from_str(&toml::to_string(&sample()).unwrap()).unwrap();
        assert_eq!(limits(LimitSettings::default(), given.limits), Limits::default());
        assert_eq!(given.listen, Some(DEFAULT_LISTEN));
        assert_eq!(given.trail_days, Some(DEFAULT_TRAIL_DAYS));
        assert_eq!(given.trail_events, Some(DEFAULT_TRAIL_EVENTS));
        let default = KeyTimes::default();
        assert_eq!(given.key_days.and_then(days), default.lifetime);
        assert_eq!(given.max_token_lifetime, Some(default.max_token_lifetime));
        assert_eq!(given.jwks_max_age, Some(default.jwks_max_age));
        assert_eq!(given.jwks_refresh.map(NonZero::get), Some(default.jwks_refresh));
        assert_eq!(given.clock_skew, Some(default.clock_skew));
        assert_eq!(given.data_dir.as_deref(), Some(Path::new(DEFAULT_DATA_DIR)));
    }

    #[test]
    fn a_limit_that_is_not_there_is_refused() {
        assert!(toml::from_str::<Settings>("[limits]\nmembers = 3").is_err());
    }

    #[test]
    fn a_time_out_of_its_range_is_refused_by_its_name() {
        for line in [
            "max_token_lifetime = 301",
            "max_token_lifetime = 4",
            "jwks_max_age = 90000",
            "clock_skew = 90000",
        ] {
            let Err(Failure::Usage(error)) = Config::new(toml::from_str(line).unwrap()) else {
                panic!("{line}")
            };
            let (name, _) = line.split_once(' ').unwrap();
            assert!(error.contains(&name.replace('_', "-")), "{error}");
        }
        assert!(toml::from_str::<Settings>("jwks_refresh = 0").is_err());
    }
}
