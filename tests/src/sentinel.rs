//! A Redis that survives the loss of a server: a primary, its replica, and three sentinels that watch them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::Service;
use crate::{Result, fixtures, ports, redis};

/// What the sentinels call it.
const NAME: &str = "gatepass";
/// After so many milliseconds without an answer a server is taken for dead. A third of it gives failovers without
/// need on a busy machine.
const DOWN_AFTER: &str = "1500";
/// What every data server is set to, beside what is shared with a [`redis::Redis`] that stands alone.
const DATA: [&str; 4] = ["--min-replicas-max-lag", "5", "--min-replicas-to-write", "0"];

/// Two data servers and three sentinels. Which of the two is the primary changes.
#[derive(Debug)]
pub struct Group {
    nodes: [Node; 2],
    sentinels: Vec<Node>,
}

/// One server.
#[derive(Debug)]
pub struct Node {
    port: u16,
    folder: PathBuf,
    service: Service,
}

impl Group {
    /// Starts one with its files in `folder`, and waits until every part knows of the others.
    pub fn start(folder: &Path) -> Result<Self> {
        let node = |name: &str| -> Result<Node> {
            let (port, folder) = (ports::free_port()?, folder.join(name));
            std::fs::create_dir_all(&folder)?;
            let service = redis::launch(&folder, port, &DATA)?;
            Ok(Node { port, folder, service })
        };
        let nodes = [node("a")?, node("b")?];
        nodes[1].command(&["REPLICAOF", "127.0.0.1", &nodes[0].port.to_string()])?;
        let mut sentinels = Vec::new();
        for number in 1..=3 {
            sentinels.push(start_sentinel(&folder.join(format!("sentinel-{number}")), nodes[0].port)?);
        }
        let group = Self { nodes, sentinels };
        wait_until(Duration::from_secs(30), "the sentinels see each other and the replica", || {
            group.sentinels.iter().all(|sentinel| {
                let count = |what, name: &str| {
                    let answer = sentinel.command(&["SENTINEL", what, NAME]).unwrap_or_default();
                    answer.lines().filter(|line| *line == name).count()
                };
                count("sentinels", "runid") == 2 && count("replicas", "runid") == 1
            })
        })?;
        Ok(group)
    }

    /// `redis+sentinel://…`, as `--store` takes it.
    pub fn url(&self) -> String {
        let nodes: Vec<_> = self.sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+sentinel://{}/{NAME}", nodes.join(","))
    }

    /// Which of the two data servers most sentinels call primary.
    pub fn primary(&self) -> Option<usize> {
        let votes = |index: usize| {
            let port = self.nodes[index].port.to_string();
            let says = |node: &&Node| {
                let answer = node.command(&["SENTINEL", "get-master-addr-by-name", NAME]).unwrap_or_default();
                answer.lines().nth(1) == Some(port.as_str())
            };
            self.sentinels.iter().filter(says).count()
        };
        (0..2).find(|index| votes(*index) >= 2)
    }

    /// A data server: 0 or 1.
    pub fn node(&mut self, index: usize) -> &mut Node {
        &mut self.nodes[index]
    }

    /// Asks the sentinels for a failover though nothing is wrong.
    pub fn ask_for_failover(&self) -> Result {
        self.sentinels[0].command(&["SENTINEL", "FAILOVER", NAME])?;
        Ok(())
    }

    /// Lets the sentinels take no notice of a primary that does not answer, or take it again.
    pub fn set_patience(&self, patient: bool) -> Result {
        let millis = if patient { "60000" } else { DOWN_AFTER };
        for sentinel in &self.sentinels {
            sentinel.command(&["SENTINEL", "SET", NAME, "down-after-milliseconds", millis])?;
        }
        Ok(())
    }

    /// Whether all is as it should be: one primary, the other server its replica and up to date.
    pub fn is_whole(&self) -> bool {
        let Some(primary) = self.primary() else { return false };
        let (leads, follows) = (self.nodes[primary].replication(), self.nodes[1 - primary].replication());
        leads.get("role") == Some("master")
            && leads.get("connected_slaves") == Some("1")
            && leads.text.contains("state=online")
            && follows.get("role") == Some("slave")
            && follows.get("master_link_status") == Some("up")
            && follows.get("master_replid") == leads.get("master_replid")
    }

    /// The replication id of the primary: another one after each promotion and each restart.
    pub fn replication_id(&self) -> Option<String> {
        let primary = self.primary()?;
        self.nodes[primary].replication().get("master_replid").map(ToOwned::to_owned)
    }

    /// Sets `min-replicas-to-write` on both: with 1, a primary that is cut off takes no writes.
    pub fn set_min_replicas(&self, count: u8) -> Result {
        for node in &self.nodes {
            node.command(&["CONFIG", "SET", "min-replicas-to-write", &count.to_string()])?;
        }
        Ok(())
    }
}

impl Node {
    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process, to be paused or killed.
    pub fn service(&mut self) -> &mut Service {
        &mut self.service
    }

    /// Starts it again after it was killed, with its data or without. Like any server that comes back it takes
    /// itself for a primary until the sentinels tell it otherwise.
    pub fn revive(&mut self, empty: bool) -> Result {
        if empty {
            std::fs::remove_dir_all(&self.folder)?;
            std::fs::create_dir_all(&self.folder)?;
        }
        self.service = redis::launch(&self.folder, self.port, &DATA)?;
        Ok(())
    }

    /// Runs one command by `redis-cli`; no answer within 2 s is an error.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        redis::command(self.port, arguments)
    }

    /// How far its data is.
    pub fn offset(&self) -> Result<u64> {
        let info = self.replication();
        let name = if info.get("role") == Some("slave") { "slave_repl_offset" } else { "master_repl_offset" };
        Ok(info.get(name).ok_or("a server shows no replication offset")?.parse()?)
    }

    fn replication(&self) -> Info {
        Info { text: self.command(&["INFO", "replication"]).unwrap_or_default() }
    }
}

/// What `INFO` answered.
struct Info {
    text: String,
}

impl Info {
    fn get(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }
}

fn start_sentinel(folder: &Path, primary: u16) -> Result<Node> {
    std::fs::create_dir_all(folder)?;
    let (port, file) = (ports::free_port()?, folder.join("sentinel.conf"));
    let config = format!(
        "port {port}\nbind 127.0.0.1\n\
         sentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
         sentinel down-after-milliseconds {NAME} {DOWN_AFTER}\n\
         sentinel failover-timeout {NAME} 3000\n"
    );
    std::fs::write(&file, config)?;
    let mut server = Command::new(fixtures::tool("redis-server")?);
    server.arg(&file).arg("--sentinel").current_dir(folder);
    let mut service = Service::start("a sentinel", &server, &folder.join("sentinel.log"))?;
    service.wait_until(|| redis::command(port, &["PING"]).is_ok())?;
    Ok(Node { port, folder: folder.to_owned(), service })
}

/// Waits until `ready` says so.
///
/// # Errors
/// What was waited for in vain.
pub fn wait_until(at_most: Duration, what: &str, mut ready: impl FnMut() -> bool) -> Result<Duration> {
    let asked = Instant::now();
    while !ready() {
        if asked.elapsed() > at_most {
            return Err(format!("waited {} s in vain until {what}", at_most.as_secs()).into());
        }
        sleep(Duration::from_millis(50));
    }
    Ok(asked.elapsed())
}
