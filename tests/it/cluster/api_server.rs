//! A real API server with its etcd, and `kubectl` to talk to it; what was started ends with the test, also when it fails.

use std::env;
use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use regent_tests::{needs, shared_path};
use tempfile::TempDir;

const AUDIT_LOG: &str = "audit.log";

/// The API server, until the test ends.
pub(crate) struct ApiServer {
    /// The programs that were built from their Go modules.
    programs: PathBuf,
    scripts: PathBuf,
    state: TempDir,
}

/// What `kubectl` answered.
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl ApiServer {
    /// Starts it, or says what is missing.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with(&|_state| String::new())
    }

    /// The same with an audit log of what is created.
    pub(crate) fn start_audited() -> Option<Self> {
        Self::start_with(&|state| {
            let policy = state.join("audit.yaml");
            let text = serde_json::json!({
                "apiVersion": "audit.k8s.io/v1", "kind": "Policy",
                "omitStages": ["RequestReceived"], "rules": [{"level": "Metadata", "verbs": ["create"]}],
            });
            fs::write(&policy, text.to_string()).unwrap();
            let log = state.join(AUDIT_LOG);
            format!(
                "--audit-policy-file={} --audit-log-path={}",
                policy.display(),
                log.display()
            )
        })
    }

    /// Starts it with more arguments, which may name files of its folder.
    fn start_with(arguments: &dyn Fn(&Path) -> String) -> Option<Self> {
        let scripts = shared_path("tools/kube-apiserver")?;
        let programs = programs();
        for program in ["etcd", "kube-apiserver", "kubectl"] {
            if !programs.join(program).is_file() {
                let build = scripts.join("build.sh");
                needs(&format!(
                    "{program} in {} (BIN={0} {}, or set KUBE_BIN)",
                    programs.display(),
                    build.display()
                ));
                return None;
            }
        }
        for program in ["openssl", "curl"] {
            if run(Command::new(program).arg("version")).is_err() {
                needs(&format!("{program} (apt-get install {program})"));
                return None;
            }
        }
        let server = Self {
            programs,
            scripts,
            state: tempfile::tempdir().unwrap(),
        };
        let mut start = server.script("start.sh");
        start.env("KAPI_ARGS", arguments(server.state()));
        for (name, port) in ["PORT", "ETCD_PORT", "ETCD_PEER"].iter().zip(free_ports()) {
            start.env(name, port.to_string());
        }
        let started = run(&mut start).unwrap();
        let said = String::from_utf8_lossy(&started.stderr);
        assert!(started.status.success(), "{said}");
        Some(server)
    }

    /// Runs `kubectl` with a document on stdin.
    pub(crate) fn kubectl(&self, arguments: &[&str], document: &str) -> Said {
        let mut child = Command::new(self.programs.join("kubectl"))
            .arg("--kubeconfig")
            .arg(self.state.path().join("kubeconfig"))
            .args(arguments)
            .env("HOME", self.state.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It reads stdin to its end before it answers, and closes it early only where it refuses the arguments.
        drop(child.stdin.take().unwrap().write_all(document.as_bytes()));
        let output = child.wait_with_output().unwrap();
        Said {
            success: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Where its administrator's kubeconfig is.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.state().join("kubeconfig")
    }

    /// The log of an audited one: an event of JSON a line.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.state().join(AUDIT_LOG)
    }

    /// Where it keeps its files, and tests theirs.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("bash");
        command
            .arg(self.scripts.join(name))
            .env("BIN", &self.programs)
            .env("STATE", self.state.path());
        command
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        let stopped = run(&mut self.script("stop.sh"));
        // A second panic would hide the first.
        if !std::thread::panicking() {
            assert!(stopped.unwrap().status.success());
        }
    }
}

/// `$KUBE_BIN`, or where the script that builds them puts them.
fn programs() -> PathBuf {
    let cache = || {
        let home = env::var_os("HOME").unwrap_or_default();
        Path::new(&home).join(".cache/regent/kube")
    };
    env::var_os("KUBE_BIN").map_or_else(cache, PathBuf::from)
}

fn run(command: &mut Command) -> std::io::Result<Output> {
    command.stdin(Stdio::null()).output()
}

/// Ports that nobody listens on; all are held until the last is known, so that they differ.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
