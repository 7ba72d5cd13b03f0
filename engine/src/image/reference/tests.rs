use super::{Digest, ImageReference, ReferenceError, with_digest};

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn forms(text: &str) -> (String, String) {
    let reference = ImageReference::parse(text).expect(text);
    (reference.kyverno_form(), reference.containerd_form())
}

#[test]
fn kyverno_fills_in_registry_and_tag_and_containerd_also_library() {
    assert_eq!(
        forms("nginx"),
        (
            "docker.io/nginx:latest".to_owned(),
            "docker.io/library/nginx:latest".to_owned()
        )
    );
    assert_eq!(
        forms("your-org/app:1.2"),
        (
            "docker.io/your-org/app:1.2".to_owned(),
            "docker.io/your-org/app:1.2".to_owned()
        )
    );
}

#[test]
fn letter_case_and_port_of_the_host_do_not_hide_an_image() {
    let (kyverno, containerd) = forms("GHCR.io:443/your-org/app:v1");
    assert_eq!(kyverno, "GHCR.io:443/your-org/app:v1");
    assert_eq!(containerd, "ghcr.io/your-org/app:v1");
    assert_eq!(
        forms("registry-1.docker.io/nginx").1,
        "docker.io/library/nginx:latest"
    );
    assert_eq!(forms("localhost:5000/a").1, "localhost:5000/a:latest");
}

#[test]
fn a_digest_replaces_the_tag_but_a_pattern_for_the_tag_still_finds_it() {
    let reference = ImageReference::parse(&format!("ghcr.io/o/app:v1@{DIGEST}")).expect("parses");
    assert_eq!(reference.kyverno_form(), format!("ghcr.io/o/app@{DIGEST}"));
    assert_eq!(
        reference.forms(),
        [
            format!("ghcr.io/o/app@{DIGEST}"),
            "ghcr.io/o/app:v1".to_owned()
        ]
    );
    assert_eq!(reference.to_string(), format!("ghcr.io/o/app:v1@{DIGEST}"));
}

#[test]
fn what_is_no_reference_is_refused_by_part() {
    let refused = |text: &str| ImageReference::parse(text).expect_err(text);
    assert_eq!(refused(""), ReferenceError::Length);
    assert_eq!(refused(&"a".repeat(513)), ReferenceError::Length);
    assert_eq!(refused("ghcr.io/Org/app"), ReferenceError::Repository);
    assert_eq!(refused("a//b"), ReferenceError::Repository);
    assert_eq!(refused("a/b..c"), ReferenceError::Repository);
    assert_eq!(refused("a/b/"), ReferenceError::Repository);
    assert_eq!(refused("a b"), ReferenceError::Repository);
    assert_eq!(refused("a:"), ReferenceError::Tag);
    assert_eq!(refused("a:.b"), ReferenceError::Tag);
    // Whoever resolves `:0443` asks port 443, so that it would be another spelling of the host.
    for port in ["99999", "0", "0443", "00443", "+443", "443 ", "٤٤٣", ""] {
        let text = format!("ghcr.io:{port}/a");
        assert_eq!(refused(&text), ReferenceError::Registry, "{text}");
    }
    assert_eq!(refused("-a.b/c"), ReferenceError::Registry);
    assert_eq!(refused("a@sha256:00"), ReferenceError::Digest);
    assert_eq!(refused("a@sha512:00"), ReferenceError::Digest);
    assert_eq!(
        refused(&format!("a@{DIGEST}@{DIGEST}")),
        ReferenceError::Digest
    );
}

#[test]
fn the_digest_is_put_behind_the_text_as_written() {
    let digest = Digest::parse(DIGEST).expect("a digest");
    assert_eq!(with_digest("nginx:1", &digest), format!("nginx:1@{DIGEST}"));
    assert_eq!(
        with_digest(&format!("nginx@{DIGEST}"), &digest),
        format!("nginx@{DIGEST}")
    );
}

/// A small generator, so that the property needs no dependency and every run tries the same texts.
struct Lcg(u64);

impl Lcg {
    fn next(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }
}

#[test]
fn what_parses_prints_and_parses_to_the_same() {
    let pieces = [
        "a",
        "b0",
        "-",
        "--",
        "_",
        "__",
        ".",
        "/",
        ":",
        "5000",
        "localhost",
        "ghcr.io",
        "GHCR.io",
        "v1",
        "@",
        DIGEST,
        "[::1]",
        "A",
        "é",
        " ",
    ];
    let mut random = Lcg(7);
    let mut parsed = 0;
    for _ in 0..200_000 {
        let text: String = (0..=random.next(7))
            .map(|_| pieces[random.next(pieces.len())])
            .collect();
        let Ok(reference) = ImageReference::parse(&text) else {
            continue;
        };
        parsed += 1;
        let again = ImageReference::parse(&reference.to_string()).expect("prints a reference");
        assert_eq!(again, reference, "{text}");
        for form in reference.forms() {
            let form = ImageReference::parse(&form).expect("a form is a reference");
            assert_eq!(
                form.containerd_repository(),
                reference.containerd_repository(),
                "{text}"
            );
        }
        let containerd = ImageReference::parse(&reference.containerd_form()).expect("a reference");
        assert_eq!(
            containerd.containerd_form(),
            reference.containerd_form(),
            "{text}"
        );
    }
    assert!(parsed > 1_000, "only {parsed} texts were references");
}

/// The last part of what `distribution/reference` and `go-digest` say, but for the last.
#[test]
fn refusals_are_in_the_distribution_s_words() {
    let hex = "0123456789abcdef".repeat(4);
    for (text, reason) in [
        ("a/B:x".to_owned(), "repository name must be lowercase"),
        (
            format!("NGINX@sha256:{hex}"),
            "repository name must be lowercase",
        ),
        ("a//b".to_owned(), "invalid reference format"),
        ("a@".to_owned(), "invalid reference format"),
        ("a@sha256:0123".to_owned(), "invalid reference format"),
        (format!("a@sha256:{hex}0"), "invalid checksum digest length"),
        (
            format!("a:x@sha512:{hex}"),
            "invalid checksum digest length",
        ),
        (
            format!("a@sha256:{}", hex.to_uppercase()),
            "invalid checksum digest format",
        ),
        (format!("a@md5:{hex}"), "unsupported digest algorithm"),
        (
            format!("a@sha256+b64:{hex}"),
            "unsupported digest algorithm",
        ),
        (
            format!("a@sha512:{hex}{hex}"),
            "only digests of SHA-256 are read",
        ),
    ] {
        let said = super::refusal(&text);
        assert!(said.ends_with(&format!(": {reason}")), "{text}: {said}");
    }
}
