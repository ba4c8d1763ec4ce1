//! Test and image builds on CodeBuild.
