//! Why something is not a key we use.

/// Why a key, or the name of one, was refused. No message carries key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not 43 characters of canonical base64url (RFC 7638 with SHA-256).
    #[error("a key id is the 43 characters of an RFC 7638 SHA-256 thumbprint")]
    KeyId,
    /// The public key is not the canonical base64url of 32 bytes (RFC 8037 section 2).
    #[error("the public key is not 32 bytes in canonical base64url")]
    Encoding,
    /// The 32 bytes are no point of the curve (RFC 8032 section 5.1.3).
    #[error("the public key is not a point on the curve")]
    NotAPoint,
    /// The 32 bytes are a second spelling of a point (y not reduced, or a sign for x = 0).
    #[error("the public key is not canonically encoded")]
    NonCanonical,
    /// A point of small order: some signatures hold under it for any message.
    #[error("the public key is weak (a point of small order)")]
    Weak,
    /// `kty`, `crv`, `use` or `alg` names something other than an Ed25519 signing key (RFC 8037, RFC 9864).
    #[error("the JWK is not an Ed25519 signing key: `{0}`")]
    Unsupported(&'static str),
    /// The JWK's `kid` is not its own thumbprint.
    #[error("the JWK's `kid` is not the thumbprint of the key")]
    KeyIdMismatch,
    /// Not a PKCS#8 PEM of an Ed25519 private key (RFC 8410 section 7).
    #[error("not a PKCS#8 PEM of an Ed25519 private key")]
    Pem,
    /// The private key is encrypted, and no wrapping key is at hand.
    #[error(
        "the private key is wrapped, and no wrapping key is configured (keyring_key or keyring_key_file)"
    )]
    Wrapped,
    /// The private key is encrypted under another wrapping key or passphrase.
    #[error("it does not open with this wrapping key or passphrase")]
    WrappingKey,
}
