//! The demo panel of Gatepass: the account page of a publisher that does not exist.
//!
//! `gatepass.rs` is all that a panel needs to say to Gatepass; the rest is what any panel has anyway.

mod account;
mod gatepass;
mod notice;
mod pages;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use clap::Parser;
use url::Url;

use crate::account::Account;
use crate::gatepass::Gatepass;
use crate::pages::Panel;

/// The demo panel of Gatepass: an account page with a "Log in to site" button
#[derive(Debug, Parser)]
#[command(name = "gatepass-demo", version)]
struct Options {
    /// Where this panel listens
    #[arg(long, env = "GATEPASS_DEMO_LISTEN", default_value = "127.0.0.1:8480")]
    listen: SocketAddr,
    /// Where Gatepass answers
    #[arg(long, env = "GATEPASS_DEMO_GATEPASS", default_value = "http://127.0.0.1:8470")]
    gatepass: Url,
    /// The file with the API key that `gatepass client add` printed
    #[arg(long, env = "GATEPASS_DEMO_API_KEY_FILE")]
    api_key_file: PathBuf,
    /// The id of the site that `gatepass site add` printed
    #[arg(long, env = "GATEPASS_DEMO_SITE")]
    site: String,
}

#[actix_web::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gatepass-demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let panel = Arc::new(Panel {
        account: Account::demo(),
        gatepass: Gatepass::new(&options.gatepass, &options.site, api_key(&options.api_key_file)?)?,
        origins: origins(options.listen),
    });

    let shared = Arc::clone(&panel);
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(Arc::clone(&shared))).configure(pages::configure)
    })
    .workers(1)
    .shutdown_timeout(5)
    .bind(options.listen)
    .map_err(|error| {
        format!("cannot listen on {}: {error}; choose another address with --listen", options.listen)
    })?
    .run();

    // The port is ours from here on, but it answers only when its buttons work.
    introduce_readers(&panel).await?;
    eprintln!("gatepass-demo: every reader is known to Gatepass; the panel is at http://{}/", options.listen);
    server.await?;
    Ok(())
}

/// Tells Gatepass of every reader. Gatepass may still be starting, so for half a minute "not now" means "again".
async fn introduce_readers(panel: &Panel) -> Result<(), gatepass::Error> {
    const PAUSE: Duration = Duration::from_millis(250);
    let mut tries_left = 120_u32;
    for subscription in panel.account.subscriptions() {
        let member = subscription.member(&subscription.state());
        while let Err(error) = panel.gatepass.put_member(subscription.subject, &member).await {
            if !error.is_temporary() || tries_left == 0 {
                return Err(error);
            }
            tries_left -= 1;
            tokio::time::sleep(PAUSE).await;
        }
    }
    Ok(())
}

fn api_key(file: &Path) -> Result<String, String> {
    let key =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    match key.trim() {
        "" => Err(format!("{} is empty; `gatepass client add NAME` prints a key", file.display())),
        key => Ok(key.to_owned()),
    }
}

fn origins(listen: SocketAddr) -> Vec<String> {
    let mut origins = vec![format!("http://{listen}")];
    if listen.ip().is_loopback() {
        origins.push(format!("http://localhost:{}", listen.port()));
    }
    origins
}
