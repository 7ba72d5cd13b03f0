//! Manifests and blobs that were fetched by digest, kept for a while: they are what their digest says for ever.
//!
//! What there is about an image is asked for each time all the same: lists and tags are not kept here.

use std::time::Duration;

use bytes::Bytes;
use moka::future::Cache;
use regent_engine::image::Digest;

use crate::image::oci::Manifest;

/// Bytes that are kept; evidence of one image has 20 to 100 kB.
const MAX_BYTES: u64 = 16 << 20;
/// As long as controllers commonly wait between attempts at a pod that was refused.
const LIFE: Duration = Duration::from_mins(10);
/// What a kept piece takes beside its bytes.
const OVERHEAD: usize = 512;

/// Where something was fetched: who may read one repository need not be allowed to read another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    authority: String,
    path: String,
    digest: Digest,
}

/// What was fetched, each piece checked against its digest then.
#[derive(Debug)]
pub(super) struct Contents {
    manifests: Cache<Key, Manifest>,
    blobs: Cache<Key, Bytes>,
}

impl Contents {
    pub(super) fn new() -> Self {
        let weight = |bytes: usize| u32::try_from(bytes + OVERHEAD).unwrap_or(u32::MAX);
        Self {
            manifests: Cache::builder()
                // Read, a manifest takes some times its bytes.
                .weigher(move |_, manifest: &Manifest| weight(4 * manifest.bytes.len()))
                .max_capacity(MAX_BYTES / 4)
                .time_to_live(LIFE)
                .build(),
            blobs: Cache::builder()
                .weigher(move |_, blob: &Bytes| weight(blob.len()))
                .max_capacity(MAX_BYTES)
                .time_to_live(LIFE)
                .build(),
        }
    }

    pub(super) async fn manifest(&self, place: (&str, &str), digest: &Digest) -> Option<Manifest> {
        self.manifests.get(&key(place, digest)).await
    }

    pub(super) async fn keep_manifest(&self, place: (&str, &str), manifest: &Manifest) {
        let key = key(place, &manifest.digest);
        self.manifests.insert(key, manifest.clone()).await;
    }

    pub(super) async fn blob(&self, place: (&str, &str), digest: &Digest) -> Option<Bytes> {
        self.blobs.get(&key(place, digest)).await
    }

    pub(super) async fn keep_blob(&self, place: (&str, &str), digest: &Digest, blob: &Bytes) {
        self.blobs.insert(key(place, digest), blob.clone()).await;
    }
}

fn key((authority, path): (&str, &str), digest: &Digest) -> Key {
    Key {
        authority: authority.to_owned(),
        path: path.to_owned(),
        digest: digest.clone(),
    }
}
