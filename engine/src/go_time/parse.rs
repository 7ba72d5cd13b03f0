//! Text → time, element by element of a layout.

use super::layout::{self, Chunk, Element, OffsetForm, Parts};
use super::{Civil, Time, TimeError, date_of, days_in, days_to};
use crate::go_format::quoted_bytes;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// What has been read so far.
#[derive(Default)]
struct Read {
    year: i64,
    month: Option<u32>,
    day: Option<u32>,
    year_day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    nanoseconds: u32,
    half: Option<Half>,
    offset: Option<i32>,
    zone: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Am,
    Pm,
}

/// Why an element could not be read.
enum Wrong {
    /// Not of its form.
    Form,
    /// The named part is not within its range.
    Range(&'static str),
}

pub(super) fn parse(layout: &str, text: &str) -> Result<Time, TimeError> {
    let mut read = Read::default();
    let (mut left, mut value) = (layout, text);
    loop {
        let Chunk {
            literal,
            element,
            rest,
        } = layout::split(left);
        let mismatch = |value: &str, element: &str| TimeError::Mismatch {
            text: text.to_owned(),
            layout: layout.to_owned(),
            rest: value.to_owned(),
            element: element.to_owned(),
        };
        value = skip(value, literal).map_err(|rest| mismatch(rest, literal))?;
        let Some((element, written)) = element else {
            if value.is_empty() {
                break;
            }
            return Err(invalid(
                text,
                format!("extra text: {}", quoted_bytes(value)),
            ));
        };
        let before = value;
        value = match read.element(element, value, rest) {
            Ok(value) => value,
            Err(Wrong::Form) => return Err(mismatch(before, written)),
            Err(Wrong::Range(part)) => return Err(invalid(text, format!("{part} out of range"))),
        };
        left = rest;
    }
    read.finish(text)
}

fn invalid(text: &str, reason: String) -> TimeError {
    TimeError::Invalid {
        text: text.to_owned(),
        reason,
    }
}

/// What follows a literal, in which a blank stands for any number of them.
fn skip<'v>(mut value: &'v str, mut literal: &str) -> Result<&'v str, &'v str> {
    while let Some(wanted) = literal.chars().next() {
        if wanted == ' ' {
            if !value.is_empty() && !value.starts_with(' ') {
                return Err(value);
            }
            literal = literal.trim_start_matches(' ');
            value = value.trim_start_matches(' ');
            continue;
        }
        value = value.strip_prefix(wanted).ok_or(value)?;
        literal = literal.strip_prefix(wanted).unwrap_or("");
    }
    Ok(value)
}

impl Read {
    /// Reads one element and returns what follows it.
    fn element<'v>(
        &mut self,
        element: Element,
        value: &'v str,
        rest_of_layout: &str,
    ) -> Result<&'v str, Wrong> {
        match element {
            Element::LongYear | Element::Year => self.year(element, value),
            Element::LongMonth | Element::Month | Element::NumberMonth | Element::ZeroMonth => {
                self.month(element, value)
            }
            Element::LongWeekday => named(value, &WEEKDAYS, usize::MAX).map(|(_, rest)| rest),
            Element::Weekday => named(value, &WEEKDAYS, 3).map(|(_, rest)| rest),
            Element::Day | Element::UnderDay | Element::ZeroDay => {
                let value = if element == Element::UnderDay {
                    value.strip_prefix(' ').unwrap_or(value)
                } else {
                    value
                };
                let (day, rest) = number(value, element == Element::ZeroDay)?;
                self.day = Some(day);
                Ok(rest)
            }
            Element::UnderYearDay | Element::ZeroYearDay => self.year_day(element, value),
            Element::Hour | Element::Hour12 | Element::ZeroHour12 => {
                let (hour, rest) = number(value, element == Element::ZeroHour12)?;
                let highest = if element == Element::Hour { 23 } else { 12 };
                self.hour = within(hour, highest, "hour")?;
                Ok(rest)
            }
            Element::Minute | Element::ZeroMinute => {
                let (minute, rest) = number(value, element == Element::ZeroMinute)?;
                self.minute = within(minute, 59, "minute")?;
                Ok(rest)
            }
            Element::Second | Element::ZeroSecond => {
                let (second, rest) = number(value, element == Element::ZeroSecond)?;
                self.second = within(second, 59, "second")?;
                self.unasked_fraction(rest, rest_of_layout)
            }
            Element::UpperPm => self.half(value, "AM", "PM"),
            Element::LowerPm => self.half(value, "am", "pm"),
            Element::Offset(form) => self.offset(form, value),
            Element::ZoneName => self.zone_name(value),
            Element::Fraction(digits) => {
                let (fraction, rest) = value.split_at_checked(digits + 1).ok_or(Wrong::Form)?;
                self.nanoseconds = fraction_of(fraction)?;
                Ok(rest)
            }
            Element::OptionalFraction => {
                let digits = leading_fraction(value);
                if digits == 0 {
                    return Ok(value);
                }
                let (fraction, rest) = value.split_at_checked(digits + 1).ok_or(Wrong::Form)?;
                self.nanoseconds = fraction_of(fraction)?;
                Ok(rest)
            }
        }
    }

    fn year<'v>(&mut self, element: Element, value: &'v str) -> Result<&'v str, Wrong> {
        let length = if element == Element::Year { 2 } else { 4 };
        let (digits, rest) = value.split_at_checked(length).ok_or(Wrong::Form)?;
        let year: i64 = unsigned(digits)?;
        self.year = match element {
            Element::Year if year >= 69 => year + 1_900,
            Element::Year => year + 2_000,
            _ => year,
        };
        Ok(rest)
    }

    fn month<'v>(&mut self, element: Element, value: &'v str) -> Result<&'v str, Wrong> {
        let (month, rest) = match element {
            Element::LongMonth => named(value, &MONTHS, usize::MAX)?,
            Element::Month => named(value, &MONTHS, 3)?,
            _ => {
                let (month, rest) = number(value, element == Element::ZeroMonth)?;
                if month == 0 {
                    return Err(Wrong::Range("month"));
                }
                (within(month, 12, "month")?, rest)
            }
        };
        self.month = Some(month);
        Ok(rest)
    }

    fn year_day<'v>(&mut self, element: Element, value: &'v str) -> Result<&'v str, Wrong> {
        let blanks = value
            .bytes()
            .take(2)
            .take_while(|byte| *byte == b' ')
            .count();
        let blanks = if element == Element::UnderYearDay {
            blanks
        } else {
            0
        };
        let (digits, rest) = value.split_at_checked(3).ok_or(Wrong::Form)?;
        self.year_day = Some(unsigned(digits.get(blanks..).unwrap_or(""))?);
        Ok(rest)
    }

    fn half<'v>(&mut self, value: &'v str, am: &str, pm: &str) -> Result<&'v str, Wrong> {
        let (half, rest) = match (value.strip_prefix(am), value.strip_prefix(pm)) {
            (Some(rest), _) => (Half::Am, rest),
            (_, Some(rest)) => (Half::Pm, rest),
            _ => return Err(Wrong::Form),
        };
        self.half = Some(half);
        Ok(rest)
    }

    /// A fraction behind the seconds that the layout says nothing of.
    fn unasked_fraction<'v>(
        &mut self,
        value: &'v str,
        rest_of_layout: &str,
    ) -> Result<&'v str, Wrong> {
        let digits = leading_fraction(value);
        let is_asked = matches!(
            layout::split(rest_of_layout),
            Chunk {
                literal: "",
                element: Some((Element::Fraction(_) | Element::OptionalFraction, _)),
                ..
            }
        );
        if digits == 0 || is_asked {
            return Ok(value);
        }
        let (fraction, rest) = value.split_at_checked(digits + 1).ok_or(Wrong::Form)?;
        self.nanoseconds = fraction_of(fraction)?;
        Ok(rest)
    }

    fn offset<'v>(&mut self, form: OffsetForm, value: &'v str) -> Result<&'v str, Wrong> {
        if form.letter
            && let Some(rest) = value.strip_prefix('Z')
        {
            self.offset = Some(0);
            return Ok(rest);
        }
        let negative = value.starts_with('-');
        let mut rest = value.strip_prefix(['-', '+']).ok_or(Wrong::Form)?;
        let parts = match form.parts {
            Parts::Hours => 1,
            Parts::Minutes => 2,
            Parts::Seconds => 3,
        };
        let mut read = [0_i32; 3];
        for (index, part) in read.iter_mut().take(parts).enumerate() {
            if index > 0 && form.colons {
                rest = rest.strip_prefix(':').ok_or(Wrong::Form)?;
            }
            let (digits, after) = rest.split_at_checked(2).ok_or(Wrong::Form)?;
            *part = unsigned(digits)?;
            rest = after;
        }
        let [hours, minutes, seconds] = read;
        for (part, highest, name) in [
            (hours, 24, "time zone offset hour"),
            (minutes, 60, "time zone offset minute"),
            (seconds, 60, "time zone offset second"),
        ] {
            if part > highest {
                return Err(Wrong::Range(name));
            }
        }
        let offset = hours * 3_600 + minutes * 60 + seconds;
        self.offset = Some(if negative { -offset } else { offset });
        Ok(rest)
    }

    /// An abbreviation; without a table of zones only UTC and `GMT+3` say an offset.
    fn zone_name<'v>(&mut self, value: &'v str) -> Result<&'v str, Wrong> {
        if let Some(rest) = value.strip_prefix("UTC") {
            self.offset = Some(0);
            return Ok(rest);
        }
        let length = zone_length(value).ok_or(Wrong::Form)?;
        let (name, rest) = value.split_at_checked(length).ok_or(Wrong::Form)?;
        name.clone_into(&mut self.zone);
        Ok(rest)
    }

    fn finish(self, text: &str) -> Result<Time, TimeError> {
        let hour = match self.half {
            Some(Half::Pm) if self.hour < 12 => self.hour + 12,
            Some(Half::Am) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let (month, day) = self
            .date()
            .map_err(|reason| invalid(text, reason.to_owned()))?;
        let offset = self.offset.unwrap_or_else(|| {
            let hours: i32 = self
                .zone
                .strip_prefix("GMT")
                .and_then(|hours| hours.parse().ok())
                .unwrap_or(0);
            hours * 3_600
        });
        let civil = Civil {
            year: self.year,
            month,
            day,
            hour,
            minute: self.minute,
            second: self.second,
        };
        Ok(Time::from_civil(&civil, self.nanoseconds, offset))
    }

    fn date(&self) -> Result<(u32, u32), &'static str> {
        let Some(year_day) = self.year_day else {
            let (month, day) = (self.month.unwrap_or(1), self.day.unwrap_or(1));
            if day < 1 || day > days_in(month, self.year) {
                return Err("day out of range");
            }
            return Ok((month, day));
        };
        let days = if days_in(2, self.year) == 29 {
            366
        } else {
            365
        };
        if year_day < 1 || year_day > days {
            return Err("day-of-year out of range");
        }
        let (_, month, day) = date_of(days_to(self.year, 1, 1) + i64::from(year_day) - 1);
        if self.month.is_some_and(|read| read != month) {
            return Err("day-of-year does not match month");
        }
        if self.day.is_some_and(|read| read != day) {
            return Err("day-of-year does not match day");
        }
        Ok((month, day))
    }
}

fn within(value: u32, highest: u32, part: &'static str) -> Result<u32, Wrong> {
    if value <= highest {
        Ok(value)
    } else {
        Err(Wrong::Range(part))
    }
}

/// Digits and nothing else.
fn unsigned<T: std::str::FromStr>(digits: &str) -> Result<T, Wrong> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Form);
    }
    digits.parse().ok().ok_or(Wrong::Form)
}

/// One or two digits; exactly two where they are fixed.
fn number(value: &str, fixed: bool) -> Result<(u32, &str), Wrong> {
    let digits = value.bytes().take(2).take_while(u8::is_ascii_digit).count();
    if digits == 0 || (fixed && digits == 1) {
        return Err(Wrong::Form);
    }
    let (digits, rest) = value.split_at_checked(digits).ok_or(Wrong::Form)?;
    Ok((unsigned(digits)?, rest))
}

/// The number of the name that a text starts with, in any case, each name cut to a length.
fn named<'v>(value: &'v str, names: &[&str], length: usize) -> Result<(u32, &'v str), Wrong> {
    for (number, name) in (1..).zip(names) {
        let name = name.get(..length.min(name.len())).unwrap_or(name);
        if let Some((start, rest)) = value.split_at_checked(name.len())
            && start.eq_ignore_ascii_case(name)
        {
            return Ok((number, rest));
        }
    }
    Err(Wrong::Form)
}

/// How many digits follow a point or comma at the start.
fn leading_fraction(value: &str) -> usize {
    let digits = value.strip_prefix(['.', ',']).unwrap_or("");
    digits.bytes().take_while(u8::is_ascii_digit).count()
}

/// Nanoseconds of a fraction with its point.
fn fraction_of(fraction: &str) -> Result<u32, Wrong> {
    let digits = fraction.strip_prefix(['.', ',']).ok_or(Wrong::Form)?;
    let kept = digits.get(..digits.len().min(9)).ok_or(Wrong::Form)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Wrong::Form);
    }
    let value: u32 = unsigned(kept)?;
    let missing = u32::try_from(9 - kept.len()).unwrap_or(0);
    Ok(value * 10_u32.pow(missing))
}

/// How long the zone's name is that a text starts with: letters, `GMT-3`, or an offset such as `+03`.
fn zone_length(value: &str) -> Option<usize> {
    if value.starts_with("ChST") || value.starts_with("MeST") {
        return Some(4);
    }
    if let Some(rest) = value.strip_prefix("GMT") {
        return Some(3 + signed_hours(rest).unwrap_or(0));
    }
    if value.starts_with(['+', '-']) {
        return signed_hours(value);
    }
    match value
        .bytes()
        .take(6)
        .take_while(u8::is_ascii_uppercase)
        .count()
    {
        3 => Some(3),
        4 if value.as_bytes().get(3) == Some(&b'T') || value.starts_with("WITA") => Some(4),
        5 if value.as_bytes().get(4) == Some(&b'T') => Some(5),
        _ => None,
    }
}

/// How long a sign and hours below 24 are.
fn signed_hours(value: &str) -> Option<usize> {
    let digits = value.strip_prefix(['+', '-'])?;
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let hours: u32 = digits.get(..length)?.parse().ok()?;
    (hours < 24).then_some(length + 1)
}
