//! Kubernetes: apply, rollout, evidence and probes.
