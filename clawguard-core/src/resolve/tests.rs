//! Presets row by row, and what is found from the command being started.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::access::{Access, AccessSet};
use crate::decide::Folding;
use crate::path::AbsPath;
use crate::policy::{Effect, Pattern, Policy, Preset};
use crate::resolve::{Host, Removal, ResolvedPolicy};

fn host(home: &str) -> Host {
    Host {
        home: AbsPath::parse(home).ok(),
        cwd: AbsPath::parse("/srv/project").unwrap(),
        uid: 1000,
        environment: BTreeMap::new(),
        shim: None,
        terminal: None,
        command: None,
        temporary: None,
        folding: Folding::default(),
        procfs: vec![crate::resolve::Procfs::usual()],
    }
}

fn resolve(file_access: &str, host: &Host) -> ResolvedPolicy {
    let text = format!("security: {{file_access: {{{file_access}}}}}");
    Policy::parse(text, "p.yaml").unwrap().resolve(host).unwrap()
}

fn allowed(policy: &ResolvedPolicy, path: &str) -> String {
    let decision = policy.decider().decide(&AbsPath::parse(path).unwrap());
    let set: AccessSet =
        Access::ALL.into_iter().filter(|access| decision.verdict(*access).is_allowed()).collect();
    set.to_string()
}

#[test]
fn every_row_of_every_preset_is_answered() {
    let host = host("/home/nobody-here");
    let mut rows = 0;
    for row in include_str!("../../presets/rows.tsv").lines().filter(|row| !row.starts_with('#')) {
        let fields: Vec<&str> = row.split('\t').collect();
        let [preset, path, expected] = fields[..] else { panic!("{row}") };
        let policy = resolve(&format!("presets: [{preset}]"), &host);
        let path = path
            .replace('~', "/home/nobody-here")
            .replace("$UID", "1000")
            .replace("$PWD", "/srv/project");
        assert_eq!(allowed(&policy, &path), expected.replace('-', ""), "{row}");
        rows += 1;
    }
    assert!(rows > 80);
}

/// The house rule: nothing that runs or is trusted outside later is writable. Who adds a `w` says why it is not.
#[test]
fn every_path_that_a_preset_lets_the_target_write_has_its_reason() {
    let rows = include_str!("../../presets/writable.tsv").lines();
    let rows = rows.filter(|row| !row.starts_with('#'));
    let reasons: BTreeMap<String, &str> = rows
        .filter_map(|row| row.rsplit_once('\t'))
        .map(|(of, why)| (of.to_owned(), why))
        .collect();
    let text = |pattern: &Pattern| String::from_utf8(pattern.text().to_vec()).unwrap();
    let presets = Preset::all().unwrap();
    let writable = presets.iter().flat_map(|preset| {
        let rules = preset
            .rules
            .iter()
            .filter(|rule| rule.effect == Effect::Allowed && rule.access.contains(Access::Write));
        rules.map(|rule| format!("{}\t{}", preset.name, text(&rule.pattern)))
    });
    let writable: BTreeSet<String> = writable.collect();
    assert_eq!(writable, reasons.keys().cloned().collect());
    for (of, why) in reasons {
        let (preset, path) = of.split_once('\t').unwrap();
        let preset = presets.iter().find(|one| one.name == preset).unwrap();
        let values = preset.environment.set.values();
        let is_led_to = values
            .map(|(value, _)| value)
            .any(|value| value.starts_with(path) || path.strip_prefix(value.as_str()).is_some());
        let is_cache = path.starts_with("~/.cache/clawguard/");
        assert_eq!(why.starts_with("own"), is_cache, "{of}");
        assert!(!is_cache || is_led_to, "no variable leads to {path}");
        let is_made = preset.create.iter().any(|(made, _)| path == text(made));
        assert!(!is_cache || is_made, "{path} is not made");
    }
}

#[test]
fn a_preset_goes_through_a_wildcard_block_and_not_through_its_own_name() {
    let host = host("/home/nobody-here");
    let state = "/home/nobody-here/.openclaw/state/db";
    let through = resolve("presets: [openclaw], blocked_paths: ['~/.*', /etc]", &host);
    assert_eq!(allowed(&through, state), "rwx");
    assert_eq!(allowed(&through, "/home/nobody-here/.ssh/id"), "");
    let blocked = resolve("presets: [openclaw], blocked_paths: ['~/.openclaw']", &host);
    assert_eq!(allowed(&blocked, state), "");
}

/// A home directory with node under nvm, as its installer lays it out, and openclaw installed with its npm.
struct Nvm {
    top: tempfile::TempDir,
}

impl Nvm {
    fn new() -> Nvm {
        let nvm = Nvm { top: tempfile::tempdir().unwrap() };
        let prefix = nvm.prefix();
        fs::create_dir_all(prefix.join("bin")).unwrap();
        fs::create_dir_all(prefix.join("lib/node_modules/openclaw")).unwrap();
        executable(&prefix.join("bin/node"), "\x7fELF");
        executable(&prefix.join("lib/node_modules/openclaw/openclaw.mjs"), "#!/usr/bin/env node\n");
        symlink("../lib/node_modules/openclaw/openclaw.mjs", prefix.join("bin/openclaw")).unwrap();
        nvm
    }

    fn home(&self) -> PathBuf {
        fs::canonicalize(self.top.path()).unwrap()
    }

    fn prefix(&self) -> PathBuf {
        self.home().join(".tools/node/v24")
    }

    fn host(&self) -> Host {
        let mut host = host(&self.home().display().to_string()).with_command("openclaw");
        host.environment.insert("PATH".into(), self.prefix().join("bin").into());
        host
    }
}

fn executable(file: &Path, text: &str) {
    fs::write(file, text).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn node_and_the_modules_of_the_command_are_found_behind_a_block_of_hidden_names() {
    let nvm = Nvm::new();
    let policy = resolve("blocked_paths: ['~/.*']", &nvm.host());
    assert!(
        policy.presets().contains(&"openclaw"),
        "selected by the command: {:?}",
        policy.presets()
    );
    let at = |path: &str| allowed(&policy, &nvm.prefix().join(path).display().to_string());
    assert_eq!(at("bin/node"), "rx");
    assert_eq!(at("lib/node_modules/openclaw/dist/index.js"), "rx");
    assert_eq!(at("etc/npmrc"), "");
    assert_eq!(allowed(&policy, &nvm.home().join(".ssh/id").display().to_string()), "");
}

/// A virtual environment outside of the workspace, as `python3 -m venv` and pip lay it out.
#[test]
fn the_virtual_environment_of_the_command_is_found_where_the_target_could_not_have_made_it() {
    let top = tempfile::tempdir().unwrap();
    let home = fs::canonicalize(top.path()).unwrap();
    let environment = home.join("envs/one");
    fs::create_dir_all(environment.join("bin")).unwrap();
    fs::write(environment.join("pyvenv.cfg"), "home = /usr/bin\n").unwrap();
    symlink("/bin/sh", environment.join("bin/python")).unwrap();
    let first = format!("#!{}/bin/python\n", environment.display());
    executable(&environment.join("bin/tool"), &first);
    fs::create_dir(home.join("own")).unwrap();
    executable(&home.join("own/script"), &first);
    symlink(environment.join("bin/tool"), home.join("own/linked")).unwrap();
    let module = environment.join("lib/python3/site-packages/x.py").display().to_string();
    let seen = |command: &str, allow: &str| {
        let host = host(&home.display().to_string()).with_command(home.join(command));
        let allow = format!("presets: [system, python], allowed_paths: [{allow}]");
        allowed(&resolve(&allow, &host), &module)
    };
    for command in ["envs/one/bin/python", "envs/one/bin/tool", "own/script", "own/linked"] {
        assert_eq!(seen(command, ""), "rx", "{command}");
        let made_up = format!("{{ path: '{}', access: w }}", home.display());
        assert_eq!(seen(command, &made_up), "w", "{command}");
    }
    // What the target may write beside it does not make it one, nor is the home directory one.
    assert_eq!(seen("own/script", "{ path: '~/own', access: rw }"), "");
    fs::write(home.join("pyvenv.cfg"), "").unwrap();
    assert_eq!(seen("own/script", ""), "rx");
    fs::create_dir(home.join("bin")).unwrap();
    executable(&home.join("bin/tool"), "");
    assert_eq!(seen("bin/tool", ""), "");
}

#[test]
fn a_command_that_the_target_could_have_written_selects_no_preset_and_finds_nothing() {
    let nvm = Nvm::new();
    let allow = format!("allowed_paths: ['{}'], blocked_paths: ['~/.ssh']", nvm.home().display());
    let policy = resolve(&allow, &nvm.host());
    assert!(!policy.presets().contains(&"openclaw"), "{:?}", policy.presets());
    assert_eq!(policy.command(), None);
}

#[test]
fn presets_that_a_policy_names_are_the_only_ones() {
    let nvm = Nvm::new();
    assert!(resolve("presets: []", &nvm.host()).presets().is_empty());
    assert_eq!(resolve("presets: [claude]", &nvm.host()).presets()[0], "claude");
}

#[test]
fn the_environment_is_expanded_and_the_users_word_comes_last() {
    let mut host = host("/home/nobody-here");
    host.environment.extend([
        ("A_KEY".into(), "1".into()),
        ("B".into(), "2".into()),
        ("A_B".into(), "3".into()),
    ]);
    host.temporary = AbsPath::parse("/tmp/private").ok();
    let text = "security: {file_access: {presets: [openclaw]}, environment: {remove: ['A_*'], keep: [A_B], \
                set: {OPENCLAW_CHILD_OOM_SCORE_ADJ: '7', WHO: '~/x-$UID', PLAIN: 'a~b'}}}";
    let policy = Policy::parse(text, "p.yaml").unwrap().resolve(&host).unwrap();
    let environment = policy.environment();
    let value = |name: &str| {
        let set = environment.set.iter().rev().find(|(own, _)| own == name);
        set.map(|(_, value)| value.to_str().unwrap().to_owned())
    };
    assert_eq!(value("OPENCLAW_CHILD_OOM_SCORE_ADJ").as_deref(), Some("7"));
    assert_eq!(value("SQLITE_TMPDIR").as_deref(), Some("/tmp/private"));
    assert_eq!(value("TMPDIR").as_deref(), Some("/tmp/private"));
    assert_eq!(value("WHO").as_deref(), Some("/home/nobody-here/x-1000"));
    assert_eq!(value("PLAIN").as_deref(), Some("a~b"));
    assert_eq!(environment.remove, [("A_KEY".into(), Removal::Policy)].into());
}

#[test]
fn temporary_files_are_private_shared_or_none() {
    let mut host = host("/home/nobody-here");
    host.temporary = AbsPath::parse("/tmp/private").ok();
    let private = resolve("presets: []", &host);
    assert_eq!(
        (allowed(&private, "/tmp/private/x"), allowed(&private, "/tmp/x")),
        ("rwx".into(), String::new())
    );
    let shared = resolve("presets: [openclaw], temporary: shared", &host);
    assert_eq!(allowed(&shared, "/tmp/x"), "rwx");
    assert!(!shared.environment().set.iter().any(|(name, _)| name == "TMPDIR"));
    let none = resolve("presets: [], temporary: none", &host);
    assert_eq!(allowed(&none, "/tmp/private/x"), "");
}

#[test]
fn unset_variables_are_mistakes_of_the_user_and_gaps_of_a_preset() {
    let text =
        "security: {file_access: {presets: [python], allowed_paths: [$NOPE/x, $ALSO_NOPE/y]}}";
    let error =
        Policy::parse(text, "p.yaml").unwrap().resolve(&host("/home/nobody-here")).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("p.yaml:1:") && text.contains("`$NOPE/x`: the variable `$NOPE` is not set"),
        "{text}"
    );
    assert!(text.contains("ALSO_NOPE"), "all of them: {text}");
}

#[test]
fn both_spellings_of_a_link_are_blocked_and_the_canonical_one_makes_no_exception() {
    let top = tempfile::tempdir().unwrap();
    let top = fs::canonicalize(top.path()).unwrap();
    fs::create_dir_all(top.join("real/inner")).unwrap();
    symlink("real", top.join("link")).unwrap();
    let at = |path: &str| top.join(path).display().to_string();
    let host = host("/home/nobody-here");
    let blocked = resolve(
        &format!("presets: [], allowed_paths: ['{}'], blocked_paths: ['{}']", at(""), at("link")),
        &host,
    );
    assert_eq!(allowed(&blocked, &at("real/x")), "");
    assert_eq!(allowed(&blocked, &at("link")), "", "the link itself cannot be replaced");
    let planted = resolve(
        &format!(
            "presets: [], allowed_paths: ['{}'], blocked_paths: ['{}']",
            at("link/inner"),
            at("real")
        ),
        &host,
    );
    assert_eq!(allowed(&planted, &at("real/inner/x")), "");
}
