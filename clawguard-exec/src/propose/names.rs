//! Names that a program makes up anew at each run: a number, a random suffix, a hash. A guess, from the name alone.

#![forbid(unsafe_code)]

/// Literal bytes that a wildcard needs beside it: `*` alone would stand for everybody's names.
const MIN_LITERAL: usize = 3;

/// Digits in a row that are no version any more.
const MIN_DIGITS: usize = 4;

/// Letters and digits in a row that may be a hash or a random suffix.
const MIN_MIXED: usize = 6;

/// Hexadecimal digits in a row that are a hash, digits among them.
const MIN_HEX: usize = 8;

/// What became of what the name named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    /// It is there.
    Stays,
    /// It was made and has gone: that makes any odd name a suspect.
    Gone,
}

impl Now {
    /// How often a run changes between kinds of characters before it is taken for random.
    fn suspicion(self) -> usize {
        match self {
            Now::Stays => 3,
            Now::Gone => 1,
        }
    }
}

/// Does it look as if the next run would make up another?
pub(super) fn looks_made_up(name: &[u8], now: Now) -> bool {
    is_of_python(name) || runs(name).any(|run| is_made_up(run.bytes, now))
}

/// Python's tempfile: `tmp` and eight of these, `_` among them.
fn is_of_python(name: &[u8]) -> bool {
    let is_own = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_';
    name.strip_prefix(b"tmp").is_some_and(|rest| rest.len() == 8 && rest.iter().all(is_own))
}

/// The wildcard for the names of this kind, in the words of a policy; none if too little of it would be literal.
pub(super) fn wildcard(
    name: &[u8],
    now: Now,
    literal: impl Fn(&[u8]) -> Vec<u8>,
) -> Option<Vec<u8>> {
    if is_of_python(name) {
        return Some(b"tmp*".to_vec());
    }
    let mut pattern = Vec::new();
    let mut kept = 0;
    let mut at = 0;
    for run in runs(name).filter(|run| is_made_up(run.bytes, now)) {
        let start = run.start + prefix(run.bytes).len();
        pattern.extend(literal(&name[at..start]));
        kept += start - at;
        pattern.push(b'*');
        at = run.start + run.bytes.len();
    }
    pattern.extend(literal(&name[at..]));
    kept += name.len() - at;
    (at > 0 && kept >= MIN_LITERAL).then_some(pattern)
}

struct Run<'a> {
    start: usize,
    bytes: &'a [u8],
}

/// The letters and digits in a row. `_` and `-` end a run: `tmp_a1b2c3`, and the parts of a UUID.
fn runs(name: &[u8]) -> impl Iterator<Item = Run<'_>> {
    let mut at = 0;
    name.split(|byte| !byte.is_ascii_alphanumeric()).filter_map(move |bytes| {
        let start = at;
        at += bytes.len() + 1;
        (!bytes.is_empty()).then_some(Run { start, bytes })
    })
}

/// What mkstemp(3) and its kin are often given, with nothing between it and what they make up.
fn prefix(run: &[u8]) -> &[u8] {
    let known = [&b"tmp"[..], b"temp", b"npm", b"pip"].into_iter();
    known.filter(|known| run.starts_with(known)).max_by_key(|known| known.len()).unwrap_or_default()
}

fn is_made_up(run: &[u8], now: Now) -> bool {
    let rest = &run[prefix(run).len()..];
    // Six of them at least: mkstemp(3).
    if rest.len() < run.len() && rest.len() >= MIN_MIXED && rest.iter().any(u8::is_ascii_digit) {
        return true;
    }
    let digits = run.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == run.len() {
        return run.len() >= MIN_DIGITS;
    }
    let is_hex = run.iter().all(u8::is_ascii_hexdigit);
    if is_hex && run.len() >= MIN_HEX && digits > 0 {
        return true;
    }
    run.len() >= MIN_MIXED && switches(run) >= now.suspicion()
}

/// How often it changes between digits, small and capital letters. A capital before small letters begins a word.
fn switches(run: &[u8]) -> usize {
    let class = |byte: u8| match byte {
        b'0'..=b'9' => 0,
        b'A'..=b'Z' => 1,
        _ => 2,
    };
    let changes = |pair: &[u8]| {
        let (a, b) = (class(pair[0]), class(pair[1]));
        a != b && !(a == 1 && b == 2)
    };
    run.windows(2).filter(|pair| changes(pair)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_suffixes_numbers_and_hashes_are_made_up_and_words_are_not() {
        for name in [
            "tmp.aB3dE5fG7h",
            "session-48213.json",
            "1732328400123",
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "mod.cpython-311.pyc.140234918234",
            "tmpg3h5du5d",
            "a1b2c3d4-e5f6-7890-abcd-ef1234567890",
        ] {
            assert!(looks_made_up(name.as_bytes(), Now::Stays), "{name}");
        }
        for name in [
            "Cargo.lock",
            "python3.11",
            "mod.cpython-311.pyc",
            "node_modules",
            "x86_64-unknown-linux-gnu",
            "package-lock.json",
            "README.md",
            "HelloWorldFactory.java",
            "data.db-journal",
            "deadbeef",
        ] {
            assert!(!looks_made_up(name.as_bytes(), Now::Stays), "{name}");
        }
    }

    #[test]
    fn a_wildcard_keeps_what_tells_the_names_apart() {
        let plain = |name: &[u8]| name.to_vec();
        let of = |name: &str| {
            wildcard(name.as_bytes(), Now::Stays, plain)
                .map(|text| String::from_utf8(text).unwrap())
        };
        assert_eq!(
            of(".claude.json.tmp.48213.1732328400"),
            Some(".claude.json.tmp.*.*".to_owned())
        );
        assert_eq!(of("npm-48213-tmp"), Some("npm-*-tmp".to_owned()));
        assert_eq!(of("tmpg3h5du5d"), Some("tmp*".to_owned()));
        assert_eq!(of("tmpab_cdefg"), Some("tmp*".to_owned()));
        assert_eq!(of("48213"), None);
        assert!(looks_made_up(b"x.aBcdEf", Now::Gone) && !looks_made_up(b"x.aBcdEf", Now::Stays));
        assert_eq!(of("note"), None);
    }
}
