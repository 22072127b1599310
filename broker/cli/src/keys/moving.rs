//! Taking keys elsewhere, bringing them back, and wrapping them.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use gatepass_core::Tenant;
use gatepass_core::event::EventKind;
use gatepass_core::trail::{Reading, Trail};
use gatepass_keys::{Import, KeyId};
use zeroize::Zeroizing;

use super::{At, consent, present, seed, told};
use crate::args::Consent;
use crate::config::Config;
use crate::error::Failure;
use crate::open;

pub(super) fn rewrap(config: &Config) -> Result<(), Failure> {
    if config.keyring_key.is_none() {
        return Err(Failure::Usage("there is no wrapping key: give --keyring-key-file".to_owned()));
    }
    let folder = open::keyring_folder(config);
    let rewrapped = folder.rewrap(seed()?)?;
    eprintln!("{rewrapped} private keys were encrypted anew; all open with the first wrapping key.");
    Ok(())
}

pub(super) fn export(config: &Config, file: &Path, passphrase_file: &Path) -> Result<(), Failure> {
    let (folder, passphrase) = (open::keyring_folder(config), passphrase(passphrase_file)?);
    let published = present(&folder)?.key_set().iter().count();
    let text = folder.export(seed()?, &passphrase, open::now())?;
    let written = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file);
    let written = written.and_then(|mut out| out.write_all(text.as_bytes()).and_then(|()| out.sync_all()));
    written.map_err(|error| Failure::Failed(format!("cannot write {}: {error}", file.display())))?;
    eprintln!("{} holds {published} private keys under the passphrase. Keep the two apart.", file.display());
    Ok(())
}

pub(super) async fn import(
    at: &At<'_>,
    file: &Path,
    passphrase_file: &Path,
    replace: bool,
    consent: Consent,
) -> Result<(), Failure> {
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::Failed(format!("cannot read {}: {error}", file.display())))?;
    let passphrase = passphrase(passphrase_file)?;
    let what = "The keys of the export sign from now on. Logins under way that other keys signed fail, and sites that know only newer keys have to pair again.";
    if !consent::given(consent, what)? {
        return Ok(());
    }
    let (seen, revoked) = (at.store.keyring_revision().await?, revoked(at).await?);
    let how = Import { by: &at.by(), now: open::now(), replace, seen, revoked: &revoked };
    let keyring = at.folder.import(seed()?, &text, &passphrase, how)?;
    told::tell(at, &keyring, &[]).await?;
    eprintln!("The keyring is here, as revision {}; {} signs.", keyring.revision(), keyring.active_kid());
    Ok(())
}

pub(super) async fn init(at: &At<'_>, replace: bool, consent: Consent) -> Result<(), Failure> {
    let seen = at.store.keyring_revision().await?;
    if !replace {
        if at.folder.open()?.is_some() {
            return Err(Failure::Failed("there is a keyring already".to_owned()));
        }
        if seen > 0 {
            return Err(Failure::Failed(format!(
                "the store knows a keyring, of revision {seen}: bring it back with gatepass keys import; if it is lost, say --replace"
            )));
        }
        let keyring = at.folder.open_or_create(seed()?, open::now())?;
        told::tell(at, &keyring, &[]).await?;
        eprintln!("There is a keyring; {} signs.", keyring.active_kid());
        return Ok(());
    }
    let what = "A new keyring takes the place of the one that is lost: logins under way fail, and every site has to pair again (gatepass site pairing-code SITE --replace).";
    if !consent::given(consent, what)? {
        return Ok(());
    }
    let keyring = at.folder.begin_anew(seed()?, open::now(), &at.by(), seen)?;
    told::tell(at, &keyring, &[]).await?;
    eprintln!("There is a new keyring; {} signs. Now pair every site again.", keyring.active_kid());
    Ok(())
}

/// The keys that the trail says were revoked, as far back as it is kept.
async fn revoked(at: &At<'_>) -> Result<Vec<KeyId>, Failure> {
    let (trail, mut before, mut kids) = (Trail::Tenant(Tenant::default()), u64::MAX, Vec::new());
    loop {
        let events = at.store.events(&trail, Reading::Before(before), 500).await?;
        let Some(oldest) = events.last() else { return Ok(kids) };
        before = oldest.seq;
        let revoked = events.iter().filter(|event| event.kind == EventKind::KeyRevoked.as_str());
        kids.extend(revoked.filter_map(|event| kid(event.context.note.as_deref()?)));
    }
}

/// The key that an event names.
fn kid(note: &str) -> Option<KeyId> {
    note.split(|c: char| !(c.is_ascii_alphanumeric() || "-_".contains(c)))
        .find_map(|word| KeyId::parse(word).ok())
}

fn passphrase(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let text = fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::Failed(format!("cannot read {}: {error}", file.display())))?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
