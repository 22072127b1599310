//! Starting and stopping programs so that none is left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use crate::Result;

/// A program in the background. Dropping it stops it, its children included.
#[derive(Debug)]
pub struct Service {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Service {
    /// Starts it with its output in `log` (appended, so that a restart keeps what was said before).
    pub fn start(name: &str, command: &Command, log: &Path) -> Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let mut guarded = Command::new("setpriv");
        // Told to stop even when we are killed outright. Not killed: nginx and php-fpm would leave their workers.
        guarded.args(["--pdeathsig", "TERM", "--"]).arg(command.get_program()).args(command.get_args());
        for (key, value) in command.get_envs() {
            match value {
                Some(value) => guarded.env(key, value),
                None => guarded.env_remove(key),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            guarded.current_dir(folder);
        }
        guarded.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out);
        let child = spawn(guarded).map_err(|error| format!("{name} cannot be started: {error}"))?;
        Ok(Self { name: name.to_owned(), child, log: log.to_owned() })
    }

    /// Waits until `ready` says so. Fails as soon as the program ends, and after 30 s.
    pub fn wait_until(&mut self, mut ready: impl FnMut() -> bool) -> Result {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !ready() {
            let ended = self.child.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                return Err(
                    format!("{} did not start; the end of its log:\n{}", self.name, tail(&self.log)).into()
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it in mid-step (SIGSTOP): connections stay open, nothing answers.
    pub fn pause(&self) -> Result {
        signal("STOP", &[self.pid()])
    }

    /// Lets it go on (SIGCONT).
    pub fn resume(&self) -> Result {
        signal("CONT", &[self.pid()])
    }

    /// Asks it to stop (SIGTERM) and waits; after 10 s it is killed, and so is at once what it left behind.
    pub fn stop(&mut self) {
        let family = descendants(self.pid());
        // One that was paused would not hear.
        let _ = signal("TERM", &[self.pid()]).and_then(|()| self.resume());
        let deadline = Instant::now() + Duration::from_secs(10);
        while matches!(self.child.try_wait(), Ok(None)) {
            if Instant::now() > deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let orphans: Vec<u32> = family.into_iter().filter(|pid| is_alive(*pid)).collect();
        if !orphans.is_empty() {
            let _ = signal("KILL", &orphans);
        }
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) -> Result {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

/// Runs a program to its end and gives what it printed; its exit code must be 0.
pub fn run(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output()?;
    text_of(command, &output)
}

/// The same, with something on the standard input (where secrets go: arguments can be seen by everybody).
pub fn run_with_input(command: &mut Command, input: &str) -> Result<String> {
    use std::io::Write as _;
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    text_of(command, &output)
}

fn text_of(command: &Command, output: &Output) -> Result<String> {
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout.clone())?);
    }
    let program = command.get_program().display();
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} ended with {}: {}", output.status, said.trim()).into())
}

/// Sends a signal to processes.
pub fn signal(name: &str, pids: &[u32]) -> Result {
    run(Command::new("kill").arg(format!("-{name}")).arg("--").args(pids.iter().map(ToString::to_string)))?;
    Ok(())
}

/// Whether a process lives; one that ended and was not yet waited for does not.
pub fn is_alive(pid: u32) -> bool {
    stat(pid).is_some_and(|(state, _)| state != 'Z')
}

/// The children of a process, theirs, and so on.
pub fn descendants(pid: u32) -> Vec<u32> {
    let mut parents = Vec::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some((_, parent)) = stat(child)
        {
            parents.push((child, parent));
        }
    }
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(of) = family.get(next).copied() {
        family.extend(parents.iter().filter(|(_, parent)| *parent == of).map(|(child, _)| *child));
        next += 1;
    }
    family.remove(0);
    family
}

/// State and parent from `/proc/PID/stat`; the name before them may hold anything but ends with the last ')'.
fn stat(pid: u32) -> Option<(char, u32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}

/// The last lines of a log.
pub fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// The kernel ties "parent died" to the *thread* that started the child, and a test's thread ends long before the
/// shared stack does. So one thread, which never ends, starts them all.
fn spawn(command: Command) -> std::io::Result<Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();

    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, result) = mpsc::channel();
    spawner.send((command, answer)).map_err(std::io::Error::other)?;
    result.recv().map_err(std::io::Error::other)?
}
