//! `regent apply`, with the flags of `kyverno apply`.

use std::path::PathBuf;

use regent_engine::duration::Duration;

use super::facts::FactsArgs;
use super::image::ImageArgs;

/// `regent apply`.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line are independent of each other"
)]
pub struct ApplyArgs {
    /// Policy files, directories of them (recursively), or `-` for stdin
    #[arg(value_name = "POLICY")]
    pub policies: Vec<PathBuf>,
    /// Resource files, directories of them, or `-` for stdin; repeatable, or separated by commas
    #[arg(
        short,
        long,
        visible_alias = "resources",
        value_name = "PATH",
        value_delimiter = ','
    )]
    pub resource: Vec<PathBuf>,
    /// Resources that rules with `mutate.targets` change; repeatable, or separated by commas
    #[arg(
        long,
        visible_alias = "target-resources",
        value_name = "PATH",
        value_delimiter = ','
    )]
    pub target_resource: Vec<PathBuf>,
    /// Write changed and generated resources there: a file, or a directory with a file for each
    #[arg(short, long, value_name = "PATH")]
    pub output: Option<PathBuf>,
    /// Who asks: a file of kind `UserInfo`
    #[arg(short, long, value_name = "FILE")]
    pub userinfo: Option<PathBuf>,
    /// Values of variables; repeatable, or separated by commas
    #[arg(short, long, value_name = "VARIABLE=VALUE", value_delimiter = ',')]
    pub set: Vec<String>,
    /// Values of variables: a file of kind `Values`
    #[arg(short = 'f', long, value_name = "FILE")]
    pub values_file: Option<PathBuf>,
    /// Objects of the cluster, and what registries know of images: a file of kind `Context`
    #[arg(long, value_name = "FILE")]
    pub context_file: Option<PathBuf>,
    /// Files of policy exceptions; repeatable, or separated by commas
    #[arg(
        short,
        long,
        visible_alias = "exceptions",
        value_name = "PATH",
        value_delimiter = ','
    )]
    pub exception: Vec<PathBuf>,
    /// Policy exceptions are among the resources
    #[arg(long, visible_alias = "exceptions-within-resources")]
    pub exceptions_with_resources: bool,
    /// Policy exceptions are among the policies
    #[arg(long)]
    pub exceptions_within_policies: bool,
    /// Print an exception for each failure, and nothing else
    #[arg(long)]
    pub generate_exceptions: bool,
    /// How long such an exception lasts, as `720h`; it says so by a label, `0` by none
    #[arg(long, value_name = "DURATION", default_value = "720h", value_parser = duration)]
    pub generated_exception_ttl: Duration,
    /// Print a report and nothing else
    #[arg(short, long)]
    pub policy_report: bool,
    /// How the report is written
    #[arg(long, value_enum, default_value = "yaml", value_name = "FORMAT")]
    pub output_format: ReportFormat,
    /// The API that the report is of
    #[arg(
        long,
        value_enum,
        default_value = "openreports.io",
        value_name = "GROUP"
    )]
    pub report_api: ReportApi,
    /// Print a table
    #[arg(short, long)]
    pub table: bool,
    /// Print messages in the table
    #[arg(long)]
    pub detailed_results: bool,
    /// Say of each rule that did not pass why: what decided, where it stands in the policy, what was seen where
    #[arg(long)]
    pub explain: bool,
    /// Print changed resources alone, to be piped into kubectl
    #[arg(short = 'i', long)]
    pub stdin: bool,
    /// Show no colours
    #[arg(long)]
    pub remove_color: bool,
    /// Failures of policies that only audit are warnings
    #[arg(long)]
    pub audit_warn: bool,
    /// The exit status where there are warnings, and nothing worse
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub warn_exit_code: u8,
    /// The exit status of warnings also where nothing passed
    #[arg(long)]
    pub warn_no_pass: bool,
    /// Go on with the next resource after one that could not be evaluated; Regent always does
    #[arg(long)]
    pub continue_on_fail: bool,
    /// Go on after a resource that could not be loaded; Regent always does
    #[arg(
        long,
        value_name = "true|false",
        num_args = 0..=1,
        require_equals = true,
        default_value = "true",
        default_missing_value = "true"
    )]
    pub continue_on_error: bool,
    /// How many resources are loaded at once from a cluster; there is none here
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub batch_size: u32,
    /// Say on stderr how long it took
    #[arg(long)]
    pub show_performance: bool,
    /// Never take SLSA provenance v0.2 where a policy asks for v1, nor the other way round
    #[arg(long)]
    pub exact_slsa_versions: bool,
    /// Ask registries for images that no OCI layout has
    #[arg(long)]
    pub registry: bool,
    /// How many resources are evaluated at once [default: the machine's processors]
    #[arg(long, value_name = "N", visible_alias = "concurrent")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// What Kyverno's command line has and this one refuses
    #[command(flatten)]
    pub refused: RefusedArgs,
    /// Images
    #[command(flatten)]
    pub images: ImageArgs,
    /// Recording and replaying
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// Flags that are read so that they can be refused by name: they need a cluster, the network or CEL.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct RefusedArgs {
    #[arg(short, long, hide = true)]
    cluster: bool,
    #[arg(long, hide = true)]
    cluster_wide_resources: bool,
    #[arg(short, long, hide = true)]
    namespace: Option<String>,
    #[arg(long, hide = true)]
    kubeconfig: Option<String>,
    #[arg(long, hide = true)]
    context: Option<String>,
    #[arg(short = 'b', long, hide = true)]
    git_branch: Option<String>,
    #[arg(long, hide = true)]
    username: Option<String>,
    #[arg(long, hide = true)]
    password: Option<String>,
    #[arg(long, hide = true, value_delimiter = ',')]
    json: Vec<String>,
    #[arg(long, hide = true, value_delimiter = ',')]
    http_payload: Vec<String>,
    #[arg(long, hide = true, value_delimiter = ',')]
    envoy_payload: Vec<String>,
    #[arg(long, hide = true, value_delimiter = ',')]
    parameter_resource: Vec<String>,
    #[arg(long, hide = true, visible_alias = "crd-path", value_delimiter = ',')]
    crd_paths: Vec<String>,
}

fn duration(text: &str) -> Result<Duration, String> {
    Duration::parse(text).map_err(|error| error.to_string())
}

const CLUSTER: &str = "it needs a cluster, and Regent's command line asks none";
const NETWORK: &str = "policies are read from files; clone the repository and name its folder";
const CEL: &str = "it is for policies that are written in CEL, which are not supported yet";

impl RefusedArgs {
    /// The first of these flags that was given, and why it is refused.
    pub fn first(&self) -> Option<(&'static str, &'static str)> {
        let given = |value: &Option<String>| value.is_some();
        [
            (self.cluster, "--cluster", CLUSTER),
            (
                self.cluster_wide_resources,
                "--cluster-wide-resources",
                CLUSTER,
            ),
            (given(&self.namespace), "--namespace", CLUSTER),
            (given(&self.kubeconfig), "--kubeconfig", CLUSTER),
            (given(&self.context), "--context", CLUSTER),
            (given(&self.git_branch), "--git-branch", NETWORK),
            (given(&self.username), "--username", NETWORK),
            (given(&self.password), "--password", NETWORK),
            (!self.json.is_empty(), "--json", CEL),
            (!self.http_payload.is_empty(), "--http-payload", CEL),
            (!self.envoy_payload.is_empty(), "--envoy-payload", CEL),
            (
                !self.parameter_resource.is_empty(),
                "--parameter-resource",
                CEL,
            ),
            (!self.crd_paths.is_empty(), "--crd-paths", CEL),
        ]
        .into_iter()
        .find_map(|(given, flag, why)| given.then_some((flag, why)))
    }
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportFormat {
    /// YAML documents.
    Yaml,
    /// JSON documents, one a line.
    Json,
}

/// The API of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ReportApi {
    /// `openreports.io/v1alpha1`.
    #[value(name = "openreports.io")]
    OpenReports,
    /// `wgpolicyk8s.io/v1alpha2`.
    #[value(name = "wgpolicyk8s.io")]
    PolicyWorkingGroup,
}
