//! Where a request comes from, behind a reverse proxy and without.

use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::{PanelApi, Result};

pub async fn the_clients_address_is_the_peers_unless_a_trusted_proxy_says_another() -> Result {
    let folder = tempfile::tempdir()?;
    let claim = [("X-Forwarded-For", "203.0.113.9, 192.0.2.7, 127.0.0.5"), ("Forwarded", "for=192.0.2.7")];
    for (name, flags, logged) in [
        ("nobody", &[][..], "client=127.0.0.1"),
        ("another", &["--trusted-proxy", "10.0.0.0/8"], "client=127.0.0.1"),
        ("trusted", &["--trusted-proxy", "10.0.0.0/8,127.0.0.0/8"], "client=192.0.2.7"),
    ] {
        let gatepass = Gatepass::start_with(&folder.path().join(name), "sqlite", flags)?;
        let mut request = reqwest::Client::new().get(format!("{}/v1/sites", gatepass.url()));
        for (header, value) in claim {
            request = request.header(header, value);
        }
        assert_eq!(request.send().await?.status().as_u16(), 401);
        let log = std::fs::read_to_string(gatepass.log())?;
        assert!(log.contains(logged), "{name}: {log}");
    }

    // The trail of a pairing tells where it came from.
    let gatepass = Gatepass::start(&folder.path().join("trail"), "sqlite")?;
    let site = FakeSite::start()?;
    let registered = gatepass.add_site(&site.url, &[])?;
    site.pair(&PairingCode::read(&registered.pairing_code)?).await?.ok()?;
    let events =
        PanelApi::new(&gatepass.url(), &registered.id, &gatepass.add_client("panel")?).events(0).await?;
    let paired =
        events["events"].as_array().and_then(|events| events.iter().find(|e| e["kind"] == "site.paired"));
    assert_eq!(paired.map(|event| &event["client_ip"]), Some(&"127.0.0.1".into()), "{events}");
    Ok(())
}
