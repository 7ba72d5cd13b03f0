//! What was verified, for people.

use anyhow::Result;
use regent_engine::image::Evidence;
use regent_engine::image::evidence::{Format, Signer, Verification};

use super::expectation::Selected;
use super::slsa::{self, Build};
use crate::io::Io;
use crate::render::human::{printable, printable_line};

/// Parameters that are shown; a matrix of a large build may have hundreds.
const MAX_PARAMETERS: usize = 20;

/// Writes one image.
pub(super) fn write(
    name: &str,
    evidence: &Evidence,
    selected: &Selected<'_>,
    io: &mut Io<'_>,
) -> Result<()> {
    writeln!(io.stdout, "{name}: verified")?;
    line(io, "digest", evidence.digest.as_str())?;
    for signature in &selected.signatures {
        writeln!(io.stdout, "  signature")?;
        write_verification(&signature.verified, io)?;
        if let Some(annotations) = signature.annotations.as_object() {
            for (name, value) in annotations {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                inner(io, "annotation", &format!("{name}={value}"))?;
            }
        }
    }
    for statement in &selected.statements {
        let kind = printable(&statement.predicate_type);
        writeln!(io.stdout, "  attestation {kind}")?;
        write_verification(&statement.verified, io)?;
        if let Some(build) = slsa::read(statement) {
            write_build(&build, io)?;
        }
    }
    Ok(())
}

fn write_verification(verified: &Verification, io: &mut Io<'_>) -> Result<()> {
    match &verified.signer {
        Signer::Key { spki_sha256 } => inner(io, "signer", &format!("key {spki_sha256}"))?,
        Signer::Certificate(identity) => {
            inner(io, "signer", &identity.subjects.join(", "))?;
            inner(io, "issuer", &identity.issuer)?;
            let extension = |number: u8| {
                let id = format!("1.3.6.1.4.1.57264.1.{number}");
                identity.extensions.get(&id).map(String::as_str)
            };
            let old = extension(5).map(|name| format!("https://github.com/{name}"));
            if let Some(source) = extension(12).or(old.as_deref()) {
                inner(io, "called from", source)?;
            }
            if let Some(commit) = extension(13).or(extension(3)) {
                inner(io, "called at", commit)?;
            }
            if !identity.sct_verified {
                inner(io, "certificate", "in no certificate log of the trust root")?;
            }
        }
    }
    for entry in &verified.log_entries {
        let time = entry.integrated_time.map(|time| format!(", {}", utc(time)));
        let proof = match (entry.promise, entry.inclusion_proof) {
            (true, true) => "promised and proven",
            (_, true) => "proven",
            _ => "promised",
        };
        let text = format!(
            "{} entry {} ({}), {proof}{}",
            entry.log_url,
            entry.log_index,
            entry.kind,
            time.unwrap_or_default()
        );
        inner(io, "log", &text)?;
    }
    if verified.log_entries.is_empty() {
        inner(io, "log", "none")?;
    }
    for time in &verified.timestamps {
        inner(io, "timestamp", &utc(*time))?;
    }
    let format = match verified.format {
        Format::Bundle => "bundle",
        Format::LegacyTag => "cosign tag",
        Format::Notary => "notary signature",
    };
    inner(io, "stored as", &format!("{format} {}", verified.carrier))
}

fn write_build(build: &Build, io: &mut Io<'_>) -> Result<()> {
    for (name, value) in [
        ("builder", &build.builder),
        ("source", &build.source),
        ("commit", &build.commit),
        ("build type", &build.kind),
    ] {
        if !value.is_empty() {
            inner(io, name, value)?;
        }
    }
    for (path, value) in build.parameters.iter().take(MAX_PARAMETERS) {
        inner(io, "parameter", &format!("{path}={value}"))?;
    }
    let more = build.parameters.len().saturating_sub(MAX_PARAMETERS);
    if more > 0 {
        inner(io, "parameter", &format!("and {more} more"))?;
    }
    inner(io, "SLSA build", &format!("level {}", build.level))
}

fn line(io: &mut Io<'_>, name: &str, value: &str) -> Result<()> {
    writeln!(io.stdout, "  {name:<11} {}", printable_line(value))?;
    Ok(())
}

fn inner(io: &mut Io<'_>, name: &str, value: &str) -> Result<()> {
    writeln!(io.stdout, "    {name:<11} {}", printable_line(value))?;
    Ok(())
}

/// `YYYY-MM-DDTHH:MM:SSZ` of seconds since 1970.
pub(super) fn utc(seconds: u64) -> String {
    const DAY: u64 = 86_400;
    let (days, rest) = (seconds / DAY, seconds % DAY);
    // Civil date in the Gregorian calendar, counted in eras of 400 years from 1 March of the year 0.
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}
