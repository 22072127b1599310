//! What can be watched: every metric there is, in Prometheus' text format.
//!
//! *No label holds what a stranger chooses*: a label is a word of ours (a route's template, a code, a cause, the name
//! of a store's operation), so there are only so many series, and none tells of a site or a customer. Metrics that
//! count something by such a word are there with 0 from the start, or a first one could not be seen as a rise.
//!
//! Counting is done where something happens, through the facade of the crate `metrics`, which does nothing until
//! [`Exporter::install`]. What is merely looked at (connections, memory) is read when somebody asks.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use gatepass_core::handoff::{Issuance, Outcome, Redemption, Refusal};
use gatepass_core::limit::Bucket;
use gatepass_core::store::{OutcomeReport, Result as StoreResult};
use gatepass_core::{StoreError, Timestamp};
use gatepass_keys::token::TokenError;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use crate::Code;
use crate::measured;
use crate::server::Bounds;

/// Of the keyring of this process, as it is now.
pub fn keyring(published: usize, active_written_at: Option<Timestamp>) {
    gauge!(KEYS).set(count(published));
    if let Some(at) = active_written_at {
        gauge!(ACTIVE_KEY).set(seconds(at.millis()));
    }
}

/// Whether the keyring of this process is behind what others have done, or cannot be read, so that it signs nothing.
pub fn keyring_stale(is_stale: bool) {
    gauge!(KEYRING_STALE).set(i32::from(is_stale));
}

/// The upper bounds of the histograms' buckets, in seconds. Logins take some milliseconds; a store may take 2 seconds
/// to answer and 2 to be found.
const BUCKETS: [f64; 13] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// Every metric: its name, its kind, and what it says.
macro_rules! catalogue {
    ($($constant:ident $kind:ident $name:literal $help:literal;)+) => {
        $(pub(crate) const $constant: &str = $name;)+
        /// The names of all metrics of Gatepass's own.
        pub const NAMES: &[&str] = &[$($name),+];
        fn describe() {
            $(catalogue!(@$kind $constant, $help);)+
        }
    };
    (@counter $name:ident, $help:literal) => { describe_counter!($name, $help) };
    (@gauge $name:ident, $help:literal) => { describe_gauge!($name, $help) };
    (@histogram $name:ident, $help:literal) => { describe_histogram!($name, $help) };
}

catalogue! {
    HTTP_REQUESTS counter "gatepass_http_requests_total"
        "Requests answered, by route, method and HTTP status; route is none where there is no such path.";
    HTTP_DURATION histogram "gatepass_http_request_duration_seconds"
        "Time from a request's head to its answer, waiting for its body included, by route.";
    PROBLEMS counter "gatepass_http_problems_total"
        "Requests that were refused, by the problem's code.";
    ISSUES counter "gatepass_issues_total"
        "Handoffs asked for, by outcome.";
    REDEMPTIONS counter "gatepass_redemptions_total"
        "Tokens shown by sites, by outcome and, of a refusal, its exact cause.";
    LOGINS counter "gatepass_logins_total"
        "What WordPress reports of redeemed handoffs: logged_in, or why there is no session.";
    STORE_DURATION histogram "gatepass_store_operation_duration_seconds"
        "Time that the store took, failures included, by operation.";
    STORE_ERRORS counter "gatepass_store_errors_total"
        "Operations that the store did not answer, by operation and kind.";
    STORE_UP gauge "gatepass_store_up"
        "1 while the store answers, else 0; asked every 5 seconds.";
    STORE_SIZE gauge "gatepass_store_size_bytes"
        "Of SQLite its files, of Redis its memory.";
    STORE_REPLICAS gauge "gatepass_store_replicas"
        "Replicas that follow the Redis primary.";
    STORE_PRIMARY_CHANGES counter "gatepass_store_primary_changes_total"
        "How often another Redis primary, or the same after a restart, was found. Each voids the tokens on their way.";
    STORE_CLOCK_OFFSET gauge "gatepass_store_clock_offset_seconds"
        "How far the clock of Redis is ahead of this machine's.";
    CONNECTIONS gauge "gatepass_connections"
        "Connections that are open.";
    CONNECTIONS_MAX gauge "gatepass_connections_max"
        "Connections that there may be (max_connections).";
    CONNECTIONS_CLOSED counter "gatepass_connections_closed_total"
        "Connections that Gatepass closed by itself: slow (the client kept it waiting), or room (there were too many).";
    REQUESTS gauge "gatepass_requests_in_flight"
        "Requests being worked on.";
    REQUESTS_MAX gauge "gatepass_requests_in_flight_max"
        "Requests that may be worked on at a time (max_requests).";
    REQUESTS_SHED counter "gatepass_requests_shed_total"
        "Requests answered 503 because there were too many.";
    STRANGERS_REFUSED counter "gatepass_strangers_refused_total"
        "Look-ups of names nobody knew that were refused because there were too many: somebody guesses.";
    POKES counter "gatepass_pokes_total"
        "Sites told that there is something to pull, by result: pulled and busy are good, the rest says why it was in vain.";
    SITES_BEHIND gauge "gatepass_sites_behind"
        "Paired sites that have not pulled all changes yet; looked at every 10 seconds.";
    OLDEST_FAILING gauge "gatepass_delivery_failing_seconds"
        "For how long no poke has reached the site that has waited longest; 0 when all are reached. Looked at likewise.";
    TRAIL_PENDING gauge "gatepass_trail_pending_refusals"
        "Refusals of bad tokens that are counted and not in the audit trail yet; written every minute.";
    KEYS gauge "gatepass_published_keys"
        "Public keys in force.";
    ACTIVE_KEY gauge "gatepass_active_key_timestamp_seconds"
        "When the file of the key that signs was written, in seconds since 1970.";
    KEYRING_STALE gauge "gatepass_keyring_stale"
        "1 while the keyring is an old copy or cannot be read, so that nothing is signed, else 0; looked at every second.";
    BUILD_INFO gauge "gatepass_build_info"
        "1, labelled with the version.";
}

/// Why WordPress made no session, as the plugin names it. Whatever else a site says is `other`: sites are paired, and
/// still strangers' machines.
const LOGIN_FAILURES: [&str; 13] = [
    "account_blocked",
    "account_not_on_blog",
    "account_privileged",
    "email_taken",
    "internal",
    "not_paired",
    "origin_mismatch",
    "origin_unknown",
    "role_not_allowed",
    "support_forbidden",
    "switched_off",
    "username_taken",
    OTHER,
];

/// What can come of a poke.
const POKE_RESULTS: [&str; 11] = [
    "pulled",
    "busy",
    "not_pulled",
    "poke_invalid",
    "not_paired",
    "switched_off",
    "unexpected",
    "forbidden",
    "timeout",
    "untrusted",
    "unreachable",
];
const OTHER: &str = "other";
const NONE: &str = "none";
const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();

/// Gives what was counted to whoever asks.
#[derive(Clone)]
pub struct Exporter {
    handle: PrometheusHandle,
    process: Collector,
    bounds: Bounds,
}

impl std::fmt::Debug for Exporter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Exporter")
    }
}

impl Exporter {
    /// Starts counting, in this whole process. `bounds` are those of the servers to be watched.
    ///
    /// # Errors
    /// When something else in this process counts already.
    pub fn install(bounds: Bounds) -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new().set_buckets(&BUCKETS)?.install_recorder()?;
        describe();
        let process = Collector::default();
        process.describe();
        start_at_zero();
        HANDLE.get_or_init(|| handle.clone());
        Ok(Self { handle, process, bounds })
    }

    /// Everything, in Prometheus' text format.
    pub fn render(&self) -> String {
        let Bounds { connections, load, .. } = &self.bounds;
        gauge!(CONNECTIONS).set(count(connections.open()));
        gauge!(CONNECTIONS_MAX).set(count(connections.max()));
        gauge!(REQUESTS).set(count(load.now()));
        gauge!(REQUESTS_MAX).set(count(load.max()));
        self.process.collect();
        self.handle.render()
    }

    /// The route.
    pub fn routes(self) -> impl Fn(&mut web::ServiceConfig) + Clone + Send + 'static {
        let exporter = web::Data::from(Arc::new(self));
        move |config| {
            let render = async |exporter: web::Data<Self>| {
                HttpResponse::Ok()
                    .content_type("text/plain; version=0.0.4; charset=utf-8")
                    .body(exporter.render())
            };
            config.app_data(exporter.clone()).service(web::resource("/metrics").route(web::get().to(render)));
        }
    }
}

/// Whether anything is counted.
pub(crate) fn is_on() -> bool {
    HANDLE.get().is_some()
}

/// Folds what the histograms were given into their buckets. To be called every few seconds: until then each number
/// is kept by itself.
pub(crate) fn keep_up() {
    if let Some(handle) = HANDLE.get() {
        handle.run_upkeep();
    }
}

fn start_at_zero() {
    for code in Code::ALL {
        counter!(PROBLEMS, "code" => code.as_str()).absolute(0);
    }
    for outcome in ["issued", "site_not_found", "member_not_found", "membership_inactive", "store_error"]
        .into_iter()
        .chain([Bucket::ApiKey, Bucket::Member, Bucket::Address].map(Bucket::cause))
    {
        counter!(ISSUES, "outcome" => outcome).absolute(0);
    }
    let before_the_store = Code::HandoffInvalid.causes().iter().map(|cause| (Code::HandoffInvalid, *cause));
    let by_the_store = Refusal::ALL.map(|refusal| (Code::from(refusal), refusal.cause()));
    let limits = [Bucket::Token, Bucket::Address].map(|bucket| (Code::RateLimited, bucket.cause()));
    for (code, cause) in before_the_store.chain(by_the_store).chain(limits) {
        counter!(REDEMPTIONS, "outcome" => code.as_str(), "cause" => cause).absolute(0);
    }
    for outcome in ["redeemed", "repeated", "previewed", "store_error"] {
        counter!(REDEMPTIONS, "outcome" => outcome, "cause" => NONE).absolute(0);
    }
    for outcome in LOGIN_FAILURES.into_iter().chain(["logged_in"]) {
        counter!(LOGINS, "outcome" => outcome).absolute(0);
    }
    for operation in measured::OPERATIONS {
        for kind in ["unavailable", "corrupt", "newer_schema"] {
            counter!(STORE_ERRORS, "operation" => *operation, "kind" => kind).absolute(0);
        }
        // Being named is enough: a histogram without a number has all its buckets.
        drop(histogram!(STORE_DURATION, "operation" => *operation));
    }
    for reason in ["slow", "room"] {
        counter!(CONNECTIONS_CLOSED, "reason" => reason).absolute(0);
    }
    for result in POKE_RESULTS {
        counter!(POKES, "result" => result).absolute(0);
    }
    for name in [STORE_PRIMARY_CHANGES, REQUESTS_SHED, STRANGERS_REFUSED] {
        counter!(name).absolute(0);
    }
    for name in [TRAIL_PENDING, SITES_BEHIND, OLDEST_FAILING] {
        gauge!(name).set(0);
    }
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1);
}

/// A request was answered.
pub(crate) fn answered(response: &ServiceResponse, method: &Method, took: Duration, problem: Option<Code>) {
    if !is_on() {
        return;
    }
    let route = response.request().match_pattern().map_or(Cow::Borrowed(NONE), Cow::Owned);
    let method = METHODS.into_iter().find(|known| *known == method.as_str()).unwrap_or(OTHER);
    let status = response.status().as_str().to_owned();
    histogram!(HTTP_DURATION, "route" => route.clone()).record(took);
    counter!(HTTP_REQUESTS, "route" => route, "method" => method, "status" => status).increment(1);
    if let Some(code) = problem {
        counter!(PROBLEMS, "code" => code.as_str()).increment(1);
    }
}

/// A handoff was asked for.
pub(crate) fn issued(answer: &StoreResult<Issuance>) {
    let outcome = match answer {
        Ok(Issuance::Issued) => "issued",
        Ok(Issuance::SiteNotFound) => "site_not_found",
        Ok(Issuance::MemberNotFound) => "member_not_found",
        Ok(Issuance::MembershipInactive) => "membership_inactive",
        Ok(Issuance::KeyRevoked) => "key_revoked",
        Ok(Issuance::Limited(limited)) => limited.bucket.cause(),
        Err(_) => "store_error",
    };
    counter!(ISSUES, "outcome" => outcome).increment(1);
}

/// A good token was shown.
pub(crate) fn redeemed(answer: &StoreResult<Redemption>) {
    let (outcome, cause) = match answer {
        Ok(Redemption::Redeemed(_)) => ("redeemed", NONE),
        Ok(Redemption::Repeated(_)) => ("repeated", NONE),
        Ok(Redemption::Previewed(_)) => ("previewed", NONE),
        Ok(Redemption::Refused(refusal)) => (Code::from(*refusal).as_str(), refusal.cause()),
        Ok(Redemption::Limited(limited)) => (Code::RateLimited.as_str(), limited.bucket.cause()),
        Err(_) => ("store_error", NONE),
    };
    counter!(REDEMPTIONS, "outcome" => outcome, "cause" => cause).increment(1);
}

/// A token was shown that is no good by itself; the store was not asked.
pub fn token_refused(error: &TokenError) {
    counter!(REDEMPTIONS, "outcome" => Code::from(error).as_str(), "cause" => error.cause()).increment(1);
}

/// WordPress reported what it made of a redemption.
pub(crate) fn reported(outcome: &Outcome, answer: &StoreResult<OutcomeReport>) {
    if !matches!(answer, Ok(OutcomeReport::Recorded)) {
        return;
    }
    let outcome = match outcome {
        Outcome::LoggedIn { .. } => "logged_in",
        Outcome::Failed { code, .. } => {
            LOGIN_FAILURES.into_iter().find(|known| known == code).unwrap_or(OTHER)
        }
    };
    counter!(LOGINS, "outcome" => outcome).increment(1);
}

/// An operation of the store ended.
pub(crate) fn store_asked(operation: &'static str, took: Duration, error: Option<&StoreError>) {
    histogram!(STORE_DURATION, "operation" => operation).record(took);
    let Some(error) = error else { return };
    let kind = match error {
        StoreError::Unavailable(_) => "unavailable",
        StoreError::Corrupt(_) => "corrupt",
        StoreError::NewerSchema { .. } => "newer_schema",
    };
    counter!(STORE_ERRORS, "operation" => operation, "kind" => kind).increment(1);
}

/// A site was poked, with one of [`POKE_RESULTS`].
pub fn poked(result: &'static str) {
    counter!(POKES, "result" => result).increment(1);
}

/// How many sites are behind, and for how long the one has failed that no poke has reached for longest.
pub fn delivery(behind: usize, failing: Duration) {
    gauge!(SITES_BEHIND).set(count(behind));
    gauge!(OLDEST_FAILING).set(failing.as_secs_f64());
}

/// How many refusals wait to be written into the trail.
pub fn trail_pending(refusals: u64) {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    gauge!(TRAIL_PENDING).set(refusals as f64);
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds stay below 2^53")]
pub(crate) fn seconds(millis: i64) -> f64 {
    millis as f64 / 1000.0
}
