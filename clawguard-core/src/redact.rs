//! Takes secrets out of command lines before they are written down. The rule is in docs/log.md.
//!
//! A guess from names and shapes: it must never leave out an argument, and it cannot find every secret.

#![forbid(unsafe_code)]

/// What stands in place of a secret.
const MARK: &[u8] = b"[redacted]";

/// Names of secrets end so, in any case and without `-`, `_` and `.`.
const NAMES: [&str; 16] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "authkey",
    "encryptionkey",
    "credential",
    "credentials",
    "authorization",
    "cookie",
];

/// What begins like this, and goes on for [`LEAST`] characters, is a token whatever stands before it.
const SHAPES: [&str; 22] = [
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "ghu_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "xoxa-",
    "xapp-",
    "AKIA",
    "ASIA",
    "AIza",
    "npm_",
    "pypi-",
    "hf_",
    "eyJ",
];

const LEAST: usize = 12;

/// The arguments without the secrets that can be recognised.
pub(crate) fn redact<'a>(
    arguments: impl IntoIterator<Item = &'a [u8]>,
) -> impl Iterator<Item = Vec<u8>> {
    // The option before, which has its value in the next argument.
    let mut before = Before::Nothing;
    arguments.into_iter().map(move |argument| {
        let text = match before {
            Before::Secret if !argument.starts_with(b"-") => MARK.to_vec(),
            Before::User if user(argument).is_some() => user(argument).unwrap_or_default(),
            Before::Secret | Before::User | Before::Nothing => Text::new(argument).redact(),
        };
        before = Before::of(argument);
        text
    })
}

/// What an argument says of the next one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// It is a secret.
    Secret,
    /// It is `NAME:PASSWORD`, as for curl.
    User,
}

impl Before {
    fn of(word: &[u8]) -> Before {
        match word {
            b"-u" | b"--user" | b"--proxy-user" => Before::User,
            [b'-', name @ ..] if is_secret(name) => Before::Secret,
            word if word.eq_ignore_ascii_case(b"bearer") => Before::Secret,
            _ => Before::Nothing,
        }
    }
}

/// `NAME:PASSWORD` without the password. Two numbers are a user and a group.
fn user(argument: &[u8]) -> Option<Vec<u8>> {
    let colon = argument.iter().position(|byte| *byte == b':')?;
    let (name, password) = (&argument[..=colon], &argument[colon + 1..]);
    let is_number = password.iter().all(u8::is_ascii_digit);
    (!is_number).then(|| [name, MARK].concat())
}

/// Is it the name of a secret?
fn is_secret(name: &[u8]) -> bool {
    if !name.iter().all(|byte| is_of_name(*byte)) {
        return false;
    }
    let is_constant = !name.iter().any(u8::is_ascii_lowercase);
    if is_constant && name.ends_with(b"_KEY") {
        return true;
    }
    let letters = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    let joined: Vec<u8> = letters.map(u8::to_ascii_lowercase).collect();
    let is_whole = joined == b"pass" || joined.ends_with(b"pwd") && joined.len() > "oldpwd".len();
    is_whole || NAMES.iter().any(|end| joined.ends_with(end.as_bytes()))
}

fn is_of_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)
}

/// One argument, which may be a whole script, a header or an object.
struct Text<'a> {
    all: &'a [u8],
    at: usize,
    out: Vec<u8>,
}

impl<'a> Text<'a> {
    fn new(all: &'a [u8]) -> Text<'a> {
        Text { all, at: 0, out: Vec::with_capacity(all.len()) }
    }

    fn redact(mut self) -> Vec<u8> {
        while let Some(byte) = self.all.get(self.at).copied() {
            let is_taken = match byte {
                b'=' | b':' => self.named(byte) || self.address(),
                byte if byte.is_ascii_whitespace() => self.following(),
                _ => self.token(),
            };
            if !is_taken {
                self.out.push(byte);
                self.at += 1;
            }
        }
        self.out
    }

    /// `NAME=VALUE` and `NAME: VALUE`, also with the name in quotes.
    fn named(&mut self, sign: u8) -> bool {
        let before = &self.all[..self.at];
        let end = before.iter().rposition(|byte| !b" \"'\\".contains(byte)).map_or(0, |at| at + 1);
        let start =
            before[..end].iter().rposition(|byte| !is_of_name(*byte)).map_or(0, |at| at + 1);
        let name = &before[start..end];
        let is_name = is_secret(name) && (sign == b':' || end == self.at || end + 2 >= self.at);
        if !is_name || self.all[self.at..].starts_with(b"://") {
            return false;
        }
        self.out.push(sign);
        self.at += 1;
        self.space();
        // What is the whole argument has its value up to the end, whatever is in it.
        let is_whole = start == 0 && end == self.at_of_sign(sign);
        self.value(if is_whole { Until::End } else { Until::of_sign(sign) });
        true
    }

    /// Where the sign just taken stands, which the value follows perhaps after spaces.
    fn at_of_sign(&self, sign: u8) -> usize {
        self.all[..self.at].iter().rposition(|byte| *byte == sign).unwrap_or(0)
    }

    fn space(&mut self) {
        while self.all.get(self.at).is_some_and(|byte| *byte == b' ') {
            self.out.push(b' ');
            self.at += 1;
        }
    }

    /// Puts the mark in place of a value.
    fn value(&mut self, until: Until) {
        let rest = &self.all[self.at..];
        if rest.is_empty() {
            return;
        }
        let quote = rest.first().copied().filter(|byte| b"\"'".contains(byte));
        let length = match (quote, until) {
            (_, Until::End) => rest.len(),
            (Some(quote), Until::Space | Until::Line) => {
                let inside = rest.iter().skip(1).position(|byte| *byte == quote);
                inside.map_or(rest.len(), |at| at + 2)
            }
            (None, Until::Space) => {
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"&;|,}\"'".contains(byte);
                rest.iter().position(ends).unwrap_or(rest.len())
            }
            (None, Until::Line) => {
                rest.iter().position(|byte| b"\n\"'".contains(byte)).unwrap_or(rest.len())
            }
        };
        self.out.extend_from_slice(MARK);
        self.at += length;
    }

    /// `SCHEME://USER:PASSWORD@HOST`.
    fn address(&mut self) -> bool {
        let Some(rest) = self.all[self.at..].strip_prefix(b"://") else { return false };
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"/?#\"'".contains(byte);
        let authority = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
        let Some(host) = authority.iter().rposition(|byte| *byte == b'@') else { return false };
        let Some(colon) = authority[..host].iter().position(|byte| *byte == b':') else {
            return false;
        };
        self.out.extend_from_slice(b"://");
        self.out.extend_from_slice(&authority[..=colon]);
        self.out.extend_from_slice(MARK);
        self.at += b"://".len() + host;
        true
    }

    /// `--password VALUE` and `Bearer VALUE` in a script.
    fn following(&mut self) -> bool {
        let before = &self.all[..self.at];
        let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'".contains(byte);
        let start = before.iter().rposition(ends).map_or(0, |at| at + 1);
        let is_secret = Before::of(&before[start..]) == Before::Secret;
        if !is_secret || self.all.get(self.at + 1).is_none_or(|next| *next == b'-') {
            return false;
        }
        self.out.push(self.all[self.at]);
        self.at += 1;
        self.space();
        self.value(Until::Space);
        true
    }

    /// Something of a well-known shape.
    fn token(&mut self) -> bool {
        let is_inside = self.at > 0 && is_of_token(self.all[self.at - 1]);
        let rest = &self.all[self.at..];
        let shape =
            SHAPES.iter().filter(|_| !is_inside).find(|shape| rest.starts_with(shape.as_bytes()));
        let Some(shape) = shape else { return false };
        let length = rest.iter().take_while(|byte| is_of_token(**byte)).count();
        if length < shape.len() + LEAST {
            return false;
        }
        self.out.extend_from_slice(shape.as_bytes());
        self.out.extend_from_slice(MARK);
        self.at += length;
        true
    }
}

/// Where a value ends that is not in quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    /// With the argument.
    End,
    /// At a space, or at what separates words of a script, of a query or of an object.
    Space,
    /// With the line, as that of a header.
    Line,
}

impl Until {
    fn of_sign(sign: u8) -> Until {
        if sign == b':' { Until::Line } else { Until::Space }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(arguments: &[&str]) -> Vec<String> {
        let bytes = arguments.iter().map(|argument| argument.as_bytes());
        redact(bytes).map(|one| String::from_utf8(one).unwrap()).collect()
    }

    /// Nothing of `CANARY` is left, whatever the way in which a secret is handed over.
    #[test]
    fn no_secret_with_a_name_is_left() {
        for arguments in [
            &["--api-key", "CANARY"][..],
            &["--api-key=CANARY"],
            &["--apiKey", "CANARY x; &"],
            &["-token", "CANARY"],
            &["--client-secret=CANARY a&b;c'd"],
            &["env", "TOKEN=CANARY a b", "cmd"],
            &["OPENAI_API_KEY=CANARY"],
            &["STRIPE_KEY=CANARY"],
            &["PGPASSWORD=CANARY"],
            &["MYSQL_PWD=CANARY"],
            &["sh", "-c", "TOKEN=CANARY cmd --x"],
            &["sh", "-c", "export A_TOKEN='CANARY x' && cmd"],
            &["sh", "-c", "cmd --password \"CANARY CANARY\" --x"],
            &["sh", "-c", "cmd --password CANARY; other"],
            &["sh", "-c", "curl -H 'Authorization: Bearer CANARY CANARY' x"],
            &["-H", "Authorization: Bearer CANARY"],
            &["-H", "X-Api-Key: CANARY"],
            &["curl", "-u", "me:CANARY"],
            &["curl", "--user", "me:CANARY"],
            &["https://me:CANARY@host/path"],
            &["git", "clone", "https://me:CAN@CANARY@host/path"],
            &["https://host/?a=1&token=CANARY&b=2"],
            &["--config", "{\"apiKey\": \"CANARY CANARY\", \"port\": 1}"],
            &["--config", "{\"apiKey\":\"CANARY\"}"],
            &["sk-CANARYCANARYCANARY"],
            &["x ghp_CANARYCANARYCANARY y"],
        ] {
            let text = of(arguments).join(" ");
            assert!(
                !text.contains("CANARY") && text.contains("[redacted]"),
                "{arguments:?}: {text}"
            );
        }
    }

    #[test]
    fn what_stands_beside_a_secret_stays() {
        let one = |argument: &str| of(&[argument]).remove(0);
        assert_eq!(of(&["a", "--token", "x", "b"]), ["a", "--token", "[redacted]", "b"]);
        assert_eq!(one("--token=x"), "--token=[redacted]");
        assert_eq!(one("https://me:x@host/p?a=b"), "https://me:[redacted]@host/p?a=b");
        assert_eq!(one("https://h/?token=x&b=2"), "https://h/?token=[redacted]&b=2");
        assert_eq!(one("A_TOKEN=x cmd --port 1"), "A_TOKEN=[redacted]");
        assert_eq!(one("cd /w; A_TOKEN=x cmd --port 1"), "cd /w; A_TOKEN=[redacted] cmd --port 1");
        assert_eq!(of(&["-u", "me:x"]), ["-u", "me:[redacted]"]);
        assert_eq!(one("sk-abcdefghijklmnop"), "sk-[redacted]");
    }

    #[test]
    fn what_is_no_secret_stays() {
        for arguments in [
            &["--max-tokens", "4096"][..],
            &["--token-file", "/run/token"],
            &["--password-stdin", "registry"],
            &["--password", "--verbose"],
            &["-u", "1000:1000"],
            &["PWD=/w", "OLDPWD=/x", "KEY=1", "PATH=/bin:/usr/bin"],
            &["ssh://git@host/x", "http://host:80/a@b"],
            &["sk-short", "task-abcdefghijklmnopqrst", "disk-abcdefghijklmnopq"],
            &["sh", "-c", "echo a=b; grep -r password ."],
            &["12:30", "a: b", "--key", "value", "tokenizer=x", ""],
        ] {
            assert_eq!(of(arguments), arguments);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept() {
        let odd: &[u8] = b"\xff=\xfe";
        assert_eq!(redact([odd, b"--token", odd]).collect::<Vec<_>>(), [odd, b"--token", MARK]);
    }
}
