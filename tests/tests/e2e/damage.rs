//! What may befall the file of a Gatepass on SQLite, and what must not come of it.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use gatepass_tests::api::{self, Answer, PanelApi};
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::process::is_alive;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Handoff, Result};
use reqwest::StatusCode;
use serde_json::json;

use crate::serve::{assert_said, gatepass as run};

/// A Gatepass on SQLite, a paired site, and its panel.
struct Scene {
    gatepass: Gatepass,
    site: FakeSite,
    code: PairingCode,
    panel: PanelApi,
    folder: tempfile::TempDir,
}

impl Scene {
    async fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // Nothing here asks like a person.
        let limits = ["--limit-member", "0", "--limit-token", "0", "--limit-address", "0"];
        let gatepass = Gatepass::start_with(folder.path(), "sqlite", &limits)?;
        let (site, code) = FakeSite::paired_with(&gatepass, &[]).await?;
        let panel = PanelApi::new(&gatepass.url(), &code.site, &gatepass.add_client("panel")?);
        panel.put_status("mia", "active").await?;
        Ok(Self { gatepass, site, code, panel, folder })
    }

    async fn redeem(&self, handoff: &Handoff, attempt: &str) -> Result<Answer> {
        let body = json!({ "token": handoff.token(), "attempt": attempt, "client_ip": null });
        let proof = self.site.proof(&self.site.claims(&self.code));
        self.site.post(&self.code, "/wp/v1/redemptions", Some(&proof), &body).await
    }

    /// Issues and redeems until something does not answer. What was issued, who tried, and whether that was answered
    /// with a login.
    async fn work(&self, redeems: bool, stop: &AtomicBool) -> Result<Vec<Tried>> {
        let mut tried = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let Ok(issued) = self.panel.try_issue(&json!({ "subject": "mia" })).await else { break };
            let handoff: Handoff = serde_json::from_value(issued.ok()?)?;
            let attempt = new_attempt()?;
            let answer = if redeems { self.redeem(&handoff, &attempt).await.ok() } else { None };
            if let Some(answer) = &answer {
                assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            }
            let cut = redeems && answer.is_none();
            tried.push(Tried { handoff, attempt, logged_in: answer.is_some(), asked: redeems });
            if cut {
                break;
            }
        }
        Ok(tried)
    }
}

struct Tried {
    handoff: Handoff,
    attempt: String,
    asked: bool,
    logged_in: bool,
}

/// kill -9 in the middle of it, again and again.
pub async fn killed_while_redeeming_it_brings_no_spent_token_back() -> Result {
    let rounds = if std::env::var_os("GATEPASS_TEST_LONG").is_some() { 100 } else { 5 };
    let mut scene = Scene::start().await?;
    let (mut tokens, mut cut) = (0, 0);
    for round in 0..rounds {
        let stop = AtomicBool::new(false);
        let pid = scene.gatepass.service().pid();
        let kill = async {
            tokio::time::sleep(Duration::from_millis(150 + 37 * round % 400)).await;
            let killed = gatepass_tests::process::signal("KILL", &[pid]);
            stop.store(true, Ordering::Relaxed);
            killed
        };
        let (killed, a, b, c) =
            tokio::join!(kill, scene.work(true, &stop), scene.work(true, &stop), scene.work(false, &stop));
        killed?;
        scene.gatepass.restart()?;
        for tried in [a?, b?, c?].into_iter().flatten() {
            tokens += 1;
            cut += u32::from(tried.asked && !tried.logged_in);
            let thief = scene.redeem(&tried.handoff, &new_attempt()?).await?;
            let state = (tried.asked, tried.logged_in, thief.status.as_u16(), thief.code());
            match state {
                // Let in before: then nobody else. Never tried: the record that was promised is there.
                (_, true, 410, "handoff_used") | (false, _, 200, _) => {}
                // Nobody knows whether it was let in: then the first who asks now is the only one, or it was.
                (true, false, 200, _) => {
                    let again = scene.redeem(&tried.handoff, &tried.attempt).await?;
                    assert_eq!(again.code(), "handoff_used", "two were let in");
                }
                (true, false, 410, "handoff_used") => {
                    let again = scene.redeem(&tried.handoff, &tried.attempt).await?;
                    assert_eq!((again.status, &again.body["repeat"]), (StatusCode::OK, &json!(true)));
                }
                _ => panic!("round {round}: {state:?}"),
            }
        }
    }
    assert!(tokens > rounds, "only {tokens} tokens in {rounds} rounds");
    println!("{rounds} times killed, {tokens} tokens, {cut} of them in the act");
    Ok(())
}

/// Puts the data folder on a disk of its own, of 3 MiB, and runs Gatepass there.
const ON_A_SMALL_DISK: &str =
    r#"cp -a data seed && mount -t tmpfs -o size=3m none data && cp -a seed/. data && exec "$@""#;

pub async fn a_full_disk_is_a_503_and_loses_nothing() -> Result {
    let mut scene = Scene::start().await?;
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_SMALL_DISK, "sh"];
    scene.gatepass.restart_within(&wrapper)?;
    let disk =
        format!("/proc/{}/root{}", scene.gatepass.service().pid(), scene.gatepass.data_dir().display());
    let filler = Path::new(&disk).join("filler");
    let unspent = scene.panel.issue("mia").await?;
    let spent = scene.panel.issue("mia").await?;
    scene.redeem(&spent, &new_attempt()?).await?.ok()?;

    assert!(fs::write(&filler, vec![0; 4 << 20]).is_err(), "the disk is full");
    let mut stored = 0;
    let refused = loop {
        // What SQLite has of room in its files, it uses.
        let answer = scene.panel.put(&format!("new-{stored}"), &api::member("new")).await?;
        if answer.status != StatusCode::CREATED {
            break answer;
        }
        stored += 1;
        assert!(stored < 5000, "the disk is not full");
    };
    assert_eq!((refused.status, refused.code()), (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"));
    assert_eq!(scene.redeem(&unspent, &new_attempt()?).await?.status, StatusCode::SERVICE_UNAVAILABLE);
    let log = fs::read_to_string(scene.gatepass.log())?;
    assert!(log.contains("the disk is full; make room"), "{log}");

    fs::remove_file(&filler)?;
    assert_eq!(scene.redeem(&spent, &new_attempt()?).await?.code(), "handoff_used");
    scene.redeem(&unspent, &new_attempt()?).await?.ok()?;
    for number in 0..stored {
        let path = format!("/members/new-{number}");
        scene.panel.site_call(reqwest::Method::GET, &path, None).await?.ok()?;
    }
    Ok(())
}

const ON_A_READ_ONLY_DISK: &str = r#"mount --bind data data && mount -o remount,bind,ro data && exec "$@""#;

pub async fn a_folder_that_cannot_be_written_is_told_plainly() -> Result {
    let mut scene = Scene::start().await?;
    scene.gatepass.service().stop();
    let wrapper = ["unshare", "--map-root-user", "--mount", "sh", "-c", ON_A_READ_ONLY_DISK, "sh"];
    let error = scene.gatepass.restart_within(&wrapper).expect_err("it cannot work there").to_string();
    assert!(error.contains("gatepass.db") && error.contains("ead-only"), "{error}");
    scene.gatepass.restart()?;
    assert!(scene.panel.issue("mia").await.is_ok(), "nothing was lost");
    Ok(())
}

pub async fn a_damaged_file_is_refused_at_start_and_left_alone() -> Result {
    let mut scene = Scene::start().await?;
    for number in 0..40 {
        scene.panel.put_status(&format!("member-{number}"), "active").await?;
    }
    scene.gatepass.service().stop();
    let file = scene.gatepass.data_dir().join("gatepass.db");
    let whole = fs::read(&file)?;
    assert!(!file.with_extension("db-wal").exists(), "a stop leaves one file behind");
    let page = 4096;
    assert!(whole.len() > 8 * page, "{} bytes", whole.len());
    let mut overwritten = whole.clone();
    overwritten[3 * page..5 * page].fill(0x5a);
    let mut beheaded = whole.clone();
    beheaded[..page].fill(0);
    for (what, bytes) in [
        ("cut in half", &whole[..whole.len() / 2]),
        ("cut within a page", &whole[..whole.len() - 100]),
        ("cut to a page", &whole[..page]),
        ("cut in the first page", &whole[..page / 2]),
        ("overwritten", &overwritten),
        ("without its beginning", &beheaded),
    ] {
        fs::write(&file, bytes)?;
        // Whatever is not seen at once ends it a moment later.
        if scene.gatepass.restart().is_ok() {
            let pid = scene.gatepass.service().pid();
            let since = Instant::now();
            while is_alive(pid) {
                assert!(since.elapsed() < Duration::from_secs(20), "{what}: it goes on");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let log = fs::read_to_string(scene.gatepass.log())?;
        let said = log.lines().last().unwrap_or_default();
        assert!(said.contains("gatepass.db: ") && said.contains("backup"), "{what}: {said}");
        assert!(fs::read(&file)? == bytes, "{what}: it was changed");
    }
    fs::write(&file, &whole)?;
    scene.gatepass.restart()?;
    scene.panel.issue("member-39").await?;
    Ok(())
}

pub async fn a_file_that_another_program_holds_is_told_plainly() -> Result {
    let mut scene = Scene::start().await?;
    let file = scene.gatepass.data_dir().join("gatepass.db");
    let other = rusqlite::Connection::open(&file)?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    let handoffs = json!({ "subject": "mia" });
    let (issued, another) = tokio::join!(scene.panel.try_issue(&handoffs), scene.panel.try_issue(&handoffs));
    for answer in [issued?, another?] {
        assert_eq!((answer.status, answer.code()), (StatusCode::SERVICE_UNAVAILABLE, "store_unavailable"));
    }
    let log = fs::read_to_string(scene.gatepass.log())?;
    assert!(log.contains("another program has held the database too long"), "{log}");

    scene.gatepass.service().stop();
    let arguments = ["client", "add", "x", "--data-dir", "data"];
    assert_said(&run(scene.folder.path(), &arguments, &[])?, 1, &["gatepass.db", "another program"], "");
    drop(other);
    scene.gatepass.restart()?;
    scene.panel.issue("mia").await?;
    Ok(())
}
