//! `GET /metrics`: what is counted, and that no stranger adds to it.

use std::time::{Duration, Instant};

use gatepass_http::metrics::NAMES;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::raw::{Connection, request};
use gatepass_tests::redis::Redis;
use gatepass_tests::scrape::Scrape;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{PanelApi, Result, api, ports};
use reqwest::StatusCode;
use serde_json::json;
use tempfile::TempDir;

/// A Gatepass that is watched, and a site.
pub struct Watched {
    // Dropped, and so stopped, in this order; the folder last.
    site: FakeSite,
    gatepass: Gatepass,
    redis: Redis,
    code: PairingCode,
    api: PanelApi,
    address: String,
    _folder: TempDir,
}

impl Watched {
    pub async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let redis = Redis::start(&folder.path().join("redis"))?;
        let address = format!("127.0.0.1:{}", ports::free_port()?);
        let flags = ["--metrics-listen", &address, "--log-format", "json"];
        let gatepass = Gatepass::start_with(&folder.path().join("gatepass"), &redis.url(), &flags)?;
        let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
        let api = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
        api.put("mia", &api::member("mia")).await?.ok()?;
        Ok(Self { site, gatepass, redis, code, api, address, _folder: folder })
    }

    /// What it says now.
    pub async fn scrape(&self) -> Result<Scrape> {
        Scrape::of(&self.address).await
    }

    /// Issues a handoff, redeems it twice, shows a forged token, and reports an outcome that no plugin would.
    pub async fn log_in(&self) -> Result {
        let issued = self.api.issue("mia").await?;
        let proof = self.site.proof(&self.site.claims(&self.code));
        let show = async |token: &str| {
            let body = json!({ "token": token, "attempt": new_attempt()?, "client_ip": null });
            self.site.post(&self.code, "/wp/v1/redemptions", Some(&proof), &body).await
        };
        assert_eq!(show(issued.token()).await?.status, StatusCode::OK);
        assert_eq!(show(issued.token()).await?.code(), "handoff_used");
        let (signed, signature) = issued.token().rsplit_once('.').ok_or("no token")?;
        let other = if signature.starts_with('A') { "B" } else { "A" };
        assert_eq!(show(&format!("{signed}.{other}{}", &signature[1..])).await?.code(), "handoff_invalid");
        let outcome = json!({ "result": "failed", "code": "a_word_of_the_sites_own" });
        let path = format!("/wp/v1/redemptions/{}/outcome", issued.id);
        assert_eq!(
            self.site.post(&self.code, &path, Some(&proof), &outcome).await?.status,
            StatusCode::NO_CONTENT
        );
        Ok(())
    }

    /// Waits until the store's state shows; it is looked at every 5 seconds.
    async fn wait_for_store(&self, up: f64) -> Result {
        let began = Instant::now();
        while (self.scrape().await?.value("gatepass_store_up") - up).abs() > 0.5 {
            assert!(began.elapsed() < Duration::from_secs(40), "gatepass_store_up does not become {up}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }
}

pub async fn what_happens_is_counted_and_only_where_prometheus_asks() -> Result {
    let watched = Watched::start().await?;
    let before = watched.scrape().await?;
    watched.log_in().await?;
    let after = watched.scrape().await?;
    for name in NAMES {
        let name = if name.ends_with("_seconds") && after.names().contains(&*format!("{name}_count")) {
            format!("{name}_count")
        } else {
            (*name).to_owned()
        };
        assert!(after.names().contains(name.as_str()), "{name} is not there");
    }
    for (series, rise) in [
        ("gatepass_issues_total{outcome=\"issued\"}", 1.0),
        ("gatepass_redemptions_total{outcome=\"redeemed\",cause=\"none\"}", 1.0),
        ("gatepass_redemptions_total{outcome=\"handoff_used\",cause=\"used\"}", 1.0),
        ("gatepass_redemptions_total{outcome=\"handoff_invalid\",cause=\"signature\"}", 1.0),
        ("gatepass_logins_total{outcome=\"other\"}", 1.0),
        ("gatepass_logins_total{outcome=\"logged_in\"}", 0.0),
        ("gatepass_http_problems_total{code=\"handoff_used\"}", 1.0),
        ("gatepass_http_request_duration_seconds_count{route=\"/wp/v1/redemptions\"}", 3.0),
        ("gatepass_store_operation_duration_seconds_count{operation=\"redeem\"}", 2.0),
        ("gatepass_trail_pending_refusals", 1.0),
    ] {
        let risen = after.value(series) - before.value(series);
        assert!((risen - rise).abs() < 0.5, "{series} rose by {risen}");
    }
    for (series, least) in [
        ("gatepass_store_up", 1.0),
        ("gatepass_active_key_timestamp_seconds", 1.7e9),
        ("gatepass_connections", 1.0),
        ("process_resident_memory_bytes", 1e6),
        ("process_open_fds", 3.0),
        ("process_start_time_seconds", 1.7e9),
    ] {
        assert!(after.value(series) >= least, "{series} is {}", after.value(series));
    }
    let skew = after.value("gatepass_store_clock_offset_seconds");
    assert!(skew.abs() < 2.0, "the store's clock is {skew} s off, on the same machine");
    let elsewhere = reqwest::get(format!("{}/metrics", watched.gatepass.url())).await?;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    Ok(())
}

pub async fn whoever_invents_names_adds_no_series() -> Result {
    const FLOOD: usize = 300;
    let watched = Watched::start().await?;
    watched.log_in().await?;
    // A scrape is a request, too, and counted after it is answered.
    watched.scrape().await?;
    let flood = async |word: &str| {
        let (bearer, site) = (format!("gpk_{word}"), &watched.code.site);
        for n in 0..FLOOD {
            let path = match n % 5 {
                0 => format!("/{word}{n}"),
                1 => format!("/v1/sites/{word}{n}/handoffs"),
                2 => format!("/v1/sites/{site}/members/{word}{n}"),
                3 => format!("/wp/v1/redemptions/{word}{n}/outcome?{word}={n}"),
                _ => "/v1/sites".to_owned(),
            };
            let method = if n % 2 == 0 { format!("{}{n}", word.to_uppercase()) } else { "POST".to_owned() };
            // Some of this ends the connection.
            let mut connection = Connection::open(&watched.gatepass.url()).await?;
            connection.ask(request(&method, &path, Some(&bearer), &format!("{{\"{word}\":{n}}}"))).await?;
        }
        for n in 0..FLOOD / 10 {
            watched.api.try_issue(&json!({ "subject": format!("{word}{n}") })).await?;
        }
        watched.scrape().await
    };
    let first = flood("quince").await?;
    let second = flood("walnut").await?;
    assert_eq!(second.series(), first.series());
    let text = second.text.to_lowercase();
    for word in ["quince", "walnut", &watched.code.site, "127.0.0.1", "mia"] {
        assert!(!text.contains(word), "{word} is in a label");
    }
    Ok(())
}

pub async fn a_lost_store_is_told_of_once_and_so_is_its_return() -> Result {
    let mut watched = Watched::start().await?;
    watched.wait_for_store(1.0).await?;
    watched.redis.pause()?;
    for _ in 0..4 {
        watched.api.try_issue(&json!({ "subject": "mia" })).await?;
    }
    watched.wait_for_store(0.0).await?;
    watched.redis.resume()?;
    watched.wait_for_store(1.0).await?;
    watched.redis.restart()?;
    let changes = "gatepass_store_primary_changes_total";
    let began = Instant::now();
    while watched.scrape().await?.value(changes) < 1.0 {
        assert!(began.elapsed() < Duration::from_secs(40), "the restart is not seen");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let log = std::fs::read_to_string(watched.gatepass.log())?;
    let lines: Vec<serde_json::Value> =
        log.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?;
    let told =
        |text: &str| lines.iter().filter(|l| l["message"].as_str().is_some_and(|m| m.contains(text))).count();
    assert_eq!(told("the store is lost"), told("the store answers again"), "{log}");
    assert!((1..=2).contains(&told("the store is lost")), "{log}");
    assert!((1..=2).contains(&told("the store does not answer")), "{log}");
    for line in &lines {
        for field in ["timestamp", "level", "target"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
    let request = lines.iter().find(|line| line["path"].is_string() && line["status"] == 503);
    let request = request.ok_or("no request was logged with its status")?;
    assert_eq!(request["code"], "store_unavailable", "{request}");
    assert!(request["request_id"].is_string() && request["micros"].is_u64(), "{request}");
    Ok(())
}

/// Dashboard and alerts, as a deployment gets them.
const DASHBOARD: &str = include_str!("../../../deploy/grafana/gatepass.json");
const ALERTS: &str = include_str!("../../../deploy/prometheus/alerts.yml");
/// What Prometheus itself puts to a series.
const BY_PROMETHEUS: [&str; 2] = ["instance", "job"];

/// The metrics that a query names, each with the labels that it selects by.
fn selected(query: &str) -> Vec<(&str, Vec<&str>)> {
    let mut found = Vec::new();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = query;
    while let Some(start) = rest.find(is_name) {
        rest = &rest[start..];
        let (name, behind) = rest.split_at(rest.find(|c| !is_name(c)).unwrap_or(rest.len()));
        rest = behind;
        if !name.starts_with("gatepass_") && !name.starts_with("process_") {
            continue;
        }
        let selector =
            behind.strip_prefix('{').and_then(|inner| inner.split_once('}')).map_or("", |(s, _)| s);
        let labels =
            selector.split(',').filter_map(|pair| Some(pair.trim().split(['=', '!']).next()?.trim()));
        found.push((name, labels.filter(|label| !label.is_empty()).collect()));
    }
    found
}

/// All values of the members `expr`.
fn expressions<'a>(value: &'a serde_json::Value, found: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        serde_json::Value::Object(members) => {
            found.extend(members.get("expr").and_then(|expr| expr.as_str()));
            members.values().for_each(|member| expressions(member, found));
        }
        _ => {}
    }
}

pub async fn dashboard_and_alerts_name_only_what_is_exported() -> Result {
    let watched = Watched::start().await?;
    watched.log_in().await?;
    let scrape = watched.scrape().await?;
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD)?;
    let mut queries = vec![ALERTS];
    expressions(&dashboard, &mut queries);
    assert!(queries.len() > 30, "the dashboard has {} queries", queries.len());
    for query in queries {
        let found = selected(query);
        assert!(!found.is_empty(), "no metric in {query}");
        for (metric, labels) in found {
            assert!(scrape.names().contains(metric), "{metric} is not exported");
            for label in labels {
                let known = BY_PROMETHEUS.contains(&label) || scrape.labels(metric).contains(label);
                assert!(known, "{metric} has no label {label}");
            }
        }
    }
    Ok(())
}
