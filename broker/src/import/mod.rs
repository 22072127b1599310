//! Many members at once, one JSON object a line (NDJSON): for the first day.
//!
//! A line that is no good is told by its number and stops nothing else. The same file again changes nothing, so whatever
//! breaks off in the middle is simply begun anew.

mod line;
mod lines;

use gatepass_core::event::Context;
use gatepass_core::limit::Limited;
use gatepass_core::member::{Member, Wanted};
use gatepass_core::site::Site;
use gatepass_core::store::{MemberPut, Members};
use gatepass_core::validate::{self, FieldError, FieldErrors};
use gatepass_core::{StoreError, Subject, Timestamp};
use serde::Serialize;

pub use lines::{Line, Lines, MAX_LINE_BYTES};

/// How many members are put at a time.
pub const BATCH: usize = 500;

/// Of how many lines it is told what is wrong with them.
pub const MAX_TOLD: usize = 1000;

/// What came of an import so far.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Lines, less those in which nothing stands.
    pub lines: u64,
    /// Members that are new.
    pub created: u64,
    /// Members that are otherwise than before.
    pub updated: u64,
    /// Members that are as before.
    pub unchanged: u64,
    /// Lines that are no good.
    pub failed: u64,
    /// What is wrong with the first [`MAX_TOLD`] of them.
    pub errors: Vec<LineError>,
}

impl Report {
    /// Members that are not as before.
    pub const fn changed(&self) -> u64 {
        self.created + self.updated
    }
}

/// What is wrong with a line.
#[derive(Debug, Serialize)]
pub struct LineError {
    /// Which, from 1.
    pub line: u64,
    /// About whom, if that can be read.
    pub subject: Option<Subject>,
    /// Field by field; what is about the whole line is said of the field `.`.
    pub errors: FieldErrors,
}

/// Why an import cannot go on. What stands in its report is kept.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such site (any more).
    #[error("there is no such site")]
    SiteNotFound,
    /// The API key has asked too often.
    #[error("asked for too often")]
    Limited(Limited),
}

/// An import under way.
pub struct Import<'a> {
    store: &'a dyn Members,
    site: &'a Site,
    context: &'a Context,
    waiting: Vec<(u64, Subject, Wanted)>,
    report: Report,
}

impl std::fmt::Debug for Import<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Import(into {})", self.site.id)
    }
}

impl<'a> Import<'a> {
    /// Into this site.
    pub fn new(store: &'a dyn Members, site: &'a Site, context: &'a Context) -> Self {
        Self { store, site, context, waiting: Vec::with_capacity(BATCH), report: Report::default() }
    }

    /// Takes one line. What is good waits until there is enough to [`put`](Self::put).
    pub fn take(&mut self, line: &Line<'_>) {
        let (number, read) = match line {
            Line::Whole { text, .. } if text.iter().all(u8::is_ascii_whitespace) => return,
            Line::Whole { number, text } => (*number, self.read(text)),
            Line::TooLong { number } => {
                let message = format!("at most {MAX_LINE_BYTES} bytes");
                (*number, Err((None, vec![FieldError::new(".", "too_long", message)])))
            }
        };
        self.report.lines += 1;
        match read {
            Ok((subject, wanted)) => self.waiting.push((number, subject, wanted)),
            Err((subject, errors)) => self.refuse(number, subject, errors),
        }
    }

    fn read(&self, text: &[u8]) -> Result<(Subject, Wanted), (Option<Subject>, FieldErrors)> {
        let line::Member { subject, wanted } = line::parse(text)?;
        let mut errors: FieldErrors = validate::subject(&subject).err().into_iter().collect();
        errors.extend(validate::wanted(&wanted, &self.site.policy.allowed_roles));
        // Who is no good as a subject is not repeated.
        let shown = errors.iter().all(|error| error.field != "subject").then(|| subject.clone());
        if errors.is_empty() { Ok((subject, wanted)) } else { Err((shown, errors)) }
    }

    fn refuse(&mut self, line: u64, subject: Option<Subject>, errors: FieldErrors) {
        self.report.failed += 1;
        if self.report.errors.len() < MAX_TOLD {
            self.report.errors.push(LineError { line, subject, errors });
        }
    }

    /// Whether there is enough to be put.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= BATCH
    }

    /// Puts the members that wait.
    ///
    /// # Errors
    /// When that cannot be, or not now.
    pub async fn put(&mut self, now: Timestamp) -> Result<(), ImportError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let (numbers, members): (Vec<u64>, Vec<(Subject, Wanted)>) =
            waiting.into_iter().map(|(number, subject, wanted)| (number, (subject, wanted))).unzip();
        let put = self.store.put_members(self.site.id, &members, now, self.context).await?;
        for ((number, (subject, _)), put) in numbers.into_iter().zip(members).zip(put) {
            match put {
                MemberPut::Created(_) => self.report.created += 1,
                MemberPut::Updated(_) => self.report.updated += 1,
                MemberPut::Unchanged(_) => self.report.unchanged += 1,
                MemberPut::SiteNotFound => return Err(ImportError::SiteNotFound),
                MemberPut::Limited(limited) => return Err(ImportError::Limited(limited)),
                // Nobody asked for a revision; told nevertheless, rather than lost.
                MemberPut::RevisionMismatch { .. } => {
                    let error = FieldError::new(".", "revision_mismatch", "the member has changed since");
                    self.refuse(number, Some(subject), vec![error]);
                }
            }
        }
        Ok(())
    }

    /// What came of it so far.
    pub const fn report(&self) -> &Report {
        &self.report
    }

    /// What came of it.
    pub fn finish(mut self) -> Report {
        self.report.errors.sort_by_key(|error| error.line);
        self.report
    }
}

/// A member as a line of an import, which is how it is exported.
pub fn to_line(member: &Member) -> String {
    #[derive(Serialize)]
    struct Exported<'a> {
        subject: &'a Subject,
        #[serde(flatten)]
        wanted: &'a Wanted,
    }
    let exported = Exported { subject: &member.subject, wanted: &member.wanted };
    serde_json::to_string(&exported).unwrap_or_default()
}
