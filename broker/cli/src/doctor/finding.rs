//! What a check found.

use serde::Serialize;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    Warning,
    Failed,
}

/// What a check says of what it saw.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// As it should be.
    Ok(String),
    /// It works, but.
    Warning(String, String),
    /// It does not work; with what to do.
    Failed(String, String),
    /// It cannot be told, because of what another check found.
    Unknown,
}

impl Verdict {
    pub(super) fn ok(said: impl Into<String>) -> Self {
        Self::Ok(said.into())
    }

    pub(super) fn warning(said: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Warning(said.into(), hint.into())
    }

    pub(super) fn failed(said: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Failed(said.into(), hint.into())
    }
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) state: State,
    /// What was looked at: `deployment`, or a site's origin.
    about: String,
    check: &'static str,
    said: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
}

impl Finding {
    /// `None` for what cannot be told.
    pub(super) fn new(about: &str, check: &'static str, verdict: Verdict) -> Option<Self> {
        let (state, said, hint) = match verdict {
            Verdict::Ok(said) => (State::Ok, said, None),
            Verdict::Warning(said, hint) => (State::Warning, said, Some(hint)),
            Verdict::Failed(said, hint) => (State::Failed, said, Some(hint)),
            Verdict::Unknown => return None,
        };
        Some(Self { state, about: about.to_owned(), check, said, hint })
    }

    /// One line each, with the hint below, under the name of what was looked at.
    pub(super) fn lines(findings: &[Self]) -> String {
        let mut lines = Vec::new();
        let mut about = "";
        for finding in findings {
            if finding.about != about {
                about = &finding.about;
                lines.push(about.to_owned());
            }
            let state = match finding.state {
                State::Ok => "ok",
                State::Warning => "warning",
                State::Failed => "FAILED",
            };
            lines.push(format!("  {state:7}  {:12}  {}", finding.check, finding.said));
            lines.extend(finding.hint.iter().map(|hint| format!("           -> {hint}")));
        }
        lines.join("\n")
    }
}
