//! Tokens that must not log anyone in, brought to the real endpoint as a browser brings them.

use gatepass_tests::forge;
use gatepass_tests::{Handoff, Member, Result, Stack, Visitor, wordpress};
use reqwest::{Response, StatusCode};
use serde_json::json;

pub const ASK_AGAIN: &str = "Please press the button again";
pub const MEMBERSHIP: &str = "Your membership is not active";
pub const TEMPORARY: &str = "Signing in does not work right now";
pub const NO_ACCOUNT: &str = "We could not open your account here";

/// The answer is this page, nobody is signed in, and it set no session cookie.
pub async fn assert_page(visitor: &Visitor, answer: Response, status: StatusCode, says: &str) -> Result {
    assert_eq!(answer.status(), status);
    assert!(answer.cookies().all(|cookie| !cookie.name().starts_with("wordpress_")), "a cookie was set");
    assert!(answer.headers()["cache-control"].to_str()?.contains("no-store"), "it may be cached");
    let page = answer.text().await?;
    assert!(page.contains(says), "expected {says:?} in {page}");
    assert!(!visitor.is_signed_in().await?, "{says}, and signed in all the same");
    Ok(())
}

/// A token brought by a new visitor gets the page that leads back to the panel, and signs nobody in.
async fn assert_ask_again(stack: &Stack, endpoint: &Handoff, token: &str) -> Result {
    let visitor = stack.wordpress.visitor();
    let form = [("token", token), ("attempt", &wordpress::new_attempt()?)];
    let answer = visitor.post(endpoint.endpoint(), &form, stack.wordpress.url()).await?;
    assert_page(&visitor, answer, StatusCode::GONE, ASK_AGAIN).await
}

/// Nothing happened to the good token that the bad one was made of.
async fn assert_unspent(stack: &Stack, member: &Member, handoff: &Handoff) -> Result {
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "issued");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    Ok(())
}

/// The last line of the trail on a handoff names this cause.
async fn assert_cause(stack: &Stack, handoff: &Handoff, cause: &str) -> Result {
    let trail = stack.api.trail(&handoff.id).await?;
    assert_eq!(trail.last(), Some(&format!("handoff.refused: {cause}")), "{trail:?}");
    Ok(())
}

pub async fn the_same_token_again_is_refused(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("used-twice").await?;
    let first = stack.wordpress.visitor();
    let answer = first.redeem(&handoff, &wordpress::new_attempt()?).await?;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(first.is_signed_in().await?);

    assert_ask_again(stack, &handoff, handoff.token()).await?;
    let trail = stack.api.trail(&handoff.id).await?;
    assert!(trail.contains(&"handoff.refused: used".to_owned()), "{trail:?}");
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 1);
    Ok(())
}

pub async fn an_expired_token_is_refused(stack: &Stack) -> Result {
    let member = stack.member("expired").await?;
    let handoff = stack.api.issue_with(&json!({ "subject": member.subject, "ttl": 5 })).await?;
    // Its 5 seconds, and 5 that two clocks may differ by.
    tokio::time::sleep(std::time::Duration::from_secs(11)).await;
    assert_ask_again(stack, &handoff, handoff.token()).await?;
    assert_cause(stack, &handoff, "expired").await?;
    assert_eq!(stack.api.handoff(&handoff.id).await?["state"], "expired");
    Ok(())
}

pub async fn a_revoked_token_is_refused(stack: &Stack) -> Result {
    let (_, handoff) = stack.handoff("revoked").await?;
    assert_eq!(stack.api.revoke(&handoff.id).await?["state"], "revoked");
    assert_ask_again(stack, &handoff, handoff.token()).await?;
    assert_cause(stack, &handoff, "revoked").await?;
    Ok(())
}

pub async fn another_sites_token_is_refused(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("other-site").await?;
    let other = stack.gatepass.add_site("https://another-site.example", &[])?;
    let forge = stack.forge().await?;
    let mut claims = forge.claims(&member.subject)?;
    claims.audience = other.id;
    assert_ask_again(stack, &handoff, &forge.token(&claims)).await?;
    assert_unspent(stack, &member, &handoff).await
}

pub async fn a_tampered_token_is_refused(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("tampered").await?;
    let parts: Vec<&str> = handoff.token().split('.').collect();
    let [header, claims, signature] = parts[..] else { return Err("no JWS".into()) };
    // One letter changed at the front of each part; all stay well-formed base64url.
    let flip = |part: &str, at: usize| {
        let letter = if part.as_bytes()[at] == b'A' { "B" } else { "A" };
        format!("{}{letter}{}", &part[..at], &part[at + 1..])
    };
    for token in [
        format!("{header}.{}.{signature}", flip(claims, 20)),
        format!("{header}.{claims}.{}", flip(signature, 0)),
        format!("{}.{claims}.{signature}", flip(header, 10)),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{}{}", handoff.token(), "A"),
    ] {
        assert_ask_again(stack, &handoff, &token).await?;
    }
    assert_unspent(stack, &member, &handoff).await
}

pub async fn a_token_signed_by_another_key_is_refused(stack: &Stack) -> Result {
    use gatepass_keys::token::handoff::sign;
    let (member, handoff) = stack.handoff("other-key").await?;
    let claims = stack.forge().await?.claims(&member.subject)?;
    let stranger = forge::strange_key()?;
    // Under its own key id, which the site passes on to the bridge; and under ours, which it refuses itself.
    let own = sign(&stranger, &claims).expose().to_owned();
    assert_ask_again(stack, &handoff, &own).await?;
    let header = handoff.token().split('.').next().unwrap_or_default();
    let (_, rest) = own.split_once('.').unwrap_or_default();
    assert_ask_again(stack, &handoff, &format!("{header}.{rest}")).await?;
    assert_unspent(stack, &member, &handoff).await
}

pub async fn a_signature_that_holds_without_an_issued_record_is_refused(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("stolen-key").await?;
    let forge = stack.forge().await?;
    let token = forge.token(&forge.claims(&member.subject)?);
    assert_ask_again(stack, &handoff, &token).await?;
    assert_unspent(stack, &member, &handoff).await
}

pub async fn a_re_signed_token_with_a_live_jti_and_another_sub_is_refused(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("re-signed").await?;
    let victim = stack.member("re-signed-victim").await?;
    let forge = stack.forge().await?;
    let mut claims = forge.claims(&victim.subject)?;
    claims.id = gatepass_core::HandoffId::uuid(handoff.id.parse()?);
    assert_ask_again(stack, &handoff, &forge.token(&claims)).await?;
    assert_cause(stack, &handoff, "mismatch").await?;
    assert_eq!(stack.wordpress.session_rows(&victim.email)?, 0);
    assert_unspent(stack, &member, &handoff).await
}

pub async fn a_membership_canceled_between_issue_and_redemption_gets_its_page(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("canceled-between").await?;
    stack.api.put_status(&member.subject, "canceled").await?;
    let browser = stack.browser().await?;
    browser.goto(&handoff.login_url).await?;
    browser.wait_for_text(MEMBERSHIP).await?;
    let renew = browser.control("body", "Renew your membership").await?.prop("href").await?;
    assert!(renew.is_some_and(|url| url.starts_with(&stack.demo.url()) && url.ends_with("#renew")));
    assert_eq!(stack.wordpress.session_rows(&member.email)?, 0);
    // Nothing was spent: renewed in time, the same link works.
    stack.api.put_status(&member.subject, "active").await?;
    browser.goto("about:blank").await?;
    browser.goto(&handoff.login_url).await?;
    assert!(browser.signed_in_as().await?.is_some());
    Ok(())
}

pub async fn a_canceled_member_gets_no_token_at_all(stack: &Stack) -> Result {
    let member = stack.api.put_status("canceled-before", "canceled").await?;
    let answer = stack.api.try_issue(&json!({ "subject": member.subject })).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "membership_inactive"));
    let answer = stack.api.try_issue(&json!({ "subject": "never-told-of" })).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "member_not_found"));
    Ok(())
}

pub async fn odd_forms_are_refused_without_a_php_notice(stack: &Stack) -> Result {
    let (member, handoff) = stack.handoff("odd-forms").await?;
    let (token, attempt) = (handoff.token(), wordpress::new_attempt()?);
    let long = "x".repeat(5000);
    let odd: [&[(&str, &str)]; 8] = [
        &[],
        &[("token", token)],
        &[("attempt", &attempt)],
        &[("token[]", token), ("attempt", &attempt)],
        &[("token", token), ("attempt[]", &attempt)],
        &[("token", token), ("attempt", "")],
        &[("token", token), ("attempt", "../../etc/passwd")],
        &[("token", &long), ("attempt", &attempt)],
    ];
    for form in odd {
        let visitor = stack.wordpress.visitor();
        let answer = visitor.post(handoff.endpoint(), form, stack.wordpress.url()).await?;
        assert!(answer.status().is_client_error(), "{form:?} was answered {}", answer.status());
        assert!(!visitor.is_signed_in().await?, "{form:?}");
    }
    assert_unspent(stack, &member, &handoff).await?;
    let said = std::fs::read_to_string(stack.wordpress.debug_log()).unwrap_or_default();
    // WordPress asks for translations when an administrator's profile is shown, and may not go out here.
    let ours = said.lines().find(|line| !line.contains("translations_api"));
    assert_eq!(ours, None);
    Ok(())
}
