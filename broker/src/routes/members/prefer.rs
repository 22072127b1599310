//! `Prefer: wait=N` (RFC 7240 section 4.3): the panel would rather wait for WordPress than ask again.

use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::http::header::{HeaderName, HeaderValue};

const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The longest that anybody waits, in seconds.
const LONGEST: u64 = 10;

/// How long to wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Preference {
    /// At most.
    pub(super) longest: Duration,
    /// For `Preference-Applied`.
    pub(super) applied: HeaderValue,
}

/// How long a request prefers to wait; whoever would wait for longer waits for [`LONGEST`].
pub(super) fn wait(request: &HttpRequest) -> Option<Preference> {
    let lines = request.headers().get_all(PREFER).filter_map(|line| line.to_str().ok());
    let seconds = lines.flat_map(|line| line.split(',')).find_map(waits)??.min(LONGEST);
    let applied = HeaderValue::from_str(&format!("wait={seconds}")).ok()?;
    (seconds > 0).then_some(Preference { longest: Duration::from_secs(seconds), applied })
}

/// What one preference says of waiting, if that is what it is about. Only the first one counts (RFC 7240 section 2).
#[expect(
    clippy::option_option,
    reason = "whether it is about waiting, and whether it can be read, are two questions"
)]
fn waits(preference: &str) -> Option<Option<u64>> {
    let (preference, _parameters) = preference.split_once(';').unwrap_or((preference, ""));
    let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
    name.trim().eq_ignore_ascii_case("wait").then(|| {
        let digits = value.trim().trim_matches('"');
        let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        // What is too large to be read is more than anybody waits.
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    })
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn waited(lines: &[&str]) -> Option<u64> {
        let mut request = TestRequest::default();
        for line in lines {
            request = request.append_header((PREFER, *line));
        }
        wait(&request.to_http_request()).map(|preference| {
            let seconds = preference.longest.as_secs();
            assert_eq!(preference.applied, format!("wait={seconds}"));
            seconds
        })
    }

    #[test]
    fn it_is_read_as_the_rfc_writes_it_and_bounded() {
        for (lines, seconds) in [
            (&["wait=5"][..], Some(5)),
            (&["respond-async, Wait = \"7\" ; foo=bar"], Some(7)),
            (&["respond-async", "wait=3"], Some(3)),
            (&["wait=2, wait=9"], Some(2)),
            (&["wait=999999"], Some(10)),
            (&["wait=99999999999999999999999999"], Some(10)),
            (&["wait=0"], None),
            (&["wait=-1"], None),
            (&["wait"], None),
            (&["wait=, wait=9"], None),
            (&["wait=1.5"], None),
            (&["waiting=5"], None),
            (&["return=minimal"], None),
            (&[], None),
        ] {
            assert_eq!(waited(lines), seconds, "{lines:?}");
        }
    }
}
