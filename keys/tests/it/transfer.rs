//! Taking a keyring away, and bringing it back.

use gatepass_keys::{Action, Import, KeyId, KeyState, Keyring, KeyringError, KeyringFolder, Wrapping};
use serde_json::Value;
use tempfile::TempDir;

use crate::changes::{T, change, plain, publish, rotate};

const PASSPHRASE: &str = "correct horse battery";

struct Exported {
    parent: TempDir,
    folder: KeyringFolder,
    keyring: Keyring,
    text: String,
}

fn exported() -> Exported {
    let parent = TempDir::new().unwrap();
    let folder = plain(&parent.path().join("keys"));
    folder.open_or_create([1; 32], T).unwrap();
    let keyring = change(&folder, 2, T, publish()).unwrap();
    let text = folder.export([3; 32], PASSPHRASE, T).unwrap().to_string();
    Exported { parent, folder, keyring, text }
}

fn how<'a>() -> Import<'a> {
    Import { by: "a test", now: T + 100, replace: false, seen: 0, revoked: &[] }
}

fn refusal(folder: &KeyringFolder, text: &str, passphrase: &str, how: Import<'_>) -> String {
    match folder.import([4; 32], text, passphrase, how).unwrap_err() {
        KeyringError::Import(reason) => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn an_export_comes_back_elsewhere_above_what_was_seen() {
    let Exported { parent, keyring, text, .. } = exported();
    let wrapping = Wrapping::value("w".repeat(32));
    let elsewhere = KeyringFolder::new(parent.path().join("elsewhere"), wrapping);
    let back = elsewhere.import([4; 32], &text, PASSPHRASE, Import { seen: 41, ..how() }).unwrap();
    assert_eq!((back.active_kid(), back.revision()), (keyring.active_kid(), 42));
    assert_eq!(back.key_set(), keyring.key_set());
    assert_eq!(back.plaintext_keys(), 0);
    let next = back.entries().iter().find(|entry| entry.state == KeyState::Next).unwrap();
    assert_eq!(next.created_at, T + 100, "it ripens anew");
    let newest = back.signed_sets().last().unwrap();
    assert!(newest.verify(keyring.key_set()).is_ok(), "sites can follow");
    rotate(&elsewhere, [5; 32], T + 200).unwrap();
}

#[test]
fn an_export_shows_no_key_and_needs_its_passphrase() {
    let Exported { parent, text, .. } = exported();
    assert!(!text.contains("BEGIN PRIVATE KEY"));
    let elsewhere = plain(&parent.path().join("elsewhere"));
    assert!(refusal(&elsewhere, &text, "another passphrase", how()).contains("does not open"));
    assert!(elsewhere.open().unwrap().is_none());
    let short = plain(&parent.path().join("keys")).export([3; 32], "short", T).unwrap_err();
    assert!(short.to_string().contains("12 characters"));
}

#[test]
fn an_export_that_is_cut_off_is_refused() {
    let Exported { parent, text, .. } = exported();
    let elsewhere = plain(&parent.path().join("elsewhere"));
    for length in [0, 1, text.len() / 3, text.len() / 2, text.len() - 3] {
        assert!(refusal(&elsewhere, &text[..length], PASSPHRASE, how()).contains("cut off"));
    }
    assert!(elsewhere.open().unwrap().is_none());
}

#[test]
fn an_export_that_somebody_changed_is_refused() {
    let Exported { parent, keyring, text, .. } = exported();
    let elsewhere = plain(&parent.path().join("elsewhere"));
    let good: Value = serde_json::from_str(&text).unwrap();
    let refused = |spoil: &dyn Fn(&mut Value)| {
        let mut export = good.clone();
        spoil(&mut export);
        refusal(&elsewhere, &export.to_string(), PASSPHRASE, how())
    };
    let (active, next) = (keyring.active_kid().to_string(), keyring.entries()[1].kid.to_string());
    let (one, two) = (good["keys"][&active].clone(), good["keys"][&next].clone());
    let swapped = refused(&|export| {
        export["keys"][&active] = two.clone();
        export["keys"][&next] = one.clone();
    });
    assert!(swapped.contains("under the name"), "{swapped}");
    let missing = refused(&|export| _ = export["keys"].as_object_mut().unwrap().remove(&next));
    assert!(missing.contains("does not hold"), "{missing}");
    let other = refused(&|export| export["version"] = 2.into());
    assert!(other.contains("no export of this kind"), "{other}");
    // The next key made the active one, as its thief would: signed by it, and with all that belongs to it but a set.
    let jws = good["index"].as_str().unwrap();
    let claims = crate::forge::unb64(jws.split('.').nth(1).unwrap());
    let mut claims: Value = serde_json::from_slice(&claims).unwrap();
    claims["index"]["active"] = next.clone().into();
    claims["index"]["keys"][0]["state"] = "revoked".into();
    claims["index"]["keys"][1]["state"] = "active".into();
    let forged = crate::forge::signed_by(
        &crate::forge::another_key(),
        format!(r#"{{"alg":"EdDSA","typ":"gatepass-keyring+jwt","kid":"{next}"}}"#),
        claims.to_string(),
    );
    let promoted = refused(&|export| export["index"] = forged.clone().into());
    assert!(promoted.contains("states are not those of the signed key set"), "{promoted}");
    // The same index, signed by nobody who may.
    let unsigned = crate::forge::signed_by(
        &crate::forge::another_key(),
        format!(r#"{{"alg":"EdDSA","typ":"gatepass-keyring+jwt","kid":"{active}"}}"#),
        String::from_utf8(crate::forge::unb64(jws.split('.').nth(1).unwrap())).unwrap(),
    );
    let unsigned = refused(&|export| export["index"] = unsigned.clone().into());
    assert!(unsigned.contains("signature of its index"), "{unsigned}");
}

#[test]
fn a_key_that_was_revoked_since_does_not_come_back() {
    let Exported { parent, folder, keyring, text } = exported();
    let replace = Import { replace: true, ..how() };
    assert!(refusal(&folder, &text, PASSPHRASE, how()).contains("--replace"));
    assert!(folder.import([4; 32], &text, PASSPHRASE, replace).is_ok(), "nothing has happened since");
    let kid = keyring.active_kid().clone();
    let revoke = Action::Revoke { kid: kid.clone(), reason: "stolen".to_owned() };
    let revoked = change(&folder, 6, T + 200, vec![revoke]).unwrap();
    assert!(refusal(&folder, &text, PASSPHRASE, replace).contains("was revoked here since"));
    assert_eq!(folder.open().unwrap().unwrap().revision(), revoked.revision());
    // Elsewhere nothing is known of it but what the caller says.
    let elsewhere = plain(&parent.path().join("elsewhere"));
    let kids: [KeyId; 1] = [kid];
    let told = Import { revoked: &kids, ..how() };
    assert!(refusal(&elsewhere, &text, PASSPHRASE, told).contains("was revoked since"));
}

#[test]
fn a_lost_keyring_is_begun_anew_above_what_was_seen() {
    let Exported { parent: _parent, folder, keyring, .. } = exported();
    std::fs::write(folder.dir().join("keyring.json"), "lost").unwrap();
    let anew = folder.begin_anew([7; 32], T, "a test", 30).unwrap();
    assert_eq!(anew.revision(), 31);
    assert_ne!(anew.active_kid(), keyring.active_kid());
    assert_eq!(anew.key_set().iter().count(), 1);
    assert_eq!(folder.check().unwrap().len(), 2, "the old files are named");
}
