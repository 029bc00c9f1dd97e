//! Words for a shell: whatever a file is called, a command that names it does what it says when it is pasted.

#![forbid(unsafe_code)]

use crate::path::escape;

/// The bytes as one word of a POSIX shell. Control characters and bytes that are not UTF-8 need `$'...'`, which every
/// current shell knows.
#[must_use]
pub fn quote(bytes: &[u8]) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+:@%,=".contains(byte);
    let text = std::str::from_utf8(bytes).ok();
    match text {
        Some(text) if !text.is_empty() && bytes.iter().all(is_plain) => text.to_owned(),
        // What a terminal would not show as it is must not stand in what a person copies from it.
        Some(text) if escape(bytes) == text => {
            format!("'{}'", text.replace('\'', "'\\''"))
        }
        Some(_) | None => {
            let mut word = String::from("$'");
            for byte in bytes {
                match byte {
                    b'\'' | b'\\' => word.extend(['\\', char::from(*byte)]),
                    b' '..=b'~' => word.push(char::from(*byte)),
                    byte => word.push_str(&format!("\\{byte:03o}")),
                }
            }
            word.push('\'');
            word
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_every_word_as_the_bytes_that_it_stands_for() {
        for name in [
            &b"/a/b-c.d"[..],
            b"/with space",
            b"/it's",
            b"/$(id);`id`&",
            b"/new\nline",
            b"/\xff\xfe\\'",
            b"/\x1b[31m\x01",
            "/\u{202e}bidi".as_bytes(),
            "/\u{e9}t\u{e9}".as_bytes(),
            b"",
        ] {
            let script = format!("printf %s {}", quote(name));
            let output = Command::new("bash").arg("-c").arg(&script).output().unwrap();
            assert_eq!(OsStr::from_bytes(&output.stdout), OsStr::from_bytes(name), "{script}");
            assert!(!quote(name).contains(|c: char| c.is_control()), "{script:?}");
        }
    }
}
