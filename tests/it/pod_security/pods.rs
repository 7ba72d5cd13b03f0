//! Pods made at random, the same each time: most fields are such that some control says something of them.

use serde_json::{Map, Value, json};

/// Numbers that look random.
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        // Xorshift: good enough to reach every combination, and in no need of a crate.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 16).unwrap() % bound
    }

    fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    fn pick(&mut self, values: &[Value]) -> Value {
        values[self.below(values.len())].clone()
    }
}

/// Fields that are there once in a while.
struct Fields<'r> {
    random: &'r mut Random,
    fields: Map<String, Value>,
}

impl Fields<'_> {
    fn maybe(&mut self, one_in: usize, name: &str, values: &[Value]) {
        if self.random.one_in(one_in) {
            let value = self.random.pick(values);
            self.fields.insert(name.to_owned(), value);
        }
    }

    fn maybe_with(&mut self, one_in: usize, name: &str, make: impl FnOnce(&mut Random) -> Value) {
        if self.random.one_in(one_in) {
            let value = make(self.random);
            self.fields.insert(name.to_owned(), value);
        }
    }
}

fn object(random: &mut Random, fill: impl FnOnce(&mut Fields<'_>)) -> Value {
    let mut fields = Fields {
        random,
        fields: Map::new(),
    };
    fill(&mut fields);
    Value::Object(fields.fields)
}

fn list(random: &mut Random, most: usize, make: impl Fn(&mut Random, usize) -> Value) -> Value {
    let count = random.below(most + 1);
    Value::Array((0..count).map(|index| make(random, index)).collect())
}

fn profile(random: &mut Random, values: &[Value]) -> Value {
    object(random, |fields| {
        fields.maybe(1, "type", values);
        if fields.random.one_in(15) {
            fields.fields.clear();
        }
    })
}

fn of_both(fields: &mut Fields<'_>) {
    let flags = [json!(true), json!(false)];
    fields.maybe(3, "runAsNonRoot", &[json!(true), json!(true), json!(false)]);
    fields.maybe(6, "runAsUser", &[json!(0), json!(1), json!(1000)]);
    let types = ["RuntimeDefault", "Localhost", "Unconfined", ""].map(Value::from);
    fields.maybe_with(3, "seccompProfile", |random| profile(random, &types));
    fields.maybe_with(9, "appArmorProfile", |random| profile(random, &types));
    fields.maybe_with(9, "windowsOptions", |random| {
        object(random, |fields| fields.maybe(2, "hostProcess", &flags))
    });
    fields.maybe_with(6, "seLinuxOptions", |random| {
        let types = ["container_t", "container_engine_t", "spc_t", ""].map(Value::from);
        object(random, |fields| {
            fields.maybe(2, "type", &types);
            fields.maybe(6, "user", &["system_u".into(), "".into()]);
            fields.maybe(6, "role", &["system_r".into(), "".into()]);
            fields.maybe(6, "level", &["s0".into()]);
        })
    });
}

fn capabilities(random: &mut Random) -> Value {
    let added = ["CHOWN", "NET_ADMIN", "NET_BIND_SERVICE", "SYS_TIME", "KILL"].map(Value::from);
    let dropped = [
        json!(["ALL"]),
        json!(["ALL"]),
        json!(["KILL", "ALL"]),
        json!(["NET_RAW"]),
        json!([]),
    ];
    object(random, |fields| {
        fields.maybe_with(3, "add", |random| {
            list(random, 3, |random, _| random.pick(&added))
        });
        fields.maybe(2, "drop", &dropped);
    })
}

fn of_container(random: &mut Random) -> Value {
    let flags = [json!(true), json!(false), json!(false)];
    object(random, |fields| {
        of_both(fields);
        fields.maybe(5, "privileged", &flags);
        fields.maybe(2, "allowPrivilegeEscalation", &flags);
        fields.maybe(9, "procMount", &["Default".into(), "Unmasked".into()]);
        fields.maybe_with(2, "capabilities", capabilities);
    })
}

fn handler(random: &mut Random) -> Value {
    let hosts = ["127.0.0.1", ""].map(Value::from);
    let action = ["httpGet", "tcpSocket"][random.below(2)];
    let mut target = object(random, |fields| fields.maybe(3, "host", &hosts));
    target["port"] = 80.into();
    json!({action: target})
}

fn container(random: &mut Random, index: usize) -> Value {
    let ports = [json!(0), json!(8080)];
    let mut container = object(random, |fields| {
        if !fields.random.one_in(5) {
            fields.maybe_with(1, "securityContext", of_container);
        }
        fields.maybe_with(5, "ports", |random| {
            list(random, 2, |random, _| {
                let mut port = object(random, |fields| fields.maybe(3, "hostPort", &ports));
                port["containerPort"] = 80.into();
                port
            })
        });
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
            fields.maybe_with(15, probe, handler);
        }
        fields.maybe_with(15, "lifecycle", |random| {
            object(random, |fields| {
                fields.maybe_with(2, "postStart", handler);
                fields.maybe_with(2, "preStop", handler);
            })
        });
    });
    container["name"] = format!("c{index}").into();
    container["image"] = "registry.example/app:1".into();
    container
}

const VOLUMES: [&str; 30] = [
    "awsElasticBlockStore",
    "azureDisk",
    "azureFile",
    "cephfs",
    "cinder",
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "fc",
    "flexVolume",
    "flocker",
    "gcePersistentDisk",
    "gitRepo",
    "glusterfs",
    "hostPath",
    "image",
    "iscsi",
    "nfs",
    "persistentVolumeClaim",
    "photonPersistentDisk",
    "portworxVolume",
    "projected",
    "quobyte",
    "rbd",
    "scaleIO",
    "secret",
    "storageos",
    "vsphereVolume",
];

fn volume(random: &mut Random, index: usize) -> Value {
    let kind = if random.one_in(2) {
        "emptyDir"
    } else {
        VOLUMES[random.below(VOLUMES.len())]
    };
    json!({"name": format!("v{index}"), kind: {}})
}

fn sysctl(random: &mut Random, _index: usize) -> Value {
    let names = [
        "kernel.shm_rmid_forced",
        "net.ipv4.tcp_rmem",
        "kernel.msgmax",
    ]
    .map(Value::from);
    json!({"name": random.pick(&names), "value": "1"})
}

/// `spec` of a pod.
fn spec(random: &mut Random) -> Value {
    let flags = [json!(true), json!(false)];
    object(random, |fields| {
        fields.maybe_with(1, "containers", |random| {
            let more = random.below(2);
            Value::Array((0..=more).map(|index| container(random, index)).collect())
        });
        for list_name in ["initContainers", "ephemeralContainers"] {
            fields.maybe_with(6, list_name, |random| list(random, 2, container));
        }
        for name in ["hostNetwork", "hostPID", "hostIPC"] {
            fields.maybe(9, name, &flags);
        }
        fields.maybe(
            12,
            "os",
            &[json!({"name": "windows"}), json!({"name": "linux"})],
        );
        fields.maybe_with(2, "securityContext", |random| {
            object(random, |fields| {
                of_both(fields);
                fields.maybe_with(6, "sysctls", |random| list(random, 2, sysctl));
            })
        });
        fields.maybe_with(3, "volumes", |random| list(random, 3, volume));
    })
}

fn metadata(random: &mut Random) -> Value {
    let key = "container.apparmor.security.beta.kubernetes.io/c0";
    let values = ["runtime/default", "localhost/a", "unconfined"].map(Value::from);
    object(random, |fields| {
        fields.maybe_with(
            9,
            "annotations",
            |random| json!({key: random.pick(&values), "a": "b"}),
        );
    })
}

/// A pod, or what makes pods.
pub(super) fn resource(random: &mut Random) -> Value {
    let template = json!({"metadata": metadata(random), "spec": spec(random)});
    let (version, kind, spec) = match random.below(8) {
        0 => ("apps/v1", "Deployment", json!({"template": template})),
        1 => (
            "batch/v1",
            "CronJob",
            json!({"jobTemplate": {"spec": {"template": template}}}),
        ),
        _ => ("v1", "Pod", template["spec"].clone()),
    };
    let mut metadata = json!({"name": "app", "namespace": "default"});
    if kind == "Pod" && template["metadata"].get("annotations").is_some() {
        metadata["annotations"] = template["metadata"]["annotations"].clone();
    }
    json!({"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec})
}
