//! What a site pulls and acknowledges, and what it must not be able to.

use std::time::{Duration, Instant};

use gatepass_tests::api::{self, PanelApi};
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn paired(stack: &Stack) -> Result<(FakeSite, PairingCode, PanelApi)> {
    let (site, code) =
        FakeSite::paired_with(&stack.gatepass, &["--renew-url", "https://panel.example/"]).await?;
    let api = stack.api.for_site(&code.site);
    Ok((site, code, api))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn synced(subject: &str, position: u64) -> Value {
    json!({ "subject": subject, "position": position, "result": "synced", "wordpress_user_id": 12 })
}

/// The kinds of events of a site, with their causes.
async fn trail(api: &PanelApi) -> Result<Vec<String>> {
    let events = api.events(0).await?;
    let line = |event: &Value| format!("{} {}", text(&event["kind"]), text(&event["cause"]));
    Ok(events["events"].as_array().into_iter().flatten().map(line).collect())
}

pub async fn a_site_pulls_what_the_panel_wants_and_says_what_came_of_it(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    let mut mia = api::member("mia");
    mia["membership"] = json!({ "status": "past_due", "grace_until": "2100-01-01T00:00:00Z" });
    mia["consent"] = json!({ "terms_accepted_at": "2026-01-31T12:00:00Z", "marketing_opt_in": true });
    api.put("mia", &mia).await?.ok()?;
    api.put_status("tom", "active").await?;
    api.put_status("una", "canceled").await?;

    let mut all = site.changes(&code, 0, None).await?.ok()?;
    let epoch = text(&all["epoch"]).to_owned();
    assert_eq!((&all["resync"], &all["next"], &all["more"]), (&json!(false), &json!(3), &json!(false)));
    assert_eq!(all["policy"]["renew_url"], "https://panel.example/");
    assert!(text(&all["server_time"]).ends_with('Z'), "{all}");
    assert_eq!(
        all["members"][0].take(),
        json!({
            "subject": "mia", "position": 1, "revision": 1,
            "member": {
                "revision": 1, "email": mia["email"], "email_verified": mia["email_verified"],
                "username": mia["username"], "display_name": mia["display_name"],
                "first_name": mia["first_name"].as_str().unwrap_or_default(),
                "last_name": mia["last_name"].as_str().unwrap_or_default(),
                "locale": mia["locale"].as_str().unwrap_or_default(), "roles": [],
            },
            "membership": {
                "status": "past_due", "plan": null, "valid_until": null, "grace_until": "2100-01-01T00:00:00Z",
            },
            "consent": {
                "terms_accepted_at": "2026-01-31T12:00:00Z", "privacy_accepted_at": null, "marketing_opt_in": true,
            },
            "allowed_until": 4_102_444_800_u64, "sessions_ended": 0, "report_sessions": false,
        })
    );
    let allowed = [&all["members"][1]["allowed_until"], &all["members"][2]["allowed_until"]];
    assert_eq!(allowed, [&json!(9_007_199_254_740_u64), &json!(0)]);

    let taken = json!({ "code": "email_taken", "message": "Somebody else has it." });
    let strange = json!({ "code": "moon_phase", "message": "Not today." });
    let acks = json!([
        synced("mia", 1),
        { "subject": "tom", "position": 2, "result": "failed", "error": taken },
        { "subject": "una", "position": 3, "result": "failed", "wordpress_user_id": null, "error": strange },
        synced("nobody", 1),
        synced("mia", 7),
    ]);
    for _ in 0..2 {
        assert_eq!(site.acknowledge(&code, &epoch, &acks).await?.ok()?, json!({ "kept": 3 }));
    }
    let told = trail(&api).await?;
    let expected = ["member.synced ", "member.sync_failed email_taken", "member.sync_failed internal"];
    assert_eq!(told[told.len() - 3..], expected, "once");

    let end = site.changes(&code, 3, Some(&epoch)).await?.ok()?;
    assert_eq!((&end["members"], &end["next"]), (&json!([]), &json!(3)));
    let resync = site.changes(&code, 3, Some("another")).await?.ok()?;
    assert_eq!((&resync["resync"], resync["members"].as_array().map(Vec::len)), (&json!(true), Some(3)));
    let late = site.acknowledge(&code, "another", &acks).await?;
    assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, "epoch_changed"));
    Ok(())
}

pub async fn a_login_tells_where_the_customer_stands_and_a_preview_does_not(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    api.put_status("mia", "active").await?;
    let issued = api.issue("mia").await?;
    let redeem = json!({ "token": issued.token(), "attempt": new_attempt()?, "client_ip": null });
    let mut preview = redeem.clone();
    preview["preview"] = json!(true);
    let previewed = site.ask(&code, "/wp/v1/redemptions", &preview).await?.ok()?;
    assert_eq!((&previewed["standing"], &previewed["consent"]), (&Value::Null, &Value::Null));
    let redeemed = site.ask(&code, "/wp/v1/redemptions", &redeem).await?.ok()?;
    let pulled = site.changes(&code, 0, None).await?.ok()?;
    let member = &pulled["members"][0];
    assert_eq!(
        redeemed["standing"],
        json!({
            "epoch": pulled["epoch"], "position": member["position"], "allowed_until": member["allowed_until"],
            "sessions_ended": member["sessions_ended"],
        })
    );
    assert_eq!(redeemed["consent"], member["consent"]);
    Ok(())
}

pub async fn a_site_sees_and_acknowledges_only_its_own_members(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    let (other, other_code, other_api) = paired(stack).await?;
    api.put_status("mia", "active").await?;
    other_api.put_status("tom", "active").await?;
    let seen = other.changes(&other_code, 0, None).await?.ok()?;
    assert_eq!(seen["members"].as_array().map(Vec::len), Some(1));
    assert_eq!(seen["members"][0]["subject"], "tom");
    let epoch = text(&seen["epoch"]).to_owned();
    let foreign = json!([synced("mia", 1)]);
    assert_eq!(other.acknowledge(&other_code, &epoch, &foreign).await?.ok()?, json!({ "kept": 0 }));
    assert!(!trail(&api).await?.contains(&"member.synced ".to_owned()));
    assert!(!trail(&other_api).await?.contains(&"member.synced ".to_owned()));

    // With the other's key in this one's name, without any, and with an API key.
    let forged = other.proof(&other.claims(&code));
    for proof in [Some(forged.as_str()), None, Some(api.key()), Some("x")] {
        let said = json!({ "epoch": epoch, "acks": foreign });
        for answer in [
            site.get(&code, "/wp/v1/changes?after=0", proof).await?,
            site.post(&code, "/wp/v1/changes/acks", proof, &said).await?,
        ] {
            assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "site_proof_invalid"));
        }
    }
    Ok(())
}

pub async fn what_is_no_cursor_and_no_acknowledgement_is_refused(stack: &Stack) -> Result {
    let (site, code, api) = paired(stack).await?;
    api.put_status("mia", "active").await?;
    let proof = site.proof(&site.claims(&code));
    for (query, status, field) in [
        ("", 400, ""),
        ("?after=0&limit=5", 400, ""),
        ("?after=0&after=1", 400, ""),
        ("?after=", 422, "after"),
        ("?after=-1", 422, "after"),
        ("?after=1.5", 422, "after"),
        ("?after=18446744073709551616", 422, "after"),
    ] {
        let answer = site.get(&code, &format!("/wp/v1/changes{query}"), Some(&proof)).await?;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.body);
        assert_eq!(text(&answer.body["errors"][0]["field"]), field, "{query}");
    }
    let beyond = site.changes(&code, u64::MAX, Some("x")).await?.ok()?;
    assert_eq!((&beyond["resync"], &beyond["members"][0]["subject"]), (&json!(true), &json!("mia")));
    let epoch = text(&beyond["epoch"]).to_owned();

    let with = |name: &str, value: Value| {
        let mut ack = synced("mia", 1);
        ack[name] = value;
        ack
    };
    let failed = |code: &str, message: &str| {
        let mut ack = with("error", json!({ "code": code, "message": message }));
        ack["result"] = json!("failed");
        ack
    };
    let session = |id: &str| {
        json!({
            "id": id, "started_at": "2026-01-31T12:00:00Z", "expires_at": "2026-02-02T12:00:00Z",
            "client_ip": "192.0.2.1", "user_agent": "x", "handoff_id": null, "on_behalf": false,
        })
    };
    for (ack, field) in [
        (with("position", json!(-1)), "position"),
        (with("position", json!(1.0)), "position"),
        (with("position", json!("1")), "position"),
        (with("subject", json!("a b")), "subject"),
        (with("subject", json!("x".repeat(129))), "subject"),
        (with("result", json!("done")), "result"),
        (with("result", json!("failed")), "error"),
        (with("error", json!({ "code": "internal", "message": "" })), "error"),
        (with("wordpress_user_id", json!(0)), "wordpress_user_id"),
        (with("wordpress_user_id", json!(9_007_199_254_740_992_u64)), "wordpress_user_id"),
        (with("wordpress_user_id", json!(-1)), "wordpress_user_id"),
        (failed("", "x"), "error.code"),
        (failed("Email", "x"), "error.code"),
        (failed(&"a".repeat(41), "x"), "error.code"),
        (failed("internal", &"ä".repeat(201)), "error.message"),
        (failed("internal", "a\u{0}b"), "error.message"),
        (failed("internal", "a\nb"), "error.message"),
        (with("sessions", json!([session("short")])), "sessions[0].id"),
        (with("sessions", json!([session("0123456789ABCDEF")])), "sessions[0].id"),
        (with("sessions", json!(vec![session("0123456789abcdef"); 51])), "sessions"),
        (with("more", json!(1)), ""),
    ] {
        let answer = site.acknowledge(&code, &epoch, &json!([synced("mia", 1), ack])).await?;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{ack:.100}: {}", answer.body);
        let named = text(&answer.body["errors"][0]["field"]);
        assert!(named.starts_with("acks[1]") && named.ends_with(field), "{ack:.100}: {named}");
    }
    let many = site.acknowledge(&code, &epoch, &json!(vec![synced("mia", 1); 101])).await?;
    assert_eq!(
        (many.status, text(&many.body["errors"][0]["field"])),
        (StatusCode::UNPROCESSABLE_ENTITY, "acks")
    );
    let huge = site.acknowledge(&code, &epoch, &json!([failed("internal", &"x".repeat(300_000))])).await?;
    assert_eq!((huge.status, huge.code()), (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"));
    assert!(!trail(&api).await?.iter().any(|line| line.starts_with("member.sync")), "none of that was kept");

    // All that is allowed at once, and what no trail may show.
    let all = json!(vec![failed("internal", &"ä".repeat(200)); 100]);
    assert_eq!(site.acknowledge(&code, &epoch, &all).await?.ok()?, json!({ "kept": 100 }));
    site.acknowledge(&code, &epoch, &json!([failed("internal", &format!("key {}", api.key()))]))
        .await?
        .ok()?;
    assert!(!api.events(0).await?.to_string().contains("gpk_"));
    Ok(())
}

pub async fn a_site_that_asks_without_end_is_slowed_down_and_no_other(stack: &Stack) -> Result {
    let (site, code, _) = paired(stack).await?;
    let (other, other_code, _) = paired(stack).await?;
    let epoch = text(&site.changes(&code, 0, None).await?.ok()?["epoch"]).to_owned();
    for pulls in [true, false] {
        let mut asked = 0;
        let refused = loop {
            let answer = if pulls {
                site.changes(&code, 0, Some(&epoch)).await?
            } else {
                site.acknowledge(&code, &epoch, &json!([])).await?
            };
            asked += 1;
            assert!(asked < 3000, "nobody slows it down");
            if answer.status != StatusCode::OK {
                break answer;
            }
        };
        assert!(asked > 250, "after {asked}");
        assert_eq!((refused.code(), &refused.body["bucket"]), ("rate_limited", &json!("site")));
        assert!(refused.retry_after.is_some());
    }
    other.changes(&other_code, 0, None).await?.ok()?;
    other.acknowledge(&other_code, &epoch, &json!([])).await?.ok()?;
    Ok(())
}

/// The plugin's loop, in short: pulls from a cursor to the end and acknowledges each.
async fn follow(
    site: &FakeSite,
    code: &PairingCode,
    mut cursor: u64,
    epoch: &str,
) -> Result<(Vec<String>, u64, String)> {
    let (mut epoch, mut seen) = (epoch.to_owned(), Vec::new());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let answer = site.changes(code, cursor, Some(&epoch)).await?;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        let page = answer.ok()?;
        if page["resync"] == true {
            seen.push("resync".to_owned());
        }
        let members = page["members"].as_array().cloned().unwrap_or_default();
        if members.is_empty() {
            return Ok((seen, cursor, epoch));
        }
        epoch = text(&page["epoch"]).to_owned();
        let acks: Vec<_> = members
            .iter()
            .map(|member| synced(text(&member["subject"]), member["position"].as_u64().unwrap_or_default()))
            .collect();
        let kept = site.acknowledge(code, &epoch, &json!(acks)).await?.ok()?;
        assert_eq!(kept["kept"], members.len());
        seen.extend(members.iter().map(|member| text(&member["subject"]).to_owned()));
        cursor = page["next"].as_u64().unwrap_or_default();
    }
}

pub async fn after_a_restart_of_the_store_a_site_begins_anew() -> Result {
    let mut stack = Stack::start().await?;
    let (site, code, api) = paired(&stack).await?;
    for number in 0..3 {
        api.put_status(&format!("c{number}"), "active").await?;
    }
    let (seen, cursor, epoch) = follow(&site, &code, 0, "").await?;
    assert_eq!((&seen[..], cursor), (&["c0", "c1", "c2"].map(str::to_owned)[..], 3));
    api.put_status("c0", "canceled").await?;
    let (seen, cursor, same) = follow(&site, &code, cursor, &epoch).await?;
    assert_eq!((&seen[..], cursor, &same), (&["c0".to_owned()][..], 4, &epoch));

    stack.redis.restart()?;
    let (seen, cursor, new) = follow(&site, &code, cursor, &epoch).await?;
    assert_eq!((&seen[..], cursor), (&["resync", "c1", "c2", "c0"].map(str::to_owned)[..], 4));
    assert_ne!(new, epoch);
    let late = site.acknowledge(&code, &epoch, &json!([synced("c0", 4)])).await?;
    assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, "epoch_changed"));
    Ok(())
}
