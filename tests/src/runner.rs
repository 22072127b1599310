//! Runs the tests: several at a time, most of them on one shared [`Stack`].

use std::panic;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

use crate::{Result, Stack};

/// What went wrong, to be said once more at the very end, where it is not lost among logs.
static FAILURES: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn keep_failure(failure: String) {
    FAILURES.lock().unwrap_or_else(PoisonError::into_inner).push(failure);
}

/// Collects tests and runs them. Use it through [`run!`](crate::run).
#[derive(Debug)]
pub struct Runner {
    shared: Arc<Shared>,
    trials: Vec<Trial>,
}

#[derive(Debug)]
struct Shared {
    runtime: Runtime,
    /// Started by the first test that needs it; if that failed, no other test tries again.
    stack: OnceCell<std::result::Result<Stack, String>>,
}

impl Runner {
    /// Without tests yet.
    pub fn new() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        Ok(Self { shared: Arc::new(Shared { runtime, stack: OnceCell::new() }), trials: Vec::new() })
    }

    /// A test that runs beside others on the shared stack, and so pauses, restarts and counts nothing of all.
    pub fn shared<T>(&mut self, name: &str, test: T)
    where
        T: AsyncFnOnce(&Stack) -> Result + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.add(name, move || {
            shared.runtime.block_on(async {
                let stack = shared
                    .stack
                    .get_or_init(async || Stack::start().await.map_err(|error| error.to_string()));
                test(
                    stack
                        .await
                        .as_ref()
                        .map_err(|error| format!("the shared stack did not start: {error}"))?,
                )
                .await
            })
        });
    }

    /// A test that needs no shared stack: it starts what it needs.
    pub fn alone<T>(&mut self, name: &str, test: T)
    where
        T: AsyncFnOnce() -> Result + Send + 'static,
    {
        let shared = Arc::clone(&self.shared);
        self.add(name, move || shared.runtime.block_on(test()));
    }

    fn add(&mut self, name: &str, test: impl FnOnce() -> Result + Send + 'static) {
        // `a::b::test` in the source; the last part is the sentence.
        let name = name.rsplit("::").next().unwrap_or(name).trim();
        let owned = name.to_owned();
        self.trials.push(Trial::test(name, move || {
            test().map_err(|error| {
                keep_failure(format!("{owned}: {error}"));
                Failed::from(error.to_string())
            })
        }));
    }

    /// Runs what the command line asks for, as `cargo test` understands it.
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        // Two cores are busy with three: mostly they wait for each other.
        arguments.test_threads.get_or_insert(3);
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            keep_failure(panicked.to_string());
            usual(panicked);
        }));
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        if conclusion.has_failed()
            && let Some(Ok(stack)) = self.shared.stack.get()
        {
            eprintln!("The ends of the shared stack's logs:\n{}", stack.report());
        }
        for failure in FAILURES.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            eprintln!("What failed: {failure}");
        }
        conclusion.exit_code()
    }
}

/// The `main` of a test binary: `run! { shared: [path::to::test, …], alone: [path::to::test, …] }`. A shared test
/// takes `&Stack`, the others nothing; each is named by the last part of its path.
#[macro_export]
macro_rules! run {
    (shared: [$($shared:expr),* $(,)?], alone: [$($alone:expr),* $(,)?] $(,)?) => {
        fn main() -> $crate::Result<std::process::ExitCode> {
            #[allow(unused_mut, reason = "both lists may be empty")]
            let mut runner = $crate::runner::Runner::new()?;
            $(runner.shared(stringify!($shared), $shared);)*
            $(runner.alone(stringify!($alone), $alone);)*
            Ok(runner.run())
        }
    };
}
