//! `gatepass site`: WordPress sites and their pairing codes.

use std::sync::Arc;

use gatepass_core::change::{Delivery, Progress};
use gatepass_core::clock::System;
use gatepass_core::event::Context;
use gatepass_core::heartbeat::Pulse;
use gatepass_core::pairing::make_code;
use gatepass_core::site::{Policy, Site};
use gatepass_core::site_key::SiteKeyRevocation;
use gatepass_core::store::{ChangePolicy, PolicyChange, SiteCreation, SiteMove};
use gatepass_core::trail::Retention;
use gatepass_core::validate::{self, FieldError, FieldErrors};
use gatepass_core::{Clock, SiteId, Store, Timestamp};
use gatepass_keys::Keyring;
use serde_json::{Value, json};

use crate::args::{OrNone, PolicyArgs, SiteCommand};
use crate::config::Config;
use crate::error::Failure;
use crate::instance::Instance;
use crate::{members, open, operator, output};

pub(crate) async fn run(config: &Config, command: SiteCommand) -> Result<(), Failure> {
    let store = open::store(config, Retention::NONE).await?;
    let now = System.now();
    let context = operator::context()?;
    match command {
        SiteCommand::Add { url, tenant, policy } => {
            let policy = apply(Policy::default(), *policy);
            let errors = validate::policy(&policy);
            if !errors.is_empty() {
                return Err(wrong(errors));
            }
            let issuing = Issuing::here(config, &*store).await?;
            let id = SiteId::generate(now, &System)?;
            let site = Site {
                id,
                tenant,
                origin: url,
                created_at: now,
                policy,
                paired: None,
                pulse: Pulse::default(),
            };
            match store.create_site(&site, now, &context).await? {
                SiteCreation::Created => {
                    eprintln!("Registered {} as {id}.", site.origin);
                    issuing.pairing_code(config, &*store, id, false, &context).await
                }
                SiteCreation::OriginKnown(known) => Err(Failure::Failed(format!(
                    "{} is registered already, as {known}; for a new code: gatepass site pairing-code {known}",
                    site.origin
                ))),
            }
        }
        SiteCommand::List { tenant } => {
            let mut sites = Vec::new();
            loop {
                let page = store.sites(&tenant, sites.last().map(|site: &Site| site.id), 200).await?;
                if page.is_empty() {
                    break;
                }
                sites.extend(page);
            }
            let values: Vec<Value> = sites.iter().map(describe).collect();
            output::answer(config, &values, || {
                let rows: Vec<_> = sites
                    .iter()
                    .map(|site| {
                        let paired = site.paired.as_ref();
                        [
                            site.id.to_string(),
                            site.origin.to_string(),
                            paired.map_or_else(
                                || "not paired".to_owned(),
                                |p| format!("paired {}", p.paired_at),
                            ),
                        ]
                    })
                    .collect();
                output::table(["ID", "URL", "STATE"], &rows)
            })
        }
        SiteCommand::Show { id } => {
            let site = found(store.site(id).await?, id)?;
            let mut value = describe(&site);
            if let (Some(members), Some(progress)) = (value.as_object_mut(), store.progress(id).await?) {
                members.insert("key".to_owned(), described_key(&site, &progress, now));
                members.insert("progress".to_owned(), described(&progress));
                members.insert("failed".to_owned(), json!(members::failed(&*store, id).await?));
            }
            let known = site.pulse.seen.and_then(|seen| seen.versions.keys.parse::<u64>().ok());
            if let (Some(members), Some(known)) = (value.as_object_mut(), known) {
                let version = store.keyring_revision().await?;
                members.insert("keys".to_owned(), json!({ "known": known, "behind": known < version }));
            }
            output::line(&serde_json::to_string_pretty(&value).unwrap_or_default())
        }
        SiteCommand::Set { id, policy } => {
            let change: ChangePolicy = Arc::new(move |old| {
                let new = apply(old, (*policy).clone());
                let errors = validate::policy(&new);
                if errors.is_empty() { Ok(new) } else { Err(errors) }
            });
            match store.change_policy(id, change, now, &context).await? {
                PolicyChange::Changed(site) => {
                    output::line(&serde_json::to_string_pretty(&describe(&site)).unwrap_or_default())
                }
                PolicyChange::Refused(errors) => Err(wrong(errors)),
                PolicyChange::SiteNotFound => found(None, id).map(|_| ()),
            }
        }
        SiteCommand::PairingCode { id, replace } => {
            let issuing = Issuing::here(config, &*store).await?;
            issuing.pairing_code(config, &*store, id, replace, &context).await
        }
        SiteCommand::Move { id, url, yes } => {
            let site = found(store.site(id).await?, id)?;
            if !yes && site.origin != url {
                return Err(Failure::Usage(format!(
                    "this ends the pairing with {}: until {url} is paired nobody logs in there by button; say --yes if \
                     you mean it",
                    site.origin
                )));
            }
            // Before the pairing ends.
            let issuing = Issuing::here(config, &*store).await?;
            match store.move_site(id, &url, now, &context).await? {
                SiteMove::Moved(site) => {
                    eprintln!("{id} is {} now.", site.origin);
                    issuing.pairing_code(config, &*store, id, false, &context).await
                }
                SiteMove::OriginKnown(known) => Err(Failure::Failed(format!(
                    "{url} is registered already, as {known}: remove that first (gatepass site remove {known})"
                ))),
                SiteMove::SiteNotFound => found(None, id).map(|_| ()),
            }
        }
        SiteCommand::RevokeKey { id, reason, yes } => {
            let site = found(store.site(id).await?, id)?;
            if !yes {
                return Err(Failure::Usage(format!(
                    "this ends the pairing of {}: nobody comes in by button there until it is paired again; say --yes \
                     if you mean it",
                    site.origin
                )));
            }
            match store.revoke_site_key(id, now, &context.noting(reason)).await? {
                SiteKeyRevocation::Revoked(kid) => {
                    eprintln!(
                        "The key {kid} of {} is refused everywhere within a second. To pair it again: gatepass site \
                         pairing-code {id}",
                        site.origin
                    );
                    Ok(())
                }
                SiteKeyRevocation::NotPaired => {
                    Err(Failure::Failed(format!("{} is not paired", site.origin)))
                }
                SiteKeyRevocation::SiteNotFound => found(None, id).map(|_| ()),
            }
        }
        SiteCommand::Remove { id, yes } => {
            let site = found(store.site(id).await?, id)?;
            if !yes {
                return Err(Failure::Usage(format!(
                    "this removes {} with its members and its trail, and ends every login by button there; \
                     say --yes if you mean it",
                    site.origin
                )));
            }
            store.remove_site(id, now, &context).await?;
            eprintln!("Removed {}. Its plugin can no longer log anyone in.", site.origin);
            Ok(())
        }
    }
}

fn found(site: Option<Site>, id: SiteId) -> Result<Site, Failure> {
    site.ok_or_else(|| Failure::Failed(format!("there is no site {id}; see gatepass site list")))
}

fn describe(site: &Site) -> Value {
    json!({
        "id": site.id,
        "url": site.origin,
        "tenant": site.tenant,
        "created_at": site.created_at,
        "paired": site.paired,
        "start_url": site.start_url(),
        "seen": site.pulse.seen,
        "policy": site.policy,
    })
}

/// The key by which a site proves itself: which, since when, when it was last used, and the one before.
fn described_key(site: &Site, progress: &Progress, now: Timestamp) -> Value {
    let Some(paired) = &site.paired else { return Value::Null };
    let previous = paired.previous.as_ref().filter(|previous| now < previous.until);
    let heard = site.pulse.seen.as_ref().map(|seen| seen.at);
    json!({
        "kid": paired.key.kid(),
        "since": paired.key_since(),
        "age_days": paired.key_since().age_at(now).as_secs() / (24 * 60 * 60),
        "last_used_at": heard.max(progress.delivery.pulled_at),
        "previous": previous.map(|previous| json!({ "kid": previous.key.kid(), "until": previous.until })),
    })
}

/// How far a site has followed, as the panel API says it.
fn described(progress: &Progress) -> Value {
    let Delivery { pulled_at, failing_since, error, next_try_at } = &progress.delivery;
    json!({
        "position": progress.position,
        "pulled": progress.pulled,
        "pulled_at": pulled_at,
        "failing_since": failing_since,
        "error": error,
        "next_try_at": next_try_at,
    })
}

/// The policy with what was given changed in it.
fn apply(mut policy: Policy, given: PolicyArgs) -> Policy {
    let PolicyArgs {
        panel_url,
        panel_start_url,
        membership_url,
        renew_url,
        default_redirect,
        require_binding,
        token_lifetime,
        allowed_roles,
    } = given;
    set(&mut policy.panel_url, panel_url);
    set(&mut policy.panel_start_url, panel_start_url);
    set(&mut policy.membership_url, membership_url);
    set(&mut policy.renew_url, renew_url);
    set(&mut policy.default_redirect, default_redirect);
    policy.require_binding = require_binding.unwrap_or(policy.require_binding);
    policy.token_lifetime = token_lifetime.unwrap_or(policy.token_lifetime);
    if !allowed_roles.is_empty() {
        policy.allowed_roles = allowed_roles;
    }
    policy
}

fn set<T>(setting: &mut Option<T>, given: Option<OrNone<T>>) {
    if let Some(OrNone(value)) = given {
        *setting = value;
    }
}

fn wrong(errors: FieldErrors) -> Failure {
    let said = |FieldError { field, message, .. }| format!("--{}: {message}", field.replace('_', "-"));
    Failure::Usage(errors.into_iter().map(said).collect::<Vec<_>>().join("; "))
}

/// What pairing codes are made from.
struct Issuing {
    instance: Instance,
    keyring: Keyring,
}

impl Issuing {
    /// That of this machine. A code that promises other keys than the issuer's pairs nothing, and a machine of sites
    /// alone is to have no private keys: so a keyring is made only where there has never been one.
    async fn here(config: &Config, store: &dyn Store) -> Result<Self, Failure> {
        let folder = open::keyring_folder(config);
        if store.keyring_revision().await? > 0 && folder.open()?.is_none() {
            return Err(Failure::Failed(format!(
                "pairing codes are made where the keyring is, and it is not in {}: run this where gatepass broker or \
                 gatepass serve runs; if it is lost, see gatepass keys import",
                folder.dir().display()
            )));
        }
        Ok(Self { instance: Instance::known(config)?, keyring: open::keyring(config)? })
    }

    async fn pairing_code(
        &self,
        config: &Config,
        store: &dyn Store,
        id: SiteId,
        replace: bool,
        context: &Context,
    ) -> Result<(), Failure> {
        let (keys, bridge, issuer) =
            (self.keyring.key_set(), &self.instance.bridge_url, self.instance.issuer());
        let made =
            make_code(store, &System, keys, bridge, &issuer, id, replace, System.now(), context).await?;
        let (code, expires_at) = made.ok_or_else(|| Failure::Failed(format!("there is no site {id}")))?;
        eprintln!(
            "Paste this code on the site, under Settings, Gatepass. It works once, until {expires_at}:"
        );
        let value = json!({ "site_id": id, "pairing_code": code.expose(), "expires_at": expires_at });
        output::answer(config, &value, || code.expose().to_owned())
    }
}
