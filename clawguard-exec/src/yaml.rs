//! Paths as a policy file writes them: a quoted value, or a piece of a comment.
//!
//! Whatever a name holds, it must stay within its value or its comment: a file name must never become a line of policy.

#![forbid(unsafe_code)]

use base64::Engine;
use clawguard_core::escape;

/// Bytes as one YAML value: in double quotes, or `!!binary` where they are not UTF-8.
pub(crate) fn scalar(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return format!("!!binary {}", base64::engine::general_purpose::STANDARD.encode(bytes));
    };
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_shown(c) => out.push(c),
            c if u32::from(c) <= 0xff => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// Bytes within a comment: nothing in them ends the line, hides text or cannot stand in YAML.
pub(crate) fn comment(bytes: &[u8]) -> String {
    let show = |c: char| match is_shown(c) {
        true => c.to_string(),
        false => c.escape_unicode().to_string(),
    };
    escape(bytes).chars().map(show).collect()
}

/// Is it a character that every reader of YAML takes for itself (YAML 1.2, section 5.1; YAML 1.1 also breaks lines at
/// U+0085, U+2028 and U+2029), and that a person sees?
fn is_shown(c: char) -> bool {
    let is_hidden = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    let is_noncharacter = u32::from(c) & 0xfffe == 0xfffe;
    !c.is_control() && !is_hidden && !is_noncharacter
}

#[cfg(test)]
mod tests {
    use super::*;
    use clawguard_core::{AbsPath, Pattern, Policy};

    #[test]
    fn a_value_is_read_back_as_the_bytes_that_were_written() {
        let names: [&[u8]; 12] = [
            b"plain",
            b"with space # and: colon",
            b"\"quoted\" 'too' \\ back",
            b"*?[a]{b,c}$HOME~",
            b"line\nbreak\r\ttab\x1b[31m\x7f",
            "\u{85}\u{2028}\u{2029}\u{feff}\u{202e}".as_bytes(),
            "\u{fffe}\u{ffff}\u{10ffff}\u{1f4a9}".as_bytes(),
            "gr\u{fc}n".as_bytes(),
            b"\xff\xfe not text",
            b"- ends in newline\n",
            b"%TAG & * ! | >",
            b" ",
        ];
        for name in names {
            let path = AbsPath::parse([b"/", name].concat()).unwrap();
            let pattern = Pattern::spell(&path);
            let text = format!(
                "# {}\nsecurity:\n  file_access:\n    blocked_paths:\n      - {} # {}\n",
                comment(name),
                scalar(&pattern),
                comment(name)
            );
            let policy =
                Policy::parse(&text, "p.yaml").unwrap_or_else(|error| panic!("{error}: {text}"));
            let texts: Vec<_> = policy.rules().iter().map(|rule| rule.pattern.text()).collect();
            assert_eq!(texts, [&pattern[..]], "{text}");
        }
    }

    #[test]
    fn a_comment_is_one_line_for_every_reader() {
        let text = comment("a\nb\rc\u{85}d\u{2028}e\u{2029}f".as_bytes());
        assert!(text.chars().all(|c| c.is_ascii_graphic()), "{text}");
    }
}
