//! Clients that are slow, greedy or speak nonsense, over bare sockets: each meets a bounded end, and nobody else
//! notices.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::raw::{Connection, request};
use gatepass_tests::redis::Redis;
use gatepass_tests::{PanelApi, Result};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Far more than anything here takes on an idle machine.
const LONG: Duration = Duration::from_secs(60);

fn start(flags: &[&str]) -> Result<(Gatepass, TempDir)> {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start_with(folder.path(), "sqlite", flags)?;
    Ok((gatepass, folder))
}

async fn assert_alive(url: &str) -> Result {
    let answer =
        timeout(LONG, Connection::open(url).await?.ask(request("GET", "/readyz", None, ""))).await??;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Ok(())
}

/// A request's head whose body is to follow.
fn head(path: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{framing}\r\n\r\n")
}

pub async fn whoever_keeps_gatepass_waiting_is_disconnected() -> Result {
    const PAIRINGS: &str = "/wp/v1/pairings";
    let (gatepass, _folder) = start(&["--keep-alive", "1"])?;
    let healthy = request("GET", "/healthz", None, "");
    let endless = format!("{}\r\nX: ", healthy.trim_end());
    let many = |request: &str| request.repeat(100);
    // First what is sent and answered, then what is sent again and again, then whether answers are read.
    let mut clients = JoinSet::new();
    for (what, asked, first, again, reads) in [
        ("says nothing", "", String::new(), String::new(), true),
        ("dribbles a head", "", endless.clone(), "y".to_owned(), true),
        ("dribbles a later head", healthy.as_str(), endless, "y".to_owned(), true),
        ("says nothing more", healthy.as_str(), String::new(), String::new(), true),
        ("dribbles a body", "", head(PAIRINGS, "Content-Length: 10000"), " ".to_owned(), true),
        ("dribbles chunks", "", head(PAIRINGS, "Transfer-Encoding: chunked"), "1\r\n \r\n".to_owned(), true),
        (
            "sends a refused body without end",
            "",
            head("/wp/v1/redemptions", "Transfer-Encoding: chunked"),
            format!("1000\r\n{}\r\n", " ".repeat(4096)),
            true,
        ),
        ("reads no answer", "", String::new(), many(&healthy), false),
        ("reads no answer without a body", "", String::new(), many(&healthy.replace("GET", "HEAD")), false),
    ] {
        let (mut connection, asked) = (Connection::open(&gatepass.url()).await?, asked.to_owned());
        clients.spawn(async move {
            let pause = Duration::from_millis(if reads { 200 } else { 1 });
            if !asked.is_empty() {
                connection.ask(asked).await?;
            }
            connection.send(first).await?;
            let lasted = connection.send_forever(again.as_bytes(), pause, reads, LONG).await;
            Result::Ok((what, lasted.map_err(|error| format!("who {what}: {error}"))?))
        });
    }
    while let Some(client) = clients.join_next().await {
        let (what, lasted) = client??;
        eprintln!("who {what} is cut off after {lasted:?}");
    }
    assert_alive(&gatepass.url()).await
}

pub async fn a_request_of_any_form_has_a_plain_end() -> Result {
    const PAIRINGS: &str = "/wp/v1/pairings";
    let (gatepass, _folder) = start(&["--keep-alive", "1"])?;
    let url = gatepass.url();
    let get = |path: &str, header: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n");
    let with = |header: &str| get("/healthz", header);
    let post = |framing: &str, body: &str| format!("{}{body}", head(PAIRINGS, framing));
    let chunked = |chunks: &str| post("Transfer-Encoding: chunked", chunks);
    let mut clients = JoinSet::new();
    for (what, sent, status, code) in [
        ("a header of 20 KB", with(&format!("X: {}", "x".repeat(20_000))), 431, "header_too_large"),
        (
            "a header of 20 KB in lines",
            with(&vec![format!("X: {}", "x".repeat(400)); 50].join("\r\n")),
            431,
            "header_too_large",
        ),
        ("a header of 200 KB", with(&format!("X: {}", "x".repeat(200_000))), 431, ""),
        ("a header without an end", format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(200_000)), 431, ""),
        ("a thousand header lines", with(&["X: y"; 1000].join("\r\n")), 431, ""),
        ("an address of 3 KB", get(&format!("/{}", "x".repeat(3000)), ""), 414, "uri_too_long"),
        ("a query of 3 KB", get(&format!("/healthz?{}", "x".repeat(3000)), ""), 414, "uri_too_long"),
        ("an address of 70 KB", get(&format!("/{}", "x".repeat(70_000)), ""), 400, ""),
        ("no HTTP", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}".to_owned(), 400, ""),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, ""),
        ("HTTP/0.9", "GET /\r\n\r\n".to_owned(), 400, ""),
        ("no host", "GET /healthz HTTP/1.1\r\n\r\n".to_owned(), 400, ""),
        ("two hosts", with("Host: y"), 400, ""),
        ("a zero byte", with("X: a\0b"), 400, ""),
        ("a folded line", with("X: a\r\n b"), 400, ""),
        ("a space before the colon", with("X : a"), 400, ""),
        ("length and chunks", post("Content-Length: 2\r\nTransfer-Encoding: chunked", "0\r\n\r\n"), 400, ""),
        ("two lengths", post("Content-Length: 2\r\nContent-Length: 3", "{} "), 400, ""),
        ("two equal lengths", post("Content-Length: 2\r\nContent-Length: 2", "{}"), 400, ""),
        ("a negative length", post("Content-Length: -1", "{}"), 400, ""),
        ("a signed length", post("Content-Length: +2", "{}"), 400, ""),
        ("no number as length", post("Content-Length: 0x2", "{}"), 400, ""),
        ("another coding", post("Transfer-Encoding: gzip", "{}"), 400, ""),
        ("chunks last but one", post("Transfer-Encoding: chunked, identity", "0\r\n\r\n"), 400, ""),
        (
            "chunks twice",
            post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
            400,
            "",
        ),
        ("a length of a gigabyte", post("Content-Length: 1000000000", "{"), 413, "payload_too_large"),
        ("a length beyond numbers", post("Content-Length: 99999999999999999999", "{}"), 400, ""),
        (
            "chunks of 20 KB",
            chunked(&format!("4e20\r\n{}\r\n0\r\n\r\n", " ".repeat(20_000))),
            413,
            "payload_too_large",
        ),
        (
            "many small chunks",
            chunked(&format!("{}0\r\n\r\n", "1\r\n \r\n".repeat(20_000))),
            413,
            "payload_too_large",
        ),
        ("a chunk of no length", chunked("zz\r\n{}\r\n0\r\n\r\n"), 400, "malformed_request"),
        ("a chunk beyond numbers", chunked("fffffffffffffffff\r\n{}\r\n"), 400, "malformed_request"),
        ("a body that breaks off", post("Content-Length: 100", "{}"), 400, "malformed_request"),
        ("chunks that break off", chunked("5\r\n{}"), 400, "malformed_request"),
        (
            "more than was announced",
            post("Content-Length: 2", "{}{\"admin\": true}"),
            422,
            "validation_failed",
        ),
        ("an upgrade", with("Connection: Upgrade\r\nUpgrade: websocket"), 200, ""),
        (
            "an unknown method",
            "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
            405,
            "method_not_allowed",
        ),
    ] {
        let mut connection = Connection::open(&url).await?;
        clients.spawn(async move {
            // It may be closed while we are still sending.
            let _ = connection.send(&sent).await;
            if what.contains("break") {
                connection.finish().await?;
            }
            let wrong = |error| format!("{what}: {error}");
            let answer = timeout(LONG, connection.answer()).await?.map_err(wrong)?;
            let answer = answer.ok_or(format!("{what}: no answer"))?;
            if answer.status != status || !answer.body.contains(code) {
                return Err(format!("{what}: {} {}", answer.status, answer.body).into());
            }
            // What follows is no second request that was smuggled in, and the end comes.
            let rest = connection.until_closed(LONG).await.map_err(wrong)?;
            if rest.contains("HTTP/1.1 2") { Err(format!("{what}: {rest}").into()) } else { Result::Ok(()) }
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let log = std::fs::read_to_string(gatepass.log())?;
    assert!(!log.contains("ERROR") && !log.contains("panic"), "strangers write errors into the log: {log}");
    assert_alive(&url).await
}

pub async fn idle_connections_lock_nobody_out() -> Result {
    let (gatepass, _folder) = start(&["--max-connections", "40"])?;
    let url = gatepass.url();
    let healthy = request("GET", "/healthz", None, "");
    let mut early = Connection::open(&url).await?;
    early.ask(&healthy).await?;

    let attacker: IpAddr = [127, 0, 0, 2].into();
    let mut idle = Vec::new();
    for nth in 0..300 {
        let mut connection = Connection::open_from(attacker, &url).await?;
        // Silent, in mid-head, or after a request.
        let sent = [String::new(), "GET / HTTP/1.1\r\nX: ".to_owned(), healthy.clone()];
        connection.send(&sent[nth % 3]).await?;
        idle.push(connection);
    }
    let asked = Instant::now();
    assert_alive(&url).await?;
    // The first idle ones time out after 10 seconds: this must not be what made room.
    assert!(asked.elapsed() < Duration::from_secs(8), "the honest one waited for {:?}", asked.elapsed());
    assert_eq!(early.ask(&healthy).await?.status, 200, "the honest one was disconnected for the attacker");

    // Behind a proxy that nobody named all have one address: the newest is served.
    assert_eq!(Connection::open_from(attacker, &url).await?.ask(&healthy).await?.status, 200);
    let mut open = 0;
    for mut connection in idle {
        open += usize::from(connection.until_closed(Duration::from_millis(20)).await.is_err());
    }
    assert!(open <= 40, "{open} connections of the attacker are open");
    Ok(())
}

pub async fn slow_bodies_lock_nobody_out() -> Result {
    let (gatepass, _folder) = start(&["--max-requests", "2"])?;
    let mut slow = Vec::new();
    for _ in 0..20 {
        let mut connection = Connection::open(&gatepass.url()).await?;
        connection.send(head("/wp/v1/pairings", "Content-Length: 100")).await?;
        connection.send("{").await?;
        slow.push(connection);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut honest = Connection::open(&gatepass.url()).await?;
    for _ in 0..10 {
        let answer = honest.ask(request("GET", "/v1/sites", None, "")).await?;
        assert_eq!(answer.status, 401, "{}", answer.body);
    }
    drop(slow);
    Ok(())
}

pub async fn more_work_than_can_be_done_is_shed_and_health_is_answered() -> Result {
    let folder = tempfile::tempdir()?;
    let redis = Redis::start(&folder.path().join("redis"))?;
    let flags = ["--max-requests", "2"];
    let gatepass = Gatepass::start_with(&folder.path().join("gatepass"), &redis.url(), &flags)?;
    let api = PanelApi::new(&gatepass.url(), "", &gatepass.add_client("panel")?);
    let list = request("GET", "/v1/sites", Some(api.key()), "");
    let url = gatepass.url();
    assert_eq!(Connection::open(&url).await?.ask(&list).await?.status, 200);

    redis.pause()?;
    let mut panels = JoinSet::new();
    for _ in 0..20 {
        let (list, url) = (list.clone(), url.clone());
        panels.spawn(async move { Connection::open(&url).await?.ask(list).await });
    }
    let alive = Connection::open(&url).await?.ask(request("GET", "/healthz", None, "")).await?;
    assert_eq!(alive.status, 200);
    let ready = Connection::open(&url).await?.ask(request("GET", "/readyz", None, "")).await?;
    assert!(ready.body.contains("store_unavailable"), "{}", ready.body);
    let mut shed = 0;
    while let Some(answer) = panels.join_next().await {
        let answer = answer??;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.head.contains("retry-after: "), "{}", answer.head);
        assert!(answer.body.contains("request_id"), "{}", answer.body);
        shed += usize::from(answer.body.contains("\"overloaded\""));
    }
    assert!((1..20).contains(&shed), "{shed} of 20 were shed");
    redis.resume()?;

    let deadline = Instant::now() + LONG;
    while Connection::open(&url).await?.ask(&list).await?.status != 200 {
        assert!(Instant::now() < deadline, "places are not given back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

pub async fn pipelined_requests_are_answered_in_order_up_to_a_bound() -> Result {
    let (gatepass, _folder) = start(&[])?;
    // A problem says as well as an answer that it is the last one.
    for path in ["/healthz", "/nowhere"] {
        ask_to_the_bound(&gatepass, path).await?;
    }
    Ok(())
}

async fn ask_to_the_bound(gatepass: &Gatepass, path: &str) -> Result {
    let mut connection = Connection::open(&gatepass.url()).await?;
    let nth = |n: usize| format!("GET {path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: nth-{n}\r\n\r\n");
    let mut answered = 0;
    for _ in 0..20 {
        connection.send((answered..answered + 50).map(nth).collect::<String>()).await?;
        for _ in 0..50 {
            let answer = connection.answer().await?.ok_or("the connection was closed")?;
            assert!(answer.head.contains(&format!("x-request-id: nth-{answered}\r")), "{}", answer.head);
            answered += 1;
            assert_eq!(answer.closes(), answered == 1000, "{answered}");
        }
    }
    assert!(connection.until_closed(LONG).await?.is_empty());
    Ok(())
}
