//! Both services whole, in this process: routes, extractors, bodies, rules and a store, without the sockets.
//!
//! An input is a request as text: `METHOD PATH`, header lines, an empty line, the body. Where it says nothing else it
//! is authorised and in JSON, and `{site}`, `{token}` and the like stand for what is there: so a fuzzer spends its
//! time on what is read after the door. Time and randomness are given, so an input always meets the same world.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::rt::SystemRunner;
use actix_web::test::{TestRequest, init_service, read_body, try_call_service};
use actix_web::{App, web};
use gatepass_broker::BrokerState;
use gatepass_broker::keyring::SharedKeyring;
use gatepass_core::client::{ApiKey, Client, Scope};
use gatepass_core::clock::NoRandomness;
use gatepass_core::event::{Actor, Context};
use gatepass_core::handoff::Details;
use gatepass_core::heartbeat::Pulse;
use gatepass_core::issue::{self, issue};
use gatepass_core::member::{Membership, Status, Wanted};
use gatepass_core::pairing::{PairingCode, PairingSecret, Proven};
use gatepass_core::site::{Origin, Paired, Policy, Site, Versions};
use gatepass_core::store::sqlite::Sqlite;
use gatepass_core::{ClientId, Clock, Rng, SiteId, Store, Tenant, Timestamp};
use gatepass_corpus::{ISSUER, NOW};
use gatepass_http::cache::SiteMemory;
use gatepass_http::destinations::Destinations;
use gatepass_http::load::Load;
use gatepass_http::request_id::{not_found, request_id};
use gatepass_http::{Ambient, Code, TrustedProxies};
use gatepass_keys::token::site::{self, SiteClaims};
use gatepass_keys::{Keyring, KeyringFolder, SigningKey, Wrapping};
use serde_json::Value;

/// Nothing listens there, so a challenge is refused at once.
const ORIGIN: &str = "http://127.0.0.1:1";
const BRIDGE: &str = "http://127.0.0.1:2";
/// Who connects; believed what it forwards.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 3);
/// After so many requests the world is made anew, lest it grow.
const LIFETIME: u32 = 2_000;

/// What came of a request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// A request, as far as it could be sent at all.
pub(crate) struct Sent {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
    pub(crate) answer: Answer,
    /// The token that was issued, should it have been presented.
    pub(crate) token: String,
}

thread_local! {
    // A runtime cannot end while its thread does: who is done calls `end`.
    static WORLD: RefCell<Option<ManuallyDrop<World>>> = const { RefCell::new(None) };
}

/// Takes down what this thread's last request left standing, its files included.
pub(crate) fn end() {
    drop(WORLD.take().map(ManuallyDrop::into_inner));
}

/// Sends the request that an input describes, and checks what holds for every answer. `None` if no HTTP server would
/// hand such a request to a program.
pub(crate) fn send(input: &[u8]) -> Option<Sent> {
    WORLD.with_borrow_mut(|world| {
        if world.as_ref().is_none_or(|world| world.left == 0) {
            // One after the other: a thread has at most one runtime.
            drop(world.take().map(ManuallyDrop::into_inner));
            *world = Some(ManuallyDrop::new(World::new()));
        }
        let world = world.as_mut()?;
        let sent = world.send(input)?;
        world.left = match (&sent.method, sent.answer.status) {
            // What an input took away, the next one needs.
            (&Method::DELETE | &Method::PATCH, 200..=299) => 0,
            _ if sent.path.ends_with("/revoke") && sent.answer.status == 200 => 0,
            _ => world.left.saturating_sub(1),
        };
        Some(sent)
    })
}

type Pending = Pin<Box<dyn Future<Output = Answered>>>;
type Answered = (u16, String, Option<String>, Vec<u8>);

struct World {
    system: SystemRunner,
    call: Box<dyn Fn(TestRequest) -> Pending>,
    names: Vec<(&'static str, String)>,
    left: u32,
    _folder: tempfile::TempDir,
}

/// Time stands still, and what is random is only ever new.
#[derive(Debug, Default)]
struct Still(AtomicU64);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(NOW)
    }
}

impl Rng for Still {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        let next = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        for (byte, digit) in bytes.iter_mut().rev().zip(next.to_le_bytes()) {
            *byte = digit;
        }
        Ok(())
    }
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let system = actix_web::rt::System::new();
        let keyring = KeyringFolder::new(folder.path().join("keys"), Wrapping::none());
        let keyring = keyring.open_or_create([1; 32], 0).expect("a keyring");
        let rng = Arc::new(Still::default());
        let sqlite = Sqlite::open(&folder.path().join("store"), &*rng).expect("a store");
        let store: Arc<dyn Store> = Arc::new(sqlite);
        let names = system.block_on(furnish(&*store, &keyring, &*rng));
        let call = system.block_on(serve(store, keyring, rng));
        Self { system, call, names, left: LIFETIME, _folder: folder }
    }

    fn send(&self, input: &[u8]) -> Option<Sent> {
        let (head, body) = split_once(input, b"\n\n");
        let head = self.fill_in(&String::from_utf8_lossy(head));
        let body = match str::from_utf8(body) {
            Ok(text) => self.fill_in(text).into_bytes(),
            Err(_) => body.to_vec(),
        };
        let (first, headers) = head.split_once('\n').unwrap_or((&head, ""));
        let (method, path) = first.split_once(' ')?;
        let method: Method = method.parse().ok()?;
        let uri: Uri = path.parse().ok()?;
        let mut request = TestRequest::with_uri("/").method(method.clone()).peer_addr(PEER);
        let proof = if path.starts_with("/wp/") { self.name("proof") } else { self.name("key") };
        let mut defaults = vec![
            ("authorization", format!("Bearer {proof}")),
            ("content-type", "application/json".to_owned()),
        ];
        for line in headers.split('\n') {
            let (name, value) = line.split_once(':')?;
            let name: HeaderName = name.parse().ok()?;
            let value = HeaderValue::from_bytes(value.trim().as_bytes()).ok()?;
            defaults.retain(|(default, _)| *default != name.as_str());
            request = request.append_header((name, value));
        }
        for default in defaults {
            request = request.insert_header(default);
        }
        request = request.uri(&uri.to_string()).set_payload(body.clone());
        let (status, kind, id, answer) = self.system.block_on((self.call)(request));
        assert_answer(status, &kind, id.as_deref(), &answer);
        let (path, token) = (path.to_owned(), self.name("token").to_owned());
        Some(Sent { method, path, body, answer: Answer { status, body: answer }, token })
    }

    fn name(&self, name: &str) -> &str {
        self.names.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    fn fill_in(&self, text: &str) -> String {
        if !text.contains('{') {
            return text.to_owned();
        }
        self.names
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

fn split_once<'a>(input: &'a [u8], at: &[u8]) -> (&'a [u8], &'a [u8]) {
    let found = input.windows(at.len()).position(|window| window == at);
    found.map_or((input, &[]), |found| (&input[..found], &input[found + at.len()..]))
}

/// Whatever was asked, nothing broke, and a refusal is a problem that says so.
fn assert_answer(status: u16, kind: &str, id: Option<&str>, body: &[u8]) {
    let shown = String::from_utf8_lossy(body);
    assert!(status < 500, "{status}: {shown}");
    let id = id.expect("an X-Request-Id");
    if status < 400 {
        return;
    }
    assert_eq!(kind, "application/problem+json", "{shown}");
    let problem: Value = serde_json::from_slice(body).expect("a problem is JSON");
    let code = Code::ALL.iter().find(|code| problem["code"] == code.as_str());
    assert_eq!(code.map(|code| code.status().as_u16()), Some(status), "{shown}");
    assert_eq!((&problem["status"], &problem["request_id"]), (&status.into(), &id.into()), "{shown}");
    if problem["code"] == "validation_failed" {
        assert!(problem["errors"].as_array().is_some_and(|errors| !errors.is_empty()), "{shown}");
    }
}

/// Two sites, one of them paired, a member, and a handoff on its way; and what they are called.
async fn furnish(store: &dyn Store, keyring: &Keyring, rng: &dyn Rng) -> Vec<(&'static str, String)> {
    let now = Timestamp::from_secs(NOW);
    let context = Context::new("furnish".parse().expect("an id"), Actor::Operator);
    let key = ApiKey::generate(rng).expect("a key");
    let id = ClientId::generate(now, rng).expect("an id");
    let client = Client {
        id,
        tenant: Tenant::default(),
        name: "panel".to_owned(),
        scopes: Scope::ALL.to_vec(),
        created_at: now,
        revoked_at: None,
        expires_at: None,
        replaces: None,
    };
    store.add_client(&key.hash(), &client, &context).await.expect("a client");

    let mut sites = Vec::new();
    for origin in [ORIGIN, "http://127.0.0.1:3"] {
        let site = Site {
            id: SiteId::generate(now, rng).expect("an id"),
            tenant: Tenant::default(),
            origin: origin.parse::<Origin>().expect("an origin"),
            created_at: now,
            policy: Policy::default(),
            paired: None,
            pulse: Pulse::default(),
        };
        store.create_site(&site, now, &context).await.expect("a site");
        sites.push(site.id);
    }
    let (paired, unpaired) = (sites[0], sites[1]);
    let site_key = SigningKey::generate([3; 32]);
    let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let secret_hash = secret.parse::<PairingSecret>().expect("a secret").hash();
    for site in [paired, unpaired] {
        let code = PairingCode {
            secret_hash: secret_hash.clone(),
            expires_at: now.plus(Duration::from_mins(30)),
            replace: true,
        };
        store.put_pairing_code(site, &code, now, &context).await.expect("a code");
    }
    let proven = Proven {
        secret_hash: secret_hash.clone(),
        replaces: None,
        paired: Paired {
            key: site_key.public(),
            landing_url: format!("{ORIGIN}/wp-admin/admin-post.php?action=gatepass").parse().expect("a URL"),
            paired_at: now,
            versions: Versions::default(),
            code_hash: secret_hash,
            key_since: None,
            previous: None,
        },
    };
    store.pair(paired, &proven, now, &context).await.expect("a pairing");

    let wanted: Wanted = Wanted {
        email: "mia@example.com".to_owned(),
        email_verified: true,
        username: None,
        display_name: String::new(),
        first_name: String::new(),
        last_name: String::new(),
        locale: String::new(),
        roles: Vec::new(),
        membership: Membership { status: Status::Active, plan: None, valid_until: None, grace_until: None },
        consent: gatepass_core::member::Consent::default(),
    };
    let mia = "mia".parse().expect("a subject");
    store.put_member(paired, &mia, &wanted, None, now, &context).await.expect("a member");
    let request = issue::Request {
        site: paired,
        subject: mia,
        lifetime: Duration::from_secs(60),
        binding: None,
        details: Details {
            redirect_to: None,
            remember: false,
            actor: None,
            asked_at: None,
            client: id,
            request_id: context.request_id.clone(),
        },
    };
    // Of the next millisecond: what is issued in that of the pairing is void.
    let later = Timestamp::from_millis(now.millis() + 1);
    let issued =
        issue(store, keyring.active(), ISSUER, rng, request, later, &context).await.expect("a handoff");
    let claims = SiteClaims {
        site: paired.to_string(),
        audience: BRIDGE.to_owned(),
        issued_at: NOW,
        expires_at: NOW + 60,
    };
    let changes = store.changes(paired, None, 0, 1, now).await.expect("an answer").expect("a site");
    vec![
        ("epoch", changes.epoch),
        ("site", paired.to_string()),
        ("unpaired", unpaired.to_string()),
        ("handoff", issued.id.to_string()),
        ("token", issued.token.expose().to_owned()),
        ("proof", site::sign(&site_key, &claims).expose().to_owned()),
        ("secret", secret.to_owned()),
        ("x", site_key.public().x()),
        ("key", key.expose().to_owned()),
        ("origin", ORIGIN.to_owned()),
    ]
}

/// The application as `gatepass serve` puts it together, with both roles.
async fn serve(
    store: Arc<dyn Store>,
    keyring: Keyring,
    rng: Arc<Still>,
) -> Box<dyn Fn(TestRequest) -> Pending> {
    let ambient = Ambient::new(Arc::clone(&rng) as Arc<dyn Clock>, rng as Arc<dyn Rng>);
    let sites = SiteMemory::new(Arc::clone(&store));
    let destinations = Arc::new(Destinations::default().and_loopback());
    let proxies = TrustedProxies::new(vec![PEER.ip().into()]);
    let bridge_url = BRIDGE.parse().expect("a URL");
    let keyring = Arc::new(SharedKeyring::fixed(keyring));
    let bridge = gatepass_wp_bridge::BridgeState::new(
        Arc::clone(&store),
        ambient.clone(),
        Arc::new(keyring.published()),
        ISSUER.to_owned(),
        &bridge_url,
        sites.clone(),
        Arc::clone(&destinations),
    );
    let bridge = web::Data::new(bridge.expect("a bridge"));
    let broker =
        BrokerState::new(store, ambient.clone(), keyring, ISSUER.to_owned(), bridge_url, sites, destinations)
            .expect("a broker");
    let app = App::new()
        .wrap(actix_web::middleware::from_fn(request_id))
        .app_data(web::Data::new(ambient))
        .app_data(web::Data::new(proxies))
        .app_data(web::Data::from(Load::new(64)))
        .app_data(web::PayloadConfig::new(gatepass_http::body::MAX_BODY_BYTES))
        .app_data(web::Data::new(broker))
        .app_data(bridge)
        .configure(gatepass_broker::routes)
        .configure(gatepass_wp_bridge::routes)
        .default_service(web::to(not_found));
    let app = Rc::new(init_service(app).await);
    Box::new(move |request| {
        let app = Rc::clone(&app);
        Box::pin(async move {
            let response = try_call_service(&*app, request.to_request()).await.expect("an answer");
            let header = |name: &str| {
                let value = response.headers().get(name)?;
                Some(value.to_str().unwrap_or_default().to_owned())
            };
            let kind = header("content-type").unwrap_or_default();
            let id = header("x-request-id");
            (response.status().as_u16(), kind, id, read_body(response).await.to_vec())
        })
    })
}
