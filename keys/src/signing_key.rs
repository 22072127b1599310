//! The private half of a key pair.

use std::fmt;

use ed25519::pkcs8::spki::der::pem::LineEnding;
use ed25519::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes, SecretDocument};
use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use crate::{KeyError, KeyId, VerificationKey};

/// An Ed25519 private key with its public half. Wiped from memory when dropped; `Debug` shows the id only.
pub struct SigningKey {
    key: ed25519_dalek::SigningKey,
    public: VerificationKey,
}

impl SigningKey {
    /// Makes a key pair of 32 secret random bytes (RFC 8032 section 5.1.5). The caller draws them.
    pub fn generate(secret: [u8; 32]) -> Self {
        let secret = Zeroizing::new(secret);
        Self::of(ed25519_dalek::SigningKey::from_bytes(&secret))
    }

    /// Reads a PKCS#8 PEM (RFC 8410 section 7), with or without the public key in it; one that does not
    /// belong to the private key is refused. The error is always [`KeyError::Pem`].
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        ed25519_dalek::SigningKey::from_pkcs8_pem(pem).map(Self::of).map_err(|_| KeyError::Pem)
    }

    /// Writes a PKCS#8 PEM in version 1, without the public key: OpenSSL does not read version 2.
    pub fn to_pkcs8_pem(&self) -> Result<Zeroizing<String>, KeyError> {
        let pair = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        pair.to_pkcs8_pem(LineEnding::LF).map_err(|_| KeyError::Pem)
    }

    /// Reads what [`to_pkcs8_der`](Self::to_pkcs8_der) gives.
    pub(crate) fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        ed25519_dalek::SigningKey::from_pkcs8_der(der).map(Self::of).map_err(|_| KeyError::Pem)
    }

    /// PKCS#8 in version 1, not as text.
    pub(crate) fn to_pkcs8_der(&self) -> Result<SecretDocument, KeyError> {
        let pair = KeypairBytes { secret_key: self.key.to_bytes(), public_key: None };
        pair.to_pkcs8_der().map_err(|_| KeyError::Pem)
    }

    fn of(key: ed25519_dalek::SigningKey) -> Self {
        let public = VerificationKey::of(key.verifying_key());
        Self { key, public }
    }

    /// The key's id.
    pub fn kid(&self) -> &KeyId {
        self.public.kid()
    }

    /// The public half.
    pub fn public(&self) -> VerificationKey {
        self.public.clone()
    }

    /// Signs a message: the 64 bytes of RFC 8032 section 5.1.6, the same ones each time.
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid())
    }
}
