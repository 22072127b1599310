//! A Redis of one's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Service, run};
use crate::{Result, fixtures, ports};

/// `redis-server` on a free port, with an append-only file so that a restart keeps the data.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    folder: PathBuf,
    service: Service,
}

impl Redis {
    /// Starts one with its files in `folder`.
    pub fn start(folder: &Path) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let port = ports::free_port()?;
        let service = launch(folder, port, &[])?;
        Ok(Self { port, folder: folder.to_owned(), service })
    }

    /// `redis://…`, as `--store` takes it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Nothing answers any more, though connections stay open.
    pub fn pause(&self) -> Result {
        self.service.pause()
    }

    /// It answers again.
    pub fn resume(&self) -> Result {
        self.service.resume()
    }

    /// Stops it and starts it again on the same port with the same data: a new primary, as its replication id says.
    pub fn restart(&mut self) -> Result {
        self.service.stop();
        self.service = launch(&self.folder, self.port, &[])?;
        Ok(())
    }

    /// How often each command was called until now, those that a script called included. `INFO` is left out: it is
    /// what asks.
    pub fn calls(&self) -> Result<BTreeMap<String, u64>> {
        let stats = self.command(&["INFO", "commandstats"])?;
        let calls = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        });
        Ok(calls.filter(|(name, _)| name != "info").collect())
    }

    /// Runs one command by `redis-cli`.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        command(self.port, arguments)
    }
}

/// Starts a server and waits until it answers; `flags` come last, so that they count.
pub(crate) fn launch(folder: &Path, port: u16, flags: &[&str]) -> Result<Service> {
    let mut server = Command::new(fixtures::tool("redis-server")?);
    server.args([
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "yes",
        "--maxmemory-policy",
        "noeviction",
    ]);
    server.args(["--port", &port.to_string(), "--dir"]).arg(folder).args(flags);
    let mut service = Service::start("Redis", &server, &folder.join("redis.log"))?;
    service.wait_until(|| command(port, &["PING"]).is_ok_and(|answer| answer.trim() == "PONG"))?;
    Ok(service)
}

/// Runs one command by `redis-cli`, which by itself would wait for a paused server for ever.
pub(crate) fn command(port: u16, arguments: &[&str]) -> Result<String> {
    let client = fixtures::tool("redis-cli")?;
    run(Command::new("timeout").arg("2").arg(client).args(["-e", "-p", &port.to_string()]).args(arguments))
}
