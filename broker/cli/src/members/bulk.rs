//! Import and export.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use gatepass_broker::import::{Import, ImportError, LineError, Lines, Report, to_line};
use gatepass_core::clock::System;
use gatepass_core::site::Site;
use gatepass_core::{Clock, SiteId};
use indicatif::ProgressBar;

use super::{Desk, PAGE};
use crate::error::Failure;
use crate::output;

/// How much is read at a time.
const PIECE: usize = 64 * 1024;

pub(super) async fn import(desk: &Desk<'_>, site: &Site, file: &Path) -> Result<(), Failure> {
    let (mut input, length) = open(file)?;
    let bar = bar(length);
    let done = read(desk, site, &mut *input, &bar).await;
    bar.finish_and_clear();
    let report = done?;
    if !desk.config.json {
        tell(&report);
    }
    output::answer(desk.config, &report, || {
        let Report { lines, created, updated, unchanged, failed, .. } = &report;
        format!("{lines} lines: {created} created, {updated} updated, {unchanged} unchanged, {failed} failed")
    })?;
    match report.failed {
        0 => Ok(()),
        failed => Err(Failure::Failed(format!("{failed} lines are no good; the others are imported"))),
    }
}

/// The file, and how long it is, if it has a length.
fn open(file: &Path) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(std::io::stdin()), None));
    }
    let wrong = |error| Failure::Failed(format!("cannot read {}: {error}", file.display()));
    let opened = File::open(file).map_err(wrong)?;
    let about = opened.metadata().map_err(wrong)?;
    if about.is_dir() {
        return Err(Failure::Usage(format!("{} is a folder; expected a file, or -", file.display())));
    }
    Ok((Box::new(opened), about.is_file().then_some(about.len())))
}

fn bar(length: Option<u64>) -> ProgressBar {
    match length {
        Some(_) => output::bar(length, "{bar:40} {percent}% {bytes_per_sec} {eta} {msg}"),
        None => output::bar(length, "{spinner} {bytes} {bytes_per_sec} {msg}"),
    }
}

async fn read(
    desk: &Desk<'_>,
    site: &Site,
    input: &mut dyn Read,
    bar: &ProgressBar,
) -> Result<Report, Failure> {
    let (mut import, mut lines) = (Import::new(desk.store, site, &desk.context), Lines::default());
    let mut piece = vec![0; PIECE];
    loop {
        let length = match input.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => {
                let lines = import.report().lines;
                return Err(Failure::Failed(format!("cannot read on after {lines} lines: {error}")));
            }
        };
        let mut rest = piece.get(..length).unwrap_or_default();
        while !rest.is_empty() {
            let taken = lines.feed(rest, |line| {
                import.take(&line);
                !import.is_full()
            });
            rest = rest.get(taken..).unwrap_or_default();
            if import.is_full() {
                put(&mut import).await?;
            }
        }
        bar.inc(u64::try_from(length).unwrap_or_default());
        let Report { lines, failed, .. } = import.report();
        bar.set_message(format!("{lines} lines, {failed} failed"));
    }
    lines.finish(|line| {
        import.take(&line);
        true
    });
    put(&mut import).await?;
    Ok(import.finish())
}

async fn put(import: &mut Import<'_>) -> Result<(), Failure> {
    let put = import.put(System.now()).await;
    put.map_err(|error| {
        let lines = import.report().lines;
        let again = "import the same file again, which changes nothing that is done";
        match error {
            ImportError::Store(error) => Failure::Failed(format!("after {lines} lines: {error}; {again}")),
            ImportError::SiteNotFound => Failure::Failed("the site was removed meanwhile".to_owned()),
            ImportError::Limited(_) => Failure::Failed(format!("asked for too often; {again}")),
        }
    })
}

/// Which lines are no good, and why.
fn tell(report: &Report) {
    for LineError { line, subject, errors } in &report.errors {
        let subject = subject.as_ref().map(|subject| format!(" ({subject})")).unwrap_or_default();
        let errors: Vec<_> = errors
            .iter()
            .map(|error| match error.field.as_str() {
                "." => error.message.clone(),
                field => format!("{field}: {}", error.message),
            })
            .collect();
        eprintln!("line {line}{subject}: {}", errors.join("; "));
    }
    let told = u64::try_from(report.errors.len()).unwrap_or(u64::MAX);
    if report.failed > told {
        eprintln!("and {} more", report.failed - told);
    }
}

pub(super) async fn export(desk: &Desk<'_>, site: SiteId) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let page = desk.store.members(site, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.following.position;
        let lines: Vec<_> = page.iter().map(to_line).collect();
        output::line(&lines.join("\n"))?;
    }
}
