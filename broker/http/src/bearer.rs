//! What a request shows to prove who sends it.

use actix_web::HttpRequest;
use actix_web::http::header::AUTHORIZATION;

/// The credential in `Authorization: Bearer …` (RFC 6750 section 2.1; the scheme's case does not matter).
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, credential) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| credential.trim())
}
