//! Requests as panels and sites send them, over connections that are kept, each answered within its bound or not.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value;

/// Within this every request is answered, whatever happens to the store: Gatepass waits 2 s for a connection and
/// 2 s for an answer, and the plugin gives up after 8 s.
pub const BOUND: Duration = Duration::from_secs(8);

/// What came back, and between which moments it was decided.
#[derive(Debug)]
pub struct Answer {
    pub from: Instant,
    pub to: Instant,
    /// Status and body; or that there was none, and why.
    pub what: Result<(StatusCode, Value), String>,
}

impl Answer {
    pub fn status(&self) -> Option<StatusCode> {
        self.what.as_ref().ok().map(|(status, _)| *status)
    }

    /// A field of the body, if it is a text.
    pub fn text(&self, name: &str) -> &str {
        self.what.as_ref().ok().and_then(|(_, body)| body[name].as_str()).unwrap_or_default()
    }

    pub fn is(&self, status: StatusCode) -> bool {
        self.status() == Some(status)
    }
}

#[derive(Debug, Clone)]
pub struct Wire(reqwest::Client);

impl Wire {
    pub fn new() -> Self {
        let client = reqwest::Client::builder().no_proxy().timeout(BOUND).build();
        Self(client.unwrap_or_default())
    }

    pub async fn post(&self, url: &str, bearer: &str, body: &Value) -> Answer {
        let from = Instant::now();
        let send = async {
            let response = self.0.post(url).bearer_auth(bearer).json(body).send().await?;
            Ok((response.status(), response.bytes().await?))
        };
        let what = send
            .await
            .map_err(|error: reqwest::Error| format!("{error:?}"))
            .map(|(status, bytes)| (status, serde_json::from_slice(&bytes).unwrap_or_default()));
        Answer { from, to: Instant::now(), what }
    }

    /// Whether a process says that it can work.
    pub async fn is_ready(&self, address: &str) -> bool {
        self.0.get(format!("{address}/readyz")).send().await.is_ok_and(|answer| answer.status().is_success())
    }
}
