//! Takes secrets out of text that others may read: log lines, the support bundle.

/// Words in a key whose value nobody else must see.
const SECRET_KEYS: &[&str] = &["token", "password", "secret", "passwd", "api_key", "authorization"];

/// `text` with the values of secret keys, and user names and passwords in addresses, replaced by stars.
pub fn without_secrets(text: &str) -> String {
    text.lines().map(|line| without_value(&without_user(line))).collect::<Vec<_>>().join("\n")
}

/// `scheme://user:password@host` becomes `scheme://***@host`.
fn without_user(line: &str) -> String {
    let mut safe = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        safe.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#\"'<>".contains(c)).unwrap_or(after.len());
        match after[..end].rfind('@') {
            Some(sign) => {
                safe.push_str("***");
                rest = &after[sign..];
            }
            None => rest = after,
        }
    }
    safe + rest
}

/// `token = "abc"`, `token: abc` and `token=abc` lose their value to the end of the line.
fn without_value(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let secret = SECRET_KEYS.iter().filter_map(|key| lower.find(key).map(|at| at + key.len())).min();
    let Some(key_end) = secret else { return line.to_owned() };
    match line[key_end..].find(['=', ':']) {
        // The key goes on (`token_file`), or its quote closes: anything but white space and quotes is prose.
        Some(sign) if line[key_end..key_end + sign].chars().all(|c| c.is_whitespace() || "\"'".contains(c)) => {
            format!("{} ***", &line[..=key_end + sign])
        }
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_starred_out() {
        for (text, safe) in [
            ("source = \"rtsp://admin:pa@ss@10.0.0.2/1\"", "source = \"rtsp://***@10.0.0.2/1\""),
            ("rtsp://u:p@a/x and http://b/c@d", "rtsp://***@a/x and http://b/c@d"),
            ("token = \"abc\"", "token = ***"),
            ("SIGHTD__HTTP__TOKEN=abc", "SIGHTD__HTTP__TOKEN= ***"),
            ("  \"password\": \"x\",", "  \"password\": ***"),
            ("Authorization: Bearer abc", "Authorization: ***"),
            ("a token is needed", "a token is needed"),
            ("score = 0.5", "score = 0.5"),
        ] {
            assert_eq!(without_secrets(text), safe, "{text}");
        }
    }
}
