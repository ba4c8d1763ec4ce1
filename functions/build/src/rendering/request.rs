//! What the build that renders is asked for: a pure function of its task and delivery.

use std::collections::BTreeMap;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::ids::AttemptId;
use domain::keys;
use domain::ports::{Answer, Artifacts, BuildOptions, BuildRequest, Fault};
use domain::spec::ManifestsSpec;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::json;

/// What every build does that renders.
const BUILDSPEC: &str = include_str!("../../../../infra/buildspecs/render.yml");

/// The most characters of the variable that says what to render: far below what a process may be given on Linux
/// (`MAX_ARG_STRLEN`, 128 KiB, in `man 2 execve`), and some thousand services, since their paths are much alike.
const LONGEST_VARIABLE: usize = 32 * 1024;

/// The request for the attempt, or the sentence for the developer why there is none.
///
/// # Errors
/// When what to render cannot be written.
pub(super) fn of(
    attempt: AttemptId,
    spec: &ManifestsSpec,
    namespace: &str,
    artifacts: &impl Artifacts,
) -> Answer<Result<BuildRequest, String>> {
    let manifests = packed(&json!({ "namespace": namespace, "services": spec.services }).to_string())?;
    if manifests.len() > LONGEST_VARIABLE {
        return Ok(Err(format!(
            "the manifests of {} services are too many to render in one build; write some of them as plain files",
            spec.services.len()
        )));
    }
    Ok(Ok(BuildRequest {
        source: artifacts.place(&keys::source(&attempt.run)),
        buildspec: BUILDSPEC,
        variables: BTreeMap::from([("SLIPWAY_MANIFESTS".to_owned(), manifests)]),
        options: BuildOptions::default(),
        result: keys::result_folder(&attempt),
        attempts: vec![attempt],
    }))
}

/// Base64 of zlib, as the buildspec reads it.
fn packed(text: &str) -> Answer<String> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    let made = zlib.write_all(text.as_bytes()).and_then(|()| zlib.finish());
    made.map(|bytes| STANDARD.encode(bytes))
        .map_err(|error| Fault::retry("what to render cannot be packed", error))
}
