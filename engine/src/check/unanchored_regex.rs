//! What it checks: `issuerRegExp` and `subjectRegExp` begin with `^` and end with `$`.
//!
//! Why: a regular expression matches anywhere in the text. `https://github.com/acme/` is also in
//! `https://evil.example/https://github.com/acme/`, and whoever can get a certificate for that is accepted.
//!
//! Example:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://issuer.example", subjectRegExp: "https://git.example/acme/"}
//! ```
//!
//! Use instead:
//!
//! ```yaml
//! - name: signed
//!   match: {any: [{resources: {kinds: [Pod]}}]}
//!   verifyImages:
//!     - imageReferences: ["registry.example/*"]
//!       attestors:
//!         - entries:
//!             - keyless: {issuer: "https://issuer.example", subjectRegExp: "^https://git\\.example/acme/.*$"}
//! ```

use crate::diagnostic::Code;

use super::Report;

pub(super) fn check(report: &mut Report<'_>) {
    for keyless in report.keyless() {
        for pattern in [&keyless.issuer_regexp, &keyless.subject_regexp]
            .into_iter()
            .flatten()
        {
            if !is_anchored(&pattern.value) {
                let message = format!("`{}` matches inside of longer texts too", pattern.value);
                let diagnostic = report.warning(Code::UnanchoredRegex, pattern.span, message);
                report.add(diagnostic.help("begin it with `^` and end it with `$`"));
            }
        }
    }
}

/// Whether all alternatives of a regular expression are anchored at both ends, as far as its text shows.
fn is_anchored(pattern: &str) -> bool {
    let pattern = pattern.strip_prefix("(?i)").unwrap_or(pattern);
    alternatives(pattern).iter().all(|alternative| {
        let starts = alternative.starts_with('^') || alternative.starts_with(r"\A");
        let dollar = alternative.ends_with('$') && !alternative.ends_with(r"\$");
        starts && (dollar || alternative.ends_with(r"\z"))
    })
}

/// Cuts a regular expression at the `|` that are in no group and no class.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let (mut depth, mut class, mut escaped) = (0_usize, false, false);
    for letter in pattern.chars() {
        let plain = !std::mem::replace(&mut escaped, false);
        match letter {
            '\\' if plain => escaped = true,
            '[' if plain => class = true,
            ']' if plain => class = false,
            '(' if plain && !class => depth += 1,
            ')' if plain && !class => depth = depth.saturating_sub(1),
            '|' if plain && !class && depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = found.last_mut() {
            last.push(letter);
        }
    }
    found
}
