//! Where a result lies: URIs of artifacts, brought back to the repository.

use super::form::{ArtifactLocation, Finding, Run, at};
use crate::report::place;

/// How many base ids may lead to each other.
const DEEPEST: usize = 8;

/// Base ids that by custom are the root of the source, wherever a container saw it.
const ROOTS: [&str; 5] = ["%SRCROOT%", "SRCROOT", "ROOTPATH", "PROJECTROOT", "REPOROOT"];

/// The file and line of a result's first location; none where it lies outside the repository. A file without a line is
/// pointed at by its first.
pub(super) fn of(run: &Run, finding: &Finding) -> Option<(String, u32)> {
    let location = finding.locations.0.as_ref()?.physical_location.as_ref()?;
    let line = location.region.as_ref().and_then(|region| region.start_line).unwrap_or(1);
    let path = path(run, location.artifact_location.as_ref()?)?;
    Some((path, u32::try_from(line.max(1)).unwrap_or(u32::MAX)))
}

fn path(run: &Run, location: &ArtifactLocation) -> Option<String> {
    let location = match &location.uri {
        Some(_) => location,
        None => at(&run.artifacts.0, location.index?)?.location.as_ref()?,
    };
    let relative = local(location.uri.as_deref()?)?;
    let base = location.uri_base_id.as_deref();
    let is_from_root = base.is_none_or(|base| ROOTS.contains(&base));
    place::in_repository(&resolved(run, location, 0)?)
        .or_else(|| is_from_root.then(|| place::in_repository(&relative))?)
}

/// The path that a location names, below those of its base ids (§3.4.4).
fn resolved(run: &Run, location: &ArtifactLocation, depth: usize) -> Option<String> {
    let path = local(location.uri.as_deref().unwrap_or_default())?;
    let base = location.uri_base_id.as_ref().filter(|_| !path.starts_with('/'));
    let known = base.and_then(|base| run.original_uri_base_ids.as_ref()?.get(base));
    match known {
        None => Some(path),
        Some(_) if depth == DEEPEST => None,
        Some(base) => {
            let base = resolved(run, base, depth + 1)?;
            let base = base.trim_end_matches('/');
            Some(if base.is_empty() { path } else { format!("{base}/{path}") })
        }
    }
}

/// The path of a URI that is relative or a local file's.
fn local(uri: &str) -> Option<String> {
    let path = match uri.split_once(':') {
        Some(("file", rest)) => match rest.strip_prefix("//") {
            // A host may stand before the path; most often there is none.
            Some(rest) => &rest[rest.find('/')?..],
            None => rest,
        },
        Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => return None,
        _ => uri,
    };
    decoded(path)
}

/// Without percent signs; none where they stand for no text.
fn decoded(path: &str) -> Option<String> {
    if path.len() > 4_096 {
        return None;
    }
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
