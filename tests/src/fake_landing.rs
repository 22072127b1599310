//! The plugin's login endpoint as a browser meets it, whole or with one thing between it and the browser.

use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse};

/// What stands in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Landing {
    /// Nothing.
    Whole,
    /// A page cache that answers with what it has.
    Cached,
    /// Something that lets everything be stored.
    Storable,
    /// A proxy that takes `Set-Cookie` out.
    WithoutCookies,
    /// A proxy that takes `Content-Security-Policy` out.
    WithoutPolicy,
    /// A proxy that takes `Origin` out.
    WithoutOrigin,
    /// A web server that sends every form to another address.
    RedirectsForms,
    /// A password in front of everything.
    Password,
    /// A firewall that takes no forms.
    Firewall,
    /// A login page that was renamed.
    Renamed,
    /// A copy of another site.
    Copy,
    /// A clock that is a minute ahead.
    WrongClock,
    /// A plugin from before there was a probe.
    OldPlugin,
}

/// What that answers.
pub(crate) fn answer(landing: Landing, request: &HttpRequest, site: &str) -> HttpResponse {
    let form = request.method() == Method::POST;
    let bare = |status| HttpResponse::build(status).finish();
    match landing {
        Landing::Password => return bare(StatusCode::UNAUTHORIZED),
        Landing::Renamed => return bare(StatusCode::NOT_FOUND),
        Landing::Firewall if form => return bare(StatusCode::FORBIDDEN),
        Landing::RedirectsForms if form => {
            return HttpResponse::MovedPermanently()
                .insert_header(("Location", "https://www.example/"))
                .finish();
        }
        _ => {}
    }
    let probed = request.query_string().split('&').any(|pair| pair == "probe=1");
    if probed && !form && landing != Landing::OldPlugin {
        return probe(landing, site);
    }
    let mut page = HttpResponse::build(if form { StatusCode::GONE } else { StatusCode::OK });
    page.insert_header(("X-Gatepass-Page", if form { "ask_again" } else { "landing" }));
    if form {
        let whole = landing != Landing::WithoutOrigin && request.headers().contains_key("origin");
        page.insert_header(("X-Gatepass-Origin", if whole { "match" } else { "mismatch" }));
    }
    if landing != Landing::Storable {
        page.insert_header(("Cache-Control", "no-store"));
    }
    if landing != Landing::WithoutPolicy {
        page.insert_header(("Content-Security-Policy", "default-src 'none'"));
    }
    if landing == Landing::Cached {
        page.insert_header(("Age", "77"));
    }
    page.body("a page")
}

fn probe(landing: Landing, site: &str) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    answer.insert_header(("X-Gatepass-Page", "probe")).insert_header(("Cache-Control", "no-store"));
    if landing != Landing::WithoutCookies {
        let cookie = "gatepass_probe=1; Max-Age=60; HttpOnly; SameSite=Lax";
        answer.insert_header(("Set-Cookie", cookie));
    }
    if landing == Landing::WrongClock {
        answer.insert_header(("Date", "Thu, 01 Jan 2026 00:00:00 GMT"));
    }
    let id = if landing == Landing::Copy { format!("site_{}", "a".repeat(26)) } else { site.to_owned() };
    answer.content_type("text/plain").body(format!("gatepass {id} 0.1.0"))
}
