//! A small Kubernetes-compatible API server whose pods are real containers.
