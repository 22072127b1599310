//! The log, on stderr. It never holds a token, a key or a secret: none of them has a `Debug` that shows it, and
//! paths are logged without their query.

use tracing_subscriber::EnvFilter;

use crate::args::LogFormat;
use crate::config::Config;
use crate::error::Failure;

pub(crate) fn start(config: &Config) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log)
        .map_err(|error| Failure::Usage(format!("--log {}: {error}", config.log)))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    Ok(())
}
