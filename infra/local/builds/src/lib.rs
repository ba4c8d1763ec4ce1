//! CodeBuild's API and a build executor on the Docker engine.
