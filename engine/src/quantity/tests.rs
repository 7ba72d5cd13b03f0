use super::{Format, Quantity};

fn shown(text: &str) -> String {
    Quantity::parse(text).map_or_else(|| "none".to_owned(), |quantity| quantity.to_string())
}

#[test]
fn prints_canonically() {
    for (text, expected) in [
        ("0", "0"),
        ("100m", "100m"),
        ("1500m", "1500m"),
        ("1.5", "1500m"),
        ("1.5Gi", "1536Mi"),
        ("1024Ki", "1Mi"),
        ("1000Ki", "1000Ki"),
        ("0.5Mi", "512Ki"),
        ("0.5Ki", "512"),
        ("1.0Ki", "1Ki"),
        ("0.1Ki", "102400m"),
        ("1e3", "1e3"),
        ("12e2", "1200"),
        ("1000", "1k"),
        ("1500000", "1500k"),
        ("+5", "5"),
        ("-1.5G", "-1500M"),
        ("0.0000000001", "1n"),
        ("-0.0000000001", "-1n"),
        ("1E", "1E"),
        ("1E3", "1e3"),
        ("1e-3", "1e-3"),
        ("9Ei", "9223372036854775807"),
        ("1e30", "1e30"),
        ("Ki", "0"),
        ("m", "0"),
        ("-", "0"),
        (".", "0"),
        (".5", "500m"),
        ("5.", "5"),
        ("", "none"),
        ("5i", "none"),
        ("5e", "none"),
        ("5ee3", "none"),
        ("1e5i", "none"),
        ("5 ", "none"),
        ("1.2.3", "none"),
        ("1_000", "none"),
        ("0x10", "none"),
        ("5KiB", "none"),
        ("1e1001", "none"),
        ("abc", "none"),
        ("10s", "none"),
    ] {
        assert_eq!(shown(text), expected, "`{text}`");
    }
}

#[test]
fn compares_by_value() {
    let ascending = [
        "-1Ei", "-1", "-1m", "0", "1n", "999m", "1", "1000m1", "1001m", "1k", "1Ki", "1e6", "1Mi",
        "1G", "1Gi", "1e40",
    ];
    let known: Vec<Quantity> = ascending
        .iter()
        .filter_map(|text| Quantity::parse(text))
        .collect();
    assert_eq!(known.len(), ascending.len() - 1);
    for pair in known.windows(2) {
        assert!(pair[0] < pair[1], "{} < {}", pair[0], pair[1]);
    }
    assert_eq!(Quantity::parse("1000m"), Quantity::parse("1"));
    assert_eq!(
        Quantity::parse("1e40"),
        Quantity::parse("10000000000000000000000000000000000000000")
    );
}

#[test]
fn sums_keep_the_left_form() {
    let sum = |left: &str, right: &str| {
        Quantity::parse(left)
            .unwrap()
            .add(&Quantity::parse(right).unwrap())
            .to_string()
    };
    assert_eq!(sum("1Gi", "1G"), "2073741824");
    assert_eq!(sum("1Gi", "1Gi"), "2Gi");
    assert_eq!(sum("0", "1Gi"), "1Gi");
    assert_eq!(sum("100m", "0.9"), "1");
    let difference = Quantity::parse("1")
        .unwrap()
        .subtract(&Quantity::parse("1Ki").unwrap());
    assert_eq!(difference.to_string(), "-1023");
    assert_eq!(difference.format(), Format::DecimalSi);
}

#[test]
fn long_texts_are_bounded() {
    assert_eq!(shown(&"9".repeat(100_000)), "none");
    assert!(Quantity::parse(&"9".repeat(500)).is_some());
    assert!(Quantity::parse(&format!("0.{}", "1".repeat(400))).is_some());
}
