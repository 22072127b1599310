//! A machine on which runbooks are followed to the letter: a service with a file of settings, its store, a WordPress, and a
//! `systemctl` that knows the two services.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::gatepass::{NewSite, new_site, program, url};
use crate::process::{Service, run, tail};
use crate::{PanelApi, Result, WordPress, fixtures, ports, redis, wordpress};

/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What stands in for systemd: hands the order to whoever runs the step, and waits until it is carried out.
const SYSTEMCTL: &str = r#"#!/bin/bash
echo "$1 $2" > "$LAB/order.new" && mv "$LAB/order.new" "$LAB/order"
until [ -e "$LAB/done" ]; do sleep 0.02; done
rm "$LAB/done"
"#;

/// Settings with times so short that nobody has to wait for minutes.
const SETTINGS: &str = "jwks_max_age = 1\njwks_refresh = 1\nclock_skew = 1\n";

/// The machine.
#[derive(Debug)]
pub struct Machine {
    gatepass: Option<Service>,
    redis: Option<Service>,
    /// The site that is paired with it.
    pub wordpress: WordPress,
    /// Its id and its first pairing code.
    pub site: NewSite,
    /// An API key and the panel's API with it.
    pub api: PanelApi,
    variables: Vec<(String, String)>,
    port: u16,
    redis_port: u16,
    folder: TempDir,
}

impl Machine {
    /// Starts all of it, the service on SQLite or on Redis, with a site that is paired.
    pub fn start(on_redis: bool) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepass-runbook.").tempdir()?;
        let place = folder.path().to_owned();
        for name in ["bin", "redis", "backup", "etc"] {
            fs::create_dir(place.join(name))?;
        }
        fs::write(place.join("bin/systemctl"), SYSTEMCTL)?;
        fs::set_permissions(place.join("bin/systemctl"), fs::Permissions::from_mode(0o755))?;
        symlink(fixtures::built("GATEPASS_BIN", "gatepass")?, place.join("bin/gatepass"))?;
        symlink(fixtures::tool("redis-cli")?, place.join("bin/redis-cli"))?;
        let (port, redis_port) = (ports::free_port()?, ports::free_port()?);
        let redis_url = format!("redis://127.0.0.1:{redis_port}");
        let text = |path: &str| place.join(path).display().to_string();
        fs::write(
            place.join("etc/redis.conf"),
            format!(
                "bind 127.0.0.1\nport {redis_port}\nsave \"\"\nappendonly yes\nmaxmemory-policy noeviction\ndir {}\n",
                text("redis")
            ),
        )?;
        let store = if on_redis { &redis_url } else { "sqlite" };
        let settings = format!(
            "store = \"{store}\"\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{}\"\ndata_dir = \"{}\"\n\
             keyring_key_file = \"{}\"\n{SETTINGS}",
            url(port),
            text("data"),
            text("etc/keyring.key")
        );
        fs::write(place.join("etc/gatepass.toml"), settings)?;
        for (name, secret) in [
            ("keyring.key", "a-wrapping-key-of-more-than-32-characters\n"),
            ("passphrase", "correct horse battery staple\n"),
        ] {
            fs::write(place.join("etc").join(name), secret)?;
            fs::set_permissions(place.join("etc").join(name), fs::Permissions::from_mode(0o600))?;
        }
        let variables = [
            ("LAB", place.display().to_string()),
            ("GATEPASS_CONFIG", text("etc/gatepass.toml")),
            ("KEYRING_KEY_FILE", text("etc/keyring.key")),
            ("PASSPHRASE_FILE", text("etc/passphrase")),
            ("DATA", text("data")),
            ("BACKUP", text("backup")),
            ("EXPORT", text("backup/keyring.json")),
            ("MEMBERS", text("members.ndjson")),
            ("REDIS_URL", redis_url),
            ("REDIS_DATA", text("redis")),
            ("REDIS_CONF", text("etc/redis.conf")),
        ];
        let variables: Vec<_> = variables.map(|(name, value)| (name.to_owned(), value)).into();
        let redis = Some(start_redis(&place, redis_port)?);
        let gatepass = Some(start_gatepass(&place, port)?);
        let wordpress = WordPress::start(&place.join("wordpress"))?;
        let command = |arguments: &[&str]| run(command(&place, &variables).args(arguments));
        let site = new_site(&command(&["site", "add", wordpress.url(), "--json"])?)?;
        wordpress.pair(&site.pairing_code)?;
        let api = PanelApi::new(&url(port), &site.id, command(&["client", "add", "panel"])?.trim());
        let mut machine = Self { gatepass, redis, wordpress, site, api, variables, port, redis_port, folder };
        machine.set("SITE", &machine.site.id.clone());
        Ok(machine)
    }

    /// Sets a variable for the steps that follow.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// What a variable is set to.
    pub fn get(&self, name: &str) -> &str {
        let found = self.variables.iter().rev().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    /// The panel's API with another key.
    pub fn api_with(&self, key: &str) -> PanelApi {
        PanelApi::new(&url(self.port), &self.site.id, key)
    }

    /// Any command of the program; gives its standard output.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        run(command(self.folder.path(), &self.variables).args(arguments))
    }

    /// One click of a customer who is a member: whether WordPress lets in.
    pub async fn lets_in(&self, subject: &str) -> Result<bool> {
        let handoff = self.api.issue(subject).await?;
        let answer = self.wordpress.visitor().redeem(&handoff, &wordpress::new_attempt()?).await?;
        Ok(answer.status().as_u16() == 303)
    }

    /// Does one step of a runbook, and gives what it printed on its standard output.
    pub fn follow(&mut self, step: &str) -> Result<String> {
        let place = self.folder.path().to_owned();
        let (out, err) = (place.join("step.out"), place.join("step.err"));
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", step]).current_dir(&place);
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{}:{path}", place.join("bin").display()));
        for (name, _) in
            std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GATEPASS_"))
        {
            shell.env_remove(name);
        }
        shell.envs(self.variables.iter().map(|(name, value)| (name, value)));
        shell.stdin(Stdio::null()).stdout(fs::File::create(&out)?).stderr(fs::File::create(&err)?);
        let (mut child, since) = (shell.spawn()?, Instant::now());
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if let Ok(order) = fs::read_to_string(place.join("order")) {
                fs::remove_file(place.join("order"))?;
                let obeyed = self.obey(order.trim());
                if obeyed.is_err() {
                    child.kill()?;
                }
                obeyed?;
                fs::write(place.join("done"), "")?;
            }
            if since.elapsed() > PATIENCE {
                child.kill()?;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let said = fs::read_to_string(&out)?;
        if status.success() {
            return Ok(said);
        }
        Err(format!(
            "this step ended with {status}:\n{step}\n{said}\n{}\n---- the service\n{}",
            fs::read_to_string(&err)?,
            tail(&place.join("gatepass.log"))
        )
        .into())
    }

    fn obey(&mut self, order: &str) -> Result {
        let place = self.folder.path().to_owned();
        match order {
            "stop gatepass" => drop(self.gatepass.take()),
            "stop redis-server" => drop(self.redis.take()),
            "start gatepass" => self.gatepass = Some(start_gatepass(&place, self.port)?),
            "start redis-server" => self.redis = Some(start_redis(&place, self.redis_port)?),
            other => return Err(format!("systemctl {other} is not known here").into()),
        }
        Ok(())
    }
}

fn command(place: &Path, variables: &[(String, String)]) -> Command {
    let mut command = program(&place.join("bin/gatepass"), place);
    command.envs(
        variables.iter().filter(|(name, _)| name == "GATEPASS_CONFIG").map(|(name, value)| (name, value)),
    );
    command
}

fn start_gatepass(place: &Path, port: u16) -> Result<Service> {
    let mut server = program(&place.join("bin/gatepass"), place);
    server.args(["serve", "--config"]).arg(place.join("etc/gatepass.toml"));
    let mut service = Service::start("gatepass serve", &server, &place.join("gatepass.log"))?;
    service.wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok())?;
    Ok(service)
}

fn start_redis(place: &Path, port: u16) -> Result<Service> {
    let mut server = Command::new(fixtures::tool("redis-server")?);
    server.arg(place.join("etc/redis.conf"));
    let mut service = Service::start("Redis", &server, &place.join("redis.log"))?;
    service.wait_until(|| redis::command(port, &["PING"]).is_ok_and(|answer| answer.trim() == "PONG"))?;
    Ok(service)
}

/// The folder of the runbooks.
pub fn folder() -> PathBuf {
    fixtures::repository().join("deploy/runbooks")
}

/// The steps of a runbook: its `sh` blocks, in order.
pub fn steps(name: &str) -> Result<Vec<String>> {
    let path = folder().join(name);
    let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let blocks = text.split("```sh\n").skip(1);
    Ok(blocks.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned()).collect())
}
