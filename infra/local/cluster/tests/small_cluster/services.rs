//! Services: names, forwarding to ready pods only, and the API server's proxies.

use std::time::Instant;

use axum::http::Method;
use serde_json::json;

use crate::apps::{container, pod, service, web};
use crate::server::{PATIENCE, Server, at, cluster};

#[tokio::test]
async fn the_proxy_reaches_ready_pods_only() {
    cluster("proxy", async |server: Server| {
        let base = "/api/v1/namespaces/proxy/services";
        let none = server.get(&format!("{base}/web/proxy/")).await;
        assert_eq!((none.code, &none.body["reason"]), (404, &json!("NotFound")));
        server.create(base, &service("web", "web")).await;
        let path = format!("{base}/web/proxy/some/path?with=query");
        let empty = server.get(&path).await;
        assert_eq!((empty.code, &empty.body["reason"]), (503, &json!("ServiceUnavailable")));
        assert_eq!(empty.body["message"], "no endpoints available for service \"web\"");

        let deployment = "/apis/apps/v1/namespaces/proxy/deployments/web";
        server.apply(deployment, &web(&server.image, 1, "one", "yes")).await;
        let ready = |object: &serde_json::Value| *at(object, "/status/readyReplicas") == json!(1);
        server.until(deployment, "a ready pod", ready).await;
        for name in ["web", "web:80", "http:web:80"] {
            let answer = server.get(&format!("{base}/{name}/proxy/some/path?with=query")).await;
            assert_eq!(answer.code, 200, "{name}: {}", answer.text);
            assert!(
                answer.text.starts_with("one web-") && answer.text.ends_with(" /some/path?with=query"),
                "{}",
                answer.text
            );
        }
        let posted = server.send(Method::POST, &format!("{base}/web/proxy/"), "text/plain", "loud").await;
        assert_eq!((posted.code, posted.text.as_str()), (201, "LOUD"));
        let wrong = server.get(&format!("{base}/web:81/proxy/")).await;
        assert_eq!(wrong.code, 503, "{}", wrong.text);
        let pods = server.get("/api/v1/namespaces/proxy/pods").await.body;
        let name = at(&pods, "/items/0/metadata/name").as_str().expect("a name").to_owned();
        let direct = server.get(&format!("/api/v1/namespaces/proxy/pods/{name}:8000/proxy/x")).await;
        assert_eq!(direct.text, format!("one {name} /x"));
        let endpoints = server.get("/api/v1/namespaces/proxy/endpoints/web").await.body;
        assert_eq!(*at(&endpoints, "/subsets/0/ports/0/port"), json!(8000));
    })
    .await;
}

#[tokio::test]
async fn pods_find_services_by_every_name_and_their_own_namespace_first() {
    cluster("names", async |server: Server| {
        server.make_namespace("names-other").await;
        for (namespace, version) in [("names", "here"), ("names-other", "there")] {
            let deployment = format!("/apis/apps/v1/namespaces/{namespace}/deployments/web");
            server.apply(&deployment, &web(&server.image, 1, version, "yes")).await;
            server.create(&format!("/api/v1/namespaces/{namespace}/services"), &service("web", "web")).await;
            let ready = |object: &serde_json::Value| *at(object, "/status/readyReplicas") == json!(1);
            server.until(&deployment, "a ready pod", ready).await;
        }
        let script = r#"
import time, urllib.request
def fetch(name):
    for _ in range(100):
        try:
            return urllib.request.urlopen("http://" + name + "/", timeout=5).read().decode().split()[0]
        except OSError as error:
            time.sleep(0.1)
    return "nothing"
names = ["web", "web.names", "web.names.svc", "web.names.svc.cluster.local", "web.names-other"]
print(" ".join(fetch(name) for name in names))
"#;
        let pods = "/api/v1/namespaces/names/pods";
        server.create(pods, &pod("client", "Never", &container(&server.image, script))).await;
        let client = format!("{pods}/client");
        server
            .until(&client, "the client's end", |pod| *at(pod, "/status/phase") == json!("Succeeded"))
            .await;
        let log = server.get(&format!("{client}/log")).await;
        assert_eq!(log.text.trim(), "here here here here there");
    })
    .await;
}

#[tokio::test]
async fn a_service_follows_its_pods_to_the_next_version() {
    cluster("follows", async |server: Server| {
        let deployment = "/apis/apps/v1/namespaces/follows/deployments/web";
        server.apply(deployment, &web(&server.image, 1, "one", "yes")).await;
        server.create("/api/v1/namespaces/follows/services", &service("web", "web")).await;
        let script = r#"
import time, urllib.request
last = ""
while last != "two":
    try:
        last = urllib.request.urlopen("http://web/", timeout=5).read().decode().split()[0]
        print(last)
    except OSError:
        print("-")
    time.sleep(0.02)
"#;
        let ready = |object: &serde_json::Value| *at(object, "/status/readyReplicas") == json!(1);
        server.until(deployment, "a ready pod", ready).await;
        let pods = "/api/v1/namespaces/follows/pods";
        server.create(pods, &pod("client", "Never", &container(&server.image, script))).await;
        let log = format!("{pods}/client/log");
        let start = Instant::now();
        while !server.get(&log).await.text.contains("one") {
            assert!(start.elapsed() < PATIENCE, "the first version was never seen");
        }
        server.apply(deployment, &web(&server.image, 1, "two", "yes")).await;
        let ended = |pod: &serde_json::Value| *at(pod, "/status/phase") == json!("Succeeded");
        server.until(&format!("{pods}/client"), "the second version", ended).await;
        let lines = server.get(&log).await.text;
        let seen: Vec<&str> = lines.lines().skip_while(|line| *line == "-").collect();
        assert!(!seen.contains(&"-"), "a request failed during the update: {seen:?}");
    })
    .await;
}
