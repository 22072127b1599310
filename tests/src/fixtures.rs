//! Where the things are that `deploy/test.sh` prepares.

use std::path::{Path, PathBuf};

use crate::Result;

/// The root of the repository.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."))
}

/// The folder of everything fetched: `GATEPASS_CACHE`, else `.cache` in the repository.
pub fn cache() -> PathBuf {
    std::env::var_os("GATEPASS_CACHE").map_or_else(|| repository().join(".cache"), PathBuf::from)
}

/// A program that `deploy/test.sh` put into the cache.
pub fn tool(name: &str) -> Result<PathBuf> {
    existing(cache().join("bin").join(name))
}

/// A file of `deploy/lib`.
pub fn script(name: &str) -> PathBuf {
    repository().join("deploy/lib").join(name)
}

/// A program of this workspace: from the variable if it is set, else where cargo puts it.
pub fn built(variable: &str, name: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return existing(PathBuf::from(path));
    }
    // Tests run from target/debug/deps; the programs are one folder up.
    let here = std::env::current_exe()?;
    let debug = here.parent().and_then(Path::parent).ok_or("this test does not run from a target folder")?;
    existing(debug.join(name))
}

/// A program of the machine.
pub fn installed(name: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("{name} is not on the PATH: run deploy/test.sh, which gets it").into())
}

fn existing(path: PathBuf) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path);
    }
    Err(format!("{} does not exist: run deploy/test.sh, which makes it", path.display()).into())
}
