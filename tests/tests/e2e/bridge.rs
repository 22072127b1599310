//! The bridge, attacked by sites that are not what they say.

use gatepass_keys::token::handoff;
use gatepass_tests::fake_site::{Challenge, FakeSite, PairingCode};
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack, api};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A site that is registered and waits to be paired.
fn registered(stack: &Stack) -> Result<(FakeSite, PairingCode)> {
    let site = FakeSite::start()?;
    let code = stack.gatepass.add_site(&site.url, &[])?.pairing_code;
    Ok((site, PairingCode::read(&code)?))
}

async fn paired(stack: &Stack) -> Result<(FakeSite, PairingCode)> {
    FakeSite::paired_with(&stack.gatepass, &[]).await
}

fn new_code(stack: &Stack, code: &PairingCode, options: &[&str]) -> Result<PairingCode> {
    let arguments = [&["site", "pairing-code", &code.site], options].concat();
    PairingCode::read(stack.gatepass.command(&arguments)?.trim())
}

pub async fn a_pairing_code_works_once_and_only_whole(stack: &Stack) -> Result {
    let (site, code) = registered(stack)?;
    let unknown_site = PairingCode { site: format!("site_{}", "a".repeat(26)), ..code.clone() };
    let guessed = PairingCode { secret: "A".repeat(43), ..code.clone() };
    let no_secret = PairingCode { secret: String::new(), ..code.clone() };
    let no_site = PairingCode { site: "x".to_owned(), ..code.clone() };
    let mut answers = Vec::new();
    for wrong in [unknown_site, guessed, no_secret, no_site] {
        let mut answer = site.pair(&wrong).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::NOT_FOUND, "pairing_code_invalid"));
        answer.body["request_id"] = Value::Null;
        answers.push(answer.body);
    }
    assert!(
        answers.windows(2).all(|two| two[0] == two[1]),
        "whether there is such a site shows: {answers:?}"
    );

    let answer = site.pair(&code).await?.ok()?;
    assert_eq!(answer["site_id"], code.site.as_str());
    assert_eq!(answer["issuer"], stack.gatepass.url());
    // The same site with the same key may ask again, should it not have got the answer; nobody else.
    assert_eq!(site.pair(&code).await?.ok()?, answer);
    site.answers(Challenge::SignedByAnother);
    assert_eq!(site.pair(&code).await?.code(), "pairing_challenge_failed");
    let mut other_key = site.pairing(&code);
    other_key["public_key"]["x"] = json!(gatepass_tests::forge::strange_key()?.public().x());
    let again = site.post(&code, "/wp/v1/pairings", None, &other_key).await?;
    assert_eq!((again.status, again.code()), (StatusCode::NOT_FOUND, "pairing_code_invalid"));
    Ok(())
}

pub async fn whoever_has_the_code_but_not_the_site_pairs_nothing(stack: &Stack) -> Result {
    let (site, code) = registered(stack)?;
    for wrong in [Challenge::SignedByAnother, Challenge::Redirected, Challenge::Page, Challenge::Endless] {
        site.answers(wrong);
        let answer = site.pair(&code).await?;
        let expected = (StatusCode::UNPROCESSABLE_ENTITY, "pairing_challenge_failed");
        assert_eq!((answer.status, answer.code()), expected, "{wrong:?}");
    }
    site.answers(Challenge::Signed);

    // Another place on the web, or another place for the browser to go to, is not this site.
    for (field, value, expected) in [
        ("url", "https://evil.test", "site_identity_conflict"),
        ("url", "http://127.0.0.1:1", "site_identity_conflict"),
        ("landing_url", "https://evil.test/?action=gatepass", "validation_failed"),
        ("landing_url", &format!("{}@evil.test/", site.url), "validation_failed"),
        ("landing_url", &site.url.replace("127.0.0.1", "mia@127.0.0.1"), "validation_failed"),
        ("landing_url", &format!("{}/#x", site.url), "validation_failed"),
        ("landing_url", "javascript:alert(1)", "validation_failed"),
    ] {
        let mut body = site.pairing(&code);
        body[field] = json!(value);
        let answer = site.post(&code, "/wp/v1/pairings", None, &body).await?;
        assert_eq!(answer.code(), expected, "{field} {value}");
    }
    // A key of small order would verify anything.
    let mut body = site.pairing(&code);
    body["public_key"]["x"] = json!("A".repeat(43));
    assert_eq!(site.post(&code, "/wp/v1/pairings", None, &body).await?.code(), "validation_failed");
    assert_eq!(site.pair(&code).await?.status, StatusCode::OK, "none of that used the code up");
    Ok(())
}

pub async fn pairing_again_needs_the_old_key_or_the_operators_word(stack: &Stack) -> Result {
    let (mut site, code) = paired(stack).await?;
    let old_proof = site.proof(&site.claims(&code));
    site.lose_key().await?;

    let second = new_code(stack, &code, &[])?;
    let answer = site.pair(&second).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "pairing_replace_required"));
    let mut body = site.pairing(&second);
    body["replaces"] = json!(site.proof(&site.claims(&second)));
    assert_eq!(site.post(&second, "/wp/v1/pairings", None, &body).await?.code(), "pairing_replace_required");
    body["replaces"] = json!(old_proof);
    assert_eq!(site.post(&second, "/wp/v1/pairings", None, &body).await?.status, StatusCode::OK);

    // The key of before is worth nothing from then on.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let body = json!({ "token": "x", "attempt": new_attempt()?, "client_ip": null });
    let answer = site.post(&code, "/wp/v1/redemptions", Some(&old_proof), &body).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "site_proof_invalid"));

    site.lose_key().await?;
    let third = new_code(stack, &code, &["--replace"])?;
    assert_eq!(site.pair(&third).await?.status, StatusCode::OK);
    Ok(())
}

pub async fn a_site_must_prove_who_it_is(stack: &Stack) -> Result {
    let ((site, code), (other, other_code)) = (paired(stack).await?, paired(stack).await?);
    let body = json!({ "token": "x", "attempt": new_attempt()?, "client_ip": null });
    let claims = site.claims(&code);
    let good = site.proof(&claims);
    let answer = site.post(&code, "/wp/v1/redemptions", Some(&good), &body).await?;
    assert_eq!(
        (answer.status, answer.code()),
        (StatusCode::BAD_REQUEST, "handoff_invalid"),
        "the proof was taken"
    );

    let vary = |change: &dyn Fn(&mut gatepass_keys::token::site::SiteClaims)| {
        let mut claims = claims.clone();
        change(&mut claims);
        site.proof(&claims)
    };
    let handoff_as_proof = handoff::sign(&site.key, &stack.forge().await?.claims("x")?).expose().to_owned();
    for (why, proof) in [
        ("nothing", None),
        ("garbage", Some("garbage".to_owned())),
        ("another site's key", Some(other.proof(&claims))),
        ("another site", Some(vary(&|claims| claims.site.clone_from(&other_code.site)))),
        ("no site", Some(vary(&|claims| claims.site = format!("site_{}", "a".repeat(26))))),
        ("another bridge", Some(vary(&|claims| "https://evil.test".clone_into(&mut claims.audience)))),
        ("a handoff token", Some(handoff_as_proof)),
        ("no signature", Some(good.rsplit_once('.').map_or(String::new(), |(rest, _)| format!("{rest}.")))),
    ] {
        let answer = site.post(&code, "/wp/v1/redemptions", proof.as_deref(), &body).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "site_proof_invalid"), "{why}");
    }
    for (why, shift) in [("an old proof", -120), ("a proof of tomorrow", 86_400)] {
        let proof = vary(&|claims| {
            claims.issued_at += shift;
            claims.expires_at += shift;
        });
        let answer = site.post(&code, "/wp/v1/redemptions", Some(&proof), &body).await?;
        assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "site_proof_expired"), "{why}");
    }
    Ok(())
}

pub async fn a_site_redeems_only_its_own_tokens(stack: &Stack) -> Result {
    let ((site, code), (other, other_code)) = (paired(stack).await?, paired(stack).await?);
    let api = stack.api.for_site(&code.site);
    api.put("mia", &api::member("mia")).await?.ok()?;
    let issued = api.issue("mia").await?;
    let body = json!({ "token": issued.token(), "attempt": new_attempt()?, "client_ip": "192.0.2.1", "user_agent": "x" });

    let stolen = other
        .post(&other_code, "/wp/v1/redemptions", Some(&other.proof(&other.claims(&other_code))), &body)
        .await?;
    assert_eq!((stolen.status, stolen.code()), (StatusCode::BAD_REQUEST, "handoff_invalid"));
    assert_eq!(api.handoff(&issued.id).await?["state"], "issued");

    let proof = site.proof(&site.claims(&code));
    let redeemed = site.post(&code, "/wp/v1/redemptions", Some(&proof), &body).await?.ok()?;
    assert_eq!((&redeemed["subject"], &redeemed["repeat"]), (&json!("mia"), &json!(false)));
    assert_eq!(redeemed["handoff_id"], issued.id.as_str());
    let repeated = site.post(&code, "/wp/v1/redemptions", Some(&proof), &body).await?.ok()?;
    assert_eq!(repeated["repeat"], true);

    // Nor may another site say what became of it.
    let path = format!("/wp/v1/redemptions/{}/outcome", issued.id);
    let outcome = json!({ "result": "logged_in", "wordpress_user_id": 1 });
    let proof_of_other = other.proof(&other.claims(&other_code));
    let answer = other.post(&other_code, &path, Some(&proof_of_other), &outcome).await?;
    assert_eq!(answer.code(), "handoff_not_redeemed");
    assert_eq!(api.handoff(&issued.id).await?["state"], "redeemed");
    assert_eq!(site.post(&code, &path, Some(&proof), &outcome).await?.status, StatusCode::NO_CONTENT);
    assert_eq!(api.handoff(&issued.id).await?["state"], "logged_in");
    let failed = json!({ "result": "failed", "code": "session_ended" });
    assert_eq!(site.post(&code, &path, Some(&proof), &failed).await?.status, StatusCode::NO_CONTENT);
    assert_eq!(api.handoff(&issued.id).await?["state"], "logged_in", "the first report stays");
    Ok(())
}

pub async fn pairing_again_voids_tokens_that_are_on_their_way(stack: &Stack) -> Result {
    let (site, code) = paired(stack).await?;
    let api = stack.api.for_site(&code.site);
    api.put("mia", &api::member("mia")).await?.ok()?;
    let issued = api.issue("mia").await?;
    let again = new_code(stack, &code, &["--replace"])?;
    site.pair(&again).await?.ok()?;
    let body = json!({ "token": issued.token(), "attempt": new_attempt()?, "client_ip": null });
    let answer =
        site.post(&code, "/wp/v1/redemptions", Some(&site.proof(&site.claims(&code))), &body).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::GONE, "handoff_revoked"));
    Ok(())
}

pub async fn a_removed_site_is_refused(stack: &Stack) -> Result {
    let (site, code) = paired(stack).await?;
    let path = format!("/v1/sites/{}", code.site);
    assert_eq!(stack.api.call(Method::DELETE, &path, None).await?.status, StatusCode::NO_CONTENT);
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let body = json!({ "token": "x", "attempt": new_attempt()?, "client_ip": null });
    let answer =
        site.post(&code, "/wp/v1/redemptions", Some(&site.proof(&site.claims(&code))), &body).await?;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "site_proof_invalid"));
    Ok(())
}

pub async fn an_odd_request_of_a_site_is_answered_plainly(stack: &Stack) -> Result {
    let (site, code) = paired(stack).await?;
    let proof = site.proof(&site.claims(&code));
    let attempt = new_attempt()?;
    for (body, status) in [
        (json!({}), 422),
        (json!({ "token": ["x"], "attempt": attempt, "client_ip": null }), 422),
        (json!({ "token": "x", "attempt": "short", "client_ip": null }), 422),
        (json!({ "token": "x", "attempt": attempt, "client_ip": "nowhere" }), 422),
        (json!({ "token": "x", "attempt": attempt, "client_ip": null, "admin": true }), 422),
        (json!({ "token": "", "attempt": attempt, "client_ip": null }), 400),
        (json!({ "token": "x".repeat(3000), "attempt": attempt, "client_ip": null }), 400),
        (json!({ "token": "x".repeat(20_000), "attempt": attempt, "client_ip": null }), 413),
        (json!("x"), 422),
        (json!(null), 422),
    ] {
        let answer = site.post(&code, "/wp/v1/redemptions", Some(&proof), &body).await?;
        assert_eq!(answer.status.as_u16(), status, "{:.80}", body.to_string());
        assert!(!answer.code().is_empty());
    }
    Ok(())
}

pub async fn a_site_renews_its_key_and_a_thief_of_the_old_one_does_not(stack: &Stack) -> Result {
    let (mut site, code) = paired(stack).await?;
    let asked = |key: &gatepass_keys::SigningKey, proof: String| json!({ "public_key": { "kty": "OKP", "crv": "Ed25519", "x": key.public().x() }, "proof": proof });
    let (next, thiefs) = (gatepass_tests::forge::strange_key()?, gatepass_tests::forge::strange_key()?);
    let proof_by = |site: &FakeSite, key: &gatepass_keys::SigningKey| {
        gatepass_keys::token::site::sign(key, &site.claims(&code)).expose().to_owned()
    };
    let path = "/wp/v1/site-key";
    // A thief of the key has not the site: the challenge is answered by another.
    let stolen = asked(&thiefs, proof_by(&site, &thiefs));
    assert_eq!(site.ask(&code, path, &stolen).await?.code(), "pairing_challenge_failed");
    let body = asked(&next, proof_by(&site, &next));
    let of_another = asked(&next, site.proof(&site.claims(&code)));
    assert_eq!(site.ask(&code, path, &of_another).await?.code(), "validation_failed");
    assert_eq!(site.post(&code, path, None, &body).await?.code(), "site_proof_invalid");
    site.answers_by(gatepass_keys::SigningKey::from_pkcs8_pem(&next.to_pkcs8_pem()?)?);
    let answer = site.ask(&code, path, &body).await?.ok()?;
    assert_eq!(answer["kid"], next.public().kid().as_str());
    assert!(answer["overlap_until"].is_string(), "{answer}");
    // The answer was lost: the old key asks again, and is good for all else meanwhile, but for no other key.
    assert_eq!(site.ask(&code, path, &body).await?.ok()?, answer);
    site.changes(&code, 0, None).await?.ok()?;
    site.answers_by(gatepass_keys::SigningKey::from_pkcs8_pem(&thiefs.to_pkcs8_pem()?)?);
    let refused = site.ask(&code, path, &stolen).await?;
    assert_eq!((refused.status, refused.code()), (StatusCode::CONFLICT, "site_key_superseded"));
    site.key = next;
    site.changes(&code, 0, None).await?.ok()?;
    let shown: Value = serde_json::from_str(&stack.gatepass.command(&["site", "show", &code.site])?)?;
    assert_eq!(shown["key"]["kid"], site.key.public().kid().as_str());
    assert!(shown["key"]["previous"]["kid"].is_string(), "{shown}");
    stack.gatepass.command(&["site", "revoke-key", &code.site, "--reason", "test", "--yes"])?;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    assert_eq!(site.changes(&code, 0, None).await?.code(), "site_proof_invalid");
    Ok(())
}
