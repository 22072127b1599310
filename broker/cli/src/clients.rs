//! `gatepass client`: API keys of panels.

use gatepass_core::client::{ApiKey, Client, Listed, Scope};
use gatepass_core::clock::System;
use gatepass_core::trail::Retention;
use gatepass_core::{ClientId, Clock, Store};
use serde_json::json;

use crate::args::ClientCommand;
use crate::config::Config;
use crate::error::Failure;
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
        ClientCommand::Revoke { id } => {
            let revoked = store.revoke_client(id, now, &context).await?;
            let client = revoked.ok_or_else(|| Failure::Failed(format!("there is no client {id}")))?;
            eprintln!("The key of {} is refused everywhere within a second.", client.name);
            if config.json { output::answer(config, &client, String::new) } else { Ok(()) }
        }
    }
}

async fn list(config: &Config, store: &dyn Store) -> Result<(), Failure> {
    let clients = store.clients().await?;
    output::answer(config, &clients, || {
        let rows: Vec<_> = clients
            .iter()
            .map(|Listed { client, .. }| {
                [
                    client.id.to_string(),
                    client.name.clone(),
                    client.tenant.to_string(),
                    client.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(","),
                    client.created_at.to_string(),
                    client.revoked_at.map_or_else(|| "live".to_owned(), |at| format!("revoked {at}")),
                ]
            })
            .collect();
        output::table(["ID", "NAME", "TENANT", "SCOPES", "CREATED", "STATE"], &rows)
    })
}
