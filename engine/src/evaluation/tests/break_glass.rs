use super::images::evidence;
use super::*;
use crate::admission::UserInfo;
use crate::load::BreakGlassFor;

const POLICIES: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: signed}
spec:
  rules:
  - name: by-us
    match: {any: [{resources: {kinds: [Pod]}}]}
    verifyImages:
    - imageReferences: ["ghcr.io/your-org/*"]
      failureAction: Enforce
      attestors: [{entries: [{keyless: {issuer: "https://issuer.example", subject: "us@example.com"}}]}]
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labelled}
spec:
  rules:
  - name: team
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {failureAction: Enforce, message: no team, pattern: {metadata: {labels: {team: "?*"}}}}
  - name: cost-centre
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {failureAction: Audit, message: no cost centre, pattern: {metadata: {labels: {cost: "?*"}}}}
---
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: asks}
spec:
  rules:
  - name: somebody
    match: {any: [{resources: {kinds: [Pod], operations: [UPDATE]}}]}
    context: [{name: answer, apiCall: {urlPath: /api/v1/namespaces}}]
    mutate: {patchStrategicMerge: {metadata: {labels: {answer: "{{ answer.kind }}"}}}}
"#;

/// Open when the tests are run, for the group `on-call`.
fn glass(more: &str, exceptions: &str) -> String {
    between(
        ("2026-05-28T20:00:00Z", "2026-05-28T22:00:00Z"),
        more,
        exceptions,
    )
}

fn between((from, to): (&str, &str), more: &str, exceptions: &str) -> String {
    format!(
        "---
apiVersion: regent.dev/v1
kind: BreakGlass
metadata: {{name: incident}}
spec:
  reason: the signer is down
  ticket: INC-1
  startsAt: {from}
  expiresAt: {to}
  match: {{any: [{{resources: {{kinds: [Pod], namespaces: [production]}}, subjects: [{{kind: Group, name: on-call}}]}}]}}
  exceptions: [{exceptions}]
{more}"
    )
}

const SIGNED: &str = "{policyName: signed, ruleNames: ['*']}";
const LABELLED: &str = "{policyName: labelled, ruleNames: ['*']}";

fn loaded(glass: &str) -> (Arc<PolicySet>, Vec<String>) {
    let environment = Environment {
        break_glass: BreakGlassFor::LONGEST,
        ..Environment::default()
    };
    let text = format!("{POLICIES}{glass}");
    let loaded = load(&[Source::new("policies.yaml", text)], &environment);
    let said = loaded.diagnostics.iter();
    let said = said.map(|one| one.message.clone()).collect();
    (loaded.policies, said)
}

fn broken_by(glass: &str) -> Arc<PolicySet> {
    let (policies, said) = loaded(glass);
    let wrong: Vec<_> = said
        .iter()
        .filter(|one| !one.contains("no digest"))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    policies
}

fn by(group: &str, image: &str) -> AdmissionRequest {
    AdmissionRequest {
        user_info: Some(UserInfo {
            username: "jane".into(),
            groups: vec![group.into()],
            ..UserInfo::default()
        }),
        ..pod(image)
    }
}

/// Nobody signed the image.
fn unsigned(need: &Need) -> Fact {
    match need {
        Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
            need.image.clone(),
            Arc::new(evidence(vec![], vec![])),
            Resolution::Registry,
        ))),
        _ => Fact::missing(need, FactError::Unavailable("nobody to ask".into())),
    }
}

fn unreachable(need: &Need) -> Fact {
    Fact::missing(need, FactError::Unavailable("the registry is down".into()))
}

fn decided(glass: &str, request: &AdmissionRequest, phase: Phase) -> Decision {
    evaluate(&broken_by(glass), request, phase, &unsigned).0
}

fn is_let_in(glass: &str, request: &AdmissionRequest) -> bool {
    matches!(
        decided(glass, request, Phase::Mutate),
        Decision::Allow { .. }
    )
}

#[test]
fn what_is_refused_is_let_in_said_and_pinned() {
    let request = by("on-call", "ghcr.io/your-org/app:v1");
    let set = broken_by(&glass("", SIGNED));
    let (decision, rules) = evaluate(&set, &request, Phase::Mutate, &unsigned);
    // What the rule says stays what it says.
    assert_eq!(rules[0].0, RuleStatus::Fail);
    let Decision::Allow {
        patch,
        warnings,
        audit,
    } = decision
    else {
        panic!("{decision:?}");
    };
    assert_eq!(
        patch,
        [PatchOperation::Replace {
            path: "/spec/containers/0/image".into(),
            value: json!(format!("ghcr.io/your-org/app:v1@{DIGEST}")),
        }]
    );
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    let start = "policy signed.by-us: let in by break-glass incident until 2026-05-28T22:00:00Z, this is recorded: failed to verify image";
    assert!(warnings[0].starts_with(start), "{warnings:?}");
    assert_eq!(
        audit,
        [("break-glass", "incident (INC-1): signed/by-us".to_owned())]
    );
}

#[test]
fn nobody_else_nowhere_else_at_no_other_time_and_from_no_other_rule() {
    let open = glass("", SIGNED);
    let right = by("on-call", "ghcr.io/your-org/app:v1");
    assert!(is_let_in(&open, &right));
    assert!(!is_let_in(
        &open,
        &by("developers", "ghcr.io/your-org/app:v1")
    ));
    // Where nobody says who asks, it is nobody who is named.
    assert!(!is_let_in(&open, &pod("ghcr.io/your-org/app:v1")));
    let mut elsewhere = right.clone();
    elsewhere.namespace = Some("payments".into());
    object_of(&mut elsewhere)["metadata"]["namespace"] = json!("payments");
    assert!(!is_let_in(&open, &elsewhere));
    for (window, expected) in [
        (("2026-05-28T20:26:40Z", "2026-05-28T20:26:41Z"), true),
        (("2026-05-28T20:26:41Z", "2026-05-28T22:00:00Z"), false),
        (("2026-05-28T20:00:00Z", "2026-05-28T20:26:40Z"), false),
        // In other time zones.
        (
            ("2026-05-28T22:26:40+02:00", "2026-05-28T22:26:41+02:00"),
            true,
        ),
        (
            ("2026-05-28T20:00:00+02:00", "2026-05-28T22:00:00+02:00"),
            false,
        ),
    ] {
        let glass = between(window, "", SIGNED);
        assert_eq!(is_let_in(&glass, &right), expected, "{window:?}");
    }
    let other = decided(&glass("", LABELLED), &right, Phase::Mutate);
    assert!(matches!(other, Decision::Deny { .. }));
    // One of two that refuse is not enough.
    let both = decided(&open, &right, Phase::Validate);
    let Decision::Deny { message } = both else {
        panic!("{both:?}");
    };
    assert!(message.contains("no team"), "{message}");
    assert!(!message.contains("by-us"), "{message}");
}

#[test]
fn what_could_not_be_found_out_is_let_in_too() {
    let set = broken_by(&glass("", SIGNED));
    let request = by("on-call", "ghcr.io/your-org/app:v1");
    let (decision, rules) = evaluate(&set, &request, Phase::Mutate, &unreachable);
    assert_eq!(rules[0].0, RuleStatus::Error);
    let Decision::Allow { patch, .. } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(patch, [], "nobody knows the digest");
}

#[test]
fn only_images_that_are_named_by_what_is_pulled() {
    let named = |image: &str| glass(&format!("  images: ['{image}']\n"), SIGNED);
    let by_digest = format!("ghcr.io/your-org/app@{DIGEST}");
    let tagged = by("on-call", "ghcr.io/your-org/app:v1");
    // The digest that a tag has is put in, so that it is what runs.
    assert!(is_let_in(&named(&by_digest), &tagged));
    assert!(is_let_in(&named("ghcr.io/your-org/app:v1"), &tagged));
    assert!(!is_let_in(&named("ghcr.io/your-org/app:v2"), &tagged));
    let other = format!("ghcr.io/your-org/app@sha256:{}", "1".repeat(64));
    assert!(!is_let_in(&named(&other), &tagged));
    // A tag beside a digest is anybody's to write.
    let disguised = by("on-call", &format!("ghcr.io/your-org/app:v1@{DIGEST}"));
    assert!(!is_let_in(&named("ghcr.io/your-org/app:v1"), &disguised));
    assert!(is_let_in(&named(&by_digest), &disguised));
    // All that is refused has to be named.
    let mut two = tagged;
    let containers = &mut object_of(&mut two)["spec"]["containers"];
    let second = json!({"name": "d", "image": "ghcr.io/your-org/other:v1"});
    containers.as_array_mut().unwrap().push(second);
    assert!(!is_let_in(&named("ghcr.io/your-org/app:v1"), &two));
    assert!(is_let_in(&named("ghcr.io/your-org/*"), &two));
    // A rule about no image is about none that is named.
    let labels = glass("  images: ['*']\n", LABELLED);
    let of_labels = decided(&labels, &by("on-call", "elsewhere/app:v1"), Phase::Validate);
    assert!(matches!(of_labels, Decision::Deny { .. }));
}

#[test]
fn a_tag_that_is_not_pinned_is_no_digest() {
    let by_digest = glass(
        &format!("  images: ['ghcr.io/your-org/app@{DIGEST}']\n"),
        SIGNED,
    );
    let unpinned = POLICIES.replace(
        "      attestors",
        "      mutateDigest: false\n      attestors",
    );
    let environment = Environment {
        break_glass: BreakGlassFor::LONGEST,
        ..Environment::default()
    };
    let text = format!("{unpinned}{by_digest}");
    let policies = load(&[Source::new("policies.yaml", text)], &environment).policies;
    let request = by("on-call", "ghcr.io/your-org/app:v1");
    let (decision, _) = evaluate(&policies, &request, Phase::Mutate, &unsigned);
    assert!(matches!(decision, Decision::Deny { .. }), "{decision:?}");
}

#[test]
fn what_only_audits_breaks_no_glass() {
    let mut request = by("on-call", "elsewhere/app:v1");
    object_of(&mut request)["metadata"]["labels"] = json!({"team": "a"});
    let decision = decided(&glass("", LABELLED), &request, Phase::Validate);
    let Decision::Allow { audit, .. } = decision else {
        panic!("{decision:?}");
    };
    assert_eq!(audit, []);
}

#[test]
fn a_change_that_cannot_be_made_is_let_be() {
    let request = AdmissionRequest {
        operation: Operation::Update,
        ..by("on-call", "ghcr.io/your-org/app:v1")
    };
    let asks = "{policyName: asks, ruleNames: [somebody]}";
    let both = format!("{SIGNED}, {asks}");
    for (exceptions, expected) in [(both.as_str(), true), (SIGNED, false), (asks, false)] {
        let set = broken_by(&glass("", exceptions));
        let (decision, _) = evaluate(&set, &request, Phase::Mutate, &unsigned);
        let allowed = matches!(decision, Decision::Allow { .. });
        assert_eq!(allowed, expected, "{exceptions}: {decision:?}");
    }
}

#[test]
fn conditions_and_roles_are_asked_for() {
    let conditions = "  conditions: {all: [{key: '{{ request.object.metadata.annotations.ticket }}', operator: Equals, value: INC-1}]}\n";
    let glass_with = glass(conditions, SIGNED);
    let mut request = by("on-call", "ghcr.io/your-org/app:v1");
    assert!(!is_let_in(&glass_with, &request));
    object_of(&mut request)["metadata"]["annotations"] = json!({"ticket": "INC-1"});
    assert!(is_let_in(&glass_with, &request));
    let by_role = glass("", SIGNED).replace(
        "subjects: [{kind: Group, name: on-call}]",
        "clusterRoles: [breaker]",
    );
    request.roles = None;
    let with = |roles: Vec<String>| {
        evaluate(&broken_by(&by_role), &request, Phase::Mutate, &|need| {
            let cluster_roles = roles.clone();
            match need {
                Need::Roles => Fact::Roles(Ok(Roles {
                    cluster_roles,
                    ..Roles::default()
                })),
                _ => unsigned(need),
            }
        })
    };
    assert!(matches!(
        with(vec!["breaker".into()]).0,
        Decision::Allow { .. }
    ));
    assert!(matches!(with(vec!["view".into()]).0, Decision::Deny { .. }));
}

#[test]
fn it_is_judged_as_if_there_were_none_where_that_is_asked() {
    let request = Arc::new(by("on-call", "ghcr.io/your-org/app:v1"));
    let set = broken_by(&glass("", SIGNED));
    let evaluation = set.evaluate(Arc::clone(&request), Phase::Mutate, Scope::All, NOW);
    let mut evaluation = evaluation.without_break_glass();
    let responses = loop {
        match evaluation.step() {
            Step::Done(responses) => break responses,
            Step::Need(needs) => {
                for (id, need) in needs {
                    evaluation.answer(id, unsigned(&need));
                }
            }
        }
    };
    assert!(matches!(
        decide(&request, &responses),
        Decision::Deny { .. }
    ));
}

/// What is said of a break-glass, and that it lets nothing in.
fn refused(glass: &str) -> String {
    let (policies, said) = loaded(glass);
    assert!(policies.break_glass().is_empty(), "{glass}");
    said.join("; ")
}

#[test]
fn what_is_open_to_all_or_for_long_or_for_no_reason_is_refused() {
    let open = glass("", SIGNED);
    let anybody = open.replace(", subjects: [{kind: Group, name: on-call}]", "");
    assert_eq!(refused(&anybody), "the break-glass is for anybody");
    let one_of_two = open.replace(
        "match: {any: [",
        "match: {any: [{resources: {kinds: [Pod]}}, ",
    );
    assert_eq!(refused(&one_of_two), "the break-glass is for anybody");
    let long = between(("2026-05-28T20:00:00Z", "2026-05-29T20:00:01Z"), "", SIGNED);
    assert_eq!(
        refused(&long),
        "the break-glass is open for 24h0m1s, and may be for 24h0m0s"
    );
    let backwards = between(("2026-05-28T20:00:00Z", "2026-05-28T20:00:00Z"), "", SIGNED);
    assert_eq!(refused(&backwards), "the break-glass ends before it starts");
    let silent = open.replace("reason: the signer is down", "reason: ' '");
    assert_eq!(refused(&silent), "`reason` cannot be empty");
    let for_ever = open.replace("  expiresAt: 2026-05-28T22:00:00Z\n", "");
    assert!(refused(&for_ever).contains("`expiresAt`"));
    let someday = open.replace("2026-05-28T22:00:00Z", "tomorrow");
    assert!(refused(&someday).contains("`expiresAt` is no time"));
    let none = glass("  images: []\n", SIGNED);
    assert_eq!(refused(&none), "`images` names no image");
    let unknown = glass("  forever: true\n", SIGNED);
    assert!(refused(&unknown).contains("forever"));
    let namespaced = open.replace("{name: incident}", "{name: incident, namespace: a}");
    assert_eq!(refused(&namespaced), "a break-glass is in no namespace");
    let twice = format!("{open}{open}");
    let (policies, said) = loaded(&twice);
    assert_eq!(policies.break_glass().len(), 1);
    assert_eq!(said, ["there is another break-glass `incident`"]);
}

#[test]
fn a_misspelt_rule_and_an_image_without_a_digest_are_warned_of() {
    let misspelt = glass("", "{policyName: singed, ruleNames: [by-us]}");
    let (_, said) = loaded(&misspelt);
    assert_eq!(
        said,
        ["the exception names a policy that is not there: `singed`"]
    );
    let tagged = glass("  images: ['ghcr.io/your-org/app:v1']\n", SIGNED);
    let (_, said) = loaded(&tagged);
    assert_eq!(
        said,
        ["`ghcr.io/your-org/app:v1` has no digest: whatever is pushed there meanwhile is let in"]
    );
    for any in ["*@sha256:*", "ghcr.io/your-org/app@sha256:0123"] {
        let (_, said) = loaded(&glass(&format!("  images: ['{any}']\n"), SIGNED));
        assert!(said[0].contains("has no digest"), "{said:?}");
    }
}

#[test]
fn one_that_is_let_in_hides_nothing_that_another_rule_refuses() {
    let policies = "apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: labelled}
spec:
  applyRules: One
  rules:
  - name: team
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {failureAction: Enforce, message: no team, pattern: {metadata: {labels: {team: '?*'}}}}
  - name: cost-centre
    match: {any: [{resources: {kinds: [Pod]}}]}
    validate: {failureAction: Enforce, message: no cost centre, pattern: {metadata: {labels: {cost: '?*'}}}}
";
    let glass = glass("", "{policyName: labelled, ruleNames: [team]}");
    let environment = Environment {
        break_glass: BreakGlassFor::LONGEST,
        ..Environment::default()
    };
    let text = format!("{policies}{glass}");
    let policies = load(&[Source::new("policies.yaml", text)], &environment).policies;
    let request = by("on-call", "elsewhere/app:v1");
    let (decision, _) = evaluate(&policies, &request, Phase::Validate, &unsigned);
    let Decision::Deny { message } = decision else {
        panic!("{decision:?}");
    };
    assert!(message.contains("no cost centre"), "{message}");
}

#[test]
fn it_has_no_effect_where_it_is_not_enabled() {
    let text = format!("{POLICIES}{}", glass("", SIGNED));
    let loaded = load(
        &[Source::new("policies.yaml", text)],
        &Environment::default(),
    );
    assert!(loaded.policies.break_glass().is_empty());
    let said: Vec<_> = loaded.diagnostics.iter().map(|one| &one.message).collect();
    assert_eq!(said, ["break-glass is not enabled: this one has no effect"]);
}
