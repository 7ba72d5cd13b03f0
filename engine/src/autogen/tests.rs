//! Which rules a policy has once autogen has been through it.

use crate::load::{self, Environment};
use crate::source::Source;

fn names(rules: &str) -> Vec<String> {
    let text = format!(
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{name: example}}\nspec:\n  rules:\n{rules}"
    );
    let sources = [Source::new("policy.yaml", text)];
    let (policies, diagnostics) = load::front(&sources, &Environment::default());
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let rules = policies.iter().flat_map(|checked| &checked.policy().rules);
    rules.map(|rule| rule.name.value.clone()).collect()
}

fn rule(name: &str, kind: &str) -> String {
    format!(
        "    - name: {name}\n      match: {{any: [{{resources: {{kinds: [{kind}]}}}}]}}\n      validate: {{pattern: {{metadata: {{labels: {{team: \"?*\"}}}}}}}}\n"
    )
}

#[test]
fn an_authors_rule_stays_whatever_its_name() {
    let rules = rule("team", "Pod") + &rule("autogen-other", "Service");
    assert_eq!(
        names(&rules),
        [
            "team",
            "autogen-other",
            "autogen-team",
            "autogen-cronjob-team"
        ]
    );
}

/// Policies that Kyverno once stored have the rules of autogen written out.
#[test]
fn a_rule_that_was_stored_gives_way_to_what_is_made_now() {
    let rules = rule("team", "Pod") + &rule("autogen-team", "Deployment");
    assert_eq!(
        names(&rules),
        ["team", "autogen-team", "autogen-cronjob-team"]
    );
}
