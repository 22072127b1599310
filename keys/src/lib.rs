//! Keys and tokens: what a signature in Gatepass means, and nothing else.
//!
//! Both services, the program and the tests agree on this crate about three things: which Ed25519 keys
//! exist and how they are named ([`KeyId`], [`KeySet`]), where the private halves live ([`Keyring`]), and
//! when a token is to be believed ([`token`]). There is no HTTP here and no store: whether a believed token
//! has been spent already is the store's question.
//!
//! Time and randomness are arguments. Nothing in this crate reads a clock or draws a random number.

mod base64url;
mod jwk;
mod key_error;
mod key_id;
mod key_set;
mod keyring;
mod published;
mod signing_key;
pub mod token;
mod verification_key;

pub use jwk::{Jwk, JwkSet};
pub use key_error::KeyError;
pub use key_id::KeyId;
pub use key_set::{KeySet, VerificationKeys};
pub use keyring::{
    Action, Delays, Import, KeyChange, KeyEntry, KeyState, Keyring, KeyringError, KeyringFolder,
    MAX_PUBLISHED, Planned, RotationPolicy, Step, Wrapping, plan,
};
pub use published::{NotPublishedKeys, PublishedKeys};
pub use signing_key::SigningKey;
pub use token::SignedKeySet;
pub use verification_key::{InvalidSignature, VerificationKey};
