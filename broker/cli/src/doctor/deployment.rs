//! The deployment: keys, store, and the addresses under which it is known.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gatepass_core::site::is_loopback;
use gatepass_core::store::Status;
use gatepass_core::trail::Retention;
use gatepass_core::{Store, Timestamp};
use gatepass_http::Code;
use gatepass_keys::{JwkSet, Keyring};
use url::Url;

use super::call::{self, Caller, Seen, no_answer};
use super::finding::{Finding, Verdict};
use crate::config::{Config, StoreChoice};
use crate::instance::Instance;
use crate::open;

const ABOUT: &str = "deployment";
/// Less free space than this is warned of, in MiB.
const FREE_MIB: u64 = 512;

/// Looks at everything; gives the store if there is one to ask for sites.
pub(super) async fn look(
    config: &Config,
    instance: &Instance,
    caller: &Caller,
    now: Timestamp,
) -> (Vec<Finding>, Option<Arc<dyn Store>>) {
    let mut findings = Vec::new();
    let mut found = |check, verdict| findings.extend(Finding::new(ABOUT, check, verdict));

    found("data folder", folder(&config.data_dir));
    let (keys, keyring) = keys(config);
    found("keys", keys);
    found("key files", keyring.as_ref().map_or(Verdict::Unknown, at_rest));
    found("proxies", proxies(config, &instance.public_url));
    let store = match store(config).await {
        Ok(store) => {
            for (check, verdict) in stored(&*store, now).await {
                found(check, verdict);
            }
            found("disk", disk(config));
            Some(store)
        }
        Err(verdict) => {
            found("store", verdict);
            None
        }
    };
    found("public url", public_url(&instance.public_url));
    let (public, bridge) = (&instance.public_url, &instance.bridge_url);
    for (check, url) in [("panels", public), ("sites", bridge)] {
        if check == "sites" && bridge == public {
            continue;
        }
        match caller.get(at(url, "readyz")).await {
            Ok(seen) => {
                found(check, ready(&seen, url));
                found("certificate", seen.certificate(now));
                found("clock", seen.clock("let both machines keep time by NTP (timedatectl set-ntp true)"));
            }
            Err(error) => found(check, no_answer(error, url.as_str())),
        }
    }
    if let Some(keyring) = keyring
        && let Some(served) = served_keys(caller, public, &keyring).await
    {
        found("instance", served.verdict(public));
    }
    if let Ok(seen) = caller.get(at(bridge, "wp/v1/redemptions")).await {
        found("bridge", is_bridge(&seen, bridge));
    }
    (findings, store)
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{path}", base.path().trim_end_matches('/')));
    url
}

fn folder(dir: &Path) -> Verdict {
    let named = dir.display();
    let Ok(metadata) = std::fs::metadata(dir) else {
        return Verdict::failed(
            format!("there is no data folder {named}"),
            "name the one that gatepass serve uses, with --data-dir or GATEPASS_DATA_DIR",
        );
    };
    let open: Vec<String> = [dir.to_owned(), dir.join("gatepass.db")]
        .iter()
        .filter(|path| std::fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o077 != 0))
        .map(|path| path.display().to_string())
        .collect();
    if !metadata.is_dir() {
        Verdict::failed(format!("{named} is no folder"), "name the right one with --data-dir")
    } else if open.is_empty() {
        Verdict::ok(format!("{named} is open to its owner only"))
    } else {
        Verdict::warning(
            format!("others than the owner may use {}", open.join(" and ")),
            format!("chmod -R go= {named}"),
        )
    }
}

/// Opening the keyring looks at its permissions, its one active key, and whether each file holds the key that it is
/// named after.
fn keys(config: &Config) -> (Verdict, Option<Keyring>) {
    if !config.data_dir.join("keyring").is_dir() {
        let verdict = Verdict::failed(
            "there are no keys",
            "they are made when gatepass serve starts with this data folder",
        );
        return (verdict, None);
    }
    match open::keyring_folder(config).open() {
        Ok(None) => {
            let verdict = Verdict::failed(
                "the keyring has no index, keyring.json",
                "bring the folder back from a backup, or see gatepass keys import",
            );
            (verdict, None)
        }
        Ok(Some(keyring)) => {
            let published = keyring.key_set().iter().count();
            (Verdict::ok(format!("{published} in force, {} signs", keyring.active_kid())), Some(keyring))
        }
        Err(error) => {
            (Verdict::failed(error.to_string(), "put it right, or bring the folder back from a backup"), None)
        }
    }
}

/// Whoever reads a backup or a disk that was thrown away reads plaintext keys.
fn at_rest(keyring: &Keyring) -> Verdict {
    match keyring.plaintext_keys() {
        0 => Verdict::ok("the private keys are encrypted"),
        plaintext => Verdict::warning(
            format!("{plaintext} private keys lie in plaintext"),
            "make a wrapping key with gatepass keys new-wrapping-key, keep it elsewhere, name its file with keyring_key_file, and run gatepass keys rewrap",
        ),
    }
}

/// Gatepass speaks no TLS itself: where it is reached by HTTPS, a proxy stands in between.
fn proxies(config: &Config, public_url: &Url) -> Verdict {
    if public_url.scheme() == "https" && config.trusted_proxies.is_empty() {
        Verdict::warning(
            "there is a reverse proxy, and trusted_proxies is not set: everybody has the proxy's address",
            "set it to the proxy's network, or limits, log and trail cannot tell clients apart",
        )
    } else {
        Verdict::Unknown
    }
}

async fn store(config: &Config) -> Result<Arc<dyn Store>, Verdict> {
    if matches!(config.store, StoreChoice::Sqlite) && !config.data_dir.join("gatepass.db").is_file() {
        return Err(Verdict::failed(
            "there is no database in the data folder",
            "it is made when gatepass serve starts; or name the store that it uses, with --store",
        ));
    }
    open::store(config, Retention::NONE).await.map_err(|error| {
        Verdict::failed(
            error.to_string(),
            "see whether it runs, and deploy/redis.conf for what Redis must be set to",
        )
    })
}

async fn stored(store: &dyn Store, now: Timestamp) -> Vec<(&'static str, Verdict)> {
    let mut verdicts = Vec::new();
    match store.status().await {
        Ok(Status { version, time, .. }) => {
            verdicts.push(("store", Verdict::ok(format!("{}, release {version}", store.describe()))));
            if let Some(time) = time {
                let skew = (time.millis() - now.millis()) / 1000;
                verdicts
                    .push(("store clock", call::clock(skew, "let the machine of Redis keep time by NTP")));
            }
        }
        Err(error) => verdicts.push(("store", Verdict::failed(error.to_string(), "see whether it runs"))),
    }
    verdicts.push((
        "writing",
        match store.try_writing().await {
            Ok(()) => Verdict::ok("the store takes writes"),
            Err(error) => Verdict::failed(
                error.to_string(),
                "nobody can log in until it does; see its log, its disk and its replicas",
            ),
        },
    ));
    verdicts.push((
        "integrity",
        match store.check().await {
            Ok(()) => Verdict::ok("nothing is damaged"),
            Err(error) => {
                Verdict::failed(error.to_string(), "stop gatepass, and bring the database back from a backup")
            }
        },
    ));
    match store.advice().await {
        Ok(advice) if advice.is_empty() => {
            verdicts.push(("settings", Verdict::ok("the store is set as it should be")));
        }
        Ok(advice) => verdicts.extend(
            advice.into_iter().map(|said| ("settings", Verdict::warning(said, "see deploy/redis.conf"))),
        ),
        Err(error) => {
            verdicts.push(("settings", Verdict::failed(error.to_string(), "see deploy/redis.conf")));
        }
    }
    verdicts
}

fn disk(config: &Config) -> Verdict {
    if !matches!(config.store, StoreChoice::Sqlite) {
        return Verdict::Unknown;
    }
    let Ok(disk) = rustix::fs::statvfs(&config.data_dir) else { return Verdict::Unknown };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / (1024 * 1024);
    let said = format!("{free} MiB are free where the database is");
    if free < FREE_MIB {
        Verdict::warning(said, "make room: with a full disk nobody can log in")
    } else {
        Verdict::ok(said)
    }
}

fn public_url(url: &Url) -> Verdict {
    if is_loopback(url) {
        Verdict::warning(
            format!("{url} is this machine only"),
            "for customers and sites elsewhere, say --public-url https://… and pair the sites again",
        )
    } else {
        Verdict::ok(url.as_str())
    }
}

fn ready(seen: &Seen, url: &Url) -> Verdict {
    match seen.status {
        200 if seen.body.starts_with(b"{\"status\":\"ok\"") => Verdict::ok(format!("{url} is ready")),
        503 => not_ready(seen, url),
        status @ 300..=399 => Verdict::failed(
            format!("{url} redirects ({status}, to {})", seen.header("location")),
            "set public_url and bridge_url to the address that is redirected to: panels and sites follow no redirect",
        ),
        status => Verdict::failed(
            format!("something else answers at {url}, with status {status}"),
            "let the reverse proxy pass everything under it to gatepass serve, unchanged",
        ),
    }
}

fn not_ready(seen: &Seen, url: &Url) -> Verdict {
    let problem: serde_json::Value = serde_json::from_slice(&seen.body).unwrap_or_default();
    match problem.get("code").and_then(serde_json::Value::as_str) {
        Some(code) if code == Code::KeyringStale.as_str() => Verdict::failed(
            format!("{url} signs nothing: its keyring is not the newest that there was, or cannot be read"),
            "see that the keyring's folder is mounted there, and gatepass keys verify",
        ),
        Some(code) if code == Code::KeysUnavailable.as_str() => Verdict::failed(
            format!("{url} knows no keys yet"),
            "let the bridge reach jwks_url, and see its log",
        ),
        _ => Verdict::failed(
            format!("{url} answers, but has no store"),
            "see the checks of the store, and the log",
        ),
    }
}

/// Looks more than once: a keyring that was just changed is read within a second or two.
async fn served_keys(caller: &Caller, url: &Url, keyring: &Keyring) -> Option<ServedKeys> {
    let mut served = None;
    for _ in 0..3 {
        served = Some(ServedKeys::of(&caller.get(at(url, ".well-known/jwks.json")).await.ok()?, keyring));
        if served != Some(ServedKeys::Older) {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    served
}

/// What a service publishes, beside the keyring in the data folder.
#[derive(PartialEq, Eq)]
enum ServedKeys {
    Same,
    /// Some of them.
    Older,
    Others,
}

impl ServedKeys {
    fn of(seen: &Seen, keyring: &Keyring) -> Self {
        let Ok(served) = serde_json::from_slice::<JwkSet>(&seen.body) else { return Self::Others };
        let ours = keyring.key_set().to_jwks();
        if served == ours {
            Self::Same
        } else if served.keys.iter().any(|key| ours.keys.contains(key)) {
            Self::Older
        } else {
            Self::Others
        }
    }

    fn verdict(&self, url: &Url) -> Verdict {
        match self {
            Self::Same => Verdict::ok(format!("{url} serves the keys of this data folder")),
            Self::Older => Verdict::failed(
                format!("{url} serves an older copy of the keys of this data folder"),
                "see that the service reads this folder (is it mounted there?), and its log",
            ),
            Self::Others => Verdict::failed(
                format!("{url} serves other keys than those of this data folder: it is another Gatepass"),
                "point the name (or the proxy) here, or name the right folder with --data-dir",
            ),
        }
    }
}

/// Only a POST is answered there.
fn is_bridge(seen: &Seen, url: &Url) -> Verdict {
    if seen.status == 405 {
        Verdict::ok(format!("sites are served at {url}"))
    } else {
        Verdict::failed(
            format!("no site can redeem at {url}: /wp/v1 answers with status {}", seen.status),
            "let bridge_url lead to bridge_listen (or to listen, if there is only one address), and /wp/v1 pass the proxy",
        )
    }
}
