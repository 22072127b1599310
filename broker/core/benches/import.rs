//! How long it takes to put 100,000 members into Redis, beside the least that it could take: the same bytes in bare
//! `HSET` and `ZADD`, pipelined, without a decision or an event.
//!
//! `cargo test -p gatepass-core --bench import [-- MEMBERS]`, or `cargo bench` of the same; `GATEPASS_REDIS_SERVER` says
//! where `redis-server` is. Both are done in turn on one server, so that a machine that gets slower gets slower for both;
//! quote the ratio.
#![expect(clippy::unwrap_used, clippy::cast_precision_loss, reason = "a program that measures")]

use std::io;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use gatepass_core::clock::System;
use gatepass_core::event::{Actor, Context};
use gatepass_core::heartbeat::Pulse;
use gatepass_core::member::{Consent, Membership, Status, Wanted};
use gatepass_core::site::{Policy, Site};
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::store::{MemberPut, Members, Sites};
use gatepass_core::{Clock, SiteId, Subject};
use redis::aio::MultiplexedConnection;

const ROUNDS: usize = 3;
/// How many are sent at once where nobody decides.
const AT_ONCE: usize = 200;

#[tokio::main]
async fn main() {
    let count = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let server = Server::start().unwrap();
    let url = format!("redis://127.0.0.1:{}/", server.port);
    let store = Redis::connect(&url, &Options::default()).await.unwrap();
    let client = redis::Client::open(url).unwrap();
    let mut bare = client.get_multiplexed_async_connection().await.unwrap();
    let members: Vec<_> = (0..count).map(member).collect();
    for round in 0..ROUNDS {
        let least = put_barely(&mut bare, &members, round).await;
        let took = put(&store, &members, round).await;
        let ratio = took.as_secs_f64() / least.as_secs_f64();
        let rate = count as f64 / took.as_secs_f64();
        println!(
            "{count} members: put in {took:.2?} ({rate:.0} a second), barely written in {least:.2?}, ratio {ratio:.2}"
        );
    }
}

fn member(number: usize) -> (Subject, Wanted) {
    let wanted = Wanted {
        email: format!("customer-{number}@example.com"),
        email_verified: true,
        username: None,
        display_name: format!("Customer {number}"),
        first_name: "Mia".to_owned(),
        last_name: "Lindqvist".to_owned(),
        locale: "de_DE".to_owned(),
        roles: vec!["subscriber".to_owned()],
        membership: Membership {
            status: Status::Active,
            plan: Some("gold".to_owned()),
            valid_until: Some(System.now().plus(Duration::from_secs(30 * 86_400))),
            grace_until: None,
        },
        consent: Consent { marketing_opt_in: true, ..Consent::default() },
    };
    (format!("cust-{number}").parse().unwrap(), wanted)
}

async fn put(store: &Redis, members: &[(Subject, Wanted)], round: usize) -> Duration {
    let now = System.now();
    let site = Site {
        id: SiteId::generate(now, &System).unwrap(),
        tenant: "default".parse().unwrap(),
        origin: format!("https://{round}.example").parse().unwrap(),
        created_at: now,
        policy: Policy::default(),
        paired: None,
        pulse: Pulse::default(),
    };
    let context = Context::new("req-1".parse().unwrap(), Actor::Operator);
    store.create_site(&site, now, &context).await.unwrap();
    let began = Instant::now();
    let came = store.put_members(site.id, members, now, &context).await.unwrap();
    let took = began.elapsed();
    assert!(came.iter().all(|came| matches!(came, MemberPut::Created(_))));
    took
}

async fn put_barely(
    connection: &mut MultiplexedConnection,
    members: &[(Subject, Wanted)],
    round: usize,
) -> Duration {
    let (site, began) = (SiteId::generate(System.now(), &System).unwrap(), Instant::now());
    for (index, some) in members.chunks(AT_ONCE).enumerate() {
        let mut pipeline = redis::pipe();
        for (number, (subject, wanted)) in some.iter().enumerate() {
            let doc = serde_json::to_string(wanted).unwrap();
            let position = index * AT_ONCE + number;
            pipeline
                .hset(format!("bare:{{{site}}}:{round}:m:{subject}"), "doc", doc)
                .ignore()
                .zadd(format!("bare:{{{site}}}:{round}:members"), subject.as_str(), position)
                .ignore();
        }
        let () = pipeline.query_async(connection).await.unwrap();
    }
    began.elapsed()
}

/// A `redis-server` of its own that keeps an append-only file, as `deploy/redis.conf` has it.
struct Server {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start() -> io::Result<Self> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let folder = tempfile::tempdir()?;
        let program = std::env::var_os("GATEPASS_REDIS_SERVER").unwrap_or_else(|| "redis-server".into());
        let child = Command::new(program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"])
            .args(["--maxmemory-policy", "noeviction", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()?;
        let server = Self { child, port, _folder: folder };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
