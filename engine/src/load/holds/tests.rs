use super::*;

fn holds(text: &str) -> bool {
    holds_policies(&Source::new("policy.yaml", text))
}

#[test]
fn what_is_meant_to_be_a_policy_is_found() {
    for text in [
        "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\n",
        "apiVersion: v1\nkind: Pod\n---\napiVersion: kyverno.io/v2\nkind: PolicyException\n",
        "apiVersion: &v kyverno.io/v1\nkind: ClusterPolicy\n",
        "apiVersion: !!str kyverno.io/v1\nkind: ClusterPolicy\n",
        "apiVersion: >-\n  kyverno.io/v1\nkind: ClusterPolicy\n",
        "apiVersion: # ours\n  kyverno.io/v1\nkind: ClusterPolicy\n",
        "{\"apiVersion\": \"kyverno.io/v1\"}",
        "apiVersion: policies.kyverno.io/v1\nkind: ValidatingPolicy\n",
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\n",
        "apiVersion: templates.gatekeeper.sh/v1\nkind: ConstraintTemplate\n",
        "apiVersion: regent.dev/v1\nkind: BreakGlass\n",
        "apiVersion: kyvreno.io/v1\nkind: ClusterPolicy\n",
        "apiVersion: kyverno.io\nkind: Policy\n",
        "apiVerson: kyverno.io/v1\nkind: ClusterPolicy\n",
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: kyverno.io/v1, kind: ClusterPolicy}]\n",
        "apiVersion: kyverno.",
        "foo: [\n",
    ] {
        assert!(holds(text), "{text}");
    }
}

#[test]
fn what_stands_beside_policies_is_not() {
    for text in [
        "",
        "# nothing\n",
        "apiVersion: v1\nkind: Pod\n",
        "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: Pod}]\n",
        "apiVersion: config.kio.kasten.io/v1alpha1\nkind: Policy\n",
        "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingWebhookConfiguration\n",
        "apiVersion: cli.kyverno.io/v1alpha1\nkind: Test\n",
        "kind: Values\npolicies: []\n",
        "- a\n- b\n",
    ] {
        assert!(!holds(text), "{text}");
    }
}
