//! Any number of first starts at once end with one keyring.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::thread;

use gatepass_keys::{KeyringFolder, Wrapping};
use tempfile::TempDir;

const STARTERS: u8 = 16;
const DIR: &str = "GATEPASS_TEST_KEYRING_DIR";
const SEED: &str = "GATEPASS_TEST_KEYRING_SEED";

fn start(dir: &Path, seed: u8) -> String {
    let folder = KeyringFolder::new(dir, Wrapping::none());
    folder.open_or_create([seed; 32], 1_790_000_000).unwrap().active_kid().to_string()
}

fn assert_one_keyring(dir: &Path, kids: &BTreeSet<String>) {
    assert_eq!(kids.len(), 1);
    // One key, the index, the lock.
    assert_eq!(fs::read_dir(dir).unwrap().count(), 3);
}

#[test]
fn threads_that_start_at_once_get_one_keyring() {
    for _ in 0..10 {
        let parent = TempDir::new().unwrap();
        let dir = parent.path().join("keys");
        let barrier = Barrier::new(usize::from(STARTERS));
        let kids = thread::scope(|scope| {
            let starter = |seed| {
                let (dir, barrier) = (&dir, &barrier);
                scope.spawn(move || {
                    barrier.wait();
                    start(dir, seed)
                })
            };
            let starters: Vec<_> = (0..STARTERS).map(starter).collect();
            starters.into_iter().map(|starter| starter.join().unwrap()).collect()
        });
        assert_one_keyring(&dir, &kids);
    }
}

#[test]
fn processes_that_start_at_once_get_one_keyring() {
    let parent = TempDir::new().unwrap();
    let dir = parent.path().join("keys");
    let starters: Vec<_> = (0..STARTERS)
        .map(|seed| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "first_start::one_process_of_many", "--ignored"])
                .env(DIR, &dir)
                .env(SEED, seed.to_string())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut starter in starters {
        assert!(starter.wait().unwrap().success());
    }
    let kids = fs::read_dir(parent.path()).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.starts_with("seen-").then(|| fs::read_to_string(parent.path().join(name)).unwrap())
    });
    let kids: Vec<String> = kids.collect();
    assert_eq!(kids.len(), usize::from(STARTERS));
    assert_one_keyring(&dir, &kids.into_iter().collect());
}

#[test]
#[ignore = "run by the test above, in processes of its own"]
fn one_process_of_many() {
    let dir = env::var(DIR).unwrap();
    let dir = Path::new(&dir);
    let seed: u8 = env::var(SEED).unwrap().parse().unwrap();
    let kid = start(dir, seed);
    fs::write(dir.with_file_name(format!("seen-{seed}")), kid).unwrap();
}
