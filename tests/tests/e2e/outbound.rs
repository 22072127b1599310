//! Addresses that somebody else names and Gatepass calls.

use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::{PanelApi, Result};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// Not on loopback, so sites are not on this machine either.
const ELSEWHERE: [&str; 2] = ["--bridge-url", "https://login.example.com"];

/// What a site that is registered as `origin` is answered when it pairs; it would answer the challenge rightly.
async fn pair(gatepass: &Gatepass, site: &mut FakeSite, origin: &str) -> Result<(StatusCode, String)> {
    let registered = gatepass.add_site(origin, &[])?;
    // The issuer's own address leads to the bridge as well.
    let code = PairingCode { bridge: gatepass.url(), ..PairingCode::read(&registered.pairing_code)? };
    origin.clone_into(&mut site.url);
    let answer = site.pair(&code).await?;
    gatepass.command(&["site", "remove", &registered.id, "--yes"])?;
    Ok((answer.status, answer.body.to_string()))
}

pub async fn a_site_at_a_private_address_is_not_called_unless_its_operator_allows_it() -> Result {
    let folder = tempfile::tempdir()?;
    let mut site = FakeSite::start()?;
    let port = site.port;
    let gatepass = Gatepass::start_with(&folder.path().join("public"), "sqlite", &ELSEWHERE)?;
    for origin in [
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1:{port}"),
        format!("http://0x7f.1:{port}"),
        format!("http://2130706433:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        "https://169.254.169.254".to_owned(),
        "https://[fd00::1]".to_owned(),
    ] {
        let (status, answer) = pair(&gatepass, &mut site, &origin).await?;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{origin}: {answer}");
        assert!(answer.contains("has no public address"), "{origin}: {answer}");
        assert!(!answer.contains("allow-private-network"), "{origin}: {answer}");
    }
    let (_, answer) = pair(&gatepass, &mut site, &format!("http://localhost:{port}")).await?;
    assert!(!answer.contains("127.0.0.1"), "the site learns where its name leads: {answer}");
    let log = std::fs::read_to_string(gatepass.log())?;
    assert!(log.contains("127.0.0.1 is not a public address"), "{log}");
    assert!(log.contains("--allow-private-network"), "{log}");

    let allowed = [&ELSEWHERE[..], &["--allow-private-network", "127.0.0.0/30,10.0.0.0/8"]].concat();
    let gatepass = Gatepass::start_with(&folder.path().join("allowed"), "sqlite", &allowed)?;
    for host in ["localhost", "127.0.0.1"] {
        let (status, answer) = pair(&gatepass, &mut site, &format!("http://{host}:{port}")).await?;
        assert_eq!(status, StatusCode::OK, "{host}: {answer}");
    }
    let (status, answer) = pair(&gatepass, &mut site, &format!("http://127.0.0.4:{port}")).await?;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    Ok(())
}

pub async fn a_panel_registers_no_site_at_a_private_address() -> Result {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start_with(folder.path(), "sqlite", &ELSEWHERE)?;
    let api = PanelApi::new(&gatepass.url(), "", &gatepass.add_client("panel")?);
    for url in [
        "http://localhost:1",
        "http://127.0.0.1",
        "http://0x7f.1",
        "https://2130706433",
        "https://[::ffff:127.0.0.1]",
        "https://10.1.2.3",
        "https://169.254.169.254",
        "https://[fe80::1]",
    ] {
        let answer = api.call(Method::POST, "/v1/sites", Some(&json!({ "url": url }))).await?;
        assert_eq!(answer.code(), "validation_failed", "{url}");
        assert_eq!(answer.body["errors"][0]["field"], "url", "{url}");
    }
    let public = json!({ "url": "https://9.9.9.9" });
    assert_eq!(api.call(Method::POST, "/v1/sites", Some(&public)).await?.status, StatusCode::CREATED);
    Ok(())
}
