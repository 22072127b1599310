//! The envelope both kinds of token share: RFC 7515's compact serialization, read strictly, and written.

use serde_json::{Map, Value};

use super::json::{self, Member, Object};
use super::{MAX_TOKEN_BYTES, TokenError, TokenHash};
use crate::{KeyId, SigningKey, base64url};

/// A token in its parts. The claims are decoded from base64url, but no one has looked at them.
pub(crate) struct Envelope<'a> {
    /// The whole token.
    pub(super) token: &'a str,
    /// What is signed: header and claims as they came, with the dot (RFC 7515 section 5.2).
    pub(crate) signing_input: &'a str,
    /// The key the signer says it used.
    pub(crate) unverified_kid: KeyId,
    /// The claims' JSON.
    pub(crate) unverified_claims: Vec<u8>,
    /// The signature.
    pub(crate) signature: [u8; 64],
}

impl<'a> Envelope<'a> {
    /// Takes a token apart, in the order of [`TokenError`]'s variants.
    pub(super) fn open(token: &'a str, typ: &str) -> Result<Self, TokenError> {
        Self::open_within(token, typ, MAX_TOKEN_BYTES)
    }

    /// The same for what may be longer than a token.
    pub(crate) fn open_within(token: &'a str, typ: &str, max_bytes: usize) -> Result<Self, TokenError> {
        if token.len() > max_bytes {
            return Err(TokenError::TooLong);
        }
        let (signing_input, signature) = token.rsplit_once('.').ok_or(TokenError::Segments)?;
        let (header, claims) = signing_input.split_once('.').ok_or(TokenError::Segments)?;
        if claims.contains('.') {
            return Err(TokenError::Segments);
        }
        let header = base64url::decode(header).ok_or(TokenError::Base64)?;
        let unverified_claims = base64url::decode(claims).ok_or(TokenError::Base64)?;
        let signature = base64url::decode(signature).ok_or(TokenError::Base64)?;
        let unverified_kid = read_header(&json::parse_object(&header)?, typ)?;
        let signature = signature.try_into().map_err(|_| TokenError::SignatureLength)?;
        Ok(Self { token, signing_input, unverified_kid, unverified_claims, signature })
    }

    /// The token's hash.
    pub(super) fn hash(&self) -> TokenHash {
        TokenHash::of(self.token)
    }
}

/// Checks the header. A key it brings along or points to (`jwk`, `jku`, `x5c`, `x5u`) is not even looked at
/// (RFC 8725 section 3.10); other unknown members are ignored (RFC 7515 section 4).
fn read_header(header: &Object, typ: &str) -> Result<KeyId, TokenError> {
    let text = |name: &str| match header.get(name) {
        Some(Member::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    if !matches!(text("alg"), Some("EdDSA" | "Ed25519")) {
        return Err(TokenError::Algorithm);
    }
    if text("typ") != Some(typ) {
        return Err(TokenError::Type);
    }
    if header.contains_key("crit") {
        return Err(TokenError::CriticalExtension);
    }
    KeyId::parse(text("kid").unwrap_or_default()).map_err(|_| TokenError::KeyId)
}

/// Writes a token. `EdDSA` is the name every verifier knows; RFC 9864's `Ed25519` is only read.
pub(crate) fn seal(key: &SigningKey, typ: &str, claims: Map<String, Value>) -> String {
    let header = Map::from_iter([
        ("alg".to_owned(), Value::from("EdDSA")),
        ("typ".to_owned(), Value::from(typ)),
        ("kid".to_owned(), Value::from(key.kid().as_str())),
    ]);
    let mut token = base64url::encode(Value::Object(header).to_string());
    token.push('.');
    token.push_str(&base64url::encode(Value::Object(claims).to_string()));
    let signature = base64url::encode(key.sign(token.as_bytes()));
    token.push('.');
    token.push_str(&signature);
    token
}
