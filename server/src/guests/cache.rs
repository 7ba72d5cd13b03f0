//! Compiled modules on disk: a folder that nobody else may touch, and files that only this program seals.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use regent_engine::wasm::cache::{Key, open, seal};
use regent_engine::wasm::metadata::Abi;
use regent_engine::wasm::module::Module;
use regent_engine::wasm::runtime::{Runtime, digest};

/// Three times the largest module: compiled code is longer.
const MOST: u64 = 64 << 20;

/// Such a folder.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    key: Key,
}

impl Cache {
    /// Opens a folder, or makes it; one that others may write to is not used.
    pub(super) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
        let found = fs::symlink_metadata(folder)?;
        let own = fs::metadata("/proc/self")?.uid();
        let refused = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
        if !found.is_dir() {
            return refused("it is not a folder");
        }
        if found.uid() != own || found.mode() & 0o077 != 0 {
            return refused(
                "it must belong to who runs this and be closed to all others (mode 0700)",
            );
        }
        Ok(Self {
            key: key(&folder.join("key"))?,
            folder: folder.to_owned(),
        })
    }

    /// A module that was compiled before, by this very compiler.
    pub(super) fn open_module(
        &self,
        runtime: &Runtime,
        wasm: &[u8],
        abi: Option<Abi>,
    ) -> Option<Module> {
        let path = self.path(&digest(wasm), runtime);
        let mut sealed = Vec::new();
        let file = fs::File::open(&path).ok()?;
        file.take(MOST).read_to_end(&mut sealed).ok()?;
        match open(runtime, (wasm, &sealed), abi, &self.key) {
            Some(Ok(module)) => Some(module),
            // What cannot be used is said when it is compiled.
            Some(Err(_)) => None,
            None => {
                tracing::warn!(file = %path.display(), "a compiled module is not one that was kept here: it is compiled again");
                None
            }
        }
    }

    /// Keeps a module; one that cannot be kept is compiled again the next time.
    pub(super) fn keep(&self, module: &Module, runtime: &Runtime) {
        let path = self.path(module.digest(), runtime);
        let kept = seal(module, runtime, &self.key)
            .map_err(|error| io::Error::other(error.to_string()))
            .and_then(|sealed| write(&path, &sealed));
        if let Err(error) = kept {
            tracing::warn!(file = %path.display(), %error, "a compiled module was not kept");
        }
    }

    /// The bytes of a module that was fetched before, if they still are what their digest says.
    pub(super) fn fetched(&self, wanted: &str) -> Option<Vec<u8>> {
        let path = self.fetched_path(wanted)?;
        let mut wasm = Vec::new();
        let file = fs::File::open(&path).ok()?;
        file.take(MOST).read_to_end(&mut wasm).ok()?;
        if digest(&wasm) == wanted {
            return Some(wasm);
        }
        tracing::warn!(file = %path.display(), "a module that was fetched is not what its digest says: it is fetched again");
        None
    }

    /// Keeps the bytes of a module that was fetched; those that cannot be kept are fetched again the next time.
    pub(super) fn keep_fetched(&self, digest: &str, wasm: &[u8]) {
        let Some(path) = self.fetched_path(digest) else {
            return;
        };
        if let Err(error) = write(&path, wasm) {
            tracing::warn!(file = %path.display(), %error, "a module that was fetched was not kept");
        }
    }

    fn fetched_path(&self, digest: &str) -> Option<PathBuf> {
        let digits = digest.strip_prefix("sha256:")?;
        let is_name = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_name.then(|| self.folder.join(format!("{digits}.wasm")))
    }

    fn path(&self, digest: &str, runtime: &Runtime) -> PathBuf {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        let compiler = runtime.compatibility();
        let compiler = compiler.get(..16).unwrap_or(&compiler);
        self.folder.join(format!("{digest}-{compiler}.module"))
    }
}

/// The folder's key, made when there is none.
fn key(path: &Path) -> io::Result<Key> {
    let mut bytes = [0; 32];
    match fs::File::open(path) {
        Ok(mut file) => file.read_exact(&mut bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let filled = SystemRandom::new().fill(&mut bytes);
            filled.map_err(|_unspecified| io::Error::other("no random bytes"))?;
            write(path, &bytes)?;
            // Who else made one meanwhile has written his own: that one counts.
            fs::File::open(path)?.read_exact(&mut bytes)?;
        }
        Err(error) => return Err(error),
    }
    Ok(Key::new(bytes))
}

/// Writes a file whole, or not at all.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension(format!("{}.part", std::process::id()));
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)
}
