//! Durations as Go writes them: `1h30m`, `-1.5s`, `100ms`; a count of nanoseconds in 64 bits.
//!
//! Knows nothing of points in time.

use std::fmt;

use thiserror::Error;

use crate::go_format::quoted_bytes;

/// A span of time, at most some 292 years either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(pub i64);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationError {
    /// Not of the form of a duration, or out of range.
    #[error("time: invalid duration {}", quoted_bytes(.0))]
    Invalid(String),
    /// A number without a unit.
    #[error("time: missing unit in duration {}", quoted_bytes(.0))]
    MissingUnit(String),
    /// A unit that is none.
    #[error(
        "time: unknown unit {} in duration {}",
        quoted_bytes(unit),
        quoted_bytes(text)
    )]
    UnknownUnit {
        /// The unit.
        unit: String,
        /// The text it was found in.
        text: String,
    },
}

const MICROSECOND: u64 = 1_000;
const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1_000_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
/// One more than the largest duration: the magnitude of the smallest.
const LIMIT: u64 = 1 << 63;

impl Duration {
    /// Reads what Go's `time.ParseDuration` reads.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        read(text).map_err(|reason| reason.about(text))
    }

    /// The same as [`Self::parse`] for a caller that has no use for the reason; it allocates nothing.
    pub fn read(text: &str) -> Option<Self> {
        read(text).ok()
    }

    /// Whole seconds; out of range it wraps around, as Go's multiplication does.
    pub fn from_seconds(seconds: i64) -> Self {
        Self(seconds.wrapping_mul(1_000_000_000))
    }

    /// In seconds, as near as a float comes.
    #[expect(clippy::cast_precision_loss, reason = "a float is what is asked for")]
    pub fn seconds(self) -> f64 {
        (self.0 / 1_000_000_000) as f64 + (self.0 % 1_000_000_000) as f64 / 1e9
    }
}

/// What went wrong, before the text is copied for the message.
enum Reason<'a> {
    Invalid,
    MissingUnit,
    UnknownUnit(&'a str),
}

impl Reason<'_> {
    fn about(self, text: &str) -> DurationError {
        let text = text.to_owned();
        match self {
            Self::Invalid => DurationError::Invalid(text),
            Self::MissingUnit => DurationError::MissingUnit(text),
            Self::UnknownUnit(unit) => DurationError::UnknownUnit {
                unit: unit.to_owned(),
                text,
            },
        }
    }
}

fn read(text: &str) -> Result<Duration, Reason<'_>> {
    let (negative, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or("")),
        Some(b'+') => (false, text.get(1..).unwrap_or("")),
        _ => (false, text),
    };
    if rest == "0" {
        return Ok(Duration(0));
    }
    if rest.is_empty() {
        return Err(Reason::Invalid);
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (amount, after) = read_part(rest)?;
        total = total
            .checked_add(amount)
            .filter(|total| *total <= LIMIT)
            .ok_or(Reason::Invalid)?;
        rest = after;
    }
    if negative {
        // The one magnitude that has no positive counterpart.
        return Ok(Duration(0_i64.wrapping_sub_unsigned(total)));
    }
    i64::try_from(total).map(Duration).or(Err(Reason::Invalid))
}

/// One number with its unit at the start of `text`, in nanoseconds, and what follows.
fn read_part(text: &str) -> Result<(u64, &str), Reason<'_>> {
    let (whole, after_whole) = split_digits(text);
    let (fraction, after_number) = match after_whole.strip_prefix('.') {
        Some(after_point) => split_digits(after_point),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(Reason::Invalid);
    }
    let unit_length = after_number
        .bytes()
        .position(|byte| byte == b'.' || byte.is_ascii_digit())
        .unwrap_or(after_number.len());
    let (unit, rest) = after_number
        .split_at_checked(unit_length)
        .ok_or(Reason::Invalid)?;
    let mut amount: u64 = 0;
    for digit in whole.bytes() {
        amount = amount
            .checked_mul(10)
            .and_then(|amount| amount.checked_add(u64::from(digit - b'0')))
            .filter(|amount| *amount <= LIMIT)
            .ok_or(Reason::Invalid)?;
    }
    let nanoseconds = match unit {
        "" => return Err(Reason::MissingUnit),
        "ns" => 1,
        "us" | "\u{b5}s" | "\u{3bc}s" => MICROSECOND,
        "ms" => MILLISECOND,
        "s" => SECOND,
        "m" => MINUTE,
        "h" => HOUR,
        _ => return Err(Reason::UnknownUnit(unit)),
    };
    let amount = amount
        .checked_mul(nanoseconds)
        .and_then(|amount| amount.checked_add(part_of(fraction, nanoseconds)))
        .filter(|amount| *amount <= LIMIT)
        .ok_or(Reason::Invalid)?;
    Ok((amount, rest))
}

/// The digits at the start of `text`, and what follows.
fn split_digits(text: &str) -> (&str, &str) {
    let length = text
        .bytes()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(length).unwrap_or((text, ""))
}

/// The decimal fraction `0.digits` of `unit`, cut to whole nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "Go's arithmetic, on values below one hour"
)]
fn part_of(digits: &str, unit: u64) -> u64 {
    let (mut value, mut scale) = (0_u64, 1.0_f64);
    for digit in digits.bytes() {
        let Some(longer) = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit - b'0')))
            .filter(|value| *value < LIMIT)
        else {
            break;
        };
        value = longer;
        scale *= 10.0;
    }
    (value as f64 * (unit as f64 / scale)) as u64
}

impl fmt::Display for Duration {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = self.0.unsigned_abs();
        if self.0 < 0 {
            formatter.write_str("-")?;
        }
        match magnitude {
            0 => formatter.write_str("0s"),
            1..MICROSECOND => write!(formatter, "{magnitude}ns"),
            MICROSECOND..MILLISECOND => {
                write_decimal(formatter, magnitude, MICROSECOND)?;
                formatter.write_str("\u{b5}s")
            }
            MILLISECOND..SECOND => {
                write_decimal(formatter, magnitude, MILLISECOND)?;
                formatter.write_str("ms")
            }
            _ => {
                if magnitude >= HOUR {
                    write!(formatter, "{}h", magnitude / HOUR)?;
                }
                if magnitude >= MINUTE {
                    write!(formatter, "{}m", magnitude % HOUR / MINUTE)?;
                }
                write_decimal(formatter, magnitude % MINUTE, SECOND)?;
                formatter.write_str("s")
            }
        }
    }
}

/// `amount / unit` as a decimal number without trailing zeros.
fn write_decimal(formatter: &mut fmt::Formatter<'_>, amount: u64, unit: u64) -> fmt::Result {
    write!(formatter, "{}", amount / unit)?;
    let mut fraction = amount % unit;
    if fraction == 0 {
        return Ok(());
    }
    let mut digits = unit.ilog10() as usize;
    while fraction.is_multiple_of(10) {
        fraction /= 10;
        digits -= 1;
    }
    write!(formatter, ".{fraction:0digits$}")
}

#[cfg(test)]
mod tests;
