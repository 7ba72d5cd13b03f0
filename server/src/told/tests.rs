use std::sync::Arc;

use regent_engine::evaluation::need::Fact;
use regent_engine::image::evidence::{Format, RefusedEvidence, Resolution};
use regent_engine::image::{Digest, Evidence, ImageReference, Projected};
use serde_json::Value;

use crate::image::verify::verified_image;

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

/// An image with evidence that takes some more than so many bytes.
fn image(bytes: usize) -> Fact {
    let digest = Digest::from_sha256([7; 32]);
    let one = RefusedEvidence {
        carrier: String::new(),
        format: Format::Bundle,
        claims: String::new(),
        claimed_signer: String::new(),
        reason: String::new(),
    };
    let evidence = Evidence {
        digest: digest.clone(),
        trust_root: String::new(),
        signatures: Vec::new(),
        statements: Vec::new(),
        refused: vec![one; bytes / (8 << 10) + 1],
        has_unread: false,
        fetched_at: 0,
        projected: Projected::default(),
    };
    let reference = ImageReference::parse(&format!("a.example/b@{digest}")).unwrap();
    let image = verified_image(reference, Arc::new(evidence), Resolution::Reference);
    Fact::Image(Ok(image.unwrap()))
}

#[test]
fn evidence_that_several_requests_have_takes_its_room_once() {
    let room = Room::new();
    let size = OF_ONE * 3 / 8;
    let same = image(size);
    let requests: Vec<_> = (0..20).map(|_| room.told()).collect();
    assert!(
        requests
            .iter()
            .all(|told| told.take(&same) && told.take(&same))
    );
    let others: Vec<Fact> = (0..OF_ALL / size).map(|_| image(size)).collect();
    let told: Vec<bool> = others.iter().map(|one| room.told().take(one)).collect();
    assert!(told.iter().all(|told| *told), "each is given back at once");
    let told: Vec<_> = others.iter().map(|_| room.told()).collect();
    let taken = told
        .iter()
        .zip(&others)
        .filter(|(told, one)| told.take(one));
    assert_eq!(taken.count(), OF_ALL / size - 1);
    drop((requests, told));
    // One request has no more than its part.
    let told = room.told();
    let taken = others.iter().filter(|one| told.take(one));
    assert_eq!(taken.count(), 2);
}
