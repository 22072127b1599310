//! How Redis is set: refused at start, or named loudly. Each case on a real server that is set so.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gatepass_core::Store;
use gatepass_core::store::redis::{Options, Redis};
use tracing_subscriber::fmt::MakeWriter;

use crate::faults::wait;
use crate::stage::{RedisServer, free_port};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Takes what this thread logs from now on.
    fn start() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let to = tracing_subscriber::fmt().with_ansi(false).with_writer(log.clone()).finish();
        (log, tracing::subscriber::set_default(to))
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;
    fn make_writer(&self) -> Self {
        self.clone()
    }
}

async fn refused(url: &str) -> String {
    Redis::connect(url, &Options::default()).await.unwrap_err().to_string()
}

/// Connects, and says what was logged of it.
async fn named(url: &str, options: &Options) -> String {
    let (log, _guard) = Log::start();
    Redis::connect(url, options).await.unwrap().ping().await.unwrap();
    log.text()
}

#[tokio::test]
async fn a_redis_that_must_not_be_used_is_refused_with_what_to_change() {
    let evicting = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let error = refused(&evicting.url()).await;
    assert!(error.contains("allkeys-lru") && error.contains("noeviction"), "{error}");
    // Nor does hiding the settings help it.
    evicting.command(&["ACL", "SETUSER", "rented", "on", ">pw", "~*", "+@all", "-config"]);
    let error = refused(&evicting.url_of("rented:pw")).await;
    assert!(error.contains("allkeys-lru"), "{error}");

    let cluster = RedisServer::start_with(&["--cluster-enabled", "yes"]);
    let error = refused(&cluster.url()).await;
    assert!(error.contains("cluster mode"), "{error}");

    let primary = RedisServer::start();
    let replica = RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {}", primary.port())]);
    wait("the replica follows", || {
        let info = replica.query::<String>(&["INFO", "replication"]);
        info.is_ok_and(|info| info.contains("master_link_status:up"))
    });
    let error = refused(&replica.url()).await;
    assert!(error.contains("replica"), "{error}");
}

#[tokio::test]
async fn a_user_without_the_rights_that_it_takes_is_refused_with_what_to_allow() {
    let server = RedisServer::start();
    let options = Options { wait_replicas: 1, ..Options::default() };
    for (name, lacks, options, says) in [
        ("blind", "-info", &Options::default(), "+info"),
        ("mute", "-evalsha", &Options::default(), "evalsha"),
        ("hasty", "-wait", &options, "+wait"),
    ] {
        server.command(&["ACL", "SETUSER", name, "on", ">hunter2", "~*", "+@all", lacks]);
        let url = server.url_of(&format!("{name}:hunter2"));
        let error = Redis::connect(&url, options).await.unwrap_err().to_string();
        assert!(error.contains(says) && !error.contains("hunter2"), "{error}");
    }
    let error = refused(&server.url_of("nobody:hunter2")).await;
    assert!(error.contains("user or password") && !error.contains("hunter2"), "{error}");
    server.command(&["ACL", "SETUSER", "default", "resetpass", ">hunter2"]);
    let error = refused(&server.url()).await;
    assert!(error.contains("wants a password"), "{error}");
}

/// On loopback a real Redis is never in protected mode, so this one only does what it does: says so, and hangs up.
#[tokio::test]
async fn protected_mode_is_named() {
    let port = free_port();
    let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            client
                .write_all(b"-DENIED Redis is running in protected mode because no password is set.\r\n")
                .ok();
        }
    });
    let error = refused(&format!("redis://127.0.0.1:{port}/")).await;
    assert!(error.contains("protected mode, give it"), "{error}");
}

#[tokio::test]
async fn what_is_unwise_is_named_and_what_is_well_set_is_not() {
    let good = RedisServer::start_with(&["--appendonly", "yes"]);
    assert_eq!(named(&good.url(), &Options::default()).await, "");
    let waiting = Options { wait_replicas: 1, ..Options::default() };
    let log = named(&good.url(), &waiting).await;
    assert!(log.contains("0 of its replicas are connected, and wait-replicas is 1"), "{log}");
    good.command(&["ACL", "SETUSER", "rented", "on", ">pw", "~*", "+@all", "-config"]);
    let log = named(&good.url_of("rented:pw"), &Options::default()).await;
    assert!(log.contains("CONFIG GET"), "{log}");

    let forgetful = RedisServer::start();
    let log = named(&forgetful.url(), &Options::default()).await;
    assert!(log.contains("keeps nothing over a restart"), "{log}");

    let sentinel = RedisServer::start_sentinel(good.port());
    let url = format!("redis+sentinel://127.0.0.1:{}/gatepass", sentinel.port());
    let log = named(&url, &Options::default()).await;
    assert!(log.contains("min-replicas-to-write is 0"), "{log}");
    good.command(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    assert_eq!(named(&url, &Options::default()).await, "");
}

#[tokio::test]
async fn a_server_that_comes_later_is_looked_at_too_once() {
    let (log, _guard) = Log::start();
    let mut server = RedisServer::start_with(&["--appendonly", "yes"]);
    let store = Redis::connect(&server.url(), &Options::default()).await.unwrap();
    server.kill();
    server.revive_with(&["--appendonly", "yes", "--maxmemory-policy", "volatile-ttl"]);
    let since = Instant::now();
    let problem = "must not be used any longer: maxmemory-policy is volatile-ttl";
    while !log.text().contains(problem) {
        assert!(since.elapsed() < Duration::from_secs(20), "nobody looked: {}", log.text());
        store.ping().await.ok();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // It goes on, and cut off from the same server it does not say so again.
    for _ in 0..3 {
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        while store.ping().await.is_err() {}
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(log.text().matches(problem).count(), 1, "{}", log.text());
}
