//! `gatepass serve`, or one of its roles alone, and the command line beside it.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::process::{Service, run};
use crate::{Result, fixtures, ports};

/// A running Gatepass.
#[derive(Debug)]
pub struct Gatepass {
    call: Call,
    service: Service,
}

/// How it is started.
#[derive(Debug, Clone)]
struct Call {
    program: PathBuf,
    /// `serve`, `broker` or `bridge`.
    role: String,
    port: u16,
    public_url: String,
    store: String,
    flags: Vec<String>,
    folder: PathBuf,
}

/// What `gatepass site add --json` answers.
#[derive(Debug, Clone)]
pub struct NewSite {
    /// The site's id, `site_…`.
    pub id: String,
    /// What the site's owner pastes into the settings page.
    pub pairing_code: String,
}

impl Gatepass {
    /// Starts it on a store: `sqlite` or `redis://…`. The program is `GATEPASS_BIN`, else the one cargo built.
    pub fn start(folder: &Path, store: &str) -> Result<Self> {
        Self::start_with(folder, store, &[])
    }

    /// The same, with more flags.
    pub fn start_with(folder: &Path, store: &str, flags: &[&str]) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let port = ports::free_port()?;
        Self::launch(Call {
            program: fixtures::built("GATEPASS_BIN", "gatepass")?,
            role: "serve".to_owned(),
            port,
            public_url: url(port),
            store: store.to_owned(),
            flags: owned(flags),
            folder: folder.to_owned(),
        })
    }

    /// `gatepass broker` or `gatepass bridge` at a port of its own. The panels' address is the broker's.
    pub fn start_role(
        role: &str,
        folder: &Path,
        store: &str,
        port: u16,
        public_url: &str,
        flags: &[&str],
    ) -> Result<Self> {
        fs::create_dir_all(folder)?;
        Self::launch(Call {
            program: fixtures::built("GATEPASS_BIN", "gatepass")?,
            role: role.to_owned(),
            port,
            public_url: public_url.to_owned(),
            store: store.to_owned(),
            flags: owned(flags),
            folder: folder.to_owned(),
        })
    }

    /// A second process of the same Gatepass, as behind a load balancer: the same keys, store and public URL, and
    /// an [`address`](Self::address) of its own.
    pub fn beside(&self, flags: &[&str]) -> Result<Self> {
        Self::launch(Call { port: ports::free_port()?, flags: owned(flags), ..self.call.clone() })
    }

    fn launch(call: Call) -> Result<Self> {
        let service = launch(&[], &call)?;
        Ok(Self { call, service })
    }

    /// Its public URL, without a slash at the end.
    pub fn url(&self) -> String {
        self.call.public_url.clone()
    }

    /// Where this process listens; the public URL, unless it was started [`beside`](Self::beside) another.
    pub fn address(&self) -> String {
        url(self.call.port)
    }

    /// Its folder for keys and data.
    pub fn data_dir(&self) -> PathBuf {
        self.call.folder.join("data")
    }

    /// What it says on its standard error.
    pub fn log(&self) -> PathBuf {
        self.call.folder.join("gatepass.log")
    }

    /// Stops it gracefully, if it runs, and starts it again.
    pub fn restart(&mut self) -> Result {
        self.restart_within(&[])
    }

    /// The same, under a program that prepares its surroundings and then runs what stands behind its own arguments.
    pub fn restart_within(&mut self, wrapper: &[&str]) -> Result {
        self.service.stop();
        self.service = launch(wrapper, &self.call)?;
        Ok(())
    }

    /// The running process.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// `gatepass client add NAME`: an API key.
    pub fn add_client(&self, name: &str) -> Result<String> {
        Ok(self.command(&["client", "add", name])?.trim().to_owned())
    }

    /// `gatepass site add URL …`: a site that waits to be paired.
    pub fn add_site(&self, url: &str, options: &[&str]) -> Result<NewSite> {
        new_site(&self.command(&[&["site", "add", url, "--json"], options].concat())?)
    }

    /// Any other command, on the same store; gives its standard output.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let mut command = program(&self.call.program, &self.call.folder);
        command.args(arguments).arg("--data-dir").arg(self.data_dir()).args(["--store", &self.call.store]);
        run(&mut command)
    }
}

/// Reads what `gatepass site add --json` answers.
pub(crate) fn new_site(answer: &str) -> Result<NewSite> {
    let answer: Value = serde_json::from_str(answer)?;
    let text =
        |name: &str| answer[name].as_str().map(ToOwned::to_owned).ok_or(format!("no {name} in {answer}"));
    Ok(NewSite { id: text("site_id")?, pairing_code: text("pairing_code")? })
}

fn launch(wrapper: &[&str], call: &Call) -> Result<Service> {
    let Call { program: gatepass, role, port, public_url, store, flags, folder } = call;
    let mut server = match wrapper.split_first() {
        None => program(gatepass, folder),
        Some((first, rest)) => {
            let mut server = program(Path::new(first), folder);
            server.args(rest).arg(gatepass);
            server
        }
    };
    server.args([role.as_str(), "--listen", &format!("127.0.0.1:{port}"), "--public-url", public_url]);
    server.arg("--data-dir").arg(folder.join("data")).args(["--store", store]).args(flags);
    let mut service = Service::start(&format!("gatepass {role}"), &server, &folder.join("gatepass.log"))?;
    service.wait_until(|| TcpStream::connect(("127.0.0.1", *port)).is_ok())?;
    Ok(service)
}

fn owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(ToString::to_string).collect()
}

/// Without what the environment or a configuration file of the developer's would add.
pub(crate) fn program(gatepass: &Path, folder: &Path) -> Command {
    let mut command = Command::new(gatepass);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GATEPASS_") {
            command.env_remove(name);
        }
    }
    command.current_dir(folder);
    command
}

pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
