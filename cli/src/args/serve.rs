//! `regent serve`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use regent_engine::evaluation::need::{NamedBy, PullSecret};
use regent_engine::limits::ContextSize;
use regent_engine::quantity::Quantity;
use regent_server::tuf::TRUSTED_ROOT;

use super::image::ImageArgs;
use super::verify::parse_duration;

/// How long a `BreakGlass` may be open where nobody says.
pub const BREAK_GLASS_LONGEST: &str = "4h";

/// `regent serve`.
#[derive(Debug, Clone, clap::Args)]
pub struct ServeArgs {
    /// Policy files, or directories of them; repeatable
    #[arg(long, value_name = "PATH", required = true, num_args = 1..)]
    pub policies: Vec<PathBuf>,
    /// Where to answer the API server
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:9443")]
    pub listen: SocketAddr,
    /// Where to answer Prometheus
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8000")]
    pub metrics_listen: SocketAddr,
    /// The serving certificate and its chain (PEM); it and its key, or --tls-self-signed, are needed
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// The serving certificate's key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Make a certificate at start, and write the CA that it chains to into DIR
    #[arg(long, value_name = "DIR", conflicts_with = "tls_cert")]
    pub tls_self_signed: Option<PathBuf>,
    /// Host name or address that the certificate is made for; repeatable
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "tls_cert",
        value_parser = host_name,
        default_values = ["localhost", "127.0.0.1", "::1", "regent", "regent.regent.svc"]
    )]
    pub tls_name: Vec<String>,
    /// Judge for nobody whose certificate does not chain to one of these (PEM); health is told to everybody
    #[arg(long, value_name = "FILE")]
    pub client_ca: Option<PathBuf>,
    /// Manifests of namespaces (YAML or JSON), whose labels `namespaceSelector` is matched with
    #[arg(long, value_name = "FILE")]
    pub namespaces: Option<PathBuf>,
    /// The cluster that rules ask [default: that of the service account which is mounted into this pod, if there is one]
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig [default: its current one]
    #[arg(long, value_name = "NAME", requires = "kubeconfig")]
    pub context: Option<String>,
    /// Ask no cluster, also where a service account is mounted
    #[arg(long, conflicts_with = "kubeconfig")]
    pub no_cluster: bool,
    /// Secret with credentials of registries, in the server's own namespace if none is named; repeatable
    #[arg(long, value_name = "[NAMESPACE/]NAME", value_parser = parse_pull_secret)]
    pub image_pull_secret: Vec<PullSecret>,
    /// Whether registries are asked with the Secrets that pods name in `imagePullSecrets`, too
    #[arg(long, value_enum, default_value_t = PodPullSecrets::Ignore)]
    pub pod_pull_secrets: PodPullSecrets,
    /// Have `apiCall.service` call HOST, with or without a port, although it is this machine or its link; repeatable
    #[arg(long, value_name = "HOST")]
    pub allow_local_service: Vec<String>,
    /// Have `PolicyException`s among the policies count, of the namespaces that `--exception-namespace` names
    #[arg(long)]
    pub enable_policy_exception: bool,
    /// Namespace whose exceptions count, may have wildcards; `*` is all of them; repeatable
    #[arg(long, value_name = "NAMESPACE", requires = "enable_policy_exception")]
    pub exception_namespace: Vec<String>,
    /// Have `BreakGlass` documents among the policies count, and write down here what they let in
    #[arg(long, value_name = "FILE")]
    pub break_glass_journal: Option<PathBuf>,
    /// How long a `BreakGlass` may be open, at most a day
    #[arg(long, value_name = "DURATION", default_value = BREAK_GLASS_LONGEST, value_parser = parse_duration, requires = "break_glass_journal")]
    pub break_glass_longest: Duration,
    /// How often what was let in is verified until it is found in order, at most a day
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration, requires = "break_glass_journal")]
    pub break_glass_verify_interval: Duration,
    /// How much the entries of a rule's `context` may come to together, in bytes
    #[arg(long, value_name = "QUANTITY", default_value = "2Mi", value_parser = parse_size)]
    pub max_context_size: ContextSize,
    /// Never take SLSA provenance v0.2 where a policy asks for v1, nor the other way round
    #[arg(long)]
    pub exact_slsa_versions: bool,
    /// How old remembered evidence of images may become, at most a day: deleted evidence may count that long
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub evidence_max_age: Duration,
    /// How long it counts that there was no evidence of an image, at most a day: what is signed meanwhile is seen after it
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = parse_duration)]
    pub absence_max_age: Duration,
    /// How long ago a registry that cannot be reached may have been asked for a tag, at most a day
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub tag_max_age: Duration,
    /// For how long what a registry said of a tag is taken again without asking, at most a minute; by itself it is asked for
    /// each request
    #[arg(long, value_name = "DURATION", value_parser = parse_tag_reuse)]
    pub tag_reuse: Option<Duration>,
    /// Mirror of The Update Framework that the default trust root is fetched from, at start and again in the background;
    /// trust roots of files stand beside it
    #[arg(long, value_name = "URL", requires = "tuf_root")]
    pub tuf_mirror: Option<String>,
    /// Root metadata that the mirror is believed by
    #[arg(long, value_name = "FILE", requires = "tuf_mirror")]
    pub tuf_root: Option<PathBuf>,
    /// Name of the target that is the trust root
    #[arg(long, value_name = "NAME", default_value = TRUSTED_ROOT)]
    pub tuf_target: String,
    /// Where the mirror's metadata and the last good trust root are kept over restarts
    #[arg(long, value_name = "DIR", requires = "tuf_mirror")]
    pub tuf_directory: Option<PathBuf>,
    /// Certificates (PEM) that the mirror may chain to, besides the system's; repeatable
    #[arg(long, value_name = "FILE", requires = "tuf_mirror")]
    pub tuf_ca: Vec<PathBuf>,
    /// How often the mirror is looked at, at most a day
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    pub tuf_interval: Duration,
    /// Where compiled modules of policies are kept over restarts: a folder of its own, closed to all others
    #[arg(long, value_name = "DIR")]
    pub module_cache: Option<PathBuf>,
    /// How often files are looked at for changes; SIGHUP has them read at once
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    pub reload_interval: u64,
    /// How long connections are still accepted after SIGTERM, while readiness already says no
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    pub shutdown_delay: u64,
    /// How long requests in flight may take to finish after that
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    pub drain_timeout: u64,
    /// How logs are written to stderr; what is logged is set by `REGENT_LOG`, as in `REGENT_LOG=regent_server=debug`
    #[arg(long, value_enum, default_value = "text", value_name = "FORMAT")]
    pub log_format: LogFormat,
    /// Images
    #[command(flatten)]
    pub images: ImageArgs,
}

/// A host name, a wildcard before one, or an address: a certificate for anything else is for nobody.
fn host_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        let dashed = label.starts_with('-') || label.ends_with('-');
        (1..=63).contains(&label.len()) && label.bytes().all(known) && !dashed
    };
    let name = text.strip_prefix("*.").unwrap_or(text);
    let is_name = text.len() <= 253 && name.split('.').all(label);
    if is_name || text.parse::<IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err("this is neither a host name nor an address".to_owned())
    }
}

/// Whole bytes, as in `2Mi`.
fn parse_size(text: &str) -> Result<ContextSize, String> {
    // More than any machine has, and whole in a float.
    const MOST: f64 = 1e15;
    let bytes = Quantity::parse(text).map(|quantity| quantity.to_float());
    let bytes = bytes.filter(|bytes| bytes.fract() == 0.0 && (1.0..=MOST).contains(bytes));
    let bytes = bytes.and_then(|bytes| format!("{bytes:.0}").parse().ok());
    bytes
        .map(ContextSize)
        .ok_or_else(|| "expected a quantity of bytes, as in 2Mi".to_owned())
}

/// Seconds, as in `5s`: whoever moves a tag waits no longer than it takes to look.
fn parse_tag_reuse(text: &str) -> Result<Duration, String> {
    let known = parse_duration(text).ok();
    known
        .filter(|reuse| *reuse <= Duration::from_mins(1))
        .ok_or_else(|| "expected a duration of at most a minute, as in `5s`".to_owned())
}

fn parse_pull_secret(text: &str) -> Result<PullSecret, String> {
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace.to_owned()), name),
        None => (None, text),
    };
    if name.is_empty() || namespace.as_ref().is_some_and(String::is_empty) {
        return Err("expected NAME or NAMESPACE/NAME".to_owned());
    }
    Ok(PullSecret {
        namespace,
        name: name.to_owned(),
        named_by: NamedBy::Trusted,
    })
}

/// Whether Secrets that pods name are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PodPullSecrets {
    /// As Kyverno does.
    Use,
    /// Only those of policies and of the command line count.
    Ignore,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// A line of text each.
    Text,
    /// A JSON object each.
    Json,
}
