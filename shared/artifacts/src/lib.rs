//! Sources, reports, manifests and logs in S3.
