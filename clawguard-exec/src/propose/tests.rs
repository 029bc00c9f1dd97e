//! From wanted paths to lines, in a home directory that exists.

#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::path::PathBuf;

use clawguard_core::{JournalPlace, Moved};
use tempfile::TempDir;

use super::*;

struct World {
    _directory: TempDir,
    root: PathBuf,
    host: Host,
}

impl World {
    fn new() -> World {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("home/work")).unwrap();
        let mut host = Host::current().unwrap().with_temporary(None);
        host.home = AbsPath::parse(root.join("home").as_os_str().as_encoded_bytes()).ok();
        host.cwd = AbsPath::parse(root.join("home/work").as_os_str().as_encoded_bytes()).unwrap();
        host.environment.retain(|name, _| name == OsStr::new("PATH"));
        host.uid = 1000;
        World { _directory: directory, root, host }
    }

    fn file(&self, path: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    fn path(&self, path: &str) -> AbsPath {
        let path = if path.starts_with('/') { PathBuf::from(path) } else { self.root.join(path) };
        AbsPath::parse(path.as_os_str().as_encoded_bytes()).unwrap()
    }

    /// `PATH ACCESS CALL[,CALL]`.
    fn wanted(&self, text: &str) -> Wanted {
        let mut words = text.split(' ');
        let path = self.path(words.next().unwrap());
        let access = AccessSet::parse(words.next().unwrap()).unwrap();
        let operations = words.next().unwrap_or("openat").split(',').map(str::to_owned).collect();
        Wanted { path, access, count: 1, operations, commands: [b"make".to_vec()].into() }
    }

    fn present(&self, text: Option<&str>) -> Present {
        let file = self.root.join("policy.yaml");
        let Some(text) = text else {
            return Present::find(&self.host, None, JournalPlace::Nowhere).unwrap();
        };
        std::fs::write(&file, text).unwrap();
        Present::find(&self.host, Some(&file), JournalPlace::Nowhere).unwrap()
    }

    fn propose_at(
        &self,
        policy: Option<&str>,
        wanted: &[&str],
        moves: &[Move],
        level: Level,
    ) -> Proposal {
        let present = self.present(policy);
        let own = present.policy().unwrap();
        let wanted: Vec<Wanted> = wanted.iter().map(|text| self.wanted(text)).collect();
        let evidence = Evidence {
            wanted: &wanted,
            moves,
            host: &self.host,
            present: &present,
            own: &own,
            level,
        };
        propose(evidence).unwrap_or_else(|failure| panic!("{}", failure.error))
    }

    fn propose(&self, wanted: &[&str]) -> Proposal {
        self.propose_at(Some(POLICY), wanted, &[], Level::Directories)
    }
}

const POLICY: &str = "security:\n  file_access:\n    presets: [system]\n    allowed_paths: []\n    blocked_paths: ['**/.env', '~/.*']\n";

fn lines(proposal: &Proposal) -> Vec<String> {
    let line = |line: &Line| format!("{} {}", String::from_utf8_lossy(&line.pattern), line.access);
    proposal.lines.iter().map(line).collect()
}

fn refused(proposal: &Proposal) -> Vec<(String, &'static str)> {
    let name = |one: &Refused| {
        let kind = match &one.reason {
            Reason::Secret(_) => "secret",
            Reason::Blocked(_) => "blocked",
            Reason::TooWide(_) => "wide",
        };
        (
            one.wanted
                .path
                .as_path()
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            kind,
        )
    };
    proposal.refused.iter().map(name).collect()
}

#[test]
fn few_paths_stay_by_themselves_and_many_become_their_directory() {
    let world = World::new();
    for name in ["a", "b", "c", "d"] {
        world.file(&format!("home/work/src/{name}"));
    }
    let few = world.propose(&["home/work/src/a r", "home/work/src/b r"]);
    assert_eq!(lines(&few), ["$PWD/src/a r", "$PWD/src/b r"]);
    let all = ["home/work/src/a r", "home/work/src/b r", "home/work/src/c r", "home/work/src/d r"];
    assert_eq!(lines(&world.propose(&all)), ["$PWD/src r"]);
    let files = world.propose_at(Some(POLICY), &all, &[], Level::Files);
    assert_eq!(files.lines.len(), 4);
    let trees = world.propose_at(Some(POLICY), &all[..1], &[], Level::Trees);
    assert_eq!(lines(&trees), ["$PWD r"]);
}

#[test]
fn what_is_made_under_a_name_made_up_anew_is_allowed_in_its_directory() {
    let world = World::new();
    world.file("home/work/out/report");
    let proposal = world.propose(&[
        "home/work/out/tmp.aB3dE5fG7h rw openat,unlink",
        "home/work/out/report w openat",
    ]);
    assert_eq!(lines(&proposal), ["$PWD/out rw"]);
    let home = world.propose(&["home/state.48213.tmp rw openat"]);
    assert_eq!(lines(&home), ["~/state.*.tmp rw"]);
    let shared = world.propose(&["/tmp/48213 rw openat"]);
    assert_eq!((lines(&shared), refused(&shared).len()), (vec![], 1));
}

#[test]
fn a_file_of_a_process_is_allowed_for_any_number() {
    let world = World::new();
    let proposal = world.propose(&["/proc/48213/oom_score w", "/proc/48214/oom_score w"]);
    assert_eq!(lines(&proposal), ["/proc/[1-9]*/oom_score w"]);
}

#[test]
fn a_directory_that_is_removed_again_is_not_named() {
    let world = World::new();
    std::fs::create_dir_all(world.root.join("home/work/out")).unwrap();
    let proposal = world
        .propose(&["home/work/out/build w mkdir,rmdir", "home/work/out/build/x rw openat,unlink"]);
    assert_eq!(lines(&proposal), ["$PWD/out rw"]);
    let kept = world.propose(&["home/work/out w mkdir", "home/work/out/a w openat"]);
    assert_eq!(lines(&kept), ["$PWD/out/** w"]);
    let home = world.propose(&["home/build w mkdir,rmdir", "home/build/x rw openat,unlink"]);
    assert_eq!(lines(&home), ["~/build/** rw"]);
}

#[test]
fn a_program_that_was_made_is_run_in_a_directory_that_is_made_before() {
    let world = World::new();
    world.file("home/work/target/run");
    let proposal =
        world.propose(&["home/work/target w mkdir", "home/work/target/run rwx openat,execve"]);
    assert_eq!(lines(&proposal), ["$PWD/target/ rwx"]);
}

#[test]
fn both_ends_of_a_move_are_allowed_alike() {
    let world = World::new();
    world.file("home/work/a/new");
    world.file("home/work/b/old");
    let one = Move {
        from: world.path("home/work/a/new"),
        to: world.path("home/work/b/old"),
        what: Moved::File,
    };
    let wanted = ["home/work/a/new w rename", "home/work/b/old rw openat,rename"];
    let proposal =
        world.propose_at(Some(POLICY), &wanted, std::slice::from_ref(&one), Level::Directories);
    assert_eq!(lines(&proposal), ["$PWD/a/new rw", "$PWD/b/old rw"]);
    let one = Move {
        from: world.path("home/work/a"),
        to: world.path("home/work/c"),
        what: Moved::Directory,
    };
    let wanted = ["home/work/a w rename", "home/work/c w rename", "home/work/c/new rw openat"];
    let proposal =
        world.propose_at(Some(POLICY), &wanted, std::slice::from_ref(&one), Level::Directories);
    assert_eq!((lines(&proposal), proposal.moves), (vec!["$PWD rw".to_owned()], vec![]));
}

#[test]
fn no_line_is_wider_than_its_limit() {
    let world = World::new();
    for name in ["a", "b", "c", "d", "e"] {
        world.file(&format!("home/{name}/f"));
    }
    let wanted: Vec<String> =
        ["a", "b", "c", "d", "e"].map(|name| format!("home/{name}/f rw")).to_vec();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    for level in [Level::Files, Level::Directories, Level::Trees] {
        let proposal = world.propose_at(Some(POLICY), &wanted, &[], level);
        assert_eq!(proposal.lines.len(), 5, "{level:?}: {:?}", lines(&proposal));
    }
    let listed = world.propose(&["home r", "/ r", "/tmp r"]);
    assert_eq!((lines(&listed), refused(&listed).len()), (vec![], 3));
}

#[test]
fn a_secret_is_never_proposed_and_no_directory_stands_for_one() {
    let world = World::new();
    for name in ["a", "b", "c", "d", ".credentials.json"] {
        world.file(&format!("home/.claude/{name}"));
    }
    let open = "security:\n  file_access:\n    presets: [system]\n";
    let wanted = [
        "home/.claude/a r",
        "home/.claude/b r",
        "home/.claude/c r",
        "home/.claude/d r",
        "home/.claude/.credentials.json r",
        "home/.ssh/id_ed25519 r",
        "home/.bashrc w",
    ];
    for level in [Level::Directories, Level::Trees] {
        let proposal = world.propose_at(Some(open), &wanted, &[], level);
        let each = ["a", "b", "c", "d"].map(|name| format!("~/.claude/{name} r"));
        assert_eq!(lines(&proposal), each);
        let secret = |name: &str| (name.to_owned(), "secret");
        let refused = refused(&proposal);
        assert_eq!(refused, [".credentials.json", "id_ed25519", ".bashrc"].map(secret));
    }
}

#[test]
fn no_directory_stands_for_a_file_of_passwords_that_nothing_blocks() {
    let world = World::new();
    world.file("home/work/deep/.env");
    let names = ["a", "b", "c", "d"].map(|name| format!("home/work/{name} rw"));
    let mut wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    wanted.push("home/work/deep/.env r");
    let open = "security:\n  file_access:\n    presets: [system]\n";
    let proposal = world.propose_at(Some(open), &wanted, &[], Level::Directories);
    assert_eq!(proposal.lines.len(), 4, "{:?}", lines(&proposal));
    assert_eq!(refused(&proposal), [(".env".to_owned(), "secret")]);
    let blocked = world.propose(&wanted);
    assert_eq!(lines(&blocked), ["$PWD rw"]);
    assert_eq!(refused(&blocked), [(".env".to_owned(), "blocked")]);
}

#[test]
fn what_a_block_names_stays_blocked_with_its_line() {
    let world = World::new();
    let proposal = world.propose(&["home/work/.env r", "home/.config/x rw", "home/work/a rw"]);
    assert_eq!(lines(&proposal), ["$PWD/a rw"]);
    assert_eq!(refused(&proposal), [(".env".to_owned(), "blocked"), ("x".to_owned(), "blocked")]);
    let Reason::Blocked(line) = &proposal.refused[0].reason else { panic!("not blocked") };
    assert!(line.contains("`**/.env`") && line.contains("policy.yaml:5"), "{line}");
}

#[test]
fn a_preset_takes_the_place_of_lines_that_it_says() {
    let world = World::new();
    for name in ["~/.gitconfig", "~/.gitignore"] {
        world.file(&name.replace('~', "home"));
    }
    let present = "security:\n  file_access:\n    presets: [system]\n";
    let mut wanted = vec![world.wanted("home/.gitconfig r"), world.wanted("home/.gitignore r")];
    wanted.iter_mut().for_each(|one| one.commands = [b"git".to_vec()].into());
    let present = world.present(Some(present));
    let own = present.policy().unwrap();
    let evidence = Evidence {
        wanted: &wanted,
        moves: &[],
        host: &world.host,
        present: &present,
        own: &own,
        level: Level::Directories,
    };
    let proposal = propose(evidence).unwrap_or_else(|failure| panic!("{}", failure.error));
    assert_eq!((lines(&proposal), proposal.presets), (vec![], vec!["git"]));
}

#[test]
fn without_a_policy_a_whole_new_file_is_proposed_that_blocks_what_the_default_does() {
    let world = World::new();
    let proposal =
        world.propose_at(None, &["home/work/a rw", "home/work/.env r"], &[], Level::Directories);
    assert_eq!(lines(&proposal), ["$PWD/a rw"]);
    let Some(Edited::File { text, diff }) = &proposal.edited else { panic!("no file") };
    assert!(diff.contains("clawguard/policy.yaml\n"), "{diff}");
    assert!(diff.starts_with("--- /dev/null\n"), "{diff}");
    for part in ["\"~/.*\"", "**/.env", "path: \"$PWD/a\", access: rw }  # make: once"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn nothing_is_proposed_where_nothing_is_missing() {
    let world = World::new();
    let proposal = world.propose(&["/usr/bin/env rx execve"]);
    assert!(proposal.edited.is_none() && proposal.lines.is_empty() && proposal.refused.is_empty());
}
