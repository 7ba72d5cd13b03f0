//! Points in time, read by Go's layouts (`2006-01-02`, `Jan _2 15:04:05 MST`) and printed in RFC 3339.
//!
//! Knows no clock and no time zones but UTC and fixed offsets.

mod layout;
mod parse;

use std::fmt;

use thiserror::Error;

use crate::duration::Duration;
use crate::go_format::quoted_bytes;

/// The layout of RFC 3339.
pub const RFC3339: &str = "2006-01-02T15:04:05Z07:00";

/// A point in time with the offset that it is shown at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time {
    /// Since 1970 in UTC.
    seconds: i64,
    nanoseconds: u32,
    /// East of Greenwich, in seconds.
    offset: i32,
}

/// Date and time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Civil {
    /// Of our era; zero is the year before the first.
    pub year: i64,
    /// From one.
    pub month: u32,
    /// From one.
    pub day: u32,
    /// From zero.
    pub hour: u32,
    /// From zero.
    pub minute: u32,
    /// From zero.
    pub second: u32,
}

/// Why a text is no time of a layout, in Go's words.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimeError {
    /// It does not have the layout's form.
    #[error(
        "parsing time {} as {}: cannot parse {} as {}",
        quoted_bytes(text),
        quoted_bytes(layout),
        quoted_bytes(rest),
        quoted_bytes(element)
    )]
    Mismatch {
        /// The whole text.
        text: String,
        /// The whole layout.
        layout: String,
        /// What was left of the text.
        rest: String,
        /// The part of the layout that it should have been.
        element: String,
    },
    /// It has the form, and says what cannot be.
    #[error("parsing time {}: {reason}", quoted_bytes(text))]
    Invalid {
        /// The whole text.
        text: String,
        /// What is wrong.
        reason: String,
    },
}

const DAY: i64 = 86_400;
/// Seconds from the first of January of the year one to 1970.
const TO_UNIX: i64 = 62_135_596_800;
const NANOSECONDS: i128 = 1_000_000_000;

impl Time {
    /// So long after 1970, in UTC.
    pub const fn from_unix(seconds: i64, nanoseconds: u32) -> Self {
        Self {
            seconds,
            nanoseconds,
            offset: 0,
        }
    }

    /// Reads a text by a layout, as Go's `time.Parse` does.
    pub fn parse(layout: &str, text: &str) -> Result<Self, TimeError> {
        parse::parse(layout, text)
    }

    /// What times are compared by.
    pub const fn instant(&self) -> (i64, u32) {
        (self.seconds, self.nanoseconds)
    }

    /// The same time shown in UTC.
    #[must_use]
    pub const fn to_utc(self) -> Self {
        Self { offset: 0, ..self }
    }

    /// The time later by a duration.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        self.moved(i128::from(duration.0))
    }

    /// How long it is after another time, at most what a duration holds.
    pub fn since(&self, earlier: &Self) -> Duration {
        let difference = self.nanoseconds_since_unix() - earlier.nanoseconds_since_unix();
        let limit = if difference < 0 { i64::MIN } else { i64::MAX };
        Duration(i64::try_from(difference).unwrap_or(limit))
    }

    /// The last multiple of a duration since the year one.
    #[must_use]
    pub fn truncated(self, to: Duration) -> Self {
        if to.0 <= 0 {
            return self;
        }
        let since_zero = self.nanoseconds_since_unix() + i128::from(TO_UNIX) * NANOSECONDS;
        self.moved(-since_zero.rem_euclid(i128::from(to.0)))
    }

    fn nanoseconds_since_unix(&self) -> i128 {
        i128::from(self.seconds) * NANOSECONDS + i128::from(self.nanoseconds)
    }

    fn moved(self, nanoseconds: i128) -> Self {
        let moved = self.nanoseconds_since_unix() + nanoseconds;
        // A duration cannot move a time out of range of 64 bits of seconds, unless it was at the edge.
        let seconds = i64::try_from(moved.div_euclid(NANOSECONDS)).unwrap_or(self.seconds);
        let nanoseconds = u32::try_from(moved.rem_euclid(NANOSECONDS)).unwrap_or(0);
        Self {
            seconds,
            nanoseconds,
            ..self
        }
    }

    /// Date and time of day at its offset.
    pub fn civil(&self) -> Civil {
        let local = self.seconds.saturating_add(i64::from(self.offset));
        let (days, second_of_day) = (local.div_euclid(DAY), local.rem_euclid(DAY));
        let (year, month, day) = date_of(days);
        let part = |value: i64| u32::try_from(value).unwrap_or(0);
        Civil {
            year,
            month,
            day,
            hour: part(second_of_day / 3_600),
            minute: part(second_of_day / 60 % 60),
            second: part(second_of_day % 60),
        }
    }

    /// The day of the week at its offset, from Sunday as zero.
    pub fn weekday(&self) -> i64 {
        let local = self.seconds.saturating_add(i64::from(self.offset));
        // The first of January 1970 was a Thursday.
        (local.div_euclid(DAY) + 4).rem_euclid(7)
    }

    /// The time that a calendar and a clock at an offset show.
    fn from_civil(civil: &Civil, nanoseconds: u32, offset: i32) -> Self {
        let of_day =
            i64::from(civil.hour) * 3_600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        let local = days_to(civil.year, civil.month, civil.day) * DAY + of_day;
        Self {
            seconds: local - i64::from(offset),
            nanoseconds,
            offset,
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Civil {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self.civil();
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )?;
        if self.offset == 0 {
            return formatter.write_str("Z");
        }
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.unsigned_abs() / 60;
        write!(formatter, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
    }
}

/// Days of a proleptic Gregorian year of 400 years.
const DAYS_OF_ERA: i64 = 146_097;
/// From the first of March of the year zero to 1970.
const DAYS_TO_UNIX: i64 = 719_468;

/// Days from 1970 to a date; years are counted from March, so that the leap day is the last.
fn days_to(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_OF_ERA + day_of_era - DAYS_TO_UNIX
}

/// Year, month and day that are so many days after 1970.
fn date_of(days: i64) -> (i64, u32, u32) {
    let days = days + DAYS_TO_UNIX;
    let era = days.div_euclid(DAYS_OF_ERA);
    let day_of_era = days.rem_euclid(DAYS_OF_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (
        year,
        u32::try_from(month).unwrap_or(1),
        u32::try_from(day).unwrap_or(1),
    )
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in(month: u32, year: i64) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests;
