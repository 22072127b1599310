//! `gatepass client`: API keys of panels.

use gatepass_core::client::{ApiKey, Client, Listed, Rolling, Scope};
use gatepass_core::clock::System;
use gatepass_core::trail::Retention;
use gatepass_core::{ClientId, Clock, Store, Timestamp};
use serde_json::json;

use crate::args::ClientCommand;
use crate::config::Config;
use crate::error::Failure;
use crate::when::Span;
use crate::{open, operator, output};

pub(crate) async fn run(config: &Config, command: ClientCommand) -> Result<(), Failure> {
    let store = open::store(config, Retention::NONE).await?;
    let (now, context) = (System.now(), operator::context()?);
    match command {
        ClientCommand::Add { name, tenant, scopes } => {
            if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
                return Err(Failure::Usage("a client's name is 1 to 100 characters".to_owned()));
            }
            let scopes = if scopes.is_empty() { Scope::DEFAULT.to_vec() } else { scopes };
            let id = ClientId::generate(now, &System)?;
            let client = Client {
                id,
                tenant,
                name,
                scopes,
                created_at: now,
                revoked_at: None,
                expires_at: None,
                replaces: None,
            };
            let key = ApiKey::generate(&System)?;
            store.add_client(&key.hash(), &client, &context).await?;
            eprintln!("{} ({}) may use this key from now on. It is not shown again.", client.name, client.id);
            output::answer(config, &json!({ "client": client, "api_key": key.expose() }), || {
                key.expose().to_owned()
            })
        }
        ClientCommand::List => list(config, &*store).await,
        ClientCommand::Roll { id, overlap: Span(overlap) } => {
            let old = store.clients().await?.into_iter().find(|listed| listed.client.id == id);
            let old = old.ok_or_else(|| unknown(id))?.client;
            let replaces = Some(id);
            let (new, key) = (ClientId::generate(now, &System)?, ApiKey::generate(&System)?);
            let client = Client { id: new, created_at: now, expires_at: None, replaces, ..old };
            let until = now.plus(overlap);
            match store.roll_client(id, (&key.hash(), &client), until, now, &context).await? {
                Rolling::Rolled(old) => {
                    let end = old.expires_at.unwrap_or(until);
                    eprintln!(
                        "{} ({new}) may use this key from now on. It is not shown again. The old one ({id}) is good \
                         until {end}.",
                        client.name
                    );
                    output::answer(
                        config,
                        &json!({ "client": client, "replaced": old, "api_key": key.expose() }),
                        || key.expose().to_owned(),
                    )
                }
                Rolling::Ended(_) => Err(Failure::Failed(format!(
                    "the key of {id} is no good any more, so there is nothing to roll; make another: gatepass client add"
                ))),
                Rolling::NotFound => Err(unknown(id)),
            }
        }
        ClientCommand::Revoke { id } => {
            let revoked = store.revoke_client(id, now, &context).await?;
            let client = revoked.ok_or_else(|| unknown(id))?;
            eprintln!("The key of {} is refused everywhere within a second.", client.name);
            if config.json { output::answer(config, &client, String::new) } else { Ok(()) }
        }
    }
}

fn unknown(id: ClientId) -> Failure {
    Failure::Failed(format!("there is no client {id}; see gatepass client list"))
}

/// How it stands with a client's key.
fn state(client: &Client, now: Timestamp) -> String {
    match (client.revoked_at, client.expires_at) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(end)) if now < end => format!("live until {end}"),
        (None, Some(end)) => format!("ended {end}"),
        (None, None) => "live".to_owned(),
    }
}

async fn list(config: &Config, store: &dyn Store) -> Result<(), Failure> {
    let now = System.now();
    let clients = store.clients().await?;
    output::answer(config, &clients, || {
        let rows: Vec<_> = clients
            .iter()
            .map(|Listed { client, last_used_at }| {
                [
                    client.id.to_string(),
                    client.name.clone(),
                    client.tenant.to_string(),
                    client.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(","),
                    client.created_at.to_string(),
                    last_used_at.map_or_else(|| "never".to_owned(), |at| at.to_string()),
                    state(client, now),
                ]
            })
            .collect();
        output::table(["ID", "NAME", "TENANT", "SCOPES", "CREATED", "LAST USED", "STATE"], &rows)
    })
}
