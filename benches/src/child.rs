//! Servers as processes of their own, on one processor each, that end with whoever started them.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// How long a server may take to say where it listens; loading 1,000 policies is part of it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    /// Starts `program` on processor `core`, writes what it says to `log`, and waits until a line there says ` on https://ADDRESS`.
    pub fn start<A: AsRef<OsStr>>(
        program: &Path,
        arguments: &[A],
        core: Option<usize>,
        log: &Path,
    ) -> Result<Self> {
        let said = File::create(log).with_context(|| format!("writing `{}`", log.display()))?;
        let mut command = match core {
            None => Command::new(program),
            Some(core) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", &core.to_string()]).arg(program);
                pinned
            }
        };
        let child = command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .spawn()
            .with_context(|| format!("starting `{}`", program.display()))?;
        let mut server = Self {
            child,
            address: String::new(),
        };
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let text = std::fs::read_to_string(log).unwrap_or_default();
            if let Some(address) = announced(&text) {
                address.clone_into(&mut server.address);
                return Ok(server);
            }
            if server.child.try_wait()?.is_some() {
                bail!("`{}` ended at once: {text}", program.display());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("`{}` did not say where it listens", program.display())
    }

    /// Its process; `taskset` becomes the program that it starts, so there is one.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `https://ADDRESS`.
    pub fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone then.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The address in a line that is complete.
fn announced(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once(" on https://")?;
    let (address, _) = rest.split_once('\n')?;
    Some(address.trim())
}

/// Whether programs can be pinned to a processor here, and there is one for the server and one for its client.
pub fn can_pin() -> bool {
    let two = std::thread::available_parallelism().is_ok_and(|cores| cores.get() >= 2);
    let taskset = Command::new("taskset").arg("--version").output();
    two && taskset.is_ok_and(|said| said.status.success())
}

/// Pins the calling process to a processor; threads that it starts from now on are pinned with it.
pub fn pin_self(core: usize) -> Result<()> {
    let pinned = Command::new("taskset")
        .args([
            "-c",
            "-p",
            &core.to_string(),
            &std::process::id().to_string(),
        ])
        .output()
        .context("running taskset")?;
    if !pinned.status.success() {
        bail!("taskset: {}", String::from_utf8_lossy(&pinned.stderr));
    }
    Ok(())
}

/// A binary of this workspace, built in the same profile as the one that runs.
pub fn sibling(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("this program's own path")?;
    // A benchmark lies in `release/deps`, a binary in `release`.
    let found = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "there is no `{name}` beside {}: build it first, as benches/README.md says",
            own.display()
        )
    })
}
