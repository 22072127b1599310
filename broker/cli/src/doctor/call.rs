//! A look from the outside: one HTTP request, and what of its answer is of interest.

use std::sync::Arc;

use gatepass_core::clock::System;
use gatepass_core::{Clock, Timestamp};
use gatepass_http::destinations::Destinations;
use gatepass_http::outbound::{CallError, Outbound};
use reqwest::header::{DATE, HeaderMap, HeaderValue, ORIGIN};
use reqwest::tls::TlsInfo;
use reqwest::{Body, Method, Request};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;
use x509_parser::parse_x509_certificate;

use super::finding::Verdict;
use crate::error::Failure;

/// How much of a body is read, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// A certificate that ends sooner is warned of, in days. Certificates that renew themselves do so before.
const DAYS_LEFT: i64 = 21;
/// How far another clock may be off, in seconds. `Date` has whole seconds, and an answer takes its time.
pub(super) const MAX_SKEW_SECS: i64 = 2;

/// Makes such calls.
pub(super) struct Caller(Outbound);

/// An answer.
pub(super) struct Seen {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// When the certificate ends, if there is one.
    certificate_ends: Option<Timestamp>,
    /// Between these two times it was asked and answered.
    asked: Timestamp,
    answered: Timestamp,
}

impl Caller {
    pub(super) fn new(destinations: Destinations) -> Result<Self, Failure> {
        Outbound::new(Arc::new(destinations))
            .map(Self)
            .map_err(|error| Failure::Failed(format!("cannot make HTTPS calls: {error}")))
    }

    pub(super) async fn get(&self, url: Url) -> Result<Seen, CallError> {
        self.send(Request::new(Method::GET, url)).await
    }

    /// Posts a form as a page of `origin` would.
    pub(super) async fn post(&self, url: Url, origin: &str, form: &'static str) -> Result<Seen, CallError> {
        let mut request = Request::new(Method::POST, url);
        let headers = request.headers_mut();
        headers.insert("content-type", HeaderValue::from_static("application/x-www-form-urlencoded"));
        if let Ok(origin) = HeaderValue::from_str(origin) {
            headers.insert(ORIGIN, origin);
        }
        *request.body_mut() = Some(Body::from(form));
        self.send(request).await
    }

    async fn send(&self, request: Request) -> Result<Seen, CallError> {
        let asked = System.now();
        let mut response = self.0.send(request).await?;
        let answered = System.now();
        let certificate_ends = response
            .extensions()
            .get::<TlsInfo>()
            .and_then(TlsInfo::peer_certificate)
            .and_then(|der| parse_x509_certificate(der).ok())
            .map(|(_, certificate)| Timestamp::from_secs(certificate.validity().not_after.timestamp()));
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        while body.len() < MAX_BODY_BYTES
            && let Some(chunk) = response.chunk().await?
        {
            body.extend_from_slice(&chunk);
        }
        Ok(Seen { status, headers, body, certificate_ends, asked, answered })
    }
}

impl Seen {
    /// A header's value, or nothing.
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// How far the clock there is ahead, in seconds.
    fn skew(&self) -> Option<i64> {
        let date = OffsetDateTime::parse(self.headers.get(DATE)?.to_str().ok()?, &Rfc2822).ok()?;
        let date = Timestamp::from_secs(date.unix_timestamp());
        // The second that it names may have begun just before it was asked, and must have before it was answered.
        let behind = (self.asked.millis() - 999 - date.millis()).max(0);
        let ahead = (date.millis() - self.answered.millis()).max(0);
        Some((ahead - behind) / 1000)
    }

    /// What is to be said of its clock.
    pub(super) fn clock(&self, hint: &str) -> Verdict {
        match self.skew() {
            None => Verdict::Unknown,
            Some(skew) => clock(skew, hint),
        }
    }

    /// What is to be said of its certificate.
    pub(super) fn certificate(&self, now: Timestamp) -> Verdict {
        let Some(ends) = self.certificate_ends else { return Verdict::Unknown };
        let days = (ends.secs() - now.secs()).div_euclid(24 * 60 * 60);
        let said = format!("the certificate is good for {days} more days");
        if days < DAYS_LEFT {
            Verdict::warning(said, "renew it, and see why it does not renew itself (certbot renew --dry-run)")
        } else {
            Verdict::ok(said)
        }
    }
}

/// What is to be said of a clock so many seconds ahead.
pub(super) fn clock(skew: i64, hint: &str) -> Verdict {
    let said = match skew {
        0 => "the clock agrees with this machine's".to_owned(),
        ahead @ 1.. => format!("the clock is {ahead} s ahead of this machine's"),
        behind => format!("the clock is {} s behind this machine's", -behind),
    };
    if skew.abs() > MAX_SKEW_SECS { Verdict::warning(said, hint) } else { Verdict::ok(said) }
}

/// What is to be said when there is no answer.
pub(super) fn no_answer(error: CallError, place: &str) -> Verdict {
    let hint = match error {
        CallError::Forbidden(_) => {
            "if it is meant to be there, allow its network with --allow-private-network"
        }
        CallError::Untrusted => "renew the certificate, or serve the whole chain, for exactly this name",
        CallError::Timeout => "see whether a firewall drops packets, or the server is overloaded",
        CallError::Unreachable => {
            "see whether the name resolves, a server listens there, and it speaks HTTPS"
        }
    };
    Verdict::failed(format!("{place}: {error}"), hint)
}
