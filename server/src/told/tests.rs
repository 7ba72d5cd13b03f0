use regent_engine::evaluation::need::Fact;
use serde_json::Value;

use super::{FREE, OF_ALL, OF_ONE, Room};

/// Data that takes some more than so many bytes.
fn data(bytes: usize) -> Fact {
    Fact::Data(Ok(Value::from("x".repeat(bytes))))
}

#[test]
fn one_request_is_told_no_more_than_its_part() {
    let room = Room::new();
    let told = room.told();
    let quarter = data(OF_ONE / 4);
    assert!(told.take(&quarter) && told.take(&quarter) && told.take(&quarter));
    assert!(!told.take(&quarter));
    // What is small has its place still, and another request has a part of its own.
    assert!(told.take(&data(1)));
    assert!(room.told().take(&quarter));
}

#[test]
fn all_requests_share_the_room_and_give_it_back() {
    let room = Room::new();
    let large = data(OF_ONE / 2 + FREE);
    let first: Vec<_> = (0..OF_ALL / OF_ONE * 2)
        .map(|_| room.told())
        .filter(|told| told.take(&large))
        .collect();
    assert_eq!(first.len(), 3);
    let next = room.told();
    assert!(!next.take(&large));
    // The beginning is free.
    assert!(next.take(&data(FREE / 2)));
    drop(first);
    assert!(next.take(&large));
}
