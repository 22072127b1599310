//! Faults on the way to Redis: an answer that is lost, a server that is silent or busy. What was asked happened once
//! or not at all, whoever asked learns in time that they do not know, and then it works again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gatepass_core::handoff::Refusal;
use gatepass_core::member::Status;
use gatepass_core::store::redis::{Options, Redis};
use gatepass_core::store::{Events, Handoffs, Members, Sites};
use gatepass_core::trail::{Reading, Trail};
use gatepass_core::{SiteId, Store, StoreError};

use crate::stage::{Came, RedisServer, T0, Ticket, after, came, context, new_site, wanted};

/// Stands between the store and Redis. Every question is forwarded; answers are too, until none are left: the next
/// one is swallowed and its connection cut.
struct Proxy {
    port: u16,
    answers_left: Arc<AtomicI64>,
}

impl Proxy {
    fn start(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (port, answers_left) =
            (listener.local_addr().unwrap().port(), Arc::new(AtomicI64::new(i64::MAX)));
        let left = Arc::clone(&answers_left);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", server)) else { continue };
                let (from, to, left) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(&left));
                thread::spawn(move || forward(from, to, || true));
                thread::spawn(move || forward(server, client, || left.fetch_sub(1, Ordering::SeqCst) > 0));
            }
        });
        Self { port, answers_left }
    }

    fn answers_left(&self, number: i64) {
        self.answers_left.store(number, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, go_on: impl Fn() -> bool) {
    let mut buffer = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !go_on() || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}

async fn site_with_member(store: &Redis) -> SiteId {
    let site = new_site("default", "https://example.com");
    store.create_site(&site, T0, &context()).await.unwrap();
    let subject = "cust-1".parse().unwrap();
    store.put_member(site.id, &subject, &wanted(Status::Active), None, T0, &context()).await.unwrap();
    site.id
}

async fn issued(store: &Redis, site: SiteId) -> Ticket {
    let ticket = Ticket::new(site);
    store.issue(site, &ticket.handoff, &context()).await.unwrap();
    ticket
}

/// How often scripts were asked for, and how many of these times the server did not know the script.
fn scripts_run(server: &RedisServer) -> (u64, u64) {
    let info: String = server.query(&["INFO", "commandstats"]).unwrap();
    let line = info.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:")).unwrap();
    let field = |name: &str| {
        line.split(',').find_map(|field| field.strip_prefix(name)).map_or(0, |value| value.parse().unwrap())
    };
    (field("calls="), field("failed_calls="))
}

#[tokio::test]
async fn a_redemption_whose_answer_is_lost_happened_once_or_not_at_all() {
    let server = RedisServer::start();
    let proxy = Proxy::start(server.port());
    let store =
        Redis::connect(&format!("redis://127.0.0.1:{}/", proxy.port), &Options::default()).await.unwrap();
    let site = site_with_member(&store).await;
    // The script known: EVALSHA. Not known: EVALSHA is refused, SCRIPT LOAD, EVALSHA. Which answer is lost, and
    // whether the redemption has happened by then.
    for (known, answers, happened, asked) in
        [(true, 0, true, 1), (false, 0, false, 1), (false, 1, false, 1), (false, 2, true, 2)]
    {
        let ticket = issued(&store, site).await;
        let warm = issued(&store, site).await;
        store.redeem(site, &warm.presented, after(1), &context()).await.unwrap();
        if !known {
            server.command(&["SCRIPT", "FLUSH"]);
        }
        let before = scripts_run(&server).0;
        proxy.answers_left(answers);
        let answer = store.redeem(site, &ticket.presented, after(1), &context()).await;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
        let case = format!("script known: {known}, answer {answers} lost");
        assert_eq!(scripts_run(&server).0 - before, asked, "{case}");
        proxy.answers_left(i64::MAX);

        let again = came(store.redeem(site, &ticket.presented, after(2), &context()).await.unwrap());
        assert_eq!(again, if happened { Came::Repeated } else { Came::Redeemed }, "{case}");
        let thief = ticket.by_attempt(2);
        let stolen = came(store.redeem(site, &thief.presented, after(2), &context()).await.unwrap());
        assert_eq!(stolen, Came::Refused(Refusal::Used), "{case}");
        let events = store.events(&Trail::Site(site), Reading::After(0), 1000).await.unwrap();
        let of_ticket = events
            .iter()
            .filter(|event| event.kind == "handoff.redeemed" && event.handoff_id == Some(ticket.handoff.id));
        assert_eq!(of_ticket.count(), 1, "{case}");
    }
}

/// Asks 40 times at once, and for how long the last one waited.
async fn asked_at_once(store: &Arc<Redis>, site: SiteId) -> (Vec<Result<Option<()>, StoreError>>, Duration) {
    let (asked, mut askers) = (Instant::now(), tokio::task::JoinSet::new());
    for _ in 0..40 {
        let store = Arc::clone(store);
        askers.spawn(async move { store.site(site).await.map(|site| site.map(drop)) });
    }
    (askers.join_all().await, asked.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_redis_is_unavailable_in_time_to_everyone_and_then_works_again() {
    let server = RedisServer::start();
    let store = Arc::new(Redis::connect(&server.url(), &Options::default()).await.unwrap());
    let site = site_with_member(&store).await;
    server.signal("STOP");
    // First over connections that were there, then with new ones that nobody answers on: all of them for the same.
    for wave in 0..3 {
        let (answers, took) = asked_at_once(&store, site).await;
        assert!(
            answers.iter().all(|answer| matches!(answer, Err(StoreError::Unavailable(_)))),
            "{answers:?}"
        );
        assert!(took < Duration::from_secs(7), "in wave {wave} the last one waited for {took:?}");
    }
    server.signal("CONT");
    let (answers, _) = asked_at_once(&store, site).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(())))), "{answers:?}");
}

#[tokio::test]
async fn a_redis_busy_with_a_script_is_unavailable_and_then_works_again() {
    let server = RedisServer::start_with(&["--save", "", "--busy-reply-threshold", "100"]);
    let store = Redis::connect(&server.url(), &Options::default()).await.unwrap();
    let site = site_with_member(&store).await;
    let client = redis::Client::open(server.url()).unwrap();
    let slow = thread::spawn(move || {
        let mut connection = client.get_connection().unwrap();
        redis::cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut connection)
    });
    let busy = loop {
        if let Err(error) = store.site(site).await {
            break error;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(
        matches!(&busy, StoreError::Unavailable(why) if why.contains("BUSY") || why.contains("busy")),
        "{busy}"
    );
    server.command(&["SCRIPT", "KILL"]);
    slow.join().unwrap().unwrap_err();
    assert!(store.site(site).await.unwrap().is_some());
    store.ping().await.unwrap();
}
