//! Private keys at rest: encrypted under a wrapping key, which is kept elsewhere.
//!
//! The form is RFC 5958's `EncryptedPrivateKeyInfo` with RFC 8018's PBES2, scrypt (RFC 7914) and AES-256-CBC: OpenSSL
//! reads it. That the right key came out is known by its id, so no key can be put in the place of another.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use ed25519::pkcs8::spki::der::pem::{LineEnding, PemLabel as _};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef, SecretDocument};
use zeroize::Zeroizing;

use super::KeyringError;
use super::draft::Draws;
use crate::{KeyError, SigningKey};

/// The shortest wrapping key that is taken, in characters. It is meant to be random, not remembered.
const MIN_CHARS: usize = 32;
/// More than any file of wrapping keys has.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// scrypt's work for files: N = 2^14, 16 MiB. The wrapping key is random, so this is not what protects it.
const WORK: u8 = 14;
/// scrypt's work for an export, whose passphrase somebody may have thought up: N = 2^17, 128 MiB.
pub(super) const EXPORT_WORK: u8 = 17;
/// scrypt's block size and parallelism.
const BLOCK: u32 = 8;
const LANES: u32 = 1;

/// Where the wrapping key is. No `Debug` of what it is.
pub struct Wrapping(Source);

enum Source {
    None,
    Value(Zeroizing<String>),
    File(PathBuf),
}

impl Wrapping {
    /// Private keys lie in plaintext.
    pub fn none() -> Self {
        Self(Source::None)
    }

    /// Lines of text, each a wrapping key: the first one wraps, any unwraps.
    pub fn value(lines: String) -> Self {
        Self(Source::Value(Zeroizing::new(lines)))
    }

    /// A file with such lines. It is read afresh whenever keys are.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// Whether there is one.
    pub fn is_configured(&self) -> bool {
        !matches!(self.0, Source::None)
    }

    /// The wrapping keys as they are now.
    pub(super) fn read(&self) -> Result<WrappingKeys, KeyringError> {
        match &self.0 {
            Source::None => Ok(WrappingKeys(Vec::new())),
            Source::Value(lines) => WrappingKeys::parse(lines, "the value of keyring_key"),
            Source::File(path) => {
                let io = |source| KeyringError::Io {
                    doing: "reading the wrapping key from",
                    path: path.clone(),
                    source,
                };
                let metadata = fs::metadata(path).map_err(io)?;
                // Secrets mounted into a container are often readable to all in it; to be written to is another matter.
                super::files::refuse_bits(path, metadata.permissions().mode(), 0o022, "600")?;
                if metadata.len() > MAX_FILE_BYTES {
                    return Err(KeyringError::Wrapping {
                        place: path.display().to_string(),
                        reason: "it is too long",
                    });
                }
                let lines = Zeroizing::new(fs::read_to_string(path).map_err(io)?);
                WrappingKeys::parse(&lines, &path.display().to_string())
            }
        }
    }
}

impl std::fmt::Debug for Wrapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            Source::None => "Wrapping(none)",
            Source::Value(_) => "Wrapping(value)",
            Source::File(_) => "Wrapping(file)",
        })
    }
}

/// Wrapping keys that were read. None of them: keys lie in plaintext.
pub(super) struct WrappingKeys(Vec<Zeroizing<String>>);

impl WrappingKeys {
    fn parse(lines: &str, place: &str) -> Result<Self, KeyringError> {
        let lines = lines.lines().map(str::trim).filter(|line| !line.is_empty());
        let keys: Vec<_> = lines.map(|line| Zeroizing::new(line.to_owned())).collect();
        let refused = |reason| Err(KeyringError::Wrapping { place: place.to_owned(), reason });
        if keys.is_empty() {
            return refused("it holds no key");
        }
        if keys.iter().any(|key| key.chars().count() < MIN_CHARS) {
            return refused("a wrapping key has at least 32 characters");
        }
        Ok(Self(keys))
    }

    /// The PEM as it is to be written.
    pub(super) fn wrap(&self, key: &SigningKey, draws: &mut Draws) -> Result<Zeroizing<String>, KeyError> {
        match self.0.first() {
            None => key.to_pkcs8_pem(),
            Some(wrapping) => encrypt(key, wrapping, WORK, draws),
        }
    }

    /// Reads a PEM of either kind.
    pub(super) fn unwrap(&self, pem: &str) -> Result<SigningKey, KeyError> {
        if !is_encrypted(pem) {
            return SigningKey::from_pkcs8_pem(pem);
        }
        if self.0.is_empty() {
            return Err(KeyError::Wrapped);
        }
        let mut refusal = KeyError::WrappingKey;
        for wrapping in &self.0 {
            match decrypt(pem, wrapping) {
                Err(error) => refusal = error,
                opened => return opened,
            }
        }
        Err(refusal)
    }

    /// Whether a PEM is wrapped by the first of the keys (or is plaintext, if there is none).
    pub(super) fn is_current(&self, pem: &str) -> bool {
        match self.0.first() {
            None => !is_encrypted(pem),
            Some(first) => is_encrypted(pem) && decrypt(pem, first).is_ok(),
        }
    }
}

/// Whether a PEM says that it is encrypted.
pub(super) fn is_encrypted(pem: &str) -> bool {
    pem.contains(EncryptedPrivateKeyInfoRef::PEM_LABEL)
}

/// Encrypts a private key under a passphrase.
pub(super) fn encrypt(
    key: &SigningKey,
    passphrase: &str,
    work: u8,
    draws: &mut Draws,
) -> Result<Zeroizing<String>, KeyError> {
    let (salt, iv) = (draws.draw(), draws.draw());
    let (salt, iv) = (salt.first_chunk::<16>(), iv.first_chunk::<16>());
    let (Some(salt), Some(iv)) = (salt, iv) else { return Err(KeyError::Pem) };
    let cost = scrypt::Params::new(work, BLOCK, LANES).map_err(|_| KeyError::Pem)?;
    let parameters =
        pbes2::Parameters::generate_scrypt_aes256cbc(cost, salt, *iv).map_err(|_| KeyError::Pem)?;
    let der = key.to_pkcs8_der()?;
    let plain = PrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|_| KeyError::Pem)?;
    let encrypted = plain.encrypt_with_params(parameters, passphrase).map_err(|_| KeyError::Pem)?;
    encrypted.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF).map_err(|_| KeyError::Pem)
}

/// Decrypts what [`encrypt`] made, or OpenSSL with scrypt. More work than an export's is refused: the parameters are
/// the file's, and must not decide how much memory is taken.
pub(super) fn decrypt(pem: &str, passphrase: &str) -> Result<SigningKey, KeyError> {
    let (label, der) = SecretDocument::from_pem(pem).map_err(|_| KeyError::Pem)?;
    if label != EncryptedPrivateKeyInfoRef::PEM_LABEL {
        return Err(KeyError::Pem);
    }
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der.as_bytes()).map_err(|_| KeyError::Pem)?;
    let EncryptionScheme::Pbes2(parameters) = &encrypted.encryption_algorithm else {
        return Err(KeyError::Pem);
    };
    let bearable = parameters.kdf.scrypt().is_some_and(|scrypt| {
        scrypt.cost_parameter <= 1 << EXPORT_WORK
            && u32::from(scrypt.block_size) <= BLOCK
            && u32::from(scrypt.parallelization) <= LANES
    });
    if !bearable {
        return Err(KeyError::Pem);
    }
    let der = encrypted.decrypt(passphrase).map_err(|_| KeyError::WrappingKey)?;
    SigningKey::from_pkcs8_der(der.as_bytes()).map_err(|_| KeyError::WrappingKey)
}
