//! Secrets Manager, cached and safe against rotation.
