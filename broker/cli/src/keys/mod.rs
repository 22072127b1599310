//! `gatepass keys`: signing keys. What is due is decided by the plan of `gatepass-keys`; here it is shown, asked for, and
//! carried out also when no broker runs.

mod consent;
mod ending;
mod list;
mod moving;
mod rotate;
mod told;

use std::sync::Arc;

use gatepass_core::Store;
use gatepass_core::clock::{System, random_bytes};
use gatepass_core::event::Context;
use gatepass_core::trail::Retention;
use gatepass_keys::{Action, Keyring, KeyringError, KeyringFolder};
use serde_json::json;

use crate::args::KeysCommand;
use crate::config::Config;
use crate::error::Failure;
use crate::{open, operator, output};

pub(crate) async fn run(config: &Config, command: KeysCommand) -> Result<(), Failure> {
    match command {
        KeysCommand::List => list::list(config),
        KeysCommand::NewWrappingKey => {
            let key = data_encoding::BASE64URL_NOPAD.encode(&random_bytes::<32>(&System)?);
            output::line(&key)
        }
        KeysCommand::Rewrap => moving::rewrap(config),
        KeysCommand::Export { file, passphrase_file } => moving::export(config, &file, &passphrase_file),
        KeysCommand::Import { file, passphrase_file, replace, consent } => {
            moving::import(&At::open(config).await?, &file, &passphrase_file, replace, consent).await
        }
        KeysCommand::Verify => verify(&At::open(config).await?).await,
        KeysCommand::Rotate { emergency: true, reason, consent, .. } => {
            ending::emergency(&At::open(config).await?, &reason.unwrap_or_default(), consent).await
        }
        KeysCommand::Rotate { wait, consent, .. } => {
            rotate::rotate(&At::open(config).await?, wait, consent).await
        }
        KeysCommand::Revoke { kid, reason, consent } => {
            ending::revoke(&At::open(config).await?, kid, &reason, consent).await
        }
        KeysCommand::Init { replace, consent } => {
            moving::init(&At::open(config).await?, replace, consent).await
        }
    }
}

/// What commands that change the keyring work with.
struct At<'a> {
    config: &'a Config,
    folder: KeyringFolder,
    store: Arc<dyn Store>,
    context: Context,
}

impl<'a> At<'a> {
    async fn open(config: &'a Config) -> Result<Self, Failure> {
        let store = open::store(config, Retention::NONE).await?;
        Ok(Self { config, folder: open::keyring_folder(config), store, context: operator::context()? })
    }

    fn keyring(&self) -> Result<Keyring, Failure> {
        present(&self.folder)
    }

    /// Changes the keyring, unless it is an old copy: nobody would hear of what is done to that.
    async fn change(
        &self,
        decide: impl FnOnce(&Keyring) -> Result<Vec<Action>, Failure>,
    ) -> Result<Keyring, Failure> {
        let seen = self.store.keyring_revision().await?;
        self.folder.change(seed()?, open::now(), &self.by(), |keyring| {
            check_newest(keyring, seen)?;
            decide(keyring)
        })
    }

    /// Who does it, for the keyring's own account.
    fn by(&self) -> String {
        self.context.operator.clone().unwrap_or_else(|| "an operator".to_owned())
    }
}

fn present(folder: &KeyringFolder) -> Result<Keyring, Failure> {
    let missing = || KeyringError::Missing { dir: folder.dir().to_owned() };
    Ok(folder.open()?.ok_or_else(missing)?)
}

/// Whether nobody has had a newer one; `seen` is the newest that was announced.
fn check_newest(keyring: &Keyring, seen: u64) -> Result<(), Failure> {
    let revision = keyring.revision();
    if seen <= revision {
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "the store has seen revision {seen} of the keyring, and this is revision {revision}: it is an old copy; bring the newest one here, or import an export"
    )))
}

fn seed() -> Result<[u8; 32], Failure> {
    Ok(random_bytes(&System)?)
}

/// Opening looks at permissions, states, signatures and thumbprints of what is needed; this looks at the rest.
async fn verify(at: &At<'_>) -> Result<(), Failure> {
    // In this order: a running broker may change the keyring at any moment, and then announces it.
    let seen = at.store.keyring_revision().await?;
    let keyring = at.keyring()?;
    let unused = at.folder.check()?;
    check_newest(&keyring, seen)?;
    for kid in &unused {
        eprintln!("{kid}.pem is not used by the keyring: remove the file.");
    }
    let plaintext = keyring.plaintext_keys();
    if plaintext > 0 {
        eprintln!(
            "{plaintext} private keys lie in plaintext: set keyring_key_file, and run gatepass keys rewrap."
        );
    }
    let (active, revision) = (keyring.active_kid(), keyring.revision());
    let published = keyring.key_set().iter().count();
    let answer = json!({
        "active": active, "revision": revision, "published": published, "plaintext": plaintext, "unused": unused,
        "announced": seen,
    });
    output::answer(at.config, &answer, || {
        format!("The keyring is whole: revision {revision}, {published} keys published, {active} signs.")
    })
}
