//! Asking before something ends logins.

use std::io::IsTerminal;

use crate::args::Consent;
use crate::error::Failure;

/// Says what will be done, and whether it shall be: no with `--dry-run`, yes with `--yes`, and else it is asked.
pub(super) fn given(consent: Consent, what: &str) -> Result<bool, Failure> {
    eprintln!("{what}");
    if consent.dry_run {
        eprintln!("Nothing was done (--dry-run).");
        return Ok(false);
    }
    if consent.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Usage("there is no terminal to ask at; say --yes if that is meant".to_owned()));
    }
    eprint!("Go on? [y/N] ");
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.map_err(|error| Failure::Failed(format!("cannot read the answer: {error}")))?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        return Ok(true);
    }
    Err(Failure::Failed("nothing was done".to_owned()))
}
