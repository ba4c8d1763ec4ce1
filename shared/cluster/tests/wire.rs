//! What goes over the wire when the API server is slow, busy, broken or against us.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use cluster::Cluster;
use domain::policy::Conflicts;
use domain::ports::{Advice, Answer, Application, Cluster as _, Leftover, Rollout, Standing};
use domain::task::ObjectName;
use serde_json::{Value, json};

/// Status and body by method and path, in order; the last one stands.
type Answers = BTreeMap<String, Vec<(u16, Value)>>;

/// Answers what was prepared and remembers what was asked.
#[derive(Clone, Default)]
struct ApiServer {
    answers: Arc<Mutex<Answers>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl ApiServer {
    fn answer(self, call: &str, status: u16, body: Value) -> Self {
        self.answers.lock().expect("unpoisoned").entry(call.to_owned()).or_default().push((status, body));
        self
    }

    async fn start(&self) -> anyhow::Result<Cluster> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let router = Router::new().fallback(respond).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Cluster::from_kubeconfig(&kubeconfig(&format!("http://{address}"))).await?)
    }

    fn asked(&self, beginning: &str) -> usize {
        self.asked.lock().expect("unpoisoned").iter().filter(|call| call.starts_with(beginning)).count()
    }
}

async fn respond(State(server): State<ApiServer>, request: Request) -> Response {
    let watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
    let call = format!("{} {}{}", request.method(), request.uri().path(), if watch { "?watch" } else { "" });
    server.asked.lock().expect("unpoisoned").push(call.clone());
    let mut answers = server.answers.lock().expect("unpoisoned");
    let answer = match answers.get_mut(&call) {
        Some(answers) if answers.len() > 1 => Some(answers.remove(0)),
        Some(answers) => answers.first().cloned(),
        None => None,
    };
    let (status, body) =
        answer.unwrap_or_else(|| (404, status_object(404, &format!("{call} is not prepared"))));
    let text = if let Value::String(text) = body { text } else { body.to_string() };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = StatusCode::from_u16(status).expect("a status");
    if (300..400).contains(&status) {
        response.headers_mut().insert("location", "http://127.0.0.1:9/elsewhere".parse().expect("a header"));
    }
    response
}

fn kubeconfig(server: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: k, user: u}}}}]\n\
         clusters: [{{name: k, cluster: {{server: '{server}'}}}}]\nusers: [{{name: u, user: {{token: very-secret}}}}]\n"
    )
}

fn status_object(code: u16, message: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": "Prepared", "message": message})
}

fn core_kinds() -> Value {
    json!({"kind": "APIResourceList", "groupVersion": "v1", "resources": [
        {"name": "configmaps", "singularName": "", "namespaced": true, "kind": "ConfigMap", "verbs": ["patch"]},
        {"name": "services", "singularName": "", "namespaced": true, "kind": "Service", "verbs": ["patch"]},
        {"name": "services/proxy", "singularName": "", "namespaced": true, "kind": "ServiceProxyOptions", "verbs": ["get"]},
    ]})
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "shop"}, "data": {"a": "b"}})
}

/// Nothing had to be taken from anybody.
const DONE: Application = Application::Done(Vec::new());

const PATCH_A: &str = "PATCH /api/v1/namespaces/shop/configmaps/a";
const PATCH_B: &str = "PATCH /api/v1/namespaces/shop/configmaps/b";

#[tokio::test]
async fn kinds_are_asked_for_once_and_a_short_failure_is_passed_over() -> anyhow::Result<()> {
    let server = ApiServer::default()
        .answer("GET /api/v1", 200, core_kinds())
        .answer(PATCH_A, 503, status_object(503, "starting"))
        .answer(PATCH_A, 200, config_map("a"))
        .answer(PATCH_B, 200, config_map("b"));
    let cluster = server.start().await?;
    for _ in 0..2 {
        assert_eq!(cluster.apply(&[config_map("a"), config_map("b")], Conflicts::Refuse, &()).await?, DONE);
    }
    assert_eq!(server.asked("GET /api/v1"), 1);
    assert_eq!(server.asked(PATCH_A), 3);
    Ok(())
}

/// Answers the same each time, and counts how often it is asked.
struct Answering(bool, AtomicUsize);

impl Standing for Answering {
    async fn holds(&self) -> Answer<bool> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(self.0)
    }
}

#[tokio::test]
async fn what_is_no_longer_wanted_is_not_sent_and_one_answer_holds_for_a_while() -> anyhow::Result<()> {
    for (wanted, outcome, sent) in [(true, DONE, 1), (false, Application::Overtaken, 0)] {
        let server = ApiServer::default()
            .answer("GET /api/v1", 200, core_kinds())
            .answer(PATCH_A, 200, config_map("a"))
            .answer(PATCH_B, 200, config_map("b"))
            .answer("GET /api/v1/namespaces/shop/configmaps/a", 200, owned())
            .answer("DELETE /api/v1/namespaces/shop/configmaps/a", 200, config_map("a"));
        let cluster = server.start().await?;
        let standing = Answering(wanted, AtomicUsize::new(0));
        assert_eq!(
            cluster.apply(&[config_map("a"), config_map("b")], Conflicts::Refuse, &standing).await?,
            outcome
        );
        assert_eq!(
            standing.1.load(Ordering::Relaxed),
            if wanted { 1 } else { 2 },
            "each of both when refused"
        );
        let pruned = cluster.prune("us/shop/web", &[name_of("a")], &standing).await?;
        assert_eq!(pruned, wanted.then(|| vec![Leftover::Pruned]));
        let changes = [PATCH_A, PATCH_B, "DELETE /api/v1/namespaces/shop/configmaps/a"];
        assert_eq!(changes.map(|change| server.asked(change)), [sent; 3]);
    }
    Ok(())
}

fn owned() -> Value {
    let mut object = config_map("a");
    object["metadata"]["annotations"] = json!({ "slipway.dev/owner": "us/shop/web" });
    object
}

fn name_of(name: &str) -> ObjectName {
    let (api_version, kind, namespace) = ("v1".to_owned(), "ConfigMap".to_owned(), "shop".to_owned());
    ObjectName { api_version, kind, namespace, name: name.to_owned() }
}

#[tokio::test]
async fn a_busy_api_server_is_given_the_time_it_asks_for() -> anyhow::Result<()> {
    let mut busy = status_object(429, "too many requests");
    busy["details"] = json!({"retryAfterSeconds": 7});
    let server = ApiServer::default().answer("GET /api/v1", 200, core_kinds()).answer(PATCH_A, 429, busy);
    let fault =
        server.start().await?.apply(&[config_map("a")], Conflicts::Refuse, &()).await.expect_err("busy");
    assert_eq!(fault.advice, Advice::Retry(Some(Duration::from_secs(7))));
    assert_eq!(fault.chain(), "could not apply ConfigMap `shop/a`: too many requests");
    assert_eq!(server.asked(PATCH_A), 1);
    Ok(())
}

#[tokio::test]
async fn an_unreachable_api_server_is_tried_again_later_and_no_secret_is_told() -> anyhow::Result<()> {
    let cluster = Cluster::from_kubeconfig(&kubeconfig("http://127.0.0.1:9")).await?;
    let fault = cluster.apply(&[config_map("a")], Conflicts::Refuse, &()).await.expect_err("unreachable");
    assert_eq!(fault.advice, Advice::Retry(None));
    assert!(!fault.chain().contains("very-secret"), "{}", fault.chain());
    Ok(())
}

#[tokio::test]
async fn refused_credentials_are_no_reason_to_try_again() -> anyhow::Result<()> {
    let server = ApiServer::default().answer("GET /api/v1", 401, status_object(401, "Unauthorized"));
    let fault = server
        .start()
        .await?
        .apply(&[config_map("a")], Conflicts::Refuse, &())
        .await
        .expect_err("unauthorized");
    assert_eq!(fault.advice, Advice::Reject);
    assert!(fault.what.contains("renew the kubeconfig's secret"), "{}", fault.what);
    Ok(())
}

#[tokio::test]
async fn every_refused_object_of_a_tier_is_named_and_later_tiers_are_left_alone() -> anyhow::Result<()> {
    let quota = "configmaps \"b\" is forbidden: exceeded quota: small";
    let server = ApiServer::default()
        .answer("GET /api/v1", 200, core_kinds())
        .answer(PATCH_A, 422, status_object(422, "ConfigMap \"a\" is invalid: data: too long"))
        .answer(PATCH_B, 403, status_object(403, quota));
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "shop"}});
    let application = server
        .start()
        .await?
        .apply(&[service, config_map("a"), config_map("b")], Conflicts::Refuse, &())
        .await?;
    let Application::Refused(sentence) = application else { anyhow::bail!("expected a refusal") };
    for part in
        ["ConfigMap `shop/a` is refused: ConfigMap \"a\" is invalid", "ConfigMap `shop/b` is refused", quota]
    {
        assert!(sentence.contains(part), "{sentence}");
    }
    assert_eq!(server.asked("PATCH /api/v1/namespaces/shop/services"), 0);
    Ok(())
}

const DEPLOYMENT: &str = "GET /apis/apps/v1/namespaces/shop/deployments/web";

fn deployment(generation: i64, observed: i64, available: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": generation, "resourceVersion": "5",
                     "annotations": {"deployment.kubernetes.io/revision": "2"}},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "web"}}, "template": {"metadata": {"labels": {"app": "web", "version": "2"}}, "spec": {"containers": []}}},
        "status": {"observedGeneration": observed, "replicas": 1, "updatedReplicas": 1, "availableReplicas": available,
                   "conditions": [{"type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable"}]},
    })
}

fn list(kind: &str, items: &[Value]) -> Value {
    json!({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items})
}

fn web() -> ObjectName {
    ObjectName {
        api_version: "apps/v1".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: "web".into(),
    }
}

#[tokio::test]
async fn a_finished_rollout_costs_one_request() -> anyhow::Result<()> {
    let server = ApiServer::default().answer(DEPLOYMENT, 200, deployment(4, 4, 1));
    let cluster = server.start().await?;
    assert_eq!(cluster.rollout(&web(), Duration::from_secs(5)).await?, Rollout::Complete);
    assert_eq!(server.asked(""), 1);
    Ok(())
}

const SETS: &str = "GET /apis/apps/v1/namespaces/shop/replicasets";
const PODS: &str = "GET /api/v1/namespaces/shop/pods";

#[tokio::test]
async fn a_watch_tells_the_end_and_an_old_generation_is_not_believed() -> anyhow::Result<()> {
    let seen = json!({"type": "MODIFIED", "object": deployment(4, 4, 1)});
    let server = ApiServer::default()
        .answer(DEPLOYMENT, 200, deployment(4, 3, 1))
        .answer(SETS, 200, list("ReplicaSetList", &[]))
        .answer(PODS, 200, list("PodList", &[]))
        .answer("GET /apis/apps/v1/namespaces/shop/deployments?watch", 200, json!(format!("{seen}\n")))
        .answer(&format!("{SETS}?watch"), 200, json!(""))
        .answer(&format!("{PODS}?watch"), 200, json!(""));
    let cluster = server.start().await?;
    assert_eq!(cluster.rollout(&web(), Duration::from_secs(5)).await?, Rollout::Complete);
    Ok(())
}

#[tokio::test]
async fn a_server_that_ends_every_watch_is_not_asked_in_a_hot_loop() -> anyhow::Result<()> {
    let server = ApiServer::default()
        .answer(DEPLOYMENT, 200, deployment(4, 3, 1))
        .answer(SETS, 200, list("ReplicaSetList", &[]))
        .answer(PODS, 200, list("PodList", &[]))
        .answer("GET /apis/apps/v1/namespaces/shop/deployments?watch", 410, status_object(410, "too old"))
        .answer(&format!("{SETS}?watch"), 410, status_object(410, "too old"))
        .answer(&format!("{PODS}?watch"), 410, status_object(410, "too old"));
    let cluster = server.start().await?;
    let rollout = cluster.rollout(&web(), Duration::from_millis(1200)).await?;
    assert_eq!(
        rollout,
        Rollout::Progressing("the cluster has not begun with the newest generation".to_owned())
    );
    assert!(server.asked("") <= 30, "{} requests", server.asked(""));
    Ok(())
}

fn pod(name: &str, owner: &str, waiting: &Value, last: &Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "labels": {"app": "web"},
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": owner, "uid": owner, "controller": true}]},
        "spec": {"containers": []},
        "status": {"containerStatuses": [{"name": "app", "image": "registry/web:1", "imageID": "", "ready": false,
                   "restartCount": 1, "state": {"waiting": waiting}, "lastState": last}]},
    })
}

/// A `ReplicaSet` of the Deployment; its revision claims what a rollback may leave behind.
fn replica_set(name: &str, version: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "annotations": {"deployment.kubernetes.io/revision": "2"},
                     "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": "d", "controller": true}]},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web", "version": version, "pod-template-hash": name}}, "spec": {"containers": []}}},
        "status": {"replicas": 1},
    })
}

#[tokio::test]
async fn only_pods_of_the_newest_template_are_evidence_and_a_crash_brings_its_log() -> anyhow::Result<()> {
    let pulling = json!({"reason": "ImagePullBackOff", "message": "Back-off pulling image"});
    let crashing = json!({"reason": "CrashLoopBackOff", "message": "back-off 10s"});
    let ended = json!({"terminated": {"exitCode": 3, "reason": "Error"}});
    let pods = [
        pod("old-1", "old", &pulling, &json!({})),
        pod("new-1", "new", &crashing, &ended),
        pod("new-2", "new", &crashing, &ended),
    ];
    let server = ApiServer::default()
        .answer(DEPLOYMENT, 200, deployment(4, 4, 0))
        .answer(SETS, 200, list("ReplicaSetList", &[replica_set("old", "1"), replica_set("new", "2")]))
        .answer(PODS, 200, list("PodList", &pods))
        .answer("GET /api/v1/namespaces/shop/pods/new-1/log", 200, json!("first\nKeyError: 'DATABASE'\n"));
    let rollout = server.start().await?.rollout(&web(), Duration::from_secs(5)).await?;
    let expected = [
        "pod `new-1`, container `app`: it ends again and again (CrashLoopBackOff), last with exit code 3 (and 1 more pods)",
        "log: first",
        "log: KeyError: 'DATABASE'",
    ];
    assert_eq!(rollout, Rollout::Hopeless(expected.map(str::to_owned).to_vec()));
    Ok(())
}

#[tokio::test]
async fn a_refused_pod_is_hopeless_once_the_refusal_has_settled() -> anyhow::Result<()> {
    let mut set = replica_set("new", "2");
    set["status"]["conditions"] = json!([{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"new-\" is forbidden: exceeded quota: small", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    let server = ApiServer::default()
        .answer(DEPLOYMENT, 200, deployment(4, 4, 0))
        .answer(SETS, 200, list("ReplicaSetList", &[set]))
        .answer(PODS, 200, list("PodList", &[]));
    let rollout = server.start().await?.rollout(&web(), Duration::from_secs(5)).await?;
    let Rollout::Hopeless(lines) = rollout else { anyhow::bail!("expected evidence, got {rollout:?}") };
    assert_eq!(
        lines,
        [
            "the cluster refuses to create pods (FailedCreate): pods \"new-\" is forbidden: exceeded quota: small"
        ]
    );
    Ok(())
}

const PROXY: &str = "GET /api/v1/namespaces/shop/services/web:8000/proxy";

#[tokio::test]
async fn every_http_answer_of_a_service_is_an_answer() -> anyhow::Result<()> {
    let server = ApiServer::default()
        .answer(&format!("{PROXY}/health"), 200, json!("x".repeat(5000)))
        .answer(&format!("{PROXY}/moved"), 302, json!("elsewhere"))
        .answer(&format!("{PROXY}/down"), 503, json!("no endpoints"))
        .answer(&format!("{PROXY}/private"), 403, json!("the service's own refusal"));
    let cluster = server.start().await?;
    let health = cluster.probe("shop", "web", 8000, "/health").await?;
    assert_eq!((health.status, health.body.len()), (200, 1024));
    for (path, status) in [("/moved", 302), ("/down", 503), ("/private", 403), ("/absent", 404)] {
        assert_eq!(cluster.probe("shop", "web", 8000, path).await?.status, status, "{path}");
    }
    // A broken service is not asked several times: it is the answer.
    assert_eq!(server.asked(&format!("{PROXY}/down")), 1);
    Ok(())
}

#[tokio::test]
async fn a_probe_neither_leaves_the_service_nor_hides_missing_rights() -> anyhow::Result<()> {
    let server = ApiServer::default().answer(
        &format!("{PROXY}/health"),
        403,
        status_object(403, "cannot get services/proxy"),
    );
    let cluster = server.start().await?;
    for path in ["health", "/../../../secrets", "/%2e%2E/secrets", "/a/%2e./b", "/a%2f..%2fb", "/a b", ""] {
        let fault = cluster.probe("shop", "web", 8000, path).await.expect_err(path);
        assert_eq!(fault.advice, Advice::Reject, "{path}");
    }
    assert_eq!(server.asked(""), 0);
    let fault = cluster.probe("shop", "web", 8000, "/health").await.expect_err("forbidden");
    assert!(fault.what.contains("cannot get services/proxy"), "{}", fault.what);
    Ok(())
}
