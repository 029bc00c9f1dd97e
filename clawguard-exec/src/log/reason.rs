//! Why a request was answered as it was, in the words of `check`.

#![forbid(unsafe_code)]

use clawguard_core::escape;

use crate::journal::{RequestKind, Rule};

/// EXDEV: a link or a new name would have gained something.
const EXDEV: i32 = 18;

/// The rule and where it was written, or what its absence means; nothing for what needed no rule.
pub(super) fn reason(
    kind: RequestKind,
    operation: &str,
    rule: Option<&Rule>,
    errno: Option<i32>,
) -> String {
    let moves = ["symlink", "link", "rename"].iter().any(|name| operation.starts_with(name));
    match (rule, kind) {
        (Some(rule), _) => {
            let place = escape(rule.place().as_bytes());
            format!("{} `{}` ({place})", escape(rule.effect.as_bytes()), escape(&rule.pattern))
        }
        (None, RequestKind::Denied) if errno == Some(EXDEV) => {
            "its new place would gain an access".to_owned()
        }
        (None, RequestKind::Denied) if moves => {
            "nothing allows it, or it was refused for what it would have done".to_owned()
        }
        (None, RequestKind::Denied) => "nothing allows it".to_owned(),
        (None, RequestKind::Allowed | RequestKind::Executed) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_the_line_or_says_that_there_is_none() {
        let rule = Rule {
            effect: "blocked".into(),
            pattern: Box::from(&b"**/\x1b[31m"[..]),
            origin: "/h/p.yaml".into(),
            line: Some(3),
        };
        let denied = RequestKind::Denied;
        let text = reason(denied, "openat", Some(&rule), Some(13));
        assert_eq!(text, "blocked `**/\\u{1b}[31m` (/h/p.yaml:3)");
        assert_eq!(reason(denied, "openat", None, Some(13)), "nothing allows it");
        assert!(reason(denied, "renameat2", None, Some(18)).contains("new place"));
        assert!(reason(denied, "symlinkat", None, Some(13)).contains("would have done"));
    }
}
