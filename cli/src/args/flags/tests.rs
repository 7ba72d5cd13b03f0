use std::ffi::OsString;

use super::without_values;

fn kept(arguments: &str) -> String {
    let all = arguments.split(' ').map(OsString::from);
    let kept: Vec<_> = without_values(all)
        .into_iter()
        .map(|argument| argument.into_string().unwrap())
        .collect();
    kept.join(" ")
}

#[test]
fn truth_values_of_flags_are_understood() {
    for (written, wanted) in [
        (
            "regent apply p --table=true --registry=false --remove-color=T",
            "regent apply p --table --remove-color",
        ),
        (
            "regent jp query --compact=true a",
            "regent jp query --compact a",
        ),
        // What takes a value keeps it, and what is no flag of the command is clap's to refuse.
        (
            "regent apply --set=true --table=maybe --strict=true",
            "regent apply --set=true --table=maybe --strict=true",
        ),
        (
            "regent test -- --strict=true",
            "regent test -- --strict=true",
        ),
        ("regent test --strict", "regent test --strict"),
    ] {
        assert_eq!(kept(written), wanted);
    }
}
