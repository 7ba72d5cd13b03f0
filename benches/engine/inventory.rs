//! Gatekeeper's templates that look at `data.inventory`: 1,000 Ingresses, as long as none changes and after each change.

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Result, ensure};
use regent_benches::pods;
use regent_engine::admission::AdmissionRequest;
use regent_engine::evaluation::inventory::{Resource, Snapshot};
use regent_engine::evaluation::need::{Fact, FactError, InventoryNeed, Need};
use regent_engine::evaluation::{Phase, Scope, Step};
use regent_engine::load::{Environment, load};
use regent_engine::policy_set::PolicySet;
use regent_engine::response::{PolicyResponse, RuleStatus};
use regent_engine::source::Source;
use serde_json::{Value, json};

use super::{Job, Measure, count, request};

/// How many there are.
const OBJECTS: usize = 1_000;

/// Looks at one place, as a module does that knows where to look.
const LOOKED_UP: &str = r#"data.inventory.namespace[input.review.object.metadata.namespace]["networking.k8s.io/v1"].Ingress[input.review.object.metadata.name]"#;

/// Looks through all of them.
const SEARCHED: &str = r#"data.inventory.namespace[_]["networking.k8s.io/v1"].Ingress[_].spec.rules[_].host == input.review.object.metadata.name"#;

/// Looks at none.
const WITHOUT: &str = r#"input.review.object.metadata.name == """#;

/// What an answer costs beside the same without an inventory, and what a change costs.
pub(super) fn thousand(measure: &Measure) -> Result<Value> {
    let need = InventoryNeed {
        api_version: "networking.k8s.io/v1".to_owned(),
        kind: "Ingress".to_owned(),
    };
    let objects: Vec<Value> = (0..OBJECTS).map(ingress).collect();
    let read = || objects.iter().filter_map(|one| Resource::new(&need, one));
    let resources: Vec<Resource> = read().collect();
    let snapshot = || Arc::new(Snapshot::new(need.clone(), resources.iter().cloned()));
    let request = request(&pods::good())?;
    let (same, without) = (snapshot(), template(WITHOUT)?);
    let (looked_up, searched) = (template(LOOKED_UP)?, template(SEARCHED)?);
    for set in [&without, &looked_up, &searched] {
        let responses = answered(set, &request, &same);
        ensure!(count(&responses, RuleStatus::Pass) == 1, "{responses:?}");
    }
    let ask = |set, snapshot: &Arc<Snapshot>| drop(black_box(answered(set, &request, snapshot)));
    let jobs: Vec<Job<'_>> = vec![
        ("without_an_inventory", Box::new(|| ask(&without, &same))),
        ("looked_up", Box::new(|| ask(&looked_up, &same))),
        (
            "looked_up_after_a_change",
            Box::new(|| ask(&looked_up, &snapshot())),
        ),
        ("searched", Box::new(|| ask(&searched, &same))),
        (
            "searched_after_a_change",
            Box::new(|| ask(&searched, &snapshot())),
        ),
        (
            "objects_read",
            Box::new(|| drop(black_box(read().collect::<Vec<_>>()))),
        ),
    ];
    Ok(Value::Object(measure.run(jobs)))
}

/// A template of one body, its constraint, and what it has synced.
fn template(body: &str) -> Result<Arc<PolicySet>> {
    let text = format!(
        r#"apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {{name: measured}}
spec:
  crd: {{spec: {{names: {{kind: Measured}}}}}}
  targets:
    - target: admission.k8s.gatekeeper.sh
      rego: |
        package measured
        violation[{{"msg": "found"}}] {{
          {body}
        }}
---
apiVersion: config.gatekeeper.sh/v1alpha1
kind: Config
metadata: {{name: config}}
spec: {{sync: {{syncOnly: [{{group: networking.k8s.io, version: v1, kind: Ingress}}]}}}}
---
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: Measured
metadata: {{name: measured}}
"#
    );
    let loaded = load(&[Source::new("policy.yaml", text)], &Environment::default());
    let errors = loaded.diagnostics.iter().filter(|said| said.is_error());
    ensure!(errors.count() == 0, "the template does not load");
    Ok(loaded.policies)
}

fn ingress(number: usize) -> Value {
    let host = format!("shop-{number}.example.com");
    let namespace = match number % 20 {
        0 => "shop".to_owned(),
        team => format!("team-{team}"),
    };
    let service = json!({"service": {"name": format!("shop-{number}"), "port": {"number": 80}}});
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": format!("shop-{number}"),
            "namespace": namespace,
            "uid": format!("00000000-0000-4000-8000-{number:012}"),
            "resourceVersion": number.to_string(),
            "creationTimestamp": "2026-11-27T00:00:00Z",
            "labels": {
                "app.kubernetes.io/name": "shop",
                "app.kubernetes.io/instance": format!("shop-{number}"),
                "app.kubernetes.io/part-of": "shop",
            },
        },
        "spec": {
            "ingressClassName": "nginx",
            "tls": [{"hosts": [host], "secretName": "certificate"}],
            "rules": [{
                "host": host,
                "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": service}]},
            }],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    })
}

/// Evaluates a request, with the inventory for whatever kind is asked for.
fn answered(
    set: &Arc<PolicySet>,
    request: &Arc<AdmissionRequest>,
    snapshot: &Arc<Snapshot>,
) -> Vec<PolicyResponse> {
    let mut evaluation = set.evaluate(
        Arc::clone(request),
        Phase::Validate,
        Scope::All,
        regent_server::clock::environment(),
    );
    loop {
        match evaluation.step() {
            Step::Done(responses) => return responses,
            Step::Need(needs) => needs.into_iter().for_each(|(id, need)| {
                let fact = match need {
                    Need::Inventory(_) => Fact::Inventory(Ok(Arc::clone(snapshot))),
                    other => {
                        let message = "there is nothing but an inventory".to_owned();
                        Fact::missing(&other, FactError::Unavailable(message))
                    }
                };
                evaluation.answer(id, fact);
            }),
        }
    }
}
