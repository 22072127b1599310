//! What a field of a request may hold. Each problem names its field, so that a panel can show it where it belongs.

use email_address::{EmailAddress, Options};
use serde::Serialize;
use url::Url;

use crate::change::{MAX_SESSIONS, Session, SyncError};
use crate::handoff::OnBehalf;
use crate::id::Subject;
use crate::member::{Consent, Membership, Status, Wanted};
use crate::secret;
use crate::site::{LIFETIME_SECS, Origin, Policy, Versions, check_http_url};

/// One thing wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldError {
    /// The field, with dots for what lies deeper.
    pub field: String,
    /// What is wrong, for programs.
    pub code: &'static str,
    /// What is wrong and what would be right, for people.
    pub message: String,
}

impl FieldError {
    /// One thing wrong with one field.
    pub fn new(field: &str, code: &'static str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), code, message: message.into() }
    }
}

/// All that is wrong; empty when nothing is.
pub type FieldErrors = Vec<FieldError>;

fn text(errors: &mut FieldErrors, field: &str, value: &str, max_chars: usize) {
    if value.chars().count() > max_chars {
        errors.push(FieldError::new(field, "too_long", format!("at most {max_chars} characters")));
    }
    if value.chars().any(char::is_control) {
        errors.push(FieldError::new(field, "control_character", "no control characters"));
    }
}

/// What is said of a secret in a text that is stored and shown.
fn secret_in(field: &str, value: &str) -> Option<FieldError> {
    secret::stands_in(value).then(|| FieldError::new(field, "invalid", "a secret has no place in it"))
}

/// Checks a member's wanted state, on a site that gives these roles.
pub fn wanted(wanted: &Wanted, allowed_roles: &[String]) -> FieldErrors {
    let Wanted {
        email,
        email_verified: _,
        username,
        display_name,
        first_name,
        last_name,
        locale,
        roles,
        membership,
        consent: Consent { .. },
    } = wanted;
    let mut errors = Vec::new();
    // WordPress keeps 100 characters of an address, 60 of a user name, 250 of a display name.
    text(&mut errors, "email", email, 100);
    if !is_email(email) {
        errors.push(FieldError::new(
            "email",
            "invalid",
            "expected an e-mail address such as mia@example.com",
        ));
    }
    if let Some(username) = username {
        let allowed = |c: char| c.is_ascii_alphanumeric() || " _.-@".contains(c);
        // Such white space WordPress would drop, and take another name than was wanted.
        let odd_space = username.trim() != username || username.contains("  ");
        if !(1..=60).contains(&username.len()) || !username.chars().all(allowed) || odd_space {
            let message = "1 to 60 of A-Z a-z 0-9 _ . - @, with single spaces between them";
            errors.push(FieldError::new("username", "invalid", message));
        }
    }
    text(&mut errors, "display_name", display_name, 250);
    text(&mut errors, "first_name", first_name, 250);
    text(&mut errors, "last_name", last_name, 250);
    if locale.len() > 20 || !locale.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
        errors.push(FieldError::new("locale", "invalid", "expected a WordPress locale such as de_DE"));
    }
    role_list(&mut errors, "roles", roles);
    if let Some(role) = roles.iter().find(|role| !allowed_roles.contains(role)) {
        let message = format!("{role} is not among this site's allowed_roles: {}", allowed_roles.join(", "));
        errors.push(FieldError::new("roles", "not_allowed", message));
    }
    errors.extend(
        self::membership(membership)
            .into_iter()
            .map(|error| FieldError { field: format!("membership.{}", error.field), ..error }),
    );
    errors
}

/// Checks a membership.
pub fn membership(Membership { status, plan, valid_until: _, grace_until }: &Membership) -> FieldErrors {
    let mut errors = Vec::new();
    text(&mut errors, "plan", plan.as_deref().unwrap_or_default(), 100);
    if *status == Status::PastDue && grace_until.is_none() {
        let message = "past_due needs grace_until, the time until which the member is still let in";
        errors.push(FieldError::new("grace_until", "required", message));
    }
    errors
}

/// A bare address with a public domain: no display name, no quoted local part, no `user@localhost`. What WordPress would
/// not take (`is_email` of its formatting.php, 6.1 to 7.1) is refused here, where somebody can correct it.
fn is_email(text: &str) -> bool {
    let options = Options::default().without_display_text().without_domain_literal().with_required_tld();
    EmailAddress::parse_with_options(text, options).is_ok() && wordpress_takes(text)
}

fn wordpress_takes(email: &str) -> bool {
    let in_local = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~.-".contains(&b);
    let in_domain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    let is_good_label = |label: &str| {
        !label.is_empty() && !label.starts_with('-') && !label.ends_with('-') && label.bytes().all(in_domain)
    };
    email.len() >= 6
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty()
                && local.bytes().all(in_local)
                && domain.contains('.')
                && domain.split('.').all(is_good_label)
        })
}

fn role_list(errors: &mut FieldErrors, field: &str, roles: &[String]) {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
    if roles.len() > 20 {
        errors.push(FieldError::new(field, "too_long", "at most 20 roles"));
    }
    if roles.iter().any(|role| role.is_empty() || role.len() > 60 || !role.bytes().all(allowed)) {
        errors.push(FieldError::new(field, "invalid", "a role is 1 to 60 of a-z 0-9 _ -"));
    }
}

/// Checks a site's policy.
pub fn policy(policy: &Policy) -> FieldErrors {
    let Policy {
        panel_url,
        panel_start_url,
        membership_url,
        renew_url,
        default_redirect,
        token_lifetime,
        require_binding,
        allowed_roles,
    } = policy;
    let mut errors = Vec::new();
    for (field, url) in [
        ("panel_url", panel_url),
        ("panel_start_url", panel_start_url),
        ("membership_url", membership_url),
        ("renew_url", renew_url),
    ] {
        if let Some(Err(error)) = url.as_ref().map(check_http_url) {
            errors.push(FieldError::new(field, "invalid", error.to_string()));
        }
        errors.extend(url.as_ref().and_then(|url| secret_in(field, url.as_str())));
    }
    errors.extend(default_redirect.as_ref().and_then(|path| secret_in("default_redirect", path)));
    for (field, url) in [("panel_start_url", panel_start_url), ("membership_url", membership_url)] {
        if url.as_ref().is_some_and(|url| url.fragment().is_some()) {
            errors.push(FieldError::new(field, "invalid", "expected no fragment (#…)"));
        }
    }
    if let Some(path) = default_redirect
        && !is_path(path)
    {
        errors.push(FieldError::new("default_redirect", "invalid", "expected a path such as /my-account/"));
    }
    if !LIFETIME_SECS.contains(token_lifetime) {
        errors.push(lifetime_error("token_lifetime"));
    }
    if *require_binding && panel_start_url.is_none() {
        let message = "with require_binding nobody could log in without it: it is where a login is bound";
        errors.push(FieldError::new("panel_start_url", "required", message));
    }
    role_list(&mut errors, "allowed_roles", allowed_roles);
    errors
}

/// Checks who is to act for a customer, and reads it. A reason of two letters is none.
pub fn on_behalf(subject: &str, name: &str, reason: &str) -> Result<OnBehalf, FieldErrors> {
    let mut errors = Vec::new();
    let id = subject.parse::<Subject>();
    if let Err(error) = &id {
        errors.push(FieldError::new("actor.subject", "invalid", error.to_string()));
    }
    for (field, value, min_chars, max_chars) in
        [("actor.name", name, 1, 100), ("actor.reason", reason, 3, 500)]
    {
        if value.trim().chars().count() < min_chars {
            errors.push(FieldError::new(
                field,
                "too_short",
                format!("{min_chars} to {max_chars} characters"),
            ));
        }
        text(&mut errors, field, value, max_chars);
        // Both are written into the trail, and shown in WordPress.
        errors.extend(secret_in(field, value));
    }
    errors.extend(id.as_ref().ok().and_then(|id| secret_in("actor.subject", id.as_str())));
    match id {
        Ok(subject) if errors.is_empty() => {
            Ok(OnBehalf { subject, name: name.to_owned(), reason: reason.to_owned() })
        }
        _ => Err(errors),
    }
}

/// Checks the sessions that a site reports of one user, and mends what they say of browsers as a redemption does.
pub fn sessions(errors: &mut FieldErrors, field: &str, sessions: &mut [Session]) {
    if sessions.len() > MAX_SESSIONS {
        errors.push(FieldError::new(field, "too_long", format!("at most {MAX_SESSIONS} sessions")));
    }
    for (number, Session { id, user_agent: browser, .. }) in sessions.iter_mut().enumerate() {
        if id.len() != 16 || !id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            let field = format!("{field}[{number}].id");
            errors.push(FieldError::new(&field, "invalid", "expected 16 of 0-9 a-f"));
        }
        *browser = user_agent(browser).unwrap_or_default();
    }
}

/// What is kept of a browser's name of itself: its begin, and nothing that is a secret.
pub fn user_agent(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    Some(text).filter(|text| !secret::stands_in(text))
}

/// Checks why WordPress does not follow, and reads it.
pub fn sync_error(errors: &mut FieldErrors, field: &str, code: &str, message: String) -> SyncError {
    let is_word = code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    if code.is_empty() || code.len() > SyncError::MAX_CODE || !is_word {
        let message = format!("1 to {} of a-z and _", SyncError::MAX_CODE);
        errors.push(FieldError::new(&format!("{field}.code"), "invalid", message));
    }
    text(errors, &format!("{field}.message"), &message, SyncError::MAX_MESSAGE);
    // What we know by name is told to people in our words; a newer plugin may know more.
    let known = SyncError::CODES.into_iter().find(|known| *known == code);
    let message = if secret::stands_in(&message) { String::new() } else { message };
    SyncError { code: known.unwrap_or(SyncError::INTERNAL).to_owned(), message }
}

/// The longest address that a site says it has, in bytes.
const MAX_URL_BYTES: usize = 2000;

/// Checks the address that a site says is its own. Whether it is the registered one is another question.
pub fn site_url(url: &Url) -> Option<FieldError> {
    let message = || format!("at most {MAX_URL_BYTES} characters");
    (url.as_str().len() > MAX_URL_BYTES)
        .then(|| FieldError::new("url", "too_long", message()))
        .or_else(|| secret_in("url", url.as_str()))
}

/// Checks where a browser takes its token: on the site.
pub fn landing_url(url: &Url, origin: &Origin) -> Option<FieldError> {
    let good = origin.holds(url) && url.fragment().is_none() && url.as_str().len() <= MAX_URL_BYTES;
    let off_site = (!good).then(|| {
        let message = format!(
            "expected an address on {origin}, without a fragment, of at most {MAX_URL_BYTES} characters"
        );
        FieldError::new("landing_url", "off_site", message)
    });
    off_site.or_else(|| secret_in("landing_url", url.as_str()))
}

/// Checks the versions that a site reports.
pub fn versions(Versions { plugin, wordpress, php, keys }: &Versions) -> Option<FieldError> {
    let odd = |text: &String| text.len() > 64 || text.chars().any(char::is_control);
    let message = "a version is at most 64 characters";
    let all = [plugin, wordpress, php, keys];
    let wrong = all.into_iter().any(odd).then(|| FieldError::new("versions", "invalid", message));
    wrong.or_else(|| all.into_iter().find_map(|text| secret_in("versions", text)))
}

/// Whether this is a path that stays on whichever site it is used on.
fn is_path(path: &str) -> bool {
    let anywhere = "https://site.invalid".parse::<Origin>();
    path.starts_with('/')
        && anywhere.is_ok_and(|origin| local_path(path, &origin).is_some_and(|same| same == path))
}

/// What is said of a token lifetime out of range.
pub fn lifetime_error(field: &str) -> FieldError {
    let (min, max) = (LIFETIME_SECS.start(), LIFETIME_SECS.end());
    FieldError::new(field, "out_of_range", format!("{min} to {max} seconds"))
}

/// Characters that browsers read as others or drop (backslash, controls, white space; WHATWG URL section 4.4), that
/// WordPress's `wp_sanitize_redirect` drops (leaving what was not checked), or that belong encoded.
fn is_odd(c: char) -> bool {
    c.is_control() || c.is_whitespace() || "\\\"<>{}|^`".contains(c)
}

/// Encoded controls and backslashes, which something further on may decode.
const ODD_ESCAPES: [&str; 4] = ["%0", "%1", "%5c", "%7f"];

/// `target`, resolved as a browser on `origin` would, as a path with query and fragment; `None` if that is not on
/// the origin.
fn local_path(target: &str, origin: &Origin) -> Option<String> {
    let lower = target.to_ascii_lowercase();
    if target.len() > 2000 || target.chars().any(is_odd) || ODD_ESCAPES.iter().any(|odd| lower.contains(odd))
    {
        return None;
    }
    let url = if target.starts_with('/') {
        origin.url().join(target).ok()?
    } else if lower.starts_with("https://") || lower.starts_with("http://") {
        Url::parse(target).ok()?
    } else {
        return None;
    };
    let path = &url[url::Position::BeforePath..];
    (origin.holds(&url) && !path.starts_with("//")).then(|| path.to_owned())
}

/// Checks that a subject can stand in paths, logs and trails: that it is no secret that somebody took for it, and none of
/// the segments that whoever reads a URL takes out of its path (RFC 3986, section 5.2.4).
pub fn subject(subject: &Subject) -> Result<(), FieldError> {
    if matches!(subject.as_str(), "." | "..") {
        return Err(FieldError::new("subject", "invalid", "expected more than one or two dots"));
    }
    if secret::stands_in(subject.as_str()) {
        return Err(FieldError::new(
            "subject",
            "invalid",
            "this looks like a secret; expected a customer number",
        ));
    }
    Ok(())
}

/// Checks where a login wants to land: a path on the site, or a full URL on its origin. The answer is the path that
/// it comes to, and nothing that was not checked.
pub fn redirect_to(target: &str, origin: &Origin) -> Result<String, FieldError> {
    if let Some(error) = secret_in("redirect_to", target) {
        return Err(error);
    }
    local_path(target, origin).ok_or_else(|| {
        let folder = origin.folder();
        let message = format!("expected a path such as {folder}/my-account/, or a URL on {origin}");
        FieldError::new("redirect_to", "off_site", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_never_lands_off_the_site() {
        let origin: Origin = "https://example.com".parse().unwrap();
        for (good, path) in [
            ("/", "/"),
            ("/a/b?c=d#e", "/a/b?c=d#e"),
            ("/a/../b", "/b"),
            ("/caf%C3%A9/ä", "/caf%C3%A9/%C3%A4"),
            ("https://example.com", "/"),
            ("https://EXAMPLE.com:443/x?y#z", "/x?y#z"),
        ] {
            assert_eq!(redirect_to(good, &origin).as_deref(), Ok(path), "{good}");
        }
        for bad in [
            "",
            "a",
            "//evil.test",
            "/\\evil.test",
            "\\\\evil.test",
            "/\t/evil.test",
            "/\n/evil.test",
            "https://evil.test/",
            "https://example.com@evil.test/",
            "https://user@example.com/",
            "https://example.com.evil.test/",
            "http://example.com/",
            "https://example.com:444/",
            "javascript:alert(1)",
            "data:text/html,x",
            "https:\\\\evil.test",
            " https://example.com/",
            "https://example.com\\@evil.test/",
            "/..//evil.test",
            "/.//evil.test",
            "/\"/evil.test",
            "/{/evil.test",
            "/%0d/evil.test",
            "/%0A/evil.test",
            "/%5cevil.test",
            "https:example.com/x",
            "https:/example.com/x",
            "https://example.com//evil.test",
        ] {
            assert!(redirect_to(bad, &origin).is_err(), "{bad:?}");
        }
        assert!(is_path("/my-account/?tab=1"));
        for bad in ["/..//evil.test", "//evil.test", "my-account", "/a b", "https://site.invalid/"] {
            assert!(!is_path(bad), "{bad}");
        }
    }

    #[test]
    fn what_is_stored_and_shown_holds_no_secret() {
        let secret = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";
        let origin: Origin = "https://example.com".parse().unwrap();
        let url = |path: &str| Url::parse(&format!("https://example.com/{path}")).unwrap();
        let version = |text: &str| Versions {
            plugin: text.to_owned(),
            wordpress: "6.8".to_owned(),
            php: "8.3".to_owned(),
            keys: "3".to_owned(),
        };
        let of_policy = |path: &str| {
            let panel_url = Some(url(path));
            policy(&Policy { panel_url, default_redirect: Some(format!("/{path}")), ..Policy::default() })
                .len()
        };
        let wrong = |text: &str| {
            [
                site_url(&url(text)).is_some(),
                landing_url(&url(text), &origin).is_some(),
                versions(&version(text)).is_some(),
                redirect_to(&format!("/{text}"), &origin).is_err(),
                of_policy(text) == 2,
            ]
        };
        assert_eq!(wrong(secret), [true; 5]);
        assert_eq!(wrong("1.0"), [false; 5]);
        assert_eq!(of_policy("1.0"), 0);
    }

    #[test]
    fn an_address_is_bare() {
        for good in ["mia@example.com", "mia.o'neil+news@mail.example.co.uk"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "Mia <mia@example.com>",
            "a@[127.0.0.1]",
            "a@localhost",
            "\"><script>\"@x.de",
            "a b@example.com",
            "@x.de",
            "ä@x.de",
            // What the standards allow, and WordPress does not.
            "\"mia\"@example.com",
            "mia@-example.com",
            "mia@example-.com",
            "mia@exa_mple.com",
            "mia@example..com",
            "mia@example.com.",
            "mia@müller.example",
            "a@b.c",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn a_user_name_is_one_that_wordpress_takes_as_it_is() {
        let is_good = |name: &str| {
            let member = serde_json::json!({
                "email": "mia@example.com", "username": name, "membership": {"status": "active"}
            });
            wanted(&serde_json::from_value(member).unwrap(), &[]).is_empty()
        };
        for good in ["mia", "Mia O-Neil", "mia@example.com", "a.b_c", &"a".repeat(60)] {
            assert!(is_good(good), "{good}");
        }
        for bad in ["", " ", " mia", "mia ", "mia  o", "mia\to", "miä", "<b>", "a/b", &"a".repeat(61)] {
            assert!(!is_good(bad), "{bad:?}");
        }
    }

    #[test]
    fn no_field_of_a_member_is_longer_than_wordpress_keeps() {
        let fields = |length: usize| -> Vec<_> {
            let (text, domain) = ("ä".repeat(length), "a.".repeat(length / 2));
            let member = serde_json::json!({
                "email": format!("mia@{domain}example.com"), "username": "a".repeat(length), "display_name": text,
                "first_name": text, "last_name": text, "locale": "a".repeat(length),
                "roles": vec!["subscriber"; length], "membership": {"status": "active", "plan": text}
            });
            let wanted = serde_json::from_value(member).unwrap();
            let errors = self::wanted(&wanted, &Policy::default().allowed_roles);
            let mut fields: Vec<_> = errors.into_iter().map(|error| error.field).collect();
            fields.dedup();
            fields
        };
        assert_eq!(fields(20), [""; 0]);
        assert_eq!(
            fields(251),
            [
                "email",
                "username",
                "display_name",
                "first_name",
                "last_name",
                "locale",
                "roles",
                "membership.plan"
            ]
        );
    }

    #[test]
    fn every_wrong_field_of_an_actor_is_named() {
        assert!(on_behalf("staff-7", "Sam “Ä” O'Neil", "See ticket #4711: the menu is gone").is_ok());
        assert!(on_behalf("s", &"ä".repeat(100), &"ä".repeat(500)).is_ok());
        let found = |subject: &str, name: &str, reason: &str| -> Vec<_> {
            on_behalf(subject, name, reason).unwrap_err().into_iter().map(|e| (e.field, e.code)).collect()
        };
        let at = |field: &str, code| (format!("actor.{field}"), code);
        assert_eq!(
            found("a/b", " ", "ab "),
            [at("subject", "invalid"), at("name", "too_short"), at("reason", "too_short")]
        );
        assert_eq!(
            found("", &"n".repeat(101), &"r".repeat(501)),
            [at("subject", "invalid"), at("name", "too_long"), at("reason", "too_long")]
        );
        assert_eq!(
            found("s", "S\nam", "why\u{0}not"),
            [at("name", "control_character"), at("reason", "control_character")]
        );
    }

    #[test]
    fn a_subject_stands_in_a_path_as_it_is() {
        for (text, is_fine) in
            [(".", false), ("..", false), ("...", true), (".a", true), ("a..", true), ("1", true)]
        {
            let id = text.parse().unwrap();
            assert_eq!(subject(&id).is_ok(), is_fine, "{text}");
            let url = Url::parse("https://example.com/members/").unwrap().join(text).unwrap();
            assert_eq!(url.path() == format!("/members/{text}"), is_fine, "{text}");
        }
        let secret = format!("gpk_{}", "a".repeat(52)).parse().unwrap();
        assert_eq!(subject(&secret).unwrap_err().code, "invalid");
    }

    #[test]
    fn every_wrong_field_of_a_member_is_named() {
        let member: Wanted = serde_json::from_value(serde_json::json!({
            "email": "I'm not an email", "username": "a/b", "display_name": "a\u{0}b", "locale": "../x", "roles": ["Admin!"],
            "membership": {"status": "past_due"}
        }))
        .unwrap();
        let fields: Vec<_> =
            wanted(&member, &Policy::default().allowed_roles).into_iter().map(|e| e.field).collect();
        assert_eq!(
            fields,
            ["email", "username", "display_name", "locale", "roles", "roles", "membership.grace_until"]
        );
    }
}
