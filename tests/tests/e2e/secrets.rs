//! No secret anywhere: recognisable ones are put into every input, where they belong and where they do not, and then
//! all that was written down or answered is searched for them.
//!
//! Where one stands rightly: the answer that issues a handoff (the token, in `login_url`), what `client add` prints (the
//! key), `site add` and `pairing-code` (the pairing string), and the keyring's own files. None of those is searched.

use std::fs;
use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use gatepass_tests::api::PanelApi;
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::wire::Wire;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack, api, ports};
use reqwest::Method;
use serde_json::json;

use crate::serve::gatepass as run;

/// Secrets by name, and all that was said where one might stand.
#[derive(Default)]
struct Search {
    secrets: Vec<(&'static str, String)>,
    said: Vec<(String, Vec<u8>)>,
}

impl Search {
    fn secret(&mut self, name: &'static str, value: &str) {
        assert!(value.len() >= 16, "{name} is too short to be recognised: {value}");
        self.secrets.push((name, value.to_owned()));
    }

    /// A token's parts: whoever has one of the last two has all but the rest of the key's words.
    fn token(&mut self, token: &str) {
        for part in token.split('.').skip(1) {
            self.secret("token", part);
        }
    }

    fn said(&mut self, by: impl Into<String>, what: impl Into<Vec<u8>>) {
        self.said.push((by.into(), what.into()));
    }

    /// Every file below a folder.
    fn files(&mut self, folder: &Path) -> Result {
        for entry in fs::read_dir(folder)?.flatten() {
            if entry.path().is_dir() {
                self.files(&entry.path())?;
            } else {
                self.said(entry.path().display().to_string(), fs::read(entry.path())?);
            }
        }
        Ok(())
    }

    /// Whether anything was said like this: else a search of it shows nothing.
    fn has_heard(&self, text: &str) -> bool {
        self.said.iter().any(|(_, said)| contains(said, text))
    }

    fn assert_nothing_found(&self) {
        let mut found = Vec::new();
        for (name, secret) in &self.secrets {
            for (by, said) in &self.said {
                if contains(said, secret) {
                    let text = String::from_utf8_lossy(said);
                    let line = text.lines().find(|line| line.contains(secret)).unwrap_or_default();
                    found.push(format!("{name} in {by}: {line:.300}"));
                }
            }
        }
        assert!(found.is_empty(), "{found:#?}");
    }
}

fn contains(text: &[u8], what: &str) -> bool {
    text.windows(what.len()).any(|window| window == what.as_bytes())
}

/// The same as somebody encodes it for a URL who takes no chances.
fn percent_encoded(secret: &str) -> String {
    secret.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
}

/// A secret in every place of a request to every route, with a good key and with none.
fn misplace(search: &mut Search, base: &str, site: &str, key: &str, secret: &str) -> Result {
    let routes = [
        ("GET", "/v1/sites"),
        ("POST", "/v1/sites"),
        ("GET", "/v1/sites/{site}"),
        ("PATCH", "/v1/sites/{site}"),
        ("POST", "/v1/sites/{site}/pairing-code/{secret}"),
        ("GET", "/v1/sites/{site}/events"),
        ("POST", "/v1/sites/{site}/handoffs"),
        ("GET", "/v1/sites/{site}/handoffs/{secret}"),
        ("POST", "/v1/sites/{site}/handoffs/{secret}/revoke"),
        ("GET", "/v1/sites/{site}/members/{secret}"),
        ("PUT", "/v1/sites/{site}/members/{secret}"),
        ("GET", "/v1/sites/{secret}"),
        ("GET", "/.well-known/jwks.json"),
        ("GET", "/metrics"),
        ("GET", "/readyz"),
        ("GET", "/{secret}"),
        ("POST", "/wp/v1/pairings"),
        ("POST", "/wp/v1/heartbeat"),
        ("POST", "/wp/v1/redemptions"),
        ("POST", "/wp/v1/redemptions/{secret}/outcome"),
    ];
    let in_url = format!("https://panel.example/?key={secret}");
    let bodies = [
        json!({ "subject": secret }),
        json!({ "subject": "mia", "redirect_to": format!("/{secret}"), "binding": secret }),
        json!({ "subject": "mia", "actor": { "subject": secret, "name": secret, "reason": secret } }),
        json!({ "panel_url": in_url, "renew_url": in_url, "panel_start_url": in_url,
            "default_redirect": format!("/{secret}") }),
        json!({ "email": secret, "membership": { "status": secret } }),
        json!({ "url": "https://x.example", "policy": { "panel_url": secret, "default_redirect": secret } }),
        json!({ "site_id": secret, "secret": secret, "url": secret, "landing_url": secret, "public_key": secret,
            "versions": { "plugin": secret, "wordpress": secret, "php": secret } }),
        json!({ "token": secret, "attempt": secret, "client_ip": secret, "user_agent": secret }),
        json!({ "result": "failed", "code": secret }),
        json!(secret),
    ];
    for (method, path) in routes {
        let path = path.replace("{site}", site).replace("{secret}", secret);
        for authorization in [format!("Bearer {key}"), format!("Basic {secret}"), format!("Bearer {secret}")]
        {
            let request = Wire::new(method, &format!("{path}?token={secret}&key={secret}"))
                .header("Authorization", authorization)
                .header("X-Request-Id", secret)
                .header("User-Agent", secret)
                .header("Referer", format!("https://panel.example/?{secret}"))
                .header("Cookie", format!("session={secret}"))
                .header("X-Forwarded-For", secret);
            let mut requests = vec![request.clone(), request.clone().json(format!("{{ {secret}"))];
            if method != "GET" {
                requests.extend(bodies.iter().map(|body| request.clone().json(body.to_string())));
            }
            for request in requests {
                let answer = request.send(base)?;
                search.said(format!("the answer to {method} {path}"), answer.head);
                search.said(format!("the answer to {method} {path}"), answer.body.to_string());
            }
        }
    }
    Ok(())
}

/// All events of a site, and all that the command line tells of the trail.
async fn read_trail(search: &mut Search, gatepass: &Gatepass, api: &PanelApi) -> Result {
    let events = api.site_call(Method::GET, "/events?limit=1000", None).await?.ok()?;
    search.said("the events", events.to_string());
    search.said("audit tail", gatepass.command(&["audit", "tail", "-n", "10000", "--json"])?);
    search.said("site list", gatepass.command(&["site", "list", "--json"])?);
    search.said("client list", gatepass.command(&["client", "list", "--json"])?);
    Ok(())
}

pub async fn no_secret_shows_in_a_log_an_event_an_answer_or_a_store_on_redis() -> Result {
    let stack = Stack::start().await?;
    let in_json = stack.gatepass.beside(&["--log-format", "json", "--log", "debug"])?;
    let mut search = Search::default();
    search.secret("API key", stack.api.key());
    let (_, handoff) = stack.handoff("secretive").await?;
    search.token(handoff.token());
    let attempt = new_attempt()?;
    search.secret("attempt", &attempt);
    let pairing = stack.gatepass.add_site("https://unpaired.example", &[])?.pairing_code;
    search.secret("pairing string", &pairing);
    search.secret("pairing secret", &PairingCode::read(&pairing)?.secret);

    let plain = [stack.api.key(), handoff.token(), &pairing].map(str::to_owned);
    let encoded = plain.each_ref().map(|secret| percent_encoded(secret));
    for secret in &encoded {
        search.secret("an encoded secret", secret);
    }
    for secret in plain.iter().chain(&encoded) {
        for base in [stack.gatepass.url(), in_json.address()] {
            misplace(&mut search, &base, stack.api.site(), stack.api.key(), secret)?;
        }
        // The plugin logs and stores what it likes of these: nothing.
        let (visitor, url) = (stack.wordpress.visitor(), handoff.endpoint());
        for form in [[("token", secret.as_str()), ("attempt", "x")], [("token", "x"), ("attempt", secret)]] {
            let page = visitor.post(url, &form, stack.wordpress.url()).await?.text().await?;
            search.said("a page of the plugin", page);
        }
    }
    for _ in 0..2 {
        let page = stack.wordpress.visitor().redeem(&handoff, &attempt).await?.text().await?;
        search.said("a page of the plugin", page);
    }
    let other = stack.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?.text().await?;
    search.said("the page of a used token", other);
    stack.api.wait_for_state(&handoff.id, "logged_in").await?;

    read_trail(&mut search, &stack.gatepass, &stack.api).await?;
    for log in stack.logs() {
        search.said(log.display().to_string(), fs::read(&log).unwrap_or_default());
    }
    let folder = stack.gatepass.log().with_file_name("..").join("redis");
    search.files(&folder)?;
    for table in ["wp_options", "wp_usermeta", "wp_users", "wp_gatepass_log"] {
        search.said(table, stack.wordpress.query(&format!("SELECT * FROM {table}"))?);
    }
    for heard in
        ["handoff.redeemed", "\"level\":\"INFO\"", " INFO ", "secretive", "gatepass_connection", "XADD"]
    {
        assert!(search.has_heard(heard), "{heard} is nowhere: something is not searched");
    }
    search.assert_nothing_found();
    Ok(())
}

pub async fn no_secret_shows_in_sqlite_or_what_the_command_line_says() -> Result {
    let folder = tempfile::tempdir()?;
    let metrics = format!("127.0.0.1:{}", ports::free_port()?);
    let flags = ["--log", "debug", "--metrics-listen", &metrics];
    let gatepass = Gatepass::start_with(folder.path(), "sqlite", &flags)?;
    let mut search = Search::default();
    let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
    let panel = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
    search.secret("API key", panel.key());
    search.secret("pairing secret", &code.secret);
    panel.put("mia", &api::member("mia")).await?.ok()?;
    let handoff = panel.issue("mia").await?;
    search.token(handoff.token());
    let (attempt, proof) = (new_attempt()?, site.proof(&site.claims(&code)));
    search.secret("attempt", &attempt);
    search.token(&proof);
    let body =
        json!({ "token": handoff.token(), "attempt": attempt, "client_ip": null, "user_agent": proof });
    let beat = site.post(&code, "/wp/v1/heartbeat", Some(&proof), &json!({ "url": proof })).await?;
    search.said("the answer to a heartbeat", beat.body.to_string());
    for proof in [Some(proof.as_str()), None, Some(handoff.token())] {
        let answer = site.post(&code, "/wp/v1/redemptions", proof, &body).await?;
        search.said("the answer to a redemption", answer.body.to_string());
    }
    for secret in [panel.key(), handoff.token(), &proof] {
        let encoded = percent_encoded(secret);
        search.secret("an encoded secret", &encoded);
        for secret in [secret, &encoded] {
            misplace(&mut search, &gatepass.url(), panel.site(), panel.key(), secret)?;
        }
    }
    search.said("the metrics", reqwest::get(format!("http://{metrics}/metrics")).await?.text().await?);
    read_trail(&mut search, &gatepass, &panel).await?;

    // What the command line is given, and says when it cannot use it.
    let (password, pem) = ("hunter2-hunter2-hunter2", BASE64URL_NOPAD.encode(b"a private key of somebody"));
    search.secret("store password", password);
    search.secret("private key", &pem);
    let key_file = folder.path().join("key.pem");
    fs::write(&key_file, format!("-----BEGIN PRIVATE KEY-----\n{pem}\n-----END PRIVATE KEY-----\n"))?;
    let key_file = key_file.display().to_string();
    let store = format!("rediss://gatepass:{password}@127.0.0.1:1/");
    let misspelt = format!("redsi://gatepass:{password}@127.0.0.1:1/");
    for arguments in [
        vec!["client", "list", "--store", &store],
        vec!["client", "list", "--store", &misspelt],
        vec!["serve", "--store", &store, "--store-cert-file", &key_file, "--store-key-file", &key_file],
        vec!["serve", "--store", &store, "--store-ca-file", &key_file],
        vec!["client", "list", "--config", &key_file],
        vec!["client", "list", "--store-file", &key_file],
        vec!["audit", "tail", "--store", &store],
    ] {
        let output = run(folder.path(), &arguments, &[])?;
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        search.said(format!("{arguments:?}"), [output.stdout, output.stderr].concat());
    }
    let help = run(folder.path(), &["--help"], &[("GATEPASS_STORE", &store)])?;
    search.said("--help", help.stdout);

    search.said("the log", fs::read(gatepass.log())?);
    for file in ["gatepass.db", "gatepass.db-wal", "instance.json"] {
        search.said(file, fs::read(gatepass.data_dir().join(file))?);
    }
    for heard in [
        "handoff.redeemed",
        "listening for",
        "gatepass_redemptions_total",
        "mia@example.com",
        "no Redis at 127.0.0.1:1",
    ] {
        assert!(search.has_heard(heard), "{heard} is nowhere: something is not searched");
    }
    search.assert_nothing_found();
    Ok(())
}
