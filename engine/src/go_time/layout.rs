//! The elements of a layout: what in `Mon Jan _2 15:04:05 2006` stands for what.

/// An element of a layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    LongMonth,
    Month,
    NumberMonth,
    ZeroMonth,
    LongWeekday,
    Weekday,
    Day,
    UnderDay,
    ZeroDay,
    UnderYearDay,
    ZeroYearDay,
    Hour,
    Hour12,
    ZeroHour12,
    Minute,
    ZeroMinute,
    Second,
    ZeroSecond,
    LongYear,
    Year,
    UpperPm,
    LowerPm,
    ZoneName,
    /// `Z07:00` and `-07:00` with their variants.
    Offset(OffsetForm),
    /// `.000`: exactly so many digits.
    Fraction(usize),
    /// `.999`: any number of them.
    OptionalFraction,
}

/// How an offset is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OffsetForm {
    /// Whether `Z` stands for none.
    pub(super) letter: bool,
    pub(super) colons: bool,
    pub(super) parts: Parts,
}

/// What an offset consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    Hours,
    Minutes,
    Seconds,
}

/// Texts that stand for an element, longer ones before those that they start with.
const WORDS: &[(&str, Element)] = &[
    ("January", Element::LongMonth),
    ("Monday", Element::LongWeekday),
    ("MST", Element::ZoneName),
    ("01", Element::ZeroMonth),
    ("002", Element::ZeroYearDay),
    ("02", Element::ZeroDay),
    ("03", Element::ZeroHour12),
    ("04", Element::ZeroMinute),
    ("05", Element::ZeroSecond),
    ("06", Element::Year),
    ("15", Element::Hour),
    ("1", Element::NumberMonth),
    ("2006", Element::LongYear),
    ("2", Element::Day),
    ("__2", Element::UnderYearDay),
    ("_2", Element::UnderDay),
    ("3", Element::Hour12),
    ("4", Element::Minute),
    ("5", Element::Second),
    ("PM", Element::UpperPm),
    ("pm", Element::LowerPm),
    (
        "-070000",
        Element::Offset(OffsetForm {
            letter: false,
            colons: false,
            parts: Parts::Seconds,
        }),
    ),
    (
        "-07:00:00",
        Element::Offset(OffsetForm {
            letter: false,
            colons: true,
            parts: Parts::Seconds,
        }),
    ),
    (
        "-0700",
        Element::Offset(OffsetForm {
            letter: false,
            colons: false,
            parts: Parts::Minutes,
        }),
    ),
    (
        "-07:00",
        Element::Offset(OffsetForm {
            letter: false,
            colons: true,
            parts: Parts::Minutes,
        }),
    ),
    (
        "-07",
        Element::Offset(OffsetForm {
            letter: false,
            colons: false,
            parts: Parts::Hours,
        }),
    ),
    (
        "Z070000",
        Element::Offset(OffsetForm {
            letter: true,
            colons: false,
            parts: Parts::Seconds,
        }),
    ),
    (
        "Z07:00:00",
        Element::Offset(OffsetForm {
            letter: true,
            colons: true,
            parts: Parts::Seconds,
        }),
    ),
    (
        "Z0700",
        Element::Offset(OffsetForm {
            letter: true,
            colons: false,
            parts: Parts::Minutes,
        }),
    ),
    (
        "Z07:00",
        Element::Offset(OffsetForm {
            letter: true,
            colons: true,
            parts: Parts::Minutes,
        }),
    ),
    (
        "Z07",
        Element::Offset(OffsetForm {
            letter: true,
            colons: false,
            parts: Parts::Hours,
        }),
    ),
];

/// A layout split at its first element.
pub(super) struct Chunk<'l> {
    /// What stands before the element, for itself.
    pub(super) literal: &'l str,
    /// The element, and as it is written; none at the end.
    pub(super) element: Option<(Element, &'l str)>,
    pub(super) rest: &'l str,
}

/// Splits a layout at its first element.
pub(super) fn split(layout: &str) -> Chunk<'_> {
    for (at, _) in layout.char_indices() {
        let (literal, tail) = layout.split_at_checked(at).unwrap_or((layout, ""));
        if let Some((element, length)) = starts_with_element(tail) {
            let (written, rest) = tail.split_at_checked(length).unwrap_or((tail, ""));
            return Chunk {
                literal,
                element: Some((element, written)),
                rest,
            };
        }
    }
    Chunk {
        literal: layout,
        element: None,
        rest: "",
    }
}

fn starts_with_element(tail: &str) -> Option<(Element, usize)> {
    let next = |length: usize| tail.as_bytes().get(length).copied();
    // A short name is none where a lower-case letter follows, as in `Janet`.
    for (name, element) in [("Jan", Element::Month), ("Mon", Element::Weekday)] {
        let is_long = WORDS
            .iter()
            .any(|(word, _)| word.starts_with(name) && tail.starts_with(word));
        if tail.starts_with(name)
            && !is_long
            && !next(3).is_some_and(|byte| byte.is_ascii_lowercase())
        {
            return Some((element, 3));
        }
    }
    // `_2006` is a blank before a year, and `_2` elsewhere a day.
    if tail.starts_with("_2006") {
        return None;
    }
    if let Some((word, element)) = WORDS.iter().find(|(word, _)| tail.starts_with(word)) {
        return Some((*element, word.len()));
    }
    let point = tail.strip_prefix(['.', ','])?;
    let digit = point
        .chars()
        .next()
        .filter(|digit| matches!(digit, '0' | '9'))?;
    let digits = point.len() - point.trim_start_matches(digit).len();
    // More digits behind it make it a number rather than a fraction.
    if next(1 + digits).is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let element = if digit == '0' {
        Element::Fraction(digits)
    } else {
        Element::OptionalFraction
    };
    Some((element, 1 + digits))
}
