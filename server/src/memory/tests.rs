use super::*;

#[test]
fn what_is_held_is_given_back() {
    let memory = Memory::of(4 << 10);
    let first = memory.take(3 << 10).unwrap();
    assert!(memory.take(2 << 10).is_none());
    let mut second = memory.take(1).unwrap();
    assert_eq!(memory.left(), 0);
    assert!(memory.grow(&mut second, 1 << 10), "it holds as much");
    assert!(!memory.grow(&mut second, (1 << 10) + 1));
    drop(first);
    assert!(memory.grow(&mut second, 4 << 10));
    drop(second);
    assert_eq!(memory.left(), 4 << 10);
    assert!(memory.take(usize::MAX).is_none());
}

#[tokio::test]
async fn whoever_wants_more_than_there_is_waits_for_all() {
    let memory = Memory::of(4 << 10);
    let first = memory.take(1).unwrap();
    let mut all = Box::pin(memory.wait_for(1 << 30));
    assert!(futures_util::poll!(&mut all).is_pending());
    drop(first);
    assert!(all.await.is_some());
    assert_eq!(memory.left(), 4 << 10);
}

#[tokio::test]
async fn whoever_waits_for_more_gets_what_others_give_back() {
    let memory = Memory::of(4 << 10);
    let first = memory.take(3 << 10).unwrap();
    let mut second = memory.take(1 << 10).unwrap();
    {
        let mut more = Box::pin(memory.wait_to_grow(&mut second, 2 << 10));
        assert!(futures_util::poll!(&mut more).is_pending());
        drop(first);
        assert!(more.await);
    }
    assert_eq!(memory.left(), 2 << 10);
    drop(second);
    assert_eq!(memory.left(), 4 << 10);
}
