//! Ending a pod: its containers as gently as it asks for, then every trace of it.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use crate::kubelet::arguments;
use crate::kubelet::worker::Worker;
use crate::objects::json::{list, text};

impl Worker {
    /// Ends the containers as gently as the pod allows, then removes all traces and the pod itself.
    pub(super) async fn end(&mut self) {
        let current =
            self.node.objects.store.get(&self.key).filter(|pod| text(pod, "/metadata/uid") == self.uid);
        let grace = current.as_deref().map_or(0, arguments::grace);
        for container in &mut self.containers {
            container.stop_probes();
            container.ready = false;
        }
        self.write_status();
        let running: Vec<usize> =
            (0..self.containers.len()).filter(|index| self.containers[*index].is_running()).collect();
        for index in &running {
            self.tell("Normal", "Killing", &format!("Stopping container {}", self.containers[*index].name()));
        }
        let deadline = Instant::now() + Duration::from_secs(grace.unsigned_abs());
        self.before_stop(&running, deadline).await;
        let left = deadline.saturating_duration_since(Instant::now()).as_secs().to_string();
        let mut arguments = vec!["stop", "--time", &left];
        arguments.extend(running.iter().map(|index| self.containers[*index].id.as_str()));
        if !running.is_empty()
            && grace > 0
            && let Err(error) = self.node.docker.engine.output(&arguments).await
        {
            tracing::debug!(error = format!("{error:#}"), "containers not stopped");
        }
        self.remove().await;
    }

    async fn before_stop(&self, running: &[usize], deadline: Instant) {
        let hooks = running.iter().map(|index| {
            let container = &self.containers[*index];
            let hook = &container.spec["lifecycle"]["preStop"];
            let words = list(hook, "/exec/command").iter().filter_map(Value::as_str);
            let arguments: Vec<&str> = ["exec", container.id.as_str()].into_iter().chain(words).collect();
            async move {
                if let Some(seconds) = hook["sleep"]["seconds"].as_u64() {
                    sleep(Duration::from_secs(seconds)).await;
                } else if arguments.len() > 2
                    && let Err(error) = self.node.docker.engine.output(&arguments).await
                {
                    self.tell("Warning", "FailedPreStopHook", &format!("PreStopHook failed: {error:#}"));
                }
            }
        });
        let hooks = futures::future::join_all(hooks);
        // What is not done by the end of the grace period is cut off with the container.
        let _done = timeout(deadline.saturating_duration_since(Instant::now()), hooks).await;
    }

    async fn remove(&self) {
        let docker = &self.node.docker;
        // By label, since a start may have been cut off before its id was known.
        let removed = async {
            docker.remove(&docker.containers(Some(&self.uid)).await?).await?;
            let volumes = arguments::volumes(&self.node, &self.pod);
            if !volumes.is_empty() {
                let names = volumes.iter().map(String::as_str);
                let arguments: Vec<&str> = ["volume", "rm", "--force"].into_iter().chain(names).collect();
                docker.engine.output(&arguments).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = removed.await {
            tracing::warn!(error = format!("{error:#}"), pod = self.key.name, "containers not removed");
        }
        let _absent = std::fs::remove_dir_all(self.node.folder.join(&self.uid));
        self.node.objects.remove_pod(&self.key, &self.uid);
    }
}
