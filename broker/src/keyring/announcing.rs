//! Telling the store what is new of the keyring, and so everybody who has an old copy. Whoever revoked a key and died
//! before every site was told is helped out: a revocation is announced only once it holds everywhere.

use gatepass_core::clock::NoRandomness;
use gatepass_core::event::{Actor, Context};
use gatepass_core::keyring::revoke_everywhere;
use gatepass_core::{RequestId, StoreError};
use gatepass_keys::{KeyState, Keyring};

use super::Place;

/// What the trail says of who announces; each change says itself who made it.
const OPERATOR: &str = "gatepass";

/// Why a keyring was not announced.
#[derive(Debug, thiserror::Error)]
enum Unannounced {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error("{unreached} sites could not be told that a key is revoked, one of them {site}: {error}")]
    Unreached { unreached: usize, site: gatepass_core::SiteId, error: StoreError },
}

/// Announces a keyring that the store does not know. What fails is tried again with the next look.
pub(super) async fn announce(place: &Place, keyring: &Keyring) {
    if let Err(error) = try_to(place, keyring).await {
        tracing::warn!(%error, revision = keyring.revision(), "the keyring is not announced yet");
    }
}

async fn try_to(place: &Place, keyring: &Keyring) -> Result<(), Unannounced> {
    let id = RequestId::generate(place.ambient.rng())?;
    let context = Context { operator: Some(OPERATOR.to_owned()), ..Context::new(id, Actor::Operator) };
    let (seen, now) = (place.announced(), place.ambient.now());
    let since = keyring.changes().iter().filter(|change| change.revision > seen);
    for change in since.filter(|change| change.to == KeyState::Revoked) {
        let told = revoke_everywhere(&place.store, &change.kid, now, &context).await?;
        let unreached = told.sites.len();
        if let Some((site, error)) = told.sites.into_iter().next() {
            return Err(Unannounced::Unreached { unreached, site, error });
        }
    }
    // That somebody has announced a newer one shows with the next look.
    place.store.announce_keyring(keyring.revision(), keyring.changes(), now, &context).await?;
    Ok(())
}
