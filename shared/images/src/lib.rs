//! Repositories and images in ECR.
