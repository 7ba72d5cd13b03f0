//! What rules ask of a real API server, by the service account and with the rights that the documentation gives it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use regent_server::cluster::{ClusterSettings, ClusterSource, PodSecrets};
use regent_server::image::Network;
use regent_server::image::oci::{OCI_CONFIG, OCI_MANIFEST, digest_of};
use regent_server::image::registry::RegistrySettings;
use regent_server::image::trust::{TrustRoot, TrustRoots};
use regent_tests::{shared_path, workspace};
use serde_json::{Value, json};

use User::{Admin, Intern};
use Want::{Allow, Deny};

use super::PATIENCE;
use super::api_server::ApiServer;
use crate::registry::scripted::{Reply, Scripted, index};
use crate::registry::{image_of, no_credentials};
use crate::server::client::{Server, start};

/// One policy for each thing that rules ask for.
const POLICIES: &str = r#"
apiVersion: kyverno.io/v1
kind: ClusterPolicy
metadata: {name: facts}
spec:
  background: false
  validationFailureAction: Enforce
  rules:
    - name: config-map
      match: {any: [{resources: {kinds: [Pod], names: [config-map-*]}}]}
      context: [{name: allowed, configMap: {name: allowed, namespace: regent}}]
      validate:
        message: "not among {{ allowed.data.teams }}"
        deny: {conditions: {all: [{key: "{{ request.object.metadata.labels.team }}", operator: AnyNotIn, value: "{{ parse_json(allowed.data.teams) }}"}]}}
    - name: api-call
      match: {any: [{resources: {kinds: [Pod], names: [api-call-*]}}]}
      context: [{name: count, apiCall: {urlPath: "/apis/networking.k8s.io/v1/namespaces/{{ request.namespace }}/networkpolicies", jmesPath: "length(items)"}}]
      validate:
        message: "{{ count }} network policies in {{ request.namespace }}"
        deny: {conditions: {all: [{key: "{{ count }}", operator: LessThan, value: 1}]}}
    - name: forbidden
      match: {any: [{resources: {kinds: [Pod], names: [forbidden-*]}}]}
      context: [{name: secrets, apiCall: {urlPath: "/api/v1/namespaces/{{ request.namespace }}/secrets", jmesPath: "length(items)"}}]
      validate:
        deny: {conditions: {all: [{key: "{{ secrets }}", operator: Equals, value: 99}]}}
    - name: review
      match: {any: [{resources: {kinds: [Pod], names: [review-*]}}]}
      context:
        - name: may
          apiCall:
            urlPath: /apis/authorization.k8s.io/v1/subjectaccessreviews
            method: POST
            data:
              - {key: kind, value: SubjectAccessReview}
              - {key: apiVersion, value: authorization.k8s.io/v1}
              - {key: spec, value: {user: "{{ request.userInfo.username }}", groups: "{{ request.userInfo.groups }}", resourceAttributes: {resource: nodes, verb: delete}}}
            jmesPath: status.allowed
      validate:
        message: "only who may delete nodes"
        deny: {conditions: {all: [{key: "{{ may }}", operator: NotEquals, value: true}]}}
    - name: role
      match: {any: [{resources: {kinds: [Pod], names: [role-*]}, roles: ["prod:intern"]}]}
      validate: {message: "not by interns", deny: {}}
    - name: cluster-role
      match: {any: [{resources: {kinds: [Pod], names: [cluster-role-*]}}]}
      exclude: {any: [{clusterRoles: [cluster-admin]}]}
      validate: {message: "only by administrators", deny: {}}
    - name: roles-named
      match: {any: [{resources: {kinds: [Pod], names: [roles-named-*]}}]}
      validate: {message: "has {{ request.roles }}", deny: {}}
    - name: selector
      match: {any: [{resources: {kinds: [Pod], names: [selector-*], namespaceSelector: {matchLabels: {tier: gold}}}}]}
      validate: {message: "not in gold", deny: {}}
    - name: keyed
      match: {any: [{resources: {kinds: [Pod], names: [keyed-*]}}]}
      verifyImages:
        - imageReferences: ["registry.example/*"]
          attestors: [{entries: [{keys: {publicKeys: "k8s://regent/cosign-keys"}}]}]
    - name: pulled
      match: {any: [{resources: {kinds: [Pod], names: [pulled-*]}}]}
      context: [{name: told, imageRegistry: {reference: "private.example/acme/app:v1", imageRegistryCredentials: {secrets: [pull]}}}]
      validate:
        message: "no data"
        deny: {conditions: {all: [{key: "{{ told.configData.os }}", operator: NotEquals, value: linux}]}}
    - name: own
      match: {any: [{resources: {kinds: [Pod], names: [own-*]}}]}
      verifyImages:
        - imageReferences: ["private.example/*"]
          mutateDigest: false
          verifyDigest: false
          attestors: [{entries: [{keyless: {issuer: "https://issuer.example", subject: "nobody"}}]}]
    - name: global
      match: {any: [{resources: {kinds: [Pod], names: [global-*]}}]}
      context: [{name: policies, globalReference: {name: policies.names}}]
      validate:
        message: "has {{ policies }}"
        deny: {conditions: {all: [{key: "{{ length(policies) }}", operator: LessThan, value: 1}]}}
"#;

/// As much of Kyverno's definition as an entry needs.
const GLOBAL_CONTEXT: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: globalcontextentries.kyverno.io}
spec:
  group: kyverno.io
  scope: Cluster
  names: {kind: GlobalContextEntry, plural: globalcontextentries, singular: globalcontextentry}
  versions:
    - name: v2
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

/// What is in the cluster besides what every cluster has.
const OBJECTS: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: prod, labels: {tier: gold}}
---
apiVersion: v1
kind: Namespace
metadata: {name: dev}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: allowed, namespace: regent}
data: {teams: '[\"red\", \"blue\"]'}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed, namespace: prod}
spec: {podSelector: {}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: interns, namespace: prod}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: intern}
subjects: [{kind: Group, name: interns, apiGroup: rbac.authorization.k8s.io}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: test-watches-network-policies}
rules: [{apiGroups: [networking.k8s.io], resources: [networkpolicies], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-watches-network-policies}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: test-watches-network-policies}
subjects: [{kind: ServiceAccount, name: regent, namespace: regent}]
";

const ENTRY: &str = "
apiVersion: kyverno.io/v2
kind: GlobalContextEntry
metadata: {name: policies}
spec:
  kubernetesResource: {group: networking.k8s.io, version: v1, resource: networkpolicies}
  projections: [{name: names, jmesPath: '[].metadata.name'}]
";

struct World {
    api: ApiServer,
    /// Wants a name and a password.
    private: Scripted,
    regent: Server,
    /// The same, for which Secrets of pods do not count.
    without: Server,
    /// A folder with an image that is signed by a key, and the key.
    keyed: PathBuf,
}

/// Who asks.
#[derive(Clone, Copy)]
enum User {
    Admin,
    Intern,
}

/// What a template sees of the cluster.
const INVENTORY: &str = include_str!("inventory.yaml");

/// What an answer has to be: admitted, or refused with words of a message.
enum Want {
    Allow,
    Deny(&'static [&'static str]),
}

impl World {
    async fn start() -> Option<Self> {
        let keyed = shared_path("conformance/cosign/cosign-keyed-legacy-v1")?;
        let api = ApiServer::start()?;
        let documented = workspace().join("docs/deployment.yaml");
        let dry_run = api.kubectl(&["apply", "-f", documented.to_str().unwrap()], "");
        assert!(dry_run.success, "{}", dry_run.stderr);
        for (document, what) in [(GLOBAL_CONTEXT, "definition"), (OBJECTS, "objects")] {
            let said = api.kubectl(&["apply", "-f", "-"], document);
            assert!(said.success, "{what}: {}", said.stderr);
        }
        // A definition takes its time until it is served.
        let started = Instant::now();
        loop {
            let said = api.kubectl(&["apply", "-f", "-"], ENTRY);
            if said.success {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{}", said.stderr);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let kubeconfig = of_service_account(&api);
        let private = private_registry().await;
        let start = |pod_secrets| serving(&kubeconfig, &private, &keyed, pod_secrets);
        let (regent, without) = (
            start(PodSecrets::Used).await,
            start(PodSecrets::Ignored).await,
        );
        Some(Self {
            api,
            private,
            regent,
            without,
            keyed,
        })
    }

    async fn ask(&self, user: User, name: &str, namespace: &str, labels: &Value) -> Value {
        let (username, groups) = match user {
            Admin => ("root", json!(["system:masters", "system:authenticated"])),
            Intern => ("eve", json!(["interns", "system:authenticated"])),
        };
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": name, "operation": "CREATE", "name": name, "namespace": namespace,
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "userInfo": {"username": username, "groups": groups},
                "object": {
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": name, "namespace": namespace, "labels": labels},
                    "spec": {"containers": [{"name": "a", "image": self.image()}]},
                },
            },
        });
        self.regent.post("/validate", &review).await.response()
    }

    fn image(&self) -> String {
        format!("registry.example/acme/app@{}", image_of(&self.keyed))
    }

    /// What becomes of a pod with an image of the private registry, and a Secret of its own.
    async fn ask_private(server: &Server, name: &str, secret: &str) -> Value {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": name, "operation": "CREATE", "name": name, "namespace": "default",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "userInfo": {"username": "root", "groups": ["system:masters"]},
                "object": {
                    "apiVersion": "v1", "kind": "Pod",
                    "metadata": {"name": name, "namespace": "default", "labels": {"team": "red"}},
                    "spec": {
                        "imagePullSecrets": [{"name": secret}],
                        "containers": [{"name": "a", "image": "private.example/acme/app:v1"}],
                    },
                },
            },
        });
        server.post("/validate", &review).await.response()
    }

    async fn expect(&self, user: User, name: &str, namespace: &str, want: &Want) {
        let response = self
            .ask(user, name, namespace, &json!({"team": "red"}))
            .await;
        assert!(is_as(&response, want), "{name} in {namespace}: {response}");
    }
}

fn is_as(response: &Value, want: &Want) -> bool {
    match want {
        Allow => response["allowed"] == true,
        Deny(words) => {
            let message = response["status"]["message"].as_str().unwrap_or_default();
            let message: Vec<&str> = message.split_whitespace().collect();
            let message = message.join(" ");
            response["allowed"] == false && words.iter().all(|word| message.contains(word))
        }
    }
}

/// A server that asks the cluster and the private registry.
async fn serving(
    kubeconfig: &Path,
    private: &Scripted,
    keyed: &Path,
    pod_secrets: PodSecrets,
) -> Server {
    let policies = [POLICIES, INVENTORY].join("\n");
    let server = start(&[("policy.yaml", &policies)], |settings| {
        settings.cluster = ClusterSettings {
            source: Some(ClusterSource::Kubeconfig(kubeconfig.to_owned(), None)),
            pod_secrets,
            ..ClusterSettings::default()
        };
        settings.images.network = Network::Registries(RegistrySettings {
            mirrors: vec![(
                "private.example".to_owned(),
                format!("http://{}", private.address),
            )],
            docker_config: Some(no_credentials()),
            ..RegistrySettings::default()
        });
        settings.images.layouts = vec![keyed.join("layout")];
        let root = fs::read_to_string(keyed.join("trusted_root.json")).unwrap();
        settings.trust_roots = TrustRoots::new(TrustRoot::parse(&root).unwrap());
    })
    .await;
    let ready = server.get("/health/readiness").await;
    assert_eq!(ready.status, 200, "{}", ready.body);
    server
}

/// A kubeconfig of the service account that the documentation makes.
fn of_service_account(api: &ApiServer) -> PathBuf {
    let said = api.kubectl(&["create", "token", "regent", "-n", "regent"], "");
    assert!(said.success, "{}", said.stderr);
    let token = api.state().join("token");
    fs::write(&token, said.stdout.trim()).unwrap();
    let admin = fs::read_to_string(api.kubeconfig()).unwrap();
    let users = admin
        .lines()
        .find(|line| line.starts_with("users:"))
        .unwrap();
    let own = format!(
        "users: [{{name: user, user: {{tokenFile: {}}}}}]",
        token.display()
    );
    let path = api.state().join("kubeconfig-regent");
    fs::write(&path, admin.replace(users, &own)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_have_what_they_need_of_the_cluster() {
    let Some(world) = World::start().await else {
        return;
    };
    for (user, name, namespace, want) in [
        (Intern, "config-map-a", "dev", Allow),
        (Intern, "api-call-a", "prod", Allow),
        (
            Intern,
            "api-call-b",
            "dev",
            Deny(&["0 network policies in dev"]),
        ),
        (
            Intern,
            "forbidden-a",
            "dev",
            Deny(&[
                "failed to load context entry secrets",
                "secrets is forbidden",
                "system:serviceaccount:regent:regent",
            ]),
        ),
        (Admin, "review-a", "dev", Allow),
        (Intern, "review-a", "dev", Deny(&["may delete nodes"])),
        (Intern, "role-a", "dev", Deny(&["not by interns"])),
        (Admin, "role-a", "dev", Allow),
        (Admin, "cluster-role-a", "dev", Allow),
        (
            Intern,
            "cluster-role-a",
            "dev",
            Deny(&["only by administrators"]),
        ),
        (Intern, "roles-named-a", "dev", Deny(&["prod:intern"])),
        (Intern, "selector-a", "prod", Deny(&["not in gold"])),
        (Intern, "selector-a", "dev", Allow),
        (
            Intern,
            "selector-a",
            "nowhere",
            Deny(&["namespaces \"nowhere\" not found"]),
        ),
        (Intern, "global-a", "dev", Allow),
        (Intern, "inventory-a", "prod", Allow),
        (Intern, "inventory-a", "dev", Deny(&["dev is open"])),
    ] {
        world.expect(user, name, namespace, &want).await;
    }
    let other = world
        .ask(Intern, "config-map-b", "dev", &json!({"team": "green"}))
        .await;
    let want = Deny(&["not among [\"red\", \"blue\"]"]);
    assert!(is_as(&other, &want), "{other}");
    keys_come_from_secrets_that_are_named(&world).await;
    registries_are_asked_with_secrets_that_are_named(&world).await;
    a_pod_names_its_own_secrets(&world).await;
    what_changes_is_seen(&world).await;
    nothing_is_admitted_without_the_cluster(world).await;
}

async fn keys_come_from_secrets_that_are_named(world: &World) {
    let missing = Deny(&["Secret", "regent/cosign-keys"]);
    world.expect(Intern, "keyed-a", "dev", &missing).await;
    let key = format!(
        "--from-file=cosign.pub={}",
        world.keyed.join("cosign.pub").display()
    );
    let arguments = [
        "create",
        "secret",
        "generic",
        "cosign-keys",
        "-n",
        "regent",
        &key,
    ];
    let said = world.api.kubectl(&arguments, "");
    assert!(said.success, "{}", said.stderr);
    world.expect(Intern, "keyed-a", "dev", &Allow).await;
}

/// A registry with one image, for whoever knows the password.
async fn private_registry() -> Scripted {
    let config = r#"{"os":"linux","architecture":"amd64"}"#;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","config":{{"mediaType":"{OCI_CONFIG}","digest":"{}","size":{}}},"layers":[]}}"#,
        digest_of(config.as_bytes()),
        config.len()
    );
    Scripted::start(move |asked| {
        let password = format!("Basic {}", STANDARD.encode("robot:hunter2"));
        if asked.header("authorization") != Some(&password) {
            let challenge = "WWW-Authenticate: Basic realm=\"private\"\r\n".to_owned();
            return Reply::Full(401, challenge, Vec::new());
        }
        if asked.path.contains("/blobs/") {
            return Reply::blob(config);
        }
        if asked.path.contains("/referrers/") {
            return Reply::index(index(&[]));
        }
        if asked.path.contains("/manifests/sha256-") {
            return Reply::not_found();
        }
        let digest = digest_of(manifest.as_bytes());
        let head = format!("Content-Type: {OCI_MANIFEST}\r\nDocker-Content-Digest: {digest}\r\n");
        Reply::Full(200, head, manifest.clone().into())
    })
    .await
}

/// The Secret that is to be read by the server itself, its name without a namespace.
const PULL_SECRET: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: regent-pull, namespace: default}
rules: [{apiGroups: [''], resources: [secrets], resourceNames: [pull], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: regent-pull, namespace: default}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: regent-pull}
subjects: [{kind: ServiceAccount, name: regent, namespace: regent}]
---
apiVersion: v1
kind: Secret
metadata: {name: pull, namespace: default}
type: kubernetes.io/dockerconfigjson
stringData: {.dockerconfigjson: '{\"auths\": {\"ADDRESS\": {\"username\": \"robot\", \"password\": \"hunter2\"}}}'}
";

async fn registries_are_asked_with_secrets_that_are_named(world: &World) {
    let missing = Deny(&["the pull secret `pull`", "forbidden"]);
    world.expect(Intern, "pulled-a", "dev", &missing).await;
    let secret = PULL_SECRET.replace("ADDRESS", &world.private.address.to_string());
    let said = world.api.kubectl(&["apply", "-f", "-"], &secret);
    assert!(said.success, "{}", said.stderr);
    let started = Instant::now();
    // An API server takes its time until new rights are in force.
    loop {
        let response = world.ask(Intern, "pulled-a", "dev", &json!({})).await;
        if is_as(&response, &Allow) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{response}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What a pod names counts where the operator says so, and only there; it need not be there, as for who pulls the image.
async fn a_pod_names_its_own_secrets(world: &World) {
    for (server, want) in [
        (&world.regent, Deny(&["no signatures found"])),
        (&world.without, Deny(&["refuses access"])),
    ] {
        let response = World::ask_private(server, "own-a", "pull").await;
        assert!(is_as(&response, &want), "{response}");
    }
    let response = World::ask_private(&world.regent, "own-b", "other").await;
    // The server may not read it, which is not the same as that it is not there.
    assert!(
        is_as(&response, &Deny(&["the pull secret `other`", "forbidden"])),
        "{response}"
    );
}

/// Bindings, labels and entries of the global context are watched; a `ConfigMap` is asked for each time.
async fn what_changes_is_seen(world: &World) {
    let change = |arguments: &[&str]| {
        let said = world.api.kubectl(arguments, "");
        assert!(said.success, "{}", said.stderr);
    };
    change(&["delete", "configmap", "allowed", "-n", "regent"]);
    let gone = "failed to retrieve config map for context entry allowed: failed to get configmap regent/allowed : configmaps \"allowed\" not found";
    let words: &[&str] = Box::leak(Box::new([gone]));
    world
        .expect(Intern, "config-map-a", "dev", &Deny(words))
        .await;

    change(&["label", "namespace", "dev", "tier=gold"]);
    change(&["delete", "rolebinding", "interns", "-n", "prod"]);
    change(&["delete", "networkpolicy", "closed", "-n", "prod"]);
    for (name, want) in [
        ("selector-a", Deny(&["not in gold"])),
        ("role-a", Allow),
        ("global-a", Deny(&["[]"])),
    ] {
        let started = Instant::now();
        loop {
            let response = world
                .ask(Intern, name, "dev", &json!({"team": "red"}))
                .await;
            if is_as(&response, &want) {
                break;
            }
            assert!(started.elapsed() < PATIENCE, "{name}: {response}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let open = Deny(&["prod is open"]);
    let started = Instant::now();
    while !is_as(
        &world.ask(Intern, "inventory-a", "prod", &json!({})).await,
        &open,
    ) {
        assert!(started.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let new = world.api.kubectl(&["create", "namespace", "new"], "");
    assert!(new.success, "{}", new.stderr);
    world.expect(Intern, "selector-a", "new", &Allow).await;
}

/// Every question that the API server does not answer is an error of its rule, and is refused.
async fn nothing_is_admitted_without_the_cluster(world: World) {
    let World { api, regent, .. } = world;
    drop(api);
    let world_without = |name: &'static str| {
        json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": name, "operation": "CREATE", "name": name, "namespace": "dev",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "userInfo": {"username": "eve", "groups": ["system:authenticated"]},
                "object": {"metadata": {"name": name, "namespace": "dev", "labels": {"team": "red"}}, "spec": {}},
            },
        })
    };
    for name in ["config-map-a", "api-call-a", "review-a"] {
        let response = regent
            .post("/validate", &world_without(name))
            .await
            .response();
        let want = Deny(&["could not be reached"]);
        assert!(is_as(&response, &want), "{response}");
    }
    let metrics = regent.metrics().await;
    assert!(
        metrics.contains("regent_cluster_requests_total{outcome=\"unavailable\",request=\"get\"}"),
        "{metrics}"
    );
}
