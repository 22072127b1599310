//! The trail: who may read it, and how ops finds in it why somebody could not log in.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gatepass_tests::api::PanelApi;
use gatepass_tests::gatepass::Gatepass;
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack, fixtures};
use reqwest::{Method, StatusCode};
use serde_json::Value;

async fn page(api: &PanelApi, query: &str) -> Result<Value> {
    api.site_call(Method::GET, &format!("/events?{query}"), None).await?.ok()
}

fn kinds(page: &Value) -> Vec<&str> {
    page["events"].as_array().into_iter().flatten().filter_map(|event| event["kind"].as_str()).collect()
}

pub async fn reading_the_trail_needs_its_scope(stack: &Stack) -> Result {
    let read = async |scope: &str| {
        let key = stack.gatepass.command(&["client", "add", "reader", "--scope", scope])?;
        stack.api.with_key(key.trim()).site_call(Method::GET, "/events", None).await
    };
    assert_eq!(read("events").await?.status, StatusCode::OK);
    assert_eq!(read("sites").await?.status, StatusCode::OK, "as before there was a scope for it");
    for scope in ["handoffs", "members:read", "members:write"] {
        let answer = read(scope).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "insufficient_scope"), "{scope}");
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.ends_with("events")), "{scope}");
    }
    let key = stack.gatepass.command(&["client", "add", "reader", "--scope", "events"])?;
    let answer = stack.api.with_key(key.trim()).site_call(Method::GET, "", None).await?;
    assert_eq!(answer.code(), "insufficient_scope", "it reads nothing else");
    Ok(())
}

pub async fn the_trail_is_filtered_and_paged(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("filtered").await?;
    let hers = page(&stack.api, "subject=filtered").await?;
    assert_eq!(kinds(&hers), ["member.changed", "handoff.issued"]);
    assert_eq!(hers["events"][0]["note"], "membership active");
    let first = page(&stack.api, "subject=filtered&limit=1").await?;
    assert_eq!((kinds(&first), &first["more"]), (vec!["member.changed"], &Value::Bool(true)));
    let rest = page(&stack.api, &format!("subject=filtered&after={}", first["next"])).await?;
    assert_eq!(kinds(&rest), ["handoff.issued"]);
    assert_eq!(kinds(&page(&stack.api, &format!("handoff={}", handoff.id)).await?), ["handoff.issued"]);
    let request = rest["events"][0]["request_id"].as_str().unwrap_or_default();
    assert_eq!(kinds(&page(&stack.api, &format!("request_id={request}")).await?), ["handoff.issued"]);
    let registered = page(&stack.api, "kind=site.registered").await?;
    assert_eq!((kinds(&registered), &registered["oldest"]), (vec!["site.registered"], &1.into()));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after=x", "after"),
        ("kind=handoff", "kind"),
        ("subject=a%2Fb", "subject"),
        ("handoff=ho_1", "handoff"),
    ] {
        let answer = stack.api.site_call(Method::GET, &format!("/events?{query}"), None).await?;
        assert_eq!((answer.code(), &answer.body["errors"][0]["field"]), ("validation_failed", &field.into()));
    }
    Ok(())
}

/// What looks like a reference in a page.
fn reference_in(page: &str) -> Result<String> {
    let is_reference = |word: &&str| {
        word.len() == 9
            && word.bytes().enumerate().all(|(place, b)| {
                if place == 4 { b == b'-' } else { b.is_ascii_digit() || b.is_ascii_uppercase() }
            })
    };
    let words = page.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    Ok(words.into_iter().find(is_reference).ok_or("no reference in the page")?.to_owned())
}

pub async fn a_reference_leads_to_the_whole_story_and_the_cause(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("story").await?;
    stack.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
    stack.api.wait_for_state(&handoff.id, "logged_in").await?;
    let refused = stack.wordpress.visitor().redeem(&handoff, &new_attempt()?).await?;
    assert_eq!(refused.status(), StatusCode::GONE);
    let reference = reference_in(&refused.text().await?)?;

    let misread = reference.to_lowercase().replace('-', "").replace('0', "o").replace('1', "l");
    for told in [reference.clone(), misread, format!("R-{}", reference.replace('-', ""))] {
        let story = stack.gatepass.command(&["audit", "show", &told])?;
        let mut rest = story.as_str();
        for text in [
            "handoff.issued",
            "handoff.redeemed",
            "handoff.logged_in",
            "handoff.refused",
            &reference,
            "had been used already",
            "asks to go back and click again",
            "What to do",
        ] {
            rest = rest.split_once(text).ok_or(format!("no {text:?} in {story}"))?.1;
        }
    }
    let of_handoff = stack.gatepass.command(&["audit", "show", &handoff.id])?;
    assert!(of_handoff.contains("handoff.logged_in") && of_handoff.contains(&reference), "{of_handoff}");

    let json = stack.gatepass.command(&["audit", "show", &reference, "--json"])?;
    let json: Value = serde_json::from_str(&json)?;
    assert_eq!(kinds(&json), ["handoff.issued", "handoff.redeemed", "handoff.logged_in", "handoff.refused"]);
    assert!(json["end"].as_str().is_some_and(|end| end.ends_with("(used)")), "{json}");

    let local = stack.gatepass.command(&["audit", "show", "U7-7K3M-Q2ZD"])?;
    assert!(local.contains("cookies are blocked"), "{local}");
    let nothing = stack.gatepass.command(&["audit", "show", "ZZZZ-ZZZZ"]).unwrap_err().to_string();
    assert!(nothing.contains("ended with exit status: 1") && nothing.contains("--trail-days"), "{nothing}");
    let unsaid = stack.gatepass.command(&["audit", "show"]).unwrap_err().to_string();
    assert!(unsaid.contains("ended with exit status: 2"), "{unsaid}");
    Ok(())
}

pub async fn why_a_customer_could_not_log_in_is_one_command(stack: &Stack) -> Result {
    let (member, unused) = stack.handoff("lapsed").await?;
    stack.api.put_status(&member.subject, "canceled").await?;
    stack.wordpress.visitor().redeem(&unused, &new_attempt()?).await?;
    let refused = stack.api.try_issue(&serde_json::json!({ "subject": "lapsed" })).await?;
    assert_eq!(refused.code(), "membership_inactive");
    let why =
        |more: &[&str]| stack.gatepass.command(&[&["audit", "show", "--subject", "lapsed"], more].concat());
    let story = why(&["--since", "1h", "--site", stack.wordpress.url()])?;
    let mut rest = story.as_str();
    for text in [
        "member.changed",
        "membership active",
        &unused.id,
        "The membership was not in force. (membership_inactive)",
        "with the link to renew",
        "membership canceled",
        "login ho_",
        "The membership was not in force. (membership_inactive)",
        "what your panel shows",
    ] {
        rest = rest.split_once(text).ok_or(format!("no {text:?} in {story}"))?.1;
    }
    let nothing = why(&["--until", "2020-01-01"]).unwrap_err().to_string();
    assert!(nothing.contains("lapsed at that time"), "{nothing}");
    Ok(())
}

pub async fn the_last_events_are_listed_and_followed(stack: &Stack) -> Result {
    let member = stack.member("tailed").await?;
    let tail = |more: &[&str]| stack.gatepass.command(&[&["audit", "tail", "--json"], more].concat());
    let read = |text: String| -> Result<Vec<Value>> {
        Ok(text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?)
    };
    let before = read(tail(&["--subject", "tailed"])?)?;
    assert_eq!((before.len(), &before[0]["trail"]), (1, &stack.api.site().into()));

    let mut follow = Command::new(fixtures::built("GATEPASS_BIN", "gatepass")?)
        .args(["audit", "tail", "--follow", "--subject", "tailed", "--store", &stack.redis.url()])
        .env_clear()
        .stdout(Stdio::piped())
        .spawn()?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stack.api.issue(&member.subject).await?;
    tokio::time::sleep(Duration::from_secs(3)).await;
    follow.kill()?;
    let told = String::from_utf8(follow.wait_with_output()?.stdout)?;
    let of = |kind: &str| told.lines().filter(|line| line.contains(kind)).count();
    assert_eq!((of("TIME"), of("member.changed"), of("handoff.issued")), (1, 1, 1), "{told}");

    let after = read(tail(&["--subject", "tailed", "--kind", "handoff.issued", "--since", "1h"])?)?;
    assert_eq!((after.len(), &after[0]["kind"]), (1, &"handoff.issued".into()));
    assert!(read(tail(&["-n", "3"])?)?.len() == 3);
    assert!(read(tail(&["--tenant", "nobodys"])?)?.is_empty());
    Ok(())
}

pub async fn keys_and_removed_sites_are_told_of_in_the_tenants_trail() -> Result {
    let folder = tempfile::tempdir()?;
    let gatepass = Gatepass::start(folder.path(), "sqlite")?;
    gatepass.add_client("panel")?;
    let site = gatepass.add_site("https://gone.example", &[])?;
    gatepass.command(&["site", "remove", &site.id, "--yes"])?;
    let deadline = Instant::now() + Duration::from_secs(20);
    let told = loop {
        let told = gatepass.command(&["audit", "tail", "--json"])?;
        // The service makes its next key within a second or two.
        if told.contains("key.published") || Instant::now() > deadline {
            break told;
        }
    };
    let told: Vec<Value> = told.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert!(told.iter().all(|event| event["trail"] == "tenant:default"), "{told:?}");
    // Both of API keys and of the keys that sign, which the service made meanwhile.
    let (signing, told): (Vec<_>, Vec<_>) = told
        .into_iter()
        .partition(|event| event["kind"].as_str().is_some_and(|kind| kind.starts_with("key.")));
    let kinds = |events: &[Value]| -> Vec<String> {
        events.iter().map(|event| event["kind"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(kinds(&signing), ["key.activated", "key.published"]);
    assert_eq!(kinds(&told), ["client.added", "site.removed"]);
    assert_eq!(told[1]["note"], format!("https://gone.example ({})", site.id));
    Ok(())
}

pub async fn a_trail_is_kept_within_its_bounds() -> Result {
    let folder = tempfile::tempdir()?;
    let mut gatepass = Gatepass::start_with(folder.path(), "sqlite", &["--trail-events", "3"])?;
    let site = gatepass.add_site("https://example.com", &[])?;
    for _ in 0..8 {
        gatepass.command(&["site", "pairing-code", &site.id])?;
    }
    let api = PanelApi::new(&gatepass.url(), &site.id, &gatepass.add_client("panel")?);
    assert_eq!(page(&api, "").await?["oldest"], 1);
    gatepass.restart()?;
    for _ in 0..100 {
        if page(&api, "").await?["oldest"] == 8 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let kept = page(&api, "after=4").await?;
    assert_eq!((&kept["oldest"], &kept["next"], kinds(&kept).len()), (&8.into(), &10.into(), 3));
    Ok(())
}
