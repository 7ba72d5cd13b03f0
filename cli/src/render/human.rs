//! Diagnostics for a person at a terminal: the author's own lines, what is wrong there, and what to do.
//!
//! The only place that names miette.

use std::fmt;

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode};
use regent_engine::diagnostic::{Diagnostic, Label, Severity};
use regent_engine::source::Source;

use crate::io::Colours;

/// How text is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Whether escapes may be written.
    pub colours: Colours,
    /// Columns of the terminal.
    pub width: usize,
}

/// What stands before a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// `×`.
    Error,
    /// `⚠`.
    Warning,
    /// `✓`: nothing is wrong.
    Passed,
    /// `○`: nothing was done.
    Skipped,
}

impl From<Severity> for Mark {
    fn from(severity: Severity) -> Self {
        match severity {
            Severity::Warning => Self::Warning,
            Severity::Error => Self::Error,
        }
    }
}

/// A line that is longer is not shown: it would fill the terminal with what is not the mistake.
const MAX_LINE: usize = 1_000;

/// Renders one diagnostic, with a line break at its end.
pub fn render(diagnostic: &Diagnostic, style: Style) -> String {
    let Diagnostic {
        code,
        severity,
        fault: _,
        message,
        source,
        labels,
        help,
    } = diagnostic;
    let report = Report {
        code: Some(code.name()),
        mark: Mark::from(*severity),
        message,
        labels,
        text: &source.text,
        source: named(source),
        help: help.as_deref(),
    };
    rendered(&report, source, style).unwrap_or_else(|| {
        let help = help.as_ref();
        let help = help.map_or_else(String::new, |help| format!("  help: {}\n", printable(help)));
        format!("{}\n{help}", line(diagnostic))
    })
}

/// Renders a message with places in a text, as [`render`] does.
pub fn report(
    (mark, message): (Mark, &str),
    (source, labels): (&Source, &[Label]),
    style: Style,
) -> String {
    let report = Report {
        code: None,
        mark,
        message,
        labels,
        text: &source.text,
        source: named(source),
        help: None,
    };
    rendered(&report, source, style).unwrap_or_else(|| {
        let lines = labels.iter().map(|label| {
            let (line, column) = source.position(label.span.start);
            printable(&format!(
                "  {}:{line}:{column}: {}\n",
                source.name, label.text
            ))
        });
        format!("{}\n{}", printable(message), lines.collect::<String>())
    })
}

fn named(source: &Source) -> NamedSource<String> {
    NamedSource::new(printable(&source.name), printable(&source.text))
}

/// The graphical form; none where a line is too long for it, or it could not be laid out.
fn rendered(report: &Report<'_>, source: &Source, style: Style) -> Option<String> {
    let mut labels = report.labels.iter();
    if labels.any(|label| is_long(source, label)) {
        return None;
    }
    let mut theme = if style.colours.are_on() {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    // The third of miette's severities stands for what is neither an error nor a warning.
    theme.characters.advice = match report.mark {
        Mark::Skipped => "○".to_owned(),
        Mark::Passed | Mark::Error | Mark::Warning => "✓".to_owned(),
    };
    let handler = GraphicalReportHandler::new_themed(theme)
        .with_width(style.width)
        .with_links(false)
        .without_syntax_highlighting();
    let mut text = String::new();
    handler.render_report(&mut text, report).ok()?;
    Some(text)
}

/// Whether a label is on a line, or beside one, that nobody wants to see.
fn is_long(source: &Source, label: &Label) -> bool {
    let text = &source.text;
    let at = label.span.start.min(text.len());
    let (before, after) = (text.get(..at), text.get(at..));
    let before = before.unwrap_or_default().rsplit('\n').take(2);
    let after = after.unwrap_or_default().split('\n').take(2);
    before.chain(after).any(|line| line.len() > MAX_LINE)
}

/// One line: `file:line:column: error[code]: message`.
pub fn line(diagnostic: &Diagnostic) -> String {
    let source = &diagnostic.source;
    let place = diagnostic.labels.first().map_or_else(String::new, |label| {
        let (line, column) = source.position(label.span.start);
        format!("{line}:{column}:")
    });
    let severity = severity_name(diagnostic.severity);
    printable(&format!(
        "{}:{place} {severity}[{}]: {}",
        source.name,
        diagnostic.code.name(),
        diagnostic.message
    ))
}

/// The name of a severity in output.
pub const fn severity_name(severity: Severity) -> &'static str {
    match severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}

/// The text with every control character other than line breaks and tabs made harmless.
///
/// A policy or a resource may hold terminal escapes; each becomes as many bytes of `?`, so that offsets hold.
pub fn printable(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t' | '\r') {
            safe.extend(std::iter::repeat_n('?', character.len_utf8()));
        } else {
            safe.push(character);
        }
    }
    safe
}

/// The same on one line.
pub fn printable_line(text: &str) -> String {
    printable(text).replace(['\n', '\r', '\t'], " ")
}

/// A message with places, as miette wants it.
struct Report<'a> {
    code: Option<&'static str>,
    mark: Mark,
    message: &'a str,
    labels: &'a [Label],
    text: &'a str,
    source: NamedSource<String>,
    help: Option<&'a str>,
}

impl fmt::Debug for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.message)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&printable(self.message))
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.code?))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.mark {
            Mark::Warning => miette::Severity::Warning,
            Mark::Error => miette::Severity::Error,
            Mark::Passed | Mark::Skipped => miette::Severity::Advice,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(printable(self.help?)))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        // Without a label there is nothing in the text to show.
        (!self.labels.is_empty()).then_some(&self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let text = self.text;
        let end = text.len();
        let labels = self.labels.iter().enumerate().map(move |(index, label)| {
            let start = label.span.start.min(end);
            let written = text.get(start..label.span.end.clamp(start, end));
            // A rule of forty lines is named well enough by its first.
            let length = written
                .and_then(|text| text.lines().next())
                .map_or(0, str::len);
            let said = (!label.text.is_empty()).then(|| printable(&label.text));
            if index == 0 {
                LabeledSpan::new_primary_with_span(said, (start, length))
            } else {
                LabeledSpan::new_with_span(said, (start, length))
            }
        });
        Some(Box::new(labels))
    }
}

#[cfg(test)]
mod tests;
