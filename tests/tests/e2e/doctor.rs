//! `gatepass doctor`: what is well it says so, and each fault is found by a check of its own, with what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use gatepass_tests::fake_landing::Landing;
use gatepass_tests::fake_site::FakeSite;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::redis::Redis;
use gatepass_tests::tls_proxy::TlsProxy;
use gatepass_tests::{Result, Stack, fixtures, ports};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

/// What the doctor said.
#[derive(Debug)]
struct Report {
    status: Option<i32>,
    findings: Vec<Value>,
}

impl Report {
    fn of(gatepass: &Gatepass, store: &str, arguments: &[&str], trusted: Option<&Path>) -> Result<Self> {
        let mut doctor = Command::new(fixtures::built("GATEPASS_BIN", "gatepass")?);
        doctor.env_clear().current_dir(gatepass.data_dir());
        doctor
            .args(["doctor", "--json", "--store", store, "--data-dir"])
            .arg(gatepass.data_dir())
            .args(arguments);
        if let Some(certificate) = trusted {
            doctor.env("SSL_CERT_FILE", certificate);
        }
        let output = doctor.output()?;
        let findings = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(Self { status: output.status.code(), findings })
    }

    /// The checks that are not ok, each with its state.
    fn troubles(&self) -> Vec<(&str, &str)> {
        let not_ok = self.findings.iter().filter(|finding| finding["state"] != "ok");
        not_ok.filter_map(|f| Some((f["check"].as_str()?, f["state"].as_str()?))).collect()
    }

    fn says(&self, check: &str, text: &str) -> bool {
        self.findings.iter().any(|f| f["check"] == check && f.to_string().contains(text))
    }
}

/// Nor are private keys encrypted.
const PLAINTEXT: (&str, &str) = ("key files", "warning");
/// A test's Gatepass is on loopback, and is told so.
const LOOPBACK: (&str, &str) = ("public url", "warning");

pub async fn a_whole_site_and_deployment_are_well() -> Result {
    let folder = tempfile::tempdir()?;
    let redis = Redis::start(&folder.path().join("redis"))?;
    let mut gatepass = Gatepass::start(&folder.path().join("gatepass"), &redis.url())?;
    let (site, _) = FakeSite::paired_with(&gatepass, &[]).await?;
    let report = Report::of(&gatepass, &redis.url(), &[], None)?;
    let settings =
        report.troubles().into_iter().filter(|trouble| trouble.0 != "settings").collect::<Vec<_>>();
    assert_eq!((report.status, settings), (Some(0), vec![PLAINTEXT, LOOPBACK]), "{report:?}");
    let checks = |report: &Report| report.findings.len();
    let of_site = Report::of(&gatepass, &redis.url(), &[&site.url], None)?;
    assert_eq!(checks(&of_site), checks(&report));
    for check in
        ["keys", "store", "store clock", "writing", "instance", "bridge", "cookie", "identity", "form"]
    {
        assert!(report.findings.iter().any(|f| f["check"] == check), "{check} is not checked: {report:?}");
    }
    let lines = gatepass.command(&["doctor"])?;
    assert!(lines.contains("ok       cookie") && lines.contains("-> for customers"), "{lines}");

    // Without a server that runs.
    gatepass.service().stop();
    let report = Report::of(&gatepass, &redis.url(), &[], None)?;
    assert!(report.troubles().contains(&("panels", "failed")), "{report:?}");
    assert_eq!(report.status, Some(1));
    Ok(())
}

pub async fn each_fault_of_a_site_is_found_by_its_own_check() -> Result {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start(folder.path(), "sqlite")?;
    let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
    for (landing, check, state, said) in [
        (Landing::Cached, "page cache", "failed", "out of a page cache"),
        (Landing::Storable, "page cache", "warning", "no-store"),
        (Landing::WithoutCookies, "cookie", "failed", "Set-Cookie"),
        (Landing::WithoutPolicy, "landing page", "warning", "Content-Security-Policy"),
        (Landing::WithoutOrigin, "form", "failed", "Origin"),
        (Landing::RedirectsForms, "form", "failed", "https://www.example/"),
        (Landing::Password, "plugin", "failed", "basic auth"),
        (Landing::Firewall, "form", "failed", "firewall"),
        (Landing::Renamed, "plugin", "failed", "renamed"),
        (Landing::Copy, "identity", "failed", "copy of another site"),
        (Landing::WrongClock, "clock", "warning", "behind"),
        (Landing::OldPlugin, "plugin", "warning", "older"),
    ] {
        site.lands(landing);
        let report = Report::of(&gatepass, "sqlite", &[&code.site], None)?;
        let troubles = report.troubles();
        assert!(troubles.contains(&(check, state)), "{landing:?}: {report:?}");
        assert!(report.says(check, said), "{landing:?}: {report:?}");
        // And by no other, unless nothing at all gets through.
        if !matches!(landing, Landing::Password | Landing::Renamed) {
            assert_eq!(troubles, [PLAINTEXT, LOOPBACK, (check, state)], "{landing:?}");
        }
        assert_eq!(report.status, Some(i32::from(state == "failed")), "{landing:?}");
    }
    site.lands(Landing::Whole);
    drop(site);
    let report = Report::of(&gatepass, "sqlite", &[], None)?;
    assert!(report.troubles().contains(&("address", "failed")), "{report:?}");

    let unpaired = gatepass.add_site("http://127.0.0.1:1", &[])?;
    let report = Report::of(&gatepass, "sqlite", &[&unpaired.id], None)?;
    assert!(report.says("paired", &format!("gatepass site pairing-code {}", unpaired.id)), "{report:?}");
    let private = gatepass.add_site("https://10.1.2.3", &[])?;
    assert!(
        Report::of(&gatepass, "sqlite", &[&private.id], None)?.troubles().contains(&("paired", "failed"))
    );
    Ok(())
}

pub async fn each_fault_of_a_deployment_is_found_by_its_own_check() -> Result {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start(&folder.path().join("one"), "sqlite")?;
    let other = Gatepass::start(&folder.path().join("other"), "sqlite")?;
    let look = |arguments: &[&str]| Report::of(&gatepass, "sqlite", arguments, None);
    assert_eq!(look(&[])?.troubles(), [PLAINTEXT, LOOPBACK]);

    let another = look(&["--public-url", &other.url()])?;
    assert_eq!(another.troubles(), [PLAINTEXT, LOOPBACK, ("instance", "failed")]);
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode));
    mode(&gatepass.data_dir(), 0o755)?;
    assert_eq!(look(&[])?.troubles(), [("data folder", "warning"), PLAINTEXT, LOOPBACK]);
    mode(&gatepass.data_dir(), 0o700)?;

    let keyring = gatepass.data_dir().join("keyring");
    let pem = std::fs::read_dir(&keyring)?.flatten().map(|entry| entry.path());
    let pem = pem.into_iter().find(|path| path.extension().is_some_and(|e| e == "pem")).ok_or("no key")?;
    mode(&pem, 0o644)?;
    assert_eq!(look(&[])?.troubles(), [("keys", "failed"), LOOPBACK]);
    mode(&pem, 0o600)?;

    let redis = Redis::start(&folder.path().join("redis"))?;
    redis.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])?;
    let evicting = Report::of(&gatepass, &redis.url(), &[], None)?;
    assert_eq!(evicting.troubles(), [PLAINTEXT, ("store", "failed"), LOOPBACK]);
    assert!(evicting.says("store", "noeviction"), "{evicting:?}");
    Ok(())
}

pub async fn a_certificate_that_ends_soon_is_warned_of_and_one_that_ended_fails() -> Result {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start(&folder.path().join("gatepass"), "sqlite")?;
    #[expect(clippy::disallowed_methods, reason = "a certificate ends at a time of the real clock")]
    let now = OffsetDateTime::now_utc();
    for (days, troubles) in [
        (90, vec![PLAINTEXT, ("proxies", "warning"), LOOPBACK]),
        (7, vec![PLAINTEXT, ("proxies", "warning"), LOOPBACK, ("certificate", "warning")]),
        (-1, vec![PLAINTEXT, ("proxies", "warning"), LOOPBACK, ("panels", "failed")]),
    ] {
        let port = ports::free_port()?;
        let place = folder.path().join(days.to_string());
        let proxy = TlsProxy::start(&place, port, &gatepass.address(), now + Duration::days(days))?;
        let url = format!("https://localhost:{port}");
        let report = Report::of(&gatepass, "sqlite", &["--public-url", &url], Some(proxy.certificate()))?;
        assert_eq!(report.troubles(), troubles, "{days} days: {report:?}");
        assert!(days > 0 || report.says("panels", "out of date"), "{report:?}");
    }
    Ok(())
}

pub async fn a_real_wordpress_is_well(stack: &Stack) -> Result {
    let said = stack.gatepass.command(&["doctor", stack.api.site(), "--json"])?;
    let findings: Vec<Value> = serde_json::from_str(&said)?;
    let site = findings.iter().filter(|finding| finding["about"] == stack.wordpress.url());
    let not_ok: Vec<_> = findings.iter().filter(|finding| finding["state"] == "failed").collect();
    assert!(not_ok.is_empty(), "{not_ok:?}");
    for check in ["plugin", "identity", "cookie", "landing page", "page cache", "form"] {
        assert!(
            site.clone().any(|finding| finding["check"] == check && finding["state"] == "ok"),
            "{check}: {said}"
        );
    }
    Ok(())
}
