//! What an environment lets a repository apply: pure, so that a refusal comes before anything reaches the cluster.
//!
//! The rules for pods are those of the level *baseline* of Kubernetes' Pod Security Standards
//! (<https://kubernetes.io/docs/concepts/security/pod-security-standards/#baseline>). They are read off every pod
//! template, also those inside kinds that nobody here knows.

mod waiting;

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use waiting::Waiting;

/// What may be applied in an environment, by the operator's file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// How far pods may reach into their node.
    pub pods: PodSecurity,
    /// Whether a binding may name the role `cluster-admin`.
    pub cluster_admin: bool,
    /// The kinds that may be applied; none allows all.
    pub kinds: Option<Vec<String>>,
    /// Whether kinds that lie in no namespace may be applied.
    pub cluster_wide: bool,
    /// What becomes of a field that another manager owns.
    pub conflicts: Conflicts,
    /// Which of those that wait for the environment have their turn.
    pub waiting: Waiting,
    /// Which findings of the registry's scan keep an image from being published.
    pub scan: crate::scan::ScanPolicy,
}

impl Policy {
    /// Whether it is the one that holds where the operator's file says nothing.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How far pods may reach into their node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PodSecurity {
    /// Not beyond what containers get by default.
    #[default]
    Baseline,
    /// As far as the cluster itself allows.
    Privileged,
}

/// What becomes of a field of the manifests that another manager of the object owns with another value
/// (<https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts>).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflicts {
    /// The object is refused, and the other manager named.
    #[default]
    Refuse,
    /// The field is taken from the other manager, and people are told.
    Take,
}

/// One thing in an object that the policy forbids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where, such as `spec.template.spec.hostNetwork`.
    pub field: String,
    /// What is not allowed.
    pub rule: String,
    /// What the operator would have to write to allow it.
    pub remedy: &'static str,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, rule, remedy } = self;
        write!(formatter, "`{field}`: {rule}; leave it out, or let the operator's file say `{remedy}`")
    }
}

/// What the operator writes to let pods do anything.
const PRIVILEGED: &str = "policy: {pods: privileged}";

/// What a container may add to its capabilities.
const CAPABILITIES: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// What a pod may set of its kernel, as of Kubernetes 1.32.
const SYSCTLS: [&str; 10] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
];

/// The types of `SELinux` that are confined.
const SELINUX_TYPES: [&str; 5] =
    ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// Everything in the object that the policy forbids, in the order of its fields.
pub fn violations(object: &Value, policy: &Policy) -> Vec<Violation> {
    let mut found = Vec::new();
    let kind = object["kind"].as_str().unwrap_or_default();
    if policy.kinds.as_ref().is_some_and(|kinds| !kinds.iter().any(|known| known == kind)) {
        found.push(Violation {
            field: "kind".to_owned(),
            rule: format!("objects of kind `{kind}` are not among those that may be applied"),
            remedy: "policy: {kinds: [...]} with it",
        });
    }
    if !policy.cluster_admin && object["roleRef"]["name"] == "cluster-admin" {
        found.push(Violation {
            field: "roleRef.name".to_owned(),
            rule: "nobody is made `cluster-admin`".to_owned(),
            remedy: "policy: {cluster_admin: true}",
        });
    }
    if policy.pods == PodSecurity::Baseline {
        search(object, &mut String::new(), &mut found);
    }
    found
}

/// Looks for pods, whatever object they lie in.
fn search(value: &Value, path: &mut String, found: &mut Vec<Violation>) {
    let length = path.len();
    match value {
        Value::Object(fields) => {
            if fields.get("containers").is_some_and(Value::is_array) {
                Judge { path, found }.pod(value);
            }
            for (name, inner) in fields {
                path.push_str(if length == 0 { "" } else { "." });
                path.push_str(name);
                search(inner, path, found);
                path.truncate(length);
            }
        }
        Value::Array(items) => {
            for (index, inner) in items.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ = write!(path, "[{index}]");
                search(inner, path, found);
                path.truncate(length);
            }
        }
        _ => {}
    }
}

/// Judges a pod at a path.
struct Judge<'a> {
    path: &'a str,
    found: &'a mut Vec<Violation>,
}

impl Judge<'_> {
    fn forbid(&mut self, field: &str, rule: impl Into<String>) {
        let dot = if self.path.is_empty() { "" } else { "." };
        let field = format!("{}{dot}{field}", self.path);
        self.found.push(Violation { field, rule: rule.into(), remedy: PRIVILEGED });
    }

    fn pod(&mut self, spec: &Value) {
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            if is_set(&spec[field]) {
                self.forbid(field, "pods do not share the namespaces of their node");
            }
        }
        for (index, volume) in list(&spec["volumes"]) {
            if !volume["hostPath"].is_null() {
                self.forbid(
                    &format!("volumes[{index}].hostPath"),
                    "pods do not reach the files of their node",
                );
            }
        }
        self.context(&spec["securityContext"], "securityContext");
        for (index, sysctl) in list(&spec["securityContext"]["sysctls"]) {
            let name = text(&sysctl["name"]);
            if !SYSCTLS.contains(&name) {
                let field = format!("securityContext.sysctls[{index}].name");
                self.forbid(&field, format!("`{}` is no safe setting of the kernel", short(name)));
            }
        }
        for part in ["containers", "initContainers", "ephemeralContainers"] {
            for (index, container) in list(&spec[part]) {
                self.container(container, &format!("{part}[{index}]"));
            }
        }
    }

    fn container(&mut self, container: &Value, at: &str) {
        let context = &container["securityContext"];
        if is_set(&context["privileged"]) {
            self.forbid(&format!("{at}.securityContext.privileged"), "no container is privileged");
        }
        for (index, added) in list(&context["capabilities"]["add"]) {
            let name = text(added);
            if !CAPABILITIES.contains(&name) {
                let field = format!("{at}.securityContext.capabilities.add[{index}]");
                self.forbid(&field, format!("the capability `{}` is not added", short(name)));
            }
        }
        if !matches!(text(&context["procMount"]), "" | "Default") {
            self.forbid(&format!("{at}.securityContext.procMount"), "`/proc` stays masked");
        }
        for (index, port) in list(&container["ports"]) {
            if port["hostPort"].as_u64().is_some_and(|port| port != 0) {
                self.forbid(&format!("{at}.ports[{index}].hostPort"), "no port of the node is taken");
            }
        }
        self.context(context, &format!("{at}.securityContext"));
    }

    /// What pods and containers say alike.
    fn context(&mut self, context: &Value, at: &str) {
        for profile in ["seccompProfile", "appArmorProfile"] {
            if context[profile]["type"] == "Unconfined" {
                self.forbid(&format!("{at}.{profile}.type"), "nothing runs unconfined");
            }
        }
        let selinux = &context["seLinuxOptions"];
        if !SELINUX_TYPES.contains(&text(&selinux["type"])) {
            self.forbid(&format!("{at}.seLinuxOptions.type"), "the type of SELinux is one of containers");
        }
        for field in ["user", "role"] {
            if !text(&selinux[field]).is_empty() {
                self.forbid(
                    &format!("{at}.seLinuxOptions.{field}"),
                    "user and role of SELinux are not chosen",
                );
            }
        }
        if is_set(&context["windowsOptions"]["hostProcess"]) {
            self.forbid(&format!("{at}.windowsOptions.hostProcess"), "no process runs on the node itself");
        }
    }
}

/// Anything but absent, `null` and `false`: a text such as `"true"` is the cluster's to refuse, not ours to trust.
fn is_set(value: &Value) -> bool {
    !matches!(value, Value::Null | Value::Bool(false))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = (usize, &Value)> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter().enumerate()
}

/// A name of the user's, for a sentence.
fn short(name: &str) -> String {
    crate::text::first_line(name, 60)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(object: &Value, policy: &Policy) -> Vec<String> {
        violations(object, policy).into_iter().map(|violation| violation.field).collect()
    }

    fn deployment(pod: &Value) -> Value {
        json!({ "kind": "Deployment", "spec": { "template": { "spec": pod } } })
    }

    #[test]
    fn an_ordinary_pod_is_fine() {
        let pod = json!({
            "hostNetwork": false,
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" },
                "sysctls": [{ "name": "net.ipv4.tcp_syncookies", "value": "1" }] },
            "volumes": [{ "name": "config", "configMap": { "name": "c" } }],
            "containers": [{ "name": "app", "ports": [{ "containerPort": 8000, "hostPort": 0 }],
                "securityContext": { "privileged": false, "capabilities": { "drop": ["ALL"], "add": ["CHOWN"] },
                    "seLinuxOptions": { "type": "container_t" }, "procMount": "Default" } }],
        });
        assert_eq!(violations(&deployment(&pod), &Policy::default()), []);
    }

    #[test]
    fn each_rule_of_the_baseline_names_its_field() {
        let container =
            |context: Value| json!({ "containers": [{ "name": "app", "securityContext": context }] });
        let at = "spec.template.spec";
        for (pod, expect) in [
            (json!({ "containers": [], "hostNetwork": true }), "hostNetwork"),
            (json!({ "containers": [], "hostPID": true }), "hostPID"),
            (json!({ "containers": [], "hostIPC": "true" }), "hostIPC"),
            (
                json!({ "containers": [], "volumes": [{}, { "hostPath": { "path": "/" } }] }),
                "volumes[1].hostPath",
            ),
            (
                json!({ "containers": [], "securityContext": { "sysctls": [{ "name": "kernel.msgmax" }] } }),
                "securityContext.sysctls[0].name",
            ),
            (
                json!({ "containers": [], "securityContext": { "seLinuxOptions": { "user": "root" } } }),
                "securityContext.seLinuxOptions.user",
            ),
            (container(json!({ "privileged": true })), "containers[0].securityContext.privileged"),
            (
                container(json!({ "capabilities": { "add": ["CHOWN", "SYS_ADMIN"] } })),
                "containers[0].securityContext.capabilities.add[1]",
            ),
            (container(json!({ "procMount": "Unmasked" })), "containers[0].securityContext.procMount"),
            (
                container(json!({ "seccompProfile": { "type": "Unconfined" } })),
                "containers[0].securityContext.seccompProfile.type",
            ),
            (
                container(json!({ "appArmorProfile": { "type": "Unconfined" } })),
                "containers[0].securityContext.appArmorProfile.type",
            ),
            (
                container(json!({ "seLinuxOptions": { "type": "spc_t" } })),
                "containers[0].securityContext.seLinuxOptions.type",
            ),
            (
                container(json!({ "windowsOptions": { "hostProcess": true } })),
                "containers[0].securityContext.windowsOptions.hostProcess",
            ),
            (
                json!({ "containers": [], "initContainers": [{ "ports": [{ "hostPort": 80 }] }] }),
                "initContainers[0].ports[0].hostPort",
            ),
        ] {
            let object = deployment(&pod);
            assert_eq!(fields(&object, &Policy::default()), [format!("{at}.{expect}")], "{object}");
            let anything = Policy { pods: PodSecurity::Privileged, ..Policy::default() };
            assert_eq!(fields(&object, &anything), [""; 0], "{object}");
        }
    }

    /// A pod's template is one wherever it lies.
    #[test]
    fn pods_are_found_in_every_kind() {
        let pod = json!({ "containers": [], "hostNetwork": true });
        for (object, expect) in [
            (json!({ "kind": "Pod", "spec": pod }), "spec.hostNetwork"),
            (
                json!({ "kind": "CronJob", "spec": { "jobTemplate": { "spec": { "template": { "spec": pod } } } } }),
                "spec.jobTemplate.spec.template.spec.hostNetwork",
            ),
            (
                json!({ "kind": "Shop", "spec": { "parts": [{ "pod": pod }] } }),
                "spec.parts[0].pod.hostNetwork",
            ),
        ] {
            assert_eq!(fields(&object, &Policy::default()), [expect]);
        }
    }

    #[test]
    fn kinds_and_bindings_are_the_operators_to_allow() {
        let binding =
            json!({ "kind": "RoleBinding", "roleRef": { "kind": "ClusterRole", "name": "cluster-admin" } });
        assert_eq!(fields(&binding, &Policy::default()), ["roleRef.name"]);
        let trusting = Policy { cluster_admin: true, ..Policy::default() };
        assert_eq!(violations(&binding, &trusting), []);
        let few = Policy { kinds: Some(vec!["ConfigMap".to_owned()]), ..trusting };
        assert_eq!(fields(&binding, &few), ["kind"]);
        assert_eq!(violations(&json!({ "kind": "ConfigMap" }), &few), []);
        insta::assert_snapshot!(violations(&binding, &few)[0], @"`kind`: objects of kind `RoleBinding` are not among those that may be applied; leave it out, or let the operator's file say `policy: {kinds: [...]} with it`");
    }
}
