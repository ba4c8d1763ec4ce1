//! Small applications that tests run in containers.

use serde_json::{Value, json};

/// Serves `$VERSION` and its host's name on port 8000; fails its health check when `$HEALTHY` is `no`.
const SERVER: &str = r#"
import http.server, os, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        code = 500 if self.path == "/health" and os.environ.get("HEALTHY") == "no" else 200
        body = (os.environ.get("VERSION", "") + " " + socket.gethostname() + " " + self.path).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Authorized", self.headers.get("Authorization", "no"))
        self.end_headers()
        self.wfile.write(body.upper())
print("serving", flush=True)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"#;

/// A deployment of the server above.
pub fn web(image: &str, replicas: i64, version: &str, healthy: &str) -> Value {
    let mut container = container(image, SERVER);
    container["ports"] = json!([{ "name": "http", "containerPort": 8000 }]);
    container["env"] =
        json!([{ "name": "VERSION", "value": version }, { "name": "HEALTHY", "value": healthy }]);
    container["readinessProbe"] =
        json!({ "httpGet": { "path": "/health", "port": "http" }, "periodSeconds": 1 });
    deployment("web", replicas, json!({ "containers": [container] }))
}

/// A container that runs a Python script.
pub fn container(image: &str, script: &str) -> Value {
    json!({ "name": "main", "image": image, "command": ["python3", "-u", "-c", script] })
}

/// A deployment of any pod.
pub fn deployment(name: &str, replicas: i64, mut spec: Value) -> Value {
    spec["terminationGracePeriodSeconds"] = 5.into();
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": name },
        "spec": {
            "replicas": replicas, "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": spec },
        },
    })
}

/// A pod that runs a Python script.
pub fn pod(name: &str, policy: &str, container: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name, "labels": { "app": name } },
        "spec": { "restartPolicy": policy, "terminationGracePeriodSeconds": 5, "containers": [container] },
    })
}

/// A service for port 80 of the pods with that label.
pub fn service(name: &str, app: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "selector": { "app": app }, "ports": [{ "port": 80, "targetPort": 8000, "protocol": "TCP" }] },
    })
}
