//! Changing a keyring: under the lock, whole or not at all, and signed by who was active before.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, thread};

use gatepass_keys::{
    Action, KeySet, KeyState, Keyring, KeyringError, KeyringFolder, SignedKeySet, Step,
    VerificationKeys as _, Wrapping,
};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) const T: u64 = 1_790_000_000;
const DIR: &str = "GATEPASS_TEST_ROTATED_DIR";
const SEED: &str = "GATEPASS_TEST_ROTATED_SEED";

pub(crate) fn plain(dir: &Path) -> KeyringFolder {
    KeyringFolder::new(dir, Wrapping::none())
}

pub(crate) fn change(
    folder: &KeyringFolder,
    seed: u8,
    now: u64,
    actions: Vec<Action>,
) -> Result<Keyring, KeyringError> {
    folder.change([seed; 32], now, "a test", |_| Ok(actions))
}

pub(crate) fn publish() -> Vec<Action> {
    vec![Action::Take(Step::Publish)]
}

/// Lets the next key sign, and publishes another.
pub(crate) fn rotate(folder: &KeyringFolder, seed: [u8; 32], now: u64) -> Result<Keyring, KeyringError> {
    folder.change(seed, now, "a test", |keyring| {
        let next = keyring.entries().iter().find(|entry| entry.state == KeyState::Next);
        let promote = next.map(|entry| Action::Take(Step::Promote(entry.kid.clone())));
        let oldest = keyring.entries().iter().find(|entry| entry.state == KeyState::Retired);
        let remove = oldest.map(|entry| Action::Take(Step::Remove(entry.kid.clone())));
        Ok(remove.into_iter().chain(promote).chain(publish()).collect())
    })
}

fn folder() -> (TempDir, KeyringFolder) {
    let parent = TempDir::new().unwrap();
    let folder = plain(&parent.path().join("keys"));
    folder.open_or_create([1; 32], T).unwrap();
    (parent, folder)
}

fn state(keyring: &Keyring, state: KeyState) -> Vec<String> {
    keyring.entries().iter().filter(|entry| entry.state == state).map(|entry| entry.kid.to_string()).collect()
}

/// From any set that was kept, the newest is reached by sets each signed by an active or next key of the one before.
fn assert_chain(keyring: &Keyring) {
    for (at, first) in keyring.signed_sets().iter().enumerate() {
        let mut pinned = first;
        for set in &keyring.signed_sets()[at + 1..] {
            let usable = pinned.keys.iter().filter(|(_, state)| *state != KeyState::Retired);
            if set.verify(&KeySet::new(usable.map(|(key, _)| key.clone()))).is_ok() {
                pinned = set;
            }
        }
        assert_eq!(pinned.version, keyring.revision(), "from set {}", first.version);
    }
}

#[test]
fn a_key_lives_from_next_to_removed() {
    let (_parent, folder) = folder();
    let first = folder.open().unwrap().unwrap();
    let keyring = change(&folder, 2, T + 10, publish()).unwrap();
    assert_eq!(keyring.active_kid(), first.active_kid());
    let next = keyring.entries()[1].kid.clone();
    let keyring = change(&folder, 3, T + 20, vec![Action::Take(Step::Promote(next.clone()))]).unwrap();
    assert_eq!((keyring.active_kid(), keyring.active_since(), keyring.revision()), (&next, T + 20, 3));
    let old = first.active_kid().clone();
    assert_eq!(state(&keyring, KeyState::Retired), [old.to_string()]);
    assert!(keyring.key_set().find(&old).is_some());
    let keyring = change(&folder, 4, T + 30, vec![Action::Take(Step::Remove(old.clone()))]).unwrap();
    assert!(keyring.key_set().find(&old).is_none());
    assert!(!folder.dir().join(format!("{old}.pem")).exists(), "nobody needs it any more");
    let entry = &keyring.entries()[0];
    let times = (entry.created_at, entry.activated_at, entry.retired_at, entry.ended_at);
    assert_eq!(times, (T, Some(T), Some(T + 20), Some(T + 30)));
    let told: Vec<_> = keyring.changes().iter().map(|c| (c.revision, c.from, c.to)).collect();
    assert_eq!(
        told,
        [
            (1, None, KeyState::Active),
            (2, None, KeyState::Next),
            (3, Some(KeyState::Active), KeyState::Retired),
            (3, Some(KeyState::Next), KeyState::Active),
            (4, Some(KeyState::Retired), KeyState::Removed),
        ]
    );
    assert_chain(&keyring);
}

#[test]
fn no_key_takes_a_step_that_is_not_its_own() {
    let (_parent, folder) = folder();
    let active = folder.open().unwrap().unwrap().active_kid().clone();
    change(&folder, 2, T, publish()).unwrap();
    let before = fs::read(folder.dir().join("keyring.json")).unwrap();
    for step in [Step::Promote(active.clone()), Step::Remove(active), Step::Publish] {
        let refused = change(&folder, 3, T, vec![Action::Take(step)]).unwrap_err();
        assert!(matches!(refused, KeyringError::Refused(_)), "{refused}");
    }
    assert_eq!(fs::read(folder.dir().join("keyring.json")).unwrap(), before);
}

#[test]
fn a_seed_given_twice_makes_no_key_twice() {
    let (_parent, folder) = folder();
    let kid = change(&folder, 2, T, publish()).unwrap().entries()[1].kid.clone();
    let again = [Action::Revoke { kid, reason: "lost".to_owned() }, Action::Take(Step::Publish)];
    assert!(matches!(change(&folder, 2, T, again.to_vec()).unwrap_err(), KeyringError::Refused(_)));
    assert_eq!(folder.open().unwrap().unwrap().revision(), 2);
}

#[test]
fn nothing_to_do_writes_nothing() {
    let (_parent, folder) = folder();
    let keyring = change(&folder, 2, T, Vec::new()).unwrap();
    assert_eq!(keyring.revision(), 1);
    assert!(folder.reload(&keyring).unwrap().is_none());
}

#[test]
fn revoking_the_active_key_lets_the_next_one_sign_at_once() {
    let (_parent, folder) = folder();
    let keyring = change(&folder, 2, T, publish()).unwrap();
    let (active, next) = (keyring.active_kid().clone(), keyring.entries()[1].kid.clone());
    let revoke = |kid| vec![Action::Revoke { kid, reason: "lost".to_owned() }];
    let keyring = change(&folder, 3, T, revoke(active.clone())).unwrap();
    assert_eq!(*keyring.active_kid(), next);
    assert!(keyring.key_set().find(&active).is_none());
    assert_eq!(keyring.entries()[0].reason.as_deref(), Some("lost"));
    // Now there is none to follow.
    let keyring = change(&folder, 4, T, revoke(next.clone())).unwrap();
    assert_eq!(state(&keyring, KeyState::Revoked), [active.to_string(), next.to_string()]);
    assert_eq!(keyring.key_set().iter().count(), 1);
    assert!(change(&folder, 5, T, revoke(next)).is_err(), "revoked once is revoked");
    assert_chain(&keyring);
}

#[test]
fn an_emergency_leaves_no_key_that_was_there() {
    let (_parent, folder) = folder();
    rotate(&folder, [2; 32], T).unwrap();
    let before = rotate(&folder, [3; 32], T).unwrap();
    let replace = vec![Action::ReplaceAll { reason: "stolen".to_owned() }, Action::RaiseRevision(70)];
    let keyring = change(&folder, 4, T + 1, replace).unwrap();
    assert_eq!(keyring.revision(), 70);
    assert!(keyring.changes().iter().rev().take(5).all(|change| change.revision == 70));
    assert_eq!(keyring.key_set().iter().count(), 2);
    assert!(before.key_set().iter().all(|key| keyring.key_set().find(key.kid()).is_none()));
    assert_chain(&keyring);
}

#[test]
fn a_site_that_slept_through_two_years_finds_the_way() {
    let (_parent, folder) = folder();
    change(&folder, 0, T, publish()).unwrap();
    let mut long_ago = None;
    for month in 1..=23_u8 {
        let keyring = rotate(&folder, [100 + month; 32], T + u64::from(month) * 2_592_000).unwrap();
        assert_chain(&keyring);
        let pinned = long_ago.get_or_insert_with(|| keyring.signed_sets().last().unwrap().clone());
        let mut at = pinned.clone();
        for set in keyring.signed_sets() {
            if set.version > at.version && set.verify(&at.key_set()).is_ok() {
                at = set.clone();
            }
        }
        assert_eq!(at.version, keyring.revision(), "month {month}");
    }
}

#[test]
fn an_index_that_somebody_changed_is_refused() {
    let (_parent, folder) = folder();
    let keyring = change(&folder, 2, T, publish()).unwrap();
    let (active, next) = (keyring.active_kid().clone(), keyring.entries()[1].kid.clone());
    change(&folder, 3, T, vec![Action::Revoke { kid: next, reason: "lost".to_owned() }]).unwrap();
    let path = folder.dir().join("keyring.json");
    let good: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let older = good["key_sets"][0].clone();
    let refuses = |reason: &str, spoil: &dyn Fn(&mut Value)| {
        let mut index = good.clone();
        spoil(&mut index);
        fs::write(&path, index.to_string()).unwrap();
        let refused = folder.open().unwrap_err();
        assert!(refused.to_string().contains(reason), "{refused}");
    };
    refuses("states are not", &|index| index["keys"][1]["state"] = "next".into());
    refuses("states are not", &|index| index["keys"][1]["state"] = "retired".into());
    refuses("not that of this revision", &|index| index["revision"] = 9.into());
    refuses("no signed key set", &|index| index["key_sets"] = Value::Array(Vec::new()));
    refuses("not in order", &|index| index["key_sets"][2] = older.clone());
    refuses("`active` is not", &|index| index["active"] = "A".repeat(43).into());
    // Signed by a stranger.
    let stranger = gatepass_keys::SigningKey::generate([99; 32]);
    let set = good["key_sets"][2].as_str().unwrap().to_owned();
    let forged = crate::forge::signed_by(
        &stranger,
        format!(r#"{{"alg":"EdDSA","typ":"gatepass-keys+jwt","kid":"{active}"}}"#),
        String::from_utf8(crate::forge::unb64(set.split('.').nth(1).unwrap())).unwrap(),
    );
    refuses("signature", &|index| index["key_sets"][2] = forged.clone().into());
    fs::write(&path, good.to_string()).unwrap();
    folder.open().unwrap();
}

#[test]
fn reloading_tells_what_others_have_changed() {
    let (_parent, folder) = folder();
    let old = folder.open().unwrap().unwrap();
    assert!(folder.reload(&old).unwrap().is_none());
    change(&plain(folder.dir()), 2, T, publish()).unwrap();
    // A key that is known is not read again: it need not even be there.
    let active = folder.dir().join(format!("{}.pem", old.active_kid()));
    let pem = fs::read(&active).unwrap();
    fs::remove_file(&active).unwrap();
    let new = folder.reload(&old).unwrap().unwrap();
    assert_eq!((new.revision(), new.active_kid()), (2, old.active_kid()));
    assert!(folder.open().is_err());
    fs::write(&active, pem).unwrap();
}

#[test]
fn an_index_of_an_earlier_release_is_read_and_upgraded_by_the_first_change() {
    let parent = TempDir::new().unwrap();
    let (dir, key) = (parent.path(), crate::forge::key());
    let path = dir.join(format!("{}.pem", key.kid()));
    fs::write(&path, key.to_pkcs8_pem().unwrap()).unwrap();
    let index = serde_json::json!({"version": 1, "active": key.kid(), "keys": [{"kid": key.kid(), "state": "active"}]});
    fs::write(dir.join("keyring.json"), index.to_string()).unwrap();
    for file in [&path, &dir.join("keyring.json")] {
        fs::set_permissions(file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let folder = plain(dir);
    let read = folder.open().unwrap().unwrap();
    assert_eq!((read.revision(), read.signed_sets().len()), (1, 1));
    assert_eq!(fs::read_to_string(dir.join("keyring.json")).unwrap(), index.to_string());
    let now = read.active_since() + 1;
    let changed = change(&folder, 2, now, publish()).unwrap();
    assert_eq!((changed.revision(), changed.active_kid()), (2, key.kid()));
    assert_eq!(changed.signed_sets()[0], read.signed_sets()[0]);
    assert_chain(&changed);
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(Result::unwrap);
    files.map(|file| (file.file_name().into_string().unwrap(), fs::read(file.path()).unwrap())).collect()
}

/// Every state of the folder between two writes of a change that makes two keys, writes the index and removes a key.
#[test]
fn a_change_that_stops_after_any_write_leaves_a_keyring_that_is_right() {
    use std::os::unix::fs::PermissionsExt as _;
    let (_parent, folder) = folder();
    let old = change(&folder, 2, T, publish()).unwrap();
    let before = files(folder.dir());
    let new = change(&folder, 3, T, vec![Action::ReplaceAll { reason: "stolen".to_owned() }]).unwrap();
    let after = files(folder.dir());
    let made = new.key_set().iter().map(|key| format!("{}.pem", key.kid())).collect::<Vec<_>>();
    let gone = old.key_set().iter().map(|key| format!("{}.pem", key.kid())).collect::<Vec<_>>();
    let index = "keyring.json".to_owned();
    // As `write` does it: the keys, the index, and what goes.
    let writes: Vec<&String> = made.iter().chain([&index]).chain(&gone).collect();
    let mut now = before;
    for stopped_after in 0..=writes.len() {
        let parent = TempDir::new().unwrap();
        for (name, content) in &now {
            let path = parent.path().join(name);
            fs::write(&path, content).unwrap();
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        // And in the middle of the next write.
        fs::write(parent.path().join(".being-written"), "half").unwrap();
        let left = plain(parent.path());
        let keyring = left.open().unwrap().unwrap();
        let expected = if stopped_after <= made.len() { &old } else { &new };
        assert_eq!(keyring.revision(), expected.revision());
        assert_eq!(keyring.key_set(), expected.key_set());
        let done = change(&left, 5, T, vec![Action::ReplaceAll { reason: "stolen".to_owned() }]).unwrap();
        assert_eq!(done.key_set().iter().count(), 2);
        assert_chain(&done);
        if let Some(name) = writes.get(stopped_after) {
            match after.get(*name) {
                Some(content) => _ = now.insert((*name).clone(), content.clone()),
                None => _ = now.remove(*name),
            }
        }
    }
    assert_eq!(now, after);
}

fn rotator(dir: &Path, seed: u8) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "changes::one_who_rotates", "--ignored"])
        .env(DIR, dir)
        .env(SEED, seed.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "run by the tests below, in processes of its own"]
fn one_who_rotates() {
    let dir = env::var(DIR).unwrap();
    let number: u8 = env::var(SEED).unwrap().parse().unwrap();
    let folder = plain(Path::new(&dir));
    for round in 0..20 {
        let mut seed = [number; 32];
        (seed[0], seed[1]) = (round, 200);
        rotate(&folder, seed, T).unwrap();
    }
}

#[test]
fn processes_that_rotate_at_once_do_so_one_after_another() {
    let (_parent, folder) = folder();
    let start = change(&folder, 9, T, publish()).unwrap();
    let mut old = start;
    let rotators: Vec<_> = (1..=3).map(|seed| rotator(folder.dir(), seed)).collect();
    // Who reads meanwhile sees a whole keyring, always a newer one.
    for mut rotator in rotators {
        while rotator.try_wait().unwrap().is_none() {
            if let Some(new) = folder.reload(&old).unwrap() {
                assert!(new.revision() > old.revision());
                old = new;
            }
        }
        assert!(rotator.wait().unwrap().success());
    }
    let keyring = folder.open().unwrap().unwrap();
    assert_eq!(keyring.revision(), 2 + 3 * 20);
    assert_chain(&keyring);
}

#[test]
fn whoever_is_killed_while_rotating_leaves_a_keyring_that_is_right() {
    let (_parent, folder) = folder();
    change(&folder, 9, T, publish()).unwrap();
    for round in 0..12_u64 {
        let mut rotator = rotator(folder.dir(), u8::try_from(round).unwrap());
        thread::sleep(Duration::from_millis(20 + round * 7));
        rotator.kill().unwrap();
        rotator.wait().unwrap();
        let keyring = folder.open().unwrap().unwrap();
        assert_chain(&keyring);
        folder.check().unwrap();
        let last: &SignedKeySet = keyring.signed_sets().last().unwrap();
        assert_eq!(last.version, keyring.revision());
    }
}

#[test]
fn what_root_writes_is_the_folders_owners() {
    let dir = TempDir::new().unwrap();
    let folder = plain(&dir.path().join("keyring"));
    folder.open_or_create([1; 32], T).unwrap();
    // Only root can give files away, and only root's could be the wrong ones.
    if chown(folder.dir(), Some(65_534), Some(65_534)).is_err() {
        return;
    }
    rotate(&folder, [2; 32], T + 1).unwrap();
    let newest = folder.open().unwrap().unwrap().entries().last().unwrap().kid.to_string() + ".pem";
    for name in ["keyring.json", "keyring.lock", &newest] {
        assert_eq!(fs::metadata(folder.dir().join(name)).unwrap().uid(), 65_534, "{name}");
    }
}
