//! A MariaDB of one's own, restored from the snapshot of an installed WordPress.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Service, run};
use crate::{Result, fixtures};

/// `mariadbd` on a socket; the database is `wordpress`.
#[derive(Debug)]
pub struct MariaDb {
    socket: PathBuf,
    _service: Service,
}

impl MariaDb {
    /// The socket of the server that [`MariaDb::start`] starts in this folder.
    pub fn socket_in(folder: &Path) -> PathBuf {
        folder.join("sock")
    }

    /// Restores the snapshot into `folder` and starts the server.
    pub fn start(folder: &Path, snapshot: &Path) -> Result<Self> {
        let data = folder.join("data");
        std::fs::create_dir_all(&data)?;
        run(Command::new("tar").arg("-xzf").arg(snapshot.join("data.tar.gz")).arg("-C").arg(&data))?;

        let socket = Self::socket_in(folder);
        let mut server = Command::new(fixtures::script("mariadb.sh"));
        server.arg("serve").arg(&data).arg(&socket).env("GATEPASS_CACHE", fixtures::cache());
        let mut service = Service::start("MariaDB", &server, &folder.join("mariadb.log"))?;
        service.wait_until(|| query(&socket, "DO 0").is_ok())?;
        Ok(Self { socket, _service: service })
    }

    /// Runs SQL; one line a row, columns separated by tabs.
    pub fn query(&self, sql: &str) -> Result<String> {
        query(&self.socket, sql)
    }
}

fn query(socket: &Path, sql: &str) -> Result<String> {
    let mut client = Command::new(fixtures::tool("mariadb")?);
    client.args(["--no-defaults", "-uroot", "-N", "-B", "-S"]).arg(socket).args(["-e", sql, "wordpress"]);
    run(&mut client)
}
