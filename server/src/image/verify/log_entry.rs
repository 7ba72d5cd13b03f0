//! Entries of transparency logs: of the right thing, promised or proven by the log, while the log's key was valid.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regent_engine::image::evidence::LogEntry;
use sigstore_merkle::{hash_leaf, verify_inclusion_proof};
use sigstore_types::Sha256Hash;

use super::body::{self, Bound};
use super::checkpoint;
use super::item::{Demands, Entry, Proof};
use super::refusal::Refusal;
use crate::image::trust::{Log, Moment, TrustRoot};

/// The entries that count, and the times that they prove.
#[derive(Debug, Default)]
pub(super) struct Logged {
    /// At most one for each log.
    pub(super) entries: Vec<LogEntry>,
    /// Times of integration that logs signed.
    pub(super) times: Vec<Moment>,
    /// A log that the trust root does not have: its entries do not count.
    pub(super) unknown: Option<String>,
}

/// Verifies every entry of a log that the trust root has; one that does not verify refuses the whole.
pub(super) fn verify(
    entries: &[Entry],
    demands: Demands,
    bound: &Bound<'_>,
    timestamps: &[Moment],
    root: &TrustRoot,
) -> Result<Logged, Refusal> {
    let mut logged = Logged::default();
    for entry in entries {
        let proof = entry.proof.as_ref();
        let origin = proof.and_then(|proof| proof.checkpoint.lines().next());
        let Some(log) = root.log_named(&entry.log_id, origin) else {
            logged.unknown = Some(hex::encode(&entry.log_id));
            continue;
        };
        let (verified, time) = verify_entry(entry, demands, bound, &log)?;
        check_window(&log, time, timestamps)?;
        logged.times.extend(time);
        // One log answers for itself once, however often it is quoted.
        if !logged
            .entries
            .iter()
            .any(|other| other.log_id == verified.log_id)
        {
            logged.entries.push(verified);
        }
    }
    Ok(logged)
}

fn verify_entry(
    entry: &Entry,
    demands: Demands,
    bound: &Bound<'_>,
    log: &Log,
) -> Result<(LogEntry, Option<Moment>), Refusal> {
    let kind = body::check(&entry.body, entry.kind.as_deref(), bound)?;
    match demands {
        Demands::Promise if entry.promise.is_none() => return Err(Refusal::NoPromise),
        Demands::Proof if entry.proof.is_none() => return Err(Refusal::NoProof),
        Demands::Promise | Demands::Proof => {}
    }
    let time = match (&entry.promise, entry.integrated_time) {
        (None, _) => None,
        (Some(_), None) => return Err(Refusal::Missing("time of integration")),
        (Some(promise), Some(time)) => {
            verify_promise(entry, promise, time, log)?;
            Some(time)
        }
    };
    if let Some(proof) = &entry.proof {
        verify_proof(&entry.body, proof, log)?;
    }
    // The index beside the entry is signed only with a promise; the proof's is always proven. A log of several trees counts over
    // all of them beside the entry, and one that has a single tree has no reason to say two things.
    let index = match (&entry.proof, time) {
        (Some(proof), None) if log.has_shards() => proof.index,
        (Some(proof), None) if proof.index != entry.index => {
            return Err(Refusal::EntryDiffers("index"));
        }
        _ => entry.index,
    };
    let verified = LogEntry {
        log_id: hex::encode(log.id()),
        log_url: log.url().to_owned(),
        log_key: hex::encode(log.key().spki_sha256()),
        kind,
        log_index: index,
        integrated_time: time,
        inclusion_proof: entry.proof.is_some(),
        promise: entry.promise.is_some(),
    };
    Ok((verified, time.map(Moment::at)))
}

/// The log's key must have been valid when the entry was made: at its own signed time, else at every timestamp.
fn check_window(log: &Log, time: Option<Moment>, timestamps: &[Moment]) -> Result<(), Refusal> {
    let own = time.as_slice();
    let times = if own.is_empty() { timestamps } else { own };
    if times.is_empty() {
        return Err(Refusal::LogWithoutTime(log.url().to_owned()));
    }
    match times.iter().find(|time| !log.window().contains(**time)) {
        None => Ok(()),
        Some(time) => Err(Refusal::LogExpired {
            log: log.url().to_owned(),
            time: time.seconds,
        }),
    }
}

/// The signed entry timestamp covers the entry as canonical JSON.
fn verify_promise(entry: &Entry, promise: &[u8], time: u64, log: &Log) -> Result<(), Refusal> {
    let signed = format!(
        r#"{{"body":"{}","integratedTime":{time},"logID":"{}","logIndex":{}}}"#,
        STANDARD.encode(&entry.body),
        hex::encode(log.id()),
        entry.index
    );
    log.key()
        .verify(log.key().natural_hash(), signed.as_bytes(), promise)
        .map_err(|_bad| Refusal::Promise(log.url().to_owned()))
}

fn verify_proof(body: &[u8], proof: &Proof, log: &Log) -> Result<(), Refusal> {
    let head = checkpoint::verify(&proof.checkpoint, log)?;
    if head.root != proof.root || head.size != proof.size {
        return Err(Refusal::CheckpointTree);
    }
    let hashes: Vec<_> = proof.hashes.iter().copied().map(Sha256Hash::new).collect();
    verify_inclusion_proof(
        &hash_leaf(body),
        proof.index,
        proof.size,
        &hashes,
        &Sha256Hash::new(proof.root),
    )
    .map_err(|error| Refusal::Proof(error.to_string()))
}
