//! What a case plays on: a store of its own, real, and gone afterwards; and the default actors to vary.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use gatepass_core::clock::{Rng, System, random_bytes};
use gatepass_core::event::{Actor, Context, Event};
use gatepass_core::handoff::{Details, Intent, Issuance, NewHandoff, Presented, Redemption, Refusal};
use gatepass_core::heartbeat::Pulse;
use gatepass_core::limit::{Limited, Limits};
use gatepass_core::member::{Consent, Membership, Status, Wanted};
use gatepass_core::site::{Policy, Site};
use gatepass_core::store::{
    SiteCreation,
    redis::{Options, Redis},
    sqlite::Sqlite,
};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::{Attempt, ClientId, HandoffId, SiteId, Store, Subject, Tenant, Timestamp};
use gatepass_keys::SigningKey;
use gatepass_keys::token::handoff::{HandoffClaims, sign};

/// The time at which every case begins.
pub const T0: Timestamp = Timestamp::from_secs(1_790_000_000);

pub fn after(millis: u64) -> Timestamp {
    T0.plus(Duration::from_millis(millis))
}

/// A store under test, through two handles as two processes would have.
pub struct Stage {
    pub store: Arc<dyn Store>,
    pub other: Arc<dyn Store>,
    pub backend: Backend,
}

pub enum Backend {
    Sqlite { folder: tempfile::TempDir },
    Redis(RedisServer),
}

/// What a store held.
pub enum Snapshot {
    Sqlite { folder: tempfile::TempDir },
    Redis(Vec<(Vec<u8>, Vec<u8>)>),
}

impl Stage {
    pub async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepass.db");
        let open = || Arc::new(Sqlite::open(&path, &System).unwrap());
        Self { store: open(), other: open(), backend: Backend::Sqlite { folder } }
    }

    /// On a Redis that is set as deploy/redis.conf says, as the user that it names: every case shows that this
    /// user may do what the store needs.
    pub async fn redis() -> Self {
        Self::redis_with(&["--appendonly", "no"]).await
    }

    /// The same, with more settings.
    pub async fn redis_with(arguments: &[&str]) -> Self {
        let file = deployed("redis.conf");
        let server = RedisServer::start_with(&[&[file.as_str()], arguments].concat());
        let url = server.url_of("gatepass:CHANGE-ME");
        let store = Arc::new(Redis::connect(&url, &Options::default()).await.unwrap());
        let other = Arc::new(Redis::connect(&url, &Options::default()).await.unwrap());
        Self { store, other, backend: Backend::Redis(server) }
    }

    /// Another handle on the store, with limits.
    pub async fn limited(&self, limits: Limits) -> Arc<dyn Store> {
        match &self.backend {
            Backend::Sqlite { folder } => {
                let store = Sqlite::open(&folder.path().join("gatepass.db"), &System).unwrap();
                Arc::new(store.limited(limits))
            }
            Backend::Redis(server) => {
                let store = Redis::connect(&server.url(), &Options::default()).await.unwrap();
                Arc::new(store.limited(limits))
            }
        }
    }

    /// Another handle on the store, after whatever befell the connections of the others.
    pub async fn reconnected(&self) -> Arc<dyn Store> {
        self.limited(Limits::NONE).await
    }

    /// Makes the store what it is after a failover: all data there, but another primary.
    pub fn change_primary(&self) {
        match &self.backend {
            Backend::Sqlite { folder } => {
                let connection = rusqlite::Connection::open(folder.path().join("gatepass.db")).unwrap();
                connection
                    .execute("UPDATE meta SET value = hex(randomblob(8)) WHERE name = 'epoch'", [])
                    .unwrap();
            }
            Backend::Redis(server) => {
                server.command(&["REPLICAOF", "127.0.0.1", "1"]);
                server.command(&["REPLICAOF", "NO", "ONE"]);
            }
        }
    }

    /// A copy of all that the store holds.
    pub fn copy(&self) -> Snapshot {
        match &self.backend {
            Backend::Sqlite { folder } => {
                let copy = tempfile::tempdir().unwrap();
                let connection = rusqlite::Connection::open(folder.path().join("gatepass.db")).unwrap();
                connection.execute("VACUUM INTO ?", [copy.path().join("copy.db").to_str().unwrap()]).unwrap();
                Snapshot::Sqlite { folder: copy }
            }
            Backend::Redis(server) => {
                let keys: Vec<Vec<u8>> = server.query(&["KEYS", "*"]).unwrap();
                let dumped = |key| server.query_bytes(&[b"DUMP", key]).unwrap();
                Snapshot::Redis(keys.iter().map(|key| (key.clone(), dumped(key))).collect())
            }
        }
    }

    /// Puts the store back as it was, under the feet of whoever has it open.
    pub fn put_back(&self, copy: &Snapshot) {
        match (&self.backend, copy) {
            (Backend::Sqlite { folder }, Snapshot::Sqlite { folder: copy }) => {
                let copy = rusqlite::Connection::open(copy.path().join("copy.db")).unwrap();
                let mut connection = rusqlite::Connection::open(folder.path().join("gatepass.db")).unwrap();
                let backup = rusqlite::backup::Backup::new(&copy, &mut connection).unwrap();
                backup.run_to_completion(1000, Duration::from_millis(10), None).unwrap();
            }
            (Backend::Redis(server), Snapshot::Redis(dumped)) => {
                let keys: Vec<Vec<u8>> = server.query(&["KEYS", "*"]).unwrap();
                for key in &keys {
                    let () = server.query_bytes(&[b"DEL", key]).unwrap();
                }
                for (key, value) in dumped {
                    let () = server.query_bytes(&[b"RESTORE", key, b"0", value]).unwrap();
                }
            }
            _ => panic!("the copy of another store"),
        }
    }

    /// A registered site of the default tenant.
    pub async fn site(&self) -> SiteId {
        self.site_of("default", "https://example.com").await
    }

    pub async fn site_of(&self, tenant: &str, origin: &str) -> SiteId {
        let site = new_site(tenant, origin);
        let created = self.store.create_site(&site, T0, &context()).await.unwrap();
        assert_eq!(created, SiteCreation::Created);
        site.id
    }

    /// A registered site with an active member `cust-1`.
    pub async fn site_with_member(&self) -> SiteId {
        let site = self.site().await;
        self.put(site, "cust-1", Status::Active).await;
        site
    }

    pub async fn put(&self, site: SiteId, subject: &str, status: Status) {
        self.put_at(site, subject, status, T0).await;
    }

    pub async fn put_at(&self, site: SiteId, subject: &str, status: Status, now: Timestamp) {
        let wanted = wanted(status);
        self.store.put_member(site, &subject.parse().unwrap(), &wanted, None, now, &context()).await.unwrap();
    }

    /// A handoff issued at `T0` for `cust-1`.
    pub async fn issued(&self, site: SiteId) -> Ticket {
        self.issue(Ticket::new(site)).await
    }

    pub async fn issue(&self, ticket: Ticket) -> Ticket {
        let issued = self.store.issue(ticket.site, &ticket.handoff, &context()).await.unwrap();
        assert_eq!(issued, Issuance::Issued);
        ticket
    }

    pub async fn redeem(&self, ticket: &Ticket, now: Timestamp) -> Came {
        came(self.store.redeem(ticket.site, &ticket.presented, now, &context()).await.unwrap())
    }

    /// The trail of a site as `kind` or `kind: cause`.
    pub async fn trail(&self, site: SiteId) -> Vec<String> {
        self.trail_of(&Trail::Site(site)).await
    }

    /// Any trail.
    pub async fn trail_of(&self, trail: &Trail) -> Vec<String> {
        let events = self.store.events(trail, Reading::After(0), 1000).await.unwrap();
        let line = |event: &Event| match &event.cause {
            Some(cause) => format!("{}: {cause}", event.kind),
            None => event.kind.clone(),
        };
        events.iter().map(line).collect()
    }
}

/// What came of a redemption, to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    Redeemed,
    Repeated,
    Previewed,
    Refused(Refusal),
    Limited(Limited),
}

pub fn came(redemption: Redemption) -> Came {
    match redemption {
        Redemption::Redeemed(_) => Came::Redeemed,
        Redemption::Repeated(_) => Came::Repeated,
        Redemption::Previewed(_) => Came::Previewed,
        Redemption::Refused(refusal) => Came::Refused(refusal),
        Redemption::Limited(limited) => Came::Limited(limited),
    }
}

/// A handoff and the token that goes with it. The defaults are good; a case varies one thing.
#[derive(Clone)]
pub struct Ticket {
    pub site: SiteId,
    pub handoff: NewHandoff,
    pub presented: Presented,
}

impl Ticket {
    pub fn new(site: SiteId) -> Self {
        Self::for_subject(site, "cust-1", T0)
    }

    pub fn for_subject(site: SiteId, subject: &str, issued_at: Timestamp) -> Self {
        let subject: Subject = subject.parse().unwrap();
        let key = SigningKey::generate([7; 32]);
        let id = HandoffId::generate(issued_at, &System).unwrap();
        let expires_at = issued_at.plus(Duration::from_secs(60));
        let claims = HandoffClaims {
            issuer: "https://gatepass.example".to_owned(),
            audience: site.to_string(),
            subject: subject.to_string(),
            id: id.uuid(),
            issued_at: issued_at.secs(),
            expires_at: expires_at.secs(),
        };
        let token = sign(&key, &claims);
        let presented = Presented {
            intent: Intent::Spend,
            id,
            subject: subject.clone(),
            token_hash: token.hash(),
            kid: key.kid().clone(),
            attempt_hash: attempt(1),
            binding: None,
            must_be_bound: false,
            must_be_asked: false,
        };
        let details = Details {
            redirect_to: Some("/my-account/".to_owned()),
            remember: true,
            actor: None,
            asked_at: None,
            client: ClientId::generate(T0, &System).unwrap(),
            request_id: "req-1".parse().unwrap(),
        };
        let handoff = NewHandoff {
            id,
            subject,
            token_hash: token.hash(),
            kid: key.kid().clone(),
            issued_at,
            expires_at,
            binding: None,
            details,
        };
        Self { site, handoff, presented }
    }

    /// The same token, only looked at.
    pub fn previewed(&self) -> Self {
        self.to(Intent::Preview)
    }

    /// The same token, brought for this.
    pub fn to(&self, intent: Intent) -> Self {
        let mut other = self.clone();
        other.presented.intent = intent;
        other
    }

    /// The same token, brought by another attempt.
    pub fn by_attempt(&self, number: u8) -> Self {
        let mut other = self.clone();
        other.presented.attempt_hash = attempt(number);
        other
    }
}

pub fn attempt(number: u8) -> String {
    Attempt::from_bytes([number; 16]).hash()
}

pub fn context() -> Context {
    Context::new("req-1".parse().unwrap(), Actor::Operator)
}

pub fn new_site(tenant: &str, origin: &str) -> Site {
    Site {
        id: SiteId::generate(T0, &System).unwrap(),
        tenant: tenant.parse::<Tenant>().unwrap(),
        origin: origin.parse().unwrap(),
        created_at: T0,
        policy: Policy::default(),
        paired: None,
        pulse: Pulse::default(),
    }
}

pub fn wanted(status: Status) -> Wanted {
    Wanted {
        email: "mia@example.com".to_owned(),
        email_verified: true,
        username: Some("mia".to_owned()),
        display_name: "Mia “Ä” O'Neil\\".to_owned(),
        first_name: "Mia".to_owned(),
        last_name: String::new(),
        locale: String::new(),
        roles: vec!["subscriber".to_owned()],
        membership: Membership {
            status,
            plan: Some("gold".to_owned()),
            valid_until: None,
            grace_until: None,
        },
        consent: Consent::default(),
    }
}

/// A `redis-server` of its own, on a free port, in a folder of its own.
pub struct RedisServer {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
    arguments: Vec<String>,
}

impl RedisServer {
    pub fn start() -> Self {
        Self::start_with(&["--save", "", "--appendonly", "no"])
    }

    pub fn start_with(arguments: &[&str]) -> Self {
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        for _ in 0..10 {
            let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
            // Somebody else may take the port in between: then another one.
            if let Some(child) = launch(port, folder.path(), &arguments) {
                return Self { child, port, folder, arguments };
            }
        }
        panic!("redis-server does not start with {arguments:?}");
    }

    /// One of the sentinels that watch `primary` under the name `gatepass`.
    pub fn start_sentinel(primary: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sentinel.conf");
        let config = format!(
            "sentinel monitor gatepass 127.0.0.1 {primary} 2\n\
             sentinel down-after-milliseconds gatepass 1500\n\
             sentinel failover-timeout gatepass 3000\n"
        );
        std::fs::write(&file, config).unwrap();
        let arguments = [file.to_str().unwrap(), "--sentinel"];
        let mut sentinel = Self::start_with(&arguments);
        sentinel.folder = folder;
        sentinel
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// With `user:password`, percent-encoded.
    pub fn url_of(&self, credentials: &str) -> String {
        format!("redis://{credentials}@127.0.0.1:{}/", self.port)
    }

    pub fn command(&self, words: &[&str]) {
        let () = self.query(words).unwrap();
    }

    pub fn query<T: redis::FromRedisValue>(&self, words: &[&str]) -> redis::RedisResult<T> {
        self.query_bytes(&words.iter().map(|word| word.as_bytes()).collect::<Vec<_>>())
    }

    pub fn query_bytes<T: redis::FromRedisValue>(&self, words: &[&[u8]]) -> redis::RedisResult<T> {
        let client = redis::Client::open(self.url())?;
        let mut command = redis::Cmd::new();
        command.arg(words);
        command.query(&mut client.get_connection()?)
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal, such as STOP.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Starts it again where it was, set otherwise.
    pub fn revive_with(&mut self, arguments: &[&str]) {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self.revive();
    }

    /// Starts it again where it was.
    pub fn revive(&mut self) {
        self.child = launch(self.port, self.folder.path(), &self.arguments).expect("it starts again");
    }
}

/// Starts a server and waits until it answers; `None` if it ends instead.
fn launch(port: u16, folder: &std::path::Path, arguments: &[String]) -> Option<Child> {
    // A configuration file, if there is one, comes first.
    let (file, flags) = match arguments.split_first() {
        Some((first, rest)) if !first.starts_with('-') => (Some(first), rest),
        _ => (None, arguments),
    };
    let mut child = Command::new(program())
        .args(file)
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--dir", &folder.display().to_string()])
        .args(flags)
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-server is needed: run deploy/test.sh, or set GATEPASS_REDIS_SERVER");
    for _ in 0..250 {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        let up = redis::Client::open(format!("redis://127.0.0.1:{port}/"))
            .and_then(|client| client.get_connection())
            .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
        if up.is_ok() {
            return Some(child);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().ok();
    child.wait().unwrap();
    None
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A file of `deploy/`.
pub fn deployed(name: &str) -> String {
    format!("{}/../../deploy/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn program() -> PathBuf {
    std::env::var_os("GATEPASS_REDIS_SERVER").map_or_else(|| "redis-server".into(), PathBuf::from)
}

/// A port below the ephemeral range that nobody listens on. Each call of this process tries others.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::from_le_bytes(random_bytes::<2>(&System as &dyn Rng).unwrap());
    loop {
        let port = 12_000 + start.wrapping_add(NEXT.fetch_add(7, Ordering::Relaxed)) % 20_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
