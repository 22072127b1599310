//! The one base64 of this crate: RFC 4648 section 5, without padding, canonical.
//!
//! Canonical means that the bits left over in the last character are zero. A decoder which lets them be
//! anything accepts several spellings of one signature, so a token could be changed without breaking it.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

/// Encodes without padding.
pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes the canonical spelling; `None` for padding, a foreign character, or left-over bits.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Decodes exactly `N` bytes.
pub(crate) fn decode_array<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}
