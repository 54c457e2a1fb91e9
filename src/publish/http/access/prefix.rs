//! The path under which a reverse proxy shows the daemon.

use axum::http::HeaderMap;
use ipnet::IpNet;
use std::net::IpAddr;

/// Headers by which a proxy names the path.
pub(super) const PREFIX_HEADERS: [&str; 2] = ["x-forwarded-prefix", "x-ingress-path"];
/// The longest path that is taken, in bytes.
const MAX_PREFIX_BYTES: usize = 200;

/// The path that a proxy in one of the networks `trusted` names, without a slash at its end. Empty where none is named,
/// where anybody else names it, and where it is not a plain path: it goes into `Location` and `Set-Cookie`.
pub(super) fn prefix<'a>(headers: &'a HeaderMap, peer: IpAddr, trusted: &[IpNet]) -> &'a str {
    if !trusted.iter().any(|network| network.contains(&peer)) {
        return "";
    }
    let named = PREFIX_HEADERS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    named.map(|path| path.trim_end_matches('/')).filter(|path| is_plain(path)).unwrap_or_default()
}

fn is_plain(path: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'.' | b'~');
    let segments = || path.split('/').skip(1);
    path.len() <= MAX_PREFIX_BYTES
        && path.starts_with('/')
        && path.bytes().all(allowed)
        && segments().all(|segment| !segment.is_empty() && segment != "." && segment != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_of_trusted_proxies_are_taken() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let [proxy, other] = ["10.1.2.3", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        for (text, want) in [
            ("/sightd", "/sightd"),
            ("/sightd/", "/sightd"),
            ("/api/hassio_ingress/a-b_c", "/api/hassio_ingress/a-b_c"),
            ("/", ""),
            ("sightd", ""),
            ("//evil.example", ""),
            ("/../x", ""),
            ("/a;Domain=evil", ""),
            ("https://evil.example/", ""),
        ] {
            for name in PREFIX_HEADERS {
                let headers = HeaderMap::from_iter([(name.parse().unwrap(), text.parse().unwrap())]);
                assert_eq!(prefix(&headers, proxy, &trusted), want, "{name}: {text}");
                assert_eq!(prefix(&headers, other, &trusted), "", "{name}: {text}");
            }
        }
        let long = HeaderMap::from_iter([(
            "x-ingress-path".parse().unwrap(),
            format!("/{}", "a".repeat(200)).parse().unwrap(),
        )]);
        assert_eq!(prefix(&long, proxy, &trusted), "");
    }
}
