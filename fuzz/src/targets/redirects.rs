//! Origins, addresses and `redirect_to`: a customer never lands off the site. An input is an origin, a line end, and
//! where to go; without a line end it is where to go on `https://example.com`.

use gatepass_core::site::{Origin, Policy, check_http_url, is_loopback};
use gatepass_core::validate::{policy, redirect_to};
use url::Url;

use super::texts;

/// Seeds: good ones, and those that have led others astray.
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "/",
        "/my-account/?tab=1#top",
        "/a/../b/./c",
        "/caf%C3%A9/ä",
        "https://example.com/x?y#z",
        "https://EXAMPLE.com:443/x",
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/\t/evil.test",
        "https://example.com@evil.test/",
        "https://example.com\\@evil.test/",
        "https:example.com/x",
        "/..//evil.test",
        "/%2e%2e//evil.test",
        "/%2F%2Fevil.test",
        "/%5cevil.test",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://example.com\nhttps://example.com./x",
        "http://127.0.0.1:8080\n/x",
        "http://[::1]:1\nhttp://[::1]:1/x",
        "https://xn--mnchen-3ya.example\nhttps://münchen.example/x",
        "https://example.com:8443\n/a//b",
        "http://localhost\nhttp://LOCALHOST:80/%",
        "https://0x7f.1\n/",
        "https://user:pass@example.com\n/",
        "https://example.com/blog\n/",
    ])
}

/// Reads an origin, and somewhere to go on it.
pub fn run(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (origin, target) = text.split_once('\n').unwrap_or(("https://example.com", text));
    let Ok(origin) = origin.parse::<Origin>() else { return };
    let shown = origin.to_string();
    assert_eq!(shown.parse::<Origin>().as_ref(), Ok(&origin), "an origin is read back as it is shown");
    assert!(origin.holds(origin.url()) && check_http_url(origin.url()).is_ok());
    assert!(shown.starts_with("https://") || is_loopback(origin.url()));

    match redirect_to(target, &origin) {
        Err(error) => assert_eq!((error.field.as_str(), error.code), ("redirect_to", "off_site")),
        Ok(path) => {
            assert_stays(&path, &origin);
            assert_eq!(redirect_to(&path, &origin), Ok(path.clone()), "the answer is not taken for itself");
        }
    }
    let by_default = Policy { default_redirect: Some(target.to_owned()), ..Policy::default() };
    if policy(&by_default).is_empty() {
        // Its operator's own word, for whom a site in a folder shares its origin with others.
        assert_stays(target, &Origin::of(origin.url()).expect("an origin"));
    }
    if let Ok(url) = Url::parse(target) {
        let linked = Policy { renew_url: Some(url.clone()), ..Policy::default() };
        let allowed = policy(&linked).is_empty();
        assert_eq!(allowed, check_http_url(&url).is_ok());
        assert!(!allowed || matches!(url.scheme(), "https" | "http") && url.username().is_empty());
        assert_eq!(Origin::of(&url).is_ok(), allowed);
    }
}

/// A browser that is told this path by the site stays on the site, also one that is less careful than the standard:
/// whoever reads a backslash as a slash, drops what cannot be seen, or takes the path for a whole address.
fn assert_stays(path: &str, origin: &Origin) {
    assert!(path.starts_with('/') && !path.starts_with("//"));
    assert!(path.chars().all(|c| !c.is_control() && !c.is_whitespace() && c != '\\' && c.is_ascii()));
    let careless = path.replace("%09", "").replace("%0a", "").replace("%5c", "\\");
    for read_as in [path, &careless] {
        let landed = origin.url().join(read_as).expect("a path");
        assert!(origin.holds(&landed), "{path} leads to {landed}");
        // A second step, as a server that redirects to the path that it was asked for.
        let again = origin.url().join(&landed[url::Position::BeforePath..]).expect("a path");
        assert!(origin.holds(&again), "{path} leads to {again} in a second step");
    }
}
