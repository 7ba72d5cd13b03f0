//! The journal: a file of lines that are only ever added to, each tied to the one before by its hash.
//!
//! Several processes may write to it, one at a time. What was changed or taken out between is seen by who reads it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::record::Record;
use crate::image::trust::sha256;

/// The largest journal: some ten thousand pods. A full one lets nothing in.
pub const MAX_BYTES: u64 = 256 << 20;

/// Room for what becomes of uses, beyond that.
const RESERVE: u64 = 64 << 20;

/// The longest line: a request has 24 MiB at most, and little is added.
const LONGEST_LINE: u64 = 64 << 20;

/// How long another process may hold the journal.
const LOCK: Duration = Duration::from_secs(2);

/// Why a journal cannot be read or written.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file.
    #[error("the journal `{path}`: {error}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process holds it.
    #[error("the journal `{0}` is held by another process")]
    Held(PathBuf),
    /// It has no room.
    #[error("the journal `{0}` is full: move it away, and a new one is begun")]
    Full(PathBuf),
}

/// A line: what it says, and the hash of the line before.
#[derive(Debug, Deserialize)]
struct Line {
    #[serde(flatten)]
    record: Record,
    previous: String,
}

/// The same as it is written: a record may hold a request of many megabytes.
#[derive(Debug, Serialize)]
struct NewLine<'a> {
    #[serde(flatten)]
    record: &'a Record,
    previous: &'a str,
}

/// A line that was read.
#[derive(Debug)]
pub struct Entry {
    /// Its number, from one.
    pub line: usize,
    /// Where it stands.
    pub place: Place,
    /// What it says, or why it cannot be read.
    pub record: Result<Record, String>,
    /// Whether it follows on the line before.
    pub follows: bool,
}

/// Where a line stands, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    start: u64,
    length: usize,
}

/// A journal of some path.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    tail: Mutex<Tail>,
}

/// What is known of the end of the file.
#[derive(Debug, Default)]
struct Tail {
    bytes: u64,
    hash: String,
}

impl Journal {
    /// The journal at a path.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            tail: Mutex::default(),
        }
    }

    /// Whether it can be written, so that a start says what the first use would.
    pub fn try_open(&self) -> Result<(), JournalError> {
        let file = self.open().map_err(|error| self.failed(error))?;
        self.lock(&file)
    }

    /// Adds records; once this is said to be done, they are on the disk.
    pub fn append(&self, records: &[Record]) -> Result<(), JournalError> {
        let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open().map_err(|error| self.failed(error))?;
        self.lock(&file)?;
        let written = self.write(&mut file, &mut tail, records);
        if written.is_err() {
            // What is there now is found out by the next.
            *tail = Tail::default();
        }
        written
    }

    fn write(
        &self,
        file: &mut File,
        tail: &mut Tail,
        records: &[Record],
    ) -> Result<(), JournalError> {
        let failed = |error| self.failed(error);
        let length = file.metadata().map_err(failed)?.len();
        if length != tail.bytes || length == 0 {
            *tail = read_tail(file, length).map_err(failed)?;
        }
        let mut text = String::new();
        // What broke off is a line of its own, which cannot be read.
        if length > 0 && !ends_with_line_break(file).map_err(failed)? {
            text.push('\n');
        }
        for record in records {
            let line = NewLine {
                record,
                previous: &tail.hash,
            };
            let line = serde_json::to_string(&line).map_err(|error| failed(error.into()))?;
            tail.hash = hash(line.as_bytes());
            text.push_str(&line);
            text.push('\n');
        }
        let added = text.len() as u64;
        // What became of a use is written down also where there is no room for more of them.
        let uses = records.iter().any(|one| matches!(one, Record::Use(_)));
        let most = if uses { MAX_BYTES } else { MAX_BYTES + RESERVE };
        if added > LONGEST_LINE || length.saturating_add(added) > most {
            return Err(JournalError::Full(self.path.clone()));
        }
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_data().map_err(failed)?;
        if length == 0 {
            // A new file is there after a crash only if its folder is written, too.
            let folder = self
                .path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            let folder = File::open(folder.unwrap_or(Path::new(".")));
            folder
                .and_then(|folder| folder.sync_all())
                .map_err(failed)?;
        }
        tail.bytes = length + added;
        Ok(())
    }

    /// Goes through all lines, one at a time: together they may be more than is good to have in memory.
    pub fn read(&self, mut each: impl FnMut(Entry)) -> Result<(), JournalError> {
        let failed = |error| self.failed(error);
        let file = File::open(&self.path).map_err(failed)?;
        // Who writes holds the lock, so that up to here every line is whole. Who writes is not to wait for who reads.
        self.lock(&file)?;
        let length = file.metadata().map_err(failed)?.len();
        file.unlock().map_err(failed)?;
        let mut lines = BufReader::new(file.take(length));
        let (mut previous, mut start, mut bytes) = (String::new(), 0, Vec::new());
        for line in 1.. {
            bytes.clear();
            let read = lines.read_until(b'\n', &mut bytes).map_err(failed)?;
            if read == 0 {
                break;
            }
            let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
            if !text.is_empty() {
                let place = Place {
                    start,
                    length: text.len(),
                };
                each(entry(line, place, text, &previous));
                previous = hash(text);
            }
            start += read as u64;
        }
        Ok(())
    }

    /// What a line says.
    pub fn at(&self, place: Place) -> Result<Record, JournalError> {
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(place.start))?;
            let mut bytes = vec![0; place.length];
            file.read_exact(&mut bytes)?;
            let line: Line = serde_json::from_slice(&bytes)?;
            Ok(line.record)
        });
        read.map_err(|error| self.failed(error))
    }

    fn open(&self) -> io::Result<File> {
        // Objects of requests are in it: nobody else is to read them.
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        options.open(&self.path)
    }

    fn lock(&self, file: &File) -> Result<(), JournalError> {
        let by = Instant::now() + LOCK;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(self.failed(error)),
                Err(TryLockError::WouldBlock) if Instant::now() >= by => {
                    return Err(JournalError::Held(self.path.clone()));
                }
                Err(TryLockError::WouldBlock) => sleep(Duration::from_millis(5)),
            }
        }
    }

    pub(super) fn failed(&self, error: io::Error) -> JournalError {
        JournalError::File {
            path: self.path.clone(),
            error,
        }
    }
}

fn entry(line: usize, place: Place, text: &[u8], previous: &str) -> Entry {
    let read = serde_json::from_slice::<Line>(text);
    Entry {
        line,
        place,
        follows: read.as_ref().is_ok_and(|line| line.previous == previous),
        record: read
            .map(|line| line.record)
            .map_err(|error| error.to_string()),
    }
}

/// The hash of the last line of a file that has some bytes.
fn read_tail(file: &mut File, length: u64) -> io::Result<Tail> {
    file.seek(SeekFrom::Start(length.saturating_sub(LONGEST_LINE)))?;
    let mut bytes = Vec::new();
    file.take(LONGEST_LINE).read_to_end(&mut bytes)?;
    let mut lines = bytes.rsplit(|byte| *byte == b'\n');
    let last = lines.find(|line| !line.is_empty());
    Ok(Tail {
        bytes: length,
        hash: last.map_or_else(String::new, hash),
    })
}

fn ends_with_line_break(file: &mut File) -> io::Result<bool> {
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn hash(line: &[u8]) -> String {
    format!("sha256:{}", hex::encode(sha256(line)))
}

#[cfg(test)]
mod tests;
