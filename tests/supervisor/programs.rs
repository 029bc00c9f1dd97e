//! Real programs, unchanged, under the built-in default policy: a shell script runs twice in the same tree, bare and
//! through the shim, and nothing may differ but what the policy denies. Here is the way to do that, and the secrets
//! that every such tree holds; what is run is in `programs_*.rs`.
//!
//! No script may depend on the time that anything takes, or leave a process behind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::support::{CANARY, User, World, for_every_user};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Two runs of git make the same objects.
const VARIABLES: [(&str, &str); 2] =
    [("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"), ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")];

const GITCONFIG: &str = "[user]\n\tname = A\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n\
    [gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n[pack]\n\tthreads = 1\n[advice]\n\tdetachedHead = false\n";

/// Runs `$1`, then tries, in the same sandbox, every secret that there is by then: one line for each.
const RUN_AND_TRY: &str = r#"
bash -c "$1" program
code=$?
printf '\036'
try() {
    while IFS= read -r -d '' secret; do
        if said=$(cat "$secret" 2>&1); then said=read; fi
        printf '%s: %s\n' "$secret" "${said##*: }"
    done
}
cd ~/work && find "$PWD" -name .env -type f -print0 | try
printf '%s\0' ~/.ssh/id_ed25519 ~/.aws/credentials | try
exit $code"#;

/// A script of bash that succeeds without clawguard, and what is not the same in two runs of it.
pub(crate) struct Script<'a> {
    /// Runs bare in both trees before, in `~/work`.
    pub(crate) before: &'a str,
    /// Runs bare in one and confined in the other.
    pub(crate) text: &'a str,
    /// The contents of a file are not compared if one of these occurs in its path.
    pub(crate) unlike: &'a [&'a str],
}

impl<'a> Script<'a> {
    pub(crate) fn new(text: &'a str) -> Script<'a> {
        Script { before: "", text, unlike: &[] }
    }

    pub(crate) fn before(self, before: &'a str) -> Script<'a> {
        Script { before, ..self }
    }

    pub(crate) fn unlike(self, unlike: &'a [&'a str]) -> Script<'a> {
        Script { unlike, ..self }
    }

    /// For every user: the bare run succeeds, and the confined one does the same. Nobody reads a secret.
    #[track_caller]
    pub(crate) fn runs_as_if_bare(self) {
        self.runs_as_if_bare_in(|_| {});
    }

    /// The same; `furnish` puts what only the suite can make into each of the two homes.
    #[track_caller]
    pub(crate) fn runs_as_if_bare_in(self, furnish: impl Fn(&World)) {
        for_every_user(|world| {
            let bare = self.run(&world, &furnish, bare);
            let confined = self.run(&world, &furnish, confined);
            assert_eq!(bare.code, Some(0), "bare, {}\n{}", bare.stdout, bare.stderr);
            let differ = bare.differ(&confined);
            assert!(differ.is_empty(), "uid {}: confined, {differ}{confined}", world.user.uid);
            confined.holds_its_secrets(&world);
        });
    }

    /// The tree is made anew, and the script runs in it; `how` starts it.
    fn run(
        &self,
        world: &World,
        furnish: &impl Fn(&World),
        how: fn(&World, &str) -> Output,
    ) -> Outcome {
        world.remove("~");
        world.mkdir("~/work");
        world.write("~/.gitconfig", GITCONFIG);
        for secret in
            ["~/work/.env", "~/work/nested/deep/.env", "~/.ssh/id_ed25519", "~/.aws/credentials"]
        {
            world.write(secret, CANARY);
        }
        furnish(world);
        let before = bare(world, &format!("set -e\n{}", self.before));
        assert!(before.status.success(), "before: {before:#?}");
        let output = how(world, self.text);
        let stdout = String::from_utf8_lossy(&output.stdout);
        let (stdout, tries) = stdout.split_once('\x1e').unwrap_or((&stdout, ""));
        Outcome {
            code: output.status.code(),
            stdout: stdout.to_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            tries: tries.lines().map(str::to_owned).collect(),
            tree: tree(&world.path("~/work"), self.unlike),
        }
    }
}

/// Without clawguard. The shim drops the capabilities of root, so this run has none either.
pub(crate) fn bare(world: &World, script: &str) -> Output {
    let uid = world.user.uid.to_string();
    let mut words: Vec<&str> = Vec::new();
    if world.user != User::current() {
        words.extend(["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"]);
    } else if world.user.uid == 0 {
        words.extend(["setpriv", "--bounding-set=-all", "--inh-caps=-all"]);
    }
    // In a shell of its own, as in the shim.
    words.extend(["bash", "-c", "bash -c \"$1\" program\nexit $?", "bash", script]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).current_dir(world.path("~/work")).env_clear();
    command.env("PATH", PATH).env("HOME", world.home()).env("LANG", "C.UTF-8").envs(VARIABLES);
    command.stdin(Stdio::null()).output().unwrap()
}

/// With the built-in default policy.
fn confined(world: &World, script: &str) -> Output {
    let mut shim = world.shim_with(["-q"]);
    for (name, value) in VARIABLES {
        shim = shim.env(name, value);
    }
    let ran = shim.command(["bash", "-c", RUN_AND_TRY, "bash", script]);
    Output { status: ran.status, stdout: ran.bytes, stderr: ran.stderr.into_bytes() }
}

/// What a run left.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    /// `PATH: what cat said`, for each secret.
    tries: BTreeSet<String>,
    tree: BTreeMap<PathBuf, Entry>,
}

#[derive(PartialEq, Eq)]
struct Entry {
    mode: u32,
    uid: u32,
    /// Of a file.
    links: u64,
    /// A file's contents, if two runs write the same, or where a link leads to.
    bytes: Vec<u8>,
}

fn tree(root: &Path, unlike: &[&str]) -> BTreeMap<PathBuf, Entry> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let text = path.to_string_lossy();
            let is_like = !unlike.iter().any(|part| text.contains(part));
            let bytes = if metadata.is_symlink() {
                fs::read_link(&path).unwrap().as_os_str().as_bytes().to_vec()
            } else if metadata.is_file() && is_like {
                fs::read(&path).unwrap()
            } else {
                Vec::new()
            };
            let links = if metadata.is_dir() { 1 } else { metadata.nlink() };
            if metadata.is_dir() {
                open.push(path.clone());
            }
            let entry = Entry { mode: metadata.mode(), uid: metadata.uid(), links, bytes };
            found.insert(path.strip_prefix(root).unwrap().to_owned(), entry);
        }
    }
    found
}

impl Outcome {
    /// What is not alike, in words.
    fn differ(&self, confined: &Outcome) -> String {
        let mut differ = String::new();
        if self.code != confined.code {
            differ += &format!("its exit code: {:?}, not {:?}\n", confined.code, self.code);
        }
        let texts = [
            ("stdout", &self.stdout, &confined.stdout),
            ("stderr", &self.stderr, &confined.stderr),
        ];
        for (name, bare, confined) in texts {
            if bare != confined {
                let count = bare.lines().zip(confined.lines()).take_while(|(a, b)| a == b).count();
                let at = |text: &str| text.lines().nth(count).unwrap_or("(its end)").to_owned();
                let (bare, confined) = (at(bare), at(confined));
                differ += &format!("{name}, line {}: `{confined}`, not `{bare}`\n", count + 1);
            }
        }
        let paths: BTreeSet<&PathBuf> = self.tree.keys().chain(confined.tree.keys()).collect();
        for path in paths {
            let [bare, confined] = [self, confined].map(|outcome| outcome.tree.get(path));
            if bare != confined {
                let [bare, confined] = [bare, confined]
                    .map(|entry| entry.map_or("nothing".to_owned(), Entry::to_string));
                differ += &format!("{}: {confined}, not {bare}\n", path.display());
            }
        }
        differ
    }

    /// Every secret was tried and denied, and none is where it may be read.
    #[track_caller]
    fn holds_its_secrets(&self, world: &World) {
        let is_env = |path: &Path| path.file_name().is_some_and(|name| name == ".env");
        let own = self
            .tree
            .iter()
            .filter(|(path, entry)| is_env(path) && entry.mode & 0o170_000 == 0o100_000);
        let own = own.map(|(path, _)| world.path("~/work").join(path));
        let other = ["~/.ssh/id_ed25519", "~/.aws/credentials"].map(|secret| world.path(secret));
        let denied = |path: PathBuf| format!("{}: Permission denied", path.display());
        let expected: BTreeSet<String> = own.chain(other).map(denied).collect();
        assert_eq!(self.tries, expected, "uid {}", world.user.uid);
        assert!(!self.to_string().contains(CANARY), "{self}");
        let holds =
            |entry: &Entry| entry.bytes.windows(CANARY.len()).any(|part| part == CANARY.as_bytes());
        let leaks: Vec<_> =
            self.tree.iter().filter(|(path, entry)| !is_env(path) && holds(entry)).collect();
        let leaks: Vec<_> = leaks.into_iter().map(|(path, _)| path).collect();
        assert!(leaks.is_empty(), "the canary is in {leaks:?}");
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "stdout: {}\nstderr: {}", self.stdout, self.stderr)
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Entry { mode, uid, links, bytes } = self;
        let text: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
        write!(f, "mode {mode:o} of {uid}, {links} links, {} bytes {text:?}", bytes.len())
    }
}
