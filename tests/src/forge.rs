//! What an attacker would have to forge, and what a broken part could hand out: made with the real keys and in the
//! real store, because nothing less would get as far.

use std::path::Path;
use std::time::Duration;

use gatepass_core::clock::{System, random_bytes};
use gatepass_core::event::{Actor, Context};
use gatepass_core::handoff::Details;
use gatepass_core::issue::{Request, issue};
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::{ClientId, Clock, SiteId, Timestamp};
use gatepass_keys::token::handoff::{HandoffClaims, sign};
use gatepass_keys::{Keyring, KeyringFolder, SigningKey, Wrapping};
use uuid::Uuid;

use crate::Result;

/// The issuer's own keyring and store.
#[derive(Debug)]
pub struct Forge {
    keyring: Keyring,
    store: Redis,
    issuer: String,
    site: SiteId,
}

impl Forge {
    /// From Gatepass's data folder.
    pub async fn open(data: &Path, redis: &str, issuer: &str, site: &str) -> Result<Self> {
        let keyring = KeyringFolder::new(data.join("keyring"), Wrapping::none())
            .open()?
            .ok_or("there is no keyring")?;
        let store = Redis::connect(redis, &Options::default()).await?;
        Ok(Self { keyring, store, issuer: issuer.to_owned(), site: site.parse()? })
    }

    /// The key that signs at present.
    pub fn active_key(&self) -> &SigningKey {
        self.keyring.active()
    }

    /// Good claims for a subject, to be varied. Nothing in the store knows of them.
    pub fn claims(&self, subject: &str) -> Result<HandoffClaims> {
        let now = System.now().secs();
        Ok(HandoffClaims {
            issuer: self.issuer.clone(),
            audience: self.site.to_string(),
            subject: subject.to_owned(),
            id: new_id()?,
            issued_at: now,
            expires_at: now + 60,
        })
    }

    /// A token that the active key signed.
    pub fn token(&self, claims: &HandoffClaims) -> String {
        sign(self.active_key(), claims).expose().to_owned()
    }

    /// A handoff that was properly issued but leads somewhere that the broker's API would never take.
    pub async fn issue_to(&self, subject: &str, redirect_to: &str) -> Result<String> {
        let context = Context::new("forged".parse()?, Actor::Operator);
        let request = Request {
            site: self.site,
            subject: subject.parse()?,
            lifetime: Duration::from_secs(60),
            binding: None,
            details: Details {
                redirect_to: Some(redirect_to.to_owned()),
                remember: false,
                actor: None,
                asked_at: None,
                client: ClientId::generate(System.now(), &System)?,
                request_id: context.request_id.clone(),
            },
        };
        let (key, now) = (self.active_key(), System.now());
        let issued = issue(&self.store, key, &self.issuer, &System, request, now, &context).await?;
        Ok(issued.token.expose().to_owned())
    }
}

/// Any `UUIDv7`.
pub fn new_id() -> Result<Uuid> {
    let millis = u64::try_from(now().millis())?;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &random_bytes(&System)?).into_uuid())
}

/// A key that nobody knows.
pub fn strange_key() -> Result<SigningKey> {
    Ok(SigningKey::generate(random_bytes(&System)?))
}

/// The time now.
pub fn now() -> Timestamp {
    System.now()
}
