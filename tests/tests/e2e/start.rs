//! The bound start: a sign-in works only in the browser that it was begun in, and is still one click.

use std::time::Duration;

use fantoccini::Locator;
use gatepass_tests::wordpress::{self, ADMIN, PASSWORD, Visitor};
use gatepass_tests::{Handoff, Result, Stack};
use reqwest::{Response, StatusCode, header};

use crate::refusals::assert_page;

const START: &str = "/wp-admin/admin-post.php?action=gatepass&start=1";
pub const BUTTON: &str = "Log in to site";
const MIA: &str = "mia.lindqvist@example.com";
const ELSEWHERE: &str = "belongs to another browser";

pub async fn one_click_in_the_panel_logs_in_as_the_right_user() -> Result {
    let stack = Stack::bound().await?;
    let browser = stack.browser().await?;
    // Opened under another host name: for the browser panel and site are as far apart as in real life.
    browser.goto(&stack.demo.url_of_another_site()).await?;
    assert_eq!(browser.controls("body", BUTTON).await?.len(), 2, "one for each subscription");

    browser.click_in("[data-plan=paper]", BUTTON).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;

    let email = browser.find(Locator::Css("#your-profile #email")).await?.prop("value").await?;
    assert_eq!(email.as_deref(), Some(MIA));
    assert_eq!(stack.wordpress.session_rows(MIA)?, 1);

    // And again, though the cookie is there and somebody is signed in.
    browser.goto(&stack.demo.url_of_another_site()).await?;
    browser.click_in("[data-plan=paper]", BUTTON).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert_eq!(stack.wordpress.user_count()?, 2, "the administrator and Mia");
    Ok(())
}

/// The attacker's own login, good in the attacker's own browser.
async fn attackers_link(stack: &Stack) -> Result<(Visitor, Handoff)> {
    let attacker = stack.wordpress.visitor();
    let (_, binding) = attacker.start("").await?;
    let member = stack.member("attacker").await?;
    Ok((attacker, stack.api.issue_bound(&member.subject, &binding).await?))
}

pub async fn an_attackers_valid_link_does_not_log_a_victim_in() -> Result {
    let stack = Stack::bound().await?;
    let (attacker, link) = attackers_link(&stack).await?;

    let victim = stack.browser().await?;
    victim.goto(&link.login_url).await?;
    victim.wait_for_text(ELSEWHERE).await?;
    assert_eq!(victim.signed_in_as().await?, None);

    // Without the mark that it is bound, or with a cookie of the start's in the victim's browser: the victim's own
    // panel decides, and it is the victim who is signed in.
    victim.goto(&link.login_url.replace("&bound=1", "")).await?;
    victim.wait_for_login(stack.wordpress.url()).await?;
    let mia = stack.wordpress.user_id(MIA)?.ok_or("Mia is no user")?;
    let name = stack.wordpress.query(&format!("SELECT user_login FROM wp_users WHERE ID = {mia}"))?;
    assert_eq!(victim.signed_in_as().await?.as_deref(), Some(name.trim()));

    // But not twice in a row.
    victim.goto(&link.login_url).await?;
    victim.wait_for_text(ELSEWHERE).await?;
    assert_eq!(victim.signed_in_as().await?.as_deref(), Some(name.trim()));

    assert_eq!(stack.api.handoff(&link.id).await?["state"], "issued", "nothing of that spent it");
    let answer = attacker.redeem(&link, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "the link was good");
    Ok(())
}

pub async fn a_stolen_token_is_worth_nothing_in_another_browser() -> Result {
    let stack = Stack::bound().await?;
    let victim = stack.wordpress.visitor();
    let (_, binding) = victim.start("").await?;
    let member = stack.member("robbed").await?;
    let stolen = stack.api.issue_bound(&member.subject, &binding).await?;

    // In Chromium, as the thief would use it: pasted, with and without a cookie of the thief's own.
    let thief = stack.browser().await?;
    thief.goto(&stolen.login_url).await?;
    thief.wait_for_text(ELSEWHERE).await?;
    thief.goto(stack.wordpress.url()).await?;
    let start = format!("{}/wp-admin/admin-post.php?action=gatepass&start=1&again=1", stack.wordpress.url());
    thief.goto(&start).await?;
    thief.wait_for_login(stack.wordpress.url()).await?;
    thief.goto(&stolen.login_url).await?;
    thief.wait_for_text(ELSEWHERE).await?;
    assert!(!thief.text().await?.contains("robbed"), "the name is told to nobody");

    // And by hand: every form of the fields, with the hash itself in the cookie's place.
    let attempt = wordpress::new_attempt()?;
    let own = format!("{}.{}.0.", "A".repeat(43), now());
    for cookie in [String::new(), binding.clone(), format!("{binding}.{}.0.", now()), own] {
        for bound in ["", "1"] {
            let form =
                [("token", stolen.token()), ("attempt", &attempt), ("bound", bound), ("binding", &binding)];
            let robber = stack.wordpress.visitor();
            let request = robber.http().post(stolen.endpoint()).form(&form);
            let request = request.header(header::ORIGIN, stack.wordpress.url());
            let answer = request.header(header::COOKIE, format!("gatepass_binding={cookie}")).send().await?;
            let page = answer.headers()["x-gatepass-page"].to_str()?.to_owned();
            // Whoever keeps cookies may begin anew, as themselves.
            let begins = bound.is_empty() || cookie.ends_with(".0.");
            assert_eq!(page, if begins { "bounce" } else { "ask_again" }, "{cookie:?} {bound:?}");
            assert!(!robber.is_signed_in().await?);
        }
    }
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);

    let answer = victim.redeem(&stolen, &attempt).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "the rightful browser comes in all the same");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn an_arrival_without_a_cookie_goes_through_the_start_once() -> Result {
    let stack = Stack::bound().await?;
    let (_, binding) = stack.wordpress.visitor().start("").await?;
    let handoff = stack.api.issue_bound("cust-1002", &binding).await;
    assert!(handoff.is_err(), "Leo's subscription is canceled, in the demo");
    let member = stack.member("without-cookie").await?;
    let handoff = stack.api.issue_bound(&member.subject, &binding).await?;
    let site = stack.wordpress.url();

    // One who keeps no cookie, as a browser that blocks them.
    let post = async |bound: &str| -> Result<Response> {
        let form = [("token", handoff.token()), ("attempt", "AAAAAAAAAAAAAAAAAAAAAA"), ("bound", bound)];
        stack.wordpress.visitor().post(handoff.endpoint(), &form, site).await
    };
    let answer = post("").await?;
    assert_eq!((answer.status(), &answer.headers()["x-gatepass-page"] == "bounce"), (StatusCode::OK, true));
    let page = answer.text().await?;
    let to = format!(
        "{site}/wp-admin/admin-post.php?action=gatepass&#038;start=1&#038;login_hint=without-cookie&#038;again=1"
    );
    assert!(page.contains(&format!("content=\"0;url={to}\"")), "{page}");
    assert!(page.contains(&format!("href=\"{to}\"")), "{page}");
    assert!(!page.contains(handoff.token()));
    let visitor = stack.wordpress.visitor();
    assert_page(&visitor, post("1").await?, StatusCode::GONE, "allow cookies").await?;
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    Ok(())
}

pub async fn an_arrival_whose_cookie_was_replaced_begins_again_by_itself_and_arrives_where_it_wanted_to()
-> Result {
    let stack = Stack::bound().await?;
    let browser = stack.browser().await?;
    let start = |more: &str| {
        format!("{}/wp-admin/admin-post.php?action=gatepass&start=1{more}", stack.wordpress.url())
    };
    // Two tabs that began before there was a cookie, or a log-out in between: the token is of another secret.
    let (_, binding) = stack.wordpress.visitor().start("").await?;
    let handoff = stack.api.issue_bound("cust-1001", &binding).await?;
    browser.goto(&start("&redirect_to=/wp-admin/profile.php?wanted=1")).await?;
    browser.wait_for_path("/wp-admin/profile.php?wanted=1").await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_path("/wp-admin/profile.php?wanted=1").await?;
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    Ok(())
}

pub async fn a_token_from_before_the_start_was_known_is_led_through_it() -> Result {
    let stack = Stack::start().await?;
    let (member, unbound) = stack.handoff("from-before").await?;
    let start = format!("{}gatepass/start", stack.demo.url());
    stack.gatepass.command(&["site", "set", stack.api.site(), "--panel-start-url", &start])?;
    stack.wordpress.eval(
        "$store = new Gatepass_Store(); \
         for ( $i = 0; $i < 50 && ! $store->connection()->policy()->requires_binding(); $i++ ) { usleep( 200000 ); \
         ( new Gatepass_Heartbeat( $store, new Gatepass_Bridge( $store ) ) )->send( $store->connection() ); }",
    )?;
    let browser = stack.browser().await?;
    browser.goto(&unbound.login_url).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    assert!(browser.text().await?.contains("Mia Lindqvist"), "the panel says who it is");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    Ok(())
}

fn now() -> u64 {
    std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs())
}

pub async fn the_button_on_wp_login_php_keeps_where_the_customer_wanted_to_go() -> Result {
    let stack = Stack::bound().await?;
    let browser = stack.browser().await?;
    browser.goto(&format!("{}/wp-admin/profile.php?wanted=1", stack.wordpress.url())).await?;
    browser.click("Log in with your subscription").await?;
    browser.wait_for_path("/wp-admin/profile.php?wanted=1").await?;
    assert!(browser.text().await?.contains("Mia Lindqvist"));

    // The next start wants nothing in particular; then the panel says where.
    browser.goto(&stack.demo.url_of_another_site()).await?;
    browser.click_in("[data-plan=paper]", BUTTON).await?;
    browser.wait_for_path("/wp-admin/profile.php").await?;
    Ok(())
}

pub async fn the_button_is_only_where_it_works() -> Result {
    let stack = Stack::bound().await?;
    let says = async |path: &str| -> Result<bool> {
        let page = stack.wordpress.visitor().get(path).await?.text().await?;
        assert!(page.contains("id=\"login\""), "{path} is no form of wp-login.php's");
        Ok(page.contains("Log in with your subscription"))
    };
    assert!(says("/wp-login.php").await?);
    assert!(!says("/wp-login.php?action=lostpassword").await?);
    assert!(!says("/wp-login.php?interim-login=1").await?);
    stack.wordpress.eval("( new Gatepass_Store() )->set_enabled( false );")?;
    assert!(!says("/wp-login.php").await?);
    Ok(())
}

pub async fn a_copy_of_a_site_goes_quiet_until_it_is_back_at_its_address() -> Result {
    let stack = Stack::bound().await?;
    let visitor = stack.wordpress.visitor();
    let owner = stack.wordpress.visitor();
    owner.log_in_with_password(ADMIN, PASSWORD).await?;
    let beat = || {
        stack
            .wordpress
            .eval(
            "$store = new Gatepass_Store(); ( new Gatepass_Heartbeat( $store, new Gatepass_Bridge( $store ) ) )->beat(); \
             echo (int) $store->is_copy();",
        )
    };
    let text = async |visitor: &Visitor, path: &str| -> Result<String> {
        Ok(visitor.get(path).await?.text().await?)
    };
    let (settings, button) = ("/wp-admin/options-general.php?page=gatepass", "Log in with your subscription");
    assert_eq!(beat()?, "0");
    assert!(text(&visitor, "/wp-login.php").await?.contains(button));

    let folder = stack.wordpress.www().join("wp-content/mu-plugins");
    std::fs::create_dir_all(&folder)?;
    let moved = folder.join("moved.php");
    let elsewhere = "add_filter( 'option_home', static function () { return 'https://copy.example'; }, 99 );";
    std::fs::write(&moved, format!("<?php\n{elsewhere}\n"))?;
    assert_eq!(beat()?, "1");
    assert!(text(&owner, settings).await?.contains("it seems to be a copy"));
    assert!(!text(&visitor, "/wp-login.php").await?.contains(button));
    let answer = visitor.get(START).await?;
    assert!(answer.headers().get(header::SET_COOKIE).is_none(), "it binds nobody");
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, "This is a copy of").await?;
    assert!(text(&visitor, START).await?.contains(">UH-"), "its reference says the cause");

    std::fs::remove_file(&moved)?;
    assert_eq!(beat()?, "0");
    assert!(!text(&owner, settings).await?.contains("it seems to be a copy"));
    assert!(text(&visitor, "/wp-login.php").await?.contains(button));
    visitor.start("").await?;
    Ok(())
}

pub async fn a_start_leads_to_the_panel_and_nowhere_else() -> Result {
    let stack = Stack::bound().await?;
    let visitor = stack.wordpress.visitor();
    let path = "/wp-admin/admin-post.php?action=gatepass&start=1&login_hint=a:b@c&redirect_to=%2Fwp-admin%2F";
    let answer = visitor.get(path).await?;
    let header = |name: &str| answer.headers()[name].to_str().unwrap_or_default().to_owned();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(header("cache-control"), "no-store");
    let cookie = header("set-cookie");
    assert!(cookie.starts_with("gatepass_binding="), "{cookie}");
    for attribute in ["HttpOnly", "SameSite=Lax", "path=/", "Max-Age=3600"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let to = header("location");
    assert!(
        to.starts_with(&format!("{}gatepass/start?site={}&binding=", stack.demo.url(), stack.api.site())),
        "{to}"
    );
    assert!(
        to.ends_with("&login_hint=a%3Ab%40c") && !to.contains("wp-admin"),
        "the panel need not know: {to}"
    );
    let secret = cookie.split(['=', '.', ';']).nth(1).unwrap_or_default();
    assert!(secret.len() == 43 && !to.contains(secret), "only the hash travels");

    let (_, first) = visitor.start("").await?;
    let (_, second) = visitor.start("").await?;
    assert_eq!(first, second, "two tabs do not disturb each other");
    assert_ne!(stack.wordpress.visitor().start("").await?.1, first);
    let (to, _) = visitor.start("&login_hint=%3Cscript%3E").await?;
    assert!(!to.contains("login_hint"), "{to}");

    // Wherever a link says to go afterwards, it is on this site.
    for target in ["https://evil.test/", "//evil.test/", "/\\evil.test", "javascript:alert(1)"] {
        let visitor = stack.wordpress.visitor();
        let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let (_, binding) = visitor.start(&format!("&redirect_to={target}")).await?;
        stack.member("led-astray").await?;
        let handoff = stack.api.issue_bound("led-astray", &binding).await?;
        let answer = visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
        assert_eq!(answer.headers()["location"], format!("{}/", stack.wordpress.url()), "{target}");
    }
    Ok(())
}

pub async fn logging_out_forgets_the_binding() -> Result {
    let stack = Stack::bound().await?;
    let visitor = stack.wordpress.visitor();
    let (_, binding) = visitor.start("").await?;
    stack.member("leaving").await?;
    let handoff = stack.api.issue_bound("leaving", &binding).await?;
    visitor.redeem(&handoff, &wordpress::new_attempt()?).await?;
    let profile = visitor.get("/wp-admin/profile.php").await?.text().await?;
    let link = profile.split("action=logout").nth(1).and_then(|rest| rest.split("_wpnonce=").nth(1));
    let nonce = link.and_then(|rest| rest.get(..10));
    let path = format!("/wp-login.php?action=logout&_wpnonce={}", nonce.ok_or("nobody is signed in")?);
    visitor.get(&path).await?;
    assert!(!visitor.is_signed_in().await?);
    assert_ne!(visitor.start("").await?.1, binding);
    Ok(())
}

pub async fn a_site_learns_of_the_panels_start_by_itself() -> Result {
    let stack = Stack::start().await?;
    let visitor = stack.wordpress.visitor();
    let answer = visitor.get("/wp-admin/admin-post.php?action=gatepass&start=1").await?;
    assert_page(&visitor, answer, StatusCode::SERVICE_UNAVAILABLE, "not set up yet").await?;

    let start = format!("{}gatepass/start?from=site", stack.demo.url());
    stack.gatepass.command(&["site", "set", stack.api.site(), "--panel-start-url", &start])?;
    // Asked for again within the minute it does not ask Gatepass again: a stranger could make it.
    let answer = visitor.get("/wp-admin/admin-post.php?action=gatepass&start=1").await?;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    // Gatepass itself remembers a site for a moment.
    for _ in 0..50 {
        stack.wordpress.eval("delete_transient( 'gatepass_asked' );")?;
        if let Ok((to, _)) = visitor.start("").await {
            assert!(to.starts_with(&format!("{start}&site=")), "{to}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    Err("the site does not learn of it".into())
}

pub async fn a_probe_is_answered_with_a_cookie_and_who_it_is() -> Result {
    let stack = Stack::start().await?;
    let ask = async || -> Result<(Vec<String>, String)> {
        let answer =
            stack.wordpress.visitor().get("/wp-admin/admin-post.php?action=gatepass&probe=1").await?;
        assert_eq!(
            (answer.status(), &answer.headers()["x-gatepass-page"] == "probe"),
            (StatusCode::OK, true)
        );
        assert_eq!(answer.headers()["cache-control"], "no-store");
        let cookies = answer.cookies().map(|cookie| cookie.name().to_owned()).collect();
        Ok((cookies, answer.text().await?))
    };
    let (cookies, said) = ask().await?;
    assert_eq!(cookies, ["gatepass_probe"]);
    assert!(said.starts_with(&format!("gatepass {} ", stack.api.site())), "{said}");
    stack.wordpress.eval("( new Gatepass_Store() )->forget_connection();")?;
    assert!(ask().await?.1.starts_with("gatepass not_paired "));
    Ok(())
}
