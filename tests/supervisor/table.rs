//! Tables of system calls and what becomes of each: done by the probe under the shim, or bare.
//!
//! A row is a call as probe.c reads it, and its outcome. `~` and `{home}` are the world's; `\s`, `\n` and `\xNN` stand
//! for bytes; `|` in an outcome separates what is right. What the kernel of this machine's kind does not have (the old
//! calls, without `at`, are those of x86_64) is told apart in [`is_there`].

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::support::{Ran, World};

/// The calls that only x86_64 has.
const OLD: &[&str] = &[
    "open",
    "creat",
    "mkdir",
    "mknod",
    "symlink",
    "unlink",
    "rmdir",
    "rename",
    "link",
    "chmod",
    "chown",
    "lchown",
    "utime",
    "utimes",
    "futimesat",
    "access",
];

/// Does this machine's kernel have the calls of this row?
fn is_there(row: &str) -> bool {
    let is_old = |word: &str| OLD.contains(&word.split('@').next().unwrap());
    cfg!(target_arch = "x86_64") || !row.split_whitespace().take(2).any(is_old)
}

/// One row for each form, `CALL@FORM REST`.
pub(crate) fn rows(call: &str, forms: &[&str], rest: &str) -> String {
    forms.iter().map(|form| format!("{call}@{form} {rest}\n")).collect()
}

fn lines(table: &str) -> Vec<&str> {
    let lines = table.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#') && is_there(line)).collect()
}

fn bytes(text: &str, to: &mut Vec<u8>) {
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, used) = match (byte, after) {
            (b'\\', [b's', ..]) => (b' ', 2),
            (b'\\', [b'n', ..]) => (b'\n', 2),
            (b'\\', [b'x', high, low, ..]) => {
                let digits = [*high, *low];
                (u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap(), 4)
            }
            _ => (byte, 1),
        };
        to.push(byte);
        rest = &rest[used..];
    }
}

/// What the probe reads.
fn encoded<'r>(world: &World, rows: impl Iterator<Item = Vec<&'r str>>) -> Vec<u8> {
    let mut input = Vec::new();
    for row in rows {
        for (index, word) in row.iter().enumerate() {
            if index > 0 {
                input.push(0x1f);
            }
            bytes(&world.text(word), &mut input);
        }
        input.push(0x1e);
    }
    input
}

impl World {
    /// Does the rows under the policy in `~/policy.yaml`, supervised, in one process, and compares all outcomes.
    #[track_caller]
    pub(crate) fn answers(&self, table: &str) {
        let lines = lines(table);
        let split = |line: &&'_ str| -> (String, String) {
            let (call, outcome) = line.rsplit_once(char::is_whitespace).unwrap();
            (call.trim().to_owned(), outcome.to_owned())
        };
        let rows: Vec<(String, String)> = lines.iter().map(split).collect();
        let calls = rows.iter().map(|(call, _)| call.split_whitespace().collect());
        let ran = self.probed(encoded(self, calls));
        let seen: Vec<&str> = ran.stdout.lines().collect();
        let mut wrong = String::new();
        for ((call, expected), seen) in rows.iter().zip(&seen) {
            let expected = self.text(expected);
            if !expected.split('|').any(|one| one == *seen) {
                wrong.push_str(&format!("{call}: expected {expected}, got {seen}\n"));
            }
        }
        if seen.len() < rows.len() {
            let hung = &rows[seen.len()].0;
            wrong.push_str(&format!("ended in: {hung}: {}\n", ran.status));
        }
        let uid = self.user.uid;
        assert!(wrong.is_empty() && ran.status.success(), "as uid {uid}:\n{wrong}{}", ran.stderr);
    }

    /// The outcomes of rows that name none, under the shim.
    pub(crate) fn outcomes(&self, table: &str) -> Vec<String> {
        let calls = lines(table).into_iter().map(|line| line.split_whitespace().collect());
        let ran = self.probed(encoded(self, calls));
        assert!(ran.status.success() || !ran.stdout.is_empty(), "the probe failed: {ran:#?}");
        self.named(&ran.stdout)
    }

    fn probed(&self, input: Vec<u8>) -> Ran {
        self.confined().args(["--mode", "supervised"]).input(input).command([self.probe()])
    }

    /// The same without the shim, but without capabilities and new privileges, as the shim leaves its target.
    pub(crate) fn bare_outcomes(&self, table: &str) -> Vec<String> {
        let calls = lines(table).into_iter().map(|line| line.split_whitespace().collect());
        let input = encoded(self, calls);
        let mut child = self
            .bare(&self.probe())
            .arg("drop")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), &input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "the probe failed: {output:?}");
        self.named(&String::from_utf8(output.stdout).unwrap())
    }

    /// A command as the world's user, in `~/work`, without the shim.
    pub(crate) fn bare(&self, program: &std::path::Path) -> Command {
        let mut command = Command::new("setpriv");
        let uid = self.user.uid.to_string();
        if self.user == crate::support::User::current() {
            command.arg("--no-new-privs").arg(program);
        } else {
            command.args(["--reuid", &uid, "--regid", &uid, "--clear-groups"]).arg(program);
        }
        command.current_dir(self.path("~/work"));
        command
    }

    /// Outcomes without what differs between two worlds.
    fn named(&self, text: &str) -> Vec<String> {
        let root = self.root().to_str().unwrap();
        text.lines().map(|line| line.replace(root, "{root}")).collect()
    }

    /// Everything that can be seen of what lies beneath a directory, but for the times of access: two looks are equal
    /// only if nothing was made, removed, moved or changed, and nothing was changed and changed back.
    pub(crate) fn look(&self, directory: &str) -> BTreeMap<String, String> {
        self.look_without(directory, &["accessed"])
    }

    /// The same without these fields.
    pub(crate) fn look_without(
        &self,
        directory: &str,
        fields: &[&str],
    ) -> BTreeMap<String, String> {
        let output =
            Command::new(self.probe()).arg("tree").arg(self.path(directory)).output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let line = |line: &str| {
            let (path, rest) = line.split_once(' ').unwrap();
            let is_kept = |field: &&str| !fields.contains(&field.split('=').next().unwrap());
            let kept: Vec<&str> = rest.split(' ').filter(is_kept).collect();
            (path.to_owned(), kept.join(" ").replace(self.root().to_str().unwrap(), "{root}"))
        };
        text.lines().map(line).collect()
    }

    /// Does the rows, after which these directories must be as they were.
    #[track_caller]
    pub(crate) fn answers_and_leaves(&self, directories: &[&str], table: &str) {
        let before: Vec<_> = directories.iter().map(|at| self.look(at)).collect();
        self.answers(table);
        for (directory, before) in directories.iter().zip(before) {
            assert_eq!(self.look(directory), before, "{directory} as uid {}", self.user.uid);
        }
    }
}
