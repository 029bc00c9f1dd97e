//! Does a settings file of a package manager hold a password or a token? Those that presets let agents read are blocked
//! if it does.
//!
//! Nothing of what is read here leaves this file.

#![forbid(unsafe_code)]

use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

const MOST_BYTES: u64 = 64 * 1024;

/// A file that cannot be read is no danger here: the agent is the same user. One that is larger than anybody's settings
/// counts as one with a token.
pub(super) fn holds_a_token(file: &Path) -> bool {
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = std::fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(file);
    let Ok(file) = opened else { return false };
    let Ok(metadata) = file.metadata() else { return false };
    if metadata.len() > MOST_BYTES {
        return true;
    }
    let mut bytes = Vec::new();
    let read = file.take(MOST_BYTES).read_to_end(&mut bytes);
    metadata.is_file() && read.is_ok() && has_token(&String::from_utf8_lossy(&bytes))
}

fn has_token(text: &str) -> bool {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';']));
    lines.into_iter().any(|line| is_named_token(line) || has_password_in_address(line))
}

/// `//host/:_authToken=...`, `_password = ...`, `npmAuthToken: ...`. A variable of the environment is no token.
fn is_named_token(line: &str) -> bool {
    let Some((name, value)) = line.split_once('=').or_else(|| line.split_once(": ")) else {
        return false;
    };
    let name = name.to_ascii_lowercase();
    let value = value.trim().trim_matches(['"', '\'']);
    let is_secret =
        ["auth", "password", "passwd", "token", "secret"].iter().any(|word| name.contains(word));
    // `always-auth=true` is a setting.
    let is_switch = ["true", "false", "null", ""].contains(&value);
    is_secret && !is_switch && !value.starts_with("${")
}

/// `https://user:password@host/`.
fn has_password_in_address(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', ' ', '"', '\'']).next().unwrap_or_default();
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| password);
        password.is_some_and(|password| !password.is_empty() && !password.starts_with("${"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_told_from_settings() {
        for text in [
            "//registry.example/:_authToken=npm_abc",
            "prefix=~/.npm-global\n_auth = \"YTpi\"\n",
            "npmRegistries:\n  x:\n    npmAuthToken: \"abc\"\n",
            "[global]\nindex-url = https://me:pass@example.org/simple\n",
        ] {
            assert!(has_token(text), "{text}");
        }
        for text in [
            "prefix=~/.npm-global\nalways-auth=true\n",
            "//registry.example/:_authToken=${NPM_TOKEN}\n",
            "# _authToken=abc\n; password=1\n",
            "index-url = https://example.org:8080/simple\nextra = https://me@example.org/\n",
        ] {
            assert!(!has_token(text), "{text}");
        }
    }
}
