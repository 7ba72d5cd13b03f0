use super::*;

#[test]
fn what_is_small_is_free_and_what_is_large_is_given_back() {
    let of_all = Memory::of(3 << 20);
    let room = |bytes| Room {
        of_all: of_all.clone(),
        own: Memory::of(bytes),
    };
    let (one, other) = (room(2 << 20), room(2 << 20));
    let (mut first, mut second, mut third) = (Taken::default(), Taken::default(), Taken::default());
    for bytes in [1 << 10, 64 << 10, 1 << 20, 2 << 20] {
        assert!(one.grow(&mut first, bytes), "{bytes}");
    }
    assert!(!one.grow(&mut second, 1 << 20), "its own part is taken");
    assert!(one.grow(&mut second, 64 << 10));
    assert!(other.grow(&mut third, 1 << 20), "others have theirs");
    assert!(
        !other.grow(&mut third, 2 << 20),
        "all together have no more"
    );
    drop(first);
    assert!(other.grow(&mut third, 2 << 20));
}
