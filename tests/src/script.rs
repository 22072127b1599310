//! `deploy/demo.sh`, run as its user runs it.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{descendants, is_alive, signal, tail};
use crate::{Result, fixtures};

/// A running demo.
#[derive(Debug)]
pub struct DemoScript {
    child: Child,
    folder: TempDir,
}

impl DemoScript {
    /// Starts it and waits for its last line.
    pub fn start(arguments: &[&str]) -> Result<Self> {
        let mut demo = Self::launch(arguments)?;
        let deadline = Instant::now() + Duration::from_mins(10);
        while demo.panel_url().is_none() {
            if demo.child.try_wait()?.is_some() || Instant::now() > deadline {
                return Err(format!("demo.sh did not start:\n{}", tail(&demo.errors())).into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(demo)
    }

    /// Starts it only.
    pub fn launch(arguments: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("gatepass-script.").tempdir()?;
        let output = |name: &str| fs::File::create(folder.path().join(name));
        // A shell cannot undo a SIGINT that is ignored when it starts, as it is for the children of a background
        // job. A group of its own, and nothing else than the signal reaches it.
        let child = Command::new("env")
            .args(["--default-signal=INT", "bash"])
            .arg(fixtures::repository().join("deploy/demo.sh"))
            .args(arguments)
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(output("out")?)
            .stderr(output("err")?)
            .process_group(0)
            .spawn()?;
        Ok(Self { child, folder })
    }

    /// What its last line names, once it has been written.
    pub fn panel_url(&self) -> Option<String> {
        self.output().lines().last()?.strip_prefix("Panel: ").map(ToOwned::to_owned)
    }

    /// What stands on its standard output.
    pub fn output(&self) -> String {
        fs::read_to_string(self.folder.path().join("out")).unwrap_or_default()
    }

    /// What stands on its standard error.
    pub fn said(&self) -> String {
        fs::read_to_string(self.errors()).unwrap_or_default()
    }

    /// All that it has started, and that still runs.
    pub fn parts(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    /// The folders and files it has made in the temporary folder.
    pub fn left_behind(&self) -> Result<Vec<String>> {
        let names =
            fs::read_dir(self.folder.path())?.flatten().map(|entry| entry.file_name().display().to_string());
        Ok(names.filter(|name| name != "out" && name != "err").collect())
    }

    /// Presses Ctrl-C and waits until it has ended.
    pub fn interrupt(&mut self) -> Result<ExitStatus> {
        signal("INT", &[self.child.id()])?;
        self.wait()
    }

    /// Kills it (SIGKILL), so that it cannot clean up.
    pub fn kill(&mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                return Err(format!("demo.sh does not end:\n{}", tail(&self.errors())).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn errors(&self) -> std::path::PathBuf {
        Path::new(self.folder.path()).join("err")
    }
}

impl Drop for DemoScript {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let parts: Vec<u32> = self.parts();
            let _ = self.interrupt();
            let _ = self.child.kill();
            let alive: Vec<u32> = parts.into_iter().filter(|pid| is_alive(*pid)).collect();
            if !alive.is_empty() {
                let _ = signal("KILL", &alive);
            }
        }
    }
}
