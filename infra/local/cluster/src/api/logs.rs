//! `pods/{name}/log`: what a container printed.

use std::process::Stdio;

use axum::body::Body;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use crate::api::failure::Failure;
use crate::api::request::{Parameters, Target};
use crate::api::{Api, Pods};
use crate::objects::json;
use crate::objects::resources::PODS;
use crate::objects::store::Key;

/// Reads or follows a log.
///
/// # Errors
/// 404 without the pod, 400 without a container that has started.
pub fn read(api: &Api, target: &Target, parameters: &Parameters) -> Result<Response, Failure> {
    let name = target.name.as_deref().ok_or_else(Failure::no_such_path)?;
    let pod = api.objects.store.get(&Key::new(&PODS, &target.namespace, name));
    let pod = pod.ok_or_else(|| Failure::not_found(&PODS, name))?;
    let id = container_id(&pod, name, parameters)?;
    let engine = match &api.pods {
        Pods::In(engine) => engine,
        Pods::Pretended(pretence) => {
            return Ok(([(header::CONTENT_TYPE, "text/plain")], pretence.log(&pod)).into_response());
        }
    };
    let mut command = engine.command();
    command.arg("logs");
    if let Some(lines) = parameters.number("tailLines") {
        command.arg(format!("--tail={lines}"));
    }
    if let Some(seconds) = parameters.number("sinceSeconds") {
        command.arg(format!("--since={seconds}s"));
    }
    if parameters.flag("timestamps") {
        command.arg("--timestamps");
    }
    if parameters.flag("follow") {
        command.arg("--follow");
    }
    command.arg(id);
    // One pipe for both streams keeps the order in which the lines were written.
    let io = |error: std::io::Error| Failure::internal(format!("reading the log: {error}"));
    let (reader, writer) = std::io::pipe().map_err(io)?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().map_err(io)?).stderr(writer).kill_on_drop(true);
    let child = command.spawn().map_err(io)?;
    // The command holds the writing ends: only without it does the log end with the client.
    drop(command);
    let output = tokio::net::unix::pipe::Receiver::from_owned_fd(reader.into()).map_err(io)?;
    let stream =
        futures::stream::unfold((ReaderStream::new(output), child), |(mut lines, child)| async move {
            let chunk = futures::StreamExt::next(&mut lines).await?;
            Some((chunk, (lines, child)))
        });
    Ok(([(header::CONTENT_TYPE, "text/plain")], Body::from_stream(stream)).into_response())
}

fn container_id<'a>(pod: &'a Value, name: &str, parameters: &Parameters) -> Result<&'a str, Failure> {
    let containers: Vec<&str> =
        json::list(pod, "/spec/containers").iter().map(|container| json::text(container, "/name")).collect();
    let wanted = match (parameters.text("container"), containers.as_slice()) {
        ("", [only]) => only,
        ("", several) => {
            return Err(Failure::bad_request(format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                several.join(" ")
            )));
        }
        (wanted, _) => wanted,
    };
    let statuses = ["containerStatuses", "initContainerStatuses"]
        .map(|list| json::list(&pod["status"], &format!("/{list}")));
    let status = statuses.into_iter().flatten().find(|status| json::text(status, "/name") == wanted);
    let known = json::list(pod, "/spec/initContainers")
        .iter()
        .any(|container| json::text(container, "/name") == wanted);
    if !containers.contains(&wanted) && !known {
        return Err(Failure::bad_request(format!("container {wanted} is not valid for pod {name}")));
    }
    let status = status.unwrap_or(&Value::Null);
    let id = if parameters.flag("previous") {
        json::text(status, "/lastState/terminated/containerID")
    } else {
        json::text(status, "/containerID")
    };
    if let Some(id) = id.strip_prefix("docker://") {
        return Ok(id);
    }
    Err(Failure::bad_request(if parameters.flag("previous") {
        format!("previous terminated container \"{wanted}\" in pod \"{name}\" not found")
    } else {
        let reason = json::text(status, "/state/waiting/reason");
        let reason = match reason {
            "ErrImagePull" => "image can't be pulled",
            "ImagePullBackOff" => "trying and failing to pull image",
            "" => "ContainerCreating",
            other => other,
        };
        format!("container \"{wanted}\" in pod \"{name}\" is waiting to start: {reason}")
    }))
}
