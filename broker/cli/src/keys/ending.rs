//! What ends logins: revoking a key, or all of them.

use gatepass_keys::{Action, KeyId, KeyState, Keyring};
use serde_json::json;

use super::{At, consent, told};
use crate::args::Consent;
use crate::error::Failure;
use crate::output;

pub(super) async fn revoke(at: &At<'_>, kid: KeyId, reason: &str, consent: Consent) -> Result<(), Failure> {
    let reason = reason_of(reason)?;
    let keyring = at.keyring()?;
    let entry = keyring.entries().iter().find(|entry| entry.kid == kid);
    let state = entry.ok_or_else(|| Failure::Failed(format!("there is no key {kid}")))?.state;
    let what = match state {
        // Whoever was interrupted says it again, to have everybody told.
        KeyState::Revoked => "it is revoked already; every site is told again".to_owned(),
        KeyState::Active => {
            let next = keyring.entries().iter().any(|entry| entry.state == KeyState::Next);
            let follows =
                if next { "the next key signs at once" } else { "a new key is made, and signs at once" };
            format!("logins under way that it signed fail, customers click again; {follows}")
        }
        KeyState::Retired => "logins under way that it signed fail, customers click again".to_owned(),
        KeyState::Next | KeyState::Removed => "it signs nothing, so no login ends".to_owned(),
    };
    if !consent::given(consent, &format!("The key {kid} ({}) is revoked: {what}.", state.as_str()))? {
        return Ok(());
    }
    let decide = |keyring: &Keyring| {
        let revoked = keyring.entries().iter().any(|e| e.kid == kid && e.state == KeyState::Revoked);
        let action = Action::Revoke { kid: kid.clone(), reason: reason.to_owned() };
        Ok(if revoked { Vec::new() } else { vec![action] })
    };
    let keyring = at.change(decide).await?;
    ended(at, &keyring, &[kid]).await
}

pub(super) async fn emergency(at: &At<'_>, reason: &str, consent: Consent) -> Result<(), Failure> {
    let reason = reason_of(reason)?;
    let published = at.keyring()?.key_set().iter().count();
    let what = format!(
        "All {published} published keys are revoked, and a new one signs at once: logins under way fail, customers click again. Sites follow by themselves."
    );
    if !consent::given(consent, &what)? {
        return Ok(());
    }
    let mut revoked = Vec::new();
    let decide = |keyring: &Keyring| {
        revoked.extend(keyring.key_set().iter().map(|key| key.kid().clone()));
        Ok(vec![Action::ReplaceAll { reason: reason.to_owned() }])
    };
    let keyring = at.change(decide).await?;
    ended(at, &keyring, &revoked).await
}

async fn ended(at: &At<'_>, keyring: &Keyring, revoked: &[KeyId]) -> Result<(), Failure> {
    told::tell(at, keyring, revoked).await?;
    let active = keyring.active_kid();
    eprintln!("Nothing that was signed by what is revoked is redeemed any more, at no site. {active} signs.");
    let answer = json!({ "revoked": revoked, "active": active, "revision": keyring.revision() });
    if at.config.json { output::answer(at.config, &answer, String::new) } else { Ok(()) }
}

fn reason_of(text: &str) -> Result<&str, Failure> {
    let text = text.trim();
    if text.is_empty() || text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(Failure::Usage("a reason is 1 to 200 characters, without line breaks".to_owned()));
    }
    Ok(text)
}
