//! A table of operations and what becomes of each, done by one confined process.
//!
//! A row is an operation, its arguments and the outcome: `ok`, an errno's name, or the value that was read. `~` and
//! `{home}` are the world's; `\s`, `\n` and `\xNN` stand for bytes.

use super::{Shim, World};

const SCRIPT: &str = include_str!("probe.py");

impl World {
    /// Does the rows under the policy in `~/policy.yaml` and compares all outcomes.
    #[track_caller]
    pub(crate) fn expect(&self, table: &str) {
        self.confined().expect(self, table);
    }

    /// The same, with `--mode kernel`.
    #[track_caller]
    pub(crate) fn expect_in_kernel_mode(&self, table: &str) {
        self.confined().args(["--mode", "kernel"]).expect(self, table);
    }

    fn bytes(&self, word: &str) -> Vec<u8> {
        let text = self.text(word);
        let mut bytes = Vec::with_capacity(text.len());
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            let (byte, used) = match (byte, after) {
                (b'\\', [b's', ..]) => (b' ', 2),
                (b'\\', [b'n', ..]) => (b'\n', 2),
                (b'\\', [b'x', digits @ ..]) => {
                    let digits = std::str::from_utf8(&digits[..2]).unwrap();
                    (u8::from_str_radix(digits, 16).unwrap(), 4)
                }
                _ => (byte, 1),
            };
            bytes.push(byte);
            rest = &rest[used..];
        }
        bytes
    }
}

impl Shim<'_> {
    /// Does the rows in one process and compares all outcomes.
    #[track_caller]
    pub(crate) fn expect(self, world: &World, table: &str) {
        self.expect_by(&[], world, table);
    }

    /// The same, by a program that executes its arguments.
    #[track_caller]
    pub(crate) fn expect_by(self, by: &[&str], world: &World, table: &str) {
        let rows: Vec<Vec<&str>> = table
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_whitespace().collect())
            .collect();
        let mut input = Vec::new();
        for row in &rows {
            let words: Vec<Vec<u8>> =
                row[..row.len() - 1].iter().map(|word| world.bytes(word)).collect();
            input.extend(words.join(&0x1f));
            input.push(0x1e);
        }
        let probe = ["/usr/bin/python3", "-I", "-S", "-c", SCRIPT];
        let ran = self.input(input).command([by, &probe].concat());
        let seen: Vec<&str> = ran.stdout.lines().collect();
        assert!(ran.status.success() && seen.len() == rows.len(), "the probe failed: {ran:#?}");
        let mut wrong = String::new();
        for (row, seen) in rows.iter().zip(&seen) {
            let expected = world.text(row[row.len() - 1]);
            let is_right = expected.split('|').any(|one| one == *seen);
            if !is_right {
                wrong.push_str(&format!(
                    "{}: expected {expected}, got {seen}\n",
                    row[..row.len() - 1].join(" ")
                ));
            }
        }
        assert!(wrong.is_empty(), "as uid {}:\n{wrong}{}", world.user.uid, ran.stderr);
    }
}
