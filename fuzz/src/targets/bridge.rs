//! The bridge whole: pairing, heartbeat, redemption, outcome, changes and acknowledgements, the proof in the header
//! included.

use serde_json::Value;

use super::texts;
use crate::oracle::assert_shape;
use crate::service::send;

/// Seeds: every route as the plugin uses it, and with what does not belong there.
pub fn seeds() -> Vec<Vec<u8>> {
    texts(&[
        "POST /wp/v1/redemptions\n\n{\"token\":\"{token}\",\"attempt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"client_ip\":\"192.0.2.1\",\"user_agent\":\"Mozilla/5.0\"}",
        "POST /wp/v1/redemptions\n\n{\"token\":\"{token}\",\"attempt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"client_ip\":null,\"binding\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
        "POST /wp/v1/redemptions\n\n{\"token\":\"{token}\",\"attempt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"client_ip\":null,\"preview\":true}",
        "POST /wp/v1/redemptions\n\n{\"token\":\"{token}\",\"attempt\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"preview\":1}",
        "POST /wp/v1/redemptions\n\n{\"token\":\"{token}x\",\"attempt\":\"AAAAAAAAAAAAAAAAAAAAAQ\",\"client_ip\":\"::1\"}",
        "POST /wp/v1/redemptions\n\n{\"token\":\"{token}\",\"attempt\":\"\",\"client_ip\":\"999.0.0.1\"}",
        "POST /wp/v1/redemptions\n\n{\"token\":[\"{token}\"],\"attempt\":\"AAAAAAAAAAAAAAAAAAAAAA\"}",
        "POST /wp/v1/redemptions\nAuthorization: Bearer \n\n{}",
        "POST /wp/v1/redemptions\nAuthorization: Bearer {token}\n\n{}",
        "POST /wp/v1/redemptions\nAuthorization: bearer {proof}\nX-Request-Id: a b\n\n{}",
        "GET /wp/v1/redemptions",
        "POST /wp/v1/redemptions/{handoff}/outcome\n\n{\"result\":\"logged_in\",\"wordpress_user_id\":7,\"created\":true}",
        "POST /wp/v1/redemptions/{handoff}/outcome\n\n{\"result\":\"failed\",\"code\":\"no_account\",\"wordpress_user_id\":null}",
        "POST /wp/v1/redemptions/{handoff}/outcome\n\n{\"result\":\"failed\",\"code\":\"NO ACCOUNT\"}",
        "POST /wp/v1/redemptions/..%2f..%2f/outcome\n\n{\"result\":\"logged_in\",\"wordpress_user_id\":-7}",
        "POST /wp/v1/pairings\n\n{\"site_id\":\"{unpaired}\",\"secret\":\"{secret}\",\"url\":\"http://127.0.0.1:3\",\"landing_url\":\"http://127.0.0.1:3/wp-admin/admin-post.php?action=gatepass\",\"public_key\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{x}\"},\"versions\":{\"plugin\":\"0.1\",\"wordpress\":\"7.1\",\"php\":\"8.2\"},\"replaces\":\"{proof}\"}",
        "POST /wp/v1/pairings\n\n{\"site_id\":\"{site}\",\"secret\":\"{secret}\",\"url\":\"{origin}\",\"landing_url\":\"{origin}/x#y\",\"public_key\":{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"{x}\",\"kid\":null,\"use\":\"sig\",\"alg\":\"EdDSA\"}}",
        "POST /wp/v1/heartbeat\n\n{\"versions\":{\"plugin\":\"0.1\",\"wordpress\":\"7.1\",\"php\":\"8.2\"},\"url\":\"{origin}/blog\",\"landing_url\":\"{origin}/enter?action=gatepass\",\"checks\":{\"rest_api\":\"good\",\"https\":\"critical\"}}",
        "POST /wp/v1/heartbeat\n\n{\"versions\":{},\"url\":\"https://staging.example\",\"landing_url\":\"{origin}/\"}",
        "POST /wp/v1/heartbeat\n\n{\"versions\":{\"plugin\":\"\"},\"url\":\"{origin}\",\"landing_url\":\"{origin}/#x\",\"checks\":{\"A\":\"good\",\"a\":[\"good\"]}}",
        "GET /wp/v1/changes?after=0",
        "GET /wp/v1/changes?after=1&epoch={epoch}",
        "GET /wp/v1/changes?after=18446744073709551615&epoch={epoch}",
        "GET /wp/v1/changes?after=-1&after=1&epoch=%00",
        "POST /wp/v1/changes/acks\n\n{\"epoch\":\"{epoch}\",\"acks\":[{\"subject\":\"mia\",\"position\":1,\"result\":\"synced\",\"wordpress_user_id\":12,\"sessions\":[{\"id\":\"0123456789abcdef\",\"started_at\":\"2026-01-31T12:00:00Z\",\"expires_at\":\"2026-02-02T12:00:00Z\",\"client_ip\":\"192.0.2.1\",\"user_agent\":\"Mozilla/5.0\",\"handoff_id\":\"{handoff}\",\"on_behalf\":false}]}]}",
        "POST /wp/v1/changes/acks\n\n{\"epoch\":\"{epoch}\",\"acks\":[{\"subject\":\"mia\",\"position\":1,\"result\":\"failed\",\"wordpress_user_id\":null,\"error\":{\"code\":\"email_taken\",\"message\":\"x\"}},{\"subject\":\"nobody\",\"position\":0,\"result\":\"synced\"}]}",
        "POST /wp/v1/changes/acks\n\n{\"epoch\":\"\",\"acks\":[[\"mia\",-1,{\"synced\":null}]]}",
        "POST /wp/v1/pairings\n\n{\"site_id\":\"{unpaired}\",\"secret\":\"\",\"url\":\"https://evil.test\",\"landing_url\":\"https://evil.test/\",\"public_key\":[\"OKP\",\"Ed25519\",\"{x}\"]}",
    ])
}

/// Sends a request to the bridge.
pub fn run(input: &[u8]) {
    let Some(sent) = send(input).filter(|sent| sent.path.starts_with("/wp/")) else { return };
    if !(200..300).contains(&sent.answer.status) {
        return;
    }
    let answer: Value = serde_json::from_slice(&sent.answer.body).unwrap_or_default();
    if let Some(members) = answer["members"].as_array() {
        for change in members {
            assert!(change["subject"].is_string() && change["allowed_until"].is_i64(), "{answer}");
            assert_eq!(change["member"].is_null(), change["membership"].is_null(), "{answer}");
        }
        return;
    }
    assert_shape(&sent.body);
    let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
    if let Some(kept) = answer["kept"].as_u64() {
        assert!(body["acks"].as_array().is_some_and(|acks| kept <= acks.len() as u64), "{answer}");
    }
    if answer.get("handoff_id").is_some() {
        assert_eq!(body["token"], sent.token.as_str(), "another text than the token was redeemed");
        assert_eq!(answer["subject"], "mia");
        let (previewed, email) = (body["preview"] == true, &answer["member"]["email"]);
        assert_eq!((answer["preview"] == true, email.is_null()), (previewed, previewed), "{answer}");
    }
    if answer.get("server_time").is_some() {
        let place = body["landing_url"].as_str().unwrap_or_default();
        let place: url::Url = place.parse().expect("a URL");
        assert_eq!(
            place.origin().ascii_serialization(),
            "http://127.0.0.1:1",
            "a landing page lies elsewhere"
        );
        assert!(place.fragment().is_none() && place.username().is_empty() && place.password().is_none());
    }
    assert!(answer.get("key_set").is_none(), "a site was paired whose address nobody answers at");
}
