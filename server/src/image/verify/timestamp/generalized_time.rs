//! `GeneralizedTime` as timestamp authorities write it: in UTC, to the second or to a part of it.

use std::str::FromStr;

use crate::image::trust::Moment;

/// Reads `YYYYMMDDHHMMSS[.fraction]Z`.
pub(super) fn read(bytes: &[u8]) -> Option<Moment> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = match text.split_once('.') {
        // A fraction has no zero at its end, so an empty or zero one is no DER.
        Some((_, fraction)) if fraction.is_empty() || fraction.ends_with('0') => return None,
        Some((whole, fraction)) => (whole, fraction),
        None => (text, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() != 14 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let (date, time) = whole.split_at_checked(8)?;
    let (year, day) = date.split_at_checked(4)?;
    let (month, day) = day.split_at_checked(2)?;
    let (hour, rest) = time.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    let text = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z");
    let seconds = der::DateTime::from_str(&text)
        .ok()?
        .unix_duration()
        .as_secs();
    Some(Moment {
        seconds,
        fraction: !fraction.is_empty(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_and_parts_are_read_and_nothing_else() {
        assert_eq!(read(b"19700101000010Z"), Some(Moment::at(10)));
        let part = read(b"19700101000010.25Z").unwrap();
        assert_eq!((part.seconds, part.fraction), (10, true));
        for bad in [
            "",
            "19700101000010",
            "19700101000010.Z",
            "19700101000010.50Z",
            "197001010000Z",
            "19701301000010Z",
            "19700101000010+01Z",
        ] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
    }
}
