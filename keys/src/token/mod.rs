//! Tokens: compact JWS (RFC 7515) with a JWT's claims (RFC 7519), signed with Ed25519 (RFC 8037).
//!
//! A token passes through two types. `Unverified` gives away only what finds the key; `Verified` carries the
//! claims, and nothing outside this crate can make one. Four kinds of token exist, each with its own `typ`
//! (RFC 8725 section 3.11), so that none can stand in for another: [`handoff`] brings a customer to a
//! site, [`site`] proves to the bridge which site is calling, [`poke`] tells a site that there is something to pull,
//! [`question`] asks a panel whether a membership is in force. [`key_set`] is the fifth, and is no secret.
//!
//! Every refusal has its own [`TokenError`], and everything is refused that a careful signer would not write:
//! see [`TokenError`] for the list.

use std::time::Duration;

mod claims;
mod error;
pub mod handoff;
mod json;
pub(crate) mod jws;
pub mod key_set;
pub mod poke;
pub mod question;
pub mod site;
mod times;
mod verified;

pub use error::TokenError;
pub use key_set::SignedKeySet;
pub use verified::{TokenHash, Verified};

/// How far the clocks of signer and verifier may be apart: 5 s, either way.
///
/// **Invariant:** a token is let through until `exp + LEEWAY` (and `past_expiry` beyond it, see
/// [`handoff::Expected`]). Whatever remembers that a token was issued, spent or revoked must therefore be kept
/// until at least `exp + LEEWAY + past_expiry`. Forgetting earlier is safe only because a token without a
/// record is refused: it must never be taken for a fresh one.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// The longest token that is looked at, in bytes; checked before anything else.
pub const MAX_TOKEN_BYTES: usize = 2048;

/// [`LEEWAY`] in the unit of claims.
const LEEWAY_SECONDS: i64 = LEEWAY.as_secs().cast_signed();
