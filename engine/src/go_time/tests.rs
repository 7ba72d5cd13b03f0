use super::{RFC3339, Time};
use crate::duration::Duration;

fn read(layout: &str, text: &str) -> String {
    match Time::parse(layout, text) {
        Ok(time) => time.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn reads_layouts_as_go_does() {
    for (layout, text, expected) in [
        (
            RFC3339,
            "2021-01-02T15:04:05-07:00",
            "2021-01-02T15:04:05-07:00",
        ),
        (
            RFC3339,
            "2021-01-02T15:04:05.123456789Z",
            "2021-01-02T15:04:05Z",
        ),
        (RFC3339, "2021-01-02T15:04:05+00:00", "2021-01-02T15:04:05Z"),
        (RFC3339, "2020-02-29T00:00:00Z", "2020-02-29T00:00:00Z"),
        ("2006-01-02", "2023-05-06", "2023-05-06T00:00:00Z"),
        (
            "02 Jan 06 15:04 MST",
            "02 Jan 99 15:04 UTC",
            "1999-01-02T15:04:00Z",
        ),
        (
            "Mon, 02 Jan 2006 15:04:05 -0700",
            "Tue, 10 Nov 2009 23:00:00 +0100",
            "2009-11-10T23:00:00+01:00",
        ),
        (
            "Monday, 02-Jan-06 15:04:05 MST",
            "Monday, 02-jan-06 15:04:05 GMT+3",
            "2006-01-02T15:04:05+03:00",
        ),
        ("Jan _2 3:04PM", "Feb  4 12:04AM", "0000-02-04T00:04:00Z"),
        ("2006-002", "2020-366", "2020-12-31T00:00:00Z"),
        ("15:04:05.000", "01:02:03.250", "0000-01-01T01:02:03Z"),
    ] {
        assert_eq!(read(layout, text), expected, "`{text}` as `{layout}`");
    }
}

#[test]
fn refuses_in_the_words_of_go() {
    for (layout, text, expected) in [
        (
            RFC3339,
            "x",
            r#"parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006""#,
        ),
        (
            RFC3339,
            "2021-01-02",
            r#"parsing time "2021-01-02" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T""#,
        ),
        (
            RFC3339,
            "2021-13-02T15:04:05Z",
            r#"parsing time "2021-13-02T15:04:05Z": month out of range"#,
        ),
        (
            RFC3339,
            "2021-02-29T15:04:05Z",
            r#"parsing time "2021-02-29T15:04:05Z": day out of range"#,
        ),
        ("2006", "2021x", r#"parsing time "2021x": extra text: "x""#),
        (
            "2006-01-02",
            "é",
            r#"parsing time "\xc3\xa9" as "2006-01-02": cannot parse "\xc3\xa9" as "2006""#,
        ),
    ] {
        assert_eq!(read(layout, text), expected, "`{text}` as `{layout}`");
    }
}

#[test]
fn calculates() {
    let time = Time::parse(RFC3339, "2021-01-02T15:04:05-07:00").unwrap();
    assert_eq!(
        time.plus(Duration::parse("3h").unwrap()).to_string(),
        "2021-01-02T18:04:05-07:00"
    );
    assert_eq!(time.to_utc().to_string(), "2021-01-02T22:04:05Z");
    assert_eq!(time.weekday(), 6);
    assert_eq!(
        time.truncated(Duration::parse("1h").unwrap()).to_string(),
        "2021-01-02T15:00:00-07:00"
    );
    assert_eq!(
        time.since(&Time::from_unix(0, 0)).to_string(),
        "447118h4m5s"
    );
    let far = Time::parse("2006", "9999").unwrap();
    assert_eq!(far.since(&Time::parse("2006", "0001").unwrap()).0, i64::MAX);
}

#[test]
fn every_day_of_four_centuries_is_itself() {
    let mut expected = Time::parse(RFC3339, "1899-12-31T23:59:59Z")
        .unwrap()
        .civil();
    for day in 0..146_097_i64 {
        let time = Time::from_unix(-2_208_988_800 + day * 86_400, 0);
        let civil = time.civil();
        let next_in_month = (civil.month, civil.day) == (expected.month, expected.day + 1);
        let first_of_month = civil.day == 1 && civil.month == expected.month % 12 + 1;
        assert!(next_in_month || first_of_month, "{time}");
        assert_eq!(Time::parse(RFC3339, &time.to_string()), Ok(time));
        expected = civil;
    }
}
