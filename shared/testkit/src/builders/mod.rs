//! Builders of domain values, commits and build results for tests.

mod commit;
mod push;
mod result;
mod values;

pub use commit::{a_commit, a_commit_of, a_manifest, a_zip};
pub use push::{a_push, a_webhook, recorded};
pub use result::{green_result, red_result, shared_result};
pub use values::{
    OPERATOR_FILE, a_component, a_digest, a_plan, a_request, a_run, a_service, a_sha, a_strangers_pull,
    a_strangers_request, a_task, delivered_to, name,
};
