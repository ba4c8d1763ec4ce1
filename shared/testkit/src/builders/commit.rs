//! Commits as GitHub zips them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use domain::ids::{RepositoryPath, ServiceName};
use domain::spec::{Drafts, ENVIRONMENT_PLACEHOLDER, OnFailure, Plan, Rendering, RolloutSpec, ServiceSpec};
use zip::write::SimpleFileOptions;

/// GitHub's zip of a commit whose files lead to this plan. Of another number it has another content, which every test
/// and every image reads, so that none is taken over from another commit.
pub fn a_commit_of(number: u64, plan: &Plan) -> Vec<u8> {
    let text = format!("NUMBER = {number}");
    let folders: BTreeSet<&str> = plan.services.iter().map(|service| service.path.as_str()).collect();
    let own = folders.iter().map(|folder| (format!("{folder}/number.py"), text.clone()));
    with(plan, own.chain([("backend/conftest.py".to_owned(), text.clone())]))
}

/// GitHub's zip of a commit whose files lead to this plan.
pub fn a_commit(plan: &Plan) -> Vec<u8> {
    with(plan, [])
}

fn with(plan: &Plan, more: impl IntoIterator<Item = (String, String)>) -> Vec<u8> {
    let mut files = vec![("infrastructure/ci_cd/pipeline.yaml".to_owned(), pipeline_file(plan))];
    for service in &plan.services {
        if service.image.is_some() {
            files.push((format!("{}/Dockerfile", service.path), "FROM scratch\n".to_owned()));
            files.push((format!("{}/tests/test_it.py", service.path), String::new()));
        }
        let mut paths = service.manifests.iter();
        files.extend(paths.next().map(|path| (path.to_string(), a_manifest(service))));
        files.extend(paths.map(|path| (path.to_string(), configuration(path.as_str()))));
        match &service.rendering {
            None => {}
            Some(Rendering::Kustomize { folder }) => {
                let folder = folder.as_str().replace(ENVIRONMENT_PLACEHOLDER, "development");
                files.push((format!("{folder}/kustomization.yaml"), "resources: [all.yaml]\n".to_owned()));
                files.push((format!("{folder}/all.yaml"), a_manifest(service)));
            }
            Some(Rendering::Helm { chart, .. }) => {
                files.push((format!("{chart}/Chart.yaml"), "name: chart\n".to_owned()));
                files.push((format!("{chart}/templates/all.yaml"), a_manifest(service)));
            }
        }
        let jobs = service.rollout.pre_deploy.iter().chain(&service.rollout.post_deploy);
        files.extend(jobs.map(|path| (path.to_string(), job(path.as_str(), service))));
    }
    if plan.integration.is_some() {
        files.push(("integration_tests/test_all.py".to_owned(), String::new()));
    }
    files.extend(more);
    let files: Vec<_> =
        files.iter().map(|(path, text)| (format!("repository-abc/{path}"), text.as_bytes())).collect();
    a_zip(&files)
}

/// A zip of these entries.
pub fn a_zip<P: AsRef<str>, B: AsRef<[u8]>>(entries: &[(P, B)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (path, content) in entries {
        zip.start_file(path.as_ref(), options).expect("memory takes every entry");
        zip.write_all(content.as_ref()).expect("memory takes every byte");
    }
    zip.finish().expect("memory takes every zip").into_inner()
}

/// Only what the convention would decide otherwise.
fn pipeline_file(plan: &Plan) -> String {
    let mut text = "version: 1\n".to_owned();
    if let Some(most) = plan.max_parallel_builds {
        writeln!(text, "max_parallel_builds: {most}").expect("memory takes every text");
    }
    if !plan.shared_builds.is_empty() {
        text.push_str("shared_builds:\n");
        for group in &plan.shared_builds {
            let names: Vec<&str> = group.iter().map(ServiceName::as_str).collect();
            writeln!(text, "  - [{}]", names.join(", ")).expect("memory takes every text");
        }
    }
    if plan.drafts == Drafts::Skip {
        text.push_str("drafts: skip\n");
    }
    if plan.checks.is_none() {
        text.push_str("checks: {flake8: [], bandit: []}\n");
    }
    let is_unusual = |service: &ServiceSpec| {
        service.manifests.len() > 1 || !service.rollout.is_default() || service.rendering.is_some()
    };
    if plan.services.iter().any(is_unusual) {
        text.push_str("services:\n");
        for service in &plan.services {
            let RolloutSpec { pre_deploy, post_deploy, on_failure } = &service.rollout;
            let component = if service.image.is_none() { "image: none, " } else { "" };
            let on_failure = if *on_failure == OnFailure::Hold { "hold" } else { "roll_back" };
            writeln!(
                text,
                "  {}: {{{component}{}, pre_deploy: [{}], post_deploy: [{}], on_failure: {on_failure}}}",
                service.name,
                source_of(service),
                listed(pre_deploy),
                listed(post_deploy),
            )
            .expect("memory takes every text");
        }
    }
    let Some(channel) = &plan.notifications.slack else { return text };
    let emails: Vec<_> = plan.notifications.email.iter().map(|email| format!("{email:?}")).collect();
    write!(text, "notifications:\n  slack: {channel:?}\n  email: [{}]\n", emails.join(", "))
        .expect("memory takes every text");
    text
}

/// Where its manifests come from.
fn source_of(service: &ServiceSpec) -> String {
    match &service.rendering {
        None => format!("manifests: [{}]", listed(&service.manifests)),
        Some(Rendering::Kustomize { folder }) => format!("kustomize: '{folder}'"),
        Some(Rendering::Helm { chart, .. }) => format!("helm: {{chart: '{chart}'}}"),
    }
}

fn listed(paths: &[RepositoryPath]) -> String {
    paths.iter().map(RepositoryPath::as_str).collect::<Vec<_>>().join(", ")
}

/// What a file is called, without its ending.
fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file)
}

/// A Job called as its file, in the service's image.
fn job(path: &str, service: &ServiceSpec) -> String {
    let (name, image) = (stem(path), service.image.as_ref().map_or("tools", |image| &image.repository));
    format!(
        "apiVersion: batch/v1
kind: Job
metadata: {{name: {name}}}
spec:
  template: {{spec: {{restartPolicy: Never, containers: [{{name: job, image: {image}}}]}}}}
"
    )
}

/// A `ConfigMap` called as its file.
fn configuration(path: &str) -> String {
    let name = stem(path);
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: value}}\n")
}

/// A Deployment with its Service; a `ConfigMap` for what has no image.
pub fn a_manifest(service: &ServiceSpec) -> String {
    let label = service.name.dns_label();
    let Some(image) = &service.image else {
        return format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {label}}}\ndata: {{key: value}}\n"
        );
    };
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {label}}}
spec:
  selector: {{matchLabels: {{app: {label}}}}}
  template:
    metadata: {{labels: {{app: {label}}}}}
    spec:
      containers:
        - {{name: app, image: {repository}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {label}}}
spec: {{selector: {{app: {label}}}, ports: [{{port: 8000, protocol: TCP}}]}}
",
        repository = image.repository
    )
}
