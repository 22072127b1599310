//! TLS to Redis: the files that it takes, and what its errors mean.
//!
//! Who answers is always verified, name included: a server that somebody put in Redis's place could hand out logins.
//! There is no switch against it; a private CA is named instead.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use ::redis::{ClientTlsConfig, ErrorKind, RedisError, TlsCertificates};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError};

use super::Options;

/// Reads the files, so that a wrong one is named at start.
pub(super) fn certificates(options: &Options) -> Result<TlsCertificates, String> {
    // redis-rs takes the process's crypto provider, and rustls can choose one by itself only as long as no crate
    // brings a second one along. An operator's choice that was made before stays.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let root_cert = options.ca_file.as_deref().map(certificate).transpose()?;
    let client_tls = match (&options.cert_file, &options.key_file) {
        (None, None) => None,
        (Some(cert), Some(key)) => {
            Some(ClientTlsConfig { client_cert: certificate(cert)?, client_key: private_key(key)? })
        }
        _ => return Err("a client certificate and its key are given together, or not at all".to_owned()),
    };
    Ok(TlsCertificates { client_tls, root_cert })
}

fn read(file: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(file).map_err(|error| format!("cannot read {}: {error}", file.display()))
}

fn certificate(file: &Path) -> Result<Vec<u8>, String> {
    let pem = read(file)?;
    match CertificateDer::pem_slice_iter(&pem).next() {
        Some(Ok(_)) => Ok(pem),
        _ => Err(format!("{} holds no certificate in PEM", file.display())),
    }
}

fn private_key(file: &Path) -> Result<Vec<u8>, String> {
    let pem = read(file)?;
    match PrivateKeyDer::from_pem_slice(&pem) {
        Ok(_) => Ok(pem),
        Err(_) => {
            Err(format!("{} holds no private key in PEM (an encrypted one cannot be read)", file.display()))
        }
    }
}

/// What an error on the way to Redis means, and what to do.
pub(super) fn explained(error: &RedisError, tls: bool) -> String {
    let broke_off = error.is_connection_dropped() || error.kind() == ErrorKind::Parse;
    let meaning = match (error.kind(), error.code()) {
        _ if error.is_connection_refusal() => None,
        _ if error.is_timeout() => tls.then_some("does it speak TLS on that port?"),
        (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS")) => {
            Some("user or password in the URL is wrong; percent-encode what is no letter or digit")
        }
        (_, Some("NOAUTH")) => Some("it wants a password: redis://user:password@…"),
        _ => match cause(error) {
            Some(cause) => meaning(cause),
            None if broke_off && tls => {
                Some("does it want a client certificate? see store-cert-file and store-key-file")
            }
            None if broke_off => Some(
                "if it speaks TLS there, use rediss:// or rediss+sentinel://; if it is in protected mode, give it a \
                 user with a password",
            ),
            None => None,
        },
    };
    meaning.map_or_else(|| error.to_string(), |meaning| format!("{error} ({meaning})"))
}

/// What rustls says, if it is rustls that failed.
fn cause(error: &RedisError) -> Option<&rustls::Error> {
    let inner = error.source()?.downcast_ref::<Arc<dyn Error + Send + Sync>>()?;
    let io = inner.downcast_ref::<std::io::Error>()?;
    io.get_ref()?.downcast_ref()
}

fn meaning(error: &rustls::Error) -> Option<&'static str> {
    use CertificateError as Bad;
    Some(match error {
        rustls::Error::InvalidCertificate(Bad::UnknownIssuer | Bad::BadSignature) => {
            "its certificate comes from no CA that is trusted here: name that CA's certificate in store-ca-file"
        }
        rustls::Error::InvalidCertificate(
            Bad::Expired | Bad::ExpiredContext { .. } | Bad::NotValidYet | Bad::NotValidYetContext { .. },
        ) => "its certificate is not valid now: renew it, or set this machine's clock",
        rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
            "its certificate is for another name: use one that stands in it; by Sentinel, what the sentinels call \
             the primary must stand in it"
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion) => "it knows no TLS from 1.2 on",
        rustls::Error::AlertReceived(_) => {
            "it wants another client certificate, or one at all: see store-cert-file and store-key-file"
        }
        rustls::Error::InvalidMessage(_) => "it speaks no TLS there: use its TLS port, or redis://",
        _ => return None,
    })
}
