//! Private keys at rest.

use std::fs;
use std::path::Path;
use std::process::Command;

use gatepass_keys::{KeyError, KeyringError, KeyringFolder, Wrapping};
use tempfile::TempDir;

use crate::changes::{T, change, plain, publish};

const ONE: &str = "one-wrapping-key-0123456789-abcdef";
const TWO: &str = "two-wrapping-key-0123456789-abcdef";

fn wrapped(dir: &Path, lines: &[&str]) -> KeyringFolder {
    KeyringFolder::new(dir, Wrapping::value(lines.join("\n")))
}

fn pems(dir: &Path) -> Vec<String> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths
        .filter(|p| p.extension().is_some_and(|e| e == "pem"))
        .map(|p| fs::read_to_string(p).unwrap())
        .collect()
}

#[test]
fn keys_are_encrypted_and_open_only_with_the_wrapping_key() {
    let dir = TempDir::new().unwrap();
    let folder = wrapped(dir.path(), &[ONE]);
    let made = folder.open_or_create([1; 32], T).unwrap();
    let keyring = change(&folder, 2, T, publish()).unwrap();
    assert_eq!(keyring.plaintext_keys(), 0);
    assert_eq!(pems(dir.path()).len(), 2);
    for pem in pems(dir.path()) {
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{pem}");
    }
    let again = wrapped(dir.path(), &[ONE]).open().unwrap().unwrap();
    assert_eq!(again.active_kid(), made.active_kid());
    let refusal = |folder: &KeyringFolder| match folder.open().unwrap_err() {
        KeyringError::Key { source, .. } => source,
        other => panic!("{other}"),
    };
    assert_eq!(refusal(&wrapped(dir.path(), &[TWO])), KeyError::WrappingKey);
    assert_eq!(refusal(&plain(dir.path())), KeyError::Wrapped);
}

#[test]
fn another_wrapping_key_takes_over_line_by_line() {
    let dir = TempDir::new().unwrap();
    let key_file = dir.path().join("wrapping");
    let folder = KeyringFolder::new(dir.path().join("keys"), Wrapping::file(&key_file));
    fs::write(&key_file, ONE).unwrap();
    let kid = folder.open_or_create([1; 32], T).unwrap().active_kid().clone();
    assert_eq!(folder.rewrap([2; 32]).unwrap(), 0);
    // The file is read afresh.
    fs::write(&key_file, format!("{TWO}\n{ONE}\n")).unwrap();
    folder.open().unwrap();
    assert_eq!(folder.rewrap([2; 32]).unwrap(), 1);
    fs::write(&key_file, TWO).unwrap();
    assert_eq!(*folder.open().unwrap().unwrap().active_kid(), kid);
    fs::write(&key_file, ONE).unwrap();
    assert!(folder.open().is_err());
}

#[test]
fn plaintext_keys_are_counted_and_can_be_wrapped() {
    let dir = TempDir::new().unwrap();
    assert_eq!(plain(dir.path()).open_or_create([1; 32], T).unwrap().plaintext_keys(), 1);
    let folder = wrapped(dir.path(), &[ONE]);
    assert_eq!(folder.open().unwrap().unwrap().plaintext_keys(), 1);
    assert_eq!(folder.rewrap([2; 32]).unwrap(), 1);
    assert_eq!(folder.open().unwrap().unwrap().plaintext_keys(), 0);
}

#[test]
fn what_is_no_wrapping_key_is_refused_and_not_quoted() {
    let dir = TempDir::new().unwrap();
    for lines in [&["too-short-secret"][..], &[""], &[ONE, "too-short-secret"]] {
        let refused = wrapped(dir.path(), lines).open_or_create([1; 32], T).unwrap_err();
        assert!(matches!(refused, KeyringError::Wrapping { .. }), "{refused}");
        assert!(!format!("{refused} {refused:?}").contains("too-short-secret"));
    }
    assert!(pems(dir.path()).is_empty());
    assert!(!format!("{:?}", wrapped(dir.path(), &[ONE])).contains(ONE));
}

#[test]
fn openssl_reads_a_wrapped_key() {
    let dir = TempDir::new().unwrap();
    wrapped(dir.path(), &[ONE]).open_or_create([1; 32], T).unwrap();
    let pem = dir.path().join("key");
    fs::write(&pem, &pems(dir.path())[0]).unwrap();
    let read = Command::new("openssl")
        .args(["pkey", "-noout", "-text", "-passin", &format!("pass:{ONE}"), "-in"])
        .arg(&pem)
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&read.stdout).contains("ED25519"), "{read:?}");
}
