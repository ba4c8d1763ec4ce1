//! A container of a pod as arguments of `docker run`.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::kubelet::Node;
use crate::kubelet::expansion::{expand, thousandths};
use crate::kubelet::sources::{Problem, files, variables};
use crate::objects::json::{integer, list, text};

/// What a container is started with.
pub struct Start<'a> {
    /// The node.
    pub node: &'a Node,
    /// Its pod.
    pub pod: &'a Value,
    /// Its part of the pod's spec.
    pub container: &'a Value,
    /// How the engine calls its image.
    pub image: &'a str,
    /// The container whose network it joins; its own when `None`.
    pub sandbox: Option<&'a str>,
    /// Address of the pod, empty where it is not known yet.
    pub address: &'a str,
    /// How often it was started before.
    pub restarts: u32,
}

impl Start<'_> {
    /// The arguments.
    ///
    /// # Errors
    /// What its configuration lacks.
    pub fn arguments(&self) -> Result<Vec<String>, Problem> {
        let (container, name) = (self.container, text(self.container, "/name"));
        let mut arguments = common(self.node, self.pod, &format!("{name}-{}", self.restarts));
        arguments.extend(["--label".to_owned(), format!("slipway.container={name}")]);
        match self.sandbox {
            Some(sandbox) => arguments.extend(["--network".to_owned(), format!("container:{sandbox}")]),
            None => arguments.extend(network(self.node, self.pod)),
        }
        let variables = variables(self.node, self.pod, container, self.address)?;
        for (name, value) in &variables {
            arguments.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        for mount in list(container, "/volumeMounts") {
            arguments.extend(["--mount".to_owned(), self.mount(mount)?]);
        }
        if let Some(limit) = container.pointer("/resources/limits/memory").and_then(quantity) {
            arguments.extend(["--memory".to_owned(), format!("{}b", limit / 1000)]);
        }
        if let Some(limit) = container.pointer("/resources/limits/cpu").and_then(quantity) {
            arguments.extend(["--cpus".to_owned(), format!("{}.{:03}", limit / 1000, limit % 1000)]);
        }
        let context = |field: &str| {
            container["securityContext"].get(field).or_else(|| self.pod["spec"]["securityContext"].get(field))
        };
        if let Some(user) = context("runAsUser").and_then(Value::as_i64) {
            let group = context("runAsGroup").and_then(Value::as_i64).map(|group| format!(":{group}"));
            arguments.extend(["--user".to_owned(), format!("{user}{}", group.unwrap_or_default())]);
        }
        if context("readOnlyRootFilesystem") == Some(&Value::Bool(true)) {
            arguments.push("--read-only".to_owned());
        }
        if !text(container, "/workingDir").is_empty() {
            arguments.extend(["--workdir".to_owned(), text(container, "/workingDir").to_owned()]);
        }
        let words = |field: &str| -> Vec<String> {
            let words = list(container, field).iter().filter_map(Value::as_str);
            words.map(|word| expand(word, &variables)).collect()
        };
        let (command, rest) = (words("/command"), words("/args"));
        if let Some(program) = command.first() {
            arguments.extend(["--entrypoint".to_owned(), program.clone()]);
        }
        arguments.push(self.image.to_owned());
        arguments.extend(command.into_iter().skip(1).chain(rest));
        Ok(arguments)
    }

    fn mount(&self, mount: &Value) -> Result<String, Problem> {
        let (name, target) = (text(mount, "/name"), text(mount, "/mountPath"));
        let volume = list(self.pod, "/spec/volumes").iter().find(|volume| text(volume, "/name") == name);
        let volume = volume.ok_or_else(|| format!("volume \"{name}\" not found"))?;
        let readonly = if mount["readOnly"] == true { ",readonly" } else { "" };
        let uid = text(self.pod, "/metadata/uid");
        let Some(files) = files(self.node, self.pod, volume)? else {
            let labels = self.node.docker.labels().map(|label| format!(",volume-label={label}")).concat();
            return Ok(format!(
                "type=volume,source={},target={target}{readonly}{labels}",
                volume_name(self.node, uid, name)
            ));
        };
        let folder = self.node.folder.join(uid).join(name);
        let mode = ["configMap", "secret"].iter().find_map(|kind| volume[*kind]["defaultMode"].as_u64());
        let mode = u32::try_from(mode.unwrap_or(0o644)).unwrap_or(0o644);
        for (path, content) in files {
            stays_inside(&path)?;
            write(&folder, &path, &content, mode).map_err(|error| format!("volume \"{name}\": {error}"))?;
        }
        std::fs::create_dir_all(&folder).map_err(|error| format!("volume \"{name}\": {error}"))?;
        let source = match text(mount, "/subPath") {
            "" => folder,
            path => {
                stays_inside(path)?;
                folder.join(path)
            }
        };
        Ok(format!("type=bind,source={},target={target},readonly", source.display()))
    }
}

/// The arguments of the container that only holds the network of a pod with several.
pub fn sandbox(node: &Node, pod: &Value) -> Vec<String> {
    let mut arguments = common(node, pod, "sandbox");
    arguments.extend(network(node, pod));
    let program = ["--entrypoint", "python3", &node.helper_image, "-c", "import signal; signal.pause()"];
    arguments.extend(program.map(str::to_owned));
    arguments
}

/// Names of the engine's volumes that stand for the pod's `emptyDir`s.
pub fn volumes(node: &Node, pod: &Value) -> Vec<String> {
    let uid = text(pod, "/metadata/uid");
    let own = list(pod, "/spec/volumes").iter().filter(|volume| volume["emptyDir"].is_object());
    own.map(|volume| volume_name(node, uid, text(volume, "/name"))).collect()
}

fn volume_name(node: &Node, uid: &str, name: &str) -> String {
    format!("slipway-{}-{uid}-{name}", node.docker.cloud)
}

fn common(node: &Node, pod: &Value, purpose: &str) -> Vec<String> {
    let uid = text(pod, "/metadata/uid");
    let (name, namespace) = (text(pod, "/metadata/name"), text(pod, "/metadata/namespace"));
    let mut arguments = vec!["run".to_owned(), "--detach".to_owned()];
    let own = [
        format!("slipway.namespace={namespace}"),
        format!("slipway.pod={uid}"),
        format!("slipway.pod.name={name}"),
    ];
    for label in node.docker.labels().into_iter().chain(own) {
        arguments.extend(["--label".to_owned(), label]);
    }
    let unique =
        format!("slipway-{}-{namespace}-{name}-{}-{purpose}", node.docker.cloud, &uid[..8.min(uid.len())]);
    arguments.extend(["--name".to_owned(), unique]);
    arguments
}

/// A short name of a service is looked up in the pod's own namespace first, as in a real cluster.
fn network(node: &Node, pod: &Value) -> Vec<String> {
    let namespace = text(pod, "/metadata/namespace");
    let hostname = match text(pod, "/spec/hostname") {
        "" => text(pod, "/metadata/name"),
        hostname => hostname,
    };
    let search = format!("{namespace}.svc.cluster.local");
    let flags = [
        ("--network", node.docker.network.as_str()),
        ("--hostname", &hostname[..63.min(hostname.len())]),
        ("--dns-search", &search),
        ("--dns-option", "ndots:1"),
        // A name that does not exist is asked of the outside world, which may not be there: do not wait for it long.
        ("--dns-option", "timeout:1"),
    ];
    let mut arguments: Vec<String> =
        flags.iter().flat_map(|(flag, value)| [(*flag).to_owned(), (*value).to_owned()]).collect();
    for alias in list(pod, "/spec/hostAliases") {
        for name in list(alias, "/hostnames").iter().filter_map(Value::as_str) {
            arguments.extend(["--add-host".to_owned(), format!("{name}:{}", text(alias, "/ip"))]);
        }
    }
    arguments
}

fn quantity(value: &Value) -> Option<u64> {
    value.as_str().map_or_else(|| value.as_u64().map(|number| number * 1000), thousandths)
}

/// A path in a manifest must not lead out of the volume.
fn stays_inside(path: &str) -> Result<(), Problem> {
    let mut parts = Path::new(path).components();
    let inside = parts.all(|part| matches!(part, std::path::Component::Normal(_)));
    if inside { Ok(()) } else { Err(format!("the path \"{path}\" leads out of its volume")) }
}

fn write(folder: &Path, path: &str, content: &[u8], mode: u32) -> std::io::Result<()> {
    let file = folder.join(path);
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent)?;
    }
    std::fs::write(&file, content)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode))
}

/// Seconds a pod may take to end.
pub fn grace(pod: &Value) -> i64 {
    let asked = integer(pod, "/metadata/deletionGracePeriodSeconds");
    asked.or_else(|| integer(pod, "/spec/terminationGracePeriodSeconds")).unwrap_or(30)
}
