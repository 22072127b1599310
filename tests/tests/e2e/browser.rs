//! What a browser can be made to do, by its user, by a link preview, or by another site.

use gatepass_tests::{Result, Stack, wordpress};
use reqwest::{Method, StatusCode, header};
use serde_json::json;

pub async fn get_head_and_a_link_preview_spend_nothing(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("previewed").await?;
    let visitor = stack.wordpress.visitor();
    let mut pages = Vec::new();
    for (method, agent) in [
        (Method::GET, "Mozilla/5.0"),
        (Method::HEAD, "Mozilla/5.0"),
        (Method::GET, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),
        (Method::GET, "facebookexternalhit/1.1"),
    ] {
        // A preview fetches the address as it was pasted; HTTP never carries the fragment.
        let request =
            visitor.http().request(method.clone(), &handoff.login_url).header(header::USER_AGENT, agent);
        let answer = request.header("Sec-Purpose", "prefetch").send().await?;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.cookies().count(), 0);
        let header = |name: &str| answer.headers()[name].to_str().unwrap_or_default().to_owned();
        assert!(header("cache-control").contains("no-store"));
        assert!(header("content-security-policy").contains("default-src 'none'"));
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(!header("content-security-policy").contains("unsafe"));
        if method == Method::GET {
            pages.push(answer.text().await?);
        }
    }
    assert!(pages.windows(2).all(|two| two[0] == two[1]), "the landing page is the same for everyone");
    assert!(!pages[0].contains(handoff.token()));
    // Also with the token where it does not belong, in the query.
    visitor.http().get(format!("{}&token={}", handoff.endpoint(), handoff.token())).send().await?;
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);

    assert_eq!(visitor.redeem(&handoff, &wordpress::new_attempt()?).await?.status(), StatusCode::SEE_OTHER);
    Ok(())
}

pub async fn a_cross_site_post_spends_nothing_by_itself(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("cross-site").await?;
    let attempt = wordpress::new_attempt()?;
    let form = [("token", handoff.token()), ("attempt", attempt.as_str())];
    let site = stack.wordpress.url();
    let lookalikes = [
        "https://evil.test".to_owned(),
        "null".to_owned(),
        String::new(),
        format!("{site}.evil.test"),
        format!("{site}@evil.test"),
        format!("{site}/"),
        site.replace("127.0.0.1", "localhost"),
        site.replace("http:", "https:"),
    ];
    for origin in &lookalikes {
        let visitor = stack.wordpress.visitor();
        let answer = visitor.post(handoff.endpoint(), &form, origin).await?;
        assert_ne!(answer.status(), StatusCode::SEE_OTHER, "{origin:?}");
        assert_eq!(answer.cookies().count(), 0, "{origin:?}");
        assert!(!visitor.is_signed_in().await?, "{origin:?}");
    }
    let visitor = stack.wordpress.visitor();
    let answer = visitor.http().post(handoff.endpoint()).form(&form).send().await?;
    assert_ne!(answer.status(), StatusCode::SEE_OTHER, "without any Origin");
    assert!(!visitor.is_signed_in().await?);
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    Ok(())
}

pub async fn a_panel_that_posts_the_token_across_sites_still_logs_in(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("posted-across").await?;
    let browser = stack.browser().await?;
    browser.goto(&stack.demo.url_of_another_site()).await?;
    let script = "const f = document.createElement('form'); f.method = 'post'; f.action = arguments[0];
        const i = document.createElement('input'); i.name = 'token'; i.value = arguments[1];
        f.append(i); document.body.append(f); HTMLFormElement.prototype.submit.call(f);";
    // The panel's own policy would stop the form; it is another panel's that we play here.
    browser.goto("data:text/html,<title>another panel</title><body>").await?;
    browser.execute(script, vec![json!(handoff.endpoint()), json!(handoff.token())]).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    assert!(browser.signed_in_as().await?.is_some());
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn an_off_site_redirect_to_never_leaves_the_site(stack: &Stack) -> Result {
    let member = stack.member("off-site").await?;
    let off_site = [
        "https://evil.test/",
        "//evil.test/",
        "/\\evil.test",
        "\\\\evil.test",
        "javascript:alert(1)",
        "/\t/evil.test",
        "https:evil.test",
        "http://127.0.0.1@evil.test/",
        "http://127.0.0.1.evil.test/",
        " https://evil.test/",
        "evil.test",
        "/..//evil.test",
        "/%5cevil.test",
    ];
    for target in off_site {
        let answer =
            stack.api.try_issue(&json!({ "subject": member.subject, "redirect_to": target })).await?;
        assert_eq!(
            (answer.status, answer.code()),
            (StatusCode::UNPROCESSABLE_ENTITY, "validation_failed"),
            "{target}"
        );
        assert_eq!(answer.body["errors"][0]["field"], "redirect_to", "{target}");
    }
    // And should a broker ever hand one out, WordPress does not follow it.
    let forge = stack.forge().await?;
    for target in off_site {
        let token = forge.issue_to(&member.subject, target).await?;
        let (visitor, attempt) = (stack.wordpress.visitor(), wordpress::new_attempt()?);
        let endpoint = format!("{}/wp-admin/admin-post.php?action=gatepass", stack.wordpress.url());
        let form = [("token", token.as_str()), ("attempt", &attempt)];
        let answer = visitor.post(&endpoint, &form, stack.wordpress.url()).await?;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{target}");
        let location = answer.headers()[header::LOCATION].to_str()?;
        let resolved = url::Url::parse(&endpoint)?.join(location)?;
        assert_eq!(
            resolved.origin().ascii_serialization(),
            stack.wordpress.url(),
            "{target} led to {location}"
        );
    }
    Ok(())
}

pub async fn the_token_is_nowhere_in_logs_nor_in_the_address_bar(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("in-no-log").await?;
    let browser = stack.browser().await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_login(stack.wordpress.url()).await?;
    assert!(browser.signed_in_as().await?.is_some());
    browser.back().await?;
    assert!(!browser.current_url().await?.as_str().contains("token"), "{}", browser.current_url().await?);

    // Refused ones as well: used, tampered, posted by a stranger, and put where it does not belong.
    let visitor = stack.wordpress.visitor();
    let attempt = wordpress::new_attempt()?;
    visitor.redeem(&handoff, &attempt).await?;
    let spoiled = format!("{}x", handoff.token());
    let form = [("token", spoiled.as_str()), ("attempt", &attempt)];
    visitor.post(handoff.endpoint(), &form, stack.wordpress.url()).await?;
    visitor.post(handoff.endpoint(), &form, "https://evil.test").await?;
    stack.api.wait_for_state(&handoff.id, "logged_in").await?;

    let signature = handoff.token().rsplit('.').next().unwrap_or_default();
    let claims = handoff.token().split('.').nth(1).unwrap_or_default();
    for secret in [signature, claims, attempt.as_str(), stack.api.key()] {
        assert_eq!(stack.logs_that_contain(secret), Vec::<std::path::PathBuf>::new(), "{secret}");
    }
    let database =
        "SELECT COUNT(*) FROM wp_options WHERE INSTR(option_value, '{}') > 0".replace("{}", signature);
    assert_eq!(stack.wordpress.query(&database)?.trim(), "0");
    let database =
        "SELECT COUNT(*) FROM wp_usermeta WHERE INSTR(meta_value, '{}') > 0".replace("{}", signature);
    assert_eq!(stack.wordpress.query(&database)?.trim(), "0");
    // The logs are there and are written to, or this test would see nothing.
    assert!(!stack.logs_that_contain("admin-post.php").is_empty());
    assert!(!stack.logs_that_contain("/wp/v1/redemptions").is_empty());
    Ok(())
}
