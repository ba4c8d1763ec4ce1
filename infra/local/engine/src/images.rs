//! The base images that services and builds stand on, made once per engine.
