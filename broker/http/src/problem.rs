//! Errors as they go out: RFC 9457 `application/problem+json`.

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use gatepass_core::clock::NoRandomness;
use gatepass_core::limit::Limited;
use gatepass_core::validate::{FieldError, FieldErrors};
use gatepass_core::{RequestId, StoreError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::code::Code;
use crate::seldom::Seldom;

static UNANSWERED: Seldom = Seldom::new();

/// One refused request.
#[derive(Debug, Clone)]
pub struct Problem {
    code: Code,
    detail: Option<String>,
    errors: FieldErrors,
    /// Seconds.
    retry_after: Option<u64>,
    extensions: Map<String, Value>,
}

impl Problem {
    /// A problem that its code tells whole.
    pub fn new(code: Code) -> Self {
        // Whatever does not answer may be back in a moment.
        let retry_after = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(2);
        Self { code, detail: None, errors: Vec::new(), retry_after, extensions: Map::new() }
    }

    /// What is particular about it, and what to do.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// A further member (RFC 9457 section 3.2).
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        self.extensions.insert(name.to_owned(), serde_json::to_value(value).unwrap_or(Value::Null));
        self
    }

    /// Fields that are not as they must be.
    pub fn invalid(errors: FieldErrors) -> Self {
        Self { errors, ..Self::new(Code::ValidationFailed) }
    }

    /// `Ok` when nothing is wrong.
    pub fn check(errors: FieldErrors) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::invalid(errors)) }
    }

    /// What is wrong, field by field; what is about the whole is said of the field `.`.
    pub fn into_errors(self) -> FieldErrors {
        if self.errors.is_empty() {
            let message = self.detail.unwrap_or_else(|| self.code.title().to_owned());
            return vec![FieldError::new(".", self.code.as_str(), message)];
        }
        self.errors
    }

    /// What was refused.
    pub const fn code(&self) -> Code {
        self.code
    }

    /// The answer, with the id of its request.
    pub fn response(&self, request_id: Option<&RequestId>) -> HttpResponse {
        let mut response = HttpResponse::build(self.code.status());
        response.insert_header((CACHE_CONTROL, "no-store"));
        if self.code.status() == StatusCode::UNAUTHORIZED {
            response.insert_header((WWW_AUTHENTICATE, "Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        response.content_type("application/problem+json").body(self.to_json(request_id))
    }

    fn to_json(&self, request_id: Option<&RequestId>) -> String {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<&'a str>,
            code: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            request_id: Option<&'a RequestId>,
            #[serde(skip_serializing_if = "<[FieldError]>::is_empty")]
            errors: &'a [FieldError],
            #[serde(skip_serializing_if = "Option::is_none")]
            page: Option<crate::Page>,
            #[serde(flatten)]
            extensions: &'a Map<String, Value>,
        }
        let body = Body {
            r#type: format!("urn:gatepass:problem:{}", self.code.as_str()),
            title: self.code.title(),
            status: self.code.status().as_u16(),
            detail: self.detail.as_deref(),
            code: self.code.as_str(),
            request_id,
            errors: &self.errors,
            page: self.code.page(),
            extensions: &self.extensions,
        };
        serde_json::to_string(&body).unwrap_or_default()
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.code.as_str())?;
        self.detail.iter().try_for_each(|detail| write!(f, ": {detail}"))
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.code.status()
    }

    /// Without the request id, which the middleware of [`crate::request_id`] puts in.
    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) => {
                // Whoever watches the store tells of its loss; how each request fares stands in its own line.
                UNANSWERED.tell(&why, |others| tracing::warn!(%why, others, "the store does not answer"));
                Self::new(Code::StoreUnavailable)
            }
            StoreError::Corrupt(_) | StoreError::NewerSchema { .. } => {
                tracing::error!(%error, "the store cannot be read");
                Self::new(Code::Internal)
            }
        }
    }
}

impl From<Limited> for Problem {
    fn from(Limited { bucket, retry_after }: Limited) -> Self {
        let seconds = retry_after.as_millis().div_ceil(1000).max(1);
        let retry_after = u64::try_from(seconds).ok();
        Self { retry_after, ..Self::new(Code::RateLimited).with("bucket", bucket.as_str()) }
    }
}

impl From<NoRandomness> for Problem {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error);
        Self::new(Code::Internal)
    }
}
