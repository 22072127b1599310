//! Members as a panel sees them: put, changed, listed, removed, imported, and what WordPress made of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use gatepass_core::Timestamp;
use gatepass_core::change::Session;
use gatepass_tests::raw::Connection;
use gatepass_tests::{Result, api};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::delivery::Poked;

pub async fn one_field_group_is_changed_and_the_rest_stays() -> Result {
    let poked = Poked::start().await?;
    let panel = &poked.api;
    let mut member = api::member("mia");
    member["membership"]["valid_until"] = json!("2040-01-01T00:00:00Z");
    panel.put("mia", &member).await?.ok()?;

    let changed =
        panel.patch_membership("mia", &json!({ "status": "canceled", "valid_until": null })).await?;
    assert_eq!(changed.status, StatusCode::OK);
    assert_eq!(
        changed.body["membership"],
        json!({ "status": "canceled", "plan": "test", "valid_until": null, "grace_until": null })
    );
    assert_eq!((&changed.body["email"], &changed.body["allowed"]), (&member["email"], &json!(false)));
    let again = panel.patch_membership("mia", &json!({ "status": "canceled" })).await?;
    assert_eq!(again.body["revision"], changed.body["revision"]);

    for (changes, field) in [
        (json!({ "status": null }), "status"),
        (json!({ "status": "gold" }), "status"),
        (json!({ "status": "past_due" }), "grace_until"),
        (json!({ "plan": "x".repeat(101) }), "plan"),
        (json!({ "email": "a@example.com" }), "email"),
    ] {
        let refused = panel.patch_membership("mia", &changes).await?;
        assert_eq!(refused.code(), "validation_failed", "{changes}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{changes}: {}", refused.body);
    }
    assert_eq!(panel.patch_membership("nobody", &json!({})).await?.code(), "member_not_found");
    Ok(())
}

pub async fn a_cancellation_is_not_refused_for_a_role_that_is_no_longer_allowed() -> Result {
    let poked = Poked::start().await?;
    let mut member = api::member("mia");
    member["roles"] = json!(["customer"]);
    poked.api.put("mia", &member).await?.ok()?;
    poked.gatepass.command(&["site", "set", &poked.code.site, "--allow-role", "subscriber"])?;
    let began = Instant::now();
    while poked.api.put("mia", &member).await?.code() != "validation_failed" {
        assert!(began.elapsed() < Duration::from_secs(10), "the role stays allowed");
    }
    poked.api.patch_membership("mia", &json!({ "status": "canceled" })).await?.ok()?;
    Ok(())
}

pub async fn of_changes_at_once_none_is_lost() -> Result {
    let poked = Poked::start().await?;
    poked.api.put("mia", &api::member("mia")).await?.ok()?;
    let (plan, until) = (json!({ "plan": "gold" }), json!({ "valid_until": "2040-01-01T00:00:00Z" }));
    for _ in 0..10 {
        poked.api.put("mia", &api::member("mia")).await?.ok()?;
        let both =
            tokio::join!(poked.api.patch_membership("mia", &plan), poked.api.patch_membership("mia", &until));
        both.0?.ok()?;
        both.1?.ok()?;
        let now = poked.api.member("mia").await?.ok()?;
        assert_eq!(now["membership"]["plan"], "gold");
        assert_eq!(now["membership"]["valid_until"], until["valid_until"]);
    }
    Ok(())
}

pub async fn what_wordpress_made_of_it_is_waited_for_and_shown() -> Result {
    let poked = Poked::start().await?;
    let (panel, follower) = (&poked.api, &mut poked.follower().await?);
    let member = api::member("mia");
    let put = async {
        let put = panel.put_and_wait("mia", &member, 10).await;
        assert!(poked.site.pokes.count() > 0);
        put
    };
    let (put, done) = tokio::join!(put, async {
        poked.site.pokes.wait_for(0, Duration::from_secs(8)).await;
        follower.follow(7, &[]).await
    });
    let put = put?;
    done?;
    assert_eq!((put.status, put.sync()), (StatusCode::CREATED, "synced"), "{}", put.body);
    assert_eq!(
        (&put.body["sync"]["wordpress_user_id"], put.applied.as_deref()),
        (&json!(7), Some("wait=10"))
    );

    // What is as it was needs no waiting.
    let again = panel.put_and_wait("mia", &member, 10).await?;
    assert_eq!((again.status, again.sync()), (StatusCode::OK, "synced"));

    let gold = json!({ "plan": "gold" });
    let (taken, refused) =
        tokio::join!(panel.waiting(Method::PATCH, "/members/mia/membership", Some(&gold), 10), async {
            while follower.refuse("email_taken", "another account has this address").await? == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
        });
    refused?;
    let taken = taken?;
    assert_eq!((taken.status, taken.sync()), (StatusCode::OK, "failed"), "{}", taken.body);
    assert_eq!(taken.body["sync"]["error"]["code"], "email_taken");
    let listed = panel.members("sync=failed").await?;
    assert_eq!(listed["members"][0]["subject"], "mia");
    let shown = poked.gatepass.command(&["member", "show", &poked.site.url, "mia"])?;
    assert!(shown.contains("email_taken"), "{shown}");
    let shown: Value = serde_json::from_str(&poked.gatepass.command(&["site", "show", &poked.code.site])?)?;
    assert_eq!(
        (&shown["failed"]["count"], &shown["failed"]["members"][0]["subject"]),
        (&json!(1), &json!("mia"))
    );

    let (retried, done) = tokio::join!(panel.waiting(Method::POST, "/members/mia/sync", None, 10), async {
        while follower.follow(7, &[]).await? == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
    });
    done?;
    assert_eq!(retried?.sync(), "synced");
    Ok(())
}

pub async fn nobody_waits_longer_than_it_takes_or_than_they_asked() -> Result {
    let mut poked = Poked::start().await?;
    let panel = poked.api.clone();
    let began = Instant::now();
    let put = panel.put_and_wait("mia", &api::member("mia"), 2).await?;
    assert_eq!(
        (put.status, put.sync(), put.applied.as_deref()),
        (StatusCode::CREATED, "pending", Some("wait=2"))
    );
    assert!(began.elapsed() >= Duration::from_secs(2));

    // A stop ends the wait, and its answer still comes.
    let put = tokio::spawn(async move { panel.put_and_wait("ben", &api::member("ben"), 10).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    poked.gatepass.service().stop();
    let put = put.await??;
    assert_eq!((put.status, put.sync()), (StatusCode::CREATED, "pending"));
    assert!(began.elapsed() < Duration::from_secs(8), "it took {:?}", began.elapsed());
    Ok(())
}

pub async fn a_thousand_who_wait_starve_nobody() -> Result {
    const WAITING: usize = 1000;
    let poked = Poked::start_with(&["--limit-member", "0", "--max-connections", "2000"]).await?;
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..WAITING {
        let panel = poked.api.clone();
        let subject = format!("mia-{number}");
        waiting.spawn(async move { panel.put_and_wait(&subject, &api::member(&subject), 5).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (mut slowest, began) = (Duration::ZERO, Instant::now());
    while began.elapsed() < Duration::from_secs(3) {
        let asked = Instant::now();
        let answer = poked.api.call(Method::GET, &format!("/v1/sites/{}", poked.code.site), None).await?;
        assert!(answer.status == StatusCode::OK || answer.code() == "overloaded", "{}", answer.body);
        slowest = slowest.max(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (mut honoured, mut shed) = (0, 0);
    while let Some(put) = waiting.join_next().await {
        let put = put??;
        honoured += usize::from(put.applied.is_some());
        shed += usize::from(put.code() == "overloaded");
    }
    println!("{honoured} of {WAITING} waited, {shed} were shed; others waited for up to {slowest:?}");
    assert!((1..=WAITING / 2).contains(&honoured), "{honoured} waited");
    Ok(())
}

fn session() -> Session {
    Session {
        id: "0123456789abcdef".to_owned(),
        started_at: Timestamp::from_secs(1_790_000_000),
        expires_at: Timestamp::from_secs(1_790_100_000),
        client_ip: "192.0.2.7".parse().ok(),
        user_agent: "Firefox".to_owned(),
        handoff_id: None,
        on_behalf: false,
    }
}

pub async fn sessions_are_asked_for_and_ended() -> Result {
    let poked = Poked::start().await?;
    let (panel, follower) = (&poked.api, &mut poked.follower().await?);
    panel.put("mia", &api::member("mia")).await?.ok()?;
    follower.follow(7, &[]).await?;
    let sessions = [session()];
    let (asked, done) = tokio::join!(
        panel.site_call(Method::GET, "/members/mia/sessions", None),
        follower.follow_for(Duration::from_secs(2), 7, &sessions)
    );
    done?;
    let told = asked?.ok()?;
    assert_eq!(told["sessions"], json!(sessions), "{told}");
    assert!(told["as_of"].is_string());

    // A site that does not say anything.
    let silent = panel.site_call(Method::GET, "/members/mia/sessions", None).await?;
    assert_eq!((silent.status, silent.code()), (StatusCode::GATEWAY_TIMEOUT, "site_unreachable"));
    follower.follow(7, &[]).await?;

    let (ended, done) = tokio::join!(
        panel.waiting(Method::DELETE, "/members/mia/sessions", None, 10),
        follower.follow_for(Duration::from_secs(2), 7, &[])
    );
    done?;
    let ended = ended?;
    assert_eq!(
        (ended.status, ended.sync(), &ended.body["subject"]),
        (StatusCode::OK, "synced", &json!("mia"))
    );
    for (method, path) in [
        (Method::GET, "/members/nobody/sessions"),
        (Method::DELETE, "/members/nobody/sessions"),
        (Method::POST, "/members/nobody/sync"),
    ] {
        assert_eq!(panel.site_call(method, path, None).await?.code(), "member_not_found", "{path}");
    }
    Ok(())
}

pub async fn a_removed_member_is_no_more_and_can_come_back() -> Result {
    let poked = Poked::start().await?;
    let (panel, follower) = (&poked.api, &mut poked.follower().await?);
    assert_eq!(panel.remove("mia").await?.code(), "member_not_found");
    let put = panel.put("mia", &api::member("mia")).await?.ok()?;
    let removed = panel.remove("mia").await?;
    assert_eq!((removed.status, removed.sync()), (StatusCode::OK, "pending"));
    assert_eq!(removed.body["subject"], "mia");
    let again = panel.remove("mia").await?;
    assert_eq!((again.status, again.sync()), (StatusCode::OK, "pending"));
    assert_eq!(panel.member("mia").await?.code(), "member_not_found");
    assert_eq!(panel.try_issue(&json!({ "subject": "mia" })).await?.code(), "member_not_found");
    assert_eq!(panel.members("").await?, json!({ "members": [], "next_cursor": null }));
    assert_eq!(panel.export().await?, "");
    follower.follow(7, &[]).await?;
    assert_eq!(panel.remove("mia").await?.sync(), "synced");
    let anew = panel.put("mia", &api::member("mia")).await?;
    assert_eq!(anew.status, StatusCode::CREATED);
    assert!(anew.body["revision"].as_u64() > put["revision"].as_u64());
    Ok(())
}

/// Reads all pages, changing a member after each.
async fn read_all(poked: &Poked, query: &str) -> Result<BTreeMap<String, Value>> {
    let (mut found, mut cursor, mut pages) = (BTreeMap::new(), 0, 0);
    loop {
        let page = poked.api.members(&format!("{query}&limit=7&cursor={cursor}")).await?;
        for member in page["members"].as_array().ok_or("no members")? {
            found.insert(member["subject"].as_str().unwrap_or_default().to_owned(), member.clone());
        }
        let Some(next) = page["next_cursor"].as_u64() else { return Ok(found) };
        assert!(next > cursor, "the cursor goes back");
        cursor = next;
        pages += 1;
        if pages < 20 {
            let plan = json!({ "plan": format!("plan-{pages}") });
            poked.api.patch_membership(&format!("mia-{pages}"), &plan).await?.ok()?;
        }
    }
}

pub async fn the_list_misses_nobody_while_members_change() -> Result {
    const MEMBERS: usize = 60;
    let poked = Poked::start().await?;
    for number in 0..MEMBERS {
        let status = if number % 3 == 0 { "paused" } else { "active" };
        poked.api.put_status(&format!("mia-{number}"), status).await?;
    }
    assert_eq!(read_all(&poked, "").await?.len(), MEMBERS);
    let paused = read_all(&poked, "status=paused").await?;
    assert_eq!(paused.len(), MEMBERS / 3);
    assert!(paused.values().all(|member| member["membership"]["status"] == "paused"));
    assert_eq!(read_all(&poked, "sync=pending").await?.len(), MEMBERS);
    assert_eq!(read_all(&poked, "sync=synced&status=active").await?.len(), 0);
    for (query, field) in [
        ("status=gold", "status"),
        ("sync=done", "sync"),
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
        ("limit=501", "limit"),
    ] {
        let refused = poked.api.site_call(Method::GET, &format!("/members?{query}"), None).await?;
        assert_eq!(
            (refused.code(), &refused.body["errors"][0]["field"]),
            ("validation_failed", &json!(field))
        );
    }
    Ok(())
}

pub async fn one_tenant_sees_and_changes_nothing_of_anothers() -> Result {
    let poked = Poked::start().await?;
    poked.api.put("mia", &api::member("mia")).await?.ok()?;
    let other = poked.gatepass.command(&["client", "add", "other", "--tenant", "other"])?;
    let reader = poked.gatepass.command(&["client", "add", "reader", "--scope", "members:read"])?;
    let writer = poked.gatepass.command(&["client", "add", "writer", "--scope", "members:write"])?;
    let calls = [
        (Method::GET, "/members", None, false),
        (Method::GET, "/members:export", None, false),
        (Method::GET, "/members/mia", None, false),
        (Method::PUT, "/members/mia", Some(api::member("mia")), true),
        (Method::PATCH, "/members/mia/membership", Some(json!({ "plan": "gold" })), true),
        (Method::POST, "/members/mia/sync", None, true),
        (Method::DELETE, "/members/mia/sessions", None, true),
        (Method::DELETE, "/members/mia", None, true),
    ];
    for (method, path, body, writes) in calls {
        let foreign = poked.api.with_key(other.trim()).site_call(method.clone(), path, body.as_ref()).await?;
        assert_eq!(
            (foreign.status, foreign.code()),
            (StatusCode::NOT_FOUND, "site_not_found"),
            "{method} {path}"
        );
        let without = if writes { &reader } else { &writer };
        let scoped =
            poked.api.with_key(without.trim()).site_call(method.clone(), path, body.as_ref()).await?;
        assert_eq!(scoped.code(), "insufficient_scope", "{method} {path}");
    }
    assert_eq!(poked.api.with_key(other.trim()).import("").await?.code(), "site_not_found");
    assert_eq!(poked.api.with_key(reader.trim()).import("").await?.code(), "insufficient_scope");
    assert_eq!(poked.api.member("mia").await?.status, StatusCode::OK);
    Ok(())
}

fn line(subject: &str, email: &str) -> String {
    json!({ "subject": subject, "email": email, "membership": { "status": "active" } }).to_string()
}

/// 2,000 lines, every hundredth bad in one way or another.
fn lines() -> Vec<Vec<u8>> {
    (1..=2000)
        .map(|number: usize| match number % 1000 {
            100 => b"rubbish".to_vec(),
            200 => line(&format!("mia-{number}"), "no address").into_bytes(),
            300 => line("a b", "a@example.com").into_bytes(),
            400 => b"{\"subject\":\"\xff\xfe\"}".to_vec(),
            500 => vec![b'x'; 100_000],
            600 => line(&format!("mia-{number}"), "a@example.com").replace('}', ",\"admin\":1}").into_bytes(),
            700 => json!({ "email": "a@example.com", "membership": { "status": "active" } })
                .to_string()
                .into_bytes(),
            // The one before once more, with another address.
            800 => line(&format!("mia-{}", number - 1), &format!("new-{number}@example.com")).into_bytes(),
            900 => b"[]".to_vec(),
            0 => format!("{} ", line(&format!("mia-{number}"), "last@example.com")).into_bytes(),
            _ => line(&format!("mia-{number}"), &format!("mia-{number}@example.com")).into_bytes(),
        })
        .collect()
}

fn assert_report(report: &Value) {
    let counts = |name: &str| report[name].as_u64().unwrap_or_default();
    assert_eq!(
        [counts("lines"), counts("created"), counts("updated"), counts("unchanged"), counts("failed")],
        [2000, 1982, 2, 0, 16],
        "{report}"
    );
    let told: Vec<u64> = report["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error["line"].as_u64())
        .collect();
    let bad = [100, 200, 300, 400, 500, 600, 700, 900];
    assert_eq!(told, [bad, bad.map(|line| line + 1000)].concat(), "{report}");
    let of = |place: usize| &report["errors"][place];
    assert_eq!((&of(1)["subject"], &of(1)["errors"][0]["field"]), (&json!("mia-200"), &json!("email")));
    assert_eq!((&of(2)["subject"], &of(2)["errors"][0]["field"]), (&json!(null), &json!("subject")));
    assert_eq!(of(4)["errors"][0]["code"], "too_long");
}

pub async fn two_thousand_lines_with_bad_ones_are_imported_and_exported() -> Result {
    let poked = Poked::start().await?;
    let body = lines().join(&b'\n');
    let report = poked.api.import(body.clone()).await?.ok()?;
    assert_report(&report);
    let again = poked.api.import(body.clone()).await?.ok()?;
    // The two that stand there twice are changed there and back.
    assert_eq!(
        (&again["created"], &again["updated"], &again["unchanged"]),
        (&json!(0), &json!(4), &json!(1980))
    );
    assert_eq!(poked.api.member("mia-799").await?.body["email"], "new-800@example.com");

    let exported = poked.api.export().await?;
    assert_eq!(exported.lines().count(), 1982);
    let by_command = poked.gatepass.command(&["member", "export", &poked.code.site])?;
    assert_eq!(by_command, exported);
    let back = poked.api.import(exported).await?.ok()?;
    assert_eq!((&back["unchanged"], &back["failed"]), (&json!(1982), &json!(0)), "{back}");
    assert_eq!(poked.follower().await?.pull().await?.len(), 1982);
    Ok(())
}

pub async fn the_command_line_imports_lists_and_ends() -> Result {
    let poked = Poked::start().await?;
    let file = poked.gatepass.data_dir().join("members.ndjson");
    let site = poked.site.url.as_str();
    std::fs::write(&file, lines().join(&b'\n'))?;
    let file = file.to_string_lossy();
    let failed = poked.gatepass.command(&["member", "import", site, &file, "--json"]);
    let failed = failed.err().ok_or("bad lines are a failure")?.to_string();
    assert!(failed.contains("exit status: 1") && failed.contains("16 lines are no good"), "{failed}");
    std::fs::write(&*file, line("mia-1", "other@example.com"))?;
    let report = poked.gatepass.command(&["member", "import", site, &file, "--json"])?;
    let report: Value = serde_json::from_str(&report)?;
    assert_eq!((&report["updated"], &report["failed"]), (&json!(1), &json!(0)), "{report}");
    let listed = poked.gatepass.command(&["member", "list", site, "--json"])?;
    assert_eq!(listed.lines().count(), 1982);
    let last: Value = serde_json::from_str(listed.lines().last().unwrap_or_default())?;
    assert_eq!((&last["subject"], &last["sync"]["state"]), (&json!("mia-1"), &json!("pending")));
    let listed = poked.gatepass.command(&["member", "list", site, "--status", "paused"])?;
    assert_eq!(listed.lines().count(), 1, "{listed}");

    let mut follower = poked.follower().await?;
    follower.follow(7, &[]).await?;
    poked.gatepass.command(&["member", "end-sessions", site, "mia-1"])?;
    let changes = follower.pull().await?;
    assert_eq!((changes.len(), changes[0].sessions_ended), (1, 1));
    for change in &changes {
        let applied = gatepass_core::change::Applied::Synced { wordpress_user_id: Some(7) };
        follower.acknowledge(change, applied, None).await?;
    }
    poked.gatepass.command(&["member", "sync", site, "mia-1"])?;
    assert_eq!(follower.follow(7, &[]).await?, 1);
    let removed = poked.gatepass.command(&["member", "remove", site, "mia-1", "--json"])?;
    assert!(removed.contains("pending"), "{removed}");
    for (arguments, status) in [
        (&["member", "show", site, "mia-1"][..], "exit status: 1"),
        (&["member", "show", "https://nowhere.example", "mia-2"], "exit status: 1"),
        (&["member", "list", site, "--status", "gold"], "exit status: 2"),
        (&["member", "import", site, "/"], "exit status: 2"),
    ] {
        let error = poked.gatepass.command(arguments).err().ok_or("it must fail")?.to_string();
        assert!(error.contains(status), "{arguments:?}: {error}");
    }
    Ok(())
}

pub async fn no_import_is_a_bomb() -> Result {
    let poked = Poked::start().await?;
    let import = |body: Vec<u8>| poked.api.import(body);
    // One line without an end, and a great many that are nothing.
    let endless = import(vec![b'{'; 20_000_000]).await?.ok()?;
    assert_eq!((&endless["lines"], &endless["failed"]), (&json!(1), &json!(1)));
    let rubbish = import(b"x\n".repeat(1_000_000)).await?.ok()?;
    assert_eq!((&rubbish["lines"], &rubbish["failed"]), (&json!(1_000_000), &json!(1_000_000)));
    assert_eq!(rubbish["errors"].as_array().map(Vec::len), Some(1000));
    assert_eq!(import(b"\n \r\n\n".to_vec()).await?.ok()?["lines"], 0);
    let deep = import([b"[".repeat(60_000), b"\n".to_vec()].concat()).await?.ok()?;
    assert_eq!(deep["failed"], 1);

    let http = reqwest::Client::builder().no_proxy().build()?;
    let url = format!("{}/v1/sites/{}/members:import", poked.gatepass.url(), poked.code.site);
    for (name, value) in [("Content-Encoding", "gzip"), ("Content-Type", "application/json")] {
        let request = http.post(&url).bearer_auth(poked.api.key());
        let request = if name == "Content-Type" {
            request
        } else {
            request.header("Content-Type", "application/x-ndjson")
        };
        let answer = request.header(name, value).body("x").send().await?;
        assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{name}: {value}");
    }

    // Who sends slowly is cut off, like everybody who does.
    let mut slow = Connection::open(&poked.gatepass.url()).await?;
    let head = format!(
        "POST /v1/sites/{}/members:import HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/x-ndjson\r\nContent-Length: 1000000\r\n\r\n",
        poked.code.site,
        poked.api.key()
    );
    slow.send(head.as_bytes()).await?;
    slow.send_forever(b" ", Duration::from_millis(500), true, Duration::from_secs(40)).await?;
    let answer = slow.answer().await?.ok_or("it was closed without a word")?;
    assert_eq!(answer.status, 408, "{answer:?}");
    Ok(())
}
