//! Who signs, for whom, and when, in every case that says nothing else.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gatepass_keys::SigningKey;
use gatepass_keys::token::handoff::{Expected, HandoffClaims};
use uuid::Uuid;

/// The verifier's time, in seconds since the epoch.
pub const NOW: i64 = 1_790_000_000;
/// The issuer that is expected.
pub const ISSUER: &str = "https://login.example";
/// The site that is expected.
pub const SITE: &str = "site_ahcm2tafsn2xdkw3tnw5lwcvee";
/// The bridge that is expected by a site's proof.
pub const BRIDGE: &str = "https://bridge.example";
/// The good token's `jti`.
pub const HANDOFF_ID: &str = "019a5b1c-2d3e-7f40-8a1b-2c3d4e5f6071";

/// The key that is trusted.
pub fn key() -> SigningKey {
    SigningKey::generate([1; 32])
}

/// A stranger's.
pub fn another_key() -> SigningKey {
    SigningKey::generate([2; 32])
}

/// Good claims.
pub fn claims() -> HandoffClaims {
    HandoffClaims {
        issuer: ISSUER.to_owned(),
        audience: SITE.to_owned(),
        subject: "customer-1".to_owned(),
        id: Uuid::try_parse(HANDOFF_ID).unwrap(),
        issued_at: NOW,
        expires_at: NOW + 60,
    }
}

/// What a handoff token has to say.
pub fn expected() -> Expected<'static> {
    Expected { issuer: ISSUER, audience: SITE, now: NOW, past_expiry: Duration::ZERO }
}

/// Encodes in base64url.
pub fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url that is known to be good.
pub fn unb64(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

/// A token over exactly these texts, signed by [`key`].
pub fn signed(header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    signed_by(&key(), header, claims)
}

/// A token over exactly these texts.
pub fn signed_by(key: &SigningKey, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
    let input = format!("{}.{}", b64(header), b64(claims));
    let signature = b64(key.sign(input.as_bytes()));
    format!("{input}.{signature}")
}
