//! A repository of any number of services, laid out as the example is.

use std::fmt::Write as _;

/// The files of `services` services called `service_001` and so on, by path. Images hold nothing, tests are one line:
/// in the light cloud neither is run.
pub(crate) fn files(services: usize) -> Vec<(String, String)> {
    let mut pipeline = String::from("version: 1\nservices:\n");
    let mut files = Vec::new();
    for number in 1..=services {
        let name = format!("service_{number:03}");
        let _ = writeln!(pipeline, "  {name}: {{}}");
        files.push((format!("backend/{name}/Dockerfile"), "FROM scratch\n".to_owned()));
        let test = "def test_app():\n    assert 1 == 1\n".to_owned();
        files.push((format!("backend/{name}/tests/test_app.py"), test));
        files.push((format!("infrastructure/kubernetes/{name}-deployment.yaml"), manifest(&name)));
    }
    pipeline.push_str("integration:\n  command: pytest integration_tests/\nchecks:\n  flake8: [backend/]\n");
    pipeline.push_str("  bandit: [backend/]\nnotifications:\n  slack: \"#vivesphere-deploys\"\n");
    pipeline.push_str("  email: [team@vivesphere.example]\n");
    files.push(("infrastructure/ci_cd/pipeline.yaml".to_owned(), pipeline));
    files.push((
        "integration_tests/test_platform.py".to_owned(),
        "def test_platform():\n    pass\n".to_owned(),
    ));
    files
}

fn manifest(name: &str) -> String {
    let label = name.replace('_', "-");
    format!(
        "apiVersion: v1
kind: ConfigMap
metadata:
  name: {label}
data:
  LEVEL: info
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {label}
spec:
  replicas: 1
  selector:
    matchLabels: {{app: {label}}}
  template:
    metadata:
      labels: {{app: {label}}}
      annotations: {{}}
    spec:
      containers:
        - name: {label}
          image: vive-sphere/{name}
          envFrom:
            - configMapRef: {{name: {label}}}
          ports:
            - containerPort: 8000
---
apiVersion: v1
kind: Service
metadata:
  name: {label}
spec:
  selector: {{app: {label}}}
  ports:
    - port: 8000
"
    )
}
