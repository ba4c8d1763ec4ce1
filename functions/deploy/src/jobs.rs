//! Jobs of a rollout: which of a release's objects they are, what they are called, and what is applied when.
//!
//! A Job's pod template cannot be changed, and each attempt of a deploy runs its Jobs once. So the recorded manifests
//! hold them under the name that people gave them, and the cluster under that name with commit and attempt.

use domain::ids::Sha;
use domain::spec::RolloutSpec;
use domain::task::{ObjectName, Tier};
use serde_json::{Value, json};

/// Which part of a rollout a Job is.
const HOOK: &str = "slipway.dev/hook";
const PRE_DEPLOY: &str = "pre-deploy";
const POST_DEPLOY: &str = "post-deploy";

/// The longest name of a Job, whose pods carry it in a label
/// (<https://kubernetes.io/docs/concepts/workloads/controllers/job/#writing-a-job-spec>).
const LONGEST_NAME: usize = 63;

/// The most bytes of the Jobs that run once the release serves: verify gets them with its task.
const LARGEST: usize = 64 * 1024;

/// The object of a file, marked where the file is one of Jobs.
///
/// # Errors
/// A sentence for the developer where it is no Job, or what its annotation says is not known.
pub(crate) fn marked(mut object: Value, path: &str, rollout: &RolloutSpec) -> Result<Value, String> {
    let names = |paths: &[domain::ids::RepositoryPath]| paths.iter().any(|named| named.as_str() == path);
    let by_file = match () {
        () if names(&rollout.pre_deploy) => Some(PRE_DEPLOY),
        () if names(&rollout.post_deploy) => Some(POST_DEPLOY),
        () => None,
    };
    if let Some(hook) = by_file {
        object["metadata"]["annotations"][HOOK] = json!(hook);
    }
    let Some(hook) = object.pointer("/metadata/annotations").and_then(|all| all.get(HOOK)) else {
        return Ok(object);
    };
    let name = ObjectName::of(&object);
    if name.kind != "Job" {
        return Err(format!("{name} in `{path}` is to run as {hook}; only Jobs can"));
    }
    if hook != PRE_DEPLOY && hook != POST_DEPLOY {
        return Err(format!(
            "{name} in `{path}` has the annotation `{HOOK}: {hook}`; it may say `{PRE_DEPLOY}` or `{POST_DEPLOY}`"
        ));
    }
    // Whoever waits for its end must find it; the next release prunes it.
    if let Some(spec) = object["spec"].as_object_mut() {
        spec.remove("ttlSecondsAfterFinished");
    }
    Ok(object)
}

/// What a rollout applies, in its order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Steps {
    /// Ground and configuration, then the Jobs before the pods, then everything else.
    pub(crate) applied: Vec<Value>,
    /// The Jobs among them, which have to end well before the rest is applied.
    pub(crate) jobs: Vec<ObjectName>,
    /// So many of the objects are applied by then; none where there are no such Jobs.
    pub(crate) gate: usize,
    /// The Jobs once the release serves.
    pub(crate) after: Vec<Value>,
}

impl Steps {
    /// Those of a release's deploy, with its Jobs under the names of this attempt.
    ///
    /// # Errors
    /// A sentence for the developer where a Job cannot run.
    pub(crate) fn forward(objects: Vec<Value>, sha: &Sha, attempt: u32) -> Result<Self, String> {
        let (before, after, plain) = sorted(objects);
        let named = |jobs: Vec<Value>| -> Result<Vec<Value>, String> {
            jobs.into_iter().map(|job| named(job, sha, attempt)).collect()
        };
        let (before, after) = (named(before)?, named(after)?);
        let bytes: usize = after.iter().map(|job| job.to_string().len()).sum();
        if bytes > LARGEST {
            return Err(format!(
                "the Jobs that run once the release serves have {bytes} bytes; together they may have {LARGEST}"
            ));
        }
        let jobs: Vec<ObjectName> = before.iter().map(ObjectName::of).collect();
        let is_first = |object: &Value| ObjectName::of(object).tier() <= Tier::Configuration;
        let (first, rest): (Vec<Value>, Vec<Value>) = plain.into_iter().partition(is_first);
        let gate = if jobs.is_empty() { 0 } else { first.len() + jobs.len() };
        Ok(Self { applied: first.into_iter().chain(before).chain(rest).collect(), jobs, gate, after })
    }

    /// Those of a way back: what a Job has done is done, and nothing is done again.
    pub(crate) fn back(objects: Vec<Value>) -> Self {
        let (_, _, applied) = sorted(objects);
        Self { applied, jobs: Vec::new(), gate: 0, after: Vec::new() }
    }

    /// What of it is in the cluster then, by name.
    pub(crate) fn names(&self) -> Vec<ObjectName> {
        self.applied.iter().chain(&self.after).map(ObjectName::of).collect()
    }

    /// Everything that the release brings into the cluster.
    pub(crate) fn all(self) -> Vec<Value> {
        self.applied.into_iter().chain(self.after).collect()
    }
}

/// Jobs before the pods, Jobs after them, and everything else in the order of its tiers.
fn sorted(objects: Vec<Value>) -> (Vec<Value>, Vec<Value>, Vec<Value>) {
    let (mut before, mut after, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    for object in objects {
        match object["metadata"]["annotations"][HOOK].as_str() {
            Some(PRE_DEPLOY) => before.push(object),
            Some(_) => after.push(object),
            None => plain.push(object),
        }
    }
    plain.sort_by_key(|object| ObjectName::of(object).tier());
    (before, after, plain)
}

/// `migrate-3f9c2a1-1`: of that commit, the first attempt.
fn named(mut job: Value, sha: &Sha, attempt: u32) -> Result<Value, String> {
    let name = ObjectName::of(&job);
    let own = format!("{}-{}-{attempt}", name.name, sha.short());
    if own.len() > LONGEST_NAME {
        return Err(format!(
            "{name} runs as `{own}`, which is longer than the {LONGEST_NAME} characters that a Job's name may have; \
             give it a shorter one"
        ));
    }
    job["metadata"]["name"] = json!(own);
    Ok(job)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str, hook: &str) -> Value {
        let annotations = if hook.is_empty() { json!({}) } else { json!({ HOOK: hook }) };
        json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name, "annotations": annotations } })
    }

    fn sha() -> Sha {
        "3f9c2a17be000000000000000000000000000000".parse().expect("a commit")
    }

    #[test]
    fn configuration_comes_first_then_jobs_then_pods() {
        let objects = vec![
            object("Deployment", "app", ""),
            object("Job", "warm-up", POST_DEPLOY),
            object("Service", "app", ""),
            object("Job", "migrate", PRE_DEPLOY),
            object("ConfigMap", "app", ""),
        ];
        let steps = Steps::forward(objects.clone(), &sha(), 2).expect("steps");
        let names: Vec<String> = steps.names().iter().map(ToString::to_string).collect();
        let expected = [
            "ConfigMap `app`",
            "Job `migrate-3f9c2a1-2`",
            "Service `app`",
            "Deployment `app`",
            "Job `warm-up-3f9c2a1-2`",
        ];
        assert_eq!(names, expected);
        assert_eq!((steps.gate, steps.jobs.len(), steps.after.len()), (2, 1, 1));
        let back: Vec<String> = Steps::back(objects).names().iter().map(ToString::to_string).collect();
        assert_eq!(back, ["ConfigMap `app`", "Service `app`", "Deployment `app`"]);
    }

    #[test]
    fn only_jobs_run_beside_a_release_and_names_have_room() {
        let migrate: RolloutSpec = RolloutSpec {
            pre_deploy: vec!["migrate.yaml".parse().expect("a path")],
            ..RolloutSpec::default()
        };
        let refused = |object, path| marked(object, path, &migrate).expect_err("it is refused");
        insta::assert_snapshot!(refused(object("Pod", "a", ""), "migrate.yaml"), @r#"Pod `a` in `migrate.yaml` is to run as "pre-deploy"; only Jobs can"#);
        insta::assert_snapshot!(refused(object("Job", "a", "before"), "app.yaml"), @r#"Job `a` in `app.yaml` has the annotation `slipway.dev/hook: "before"`; it may say `pre-deploy` or `post-deploy`"#);
        let mut brief = object("Job", "a", "");
        brief["spec"] = json!({ "ttlSecondsAfterFinished": 0 });
        let marked = marked(brief, "migrate.yaml", &migrate).expect("a Job");
        assert_eq!(marked["metadata"]["annotations"][HOOK], PRE_DEPLOY);
        assert_eq!(marked["spec"], json!({}));
        let long = object("Job", &"a".repeat(55), PRE_DEPLOY);
        let told = Steps::forward(vec![long], &sha(), 1).expect_err("it is too long");
        assert!(told.ends_with("give it a shorter one"), "{told}");
        let mut large = object("Job", "a", POST_DEPLOY);
        large["spec"] = json!("x".repeat(LARGEST));
        assert!(Steps::forward(vec![large], &sha(), 1).is_err());
    }
}
