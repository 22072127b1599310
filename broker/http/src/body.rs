//! JSON bodies, read strictly: the right media type, a bounded size, no unknown members (each type says so by
//! `deny_unknown_fields`), no second spelling (see `strict.rs`), and every mistake answered with the field it was made in.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::time::{Duration, Instant};

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue};
use actix_web::rt::time::timeout;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};
use futures_core::Stream as _;
use gatepass_core::secret;
use gatepass_core::validate::FieldError;
use serde::de::DeserializeOwned;

use crate::load::Work;
use crate::strict::Strict;
use crate::{Code, Problem};

/// The largest body that is read, in bytes. The largest thing that is sent, a member with all its fields at their
/// limits, is under 8 KiB.
pub const MAX_BODY_BYTES: usize = 16 * 1024;

/// Lets the bodies at one address be larger: to be registered with its resource, beside a `web::PayloadConfig` of the
/// same size.
#[derive(Debug, Clone, Copy)]
pub struct MaxBodyBytes(pub usize);

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// First one extractor, then the other: a body is not looked at before it is known who sends it.
#[derive(Debug)]
pub struct Then<A, B>(pub A, pub B);

impl<A, B> FromRequest for Then<A, B>
where
    A: FromRequest<Error = Problem> + 'static,
    B: FromRequest<Error = Problem> + 'static,
{
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, mut payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let first = A::from_request(&request, &mut Payload::None).await?;
            Ok(Self(first, B::from_request(&request, &mut payload).await?))
        })
    }
}

/// A JSON body: an object.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Json<T> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let supported = is_supported(request, "application/json");
        let max = request.app_data().map_or(MAX_BODY_BYTES, |MaxBodyBytes(bytes)| *bytes);
        let (request, bytes) = (request.clone(), web::Bytes::from_request(request, payload));
        Box::pin(async move {
            if !supported {
                return Err(Problem::new(Code::UnsupportedMediaType));
            }
            let bytes = Work::wait_for(&request, timeout(BODY_TIMEOUT, bytes))
                .await?
                .map_err(|_| Problem::new(Code::RequestTimeout))?
                .map_err(|error| match error.as_response_error().status_code().as_u16() {
                    413 => {
                        Problem::new(Code::PayloadTooLarge).detail(format!("at most {max} bytes are read"))
                    }
                    _ => Problem::new(Code::MalformedRequest).detail("the body did not arrive whole"),
                })?;
            parse(&bytes).map(Self)
        })
    }
}

/// A body of any length, piece by piece. It must come at the pace at which the longest other body must:
/// [`MAX_BODY_BYTES`] in every [`BODY_TIMEOUT`] that is spent waiting for it.
pub struct Stream {
    payload: web::Payload,
    came: usize,
    waited: Duration,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stream")
    }
}

impl Stream {
    /// A body of this media type.
    pub fn new(request: &HttpRequest, payload: web::Payload, media_type: &str) -> Result<Self, Problem> {
        if !is_supported(request, media_type) {
            let detail = format!("the body must be {media_type}, in UTF-8 and not compressed");
            return Err(Problem::new(Code::UnsupportedMediaType).detail(detail));
        }
        Ok(Self { payload, came: 0, waited: Duration::ZERO })
    }

    /// The next piece; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<web::Bytes>, Problem> {
        let began = Instant::now();
        let piece = poll_fn(|context| Pin::new(&mut self.payload).poll_next(context));
        let piece = timeout(BODY_TIMEOUT.saturating_sub(self.waited), piece)
            .await
            .map_err(|_| Problem::new(Code::RequestTimeout))?
            .transpose()
            .map_err(|_| Problem::new(Code::MalformedRequest).detail("the body did not arrive whole"))?;
        self.waited += began.elapsed();
        self.came += piece.as_ref().map_or(0, web::Bytes::len);
        if self.came >= MAX_BODY_BYTES {
            (self.came, self.waited) = (0, Duration::ZERO);
        }
        Ok(piece)
    }
}

/// Whether the body is JSON in UTF-8 (RFC 8259 section 8.1) as it stands: another charset would be misread, and a
/// content coding (RFC 9110 section 8.4) is not undone here.
fn is_supported(request: &HttpRequest, media_type: &str) -> bool {
    let is_plain = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"identity");
    request.content_type().eq_ignore_ascii_case(media_type)
        && request.mime_type().ok().flatten().is_some_and(|mime| {
            mime.get_param("charset").is_none_or(|charset| charset.as_str().eq_ignore_ascii_case("utf-8"))
        })
        && request.headers().get_all(CONTENT_ENCODING).all(is_plain)
}

/// Reads a body that has arrived: one object and nothing behind it, with arrays, objects and names only where its type
/// has them.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // A tagged enum would take an array, and of anything else this is the better explanation.
    if matches!(bytes.iter().find(|byte| !byte.is_ascii_whitespace()), Some(b'[')) {
        return Err(Problem::new(Code::MalformedRequest).detail("expected an object, not an array"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(Strict(&mut reader)).map_err(|error| {
        let field = error.path().to_string();
        let error = error.into_inner();
        if error.is_data() {
            Problem::invalid(vec![FieldError::new(&field, "invalid", without_position(&error))])
        } else {
            Problem::new(Code::MalformedRequest).detail(format!("this is not JSON: {error}"))
        }
    })?;
    reader
        .end()
        .map_err(|_| Problem::new(Code::MalformedRequest).detail("there is more behind the JSON value"))?;
    Ok(value)
}

/// What serde says, without " at line 1 column 7" that helps nobody.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // It repeats what was sent, and answers are logged by those who get them.
    if secret::stands_in(&text) {
        return "this is not what is expected here, and it looks like a secret".to_owned();
    }
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(message, _)| message.to_owned())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Thing {
        #[expect(dead_code, reason = "only parsed")]
        subject: String,
    }

    fn refused(body: &[u8]) -> serde_json::Value {
        refused_as::<Thing>(body)
    }

    fn refused_as<T: DeserializeOwned + std::fmt::Debug>(body: &[u8]) -> serde_json::Value {
        let problem = parse::<T>(body).expect_err("it must be refused");
        let bytes = actix_web::body::to_bytes(problem.response(None).into_body());
        let bytes = actix_web::rt::System::new().block_on(bytes).expect("a body");
        serde_json::from_slice(&bytes).expect("JSON")
    }

    #[test]
    fn a_wrong_type_and_an_unknown_member_name_their_field() {
        assert_eq!(refused(br#"{"subject": ["a"]}"#)["errors"][0]["field"], "subject");
        let unknown = refused(br#"{"subject": "a", "admin": true}"#);
        assert_eq!(unknown["code"], "validation_failed");
        assert!(
            unknown["errors"][0]["message"].as_str().is_some_and(|m| m.contains("unknown field `admin`"))
        );
        let twice = refused(br#"{"subject": "a", "subject": "b"}"#);
        assert!(twice["errors"][0]["message"].as_str().is_some_and(|m| m.contains("duplicate field")));
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only parsed")]
    struct Nest {
        thing: Thing,
        #[serde(default)]
        things: Vec<Thing>,
        #[serde(default)]
        perhaps: Option<Thing>,
        #[serde(default)]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
    }

    #[test]
    fn nothing_has_a_second_spelling_at_any_depth() {
        let good = br#"{"thing": {"subject": "a"}, "things": [{"subject": "b"}], "perhaps": {"subject": "c"}, "colour": "red"}"#;
        assert!(parse::<Nest>(good).is_ok());
        for (body, field) in [
            (r#"{"thing": ["a"]}"#, "thing"),
            (r#"{"thing": {"subject": "a"}, "things": [["b"]]}"#, "things[0]"),
            (r#"{"thing": {"subject": "a"}, "perhaps": ["c"]}"#, "perhaps"),
            (r#"{"thing": {"subject": "a"}, "colour": {"red": null}}"#, "colour"),
            (r#"{"thing": {"subject": "a"}, "colour": ["red"]}"#, "colour"),
            (r#"{"thing": {"subject": "a"}, "colour": "blue"}"#, "colour"),
        ] {
            let problem = refused_as::<Nest>(body.as_bytes());
            assert_eq!(
                (&problem["code"], &problem["errors"][0]["field"]),
                (&"validation_failed".into(), &field.into())
            );
        }
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in [&b""[..], b"{", b"\xff\xfe", br#"{"subject": "a"} x"#, br#"["a"]"#] {
            assert_eq!(refused(body)["code"], "malformed_request", "{body:?}");
        }
    }
}
