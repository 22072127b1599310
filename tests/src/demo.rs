//! The demo panel.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::Service;
use crate::{Result, fixtures, ports};

/// `gatepass-demo` for one site.
#[derive(Debug)]
pub struct Demo {
    port: u16,
    log: PathBuf,
    _service: Service,
}

impl Demo {
    /// Finds the port first: the site has to know the panel's URL before the panel can know the site's id.
    pub fn reserve() -> Result<u16> {
        ports::free_port()
    }

    /// Starts it; when this returns, its readers are known to Gatepass.
    pub fn start(folder: &Path, port: u16, gatepass: &str, site: &str, api_key: &str) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let key_file = folder.join("api-key");
        fs::write(&key_file, api_key)?;
        let log = folder.join("demo.log");
        let mut panel = Command::new(fixtures::built("GATEPASS_DEMO_BIN", "gatepass-demo")?);
        panel.args(["--listen", &format!("127.0.0.1:{port}"), "--gatepass", gatepass, "--site", site]);
        panel.arg("--api-key-file").arg(&key_file);
        let mut service = Service::start("gatepass-demo", &panel, &log)?;
        // It listens before it answers.
        service.wait_until(|| {
            fs::read_to_string(&log).is_ok_and(|said| said.contains("the panel is at"))
                && TcpStream::connect(("127.0.0.1", port)).is_ok()
        })?;
        Ok(Self { port, log, _service: service })
    }

    /// The panel's URL, with a slash at the end.
    pub fn url(&self) -> String {
        url(self.port)
    }

    /// The same panel under another host name: for a browser another *site* than 127.0.0.1, whatever the port.
    pub fn url_of_another_site(&self) -> String {
        format!("http://localhost:{}/", self.port)
    }

    /// What it says on its standard error.
    pub fn log(&self) -> PathBuf {
        self.log.clone()
    }
}

/// The URL of a panel on this port.
pub fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/")
}

/// Its start page.
pub fn start_url(port: u16) -> String {
    format!("{}gatepass/start", url(port))
}
