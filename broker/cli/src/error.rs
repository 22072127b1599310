//! What ends the program, and with which status.

use std::process::ExitCode;

use gatepass_core::StoreError;
use gatepass_core::clock::NoRandomness;
use gatepass_core::pairing::MakeCodeError;
use gatepass_http::server::ServerError;
use gatepass_keys::KeyringError;

/// Why the program did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It was called wrongly.
    #[error("{0}")]
    Usage(String),
    /// It was called rightly, and failed.
    #[error("{0}")]
    Failed(String),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    #[error(transparent)]
    MakeCode(#[from] MakeCodeError),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}
