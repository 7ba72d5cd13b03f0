use super::*;
use crate::image::Projected;

const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0";
const ISSUER: &str = "https://token.actions.githubusercontent.com";
pub(super) const WORKFLOW: &str =
    "https://github.com/your-org/app/.github/workflows/release.yml@refs/heads/main";
const V1: &str = "https://slsa.dev/provenance/v1";
const V02: &str = "https://slsa.dev/provenance/v0.2";

const POLICY: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata:
  name: verify-slsa-provenance
spec:
  validationFailureAction: Enforce
  webhookTimeoutSeconds: 30
  rules:
    - name: verify-provenance
      match:
        any:
          - resources:
              kinds: [Pod]
              namespaces: [production, staging]
      verifyImages:
        - imageReferences:
            - "ghcr.io/your-org/*"
          attestors:
            - count: 1
              entries:
                - keyless:
                    issuer: "https://token.actions.githubusercontent.com"
                    subject: "https://github.com/your-org/*"
                    rekor:
                      url: "https://rekor.sigstore.dev"
          attestations:
            - type: https://slsa.dev/provenance/v1
              conditions:
                - all:
                    - key: "{{ builder.id }}"
                      operator: Equals
                      value: "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0"
"#;

fn verification(subject: &str, extensions: &[(&str, &str)]) -> Verification {
    Verification {
        signer: Signer::Certificate(CertificateIdentity {
            issuer: ISSUER.into(),
            subjects: vec![subject.into()],
            extensions: extensions
                .iter()
                .map(|(oid, value)| ((*oid).into(), (*value).into()))
                .collect(),
            sct_verified: true,
            validity: (1, 2),
        }),
        format: Format::Bundle,
        carrier: String::new(),
        log_entries: vec![LogEntry {
            log_id: "00".into(),
            log_url: "https://rekor.sigstore.dev".into(),
            log_key: "11".into(),
            kind: "dsse 0.0.1".into(),
            log_index: 1,
            integrated_time: Some(1),
            inclusion_proof: true,
            promise: true,
        }],
        timestamps: vec![],
    }
}

pub(super) fn signature(subject: &str) -> VerifiedSignature {
    VerifiedSignature {
        verified: verification(subject, &[]),
        annotations: Value::Null,
        payload: Value::Null,
    }
}

const REPOSITORY: (&str, &str) = ("1.3.6.1.4.1.57264.1.12", "https://github.com/your-org/app");

pub(super) fn statement(predicate_type: &str, builder: &str, signer: &str) -> VerifiedStatement {
    let predicate = if predicate_type == V1 {
        json!({"buildDefinition": {}, "runDetails": {"builder": {"id": builder}}})
    } else {
        json!({"builder": {"id": builder}})
    };
    VerifiedStatement {
        verified: verification(signer, &[REPOSITORY]),
        statement_type: "https://in-toto.io/Statement/v1".into(),
        predicate_type: predicate_type.into(),
        predicate: predicate.into(),
        annotations: Value::Null,
        envelope: None,
    }
}

pub(super) fn evidence(
    signatures: Vec<VerifiedSignature>,
    statements: Vec<VerifiedStatement>,
) -> Evidence {
    Evidence {
        digest: Digest::parse(DIGEST).expect("a digest"),
        trust_root: "t".into(),
        signatures,
        statements,
        refused: vec![],
        has_unread: false,
        fetched_at: 1,
        projected: Projected::default(),
    }
}

fn right() -> Evidence {
    evidence(
        vec![signature(WORKFLOW)],
        vec![statement(V1, GENERATOR, GENERATOR)],
    )
}

/// The reference policy on an image with some evidence.
fn judge_under(
    policy: &str,
    phase: Phase,
    resolution: Resolution,
    evidence: &Evidence,
) -> (Decision, Vec<(RuleStatus, String)>) {
    let image = match phase {
        Phase::Mutate => "ghcr.io/your-org/app:v1".to_owned(),
        Phase::Validate => format!("ghcr.io/your-org/app:v1@{DIGEST}"),
    };
    evaluate(&set(policy), &pod(&image), phase, &|need| match need {
        Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
            need.image.clone(),
            Arc::new(evidence.clone()),
            resolution,
        ))),
        Need::NamespaceLabels { .. }
        | Need::Roles
        | Need::Data(_)
        | Need::Inventory(_)
        | Need::Guest(_) => no_facts(need),
    })
}

fn judge(evidence: &Evidence) -> Result<(), String> {
    let mutated = judge_under(POLICY, Phase::Mutate, Resolution::Registry, evidence);
    let validated = judge_under(POLICY, Phase::Validate, Resolution::Reference, evidence);
    let [(status, message)] = &mutated.1[..] else {
        panic!("one rule: {mutated:?}");
    };
    assert_eq!(*status, validated.1[0].0, "both phases agree");
    let allowed = *status == RuleStatus::Pass;
    assert_eq!(matches!(mutated.0, Decision::Allow { .. }), allowed);
    assert_eq!(matches!(validated.0, Decision::Allow { .. }), allowed);
    if allowed {
        Ok(())
    } else {
        Err(message.clone())
    }
}

pub(super) fn refused(evidence: &Evidence, why: &str) {
    let message = judge(evidence).expect_err("refused");
    assert!(message.contains(why), "{message}");
}

#[test]
fn the_right_image_passes_and_its_digest_is_patched_in() {
    assert_eq!(judge(&right()), Ok(()));
    let (decision, _) = judge_under(POLICY, Phase::Mutate, Resolution::Registry, &right());
    let Decision::Allow { patch, .. } = decision else {
        panic!("allowed")
    };
    assert_eq!(
        patch,
        [PatchOperation::Replace {
            path: "/spec/containers/0/image".into(),
            value: json!(format!("ghcr.io/your-org/app:v1@{DIGEST}")),
        }]
    );
}

#[test]
fn the_signature_must_be_there_and_of_the_identity() {
    let statements = || vec![statement(V1, GENERATOR, GENERATOR)];
    refused(
        &evidence(vec![], statements()),
        ".attestors[0].entries[0].keyless: no signatures found",
    );
    for other in [
        "https://github.com/other/x",
        "https://github.com/your-org-evil/x",
    ] {
        let message =
            format!("subject mismatch: expected https://github.com/your-org/*, received {other}");
        refused(&evidence(vec![signature(other)], statements()), &message);
    }
    let mut unlogged = signature(WORKFLOW);
    unlogged.verified.log_entries.clear();
    refused(
        &evidence(vec![unlogged], statements()),
        "no transparency log entry",
    );
}

#[test]
fn provenance_must_be_there_and_come_from_the_builder_that_it_names() {
    let with = |statements| evidence(vec![signature(WORKFLOW)], statements);
    refused(
        &with(vec![]),
        "attestations not found for predicate type https://slsa.dev/provenance/v1",
    );
    refused(
        &with(vec![statement(V1, GENERATOR, WORKFLOW)]),
        &format!("provenance names builder {GENERATOR}, but is signed by {WORKFLOW}"),
    );
    let older = GENERATOR.replace("v2.0.0", "v1.9.0");
    refused(
        &with(vec![statement(V1, &older, &older)]),
        &format!("built by {older}, wanted {GENERATOR}"),
    );
    refused(
        &with(vec![statement(V1, GENERATOR, &older)]),
        "but is signed by",
    );
    let mut foreign = statement(V1, GENERATOR, GENERATOR);
    foreign.verified = verification(GENERATOR, &[(REPOSITORY.0, "https://github.com/other/app")]);
    refused(
        &with(vec![foreign]),
        "was called by https://github.com/other/app, wanted https://github.com/your-org/*",
    );
    let mut silent = statement(V1, GENERATOR, GENERATOR);
    silent.verified = verification(GENERATOR, &[]);
    refused(&with(vec![silent]), "does not say who called it");
    let mut oldest = statement(V1, GENERATOR, GENERATOR);
    oldest.verified = verification(GENERATOR, &[("1.3.6.1.4.1.57264.1.5", "your-org/app")]);
    assert_eq!(judge(&with(vec![oldest])), Ok(()));
}

#[test]
fn all_statements_that_are_used_must_satisfy_the_conditions() {
    let older = GENERATOR.replace("v2.0.0", "v1.9.0");
    let two = vec![
        statement(V1, GENERATOR, GENERATOR),
        statement(V1, &older, &older),
    ];
    refused(&evidence(vec![signature(WORKFLOW)], two), "built by");
}

#[test]
fn the_other_version_answers_only_where_the_asked_one_is_not_there() {
    let with = |statements| evidence(vec![signature(WORKFLOW)], statements);
    assert_eq!(
        judge(&with(vec![statement(V02, GENERATOR, GENERATOR)])),
        Ok(())
    );
    let (decision, _) = judge_under(
        POLICY,
        Phase::Mutate,
        Resolution::Registry,
        &with(vec![statement(V02, GENERATOR, GENERATOR)]),
    );
    let Decision::Allow { warnings, .. } = decision else {
        panic!("allowed")
    };
    assert_eq!(
        warnings,
        [
            "policy verify-slsa-provenance.verify-provenance: image ghcr.io/your-org/app:v1 verified: SLSA provenance v0.2 answers for v1"
        ]
    );
    let older = GENERATOR.replace("v2.0.0", "v1.9.0");
    let both = vec![
        statement(V1, &older, &older),
        statement(V02, GENERATOR, GENERATOR),
    ];
    refused(&with(both), "built by");
    let off = POLICY.replace(
        "  name: verify-slsa-provenance\n",
        "  name: verify-slsa-provenance\n  annotations:\n    regent.dev/slsa-version-fallback: \"false\"\n",
    );
    let only = with(vec![statement(V02, GENERATOR, GENERATOR)]);
    let (_, rules) = judge_under(&off, Phase::Mutate, Resolution::Registry, &only);
    assert_eq!(rules[0].0, RuleStatus::Fail);
    let more = POLICY.replace("{{ builder.id }}", "{{ buildDefinition.buildType }}");
    let (_, rules) = judge_under(&more, Phase::Mutate, Resolution::Registry, &only);
    assert_eq!(rules[0].0, RuleStatus::Fail);
}

#[test]
fn github_hosted_runners_are_a_builder_of_the_table() {
    let hosted = "https://github.com/actions/runner/github-hosted";
    let policy = POLICY.replace(GENERATOR, hosted);
    let of = |signer: &str, environment: &str| {
        let mut one = statement(V1, hosted, signer);
        one.verified = verification(
            signer,
            &[REPOSITORY, ("1.3.6.1.4.1.57264.1.11", environment)],
        );
        let evidence = evidence(vec![signature(WORKFLOW)], vec![one]);
        judge_under(&policy, Phase::Mutate, Resolution::Registry, &evidence).1[0].0
    };
    assert_eq!(of(WORKFLOW, "github-hosted"), RuleStatus::Pass);
    assert_eq!(of(WORKFLOW, "self-hosted"), RuleStatus::Fail);
    assert_eq!(
        of("https://github.com/other/w.yml", "github-hosted"),
        RuleStatus::Fail
    );
}

#[test]
fn a_remembered_digest_counts_only_where_it_is_patched_in() {
    let remembered = Resolution::Remembered { age: 60 };
    let (decision, _) = judge_under(POLICY, Phase::Mutate, remembered, &right());
    assert!(matches!(decision, Decision::Allow { .. }));
    let unpatched = POLICY.replace(
        "        - imageReferences:",
        "        - mutateDigest: false\n          imageReferences:",
    );
    let (decision, rules) = judge_under(&unpatched, Phase::Mutate, remembered, &right());
    assert!(matches!(decision, Decision::Deny { .. }), "{rules:?}");
}

#[test]
fn an_image_without_digest_is_refused_when_it_is_stored() {
    let answered = evaluate(
        &set(POLICY),
        &pod("ghcr.io/your-org/app:v1"),
        Phase::Validate,
        &no_facts,
    );
    assert_eq!(
        answered.1,
        [(
            RuleStatus::Fail,
            "missing digest for ghcr.io/your-org/app:v1".to_owned()
        )]
    );
}

#[test]
fn what_the_host_cannot_answer_is_an_error_and_no_allow() {
    let unreachable = |_: &Need| {
        Fact::Image(Err(FactError::Unavailable(
            "registry ghcr.io did not answer".into(),
        )))
    };
    for answer in [&unreachable as &dyn Fn(&Need) -> Fact, &no_facts] {
        let (decision, rules) = evaluate(
            &set(POLICY),
            &pod("ghcr.io/your-org/app:v1"),
            Phase::Mutate,
            answer,
        );
        assert!(matches!(decision, Decision::Deny { .. }));
        assert_eq!(rules[0].0, RuleStatus::Error);
    }
}

/// `failurePolicy: Ignore` lets in what could not be found out, and nothing that whoever pushed an image can bring about.
#[test]
fn what_was_answered_and_proves_nothing_is_a_failure_and_no_error() {
    let ignoring = POLICY.replace("spec:\n  vali", "spec:\n  failurePolicy: Ignore\n  vali");
    let why = || "why".to_owned();
    let outage = [
        FactError::Unavailable(why()),
        FactError::Timeout(why()),
        FactError::NoSource(why()),
    ];
    let answered = [
        FactError::NotFound(why()),
        FactError::Malformed(why()),
        FactError::Unauthorized(why()),
    ];
    let with_status = outage.into_iter().map(|error| (error, RuleStatus::Error));
    let answered = answered.into_iter().map(|error| (error, RuleStatus::Fail));
    for (error, status) in with_status.chain(answered) {
        let answer = |_: &Need| Fact::Image(Err(error.clone()));
        let image = pod("ghcr.io/your-org/app:v1");
        let (decision, rules) = evaluate(&set(&ignoring), &image, Phase::Mutate, &answer);
        assert_eq!(rules[0].0, status, "{error:?}");
        let allowed = matches!(decision, Decision::Allow { .. });
        assert_eq!(allowed, status == RuleStatus::Error, "{error:?}");
    }
    let mut crowd = pod("ghcr.io/your-org/app:v1");
    let container = json!({"name": "a", "image": "ghcr.io/your-org/app:v1"});
    object_of(&mut crowd)["spec"]["containers"] = vec![container; 257].into();
    let unreadable = pod("ghcr.io/your-org/app@sha512:0");
    for refused in [crowd, unreadable] {
        let (decision, rules) = evaluate(&set(&ignoring), &refused, Phase::Mutate, &no_facts);
        assert!(matches!(decision, Decision::Deny { .. }), "{rules:?}");
    }
}

/// Neither is what was signed and lacks what conditions look at, where they look at nothing else.
#[test]
fn what_was_signed_and_cannot_be_judged_is_a_failure_and_no_error() {
    let ignoring = POLICY
        .replace("spec:\n  vali", "spec:\n  failurePolicy: Ignore\n  vali")
        .replace("{{ builder.id }}", "{{ buildDefinition.no.such }}");
    let of = |policy: &str| judge_under(policy, Phase::Mutate, Resolution::Registry, &right());
    let (decision, rules) = of(&ignoring);
    assert_eq!(rules[0].0, RuleStatus::Fail, "{rules:?}");
    assert!(matches!(decision, Decision::Deny { .. }));
    // What the cluster was asked for may be why.
    let asking = ignoring.replace(
        "      match:\n",
        "      context:\n        - name: other\n          configMap: {name: a, namespace: b}\n      match:\n",
    );
    let (_, rules) = of(&asking);
    assert_eq!(rules[0].0, RuleStatus::Error, "{rules:?}");
}

#[test]
fn a_tag_beside_a_digest_leaves_nothing_out() {
    let skipping = POLICY.replace(
        "          attestors:\n",
        "          skipImageReferences: [\"ghcr.io/your-org/tool:1.*\", \"ghcr.io/your-org/free*\"]\n          attestors:\n",
    );
    let status =
        |image: &str| evaluate(&set(&skipping), &pod(image), Phase::Mutate, &no_facts).1[0].0;
    assert_eq!(status("ghcr.io/your-org/tool:1.2"), RuleStatus::Skip);
    assert_eq!(status("GHCR.IO/your-org/tool:1.2"), RuleStatus::Skip);
    // What runs is what the digest names, and anybody can write any tag before it.
    let decoy = format!("ghcr.io/your-org/tool:1.2@{DIGEST}");
    assert_ne!(status(&decoy), RuleStatus::Skip);
    assert_eq!(
        status(&format!("ghcr.io/your-org/free:1@{DIGEST}")),
        RuleStatus::Skip
    );
    // The rule itself is about an image by its tag as well, so that a patched digest does not take it out.
    let tagged = POLICY.replace(
        "\"ghcr.io/your-org/*\"\n          attestors",
        "\"ghcr.io/your-org/app:v*\"\n          attestors",
    );
    let pinned = pod(&format!("ghcr.io/your-org/app:v1@{DIGEST}"));
    let (_, rules) = evaluate(&set(&tagged), &pinned, Phase::Mutate, &no_facts);
    assert_ne!(rules[0].0, RuleStatus::Skip);
}

#[test]
fn docker_hub_is_one_registry_under_all_its_names() {
    let hub = POLICY.replace("ghcr.io/your-org/*", "docker.io/acme/*");
    for image in [
        "acme/app",
        "docker.io/acme/app",
        "index.docker.io/acme/app",
        "registry-1.docker.io/acme/app",
        "Registry-1.Docker.io:443/acme/app",
    ] {
        let (decision, rules) = evaluate(&set(&hub), &pod(image), Phase::Mutate, &no_facts);
        assert!(
            matches!(decision, Decision::Deny { .. }),
            "{image}: {rules:?}"
        );
    }
}

#[test]
fn spelling_does_not_evade_the_rule_and_other_images_are_not_its_business() {
    for image in [
        "GHCR.io/your-org/app:v1",
        "ghcr.io:443/your-org/app",
        "ghcr.io:0443/your-org/app",
        "ghcr.io/Bad/app",
        "ghcr.io/your-org/a@sha256:0",
    ] {
        let (decision, rules) = evaluate(&set(POLICY), &pod(image), Phase::Mutate, &no_facts);
        assert!(
            matches!(decision, Decision::Deny { .. }),
            "{image}: {rules:?}"
        );
    }
    let (decision, rules) = evaluate(
        &set(POLICY),
        &pod("docker.io/library/nginx"),
        Phase::Mutate,
        &no_facts,
    );
    assert!(matches!(decision, Decision::Allow { .. }));
    assert_eq!(rules[0].0, RuleStatus::Skip);
    let mut elsewhere = pod("ghcr.io/your-org/app:v1");
    elsewhere.namespace = Some("default".into());
    let (decision, rules) = evaluate(&set(POLICY), &elsewhere, Phase::Mutate, &no_facts);
    assert_eq!(
        (decision, rules.len()),
        (
            Decision::Allow {
                patch: vec![],
                warnings: vec![],
                audit: vec![],
            },
            0
        )
    );
}

#[test]
fn every_place_of_an_image_is_looked_at_also_in_controllers() {
    let spec = |list: &str, item: Value| json!({"containers": [], list: [item]});
    let image = "ghcr.io/your-org/app:v1";
    let places = [
        (
            spec("containers", json!({"image": image})),
            "containers/0/image",
        ),
        (
            spec("initContainers", json!({"image": image})),
            "initContainers/0/image",
        ),
        (
            spec("ephemeralContainers", json!({"image": image})),
            "ephemeralContainers/0/image",
        ),
        (
            spec(
                "volumes",
                json!({"name": "v", "image": {"reference": image}}),
            ),
            "volumes/0/image/reference",
        ),
    ];
    for (spec, place) in places {
        let metadata = json!({"name": "x", "namespace": "production"});
        let of = |kind: &str, spec: Value| {
            request(
                kind,
                json!({"kind": kind, "metadata": metadata, "spec": spec}),
            )
        };
        let template = json!({"template": {"spec": spec}});
        let mut cron = of("CronJob", json!({"jobTemplate": {"spec": template}}));
        cron.kind.group = "batch".into();
        for (request, prefix) in [
            (of("Pod", spec), "/spec/"),
            (of("Deployment", template), "/spec/template/spec/"),
            (cron, "/spec/jobTemplate/spec/template/spec/"),
        ] {
            let (decision, rules) =
                evaluate(&set(POLICY), &request, Phase::Mutate, &|need| match need {
                    Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
                        need.image.clone(),
                        Arc::new(right()),
                        Resolution::Registry,
                    ))),
                    _ => no_facts(need),
                });
            let Decision::Allow { patch, .. } = decision else {
                panic!("{rules:?}")
            };
            let [PatchOperation::Replace { path, .. }] = &patch[..] else {
                panic!("{patch:?}")
            };
            assert_eq!(*path, format!("{prefix}{place}"));
        }
    }
}

#[test]
fn a_tag_that_moves_during_the_request_is_an_error() {
    let two = POLICY.replace(
        "          attestations:\n",
        "            - entries:\n                - keyless:\n                    issuer: \"*\"\n                    subject: \"https://github.com/your-org/*\"\n          attestations:\n",
    );
    let moved = std::cell::Cell::new(false);
    let (decision, rules) = evaluate(
        &set(&two),
        &pod("ghcr.io/your-org/app:v1"),
        Phase::Mutate,
        &|need| {
            let Need::Image(need) = need else {
                panic!("an image")
            };
            let mut evidence = right();
            if moved.replace(true) {
                evidence.digest = Digest::parse(&DIGEST.replace('0', "1")).expect("a digest");
            }
            Fact::Image(Ok(VerifiedImage::assertion(
                need.image.clone(),
                Arc::new(evidence),
                Resolution::Registry,
            )))
        },
    );
    assert!(matches!(decision, Decision::Deny { .. }));
    assert!(rules[0].1.contains("stands for"), "{rules:?}");
}
