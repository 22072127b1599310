//! `gatepass keys`, as an operator calls it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::redis::Redis;
use gatepass_tests::{Result, fixtures};
use serde_json::Value;

use crate::serve::{assert_said, gatepass};

const NO_WAIT: [&str; 6] = ["--jwks-max-age", "0", "--jwks-refresh", "1", "--clock-skew", "0"];

/// Calls it in a folder, whose data folder is the default.
fn keys(folder: &Path, arguments: &[&str]) -> Result<Output> {
    gatepass(folder, &[&["keys"], arguments].concat(), &[])
}

fn list(folder: &Path) -> Result<Value> {
    let listed = keys(folder, &["list", "--json"])?;
    assert_said(&listed, 0, &[], "");
    Ok(serde_json::from_slice(&listed.stdout)?)
}

fn list_on(folder: &Path, store: &str) -> Result<Value> {
    Ok(serde_json::from_slice(&keys(folder, &["list", "--json", "--store", store])?.stdout)?)
}

fn in_state(listed: &Value, state: &str) -> Vec<String> {
    let keys = listed["keys"].as_array().into_iter().flatten();
    keys.filter(|key| key["state"] == state).filter_map(|key| Some(key["kid"].as_str()?.to_owned())).collect()
}

pub async fn keys_are_rotated_when_every_verifier_can_have_the_next_one() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    assert_said(&keys(at, &["list"])?, 1, &["there is no keyring"], "");
    assert_said(&keys(at, &["init"])?, 0, &["There is a keyring"], "");
    assert_said(&keys(at, &["init"])?, 1, &["there is a keyring already"], "");
    let first = in_state(&list(at)?, "active");
    assert_said(&keys(at, &["rotate", "--dry-run"])?, 0, &["A new key is published first"], "");
    assert_eq!(list(at)?["revision"], 1, "a dry run writes nothing");
    // The next one is published, and has to ripen.
    assert_said(&keys(at, &["rotate"])?, 0, &["signs in 7 min", "A running broker sees to it"], "");
    let asked = list(at)?;
    assert_eq!((in_state(&asked, "active"), &asked["rotation_asked"]), (first.clone(), &true.into()));
    let next = in_state(&asked, "next");
    assert_eq!(
        (&asked["planned"][0]["step"], &asked["planned"][0]["kid"]),
        (&"promote".into(), &next[0].as_str().into())
    );
    let table = keys(at, &["list"])?;
    assert!(String::from_utf8_lossy(&table.stdout).contains("signs in "), "{table:?}");
    // With other times it is ripe within a second or two.
    let waited = keys(at, &[&["rotate", "--wait"], &NO_WAIT[..]].concat())?;
    assert_said(&waited, 0, &["signs from now on", "stays good until it expires"], "");
    let rotated = list(at)?;
    assert_eq!((in_state(&rotated, "active"), in_state(&rotated, "retired")), (next, first));
    assert_eq!(in_state(&rotated, "next").len(), 1);
    assert_said(&keys(at, &["verify"])?, 0, &["lie in plaintext"], "");
    let trail = gatepass(at, &["audit", "tail", "--json", "--tenant", "default"], &[])?;
    let told = String::from_utf8_lossy(&trail.stdout).into_owned();
    for kind in ["key.published", "key.activated", "key.retired"] {
        assert!(told.contains(kind), "{kind} is not in {told}");
    }
    Ok(())
}

pub async fn what_ends_logins_says_so_and_asks() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    keys(at, &["init"])?;
    let kid = in_state(&list(at)?, "active").remove(0);
    let revoke = ["revoke", &kid, "--reason", "found in a paste"];
    assert_said(&keys(at, &revoke)?, 2, &["logins under way", "say --yes"], "");
    assert_said(&keys(at, &[&revoke[..], &["--dry-run"]].concat())?, 0, &["Nothing was done"], "");
    assert_said(&keys(at, &["revoke", &kid, "--yes"])?, 2, &["--reason"], "");
    assert_said(&keys(at, &["rotate", "--emergency", "--yes"])?, 2, &["--reason"], "");
    assert_eq!(list(at)?["revision"], 1);
    assert_said(&keys(at, &[&revoke[..], &["--yes"]].concat())?, 0, &["Nothing that was signed"], "");
    assert_eq!(in_state(&list(at)?, "revoked"), std::slice::from_ref(&kid));
    assert!(!at.join(format!("gatepass-data/keyring/{kid}.pem")).exists());
    // Whoever was interrupted says it again.
    assert_said(&keys(at, &[&revoke[..], &["--yes"]].concat())?, 0, &["revoked already"], "");
    assert_eq!(list(at)?["revision"], 2);
    let emergency = ["rotate", "--emergency", "--reason", "a laptop was stolen", "--yes", "--json"];
    let done = keys(at, &emergency)?;
    assert_said(&done, 0, &["logins under way fail"], "");
    let done: Value = serde_json::from_slice(&done.stdout)?;
    assert_eq!(done["active"], list(at)?["keys"][2]["kid"]);
    assert_eq!(in_state(&list(at)?, "revoked").len(), 2);
    let trail = gatepass(at, &["audit", "tail", "--json", "--tenant", "default"], &[])?;
    let told = String::from_utf8_lossy(&trail.stdout).into_owned();
    assert!(told.contains("a laptop was stolen") && told.contains("found in a paste"), "{told}");
    Ok(())
}

pub async fn a_keyring_goes_elsewhere_encrypted_and_comes_back() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    keys(at, &["init"])?;
    fs::write(at.join("passphrase"), "correct horse battery\n")?;
    let export = ["export", "backup.json", "--passphrase-file", "passphrase"];
    assert_said(&keys(at, &export)?, 0, &["1 private keys"], "");
    assert_said(&keys(at, &export)?, 1, &["cannot write backup.json"], "");
    let kid = in_state(&list(at)?, "active").remove(0);
    let import = ["import", "backup.json", "--passphrase-file", "passphrase", "--yes"];
    assert_said(&keys(at, &import)?, 1, &["--replace"], "");
    // The keyring is lost, the store is not: what comes back is above all that was seen.
    let seen = list(at)?["revision"].as_u64().unwrap_or_default();
    fs::remove_dir_all(at.join("gatepass-data/keyring"))?;
    assert_said(&keys(at, &["init"])?, 1, &["the store knows a keyring", "keys import"], "");
    assert_said(&keys(at, &import)?, 0, &["The keyring is here"], "");
    assert!(list(at)?["revision"].as_u64() > Some(seen));
    assert_eq!(in_state(&list(at)?, "active"), std::slice::from_ref(&kid));
    // An older copy of the folder is found out.
    let index = fs::read(at.join("gatepass-data/keyring/keyring.json"))?;
    assert_said(&keys(at, &["revoke", &kid, "--reason", "leaked", "--yes"])?, 0, &[], "");
    let newer = fs::read(at.join("gatepass-data/keyring/keyring.json"))?;
    fs::write(at.join("gatepass-data/keyring/keyring.json"), index)?;
    assert_said(&keys(at, &["verify"])?, 1, &["opening"], "");
    fs::write(at.join("gatepass-data/keyring/keyring.json"), newer)?;
    // And nothing brings back what was revoked, also where nothing is left to tell of it but the trail.
    fs::remove_dir_all(at.join("gatepass-data/keyring"))?;
    assert_said(&keys(at, &import)?, 1, &["was revoked since"], "");
    assert_said(&keys(at, &["init", "--replace"])?, 2, &["pair again"], "");
    assert_said(&keys(at, &["init", "--replace", "--yes"])?, 0, &["pair every site again"], "");
    Ok(())
}

pub async fn an_old_copy_of_the_keyring_is_not_changed() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    let keyring = at.join("gatepass-data/keyring");
    keys(at, &["init"])?;
    let index = fs::read(keyring.join("keyring.json"))?;
    assert_said(&keys(at, &["rotate"])?, 0, &["signs in 7 min"], "");
    let kid = in_state(&list(at)?, "active").remove(0);
    fs::write(keyring.join("keyring.json"), &index)?;
    // It would be told to nobody: everybody has had a newer one.
    let because = ["--reason", "found in a paste", "--yes"];
    let old = ["it is an old copy", "import an export"];
    assert_said(&keys(at, &[&["revoke", &kid], &because[..]].concat())?, 1, &old, "");
    assert_said(&keys(at, &[&["rotate", "--emergency"], &because[..]].concat())?, 1, &old, "");
    assert_said(&keys(at, &["rotate"])?, 1, &old, "");
    assert!(fs::read(keyring.join("keyring.json"))? == index);
    Ok(())
}

pub async fn private_keys_are_wrapped_and_the_doctor_names_those_that_are_not() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    keys(at, &["init"])?;
    let doctor = gatepass(at, &["doctor"], &[])?;
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("lie in plaintext"), "{doctor:?}");
    assert_said(&keys(at, &["rewrap"])?, 2, &["no wrapping key"], "");
    for lines in [1, 2] {
        let made = keys(at, &["new-wrapping-key"])?;
        let key = String::from_utf8(made.stdout)?;
        assert_eq!((key.lines().count(), key.trim().len()), (1, 43));
        let before = fs::read_to_string(at.join("wrapping")).unwrap_or_default();
        fs::write(at.join("wrapping"), format!("{key}{before}"))?;
        let rewrapped = keys(at, &["rewrap", "--keyring-key-file", "wrapping"])?;
        assert_said(&rewrapped, 0, &["1 private keys were encrypted anew"], key.trim());
        assert_eq!(fs::read_to_string(at.join("wrapping"))?.lines().count(), lines);
    }
    let newest = fs::read_to_string(at.join("wrapping"))?.lines().next().unwrap_or_default().to_owned();
    assert_said(&keys(at, &["verify"])?, 1, &["no wrapping key is configured"], "");
    let verified = gatepass(at, &["keys", "verify"], &[("GATEPASS_KEYRING_KEY", &newest)])?;
    assert_said(&verified, 0, &[], "plaintext");
    let doctor = gatepass(at, &["doctor"], &[("GATEPASS_KEYRING_KEY", &newest)])?;
    assert!(String::from_utf8_lossy(&doctor.stdout).contains("the private keys are encrypted"), "{doctor:?}");
    Ok(())
}

pub async fn without_a_store_nothing_is_revoked_and_the_same_command_works_afterwards() -> Result {
    let folder = tempfile::tempdir()?;
    let redis = Redis::start(&folder.path().join("redis"))?;
    let gatepass = Gatepass::start(folder.path(), &redis.url())?;
    let data = gatepass.data_dir();
    let call = |store: &str, arguments: &[&str]| -> Result<Output> {
        let mut command = Command::new(fixtures::built("GATEPASS_BIN", "gatepass")?);
        command.env_clear().current_dir(folder.path()).arg("keys").args(arguments);
        Ok(command.args(["--store", store, "--data-dir"]).arg(&data).stdin(Stdio::null()).output()?)
    };
    let listed: Value = serde_json::from_slice(&call(&redis.url(), &["list", "--json"])?.stdout)?;
    let kid = in_state(&listed, "active").remove(0);
    let revoke = ["revoke", &kid, "--reason", "leaked", "--yes"];
    // Without a store nothing is done: whoever revokes is told that nobody was told.
    let away = call("redis://127.0.0.1:1/", &revoke)?;
    assert_eq!(away.status.code(), Some(1));
    let listed: Value = serde_json::from_slice(&call(&redis.url(), &["list", "--json"])?.stdout)?;
    assert_eq!(in_state(&listed, "revoked"), Vec::<String>::new());
    assert_said(&call(&redis.url(), &revoke)?, 0, &["at no site"], "");
    Ok(())
}

pub async fn sites_that_cannot_be_told_of_a_revocation_are_named() -> Result {
    let folder = tempfile::tempdir()?;
    let at = folder.path();
    let redis = Redis::start(&at.join("redis"))?;
    let on = |store: &str, arguments: &[&str]| gatepass(at, &[arguments, &["--store", store]].concat(), &[]);
    assert_said(&on(&redis.url(), &["keys", "init"])?, 0, &[], "");
    let register = |url: &str| -> Result<String> {
        let added = on(&redis.url(), &["site", "add", url, "--json"])?;
        let added: Value = serde_json::from_slice(&added.stdout)?;
        Ok(added["site_id"].as_str().ok_or("no site")?.to_owned())
    };
    let (near, far) = (register("https://near.example")?, register("https://far.example")?);
    // A user whom Redis refuses one of the sites, as a cluster would whose shard is away.
    let reached = format!("~gp:{{{near}}}:*");
    redis.command(&["ACL", "SETUSER", "half", "on", ">half", "+@all", "~gp:[^{]*", "~gp:{gp:*", &reached])?;
    let half = redis.url().replace("redis://", "redis://half:half@");
    let kid = in_state(&list_on(at, &redis.url())?, "active").remove(0);
    let revoke = ["keys", "revoke", &kid, "--reason", "leaked", "--yes"];
    let told = on(&half, &revoke)?;
    assert_said(&told, 1, &[&format!("{far} could not be told"), "1 sites may still take"], &near);
    let marked = |site: &str| redis.command(&["HEXISTS", &format!("gp:{{{site}}}:revoked-keys"), &kid]);
    assert_eq!((marked(&near)?.trim(), marked(&far)?.trim()), ("1", "0"));
    // Once all can be reached, the same command ends well.
    assert_said(&on(&redis.url(), &revoke)?, 0, &["at no site"], "");
    assert_eq!(marked(&far)?.trim(), "1");
    Ok(())
}
