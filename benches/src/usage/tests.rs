use std::time::Duration;

use super::{cpu, kibibytes, read};

#[test]
fn a_name_with_parentheses_moves_no_field() {
    let stat = "42 (a) b) S 1 42 42 0 -1 4194560 1 2 3 4 150 25 0 0 20 0 5 0 100 1 2";
    assert_eq!(cpu(stat), Some(Duration::from_millis(1750)));
}

#[test]
fn memory_is_found_by_name() {
    let status = "Name:\tx\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n";
    assert_eq!(kibibytes(status, "VmRSS:"), Some(1024));
    assert_eq!(kibibytes(status, "RssAnon:"), None);
}

#[test]
fn this_process_uses_memory() {
    let usage = read(std::process::id()).unwrap();
    assert!(usage.resident > 100 && usage.peak >= usage.resident / 2);
}
