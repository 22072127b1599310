//! The keyring's folder: what is written, and what is refused when it is read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gatepass_keys::{
    KeyError, Keyring, KeyringError, KeyringFolder, SigningKey, VerificationKeys as _, Wrapping,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::forge::{another_key, key};

const SEED: [u8; 32] = [1; 32];
/// When these tests are.
const T: u64 = 1_790_000_000;
const OTHER_SEED: [u8; 32] = [2; 32];

fn open_or_create(dir: &Path, seed: [u8; 32]) -> Result<Keyring, KeyringError> {
    KeyringFolder::new(dir, Wrapping::none()).open_or_create(seed, T)
}

struct Folder {
    _parent: TempDir,
    dir: PathBuf,
}

impl Folder {
    fn empty() -> Self {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("data/keys");
        Self { _parent: parent, dir }
    }

    fn with_keyring() -> Self {
        let folder = Self::empty();
        fs::create_dir_all(&folder.dir).unwrap();
        // As a first start leaves it that was interrupted: so it is the known key.
        folder.add_key(&key());
        folder.open().unwrap();
        folder
    }

    fn open(&self) -> Result<Keyring, KeyringError> {
        open_or_create(&self.dir, SEED)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn key_file(&self) -> PathBuf {
        self.path(&format!("{}.pem", key().kid()))
    }

    fn add_key(&self, key: &SigningKey) {
        let path = self.path(&format!("{}.pem", key.kid()));
        fs::write(&path, key.to_pkcs8_pem().unwrap()).unwrap();
        chmod(&path, 0o600);
    }

    fn write_index(&self, index: &Value) {
        fs::write(self.path("keyring.json"), index.to_string()).unwrap();
    }

    fn refuses_index(&self, index: &Value, reason: &str) {
        self.write_index(index);
        match self.open().unwrap_err() {
            KeyringError::Index { path, reason: given } => {
                assert_eq!(path, self.path("keyring.json"));
                assert!(given.contains(reason), "{given}");
            }
            other => panic!("{other}"),
        }
    }
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_first_start_makes_one_active_key() {
    let folder = Folder::empty();
    let keyring = folder.open().unwrap();
    let kid = keyring.active_kid().clone();
    assert_eq!(keyring.key_set().iter().count(), 1);
    assert!(keyring.key_set().find(&kid).is_some());
    assert_eq!((keyring.revision(), keyring.active_since()), (1, T));
    let index: Value = serde_json::from_slice(&fs::read(folder.path("keyring.json")).unwrap()).unwrap();
    let (at, set) = ("2026-09-21T14:13:20Z", &keyring.signed_sets()[0].jws);
    assert_eq!(
        index,
        json!({"version": 2, "revision": 1, "active": kid,
            "keys": [{"kid": kid, "state": "active", "created_at": at, "activated_at": at}],
            "changes": [{"revision": 1, "at": at, "kid": kid, "to": "active", "by": "a first start"}],
            "key_sets": [set]})
    );
}

#[test]
fn only_the_owner_can_read_what_is_written() {
    let folder = Folder::empty();
    folder.open().unwrap();
    assert_eq!(mode(&folder.dir), 0o700);
    for name in names(&folder.dir) {
        assert_eq!(mode(&folder.path(&name)), 0o600, "{name}");
    }
}

#[test]
fn nothing_half_written_is_left_behind() {
    let folder = Folder::with_keyring();
    let mut expected = [format!("{}.pem", key().kid()), "keyring.json".to_owned(), "keyring.lock".to_owned()];
    expected.sort();
    assert_eq!(names(&folder.dir), expected);
}

#[test]
fn a_keyring_survives_reopening() {
    let folder = Folder::with_keyring();
    let again = open_or_create(&folder.dir, OTHER_SEED).unwrap();
    assert_eq!(again.active().kid(), key().kid());
    assert_eq!(names(&folder.dir).len(), 3);
}

#[test]
fn reopening_writes_nothing() {
    let folder = Folder::with_keyring();
    fs::remove_file(folder.path("keyring.lock")).unwrap();
    chmod(&folder.dir, 0o500);
    folder.open().unwrap();
    chmod(&folder.dir, 0o700);
    assert_eq!(names(&folder.dir).len(), 2);
}

#[test]
fn a_first_start_interrupted_before_the_index_is_finished() {
    let folder = Folder::with_keyring();
    fs::remove_file(folder.path("keyring.json")).unwrap();
    let again = open_or_create(&folder.dir, OTHER_SEED).unwrap();
    assert_eq!(again.active().kid(), key().kid());
}

#[test]
fn a_first_start_interrupted_while_writing_is_begun_again() {
    let folder = Folder::empty();
    fs::create_dir_all(&folder.dir).unwrap();
    fs::write(folder.path(".being-written"), "-----BEGIN PRIV").unwrap();
    folder.open().unwrap();
    assert_eq!(names(&folder.dir).len(), 3);
}

#[test]
fn a_lost_index_of_several_keys_is_not_guessed() {
    let folder = Folder::with_keyring();
    folder.add_key(&another_key());
    fs::remove_file(folder.path("keyring.json")).unwrap();
    assert!(matches!(folder.open().unwrap_err(), KeyringError::IndexMissing { .. }));
    assert!(!folder.path("keyring.json").exists());
}

#[test]
fn a_key_file_open_to_others_is_refused_with_the_command_that_helps() {
    for open in [0o640, 0o604, 0o620, 0o644, 0o666, 0o601] {
        let folder = Folder::with_keyring();
        chmod(&folder.key_file(), open);
        let refusal = folder.open().unwrap_err();
        assert!(matches!(&refusal, KeyringError::Permissions { mode, .. } if *mode == open), "{refusal}");
        let path = folder.key_file();
        assert!(refusal.to_string().contains(&format!("chmod 600 {}", path.display())), "{refusal}");
    }
}

#[test]
fn a_folder_others_can_write_to_is_refused() {
    let folder = Folder::with_keyring();
    for open in [0o770, 0o702, 0o777] {
        chmod(&folder.dir, open);
        let refusal = folder.open().unwrap_err();
        assert!(refusal.to_string().contains(&format!("chmod 700 {}", folder.dir.display())), "{refusal}");
    }
    chmod(&folder.dir, 0o755);
    assert!(folder.open().is_ok());
}

#[test]
fn an_index_others_can_write_to_is_refused() {
    let folder = Folder::with_keyring();
    chmod(&folder.path("keyring.json"), 0o664);
    assert!(matches!(folder.open().unwrap_err(), KeyringError::Permissions { .. }));
}

#[test]
fn a_key_under_another_keys_name_is_refused() {
    let folder = Folder::with_keyring();
    fs::write(folder.key_file(), another_key().to_pkcs8_pem().unwrap()).unwrap();
    match folder.open().unwrap_err() {
        KeyringError::KeyIdMismatch { path, found } => {
            assert_eq!(path, folder.key_file());
            assert_eq!(&found, another_key().kid());
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_damaged_key_file_is_refused_and_not_quoted() {
    let folder = Folder::with_keyring();
    let pem = fs::read_to_string(folder.key_file()).unwrap();
    for damaged in ["", "hunter2", &pem[..pem.len() / 2]] {
        fs::write(folder.key_file(), damaged).unwrap();
        let refusal = folder.open().unwrap_err();
        assert!(matches!(&refusal, KeyringError::Key { source: KeyError::Pem, .. }));
        assert!(damaged.is_empty() || !format!("{refusal} {refusal:?}").contains(damaged));
    }
    fs::write(folder.key_file(), [0xff, 0xfe]).unwrap();
    assert!(matches!(folder.open().unwrap_err(), KeyringError::Key { .. }));
}

#[test]
fn a_missing_key_file_is_not_made_again() {
    let folder = Folder::with_keyring();
    fs::remove_file(folder.key_file()).unwrap();
    let refusal = folder.open().unwrap_err();
    assert!(refusal.to_string().contains(&folder.key_file().display().to_string()), "{refusal}");
    assert!(!folder.key_file().exists());
}

#[test]
fn an_unknown_version_is_refused_before_the_rest_is_read() {
    let folder = Folder::with_keyring();
    folder.write_index(&json!({"version": 3, "rings": []}));
    assert!(matches!(folder.open().unwrap_err(), KeyringError::Version { version: 3, .. }));
}

#[test]
fn an_index_without_exactly_one_active_key_is_refused() {
    let folder = Folder::with_keyring();
    folder.add_key(&another_key());
    let (key, other) = (key().kid().clone(), another_key().kid().clone());
    folder.refuses_index(&json!({"version": 1, "active": key, "keys": []}), "no key is active");
    folder.refuses_index(
        &json!({"version": 1, "active": key, "keys": [{"kid": key, "state": "retired"}]}),
        "no key is active",
    );
    folder.refuses_index(
        &json!({"version": 1, "active": key, "keys": [{"kid": key, "state": "active"}, {"kid": other, "state": "active"}]}),
        "more than one key is active",
    );
    folder.refuses_index(
        &json!({"version": 1, "active": other, "keys": [{"kid": key, "state": "active"}, {"kid": other, "state": "next"}]}),
        "`active` is not the key",
    );
}

#[test]
fn a_malformed_index_is_refused() {
    let folder = Folder::with_keyring();
    let kid = key().kid().clone();
    let entry = json!({"kid": kid, "state": "active"});
    folder.refuses_index(&json!({"version": 1, "active": kid, "keys": [entry, entry]}), "listed twice");
    folder.refuses_index(&json!({"version": 1, "active": kid, "keys": [entry], "extra": 1}), "unknown field");
    folder.refuses_index(
        &json!({"version": 1, "active": kid, "keys": [{"kid": kid, "state": "asleep"}]}),
        "unknown variant",
    );
    folder.refuses_index(&json!({"version": 1, "active": "../x", "keys": []}), "key id");
    folder.refuses_index(&json!({"active": kid, "keys": [entry]}), "version");
    fs::write(folder.path("keyring.json"), "").unwrap();
    assert!(matches!(folder.open().unwrap_err(), KeyringError::Index { .. }));
}

#[test]
fn the_key_set_holds_the_keys_in_force() {
    let folder = Folder::with_keyring();
    let keys: Vec<SigningKey> = (10..14).map(|seed| SigningKey::generate([seed; 32])).collect();
    let [next, retired, removed, revoked] = &keys[..] else { unreachable!() };
    folder.add_key(next);
    folder.add_key(retired);
    // The files of the other two need not exist any more.
    folder.write_index(&json!({"version": 1, "active": key().kid(), "keys": [
        {"kid": key().kid(), "state": "active", "created_at": "2026-11-22T10:00:00Z"},
        {"kid": next.kid(), "state": "next"},
        {"kid": retired.kid(), "state": "retired"},
        {"kid": removed.kid(), "state": "removed"},
        {"kid": revoked.kid(), "state": "revoked"},
    ]}));
    let keyring = folder.open().unwrap();
    assert_eq!(keyring.active().kid(), key().kid());
    for key in [&key(), next, retired] {
        assert!(keyring.key_set().find(key.kid()).is_some());
    }
    for key in [removed, revoked] {
        assert!(keyring.key_set().find(key.kid()).is_none());
    }
}

#[test]
fn a_key_file_the_index_does_not_name_is_not_used() {
    let folder = Folder::with_keyring();
    folder.add_key(&another_key());
    assert_eq!(folder.open().unwrap().key_set().iter().count(), 1);
}

#[test]
fn debug_output_shows_no_key_material() {
    let folder = Folder::with_keyring();
    let shown = format!("{:?}", folder.open().unwrap());
    assert!(shown.contains(key().kid().as_str()));
    let pem = fs::read_to_string(folder.key_file()).unwrap();
    assert!(!shown.contains(pem.lines().nth(1).unwrap()));
}
