//! Semantic versions and ranges of them as blang's Go library reads them, which Kyverno compares versions with.
//!
//! Knows nothing of images or of Kubernetes.

use std::cmp::Ordering;

use thiserror::Error;

use crate::go_format::quoted;

/// A version; what follows `+` does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Version {
    numbers: [u64; 3],
    pre_release: Vec<Identifier>,
}

/// A part of what follows `-`; numbers come before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

/// Why a text is no version or no range.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct VersionError(String);

impl Version {
    /// Reads `major.minor.patch[-pre-release][+build]`, all three numbers required and without leading zeros.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError("Version string empty".to_owned()));
        }
        let mut parts = text.splitn(3, '.');
        let (Some(major), Some(minor), Some(rest)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VersionError(
                "No Major.Minor.Patch elements found".to_owned(),
            ));
        };
        let (rest, build) = split_at_mark(rest, '+');
        let (patch, pre_release) = split_at_mark(rest, '-');
        let numbers = [
            number("major", major)?,
            number("minor", minor)?,
            number("patch", patch)?,
        ];
        let pre_release = match pre_release {
            Some(parts) => parts
                .split('.')
                .map(Identifier::parse)
                .collect::<Result<_, _>>()?,
            None => Vec::new(),
        };
        for part in build.into_iter().flat_map(|parts| parts.split('.')) {
            if part.is_empty() {
                return Err(VersionError("Build meta data is empty".to_owned()));
            }
            if !is_word(part) {
                return Err(VersionError(format!(
                    "Invalid character(s) found in build meta data {}",
                    quoted(part)
                )));
            }
        }
        Ok(Self {
            numbers,
            pre_release,
        })
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        // A release comes after all that led to it.
        self.numbers
            .cmp(&other.numbers)
            .then_with(|| {
                self.pre_release
                    .is_empty()
                    .cmp(&other.pre_release.is_empty())
            })
            .then_with(|| self.pre_release.cmp(&other.pre_release))
    }
}

impl Identifier {
    fn parse(text: &str) -> Result<Self, VersionError> {
        if text.is_empty() {
            return Err(VersionError("Prerelease is empty".to_owned()));
        }
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            if has_leading_zeros(text) {
                return Err(VersionError(format!(
                    "Numeric PreRelease version must not contain leading zeroes {}",
                    quoted(text)
                )));
            }
            return text
                .parse()
                .ok()
                .map(Self::Number)
                .ok_or_else(|| out_of_range(text));
        }
        if is_word(text) {
            return Ok(Self::Word(text.to_owned()));
        }
        Err(VersionError(format!(
            "Invalid character(s) found in prerelease {}",
            quoted(text)
        )))
    }
}

fn number(name: &str, text: &str) -> Result<u64, VersionError> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(VersionError(format!(
            "Invalid character(s) found in {name} number {}",
            quoted(text)
        )));
    }
    if has_leading_zeros(text) {
        let name = match name {
            "major" => "Major",
            "minor" => "Minor",
            _ => "Patch",
        };
        return Err(VersionError(format!(
            "{name} number must not contain leading zeroes {}",
            quoted(text)
        )));
    }
    if text.is_empty() {
        return Err(VersionError(
            "strconv.ParseUint: parsing \"\": invalid syntax".to_owned(),
        ));
    }
    text.parse().ok().ok_or_else(|| out_of_range(text))
}

fn out_of_range(text: &str) -> VersionError {
    VersionError(format!(
        "strconv.ParseUint: parsing {}: value out of range",
        quoted(text)
    ))
}

fn has_leading_zeros(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

fn is_word(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn split_at_mark(text: &str, mark: char) -> (&str, Option<&str>) {
    match text.split_once(mark) {
        Some((before, after)) => (before, Some(after)),
        None => (text, None),
    }
}

/// A range: any of these, in each all of those.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range(Vec<Vec<Bound>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    relation: Relation,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Range {
    /// Reads `>=1.2.0 <2.0.0 || 3.x`.
    pub fn parse(text: &str) -> Result<Self, VersionError> {
        let parts = split(text);
        let mut alternatives: Vec<Vec<Bound>> = Vec::new();
        if parts.first().is_some_and(|part| part == "||") {
            return Err(VersionError("First element in range is '||'".to_owned()));
        }
        if parts.last().is_none_or(|part| part == "||") {
            return Err(VersionError("Last element in range is '||'".to_owned()));
        }
        for alternative in parts.split(|part| part == "||") {
            let expanded: Vec<Vec<String>> = alternative
                .iter()
                .map(|part| expand(part))
                .collect::<Result<_, _>>()?;
            let bounds = expanded.iter().flatten().map(|part| Bound::parse(part));
            alternatives.push(bounds.collect::<Result<_, _>>()?);
        }
        Ok(Self(alternatives))
    }

    /// Whether a version lies in it.
    pub fn contains(&self, version: &Version) -> bool {
        self.0
            .iter()
            .any(|bounds| bounds.iter().all(|bound| bound.holds(version)))
    }
}

impl Bound {
    fn parse(text: &str) -> Result<Self, VersionError> {
        let (operator, version) = split_operator(text)?;
        let relation = match operator {
            "" | "=" | "==" => Relation::Equal,
            "!" | "!=" => Relation::NotEqual,
            ">" => Relation::Greater,
            ">=" => Relation::GreaterOrEqual,
            "<" => Relation::Less,
            "<=" => Relation::LessOrEqual,
            _ => {
                return Err(VersionError(format!(
                    "Could not parse Range {}: Could not parse comparator {} in {}",
                    quoted(text),
                    quoted(operator),
                    quoted(text)
                )));
            }
        };
        let version = Version::parse(version).map_err(|VersionError(reason)| {
            VersionError(format!(
                "Could not parse Range {}: Could not parse version {} in {}: {reason}",
                quoted(text),
                quoted(version),
                quoted(text)
            ))
        })?;
        Ok(Self { relation, version })
    }

    fn holds(&self, version: &Version) -> bool {
        let order = version.cmp(&self.version);
        match self.relation {
            Relation::Equal => order.is_eq(),
            Relation::NotEqual => order.is_ne(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
        }
    }
}

/// Splits at blanks, except behind an operator; a single character at an end is lost, as it is in the Go library.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut last = b'\0';
    for (at, byte) in text.bytes().enumerate() {
        if byte == b' ' && !matches!(last, b'>' | b'<' | b'=') {
            if start + 1 < at {
                parts.extend(text.get(start..at).map(|part| part.replace(' ', "")));
            }
            start = at + 1;
        } else if byte != b' ' {
            last = byte;
        }
    }
    if start + 1 < text.len() {
        parts.extend(text.get(start..).map(|part| part.replace(' ', "")));
    }
    parts
}

fn split_operator(text: &str) -> Result<(&str, &str), VersionError> {
    let at = text.find(char::is_numeric).ok_or_else(|| {
        VersionError(format!(
            "Could not get version from string: {}",
            quoted(text)
        ))
    })?;
    let (operator, version) = text.split_at_checked(at).unwrap_or(("", text));
    Ok((operator.trim(), version))
}

/// Turns `1.2.x` and the like into plain bounds.
fn expand(part: &str) -> Result<Vec<String>, VersionError> {
    if !part.contains('x') {
        return Ok(vec![part.to_owned()]);
    }
    let (operator, version) = split_operator(part)?;
    let flat = without_wildcard(version);
    let next = after_wildcard(version, &flat);
    Ok(match operator {
        ">" => vec![format!(">={next}")],
        ">=" => vec![format!(">={flat}")],
        "<" => vec![format!("<{flat}")],
        "<=" => vec![format!("<{next}")],
        "" | "=" | "==" => vec![format!(">={flat}"), format!("<{next}")],
        "!" | "!=" => vec![format!("<{flat}"), format!(">={next}")],
        _ => vec![flat],
    })
}

/// The lowest version that the wildcard stands for.
fn without_wildcard(version: &str) -> String {
    let flat = version.replacen(".x.x", ".x", 1).replacen(".x", ".0", 1);
    if flat.split('.').count() == 2 {
        flat + ".0"
    } else {
        flat
    }
}

/// The lowest version above the wildcard; empty where the wildcard is in the wrong place, which then is no version.
fn after_wildcard(version: &str, flat: &str) -> String {
    let parts: Vec<&str> = version.split('.').collect();
    let raised = match (parts.last(), parts.len()) {
        (Some(&"x"), 2) => 0,
        (Some(&"x"), 3) => 1,
        _ => return String::new(),
    };
    let mut raised_parts = Vec::new();
    for (index, part) in flat.split('.').enumerate() {
        if index != raised {
            raised_parts.push(part.to_owned());
            continue;
        }
        match part
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_add(1))
        {
            Some(number) => raised_parts.push(number.to_string()),
            None => return String::new(),
        }
    }
    raised_parts.join(".")
}

#[cfg(test)]
mod tests;
