//! CodeBuild's projects: whose code runs with which rights.

use std::collections::{BTreeMap, BTreeSet};

use domain::keys::UNTRUSTED;
use serde_json::Value;

use super::Findings;
use super::template::{FILE, Template, arn_of, list, texts};

/// Where strangers' code is built.
const STRANGERS: &str = "UntrustedProject";

pub(super) fn check(template: &Template) -> Findings {
    let mut findings = Findings::new();
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (id, project) in template.of_type("AWS::CodeBuild::Project") {
        let role = project["ServiceRole"].as_str().and_then(arn_of).unwrap_or_default();
        if let Some(other) = owners.insert(role, id) {
            findings.push(format!("{FILE}: `{id}` and `{other}` share a role; each project has its own"));
        }
        if !is_told(template, id) {
            findings.push(format!(
                "{FILE}: no rule tells of the builds of `{id}`; add it to `project-name` of one"
            ));
        }
        findings.extend(if id == STRANGERS {
            check_strangers(template, project, role)
        } else {
            check_other(template, id, role)
        });
    }
    if !owners.values().any(|project| *project == STRANGERS) {
        findings.push(format!("{FILE}: there is no `{STRANGERS}`; strangers' code has a project of its own"));
    }
    findings
}

fn is_told(template: &Template, project: &str) -> bool {
    template.of_type("AWS::Events::Rule").any(|(_, rule)| {
        texts(&rule["EventPattern"]["detail"]["project-name"]).iter().any(|known| known == project)
    })
}

/// Its own log, what strangers brought, what their builds leave, and nothing else.
fn check_strangers(template: &Template, project: &Value, role: &str) -> Findings {
    let mut findings = Findings::new();
    if project["Environment"]["PrivilegedMode"] != Value::Bool(false) {
        findings.push(format!("{FILE}: `{STRANGERS}` must set PrivilegedMode to false"));
    }
    if project.get("Cache").is_some() || project["Environment"].get("EnvironmentVariables").is_some() {
        findings.push(format!("{FILE}: `{STRANGERS}` must have no cache and no variables"));
    }
    let group = project["LogsConfig"]["CloudWatchLogs"]["GroupName"].as_str().unwrap_or_default();
    let below = |folder: &str| format!("${{Bucket.Arn}}/{UNTRUSTED}{folder}/*");
    let expected = BTreeSet::from([
        ("logs:CreateLogStream".to_owned(), format!("{group}.Arn")),
        ("logs:PutLogEvents".to_owned(), format!("{group}.Arn")),
        ("s3:GetBucketAcl".to_owned(), "Bucket.Arn".to_owned()),
        ("s3:GetBucketLocation".to_owned(), "Bucket.Arn".to_owned()),
        ("s3:GetObject".to_owned(), below("sources")),
        ("s3:GetObjectVersion".to_owned(), below("sources")),
        ("s3:PutObject".to_owned(), below("results")),
    ]);
    let allowed = rights(template, role);
    for (action, resource) in allowed.difference(&expected) {
        findings.push(format!(
            "{FILE}: role `{role}` of strangers' builds allows `{action}` on `{resource}`; remove it"
        ));
    }
    for (action, resource) in expected.difference(&allowed) {
        findings.push(format!(
            "{FILE}: role `{role}` of strangers' builds must allow `{action}` on `{resource}`"
        ));
    }
    let managed = template.properties(role).is_some_and(|role| !list(&role["ManagedPolicyArns"]).is_empty());
    if managed {
        findings.push(format!("{FILE}: role `{role}` of strangers' builds must have no managed policies"));
    }
    findings
}

/// Nothing of what strangers bring or leave.
fn check_other(template: &Template, project: &str, role: &str) -> Findings {
    let touches = |resource: &str| {
        let Some(key) = resource.strip_prefix("${Bucket.Arn}/") else { return false };
        key.starts_with(UNTRUSTED) || key.starts_with('*')
    };
    let rights = rights(template, role);
    let touching = rights.iter().filter(|(_, resource)| touches(resource));
    touching
        .map(|(action, resource)| {
            format!("{FILE}: role `{role}` of `{project}` allows `{action}` on `{resource}`, which is the strangers'")
        })
        .collect()
}

/// Each action with each resource that it is allowed on.
fn rights(template: &Template, role: &str) -> BTreeSet<(String, String)> {
    let statements = template.statements(role);
    let pairs = statements.iter().flat_map(|statement| {
        let resources = statement.resources.iter();
        resources
            .flat_map(|resource| statement.actions.iter().map(|action| (action.clone(), resource.clone())))
    });
    pairs.collect()
}
