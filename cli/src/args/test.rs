//! `regent test`.

use std::path::PathBuf;

use super::facts::FactsArgs;
use super::image::ImageArgs;

/// `regent test`.
#[derive(Debug, Clone, clap::Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags of a command line are independent of each other"
)]
pub struct TestArgs {
    /// Directories that are searched for test files, or test files
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,
    /// Name of the test files
    #[arg(short, long, value_name = "NAME", default_value = "kyverno-test.yaml")]
    pub file_name: String,
    /// Run only these, with wildcards: `policy=P,rule=R,resource=X`
    #[arg(
        short,
        long,
        value_name = "SELECTOR",
        default_value = "policy=*,rule=*,resource=*"
    )]
    pub test_case_selector: String,
    /// How to show the results
    #[arg(
        long,
        value_enum,
        default_value = "human",
        visible_alias = "output-format",
        short = 'o'
    )]
    pub format: TestFormat,
    /// Show only rows that fail
    #[arg(long)]
    pub fail_only: bool,
    /// Show no colours
    #[arg(long)]
    pub remove_color: bool,
    /// Show the message of each result
    #[arg(long)]
    pub detailed_results: bool,
    /// Say why a rule did not do what was expected: what decided, where it stands in the policy, what was seen where
    #[arg(long)]
    pub explain: bool,
    /// Show which rules, and which branches of them, no row that passes made pass or fail
    #[arg(long)]
    pub coverage: bool,
    /// Write that to a file, in the format of lcov
    #[arg(long, value_name = "FILE")]
    pub coverage_output: Option<PathBuf>,
    /// Fail where no test is found
    #[arg(long)]
    pub require_tests: bool,
    /// Fail where a row passes without having tested anything: a rule, policy or resource that does not exist, nothing matched
    #[arg(long)]
    pub strict: bool,
    /// Never take SLSA provenance v0.2 where a policy asks for v1, nor the other way round
    #[arg(long)]
    pub exact_slsa_versions: bool,
    /// Ask registries for images that no OCI layout has
    #[arg(long)]
    pub registry: bool,
    /// The branch of a repository that a URL names, which is refused
    #[arg(short = 'b', long, hide = true)]
    pub git_branch: Option<String>,
    /// How many folders run at once [default: the machine's processors]
    #[arg(long, value_name = "N")]
    pub threads: Option<std::num::NonZeroUsize>,
    /// Images
    #[command(flatten)]
    pub images: ImageArgs,
    /// Recording and replaying
    #[command(flatten)]
    pub facts: FactsArgs,
}

/// How test results are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum TestFormat {
    /// Tables.
    Human,
    /// One JSON document on stdout.
    Json,
    /// The same as YAML.
    Yaml,
    /// Tables in Markdown.
    Markdown,
    /// `JUnit`'s XML.
    Junit,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}
