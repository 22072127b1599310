//! A site, as a customer's browser meets it: does what the plugin answers arrive, and as it was sent?

use std::time::Duration;

use gatepass_core::clock::System;
use gatepass_core::site::{Paired, Site};
use gatepass_core::{Clock, Timestamp};
use gatepass_http::outbound::CallError;
use url::Url;

use super::call::{self, Caller, no_answer};
use super::finding::{Finding, Verdict};

/// The oldest plugin that this Gatepass works with.
const OLDEST_PLUGIN: &str = "0.1.0";

/// What was seen of a site.
pub(super) struct Seen {
    site: Site,
    now: Timestamp,
    /// The version of the key set; `None` if it is not known.
    keys_version: Option<u64>,
    /// Where a browser enters; `None` if the site is not paired.
    landing_url: Option<Url>,
    /// The plugin's own answer to whoever asks whether it is there.
    probe: Answer,
    /// The landing page, and again.
    landing: [Answer; 2],
    /// A form without a token.
    post: Answer,
}

/// `None` when nothing was asked.
type Answer = Option<Result<call::Seen, CallError>>;

/// A check's name, and what it says of what was seen.
type Check = (&'static str, fn(&Seen) -> Verdict);

/// Every check, in order. What cannot be told because of an earlier one is [`Verdict::Unknown`].
const CHECKS: [Check; 14] = [
    ("paired", paired),
    ("address", address),
    ("certificate", certificate),
    ("plugin", plugin),
    ("identity", identity),
    ("version", version),
    ("clock", clock),
    ("cookie", cookie),
    ("landing page", landing),
    ("page cache", cache),
    ("form", form),
    ("heartbeat", heartbeat),
    ("keys", keys),
    ("copy", copy),
];

/// Asks, and judges.
pub(super) async fn look(site: &Site, keys_version: Option<u64>, caller: &Caller) -> Vec<Finding> {
    let seen = see(site, keys_version, caller).await;
    CHECKS
        .iter()
        .filter_map(|(name, check)| Finding::new(&site.origin.to_string(), name, check(&seen)))
        .collect()
}

async fn see(site: &Site, keys_version: Option<u64>, caller: &Caller) -> Seen {
    let landing_url = site.paired.as_ref().map(|Paired { landing_url, .. }| landing_url.clone());
    let (mut probe, mut landing, mut post) = (None, [None, None], None);
    if let Some(url) = &landing_url {
        let mut probing = url.clone();
        probing.query_pairs_mut().append_pair("probe", "1");
        let first = caller.get(probing).await;
        // Who does not answer once is not asked three times more.
        if first.is_ok() {
            landing = [Some(caller.get(url.clone()).await), Some(caller.get(url.clone()).await)];
            post = Some(caller.post(url.clone(), &site.origin.to_string(), "probe=1").await);
        }
        probe = Some(first);
    }
    Seen { site: site.clone(), now: System.now(), keys_version, landing_url, probe, landing, post }
}

impl Seen {
    fn probe(&self) -> Option<&call::Seen> {
        self.probe.as_ref()?.as_ref().ok()
    }

    /// The probe's answer, if the plugin gave it: the site's id as it believes, and its version.
    fn plugin(&self) -> Option<(&call::Seen, &str, &str)> {
        let probe = self.probe().filter(|seen| is(seen, "probe"))?;
        let mut words = std::str::from_utf8(&probe.body).ok()?.split_whitespace();
        (words.next()? == "gatepass").then_some(())?;
        let (id, version) = (words.next()?, words.next()?);
        // A report goes to a terminal, and a site may say anything.
        let plain = |word: &str| {
            word.len() <= 64 && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-".contains(&b))
        };
        (plain(id) && plain(version)).then_some((probe, id, version))
    }
}

fn is(seen: &call::Seen, page: &str) -> bool {
    seen.status == 200 && seen.header("x-gatepass-page") == page
}

fn paired(seen: &Seen) -> Verdict {
    match &seen.site.paired {
        Some(paired) => Verdict::ok(format!("{}, since {}", seen.site.id, paired.paired_at)),
        None => Verdict::failed(
            "the site is not paired",
            format!("gatepass site pairing-code {}, and paste it under Settings, Gatepass", seen.site.id),
        ),
    }
}

fn address(seen: &Seen) -> Verdict {
    match (&seen.probe, &seen.landing_url) {
        (Some(Err(error)), Some(url)) => no_answer(*error, &url.origin().ascii_serialization()),
        (Some(Ok(_)), Some(url)) => Verdict::ok(format!("{} answers", url.origin().ascii_serialization())),
        _ => Verdict::Unknown,
    }
}

fn certificate(seen: &Seen) -> Verdict {
    seen.probe().map_or(Verdict::Unknown, |probe| probe.certificate(seen.now))
}

fn plugin(seen: &Seen) -> Verdict {
    match (seen.probe(), seen.plugin()) {
        (None, _) => Verdict::Unknown,
        (_, Some((_, _, version))) => Verdict::ok(format!("the plugin answers, version {version}")),
        (Some(probe), None) if is(probe, "landing") => Verdict::warning(
            "the plugin is older than this Gatepass: it does not answer a probe",
            "update the plugin on the site",
        ),
        (Some(probe), None) => in_the_way(probe, "the login endpoint"),
    }
}

fn identity(seen: &Seen) -> Verdict {
    match seen.plugin() {
        Some((_, id, _)) if id == seen.site.id.to_string() => Verdict::ok("it is the site that was paired"),
        Some((_, id, _)) => Verdict::failed(
            format!("this WordPress believes that it is {id}"),
            "it is a copy of another site, or was restored from one: unpair the plugin there, and pair it with a code of \
             this site",
        ),
        None => Verdict::Unknown,
    }
}

fn version(seen: &Seen) -> Verdict {
    let numbers =
        |version: &str| -> Vec<u32> { version.split('.').filter_map(|part| part.parse().ok()).collect() };
    match seen.plugin() {
        Some((_, _, version)) if numbers(version) < numbers(OLDEST_PLUGIN) => Verdict::failed(
            format!("the plugin is {version}; {OLDEST_PLUGIN} or newer is needed"),
            "update the plugin on the site",
        ),
        _ => Verdict::Unknown,
    }
}

/// Sites are heard once an hour. One that has just been paired has not been heard yet.
fn heartbeat(seen: &Seen) -> Verdict {
    const SILENT: Duration = Duration::from_secs(3 * 3600);
    let hint = "see whether WP-Cron runs on the site (Tools, Site Health), and whether the site reaches the bridge's URL";
    let heard = seen.site.pulse.seen.as_ref().map(|heard| heard.at);
    let since = heard.or(seen.site.paired.as_ref().map(|paired| paired.paired_at));
    match (heard, since) {
        (_, Some(since)) if since.age_at(seen.now) > SILENT => match heard {
            Some(heard) => Verdict::warning(format!("the site was last heard at {heard}"), hint),
            None => Verdict::warning("the site has not been heard since it was paired", hint),
        },
        (Some(heard), _) => Verdict::ok(format!("the site was heard at {heard}")),
        (None, _) => Verdict::Unknown,
    }
}

/// A copy is at another address, where nobody looks; but it is heard.
/// A site follows by itself, when it is poked, when somebody logs in, or with its next heartbeat.
fn keys(seen: &Seen) -> Verdict {
    let reported = seen.site.pulse.seen.as_ref().and_then(|seen| seen.versions.keys.parse::<u64>().ok());
    match (reported, seen.keys_version) {
        (Some(known), Some(now)) if known < now => Verdict::warning(
            format!("the site knows version {known} of the issuer's keys, and the present one is {now}"),
            "nothing, if that is new; else Settings, Gatepass on the site says whether it has to be paired again",
        ),
        (Some(known), Some(_)) => Verdict::ok(format!("the site knows the issuer's keys, version {known}")),
        _ => Verdict::Unknown,
    }
}

fn copy(seen: &Seen) -> Verdict {
    const LATELY: Duration = Duration::from_secs(24 * 3600);
    match seen.site.pulse.conflict_told_at() {
        Some(told) if told.age_at(seen.now) < LATELY => Verdict::failed(
            format!("a copy of this site, at another address, was heard at {told}"),
            "gatepass audit tail --kind site.heartbeat_refused names the address: unpair the plugin there, or pair it with \
             a code of its own; if the site has moved, register its new address",
        ),
        _ => Verdict::Unknown,
    }
}

fn clock(seen: &Seen) -> Verdict {
    let hint = "let the site's host keep time by NTP; logins still work, but its sessions and logs are off";
    seen.probe().map_or(Verdict::Unknown, |probe| probe.clock(hint))
}

fn cookie(seen: &Seen) -> Verdict {
    let Some((probe, _, _)) = seen.plugin() else { return Verdict::Unknown };
    let mut cookies = probe.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    match cookies.find(|cookie| cookie.starts_with("gatepass_probe=1")) {
        Some(cookie) if cookie.to_ascii_lowercase().contains("httponly") => {
            Verdict::ok("cookies reach the browser")
        }
        Some(_) => Verdict::warning(
            "a cookie arrives, but without HttpOnly",
            "see which proxy or plugin rewrites Set-Cookie, and let it leave gatepass_ cookies alone",
        ),
        None => Verdict::failed(
            "a cookie that WordPress sets does not arrive",
            "a cache or proxy strips Set-Cookie: except wp-login.php and wp-admin from it, or nobody stays signed in",
        ),
    }
}

fn landing(seen: &Seen) -> Verdict {
    match &seen.landing[0] {
        None => Verdict::Unknown,
        Some(Err(error)) => no_answer(*error, "the landing page"),
        Some(Ok(page)) if is(page, "landing") && page.header("content-security-policy").is_empty() => {
            Verdict::warning(
                "the landing page arrives without its Content-Security-Policy",
                "see which proxy or plugin takes it out: it keeps other scripts from the token",
            )
        }
        Some(Ok(page)) if is(page, "landing") => Verdict::ok("the landing page arrives"),
        Some(Ok(page)) if !page.header("x-gatepass-page").is_empty() => Verdict::failed(
            "the plugin answers that nobody can log in",
            "see Settings, Gatepass on the site: it may be switched off there, or not paired",
        ),
        Some(Ok(page)) => in_the_way(page, "the landing page"),
    }
}

fn cache(seen: &Seen) -> Verdict {
    let [Some(Ok(first)), Some(Ok(second))] = &seen.landing else { return Verdict::Unknown };
    if !is(first, "landing") {
        return Verdict::Unknown;
    }
    let hit = |page: &call::Seen| {
        [
            "x-cache",
            "x-cache-status",
            "cf-cache-status",
            "x-proxy-cache",
            "x-litespeed-cache",
            "x-varnish-cache",
        ]
        .into_iter()
        .any(|name| page.header(name).to_ascii_lowercase().contains("hit"))
            || !page.header("age").is_empty()
    };
    if hit(first) || hit(second) {
        Verdict::failed(
            "the landing page comes out of a page cache",
            "except wp-login.php and wp-admin from the cache: an old page leads nowhere once the plugin changes",
        )
    } else if !first.header("cache-control").contains("no-store") {
        Verdict::warning(
            "the landing page arrives without Cache-Control: no-store",
            "see which proxy or plugin rewrites it, and except wp-login.php and wp-admin",
        )
    } else {
        Verdict::ok("no page cache is in between")
    }
}

fn form(seen: &Seen) -> Verdict {
    match &seen.post {
        None => Verdict::Unknown,
        Some(Err(error)) => no_answer(*error, "a posted form"),
        Some(Ok(answer)) if answer.header("x-gatepass-page").is_empty() => {
            in_the_way(answer, "a posted form")
        }
        Some(Ok(answer)) => match answer.header("x-gatepass-origin") {
            "match" => Verdict::ok("a posted form reaches the plugin"),
            "mismatch" => Verdict::failed(
                "a posted form reaches the plugin, but without the header Origin as it was sent",
                "a proxy takes it out, or WordPress takes another address for its own (http for https, www): compare \
                 Settings, General with the address of the site",
            ),
            _ => Verdict::Unknown,
        },
    }
}

/// Something else than the plugin answered.
fn in_the_way(answer: &call::Seen, what: &str) -> Verdict {
    match answer.status {
        status @ 300..=399 => Verdict::failed(
            format!("{what} is redirected ({status}, to {})", place(answer.header("location"))),
            "a redirect loses the form: pair the site under the address that it redirects to, and let nothing redirect \
             wp-admin or wp-login.php",
        ),
        401 => Verdict::failed(
            format!("a password stands in front of {what} (401)"),
            "except wp-admin/admin-post.php and wp-login.php from the web server's password (basic auth)",
        ),
        403 => Verdict::failed(
            format!("{what} is forbidden (403)"),
            "a firewall or security plugin is in the way: allow requests with action=gatepass",
        ),
        404 => Verdict::failed(
            format!("{what} is not there (404)"),
            "wp-login.php may be renamed or hidden, or the plugin deactivated: activate it, and pair the site again",
        ),
        status @ 500.. => Verdict::failed(
            format!("{what} fails with status {status}"),
            "see the site's PHP and web server error log",
        ),
        status => Verdict::failed(
            format!("something else answers for {what}, with status {status}"),
            "a maintenance page, a cache or a deactivated plugin; see whether Gatepass is active on the site",
        ),
    }
}

/// Without what stands behind the path: no report is to hold what a site puts there.
fn place(location: &str) -> &str {
    let end = location.find(['?', '#']).unwrap_or(location.len()).min(200);
    location.get(..end).unwrap_or("elsewhere")
}
