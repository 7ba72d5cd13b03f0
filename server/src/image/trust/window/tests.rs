use super::*;

#[test]
fn both_ends_belong_to_a_window_and_fractions_count() {
    let window = Window {
        start: Some(10),
        end: Some(20),
    };
    let part = |seconds| Moment {
        seconds,
        fraction: true,
    };
    let inside = |moment| window.contains(moment);
    assert!(!inside(Moment::at(9)) && !inside(part(9)));
    assert!(inside(Moment::at(10)) && inside(Moment::at(20)) && inside(part(19)));
    assert!(!inside(part(20)) && !inside(Moment::at(21)));
}

#[test]
fn an_open_end_is_open_and_an_intersection_is_the_narrower() {
    let open = Window::default();
    assert!(open.contains(Moment::at(0)) && open.contains(Moment::at(u64::MAX)));
    let narrow = Window {
        start: Some(5),
        end: Some(9),
    };
    let late = Window {
        start: Some(7),
        end: None,
    };
    let both = narrow.intersection(late);
    assert_eq!((both.start, both.end), (Some(7), Some(9)));
}

#[test]
fn times_are_read_as_trust_roots_write_them() {
    assert_eq!(rfc3339("1970-01-01T00:00:10Z"), Some(10));
    assert_eq!(rfc3339("2022-10-31T23:59:59.999000Z"), Some(1_667_260_799));
    for bad in [
        "",
        "2022-10-31",
        "2022-10-31T23:59:59",
        "2022-10-31T23:59:59.Z",
        "2022-13-31T23:59:59Z",
    ] {
        assert_eq!(rfc3339(bad), None, "{bad}");
    }
}
