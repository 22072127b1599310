//! A WordPress site that was registered, what its operator decided for it, and its key once it is paired.

use std::time::Duration;

use gatepass_keys::VerificationKey;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::clock::Timestamp;
use crate::heartbeat::Pulse;
use crate::id::{SiteId, Tenant};
use crate::site_key::PreviousKey;

/// Where a site lives: its origin (scheme, host and port, RFC 6454 section 4), and the folder for what is not all that
/// is there, such as a blog of a network. HTTPS, or HTTP on loopback.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Url);

/// Why a URL is not an origin we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOrigin {
    /// Not a URL at all.
    #[error("expected a URL such as https://example.com")]
    NotAUrl,
    /// Another scheme, or HTTP to somewhere else than this machine.
    #[error("expected https:// (http:// only for 127.0.0.1, [::1] or localhost)")]
    Scheme,
    /// Carries a user name or password.
    #[error("a user name or password has no place in it")]
    Credentials,
    /// Query or fragment.
    #[error("expected scheme, host and port, and at most a folder, without a query or fragment")]
    NotBare,
    /// A folder that could be written in other ways as well.
    #[error("expected a folder of a-z, A-Z, 0-9, '.', '_', '~' and '-', such as /blog")]
    Folder,
}

/// The longest folder.
const MAX_FOLDER_BYTES: usize = 200;

/// Whether the URL's host is this machine itself.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether a URL may be called or shown: HTTPS, or HTTP on loopback, and no credentials in it.
pub fn check_http_url(url: &Url) -> Result<(), InvalidOrigin> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(InvalidOrigin::Credentials);
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err(InvalidOrigin::Scheme),
    }
}

impl Origin {
    /// The origin of a URL that may have a path.
    pub fn of(url: &Url) -> Result<Self, InvalidOrigin> {
        check_http_url(url)?;
        Url::parse(&url.origin().ascii_serialization()).map(Self).map_err(|_| InvalidOrigin::NotAUrl)
    }

    /// Whether this is the address of that very site, and not of one in a folder of it: a copy lies there often, and has
    /// its key.
    pub fn is(&self, url: &Url) -> bool {
        self.holds(url) && url.path().trim_end_matches('/') == self.folder()
    }

    /// Whether `url` lies there.
    pub fn holds(&self, url: &Url) -> bool {
        let below = url.path().strip_prefix(self.folder());
        url.username().is_empty()
            && url.password().is_none()
            && self.0.origin() == url.origin()
            && below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The folder, such as `/blog`; empty where the whole origin is the site's.
    pub fn folder(&self) -> &str {
        self.0.path().trim_end_matches('/')
    }

    /// As a URL.
    pub const fn url(&self) -> &Url {
        &self.0
    }
}

impl std::str::FromStr for Origin {
    type Err = InvalidOrigin;
    fn from_str(text: &str) -> Result<Self, InvalidOrigin> {
        let mut url = Url::parse(text).map_err(|_| InvalidOrigin::NotAUrl)?;
        check_http_url(&url)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidOrigin::NotBare);
        }
        let folder = url.path().trim_end_matches('/').to_owned();
        let is_plain = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._~-".contains(&b))
        };
        if !folder.split('/').skip(1).all(is_plain) || folder.len() > MAX_FOLDER_BYTES {
            return Err(InvalidOrigin::Folder);
        }
        url.set_path(&folder);
        Ok(Self(url))
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.origin().ascii_serialization())?;
        f.write_str(self.folder())
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Origin {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How long a handoff token lives unless the site says otherwise, in seconds.
pub const DEFAULT_LIFETIME_SECS: u32 = 60;
/// The shortest and the longest life of a handoff token, in seconds.
pub const LIFETIME_SECS: std::ops::RangeInclusive<u32> = 5..=300;

/// What the operator decided for a site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// The panel's page that a refused customer is led back to.
    pub panel_url: Option<Url>,
    /// Where the panel starts a bound handoff; with it, every handoff must be bound.
    pub panel_start_url: Option<Url>,
    /// Where the panel is asked, at every issue, whether the membership is in force; without an answer nobody is let in.
    pub membership_url: Option<Url>,
    /// Where a lapsed customer renews.
    pub renew_url: Option<Url>,
    /// Where a login lands that names no place itself: a path on the site.
    pub default_redirect: Option<String>,
    /// Life of a handoff token, in seconds: 5 to 300.
    pub token_lifetime: u32,
    /// Whether a handoff must be bound to the browser although there is no `panel_start_url`.
    pub require_binding: bool,
    /// WordPress roles that a member may be given; the site's owner may take more away.
    pub allowed_roles: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            panel_url: None,
            panel_start_url: None,
            membership_url: None,
            renew_url: None,
            default_redirect: None,
            token_lifetime: DEFAULT_LIFETIME_SECS,
            require_binding: false,
            allowed_roles: vec!["subscriber".to_owned(), "customer".to_owned()],
        }
    }
}

impl Policy {
    /// Life of a handoff token.
    pub fn token_lifetime(&self) -> Duration {
        Duration::from_secs(u64::from(self.token_lifetime))
    }

    /// Whether a handoff must be bound to the browser that it is for.
    pub const fn requires_binding(&self) -> bool {
        self.require_binding || self.panel_start_url.is_some()
    }
}

/// Versions that a site reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Versions {
    /// Of the plugin.
    pub plugin: String,
    /// Of WordPress.
    pub wordpress: String,
    /// Of PHP.
    pub php: String,
    /// Of the issuer's key set that it knows.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub keys: String,
}

/// What a site proved when it was paired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// The key it made for itself; the private half never leaves WordPress.
    pub key: VerificationKey,
    /// Where a browser takes its token.
    pub landing_url: Url,
    /// When.
    pub paired_at: Timestamp,
    /// Versions at that time.
    pub versions: Versions,
    /// Hash of the code that paired it: the same site may ask again with it, should the answer have been lost.
    pub code_hash: String,
    /// Since when it has this key, if that was renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_since: Option<Timestamp>,
    /// The key before this one, if that was renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<PreviousKey>,
}

/// A registered site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// Whose it is.
    pub tenant: Tenant,
    /// Where it lives.
    pub origin: Origin,
    /// When it was registered.
    pub created_at: Timestamp,
    /// What its operator decided.
    pub policy: Policy,
    /// Its key, once paired.
    pub paired: Option<Paired>,
    /// What it says of itself.
    pub pulse: Pulse,
}

impl Site {
    /// Where the panel's button leads for a bound handoff: the site gives the browser a cookie there, and sends it on
    /// to `panel_start_url` with the cookie's hash. `None` before the site is paired.
    pub fn start_url(&self) -> Option<Url> {
        let mut url = self.paired.as_ref()?.landing_url.clone();
        url.query_pairs_mut().append_pair("start", "1");
        Some(url)
    }

    /// Where the site is told that there is something to pull. `None` before the site is paired.
    pub fn poke_url(&self) -> Option<Url> {
        let mut url = self.paired.as_ref()?.landing_url.clone();
        url.query_pairs_mut().append_pair("poke", "1");
        Some(url)
    }

    /// Which it is, for the trail.
    pub(crate) fn described(&self) -> String {
        format!("{} ({})", self.origin, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_that_starts_bound_handoffs_gets_no_others() {
        let unbound = Policy::default();
        let start = Url::parse("https://panel.example/start").ok();
        assert!(!unbound.requires_binding());
        assert!(Policy { panel_start_url: start, ..unbound.clone() }.requires_binding());
        assert!(Policy { require_binding: true, ..unbound }.requires_binding());
    }

    #[test]
    fn what_lies_at_a_site() {
        let site = |text: &str| text.parse::<Origin>().unwrap();
        let holds = |at: &str, url: &str| site(at).holds(&Url::parse(url).unwrap());
        for (at, url, expected) in [
            ("https://a.example", "https://a.example/", true),
            ("https://a.example", "https://a.example/two/wp-admin/", true),
            ("https://a.example", "http://a.example/", false),
            ("https://a.example", "https://u@a.example/", false),
            ("https://a.example/two", "https://a.example/two", true),
            ("https://a.example/two/", "https://a.example/two/wp-admin/x.php?a", true),
            ("https://a.example/two", "https://a.example/twofold/", false),
            ("https://a.example/two", "https://a.example/", false),
            ("https://a.example/two", "https://a.example/two/../three/", false),
            ("https://a.example/two", "https://a.example/two/%2e%2e/three/", false),
            ("https://a.example/two", "https://b.example/two/", false),
        ] {
            assert_eq!(holds(at, url), expected, "{at} {url}");
        }
        let is = |at: &str, url: &str| site(at).is(&Url::parse(url).unwrap());
        assert!(
            is("https://a.example", "https://a.example/")
                && is("https://a.example/two", "https://a.example/two/")
        );
        assert!(!is("https://a.example", "https://a.example/staging"), "a copy in a folder");
        assert!(!is("https://a.example/two", "https://a.example/two/three"));
        assert!(!is("https://a.example/two", "https://a.example/"));
        assert_eq!(site("https://a.example/two/").to_string(), "https://a.example/two");
        assert_eq!(site("https://a.example/two/"), site("https://A.example:443/two"));
    }

    #[test]
    fn a_site_is_an_origin_and_perhaps_a_folder_https_or_on_loopback() {
        for (text, expected) in [
            ("https://Example.com", Ok("https://example.com")),
            ("https://example.com:443/", Ok("https://example.com")),
            ("https://example.com:8443", Ok("https://example.com:8443")),
            ("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080")),
            ("http://localhost:1", Ok("http://localhost:1")),
            ("http://[::1]:1", Ok("http://[::1]:1")),
            ("http://example.com", Err(InvalidOrigin::Scheme)),
            ("http://localhost.example.com", Err(InvalidOrigin::Scheme)),
            ("ftp://example.com", Err(InvalidOrigin::Scheme)),
            ("javascript:alert(1)", Err(InvalidOrigin::Scheme)),
            ("https://user@example.com", Err(InvalidOrigin::Credentials)),
            ("https://example.com/blog/", Ok("https://example.com/blog")),
            ("https://example.com/a/b-c.d", Ok("https://example.com/a/b-c.d")),
            ("https://example.com//", Ok("https://example.com")),
            ("https://example.com/a//b", Err(InvalidOrigin::Folder)),
            ("https://example.com/a%20b", Err(InvalidOrigin::Folder)),
            ("https://example.com/ä", Err(InvalidOrigin::Folder)),
            ("https://example.com/blog#x", Err(InvalidOrigin::NotBare)),
            ("https://example.com/?a", Err(InvalidOrigin::NotBare)),
            ("example.com", Err(InvalidOrigin::NotAUrl)),
        ] {
            assert_eq!(text.parse::<Origin>().map(|o| o.to_string()), expected.map(str::to_owned), "{text}");
        }
    }
}
