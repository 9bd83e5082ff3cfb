//! Mounts, prefixes and namespaces: paths that mean the same on every way to the server.

use crate::Error;

/// The longest such path.
const MAX_LEN: usize = 200;

/// `text` without slashes at its ends, if each of its segments is made of ASCII letters, digits,
/// `-`, `_` and `.`, and none is `.` or `..`. `what` is how an error calls it.
pub(crate) fn checked_path(what: &str, text: &str) -> Result<String, Error> {
    let path = text.trim_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let segment = |part: &str| !["", ".", ".."].contains(&part) && part.bytes().all(plain);
    if path.len() > MAX_LEN || !path.split('/').all(segment) {
        return Err(Error::Config(format!(
            "{what} is not a path of letters, digits, - _ and ."
        )));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checked_path_rejects_what_could_mean_another_path() {
        for text in [
            "", "/", "a//b", "..", "a/../b", "./a", "a b", "a?b", "a#b", "a%2fb", "ä", "a\\b",
        ] {
            assert!(
                matches!(checked_path("mount", text), Err(Error::Config(_))),
                "{text:?}"
            );
        }
        assert!(checked_path("mount", &"a".repeat(MAX_LEN + 1)).is_err());
        assert_eq!(checked_path("mount", "/team/kv-2/").unwrap(), "team/kv-2");
    }
}
