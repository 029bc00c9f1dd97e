//! Why a request was answered as it was, in the words of `check`.

#![forbid(unsafe_code)]

use clawguard_core::{Refusal, escape};

use super::fold::Same;
use crate::journal::{Request, RequestKind, Rule};

/// EXDEV: a link or a new name would have gained something.
const EXDEV: i32 = 18;

pub(super) fn of_same(same: &Same) -> String {
    let refused = same.refused.as_deref();
    reason(same.kind, &same.operation, same.rule.as_deref(), refused, same.errno)
}

pub(super) fn of_request(kind: RequestKind, request: &Request) -> String {
    let refused = request.refused.as_deref();
    reason(kind, &request.operation, request.rule.as_ref(), refused, request.errno)
}

/// The rule and where it was written, what the operation would have done, or what the absence of both means; nothing
/// for what needed no rule.
fn reason(
    kind: RequestKind,
    operation: &str,
    rule: Option<&Rule>,
    refused: Option<&str>,
    errno: Option<i32>,
) -> String {
    let place = |rule: &Rule| (escape(&rule.pattern), escape(rule.place().as_bytes()));
    let words = refused.map(|word| Refusal::of_word(word).map_or(UNKNOWN, Refusal::reason));
    // Lines of versions that did not write down why.
    let moves = ["symlink", "link", "rename"].iter().any(|name| operation.starts_with(name));
    match (words, rule, kind) {
        (Some(words), Some(rule), _) => {
            let (pattern, place) = place(rule);
            format!("{words} (`{pattern}`, {place})")
        }
        (Some(words), None, _) => words.to_owned(),
        (None, Some(rule), _) => {
            let (pattern, place) = place(rule);
            format!("{} `{pattern}` ({place})", escape(rule.effect.as_bytes()))
        }
        (None, None, RequestKind::Denied) if errno == Some(EXDEV) => {
            "its new place would gain an access".to_owned()
        }
        (None, None, RequestKind::Denied) if moves => {
            "nothing allows it, or it was refused for what it would have done".to_owned()
        }
        (None, None, RequestKind::Denied) => "nothing allows it".to_owned(),
        (None, None, RequestKind::Allowed | RequestKind::Executed) => String::new(),
    }
}

/// For a word of a later version.
const UNKNOWN: &str = "it was refused for what it would have done";

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
        let text = reason(denied, "openat", Some(&rule), None, Some(13));
        assert_eq!(text, "blocked `**/\\u{1b}[31m` (/h/p.yaml:3)");
        assert_eq!(reason(denied, "openat", None, None, Some(13)), "nothing allows it");
        assert!(reason(denied, "renameat2", None, None, Some(18)).contains("new place"));
        assert!(reason(denied, "symlinkat", None, None, Some(13)).contains("would have done"));
    }

    #[test]
    fn what_an_operation_would_have_done_is_the_reason_where_the_journal_has_it() {
        let rule = Rule {
            effect: "allowed".into(),
            pattern: Box::from(&b"/w"[..]),
            origin: "p.yaml".into(),
            line: Some(3),
        };
        let of = |rule, word| reason(RequestKind::Denied, "rmdir", rule, Some(word), Some(13));
        assert_eq!(
            of(Some(&rule), "pinned"),
            "the directory is pinned: the next start must find it (`/w`, p.yaml:3)"
        );
        for one in Refusal::ALL {
            assert_eq!(of(None, one.word()), one.reason());
        }
        assert_eq!(of(None, "of a later version"), UNKNOWN);
    }
}
