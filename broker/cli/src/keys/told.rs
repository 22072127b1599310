//! Letting everybody know what has become of the keyring.

use std::collections::BTreeSet;

use gatepass_core::clock::System;
use gatepass_core::keyring::revoke_everywhere;
use gatepass_core::{Clock, SiteId, StoreError};
use gatepass_keys::{KeyId, KeyState, Keyring};

use super::At;
use crate::error::Failure;

/// Marks what is revoked on every site, then announces the keyring: with it, brokers that have an older one stop to
/// sign. Sites that could not be reached are named, and then it is not announced: a running broker goes on trying.
///
/// `revoked` are marked in any case, also if that was announced already.
pub(super) async fn tell(at: &At<'_>, keyring: &Keyring, revoked: &[KeyId]) -> Result<(), Failure> {
    let seen = at.store.keyring_revision().await?;
    let since = keyring.changes().iter().filter(|change| change.revision > seen);
    let since = since.filter(|change| change.to == KeyState::Revoked).map(|change| &change.kid);
    let kids: BTreeSet<&KeyId> = since.chain(revoked).collect();
    let mut unreached: Vec<(SiteId, StoreError)> = Vec::new();
    for kid in kids {
        unreached.extend(revoke_everywhere(&at.store, kid, System.now(), &at.context).await?.sites);
    }
    named(unreached)?;
    at.store.announce_keyring(keyring.revision(), keyring.changes(), System.now(), &at.context).await?;
    Ok(())
}

fn named(mut unreached: Vec<(SiteId, StoreError)>) -> Result<(), Failure> {
    if unreached.is_empty() {
        return Ok(());
    }
    for (site, error) in &unreached {
        eprintln!("{site} could not be told: {error}");
    }
    unreached.sort_by_key(|(site, _)| *site);
    unreached.dedup_by_key(|(site, _)| *site);
    Err(Failure::Failed(format!(
        "the keys are revoked, but {} sites may still take what they signed; a running broker goes on telling them, and so does the same command again",
        unreached.len()
    )))
}
