//! Where people see what the API speaks of.

/// The address of GitHub's pages for an API's address: `https://github.com` for `https://api.github.com`, the tenant's
/// for a tenant of ghe.com, and the server's for an Enterprise Server's `https://<host>/api/v3`.
pub fn web_address(api_url: &str) -> String {
    let api = api_url.trim_end_matches('/');
    let api = api.strip_suffix("/api/v3").unwrap_or(api);
    match api.split_once("://") {
        Some((scheme, host)) => match host.strip_prefix("api.") {
            Some(host) if host == "github.com" || host.ends_with(".ghe.com") => format!("{scheme}://{host}"),
            _ => api.to_owned(),
        },
        None => api.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn pages_lie_beside_the_api() {
        for (api, pages) in [
            ("https://api.github.com", "https://github.com"),
            ("https://api.github.com/", "https://github.com"),
            ("https://api.octocorp.ghe.com", "https://octocorp.ghe.com"),
            ("https://github.example.com/api/v3", "https://github.example.com"),
            ("https://api.example.com/api/v3/", "https://api.example.com"),
            ("http://127.0.0.1:4572", "http://127.0.0.1:4572"),
        ] {
            assert_eq!(super::web_address(api), pages, "{api}");
        }
    }
}
