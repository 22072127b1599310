//! `gatepass` as its operator meets it: starting, stopping, and what it says when it cannot.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::process::signal;
use gatepass_tests::redis::Redis;
use gatepass_tests::{Result, fixtures, ports};
use serde_json::Value;

/// Runs the program to its end, in an empty folder and an empty environment.
pub fn gatepass(folder: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Output> {
    let mut command = Command::new(fixtures::built("GATEPASS_BIN", "gatepass")?);
    command.current_dir(folder).env_clear().envs(environment.iter().copied());
    Ok(command.args(arguments).stdin(Stdio::null()).output()?)
}

/// It ended with this status and said all of this, and nothing of that.
pub fn assert_said(output: &Output, status: i32, says: &[&str], hides: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    for text in says {
        assert!(said.contains(text), "expected {text:?} in {said:?}");
    }
    assert!(hides.is_empty() || !said.contains(hides), "{hides:?} shows in {said:?}");
}

pub async fn it_starts_with_no_configuration_and_keeps_its_folder_to_itself() -> Result {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start(folder.path(), "sqlite")?;
    let ready = reqwest::get(format!("{}/readyz", gatepass.url())).await?;
    assert_eq!(ready.json::<Value>().await?["status"], "ok");
    let keys = reqwest::get(format!("{}/.well-known/jwks.json", gatepass.url())).await?;
    assert_eq!(keys.headers()["cache-control"], "public, max-age=300");
    let keys: Value = keys.json().await?;
    // One that signs, and within a second the one that will sign next.
    assert!(matches!(keys["keys"].as_array().map(Vec::len), Some(1 | 2)), "{keys}");
    assert_eq!((&keys["keys"][0]["kty"], &keys["keys"][0]["crv"]), (&"OKP".into(), &"Ed25519".into()));
    assert!(keys["keys"][0].get("d").is_none(), "the private half is public");
    let mut files = vec![gatepass.data_dir()];
    while let Some(path) = files.pop() {
        let mode = path.metadata()?.permissions().mode() & 0o777;
        if path.is_dir() {
            assert_eq!(mode, 0o700, "{}", path.display());
            for entry in std::fs::read_dir(&path)? {
                files.push(entry?.path());
            }
        } else if path.file_name().is_none_or(|name| name != "instance.json") {
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
    Ok(())
}

pub async fn a_taken_port_an_unusable_folder_and_a_missing_redis_are_told_plainly() -> Result {
    let folder = tempfile::tempdir()?;
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?.to_string();
    let output = gatepass(folder.path(), &["serve", "--listen", &address], &[])?;
    assert_said(&output, 1, &[&address, "in use", "--listen"], "");

    std::fs::write(folder.path().join("file"), "not a folder")?;
    let output = gatepass(folder.path(), &["serve", "--data-dir", "file/data"], &[])?;
    assert_said(&output, 1, &["file/data", "--data-dir"], "");

    let nobody = format!("redis://:hunter2@127.0.0.1:{}/", ports::free_port()?);
    let output = gatepass(folder.path(), &["serve", "--store", &nobody], &[])?;
    assert_said(&output, 1, &["no Redis at 127.0.0.1:"], "hunter2");

    let data = folder.path().join("damaged");
    std::fs::create_dir(&data)?;
    std::fs::write(data.join("gatepass.db"), "garbage".repeat(1000))?;
    let output = gatepass(folder.path(), &["serve", "--data-dir", "damaged"], &[])?;
    assert_said(&output, 1, &["gatepass.db", "not a database"], "");
    Ok(())
}

pub async fn a_wrong_call_says_what_would_be_right_and_repeats_no_secret() -> Result {
    let folder = tempfile::tempdir()?;
    let run =
        |arguments: &[&str], environment: &[(&str, &str)]| gatepass(folder.path(), arguments, environment);
    assert_said(
        &run(&["serve", "--store", "redsi://:hunter2@h"], &[])?,
        2,
        &["the store is sqlite or redis://"],
        "hunter2",
    );
    assert_said(&run(&["serve", "--listen", "0.0.0.0:1"], &[])?, 2, &["--public-url https://"], "");
    assert_said(
        &run(&["serve", "--public-url", "http://example.com"], &[])?,
        2,
        &["--public-url", "https://"],
        "",
    );
    assert_said(&run(&["site", "add", "http://example.com"], &[])?, 2, &["https://"], "");
    assert_said(&run(&["site", "add", "https://example.com/?blog"], &[])?, 2, &["without a query"], "");
    assert_said(&run(&["site", "show", "nonsense"], &[])?, 2, &["a site id"], "");
    assert_said(&run(&["client", "add", "x", "--scope", "all"], &[])?, 2, &["one of handoffs"], "");
    assert_said(&run(&[], &[])?, 2, &["Usage"], "");
    assert_eq!(run(&["--help"], &[("GATEPASS_STORE", "redis://:hunter2@h")])?.status.code(), Some(0));
    let help = run(&["--help"], &[("GATEPASS_STORE", "redis://:hunter2@h")])?;
    assert!(!String::from_utf8_lossy(&help.stdout).contains("hunter2"));

    std::fs::write(folder.path().join("gatepass.toml"), "store = \"redis://:hunter2@h:1\nlisten = 1\n")?;
    assert_said(&run(&["client", "list"], &[])?, 2, &["gatepass.toml, line 1"], "hunter2");
    std::fs::write(folder.path().join("gatepass.toml"), "stroe = \"sqlite\"\n")?;
    assert_said(&run(&["client", "list"], &[])?, 2, &["gatepass.toml", "unknown field"], "");
    let missing = run(&["client", "list", "--config", "missing.toml"], &[])?;
    assert_said(&missing, 2, &["missing.toml"], "");
    Ok(())
}

pub async fn a_flag_counts_before_the_environment_before_the_file() -> Result {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("gatepass.toml"), "data_dir = \"by-file\"\n")?;
    let flag = ["client", "list", "--data-dir", "by-flag"];
    let run =
        |arguments: &[&str], environment: &[(&str, &str)]| gatepass(folder.path(), arguments, environment);
    run(&flag, &[("GATEPASS_DATA_DIR", "by-environment")])?;
    run(&flag[..2], &[("GATEPASS_DATA_DIR", "by-environment")])?;
    let exists = |name: &str| folder.path().join(name).join("gatepass.db").exists();
    assert!(exists("by-flag") && exists("by-environment") && !exists("by-file"));
    run(&flag[..2], &[])?;
    assert!(exists("by-file"));

    std::fs::write(folder.path().join("store"), "redis://:hunter2@127.0.0.1:1/")?;
    let both = [("GATEPASS_STORE", "sqlite"), ("GATEPASS_STORE_FILE", "store")];
    assert_said(&run(&flag[..2], &both)?, 2, &["either store or store-file"], "");
    let by_flag = run(&["client", "list", "--store", "sqlite"], &both[1..])?;
    assert_eq!(by_flag.status.code(), Some(0), "{}", String::from_utf8_lossy(&by_flag.stderr));
    assert_said(&run(&flag[..2], &both[1..])?, 1, &["no Redis at 127.0.0.1:1"], "hunter2");
    Ok(())
}

pub async fn stdout_has_only_what_a_program_reads() -> Result {
    let folder = tempfile::tempdir()?;
    let run = |arguments: &[&str]| gatepass(folder.path(), arguments, &[]);
    let key = String::from_utf8(run(&["client", "add", "panel"])?.stdout)?;
    assert!(key.starts_with("gpk_") && key.lines().count() == 1, "{key}");
    let code = String::from_utf8(run(&["site", "add", "https://example.com"])?.stdout)?;
    assert!(code.starts_with("gp_pair_") && code.lines().count() == 1, "{code}");
    let again = run(&["site", "add", "https://example.com"])?;
    assert_said(&again, 1, &["registered already", "gatepass site pairing-code site_"], "");
    let sites: Value = serde_json::from_slice(&run(&["site", "list", "--json"])?.stdout)?;
    assert_eq!(sites[0]["url"], "https://example.com");
    let id = sites[0]["id"].as_str().unwrap_or_default().to_owned();
    assert_said(&run(&["site", "remove", &id])?, 2, &["--yes"], "");
    assert_eq!(run(&["site", "remove", &id, "--yes"])?.status.code(), Some(0));
    let clients: Value = serde_json::from_slice(&run(&["client", "list", "--json"])?.stdout)?;
    assert!(!clients.to_string().contains(key.trim()), "the key is kept");
    Ok(())
}

pub async fn a_stop_finishes_what_is_in_flight() -> Result {
    let folder = tempfile::tempdir()?;
    let mut gatepass = Gatepass::start(folder.path(), "sqlite")?;
    let key = gatepass.add_client("panel")?;
    let body = br#"{"url": "https://in-flight.example"}"#;
    let mut connection = TcpStream::connect(gatepass.url().trim_start_matches("http://"))?;
    write!(
        connection,
        "POST /v1/sites HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    )?;
    connection.write_all(&body[..10])?;
    connection.flush()?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    signal("TERM", &[gatepass.service().pid()])?;
    // It takes new ones for half a second more.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(
        TcpStream::connect(gatepass.url().trim_start_matches("http://")).is_err(),
        "new ones are not taken"
    );
    connection.write_all(&body[10..])?;
    connection.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut answer = vec![0; 12];
    connection.read_exact(&mut answer)?;
    assert_eq!(answer, b"HTTP/1.1 201");
    drop(connection);

    let asked = Instant::now();
    while gatepass_tests::process::is_alive(gatepass.service().pid()) {
        assert!(asked.elapsed() < Duration::from_secs(35), "it does not stop");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let log = std::fs::read_to_string(gatepass.log())?;
    assert!(log.contains("Gatepass stopped"), "{log}");
    gatepass.restart()?;
    assert!(gatepass.command(&["site", "list"])?.contains("https://in-flight.example"), "nothing is lost");
    Ok(())
}

/// Whether the listening socket may be closed by now.
fn is_over(told: &OnceLock<Instant>) -> bool {
    told.get().is_some_and(|told| told.elapsed() > Duration::from_millis(450))
}

/// Each request is answered until nobody can connect any more. Some clients keep their connection, some make a new
/// one for each request. (The kernel resets what it has connected and Gatepass has not yet taken when the listening
/// socket closes, half a second after the word.)
pub async fn a_stop_under_load_fails_no_request() -> Result {
    let folder = tempfile::tempdir()?;
    let mut gatepass = Gatepass::start(folder.path(), "sqlite")?;
    let (key, url) = (gatepass.add_client("panel")?, format!("{}/v1/sites", gatepass.url()));
    for round in 0..4 {
        let (mut clients, pid) = (tokio::task::JoinSet::new(), gatepass.service().pid());
        let told = Arc::new(OnceLock::<Instant>::new());
        for client in 0..16 {
            let (url, key) = (url.clone(), key.clone());
            let kept = usize::from(client % 4 != 0);
            let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(kept).build()?;
            let told = Arc::clone(&told);
            clients.spawn(async move {
                let mut answered = 0_u32;
                loop {
                    let body = serde_json::json!({ "url": format!("https://r{round}-c{client}-{answered}.example") });
                    match http.post(&url).bearer_auth(&key).json(&body).send().await {
                        Ok(answer) => assert_eq!(answer.status(), reqwest::StatusCode::CREATED),
                        Err(error) if error.is_connect() || is_over(&told) => return answered,
                        Err(error) => panic!("after {answered}: {error:?}"),
                    }
                    answered += 1;
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        signal(if round % 2 == 0 { "TERM" } else { "INT" }, &[pid])?;
        told.get_or_init(Instant::now);
        let answered: u32 = clients.join_all().await.into_iter().sum();
        assert!(answered > 16, "{answered} requests are no load");
        gatepass.restart()?;
    }
    Ok(())
}

/// A connection to Redis lives on the thread that made it. Threads that have nothing to do end at once when Gatepass
/// is told to stop; nobody else's request may depend on them.
pub async fn a_stop_ends_no_connection_to_redis_that_is_in_use() -> Result {
    let folder = tempfile::tempdir()?;
    let redis = Redis::start(&folder.path().join("redis"))?;
    let sites = format!("127.0.0.1:{}", ports::free_port()?);
    let flags = ["--bridge-listen", &sites];
    let mut gatepass = Gatepass::start_with(&folder.path().join("gatepass"), &redis.url(), &flags)?;
    let (key, url) = (gatepass.add_client("panel")?, format!("{}/v1/sites", gatepass.url()));
    let ask = |url: String| {
        let key = key.clone();
        tokio::spawn(async move {
            let http = reqwest::Client::builder().no_proxy().build()?;
            Ok::<_, reqwest::Error>(http.get(url).bearer_auth(key).send().await?.status().as_u16())
        })
    };
    // So that every thread has a connection.
    for _ in 0..32 {
        ask(format!("http://{sites}/readyz")).await??;
        assert_eq!(ask(url.clone()).await??, 200);
    }
    for in_flight in [1, 8] {
        redis.command(&["CLIENT", "PAUSE", "1500", "ALL"])?;
        let asked: Vec<_> = (0..in_flight).map(|_| ask(url.clone())).collect();
        tokio::time::sleep(Duration::from_millis(200)).await;
        signal("TERM", &[gatepass.service().pid()])?;
        for answer in asked {
            assert_eq!(answer.await??, 200);
        }
        gatepass.restart()?;
    }
    Ok(())
}

pub async fn panels_and_sites_can_have_an_address_each() -> Result {
    let folder = tempfile::tempdir()?;
    let sites = ports::free_port()?;
    let gatepass =
        Gatepass::start_with(folder.path(), "sqlite", &["--bridge-listen", &format!("127.0.0.1:{sites}")])?;
    let status = async |url: String, method: reqwest::Method| {
        let answer = reqwest::Client::new().request(method, url).send().await;
        answer.map(|answer| answer.status().as_u16())
    };
    let bridge = format!("http://127.0.0.1:{sites}");
    let (get, post) = (reqwest::Method::GET, reqwest::Method::POST);
    assert_eq!(status(format!("{bridge}/healthz"), get.clone()).await?, 200);
    assert_eq!(status(format!("{bridge}/v1/sites"), get.clone()).await?, 404);
    assert_eq!(status(format!("{bridge}/wp/v1/redemptions"), post.clone()).await?, 401);
    assert_eq!(status(format!("{}/wp/v1/redemptions", gatepass.url()), post).await?, 404);
    assert_eq!(status(format!("{}/v1/sites", gatepass.url()), get).await?, 401);
    let site = gatepass.add_site("http://127.0.0.1:1", &[])?;
    let code = gatepass_tests::fake_site::PairingCode::read(&site.pairing_code)?;
    assert_eq!(code.bridge, bridge, "sites are sent to their own address");
    Ok(())
}
