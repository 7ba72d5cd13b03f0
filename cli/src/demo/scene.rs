//! What the demonstration asks, and what it expects to be told.
//!
//! Knows nothing of how it is asked.

/// One thing that is asked, twice: first of an empty cache, then again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scene {
    /// What happened before.
    pub before: Before,
    /// In a few words.
    pub title: &'static str,
    /// What is created.
    pub kind: Kind,
    /// Where.
    pub namespace: &'static str,
    /// With which image; `@CASE` at its end becomes the digest of a case.
    pub image: &'static str,
    /// What must be answered.
    pub expected: Expected,
}

/// What is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A pod.
    Pod,
    /// A deployment, for whose pods the rule is generated.
    Deployment,
}

/// What happens before a scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Nothing.
    Nothing,
    /// Somebody moves the tag `moving:v1` to another image.
    TagMoves,
    /// The registry goes away.
    RegistryGoes,
}

/// What must be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Admitted, with the image at the digest of a case.
    AdmittedAt {
        /// The case.
        case: &'static str,
    },
    /// Admitted as it is.
    Untouched,
    /// Refused, in words that say all of these.
    Refused {
        /// What the message must contain.
        says: &'static [&'static str],
    },
}

/// The story, in order.
pub const SCENES: [Scene; 12] = [
    Scene {
        before: Before::Nothing,
        title: "signed, and built by the right builder",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/app:v1",
        expected: Expected::AdmittedAt { case: "app" },
    },
    Scene {
        before: Before::Nothing,
        title: "the same image in a Deployment",
        kind: Kind::Deployment,
        namespace: "staging",
        image: "ghcr.io/your-org/app:v1",
        expected: Expected::AdmittedAt { case: "app" },
    },
    Scene {
        before: Before::Nothing,
        title: "a namespace that the policy is not about",
        kind: Kind::Pod,
        namespace: "playground",
        image: "ghcr.io/your-org/unsigned:v1",
        expected: Expected::Untouched,
    },
    Scene {
        before: Before::Nothing,
        title: "unsigned",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/unsigned:v1",
        expected: Expected::Refused {
            says: &["ghcr.io/your-org/unsigned:v1"],
        },
    },
    Scene {
        before: Before::Nothing,
        title: "signed by another identity",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/foreign-signature:v1",
        expected: Expected::Refused {
            says: &["https://github.com/your-org/*"],
        },
    },
    Scene {
        before: Before::Nothing,
        title: "provenance of another builder",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/other-builder:v1",
        expected: Expected::Refused {
            says: &["generator_container_slsa3.yml@refs/tags/v2.0.0"],
        },
    },
    Scene {
        before: Before::Nothing,
        title: "provenance written by hand",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/handwritten:v1",
        expected: Expected::Refused {
            says: &["ghcr.io/your-org/handwritten:v1"],
        },
    },
    Scene {
        before: Before::Nothing,
        title: "a tag, before it moves",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/moving:v1",
        expected: Expected::AdmittedAt { case: "moving" },
    },
    Scene {
        before: Before::TagMoves,
        title: "the same tag, moved to another image",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/moving:v1",
        expected: Expected::Refused {
            says: &["ghcr.io/your-org/moving:v1"],
        },
    },
    Scene {
        before: Before::RegistryGoes,
        title: "no registry, a digest that was verified before",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/app@app",
        expected: Expected::AdmittedAt { case: "app" },
    },
    Scene {
        before: Before::Nothing,
        title: "no registry, a tag that was resolved before",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/app:v1",
        expected: Expected::AdmittedAt { case: "app" },
    },
    Scene {
        before: Before::Nothing,
        title: "no registry, an image that nobody asked for before",
        kind: Kind::Pod,
        namespace: "production",
        image: "ghcr.io/your-org/other:v1",
        expected: Expected::Refused {
            says: &["ghcr.io/your-org/other:v1"],
        },
    },
];
