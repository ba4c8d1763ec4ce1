//! Pods: configured, probed, crashing, lacking something, read and ended.

use serde_json::{Value, json};

use crate::apps::{container, pod};
use crate::server::{Server, at, cluster};

const WAITING: &str = "/status/containerStatuses/0/state/waiting/reason";

async fn reasons(server: &Server, namespace: &str, name: &str) -> Vec<String> {
    let path = format!("/api/v1/namespaces/{namespace}/events?fieldSelector=involvedObject.name%3D{name}");
    let events = server.get(&path).await.body;
    let events = events["items"].as_array().expect("events").clone();
    events.iter().filter_map(|event| event["reason"].as_str()).map(str::to_owned).collect()
}

fn ended(phase: &'static str) -> impl Fn(&Value) -> bool {
    move |pod| *at(pod, "/status/phase") == json!(phase)
}

#[tokio::test]
async fn a_pod_gets_its_configuration() {
    cluster("configured", async |server: Server| {
        let base = "/api/v1/namespaces/configured";
        let map = json!({ "metadata": { "name": "settings" }, "data": { "LEVEL": "debug", "file.txt": "from a file" } });
        server.create(&format!("{base}/configmaps"), &map).await;
        let secret = json!({ "metadata": { "name": "password" }, "stringData": { "value": "hunter2" } });
        server.create(&format!("{base}/secrets"), &secret).await;
        let script = r#"
import os, sys
print(os.environ["LEVEL"], os.environ["PASSWORD"], os.environ["NAME"], os.environ["GREETING"], sys.argv[1])
print(open("/config/file.txt").read(), os.path.exists("/config/LEVEL"))
open("/scratch/x", "w").write("x")
print(len(os.environ["ADDRESS"].split(".")))
"#;
        let mut main = container(&server.image, script);
        main["args"] = json!(["argument-$(LEVEL)"]);
        main["envFrom"] = json!([{ "configMapRef": { "name": "settings" } }]);
        main["env"] = json!([
            { "name": "PASSWORD", "valueFrom": { "secretKeyRef": { "name": "password", "key": "value" } } },
            { "name": "NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
            { "name": "ADDRESS", "valueFrom": { "fieldRef": { "fieldPath": "status.podIP" } } },
            { "name": "GREETING", "value": "hello-$(NAME)" },
        ]);
        main["volumeMounts"] =
            json!([{ "name": "config", "mountPath": "/config" }, { "name": "scratch", "mountPath": "/scratch" }]);
        main["resources"] = json!({ "limits": { "memory": "64Mi", "cpu": "500m" } });
        let mut object = pod("a", "Never", &main);
        let items = json!([{ "key": "file.txt", "path": "file.txt" }]);
        object["spec"]["volumes"] = json!([
            { "name": "config", "configMap": { "name": "settings", "items": items } },
            { "name": "scratch", "emptyDir": {} },
        ]);
        let created = server.create(&format!("{base}/pods"), &object).await;
        assert_eq!(created.code, 201, "{}", created.text);
        server.until(&format!("{base}/pods/a"), "the end", ended("Succeeded")).await;
        let log = server.get(&format!("{base}/pods/a/log")).await.text;
        assert_eq!(log, "debug hunter2 a hello-a argument-debug\nfrom a file False\n4\n");
        let tail = server.get(&format!("{base}/pods/a/log?tailLines=1")).await.text;
        assert_eq!(tail, "4\n");
        let unknown = server.get(&format!("{base}/pods/a/log?container=none")).await;
        assert_eq!(unknown.code, 400, "{}", unknown.text);
    })
    .await;
}

#[tokio::test]
async fn a_crash_is_told_and_tried_again() {
    cluster("crash", async |server: Server| {
        let pods = "/api/v1/namespaces/crash/pods";
        let script = "print('boom'); raise SystemExit(3)";
        server.create(pods, &pod("a", "Always", &container(&server.image, script))).await;
        let path = format!("{pods}/a");
        let crashed =
            server.until(&path, "a loop", |pod| *at(pod, WAITING) == json!("CrashLoopBackOff")).await;
        let status = at(&crashed, "/status/containerStatuses/0");
        assert_eq!(*at(status, "/lastState/terminated/exitCode"), json!(3));
        assert_eq!(*at(status, "/lastState/terminated/reason"), json!("Error"));
        assert!(at(status, "/restartCount").as_i64() >= Some(1), "{status}");
        assert_eq!(*at(&crashed, "/status/phase"), json!("Running"));
        assert_eq!(server.get(&format!("{path}/log")).await.text, "boom\n");
        assert_eq!(server.get(&format!("{path}/log?previous=true")).await.text, "boom\n");
        let again = |pod: &Value| at(pod, "/status/containerStatuses/0/restartCount").as_i64() >= Some(2);
        server.until(&path, "another start", again).await;
        assert!(reasons(&server, "crash", "a").await.contains(&"BackOff".to_owned()));

        let failing = pod("b", "Never", &container(&server.image, script));
        server.create(pods, &failing).await;
        let failed = server.until(&format!("{pods}/b"), "its end", ended("Failed")).await;
        assert_eq!(*at(&failed, "/status/containerStatuses/0/state/terminated/exitCode"), json!(3));
    })
    .await;
}

#[tokio::test]
async fn what_a_pod_lacks_is_named() {
    cluster("lacking", async |server: Server| {
        let base = "/api/v1/namespaces/lacking";
        let pods = format!("{base}/pods");
        server.create(&pods, &pod("image", "Always", &container("127.0.0.1:1/none:1", ""))).await;
        let mut main = container(&server.image, "import time; time.sleep(1000)");
        main["envFrom"] = json!([{ "configMapRef": { "name": "later" } }]);
        server.create(&pods, &pod("config", "Always", &main)).await;
        let mut main = container(&server.image, "");
        main["command"] = json!(["/no/such/program"]);
        server.create(&pods, &pod("program", "Always", &main)).await;

        let no_image = |pod: &Value| *at(pod, WAITING) == json!("ImagePullBackOff");
        server.until(&format!("{pods}/image"), "no image", no_image).await;
        assert!(reasons(&server, "lacking", "image").await.contains(&"Failed".to_owned()));
        let log = server.get(&format!("{pods}/image/log")).await;
        assert_eq!(log.code, 400, "{}", log.text);

        let no_config = |pod: &Value| *at(pod, WAITING) == json!("CreateContainerConfigError");
        let waiting = server.until(&format!("{pods}/config"), "no configuration", no_config).await;
        let message = at(&waiting, "/status/containerStatuses/0/state/waiting/message");
        assert_eq!(*message, json!("configmap \"later\" not found"));
        server.create(&format!("{base}/configmaps"), &json!({ "metadata": { "name": "later" } })).await;
        server.until(&format!("{pods}/config"), "the start", ended("Running")).await;

        let no_program = |pod: &Value| *at(pod, WAITING) == json!("CrashLoopBackOff");
        let failed = server.until(&format!("{pods}/program"), "no program", no_program).await;
        let last = at(&failed, "/status/containerStatuses/0/lastState/terminated");
        assert_eq!(last["reason"], "StartError");
        assert!(last["message"].as_str().is_some_and(|text| text.contains("/no/such/program")), "{last}");
    })
    .await;
}

#[tokio::test]
async fn an_image_is_found_where_its_registry_is_rewritten_to() {
    cluster("rewritten", async |server: Server| {
        let Some(rest) = server.image.strip_prefix("slipway-local/") else {
            panic!("this test knows only the image that is made here, not `{}`", server.image);
        };
        let pods = "/api/v1/namespaces/rewritten/pods";
        let image = format!("registry.example/{rest}");
        server.create(pods, &pod("a", "Never", &container(&image, "print('here')"))).await;
        let done = server.until(&format!("{pods}/a"), "its end", ended("Succeeded")).await;
        assert_eq!(*at(&done, "/status/containerStatuses/0/image"), json!(image));
    })
    .await;
}

#[tokio::test]
async fn probes_decide_over_readiness_and_life() {
    cluster("probes", async |server: Server| {
        let pods = "/api/v1/namespaces/probes/pods";
        let script = r#"
import os, time
open("/tmp/alive", "w").close()
time.sleep(0.3)
open("/tmp/ready", "w").close()
while not os.path.exists("/tmp/die"):
    time.sleep(0.05)
os.remove("/tmp/alive")
time.sleep(1000)
"#;
        let mut main = container(&server.image, script);
        main["readinessProbe"] = json!({ "exec": { "command": ["cat", "/tmp/ready"] }, "periodSeconds": 1 });
        main["livenessProbe"] =
            json!({ "exec": { "command": ["cat", "/tmp/alive"] }, "periodSeconds": 1, "failureThreshold": 1, "initialDelaySeconds": 1 });
        let mut object = pod("a", "Always", &main);
        object["spec"]["terminationGracePeriodSeconds"] = 1.into();
        server.create(pods, &object).await;
        let path = format!("{pods}/a");
        let ready = |pod: &Value| *at(pod, "/status/containerStatuses/0/ready") == json!(true);
        let running = server.until(&path, "readiness", ready).await;
        let id = at(&running, "/status/containerStatuses/0/containerID").as_str().expect("an id").to_owned();
        let id = id.strip_prefix("docker://").expect("the engine's name in front");
        server.engine.output(&["exec", id, "touch", "/tmp/die"]).await.expect("touched");
        let restarted = |pod: &Value| *at(pod, "/status/containerStatuses/0/restartCount") == json!(1);
        server.until(&path, "a restart", restarted).await;
        let reasons = reasons(&server, "probes", "a").await;
        assert!(reasons.contains(&"Unhealthy".to_owned()) && reasons.contains(&"Killing".to_owned()), "{reasons:?}");
    })
    .await;
}

#[tokio::test]
async fn several_containers_share_network_and_volumes() {
    cluster("several", async |server: Server| {
        let pods = "/api/v1/namespaces/several/pods";
        let mount = json!([{ "name": "shared", "mountPath": "/shared" }]);
        let mut first = container(&server.image, "open('/shared/page', 'w').write('prepared')");
        first["volumeMounts"] = mount.clone();
        let mut serving = container(&server.image, "");
        serving["name"] = "serving".into();
        serving["command"] = json!(["python3", "-m", "http.server", "8000", "-d", "/shared"]);
        serving["volumeMounts"] = mount;
        let script = r#"
import time, urllib.request
while True:
    try:
        print(urllib.request.urlopen("http://127.0.0.1:8000/page").read().decode())
        break
    except OSError:
        time.sleep(0.05)
"#;
        let mut object = pod("a", "OnFailure", &container(&server.image, script));
        first["name"] = "prepare".into();
        object["spec"]["initContainers"] = json!([first]);
        object["spec"]["containers"].as_array_mut().expect("a list").push(serving);
        object["spec"]["volumes"] = json!([{ "name": "shared", "emptyDir": {} }]);
        let created = server.create(pods, &object).await;
        assert_eq!(created.code, 201, "{}", created.text);
        let done =
            |pod: &Value| *at(pod, "/status/containerStatuses/0/state/terminated/exitCode") == json!(0);
        server.until(&format!("{pods}/a"), "the end of the client", done).await;
        assert_eq!(server.get(&format!("{pods}/a/log?container=main")).await.text, "prepared\n");
        let unnamed = server.get(&format!("{pods}/a/log")).await;
        assert_eq!(unnamed.code, 400, "{}", unnamed.text);
    })
    .await;
}

#[tokio::test]
async fn a_pod_ends_gracefully_and_leaves_nothing() {
    cluster("ending-pod", async |server: Server| {
        let base = "/api/v1/namespaces/ending-pod";
        let script = r#"
import signal, sys, time
def end(*_):
    print("saved", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("working", flush=True)
time.sleep(1000)
"#;
        server.create(&format!("{base}/pods"), &pod("a", "Always", &container(&server.image, script))).await;
        let path = format!("{base}/pods/a");
        server.until(&path, "the start", ended("Running")).await;
        let follow = tokio::spawn({
            let (server, log) = (server.clone(), format!("{path}/log?follow=true"));
            async move { server.get(&log).await.text }
        });
        let mut log = String::new();
        while !log.contains("working") {
            log = server.get(&format!("{path}/log")).await.text;
        }
        let deleted = server.delete(&path).await;
        assert!(at(&deleted.body, "/metadata/deletionTimestamp").is_string(), "{}", deleted.text);
        server.until_gone(&path).await;
        assert_eq!(follow.await.expect("no panic"), "working\nsaved\n");
        let label = format!("label=slipway.cloud={}", server.cloud);
        let left =
            server.engine.output(&["ps", "--all", "--quiet", "--filter", &label]).await.expect("a list");
        assert_eq!(left, "");
    })
    .await;
}
