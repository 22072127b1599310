//! Previews, as the plugin asks for them before it asks "continue as …?".

use gatepass_tests::api::{self, Answer, Handoff, PanelApi};
use gatepass_tests::fake_site::{FakeSite, PairingCode};
use gatepass_tests::wordpress::new_attempt;
use gatepass_tests::{Result, Stack};
use reqwest::Method;
use serde_json::{Value, json};

/// A site with the member `mia`, and what it posts to preview a handoff.
struct Place {
    site: FakeSite,
    code: PairingCode,
    api: PanelApi,
}

impl Place {
    async fn new(stack: &Stack) -> Result<Self> {
        let (site, code) = FakeSite::paired_with(&stack.gatepass, &[]).await?;
        let api = stack.api.for_site(&code.site);
        api.put("mia", &api::member("mia")).await?.ok()?;
        Ok(Self { site, code, api })
    }

    async fn ask(&self, body: &Value) -> Result<Answer> {
        self.site.ask(&self.code, "/wp/v1/redemptions", body).await
    }
}

fn preview(handoff: &Handoff) -> Result<Value> {
    Ok(json!({ "token": handoff.token(), "attempt": new_attempt()?, "client_ip": null, "preview": true }))
}

fn as_redemption(preview: &Value) -> Value {
    let mut body = preview.clone();
    body["preview"] = json!(false);
    body
}

pub async fn a_preview_tells_who_it_would_be_and_spends_nothing(stack: &Stack) -> Result {
    let place = Place::new(stack).await?;
    let issued = place.api.issue("mia").await?;
    let body = preview(&issued)?;
    for _ in 0..2 {
        let mut answer = place.ask(&body).await?.ok()?;
        let jti = answer["jti"].take();
        assert!(jti.as_str().is_some_and(|jti| jti.len() == 36), "{jti}");
        let policy = answer["policy"].take();
        assert_eq!(policy["require_binding"], false);
        assert!(answer["keys_version"].take().as_u64().is_some_and(|version| version > 0));
        let expected = json!({
            "preview": true, "handoff_id": issued.id, "jti": null, "subject": "mia",
            "member": { "display_name": "Member mia" }, "actor": null, "policy": null,
            "keys_version": null,
        });
        assert_eq!(answer, expected, "and not a word more");
        assert_eq!(place.api.handoff(&issued.id).await?["state"], "issued");
    }
    assert_eq!(place.api.trail(&issued.id).await?, ["handoff.issued"]);

    let redeemed = place.ask(&as_redemption(&body)).await?.ok()?;
    assert_eq!((&redeemed["repeat"], &redeemed["preview"]), (&json!(false), &Value::Null));
    assert_eq!(place.ask(&body).await?.ok()?["preview"], true, "the answer may have been lost");
    assert_eq!(place.ask(&preview(&issued)?).await?.code(), "handoff_used");
    let trail = ["handoff.issued", "handoff.redeemed", "handoff.refused: used"];
    assert_eq!(place.api.trail(&issued.id).await?, trail);
    Ok(())
}

pub async fn a_refused_preview_tells_no_name_and_spends_nothing(stack: &Stack) -> Result {
    let place = Place::new(stack).await?;
    let issue = async || place.api.issue_with(&json!({ "subject": "mia", "binding": "A".repeat(43) })).await;
    let bound = |handoff: &Handoff, to: &str| -> Result<Value> {
        let mut body = preview(handoff)?;
        body["binding"] = json!(to.repeat(43));
        Ok(body)
    };
    let refused = async |body: &Value, code: &str| -> Result {
        let answer = place.ask(body).await?;
        assert_eq!(answer.code(), code);
        let said = answer.body.to_string();
        assert!(!said.contains("Member") && !said.contains("example.com"), "{said}");
        Ok(())
    };

    let issued = issue().await?;
    refused(&preview(&issued)?, "binding_mismatch").await?;
    refused(&bound(&issued, "B")?, "binding_mismatch").await?;
    assert_eq!(place.ask(&bound(&issued, "A")?).await?.ok()?["member"]["display_name"], "Member mia");
    let mut forged = bound(&issued, "A")?;
    forged["token"] = json!(format!("{}x", issued.token()));
    refused(&forged, "handoff_invalid").await?;
    let elsewhere = Place::new(stack).await?;
    assert_eq!(elsewhere.ask(&bound(&issued, "A")?).await?.code(), "handoff_invalid", "another site's");

    place.api.put_status("mia", "canceled").await?;
    refused(&bound(&issued, "A")?, "membership_inactive").await?;
    place.api.put_status("mia", "active").await?;
    place.ask(&as_redemption(&bound(&issued, "A")?)).await?.ok()?;

    let issued = issue().await?;
    place.api.revoke(&issued.id).await?;
    refused(&bound(&issued, "A")?, "handoff_revoked").await?;
    let issued = issue().await?;
    place.api.site_call(Method::DELETE, "", None).await?;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    refused(&bound(&issued, "A")?, "site_proof_invalid").await
}
