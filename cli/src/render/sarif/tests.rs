use super::uri;

#[test]
fn paths_are_references() {
    assert_eq!(uri("./a b/c.yaml"), "a%20b/c.yaml");
    assert_eq!(uri("/tmp/ü.yaml"), "file:///tmp/%C3%BC.yaml");
    assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
}
