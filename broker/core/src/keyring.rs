//! What the signing keys' life asks of the stores: how long a token can live, and that nothing signed by a revoked key
//! is redeemed anywhere. The keys themselves and the plan of their life are `gatepass-keys`'.

use std::sync::Arc;
use std::time::Duration;

use gatepass_keys::KeyId;
use gatepass_keys::token::{LEEWAY, poke, question};
use tokio::task::JoinSet;

use crate::clock::Timestamp;
use crate::event::Context;
use crate::handoff::ATTEMPT_WINDOW;
use crate::id::SiteId;
use crate::store::{Store, StoreError};

/// How many sites are told of a revoked key at a time.
const AT_A_TIME: usize = 16;

/// For how long after its signing anything is believed that a key signs, where handoff tokens live no longer than
/// `max_token_lifetime`. A key verifies at least that long after it last signed.
pub fn token_life(max_token_lifetime: Duration) -> Duration {
    max_token_lifetime.max(poke::MAX_LIFETIME).max(question::LIFETIME) + LEEWAY + ATTEMPT_WINDOW
}

/// Sites of which it is not known whether they refuse a key.
#[derive(Debug)]
#[must_use]
pub struct Unreached {
    /// Each, and why. To revoke the key again is safe, and tries all of them.
    pub sites: Vec<(SiteId, StoreError)>,
}

/// Revokes a key on every site there is, and on every one that will be: once this has answered that none was unreached,
/// no token that the key signed is redeemed, and none is issued.
///
/// # Errors
/// When the store does not say which sites there are. Then nothing is known of any.
pub async fn revoke_everywhere(
    store: &Arc<dyn Store>,
    kid: &KeyId,
    now: Timestamp,
    context: &Context,
) -> Result<Unreached, StoreError> {
    // First for those to come: whatever is registered before that is in the list.
    store.forbid_key(kid, now).await?;
    let mut left = store.all_sites().await?.into_iter();
    let (mut running, mut sites) = (JoinSet::new(), Vec::new());
    loop {
        for site in left.by_ref().take(AT_A_TIME - running.len()) {
            let (store, kid, context) = (Arc::clone(store), kid.clone(), context.clone());
            running.spawn(async move { (site, store.revoke_key(site, &kid, now, &context).await) });
        }
        match running.join_next().await {
            Some(Ok((_, Ok(())))) => {}
            Some(Ok((site, Err(error)))) => sites.push((site, error)),
            Some(Err(error)) => return Err(StoreError::Unavailable(format!("a task ended: {error}"))),
            None => break,
        }
    }
    sites.sort_by_key(|(site, _)| *site);
    Ok(Unreached { sites })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_life_ends_when_no_answer_to_it_can_be_repeated_any_more() {
        assert_eq!(token_life(Duration::from_secs(300)), Duration::from_secs(320));
        assert_eq!(token_life(Duration::from_secs(5)), Duration::from_secs(80), "a poke lives for a minute");
    }
}
