//! Somebody of the panel's support staff signs in on behalf of a customer.

use gatepass_tests::browser::ENTER;
use gatepass_tests::wordpress::{self, ADMIN, PASSWORD};
use gatepass_tests::{Browser, Handoff, PanelApi, Result, Stack, Visitor, api};
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::refusals::{NO_ACCOUNT, assert_page};

/// A panel API key that may act for customers.
pub fn desk(stack: &Stack) -> Result<PanelApi> {
    let scopes = ["--scope", "handoffs", "--scope", "handoffs:on_behalf"];
    let key = stack.gatepass.command(&[&["client", "add", "desk"], &scopes[..]].concat())?;
    Ok(stack.api.with_key(key.trim()))
}

/// Who acts, in these tests.
pub fn sam() -> Value {
    json!({ "subject": "staff-7", "name": "Sam Support", "reason": "Ticket 4711: the menu is gone" })
}

/// A handoff by which Sam acts for a member, who is put.
pub async fn handoff_by_sam(stack: &Stack, desk: &PanelApi, subject: &str) -> Result<Handoff> {
    stack.member(subject).await?;
    desk.issue_with(&json!({ "subject": subject, "actor": sam() })).await
}

/// A visitor who has signed in by it.
pub async fn sam_signed_in(stack: &Stack, desk: &PanelApi, subject: &str) -> Result<Visitor> {
    let handoff = handoff_by_sam(stack, desk, subject).await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    Ok(visitor)
}

/// The customer's sessions as WordPress keeps them.
pub fn sessions(stack: &Stack, subject: &str) -> Result<Vec<Value>> {
    let code = format!(
        "$all = get_user_meta( get_user_by( 'email', '{subject}@example.com' )->ID, 'session_tokens', true ); \
         echo json_encode( is_array( $all ) ? array_values( $all ) : array() );"
    );
    Ok(serde_json::from_str(&stack.wordpress.eval(&code)?)?)
}

/// Puts a plugin into the site.
pub fn install(stack: &Stack, name: &str, code: &str) -> Result {
    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join(name), code)?;
    Ok(())
}

pub async fn a_key_without_the_scope_acts_for_nobody(stack: &Stack) -> Result {
    stack.member("not-acted-for").await?;
    let body = json!({ "subject": "not-acted-for", "actor": sam() });
    // A key that was made without naming scopes; nor does one that acts for customers and does nothing else.
    let lone = ["client", "add", "lone", "--scope", "handoffs:on_behalf"];
    let lone = stack.api.with_key(stack.gatepass.command(&lone)?.trim());
    for (key, scope) in [(&stack.api, "handoffs:on_behalf"), (&lone, "handoffs")] {
        let answer = key.try_issue(&body).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "insufficient_scope"));
        assert_eq!(answer.body["detail"], format!("it needs the scope {scope}"));
    }
    // The scope comes before whatever else is wrong.
    let answer = stack
        .api
        .try_issue(&json!({ "subject": "a", "ttl": 1, "actor": {
        "subject": "", "name": "", "reason": "" } }))
        .await?;
    assert_eq!(answer.code(), "insufficient_scope");
    Ok(())
}

pub async fn whatever_is_wrong_with_an_actor_is_named(stack: &Stack) -> Result {
    let desk = desk(stack)?;
    let wrong = json!({ "subject": "a", "remember": true, "binding": "x", "actor": {
        "subject": "a/b", "name": "", "reason": "\u{7f}" } });
    let answer = desk.try_issue(&wrong).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed"));
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let fields: Vec<_> = errors.iter().map(|error| error["field"].as_str().unwrap_or_default()).collect();
    let expected = ["actor.subject", "actor.name", "actor.reason", "actor.reason", "remember", "binding"];
    assert_eq!(fields, expected, "{errors:?}");
    for (actor, field) in [
        (json!({ "subject": "s", "name": "Sam" }), "actor"),
        (json!({ "subject": "s", "name": "Sam", "reason": "why", "role": "admin" }), "actor"),
        (json!(["s", "Sam", "why"]), "actor"),
        (json!("Sam"), "actor"),
    ] {
        let answer = desk.try_issue(&json!({ "subject": "a", "actor": actor })).await?;
        assert_eq!(answer.code(), "validation_failed", "{actor}");
        let named = answer.body["errors"][0]["field"].as_str().unwrap_or_default().to_owned();
        assert!(named.starts_with(field), "{named}");
    }
    // The member counts as for everybody.
    let body = |subject: &str| json!({ "subject": subject, "actor": sam() });
    assert_eq!(desk.try_issue(&body("nobody-there")).await?.code(), "member_not_found");
    stack.api.put_status("lapsed-customer", "canceled").await?;
    assert_eq!(desk.try_issue(&body("lapsed-customer")).await?.code(), "membership_inactive");
    Ok(())
}

pub async fn both_trails_and_the_handoff_name_who_acts(stack: &Stack) -> Result {
    let desk = desk(stack)?;
    let handoff = handoff_by_sam(stack, &desk, "acted-for").await?;
    assert_eq!(desk.handoff(&handoff.id).await?["actor"], sam());
    stack.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
    desk.wait_for_state(&handoff.id, "logged_in").await?;
    let (mut named, mut after) = (Vec::new(), 0);
    loop {
        let page = stack.api.events(after).await?;
        let events = page["events"].as_array().cloned().unwrap_or_default();
        let ours = events.iter().filter(|event| event["handoff_id"] == handoff.id.as_str());
        named.extend(ours.map(|event| (event["kind"].clone(), event["on_behalf"].clone())));
        if events.is_empty() {
            break;
        }
        after = page["next"].as_u64().unwrap_or(u64::MAX);
    }
    let expected =
        ["handoff.issued", "handoff.redeemed", "handoff.logged_in"].map(|kind| (json!(kind), sam()));
    assert_eq!(named, expected);
    let told = stack.gatepass.command(&["audit", "show", &handoff.id])?;
    let said = "on behalf: Sam Support (staff-7): Ticket 4711: the menu is gone";
    assert_eq!(told.matches(said).count(), 3, "{told}");
    let line = format!(
        "SELECT actor_subject, actor_name, actor_reason FROM wp_gatepass_log WHERE handoff = '{}'",
        handoff.id
    );
    let owners = "staff-7\tSam Support\tTicket 4711: the menu is gone";
    assert_eq!(stack.wordpress.query(&line)?.trim(), owners, "the owner's own");
    // The customer's own handoff names nobody.
    let own = stack.api.issue("acted-for").await?;
    assert_eq!(stack.api.handoff(&own.id).await?["actor"], Value::Null);
    Ok(())
}

pub async fn a_support_session_is_marked_and_ends_within_the_hour() -> Result {
    let stack = Stack::start().await?;
    let desk = desk(&stack)?;
    // A plugin that keeps everybody signed in for a month, after everybody else.
    install(
        &stack,
        "longer.php",
        "<?php add_action( 'init', function () { add_filter( 'auth_cookie_expiration', function () { return 2592000; }, PHP_INT_MAX ); } );",
    )?;
    let handoff = handoff_by_sam(&stack, &desk, "short").await?;
    let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
    let mut expirations = Vec::new();
    // A lost answer, a double click: the same attempt finds the same session.
    for _ in 0..2 {
        let answer = visitor.redeem(&handoff, &attempt).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        for cookie in answer.cookies().filter(|cookie| cookie.name().starts_with("wordpress_")) {
            assert_eq!((cookie.expires(), cookie.max_age()), (None, None), "remembered: {cookie:?}");
            let value = cookie.value().replace("%7C", "|");
            expirations.push(value.split('|').nth(1).ok_or("no expiration")?.parse::<i64>()?);
        }
    }
    let rows = sessions(&stack, "short")?;
    assert_eq!(rows.len(), 1, "{rows:?}");
    let data = &rows[0]["gatepass"];
    let mut on_behalf = sam();
    on_behalf["handoff"] = json!(handoff.id);
    on_behalf["since"] = data["on_behalf"]["since"].clone();
    assert_eq!((&data["on_behalf"], &data["remember"]), (&on_behalf, &json!(false)));
    expirations.extend([&rows[0]["expiration"], &data["until"]].map(|at| at.as_i64().unwrap_or(i64::MAX)));
    let begun = rows[0]["login"].as_i64().unwrap_or_default();
    let hour = begun + 3590..=begun + 3601;
    // Two cookies for wp-admin, plugins and the site, twice; the row; and our own word.
    assert!(expirations.len() >= 6 && expirations.iter().all(|at| hour.contains(at)), "{expirations:?}");
    assert!(visitor.is_signed_in().await?);

    // An hour later, though somebody has made the session longer meanwhile.
    let later = "$id = get_user_by( 'email', 'short@example.com' )->ID; $all = get_user_meta( $id, 'session_tokens', true ); \
        foreach ( $all as $name => $session ) { $all[ $name ]['gatepass']['until'] = time(); $all[ $name ]['expiration'] = time() + 99999; } \
        update_user_meta( $id, 'session_tokens', $all );";
    stack.wordpress.eval(later)?;
    assert!(!visitor.is_signed_in().await?);
    assert_eq!(sessions(&stack, "short")?, Vec::<Value>::new());

    // The customer's own session is as long as ever.
    let own = stack.api.issue_with(&json!({ "subject": "short", "remember": true })).await?;
    stack.wordpress.visitor().redeem(&own, &wordpress::new_attempt()?).await?;
    let rows = sessions(&stack, "short")?;
    assert!(rows[0]["expiration"].as_i64().is_some_and(|at| at > begun + 2_000_000), "{rows:?}");
    assert_eq!(rows[0]["gatepass"]["on_behalf"], Value::Null);
    Ok(())
}

pub async fn an_account_with_more_rights_than_allowed_is_refused_to_staff_too(stack: &Stack) -> Result {
    let desk = desk(stack)?;
    sam_signed_in(stack, &desk, "promoted-customer").await?;
    stack
        .wordpress
        .eval("get_user_by( 'email', 'promoted-customer@example.com' )->set_role( 'administrator' );")?;
    let handoff = handoff_by_sam(stack, &desk, "promoted-customer").await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, NO_ACCOUNT).await?;
    assert_eq!(desk.wait_for_state(&handoff.id, "refused").await?["refusal"], "account_privileged");
    Ok(())
}

/// Presses a button of Settings → Gatepass.
async fn press_setting(stack: &Stack, what: &str) -> Result<String> {
    let owner = stack.wordpress.visitor();
    owner.log_in_with_password(ADMIN, PASSWORD).await?;
    let page = owner.get("/wp-admin/options-general.php?page=gatepass").await?.text().await?;
    let form = page
        .split("<form")
        .find(|form| form.contains(&format!("value=\"{what}\"")))
        .ok_or(format!("no {what}: {page}"))?;
    let nonce = form
        .split("name=\"_wpnonce\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .ok_or("no nonce")?;
    let url = format!("{}/wp-admin/admin-post.php", stack.wordpress.url());
    let form = [("action", "gatepass_settings"), ("do", what), ("_wpnonce", nonce)];
    let answer = owner.post(&url, &form, stack.wordpress.url()).await?;
    assert_eq!(answer.status(), StatusCode::FOUND);
    Ok(owner.get("/wp-admin/options-general.php?page=gatepass&settings-updated=true").await?.text().await?)
}

pub async fn the_owner_can_forbid_it() -> Result {
    let stack = Stack::start().await?;
    let desk = desk(&stack)?;
    let inside = sam_signed_in(&stack, &desk, "forbidden").await?;
    assert!(inside.is_signed_in().await?);
    let page = press_setting(&stack, "support_off").await?;
    assert!(page.contains("may no longer sign in on behalf"), "{page}");
    assert!(!inside.is_signed_in().await?, "who is in already");
    assert_eq!(sessions(&stack, "forbidden")?.len(), 0);

    let handoff = handoff_by_sam(&stack, &desk, "never-here").await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    let said = "Support staff may not sign in here";
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, said).await?;
    assert_eq!(stack.wordpress.session_rows("never-here@example.com")?, 0, "no session is made");
    let refused = desk.wait_for_state(&handoff.id, "refused").await?;
    assert_eq!((&refused["refusal"], &refused["actor"]), (&json!("support_forbidden"), &sam()));
    assert_eq!(desk_trail(&stack, &handoff).await?, "handoff.login_failed: support_forbidden");
    // The customer comes in as ever.
    let (_, own) = stack.handoff("never-here").await?;
    assert_eq!(
        stack.wordpress.visitor().redeem(&own, &wordpress::new_attempt()?).await?.status(),
        StatusCode::SEE_OTHER
    );

    press_setting(&stack, "support_on").await?;
    assert!(sam_signed_in(&stack, &desk, "forbidden").await?.is_signed_in().await?);
    Ok(())
}

async fn desk_trail(stack: &Stack, handoff: &Handoff) -> Result<String> {
    Ok(stack.api.trail(&handoff.id).await?.pop().unwrap_or_default())
}

pub async fn switching_the_plugin_off_leaves_no_support_session_behind() -> Result {
    let stack = Stack::start().await?;
    let desk = desk(&stack)?;
    let staff = sam_signed_in(&stack, &desk, "left-alone").await?;
    let own = stack.api.issue("left-alone").await?;
    let customer = stack.wordpress.visitor();
    customer.redeem(&own, &wordpress::new_attempt()?).await?;
    stack.wordpress.eval(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins( 'gatepass/gatepass.php' );",
    )?;
    assert_eq!((staff.is_signed_in().await?, customer.is_signed_in().await?), (false, true));
    Ok(())
}

/// What stands in the bar.
async fn bar(browser: &Browser) -> Result<String> {
    let script = "const bars = document.querySelectorAll('#gatepass-on-behalf');
        if (bars.length !== 1) return bars.length + ' bars';
        const box = bars[0].getBoundingClientRect();
        const seen = document.elementFromPoint(box.left + box.width / 2, box.top + 5);
        if (!bars[0].contains(seen) || box.bottom > innerHeight + 1) return 'hidden by ' + seen.outerHTML.slice(0, 200);
        return bars[0].innerText;";
    Ok(browser.execute(script, Vec::new()).await?.as_str().unwrap_or_default().to_owned())
}

pub async fn a_bar_on_every_page_says_who_acts_and_why() -> Result {
    let stack = Stack::start().await?;
    let desk = desk(&stack)?;
    let mut member = api::member("shown");
    member["display_name"] = json!("Mia Lindqvist");
    stack.api.put("shown", &member).await?.ok()?;
    let hostile = "<img src=x onerror=\"document.title='owned'\"></section></style><script>document.title='owned'</script> \u{202e}& 'ok'";
    let actor = json!({ "subject": "staff-7", "name": "Sam <b>Support</b>", "reason": hostile });
    let handoff = desk.issue_with(&json!({ "subject": "shown", "actor": actor })).await?;
    let browser = stack.browser().await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;

    let site = stack.wordpress.url();
    for (path, lacks_admin_bar) in
        [("/", false), ("/wp-admin/profile.php", false), ("/?s=x", true), ("/nothing-here/", true)]
    {
        if lacks_admin_bar {
            let off = "update_user_meta( get_user_by( 'email', 'shown@example.com' )->ID, 'show_admin_bar_front', 'false' );";
            stack.wordpress.eval(off)?;
        }
        browser.goto(&format!("{site}{path}")).await?;
        let said = bar(&browser).await?;
        for part in ["on behalf of Mia Lindqvist", "Sam <b>Support</b>", hostile, "Leave"] {
            assert!(said.contains(part), "{path}: {part:?} is not in {said:?}");
        }
        let title = browser.title().await?;
        assert!(title.contains("On behalf of a customer"), "{path}: {title:?}");
        for (width, dark) in [(1200, false), (390, true)] {
            browser.set_window_size(width, 844).await?;
            browser.prefer_dark(dark).await?;
            assert!(
                bar(&browser).await?.contains("Mia Lindqvist"),
                "{path} at {width}: {}",
                bar(&browser).await?
            );
            let found = browser.accessibility_findings("#gatepass-on-behalf").await?;
            assert!(found.is_empty(), "{path} at {width}, dark: {dark}:\n{}", found.join("\n"));
        }
    }

    // The way out, by keyboard.
    let button = browser.control("#gatepass-on-behalf", "Leave").await?;
    browser.execute("arguments[0].focus()", vec![serde_json::to_value(&button)?]).await?;
    browser.press(ENTER).await?;
    browser
        .wait_for_text("Example Kitchen")
        .await
        .or_else(|_| Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()))?;
    let left = browser.current_url().await?;
    assert_eq!(
        format!("{}/", left.origin().ascii_serialization()),
        format!("{}/", stack.demo.url().trim_end_matches('/'))
    );
    assert_eq!(sessions(&stack, "shown")?, Vec::<Value>::new());
    browser.goto(&format!("{site}/wp-login.php")).await?;
    assert_eq!(browser.signed_in_as().await?, None);
    Ok(())
}

pub async fn a_theme_without_any_of_the_newer_hooks_shows_it_too(stack: &Stack) -> Result {
    let desk = desk(stack)?;
    let staff = sam_signed_in(stack, &desk, "old-theme").await?;
    let page = staff.get("/").await?.text().await?;
    assert_eq!(page.matches("id=\"gatepass-on-behalf\"").count(), 1, "{page}");
    // A theme of old: no wp_body_open().
    install(
        stack,
        "old-theme.php",
        "<?php add_action( 'init', function () { if ( isset( $_GET['test_old_theme'] ) ) {
        echo '<html><body>'; wp_footer(); echo '</body></html>'; exit; } } );",
    )?;
    let page = staff.get("/?test_old_theme=1").await?.text().await?;
    assert_eq!(page.matches("id=\"gatepass-on-behalf\"").count(), 1, "{page}");
    // And nobody else ever sees it.
    for visitor in [stack.wordpress.visitor(), {
        let (_, own) = stack.handoff("old-theme").await?;
        let customer = stack.wordpress.visitor();
        customer.redeem(&own, &wordpress::new_attempt()?).await?;
        customer
    }] {
        let page = visitor.get("/?test_old_theme=1").await?.text().await?;
        assert!(!page.contains("gatepass-on-behalf"), "{page}");
    }
    Ok(())
}

pub async fn leaving_needs_to_be_meant(stack: &Stack) -> Result {
    let desk = desk(stack)?;
    let staff = sam_signed_in(stack, &desk, "not-left").await?;
    let url = format!("{}/wp-admin/admin-post.php", stack.wordpress.url());
    let answer = staff.post(&url, &[("action", "gatepass_leave")], "https://evil.test").await?;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(staff.is_signed_in().await?);
    let page = staff.get("/wp-admin/profile.php").await?.text().await?;
    let bar = page.split("gatepass-on-behalf\"").nth(1).ok_or("no bar")?;
    let nonce = bar
        .split("name=\"_wpnonce\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .ok_or("no nonce")?;
    let answer =
        staff.post(&url, &[("action", "gatepass_leave"), ("_wpnonce", nonce)], stack.wordpress.url()).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()[header::LOCATION], stack.demo.url().as_str());
    assert!(!staff.is_signed_in().await?);
    assert_eq!(sessions(stack, "not-left")?.len(), 0);
    Ok(())
}

pub async fn the_question_names_who_acts(stack: &Stack) -> Result {
    let desk = desk(stack)?;
    let visitor = stack.wordpress.visitor();
    visitor.log_in_with_password(ADMIN, PASSWORD).await?;
    let handoff = handoff_by_sam(stack, &desk, "asked-for").await?;
    let attempt = wordpress::new_attempt()?;
    let answer = visitor.redeem(&handoff, &attempt).await?;
    assert_eq!(&answer.headers()["x-gatepass-page"], "confirm");
    let page = answer.text().await?;
    for part in ["Continue on behalf of Member asked-for?", "Sam Support", "Ticket 4711: the menu is gone"] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    let admin = stack.wordpress.user_id(ADMIN)?.ok_or("no administrator")?.to_string();
    let form = [("token", handoff.token()), ("attempt", &attempt), ("leaving", &admin)];
    let answer = visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(sessions(stack, "asked-for")?[0]["gatepass"]["on_behalf"]["name"], "Sam Support");
    assert_eq!(
        desk.site_call(Method::GET, &format!("/handoffs/{}", handoff.id), None).await?.ok()?["actor"],
        sam()
    );
    Ok(())
}
