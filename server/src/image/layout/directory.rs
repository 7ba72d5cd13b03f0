//! One OCI layout: its index, and what its entries are to each other.
//!
//! Tools lose names on the way: `cosign save` and the tools that copy whole repositories write entries without them.
//! What an entry without a name is, is read from its manifest; that decides only what is looked at, never what is
//! believed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use regent_engine::image::Digest;
use serde_json::Value;

use super::LayoutError;
use crate::image::oci::{
    Content, DSSE_ENVELOPE, Descriptor, MAX_BLOB, MAX_MANIFEST, Manifest, SIMPLE_SIGNING,
    digest_of, essence, evidence_tag,
};

/// Entries of one layout's index.
const MAX_ENTRIES: usize = 10_000;
/// A tag, or a whole reference.
const NAME: &str = "org.opencontainers.image.ref.name";
/// A whole reference, as containerd and Docker write it beside the tag.
const FULL_NAME: &str = "io.containerd.image.name";
/// What `cosign save` writes for want of names.
const KIND: &str = "kind";

/// One layout.
#[derive(Debug)]
pub(crate) struct Directory {
    root: PathBuf,
    /// The way from the directory that was named to here, with `/`.
    place: String,
    names: Vec<(String, Digest)>,
    referrers: BTreeMap<Digest, Vec<Descriptor>>,
    tagged: BTreeMap<String, Vec<Digest>>,
    images: Vec<Digest>,
}

/// What a manifest of the index is.
enum Role {
    Image,
    Referrer(Digest),
    FallbackIndex(Vec<(Digest, Descriptor)>),
    Legacy(&'static str),
}

impl Directory {
    /// Reads the index of the layout at `root`, which was found below `named`.
    pub(crate) fn open(root: &Path, named: &Path) -> Result<Self, LayoutError> {
        let place = root
            .strip_prefix(named)
            .unwrap_or(root)
            .components()
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect::<Vec<_>>()
            .join("/");
        let mut directory = Self {
            root: root.to_owned(),
            place,
            names: Vec::new(),
            referrers: BTreeMap::new(),
            tagged: BTreeMap::new(),
            images: Vec::new(),
        };
        let index_path = root.join("index.json");
        let index = read(&index_path, MAX_MANIFEST)?;
        let index =
            Manifest::read(index, None).map_err(|error| LayoutError::new(&index_path, error))?;
        let Content::Manifests(entries) = index.content else {
            return Err(LayoutError::new(&index_path, "not an index"));
        };
        if entries.len() > MAX_ENTRIES {
            return Err(LayoutError::new(
                &index_path,
                format!("more than {MAX_ENTRIES} entries"),
            ));
        }
        let mut nameless = Vec::new();
        for entry in entries {
            directory.enter(entry, &mut nameless)?;
        }
        directory.images.sort();
        directory.images.dedup();
        for (suffix, manifest) in nameless {
            directory.attribute(suffix, &manifest)?;
        }
        Ok(directory)
    }

    /// Where it is.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether it lies where `registry/path` would.
    pub(crate) fn stands_for(&self, repository: &str) -> bool {
        self.place == repository
    }

    /// Names of entries, as written.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&str, &Digest)> {
        self.names
            .iter()
            .map(|(name, digest)| (name.as_str(), digest))
    }

    /// Descriptors of manifests about `digest`.
    pub(crate) fn referrers(&self, digest: &Digest) -> &[Descriptor] {
        self.referrers.get(digest).map_or(&[], Vec::as_slice)
    }

    /// Manifests at one of cosign's tags.
    pub(crate) fn tagged(&self, tag: &str) -> &[Digest] {
        self.tagged.get(tag).map_or(&[], Vec::as_slice)
    }

    /// Whether something here is about `digest`.
    pub(crate) fn has_evidence(&self, digest: &Digest) -> bool {
        !self.referrers(digest).is_empty()
            || [".sig", ".att"]
                .iter()
                .any(|suffix| !self.tagged(&evidence_tag(digest, suffix)).is_empty())
    }

    /// Where a blob lies, if it is here.
    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.root.join("blobs/sha256").join(digest.hex())
    }

    fn enter(
        &mut self,
        entry: Descriptor,
        nameless: &mut Vec<(&'static str, Manifest)>,
    ) -> Result<(), LayoutError> {
        let manifest = self.manifest(&entry)?;
        let digest = manifest.digest.clone();
        let names = [FULL_NAME, NAME]
            .iter()
            .filter_map(|annotation| entry.annotation(annotation));
        for name in names {
            let tag = name.rsplit([':', '/']).next().unwrap_or(name);
            if tag.starts_with("sha256-") {
                self.tagged
                    .entry(tag.to_owned())
                    .or_default()
                    .push(digest.clone());
            }
            self.names.push((name.to_owned(), digest.clone()));
        }
        let is_named = entry.annotation(NAME).is_some();
        match self.role(&entry, &manifest)? {
            Role::Image => self.images.push(digest),
            Role::Referrer(subject) => self.refer(subject, entry),
            Role::FallbackIndex(listed) => {
                for (subject, descriptor) in listed {
                    self.refer(subject, descriptor);
                }
            }
            Role::Legacy(_) if is_named => {}
            Role::Legacy(suffix) => nameless.push((suffix, manifest)),
        }
        Ok(())
    }

    fn refer(&mut self, subject: Digest, descriptor: Descriptor) {
        let known = self.referrers.entry(subject).or_default();
        if !known
            .iter()
            .any(|other| other.written_digest == descriptor.written_digest)
        {
            known.push(descriptor);
        }
    }

    fn role(&self, entry: &Descriptor, manifest: &Manifest) -> Result<Role, LayoutError> {
        if let Some(subject) = &manifest.subject {
            let subject = subject
                .digest()
                .map_err(|error| LayoutError::new(&self.root, error))?;
            return Ok(Role::Referrer(subject));
        }
        match entry.annotation(KIND) {
            Some("dev.cosignproject.cosign/sigs") => return Ok(Role::Legacy(".sig")),
            Some("dev.cosignproject.cosign/atts") => return Ok(Role::Legacy(".att")),
            _ => {}
        }
        match &manifest.content {
            Content::Layers(layers) => {
                let all_are = |media_type: &str| {
                    !layers.is_empty()
                        && layers
                            .iter()
                            .all(|layer| essence(&layer.media_type) == media_type)
                };
                Ok(if all_are(SIMPLE_SIGNING) {
                    Role::Legacy(".sig")
                } else if all_are(DSSE_ENVELOPE) {
                    Role::Legacy(".att")
                } else {
                    Role::Image
                })
            }
            Content::Manifests(members) => self.role_of_index(members),
        }
    }

    /// An index is a list of referrers if it has members and all of them are about something; an image's members may
    /// be missing, as layouts with one platform are common.
    fn role_of_index(&self, members: &[Descriptor]) -> Result<Role, LayoutError> {
        let mut listed = Vec::new();
        for member in members {
            let is_here = member
                .digest()
                .is_ok_and(|digest| self.blob_path(&digest).is_file());
            if !is_here {
                return Ok(Role::Image);
            }
            let Some(subject) = self.manifest(member)?.subject else {
                return Ok(Role::Image);
            };
            match subject.digest() {
                Ok(subject) => listed.push((subject, member.clone())),
                Err(_) => return Ok(Role::Image),
            }
        }
        Ok(if listed.is_empty() {
            Role::Image
        } else {
            Role::FallbackIndex(listed)
        })
    }

    /// Finds out which image a manifest of evidence without a name belongs to: the only one here, or those that its
    /// layers name.
    fn attribute(&mut self, suffix: &'static str, manifest: &Manifest) -> Result<(), LayoutError> {
        let mut subjects = match self.images.as_slice() {
            [only] => vec![only.clone()],
            _ => self.claims(manifest)?,
        };
        subjects.sort();
        subjects.dedup();
        for subject in subjects {
            self.tagged
                .entry(evidence_tag(&subject, suffix))
                .or_default()
                .push(manifest.digest.clone());
        }
        Ok(())
    }

    fn claims(&self, manifest: &Manifest) -> Result<Vec<Digest>, LayoutError> {
        let mut claims = Vec::new();
        for layer in manifest.layers() {
            let Ok(digest) = layer.digest() else { continue };
            let bytes = read(&self.blob_path(&digest), MAX_BLOB)?;
            claims.extend(claimed_subjects(&bytes));
        }
        Ok(claims)
    }

    fn manifest(&self, descriptor: &Descriptor) -> Result<Manifest, LayoutError> {
        let fault = |error| LayoutError::new(&self.root, error);
        let digest = descriptor.digest().map_err(fault)?;
        let path = self.blob_path(&digest);
        let bytes = read(&path, MAX_MANIFEST)?;
        if digest_of(&bytes) != digest {
            return Err(LayoutError::new(
                &path,
                "not the digest that it is named by",
            ));
        }
        let told = Some(descriptor.media_type.as_str()).filter(|told| !told.is_empty());
        Manifest::read(bytes, told).map_err(|error| LayoutError::new(&path, error))
    }
}

/// The digests that a simple-signing payload or a DSSE envelope says that it is about.
fn claimed_subjects(bytes: &[u8]) -> Vec<Digest> {
    let Ok(document) = serde_json::from_slice::<Value>(bytes) else {
        return Vec::new();
    };
    if let Some(signed) = document.pointer("/critical/image/docker-manifest-digest") {
        return signed
            .as_str()
            .and_then(|text| Digest::parse(text).ok())
            .into_iter()
            .collect();
    }
    let statement = document
        .get("payload")
        .and_then(Value::as_str)
        .and_then(|payload| STANDARD.decode(payload).ok())
        .and_then(|payload| serde_json::from_slice::<Value>(&payload).ok());
    statement
        .as_ref()
        .and_then(|statement| statement.get("subject"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|subject| subject.pointer("/digest/sha256")?.as_str())
        .filter_map(|hex| Digest::parse(&format!("sha256:{hex}")).ok())
        .collect()
}

fn read(path: &Path, max: u64) -> Result<Bytes, LayoutError> {
    let unreadable = |error: std::io::Error| LayoutError::new(path, error);
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(max + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > max {
        return Err(LayoutError::new(path, format!("more than {max} bytes")));
    }
    Ok(bytes.into())
}
