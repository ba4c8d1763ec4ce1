//! Refusals: whose rights do not reach, and what is wrong, in the words of a `Status`.

use std::sync::Arc;

use anyhow::ensure;
use http::Method;
use serde_json::{Value, json};

use crate::lab::{self, Fate, Space, config_map, deployment, job, send, service, stateful_set, with};
use crate::stories;
use crate::story::{Story, Told};

pub fn stories() -> Vec<Story> {
    stories![new:
        who_has_no_right_is_refused,
        what_is_invalid_is_named_by_its_field,
        what_does_not_fit_the_state_is_a_conflict,
        what_is_not_there_is_not_found,
    ]
}

async fn who_has_no_right_is_refused(space: Arc<Space>) -> Told {
    let kubeconfig = match space.lab.powerless() {
        Ok(kubeconfig) => kubeconfig,
        Err(reason) => return Ok(Some(format!("nobody without rights: {reason}"))),
    };
    let nobody = lab::client(kubeconfig).await?;
    let maps = space.path("ConfigMap", "");
    let map = config_map(&space.name, "").to_string();
    let ways = [
        (Method::GET, maps.clone(), "", String::new(), "list"),
        (Method::GET, format!("{maps}/web"), "", String::new(), "get"),
        (Method::POST, maps.clone(), "application/json", map.clone(), "create"),
        (Method::PATCH, format!("{maps}/web?fieldManager=a"), "application/apply-patch+yaml", map, "patch"),
        (Method::DELETE, format!("{maps}/web"), "", String::new(), "delete"),
    ];
    for (method, path, kind, body, verb) in ways {
        let refused = send(&nobody, method, &path, kind, body).await?.expect(403)?;
        let message = refused["message"].as_str().unwrap_or_default();
        let words = format!(
            "cannot {verb} resource \"configmaps\" in API group \"\" in the namespace \"{}\"",
            space.name
        );
        ensure!(refused["reason"] == "Forbidden" && message.contains(&words), "{verb}: {refused}");
    }
    let stranger: Value = serde_json::from_str(kubeconfig).unwrap_or_default();
    let stranger = with(stranger, &[("/users/0/user", json!({ "token": "nobody-knows-it" }))]);
    let refused =
        send(&lab::client(&stranger.to_string()).await?, Method::GET, &maps, "", String::new()).await?;
    ensure!(refused.code == 401 && refused.body["reason"] == "Unauthorized", "{}", refused.text);
    Ok(None)
}

async fn what_is_invalid_is_named_by_its_field(space: Arc<Space>) -> Told {
    let pod = || space.lab.pod(Fate::Serves);
    let here = &space.name;
    let cases = [
        (with(deployment(here, "1", pod()), &[("/spec/replicas", json!(-1))]), "spec.replicas"),
        (
            with(deployment(here, "1", pod()), &[("/spec/selector/matchLabels", json!({ "app": "other" }))]),
            "spec.template.metadata.labels",
        ),
        (
            with(deployment(here, "1", pod()), &[("/spec/template/spec/containers/0/image", json!(""))]),
            "spec.template.spec.containers[0].image",
        ),
        (
            with(deployment(here, "1", pod()), &[("/spec/template/spec/restartPolicy", json!("Never"))]),
            "spec.template.spec.restartPolicy",
        ),
        (with(service(here), &[("/spec/ports/0/port", json!(0))]), "spec.ports[0].port"),
        (with(config_map(here, ""), &[("/metadata/name", json!("Not-A-Name"))]), "metadata.name"),
        (
            with(job(here, pod()), &[("/spec/template/spec/restartPolicy", json!("Always"))]),
            "spec.template.spec.restartPolicy",
        ),
        (
            with(stateful_set(here, "1", pod()), &[("/spec/podManagementPolicy", json!("Sideways"))]),
            "spec.podManagementPolicy",
        ),
    ];
    for (object, field) in cases {
        let refused = space.create(&object).await?.expect(422)?;
        ensure!(refused["reason"] == "Invalid", "{refused}");
        let told = refused["details"]["causes"].as_array().cloned().unwrap_or_default();
        ensure!(told.iter().any(|cause| cause["field"] == field), "{field}: {refused}");
    }
    // What its kind does not have is not swallowed by an apply.
    let misspelt = with(deployment(here, "1", pod()), &[("/spec/replica", json!(2))]);
    let refused = space.apply(&misspelt).await?;
    // Kubernetes 1.20 answers 500, later ones 400 or 422.
    ensure!(refused.code >= 400 && refused.text.contains("replica"), "{}", refused.text);
    let nobody = space.apply_with(&config_map(here, ""), "").await?;
    ensure!(
        matches!(nobody.code, 400 | 422) && nobody.text.contains("required for apply patch"),
        "{}",
        nobody.text
    );
    Ok(None)
}

async fn what_does_not_fit_the_state_is_a_conflict(space: Arc<Space>) -> Told {
    let map = config_map(&space.name, "a");
    let created = space.create(&map).await?.expect(201)?;
    let again = space.create(&map).await?.expect(409)?;
    ensure!(again["reason"] == "AlreadyExists", "{again}");
    space.merge("ConfigMap", "web", &json!({ "data": { "key": "b" } })).await?.expect(200)?;
    let path = space.path("ConfigMap", "web");
    let stale = space.send(Method::PUT, &path, "application/json", created.to_string()).await?.expect(409)?;
    ensure!(stale["reason"] == "Conflict", "{stale}");
    let other = json!({
        "kind": "DeleteOptions", "apiVersion": "v1", "preconditions": { "uid": "11111111-2222-4333-8444-555555555555" },
    });
    space.send(Method::DELETE, &path, "application/json", other.to_string()).await?.expect(409)?;
    // A selector never changes, a Job's template neither.
    let web = deployment(&space.name, "1", space.lab.pod(Fate::Serves));
    space.apply(&web).await?.expect(201)?;
    let change = json!({ "app": "other" });
    let changed = with(
        web,
        &[("/spec/selector/matchLabels", change.clone()), ("/spec/template/metadata/labels", change)],
    );
    let refused = space.apply(&changed).await?.expect(422)?;
    ensure!(refused["message"].as_str().is_some_and(|text| text.contains("field is immutable")), "{refused}");
    let work = job(&space.name, space.lab.pod(Fate::Succeeds));
    space.apply(&work).await?.expect(201)?;
    let changed = with(work.clone(), &[("/spec/template/spec/containers/0/image", json!("another"))]);
    let refused = space.apply(&changed).await?.expect(422)?;
    let causes = refused["details"]["causes"].as_array().cloned().unwrap_or_default();
    ensure!(causes.iter().any(|cause| cause["field"] == "spec.template"), "{refused}");
    space.apply(&work).await?.expect(200)?;
    Ok(None)
}

async fn what_is_not_there_is_not_found(space: Arc<Space>) -> Told {
    let absent = space.get("Deployment", "web").await?.expect(404)?;
    ensure!(absent["reason"] == "NotFound" && absent["details"]["name"] == "web", "{absent}");
    ensure!(absent["details"]["kind"] == "deployments" && absent["details"]["group"] == "apps", "{absent}");
    space.delete("ConfigMap", "web", "").await?.expect(404)?;
    space.merge("ConfigMap", "web", &json!({})).await?.expect(404)?;
    let nowhere = with(config_map("nowhere", ""), &[("/metadata/namespace", json!("contract-nowhere"))]);
    let path = "/api/v1/namespaces/contract-nowhere/configmaps";
    let refused =
        space.send(Method::POST, path, "application/json", nowhere.to_string()).await?.expect(404)?;
    ensure!(refused["details"]["kind"] == "namespaces", "{refused}");
    Ok(None)
}
