//! The broker's keys over HTTP: `/.well-known/jwks.json`, fetched again and again. Whatever answers there is a stranger
//! until it has answered rightly: it is capped in time, bytes and keys, leads nowhere else, and what is not an issuer's
//! key set changes nothing. The last good copy stays for as long as it takes.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use gatepass_http::metrics;
use gatepass_http::outbound::{CallError, read_body};
use gatepass_keys::PublishedKeys;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ETAG, HeaderValue, IF_NONE_MATCH};
use url::Url;

use super::{Kept, NotTold, Source};

/// How long the broker may take.
const PATIENCE: Duration = Duration::from_secs(3);
/// The longest answer that is read, in bytes.
const MAX_BYTES: usize = 256 * 1024;

/// Why there is no new copy.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{0}")]
    Call(CallError),
    #[error("no answer in {} seconds", PATIENCE.as_secs())]
    TooLate,
    #[error("status {0}; redirects are not followed")]
    Status(u16),
    #[error("the answer is longer than {MAX_BYTES} bytes")]
    TooLong,
    #[error("the answer is no key set of a Gatepass: {0}")]
    Shape(serde_json::Error),
    #[error("its version is {theirs}, and {ours} was known: it is of an old copy of the keyring")]
    Older { ours: u64, theirs: u64 },
}

impl From<CallError> for FetchError {
    fn from(error: CallError) -> Self {
        if error == CallError::Timeout { Self::TooLate } else { Self::Call(error) }
    }
}

/// The last good copy.
#[derive(Debug, Clone)]
struct Found {
    keys: Arc<PublishedKeys>,
    /// To ask whether there is another.
    etag: Option<HeaderValue>,
}

/// Whether the last look was in vain, so that the log says it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tone {
    Well,
    Failing,
}

/// The keys of a broker elsewhere.
#[derive(Debug)]
pub struct RemoteKeys {
    client: reqwest::Client,
    url: Url,
    found: RwLock<Option<Found>>,
    kept: Option<Kept>,
    tone: RwLock<Tone>,
}

impl RemoteKeys {
    /// The keys at `url`, as they were `kept` when they were last fetched.
    ///
    /// # Errors
    /// When the machine's certificates cannot be read, which calls over HTTPS need.
    pub fn new(url: Url, kept: Option<Kept>) -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .user_agent(concat!("Gatepass/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let keys = kept.as_ref().and_then(|kept| kept.read(&url));
        let found = keys.map(|keys| Found { keys: Arc::new(keys), etag: None });
        Ok(Self { client, url, found: RwLock::new(found), kept, tone: RwLock::new(Tone::Well) })
    }

    fn found(&self) -> Option<Found> {
        self.found.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `None` when they are the same as before.
    async fn fetch(&self) -> Result<Option<Found>, FetchError> {
        let before = self.found();
        let mut request = self.client.get(self.url.clone()).header(ACCEPT, "application/json");
        if let Some(etag) = before.as_ref().and_then(|found| found.etag.clone()) {
            request = request.header(IF_NONE_MATCH, etag);
        }
        let mut response = request.send().await.map_err(CallError::from)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_MODIFIED if before.as_ref().is_some_and(|found| found.etag.is_some()) => {
                return Ok(None);
            }
            status => return Err(FetchError::Status(status.as_u16())),
        }
        let etag = response.headers().get(ETAG).cloned();
        let body = read_body(&mut response, MAX_BYTES).await?;
        if body.len() > MAX_BYTES {
            return Err(FetchError::TooLong);
        }
        let keys: PublishedKeys = serde_json::from_slice(&body).map_err(FetchError::Shape)?;
        let (ours, theirs) = (before.map_or(0, |found| found.keys.version()), keys.version());
        if theirs < ours {
            return Err(FetchError::Older { ours, theirs });
        }
        Ok(Some(Found { keys: Arc::new(keys), etag }))
    }

    fn take(&self, found: Found) {
        let changed = self.current().is_none_or(|before| *before != *found.keys);
        if changed {
            let (version, published) = (found.keys.version(), found.keys.key_set().iter().count());
            tracing::info!(version, published, "the issuer's keys are fetched");
            if let Some(kept) = &self.kept {
                kept.write(&self.url, &found.keys);
            }
        }
        metrics::keyring(found.keys.key_set().iter().count(), None);
        *self.found.write().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// Whether it was another until now.
    fn turns(&self, to: Tone) -> bool {
        std::mem::replace(&mut *self.tone.write().unwrap_or_else(PoisonError::into_inner), to) != to
    }
}

#[async_trait]
impl Source for RemoteKeys {
    fn current(&self) -> Option<Arc<PublishedKeys>> {
        self.found().map(|found| found.keys)
    }

    async fn look(&self) -> Result<(), NotTold> {
        match self.fetch().await {
            Ok(found) => {
                if let Some(found) = found {
                    self.take(found);
                }
                if self.turns(Tone::Well) {
                    tracing::info!("the issuer's keys can be fetched again");
                }
                Ok(())
            }
            Err(error) => {
                if self.turns(Tone::Failing) {
                    let known = self.current().is_some();
                    tracing::warn!(url = %self.url, %error, known, "the issuer's keys cannot be fetched; those that are known stay");
                }
                Err(NotTold)
            }
        }
    }
}
