//! `resourceUri` of a verification summary: the image that it is about, by its name.
//!
//! SLSA leaves the form open, and asks whoever relies on a summary to compare it with the name that he expects.

use super::super::{Digest, ImageReference};

/// An image's name, as far as a URI says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Registry and path as containerd resolves them.
    pub repository: String,
    /// Tag, where written.
    pub tag: Option<String>,
    /// Digest, where written.
    pub digest: Option<Digest>,
}

impl Resource {
    /// Reads `oci://`, `docker://` and `https://` before a reference, a reference alone, and the package URL `pkg:oci/`;
    /// nothing where it is none of these.
    pub fn read(uri: &str) -> Option<Self> {
        if let Some(package) = uri.strip_prefix("pkg:") {
            return package_url(package);
        }
        let schemes = ["oci://", "docker://", "https://"];
        let text = schemes.iter().find_map(|scheme| uri.strip_prefix(scheme));
        Self::of_reference(text.unwrap_or(uri))
    }

    /// What an image's own reference says.
    pub fn of(image: &ImageReference) -> Self {
        let (registry, path) = image.containerd_repository();
        Self {
            repository: format!("{registry}/{path}"),
            tag: image.tag.clone(),
            digest: image.digest.clone(),
        }
    }

    /// Whether it names this image, whose digest is known: the same repository, and the same tag and digest where it and
    /// the reference have them.
    pub fn names(&self, image: &ImageReference, digest: &Digest) -> bool {
        let other = Self::of(image);
        let tags = self.tag.as_ref().zip(other.tag.as_ref());
        self.repository == other.repository
            && tags.is_none_or(|(own, other)| own == other)
            && self.digest.as_ref().is_none_or(|own| own == digest)
    }

    fn of_reference(text: &str) -> Option<Self> {
        let image = ImageReference::parse(text).ok()?;
        let last = text.rsplit('/').next().unwrap_or(text);
        let mut resource = Self::of(&image);
        // A tag that nobody wrote is not said.
        resource.tag = resource
            .tag
            .filter(|_| last.contains(':') || last.contains('@'));
        Some(resource)
    }
}

/// `oci/NAME@DIGEST?repository_url=REGISTRY/PATH&tag=TAG`; without `repository_url` the name says no registry.
fn package_url(package: &str) -> Option<Resource> {
    let package = package.strip_prefix("oci/")?;
    let (name, qualifiers) = package.split_once('?')?;
    let (name, version) = match name.split_once('@') {
        Some((name, version)) => (decoded(name)?, Some(decoded(version)?)),
        None => (decoded(name)?, None),
    };
    // What is there and cannot be read, or is there twice, makes it no name of anything.
    let qualifier = |wanted: &str| {
        let all = qualifiers.split('&').filter_map(|one| one.split_once('='));
        let mut found = all.filter(|(key, _)| *key == wanted);
        match (found.next(), found.next()) {
            (None, _) => Some(None),
            (Some((_, value)), None) => decoded(value).map(Some),
            (Some(_), Some(_)) => None,
        }
    };
    let repository = qualifier("repository_url")??;
    let mut resource = Resource::of_reference(&repository)?;
    let is_named = repository.rsplit('/').next() == Some(name.as_str());
    if !is_named || resource.tag.is_some() || resource.digest.is_some() {
        return None;
    }
    resource.tag = qualifier("tag")?;
    if let Some(version) = version {
        resource.digest = Some(Digest::parse(&version).ok()?);
    }
    Some(resource)
}

/// Colons and slashes may be escaped, and nothing else needs to be.
fn decoded(text: &str) -> Option<String> {
    let escapes = [("%3A", ":"), ("%3a", ":"), ("%2F", "/"), ("%2f", "/")];
    let text = escapes
        .iter()
        .fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    (!text.contains(['%', '#'])).then_some(text)
}
