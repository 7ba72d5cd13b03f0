use super::any_version;

#[test]
fn a_version_is_a_tag_or_a_digest_and_no_port() {
    for (image, any) in [
        ("docker.io/nginx:1.2", &["docker.io/nginx*", "nginx*"][..]),
        (
            "docker.io/nginx@sha256:ab",
            &["docker.io/nginx*", "nginx*"][..],
        ),
        (
            "registry:5000/team/app:v1@sha256:ab",
            &["registry:5000/team/app*"],
        ),
        ("registry:5000/team/app", &["registry:5000/team/app*"]),
    ] {
        assert_eq!(any_version(image), any);
    }
}
