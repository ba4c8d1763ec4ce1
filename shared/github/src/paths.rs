//! Addresses of the routes used; whatever comes from outside is escaped.

use std::fmt::Write as _;

use domain::ids::RepositoryName;

/// The address of something in a repository.
pub(crate) fn of(repository: &RepositoryName, rest: &str) -> String {
    format!("/repos/{repository}/{rest}")
}

/// Escapes a text for a path or a query; slashes stay, as GitHub's routes for branches want them.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                out.push(char::from(byte));
            }
            // Writing to a string cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn hostile_branches_stay_in_their_place() {
        assert_eq!(super::escaped("feature/a#b?c=d&e"), "feature/a%23b%3Fc%3Dd%26e");
        assert_eq!(super::escaped("slipway / test ü"), "slipway%20/%20test%20%C3%BC");
    }
}
