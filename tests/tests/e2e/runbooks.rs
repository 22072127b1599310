//! Every runbook, followed to the letter.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use gatepass_tests::Result;
use gatepass_tests::runbook::{Machine, folder, steps};
use gatepass_tests::wordpress::new_attempt;
use serde_json::Value;

/// Those that are followed here, by the test of the same name.
const FOLLOWED: [&str; 9] = [
    "backup-and-restore-redis.md",
    "backup-and-restore.md",
    "leaked-api-key.md",
    "leaked-signing-key.md",
    "lost-keyring-without-export.md",
    "lost-keyring.md",
    "planned-rotation.md",
    "site-moved.md",
    "sqlite-to-redis.md",
];

pub async fn every_runbook_is_followed_by_a_test() -> Result {
    let there: BTreeSet<String> = fs::read_dir(folder())?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_>>()?;
    let followed = FOLLOWED.iter().map(ToString::to_string).chain(["README.md".to_owned()]).collect();
    assert_eq!(there, followed);
    let list = fs::read_to_string(folder().join("README.md"))?;
    for name in FOLLOWED {
        assert!(!steps(name)?.is_empty(), "{name} has no step");
        assert!(list.contains(name), "{name} is not in the list");
    }
    Ok(())
}

/// Does all steps of a runbook.
fn follow(machine: &mut Machine, name: &str) -> Result<Vec<String>> {
    steps(name)?.iter().map(|step| machine.follow(step)).collect()
}

async fn machine(on_redis: bool) -> Result<Machine> {
    let machine = Machine::start(on_redis)?;
    machine.api.put_status("cust-1", "active").await?;
    assert!(machine.lets_in("cust-1").await?);
    Ok(machine)
}

fn active_key(machine: &Machine) -> Result<String> {
    let keys: Value = serde_json::from_str(&machine.command(&["keys", "list", "--json"])?)?;
    let all = keys["keys"].as_array().ok_or("no keys")?;
    let active = all.iter().find(|key| key["state"] == "active").ok_or("no key is active")?;
    Ok(active["kid"].as_str().unwrap_or_default().to_owned())
}

pub async fn the_runbook_planned_rotation_leads_to_its_end() -> Result {
    let mut machine = machine(true).await?;
    let before = active_key(&machine)?;
    let handoff = machine.api.issue("cust-1").await?;
    follow(&mut machine, "planned-rotation.md")?;
    assert_ne!(active_key(&machine)?, before);
    // Whoever had clicked before comes in, and whoever clicks now.
    let answer = machine.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
    assert_eq!(answer.status().as_u16(), 303);
    assert!(machine.lets_in("cust-1").await?);
    Ok(())
}

pub async fn the_runbook_leaked_signing_key_leads_to_its_end() -> Result {
    let mut machine = machine(false).await?;
    let before = active_key(&machine)?;
    let handoff = machine.api.issue("cust-1").await?;
    let folder = machine.get("DATA").to_owned() + "/keyring";
    follow(&mut machine, "leaked-signing-key.md")?;
    assert_ne!(active_key(&machine)?, before);
    let answer = machine.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
    assert_ne!(answer.status().as_u16(), 303, "a token by the old key opened the site");
    assert!(machine.lets_in("cust-1").await?);
    // What lies on the disk now, only the new wrapping key opens.
    assert_eq!(fs::read_to_string(machine.get("KEYRING_KEY_FILE"))?.lines().count(), 1);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pem") {
            assert!(fs::read_to_string(path)?.contains("BEGIN ENCRYPTED PRIVATE KEY"));
        }
    }
    machine.follow("systemctl stop gatepass; systemctl start gatepass")?;
    assert!(machine.lets_in("cust-1").await?);
    Ok(())
}

pub async fn the_runbook_leaked_api_key_leads_to_its_end() -> Result {
    let mut machine = machine(true).await?;
    let clients: Value = serde_json::from_str(&machine.command(&["client", "list", "--json"])?)?;
    let id = clients[0]["id"].as_str().ok_or(format!("no id in {clients}"))?.to_owned();
    machine.set("CLIENT", &id);
    machine.set("SUBJECT", "cust-1");
    // What the thief did: a member of their own, and another whom they shut out.
    let truth = machine.api.export().await?;
    fs::write(machine.get("MEMBERS"), truth)?;
    machine.api.put_status("cust-1", "canceled").await?;
    let said = follow(&mut machine, "leaked-api-key.md")?;
    // What a key may do is remembered for a second.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let refused = machine.api.member("cust-1").await?;
    assert_eq!(refused.status.as_u16(), 401);
    let key = said[1].trim();
    let api = machine.api_with(key);
    assert_eq!(api.member("cust-1").await?.ok()?["membership"]["status"], "active");
    assert!(said[2].contains(&id), "{}", said[2]);
    machine.api = api;
    assert!(machine.lets_in("cust-1").await?);
    Ok(())
}

pub async fn the_runbook_lost_keyring_leads_to_its_end() -> Result {
    let mut machine = machine(true).await?;
    machine.follow(&steps("backup-and-restore.md")?[0])?;
    // A rotation since: the export is not the newest.
    machine.command(&["keys", "rotate", "--wait"])?;
    fs::remove_dir_all(machine.get("DATA").to_owned() + "/keyring")?;
    follow(&mut machine, "lost-keyring.md")?;
    assert!(machine.lets_in("cust-1").await?);
    Ok(())
}

pub async fn the_runbook_lost_keyring_without_export_leads_to_its_end() -> Result {
    let mut machine = machine(false).await?;
    fs::remove_dir_all(machine.get("DATA").to_owned() + "/keyring")?;
    let all = steps("lost-keyring-without-export.md")?;
    machine.follow(&all[0])?;
    assert!(machine.lets_in("cust-1").await?, "logins do not wait for the pairing");
    let code = machine.follow(&all[1])?;
    machine.wordpress.pair(code.trim())?;
    assert!(machine.lets_in("cust-1").await?);
    let answer = machine.api.put_and_wait("cust-1", &gatepass_tests::api::member("cust-1"), 5).await?;
    assert_eq!(answer.sync(), "synced", "{:?}", answer.body);
    Ok(())
}

pub async fn the_runbook_backup_and_restore_leads_to_its_end() -> Result {
    restored(false, "backup-and-restore.md", 2).await
}

pub async fn the_runbook_backup_and_restore_redis_leads_to_its_end() -> Result {
    restored(true, "backup-and-restore-redis.md", 1).await
}

/// Follows a runbook, and loses what was kept after its first steps.
async fn restored(on_redis: bool, name: &str, backup: usize) -> Result {
    let all = steps(name)?;
    let mut machine = machine(on_redis).await?;
    for step in &all[..backup] {
        machine.follow(step)?;
    }
    let spent = machine.api.issue("cust-1").await?;
    machine.api.put_status("cust-2", "active").await?;
    fs::write(machine.get("MEMBERS"), machine.api.export().await?)?;
    for step in &all[backup..] {
        machine.follow(step)?;
    }
    let answer = machine.wordpress.visitor().redeem(&spent, &new_attempt()?).await?;
    assert_ne!(answer.status().as_u16(), 303, "{name}: what was issued before is void");
    assert!(machine.lets_in("cust-1").await? && machine.lets_in("cust-2").await?, "{name}");
    Ok(())
}

pub async fn the_runbook_sqlite_to_redis_leads_to_its_end() -> Result {
    let mut machine = machine(false).await?;
    let before = machine.api.events(0).await?;
    follow(&mut machine, "sqlite-to-redis.md")?;
    assert!(machine.lets_in("cust-1").await?);
    let after = machine.api.events(0).await?;
    assert_eq!(after["events"][0], before["events"][0], "the trail came along");
    Ok(())
}

pub async fn the_runbook_site_moved_leads_to_its_end() -> Result {
    let mut machine = machine(true).await?;
    let user = machine.wordpress.user_id("cust-1@example.com")?;
    let moved = machine.wordpress.url().replace("127.0.0.1", "localhost");
    machine.set("NEW_URL", &moved);
    machine.wordpress.move_to(&moved)?;
    let all = steps("site-moved.md")?;
    let code = machine.follow(&all[0])?;
    machine.wordpress.pair(code.trim())?;
    machine.follow(&all[1])?;
    assert!(machine.lets_in("cust-1").await?);
    assert_eq!(machine.wordpress.user_id("cust-1@example.com")?, user);
    Ok(())
}
