//! `slsa`, and what annotations of a policy ask of its evidence.

use super::attestors::{diagnostics, fails, judge, passes, policy};
use super::images::{WORKFLOW, evidence, refused, signature, statement};
use super::*;

pub(super) const V1: &str = "https://slsa.dev/provenance/v1";
const V02: &str = "https://slsa.dev/provenance/v0.2";
const SUMMARY: &str = "https://slsa.dev/verification_summary/v1";
const HOSTED: &str = "https://github.com/actions/runner/github-hosted";
pub(super) const GENERATOR: &str = "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_container_slsa3.yml@refs/tags/v2.0.0";
pub(super) const CALLER: &str =
    "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";
pub(super) const ISSUER: &str = "https://token.actions.githubusercontent.com";

/// Provenance as the generator or the action of GitHub writes it.
pub(super) fn provenance(version: &str, builder: &str, signer: &str) -> VerifiedStatement {
    let mut one = statement(version, builder, signer);
    let uri = "git+https://github.com/acme/app@refs/tags/v1";
    if version == V1 {
        one.predicate = json!({
            "buildDefinition": {
                "externalParameters": {"workflow": {
                    "repository": "https://github.com/acme/app", "ref": "refs/tags/v1",
                    "path": ".github/workflows/release.yml",
                }},
                "resolvedDependencies": [{"uri": uri}],
            },
            "runDetails": {"builder": {"id": builder}},
        })
        .into();
    } else {
        one.predicate = json!({
            "builder": {"id": builder},
            "invocation": {"configSource": {
                "uri": uri, "entryPoint": ".github/workflows/release.yml",
            }},
            "materials": [{"uri": uri}],
        })
        .into();
    }
    claim(&mut one, "12", "https://github.com/acme/app");
    claim(&mut one, "11", "github-hosted");
    one
}

/// Changes what a statement says.
fn change(statement: &mut VerifiedStatement, change: impl FnOnce(&mut Value)) {
    let mut said = Value::clone(&statement.predicate.value().unwrap());
    change(&mut said);
    statement.predicate = said.into();
}

pub(super) fn claim(statement: &mut VerifiedStatement, number: &str, value: &str) {
    if let Signer::Certificate(identity) = &mut statement.verified.signer {
        let oid = format!("1.3.6.1.4.1.57264.1.{number}");
        identity.extensions.insert(oid, value.to_owned());
    }
}

pub(super) fn of(statements: Vec<VerifiedStatement>) -> Evidence {
    evidence(vec![signature(CALLER)], statements)
}

/// A rule that believes provenance from its builder, as the organisation calls it.
fn demand(slsa: &Value) -> String {
    let attestors = json!([{"entries": [{"keyless": {
        "issuer": ISSUER, "subject": "https://github.com/acme/*",
    }}]}]);
    policy(
        "ClusterPolicy",
        &attestors,
        &json!([{"type": V1, "slsa": slsa}]),
    )
}

#[test]
fn levels_are_those_of_the_builder_and_its_machine() {
    let three = demand(&json!({"level": 3}));
    for version in [V1, V02] {
        passes(&three, &of(vec![provenance(version, GENERATOR, GENERATOR)]));
    }
    let hosted = provenance(V1, HOSTED, CALLER);
    fails(
        &three,
        &of(vec![hosted.clone()]),
        "is good for SLSA level 2, wanted 3",
    );
    passes(&demand(&json!({"level": 2})), &of(vec![hosted]));
    let mut own = provenance(V1, GENERATOR, GENERATOR);
    claim(&mut own, "11", "self-hosted");
    fails(
        &three,
        &of(vec![own.clone()]),
        "a self-hosted machine is good for SLSA level 2",
    );
    passes(&demand(&json!({"level": 2})), &of(vec![own]));
    // A branch of the generator is no release of it.
    let branch = GENERATOR.replace("tags/v2.0.0", "heads/main");
    let built = provenance(V1, &branch, &branch);
    fails(
        &three,
        &of(vec![built]),
        "no SLSA level is known for builder",
    );
}

#[test]
fn the_builder_is_bound_to_who_signed() {
    for slsa in [json!({}), json!({"level": 3})] {
        let policy = demand(&slsa);
        let forged = provenance(V1, GENERATOR, CALLER);
        fails(&policy, &of(vec![forged]), "but is signed by");
        let mut other = provenance(V1, HOSTED, CALLER);
        claim(&mut other, "11", "self-hosted");
        fails(&policy, &of(vec![other]), "but is signed by");
    }
    // With attestors of its own the signer is named, and is still not the builder that he names.
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]);
    let named = json!([{"type": V1, "attestors": attestors, "slsa": {}}]);
    let named = policy("ClusterPolicy", &json!([]), &named);
    fails(
        &named,
        &of(vec![provenance(V1, GENERATOR, CALLER)]),
        "but is signed by",
    );
    passes(&named, &of(vec![provenance(V1, HOSTED, CALLER)]));
}

#[test]
fn builders_sources_refs_and_workflows_are_compared() {
    let good = of(vec![provenance(V1, GENERATOR, GENERATOR)]);
    passes(
        &demand(&json!({
            "level": 3, "builders": ["https://other.example/*", "*/generator_container_slsa3.yml@*"],
            "source": "https://github.com/acme/app", "ref": "refs/tags/*",
            "workflow": ".github/workflows/release.yml",
        })),
        &good,
    );
    for (slsa, why) in [
        (
            json!({"builders": ["https://other.example/*"]}),
            "wanted https://other.example/*",
        ),
        (
            json!({"source": "https://github.com/acme/lib"}),
            "built from source https://github.com/acme/app",
        ),
        (
            json!({"ref": "refs/heads/main"}),
            "built from ref refs/tags/v1, wanted refs/heads/main",
        ),
        (
            json!({"workflow": "*/ci.yml"}),
            "built from workflow .github/workflows/release.yml",
        ),
    ] {
        fails(&demand(&slsa), &good, why);
    }
    let mut silent = provenance(V1, GENERATOR, GENERATOR);
    silent.predicate = json!({"runDetails": {"builder": {"id": GENERATOR}}}).into();
    let wanted = demand(&json!({"ref": "*"}));
    fails(&wanted, &of(vec![silent]), "built from ref nothing");
}

#[test]
fn provenance_that_contradicts_its_certificate_or_itself_is_refused() {
    let policy = demand(&json!({}));
    let mut other = provenance(V1, GENERATOR, GENERATOR);
    claim(&mut other, "14", "refs/heads/evil");
    fails(
        &policy,
        &of(vec![other.clone()]),
        "but the certificate says refs/heads/evil",
    );
    let good = provenance(V1, GENERATOR, GENERATOR);
    fails(
        &policy,
        &of(vec![good.clone(), other]),
        "but the certificate says",
    );
    let mut more = good;
    change(&mut more, |said| {
        said["buildDefinition"]["externalParameters"]["patch"] = json!("x");
    });
    fails(
        &policy,
        &of(vec![more]),
        "external parameter patch, which is not known",
    );
}

#[test]
fn a_key_is_believed_of_builders_and_no_level_is_known_for_it() {
    const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEIGCtBntBgnuYYiGxgggVAnZKHgrV
OxqONwLlut+ugo0TNcO0PYpmRs85pXyB2DtLYDvUw9Ubp+M/oUcohdH9xg==
-----END PUBLIC KEY-----
";
    let mut by_key = provenance(V1, GENERATOR, "nobody");
    by_key.verified.signer = Signer::Key {
        spki_sha256: crate::image::pem::public_keys(KEY).unwrap()[0]
            .spki_sha256
            .clone(),
    };
    let demand = |slsa: Value| {
        let attestors = json!([{"entries": [{"keys": {"publicKeys": KEY}}]}]);
        let attestation = json!([{"type": V1, "attestors": attestors, "slsa": slsa}]);
        policy("ClusterPolicy", &json!([]), &attestation)
    };
    let source = json!({"builders": [GENERATOR], "source": "https://github.com/acme/*"});
    passes(&demand(source), &of(vec![by_key.clone()]));
    fails(
        &demand(json!({"level": 1})),
        &of(vec![by_key]),
        "no SLSA level is known",
    );
}

#[test]
fn a_summary_must_have_passed_at_the_level() {
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]);
    let demand = |slsa: Value| {
        let attestation = json!([{"type": SUMMARY, "attestors": attestors, "slsa": slsa}]);
        policy("ClusterPolicy", &json!([]), &attestation)
    };
    let summary = |result: &str, level: &str| {
        let mut one = statement(SUMMARY, "", CALLER);
        one.predicate = json!({
            "verificationResult": result, "verifiedLevels": [level],
            "resourceUri": "oci://registry.example/app",
        })
        .into();
        of(vec![one])
    };
    let two = demand(json!({"level": 2}));
    passes(&two, &summary("PASSED", "SLSA_BUILD_LEVEL_3"));
    fails(
        &two,
        &summary("PASSED", "SLSA_BUILD_LEVEL_1"),
        "SLSA level 1 was verified, wanted 2",
    );
    fails(
        &two,
        &summary("FAILED", "SLSA_BUILD_LEVEL_3"),
        "did not pass",
    );
    fails(
        &demand(json!({})),
        &summary("FAILED", "SLSA_BUILD_LEVEL_3"),
        "did not pass",
    );
    let said = diagnostics(&demand(json!({"source": "x"})));
    let text = "a `level` and a `resourceUri`, and nothing else";
    assert!(said[0].contains(text), "{said:?}");
}

/// A summary of a good image does not speak for another name with the same bytes, and one without a name speaks for none.
#[test]
fn a_summary_must_name_the_image() {
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]);
    let attestation = json!([{"type": SUMMARY, "attestors": attestors, "slsa": {"level": 2}}]);
    let policy = policy("ClusterPolicy", &json!([]), &attestation);
    let about = |resource: &Value| {
        let mut one = statement(SUMMARY, "", CALLER);
        one.predicate = json!({
            "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
            "resourceUri": resource,
        })
        .into();
        of(vec![one])
    };
    let digest = DIGEST.replace(':', "%3A");
    let good = [
        "registry.example/app".to_owned(),
        "oci://registry.example/app:v1".to_owned(),
        "docker://REGISTRY.example:443/app".to_owned(),
        format!("https://registry.example/app:v1@{DIGEST}"),
        format!("pkg:oci/app@{digest}?repository_url=registry.example/app&tag=v1"),
        "pkg:oci/app?arch=amd64&repository_url=registry.example%2Fapp".to_owned(),
    ];
    for resource in good {
        passes(&policy, &about(&json!(resource)));
    }
    let other = "ab".repeat(32);
    let bad = [
        "registry.example/app:v2".to_owned(),
        "registry.example/other:v1".to_owned(),
        "oci://registry.example.evil/app:v1".to_owned(),
        "app:v1".to_owned(),
        format!("registry.example/app@sha256:{other}"),
        format!("pkg:oci/app@sha256:{other}?repository_url=registry.example/app"),
        "pkg:oci/app?repository_url=registry.example/app&tag=v2".to_owned(),
        "pkg:oci/app?repository_url=registry.example/app&tag=v1%2E0".to_owned(),
        "pkg:oci/app?repository_url=registry.example/app&tag=v1&tag=v2".to_owned(),
        "pkg:oci/other?repository_url=registry.example/app".to_owned(),
        "pkg:oci/app".to_owned(),
        "git+https://registry.example/app".to_owned(),
        "https://registry.example/app#v1".to_owned(),
        String::new(),
    ];
    for resource in bad {
        let why = match resource.as_str() {
            "" => "the resource that it is about is nothing, not this image".to_owned(),
            uri => format!("the resource that it is about is {uri}, not this image"),
        };
        fails(&policy, &about(&json!(resource)), &why);
    }
    fails(&policy, &about(&Value::Null), "is about is nothing");
    fails(
        &policy,
        &about(&json!(["registry.example/app"])),
        "is about is nothing",
    );
}

/// Images of a mirror have summaries with the name that they had before.
#[test]
fn a_policy_can_say_what_a_summary_names_instead() {
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]);
    let demand = |uri: &str| {
        let slsa = json!({"level": 2, "resourceUri": uri});
        let attestation = json!([{"type": SUMMARY, "attestors": attestors, "slsa": slsa}]);
        policy("ClusterPolicy", &json!([]), &attestation)
    };
    let about = |resource: &Value| {
        let mut one = statement(SUMMARY, "", CALLER);
        one.predicate = json!({
            "verificationResult": "PASSED", "verifiedLevels": ["SLSA_BUILD_LEVEL_3"],
            "resourceUri": resource,
        })
        .into();
        of(vec![one])
    };
    let upstream = about(&json!("oci://upstream.example/acme/app:v1"));
    passes(&demand("oci://upstream.example/acme/*"), &upstream);
    passes(&demand("oci://upstream.example/acme/app:v1"), &upstream);
    for wanted in [
        "oci://upstream.example/acme/app",
        "upstream.example/acme/*",
        "oci://upstream.example/acme/",
    ] {
        let says = "is about is oci://upstream.example/acme/app:v1, wanted";
        fails(&demand(wanted), &upstream, says);
    }
    // The image's own name is then no better than another.
    let own = about(&json!("oci://registry.example/app"));
    fails(
        &demand("oci://upstream.example/*"),
        &own,
        "wanted oci://upstream",
    );
    for nothing in [Value::Null, json!(["x"]), json!("")] {
        fails(&demand("*"), &about(&nothing), "is about is nothing");
    }
    // The level is asked for all the same.
    let low = |level: &str| {
        let mut one = statement(SUMMARY, "", CALLER);
        one.predicate = json!({
            "verificationResult": "PASSED", "verifiedLevels": [level], "resourceUri": "x",
        })
        .into();
        of(vec![one])
    };
    passes(&demand("x"), &low("SLSA_BUILD_LEVEL_2"));
    fails(&demand("x"), &low("SLSA_BUILD_LEVEL_1"), "SLSA level 1");
}

#[test]
fn slsa_is_about_provenance_and_levels_that_there_are() {
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]);
    let of_type = |kind: &str, slsa: Value| {
        let attestation = json!([{"type": kind, "attestors": attestors, "slsa": slsa}]);
        diagnostics(&policy("ClusterPolicy", &json!([]), &attestation))
    };
    let said = of_type("https://cyclonedx.org/bom", json!({"level": 1}));
    assert!(said[0].contains("is about SLSA provenance"), "{said:?}");
    assert_eq!(
        of_type(V1, json!({"level": 4})),
        ["`level` must be between 1 and 3"]
    );
    assert_eq!(
        of_type(V1, json!({"source": "{{ x }}"})),
        ["a variable where none can be"]
    );
    assert!(of_type(V1, json!({"sauce": "x"}))[0].contains("sauce"));
    let said = of_type(V1, json!({"resourceUri": "x"}));
    assert!(
        said[0].contains("is what a verification summary names"),
        "{said:?}"
    );
    assert_eq!(
        of_type(SUMMARY, json!({"resourceUri": "{{ x }}"})),
        ["a variable where none can be"]
    );
}

#[test]
fn builders_can_be_added() {
    let own = "https://ci.example/builder";
    let table = format!("- id: {own}\n  issuer: {ISSUER}\n  signer: builder\n  level: 3\n");
    let (builders, said) = crate::parse::builders::builders(&Source::new("builders.yaml", table));
    assert!(said.is_empty(), "{said:?}");
    let policy = demand(&json!({"level": 3}));
    let built = of(vec![provenance(V1, own, own)]);
    fails(&policy, &built, "no SLSA level is known");
    let environment = Environment {
        builders,
        ..Environment::default()
    };
    let loaded = load(&[Source::new("policy.yaml", policy)], &environment);
    let (_, statuses) = evaluate(
        &loaded.policies,
        &pod("registry.example/app:v1"),
        Phase::Mutate,
        &|need| match need {
            Need::Image(need) => Fact::Image(Ok(VerifiedImage::assertion(
                need.image.clone(),
                Arc::new(built.clone()),
                Resolution::Registry,
            ))),
            Need::NamespaceLabels { .. }
            | Need::Roles
            | Need::Data(_)
            | Need::Inventory(_)
            | Need::Guest(_) => no_facts(need),
        },
    );
    assert_eq!(statuses[0].0, RuleStatus::Pass, "{statuses:?}");
    for (text, why) in [
        ("- id: x\n", "issuer"),
        (
            "- {id: x, issuer: iss, signer: somebody, level: 1}\n",
            "signer",
        ),
        (
            "- {id: x, issuer: iss, signer: caller, level: 9}\n",
            "level",
        ),
        (
            "- {id: x, issuer: iss, signer: caller, level: 1, claims: {nothing: x}}\n",
            "extension `nothing`",
        ),
        ("id: x\n", "list"),
    ] {
        let (table, said) = crate::parse::builders::builders(&Source::new("b.yaml", text));
        assert!(
            table.entries.is_empty() && said[0].message.contains(why),
            "{said:?}"
        );
    }
}

/// A policy with annotations.
pub(super) fn annotated(policy: &str, annotations: &Value) -> String {
    let mut policy: Value = serde_json::from_str(policy).unwrap();
    policy["metadata"]["annotations"] = annotations.clone();
    policy.to_string()
}

#[test]
fn a_policy_can_ask_for_more_proof() {
    let attestors = json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]);
    let signed = policy("ClusterPolicy", &attestors, &json!([]));
    let asking = |name: &str, value: &str| annotated(&signed, &json!({name: value}));
    let with = |edit: &dyn Fn(&mut Verification)| {
        let mut one = signature(CALLER);
        edit(&mut one.verified);
        evidence(vec![one], vec![])
    };
    let as_it_is = with(&|_| {});
    passes(&signed, &as_it_is);

    let stamped = asking("regent.dev/signed-timestamp", "required");
    fails(
        &stamped,
        &as_it_is,
        "no timestamp, which the policy asks for",
    );
    passes(&stamped, &with(&|one| one.timestamps.push(1)));

    let proven = asking("regent.dev/inclusion-proof", "required");
    passes(&proven, &as_it_is);
    let promised = with(&|one| one.log_entries[0].inclusion_proof = false);
    fails(
        &proven,
        &promised,
        "with an inclusion proof in 0 logs, wanted 1",
    );

    let twice = asking("regent.dev/log-entries", "2");
    fails(&twice, &as_it_is, "entries in 1 logs, wanted 2");
    let second = |one: &mut Verification| {
        let mut other = one.log_entries[0].clone();
        other.log_id = "01".to_owned();
        one.log_entries.push(other);
    };
    passes(&twice, &with(&second));
    let both = annotated(
        &signed,
        &json!({
            "regent.dev/log-entries": "2", "regent.dev/inclusion-proof": "required",
        }),
    );
    let half = with(&|one| {
        second(one);
        one.log_entries[0].inclusion_proof = false;
    });
    fails(&both, &half, "wanted 2");
}

#[test]
fn a_trust_root_is_named_for_all_attestors() {
    let entry =
        |rekor: Value| json!({"keyless": {"issuer": ISSUER, "subject": CALLER, "rekor": rekor}});
    let nested = json!({"attestor": {"entries": [entry(json!({}))]}});
    let attestors = json!([{"entries": [entry(json!({"url": "https://own.example"})), nested]}]);
    let url = "https://fulcio.githubapp.com";
    let named = annotated(
        &policy("ClusterPolicy", &attestors, &json!([])),
        &json!({"regent.dev/trust-root": url}),
    );
    let (_, _, asked) = judge(&named, &evidence(vec![signature(CALLER)], vec![]), None);
    let urls: Vec<_> = asked.iter().map(|need| need.rekor_url.as_deref()).collect();
    assert_eq!(urls, [Some("https://own.example"), Some(url)]);
}

#[test]
fn annotations_of_ours_are_never_passed_over() {
    let plain = policy(
        "ClusterPolicy",
        &json!([{"entries": [{"keyless": {"issuer": ISSUER, "subject": CALLER}}]}]),
        &json!([]),
    );
    for (name, value, why) in [
        (
            "regent.dev/log-entires",
            "2",
            "there is no annotation `regent.dev/log-entires`",
        ),
        (
            "regent.dev/log-entries",
            "0",
            "must be a number from 1 to 8",
        ),
        (
            "regent.dev/log-entries",
            "many",
            "must be a number from 1 to 8",
        ),
        ("regent.dev/inclusion-proof", "yes", "must be `required`"),
        ("regent.dev/signed-timestamp", "true", "must be `required`"),
        (
            "regent.dev/attestations",
            "first",
            "must be `all` or `any` or `latest`",
        ),
        ("regent.dev/trust-root", "github", "must be a URL"),
        (
            "regent.dev/slsa-version-fallback",
            "no",
            "must be `true` or `false`",
        ),
    ] {
        let said = diagnostics(&annotated(&plain, &json!({name: value})));
        assert!(said.iter().any(|one| one.contains(why)), "{said:?}");
    }
}

#[test]
fn a_second_builder_in_a_v1_predicate_is_not_seen() {
    let mut forged = statement(V1, WORKFLOW, WORKFLOW);
    change(&mut forged, |said| {
        said["builder"] = json!({"id": GENERATOR});
    });
    refused(
        &evidence(vec![signature(WORKFLOW)], vec![forged]),
        "built by",
    );
}
