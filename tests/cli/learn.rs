//! `learn`: what is proposed after real programs have run, and that they run under it without a denial.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use crate::support::{Ran, User, World, for_every_user};

/// The built-in default blocks `~/.*`, and nothing of a test's home begins with a dot but what it is about.
fn learn(world: &World, options: &[&str], script: &str) -> Ran {
    let output = world.text("{root}/proposed.yaml");
    world
        .shim_with(["learn", "--output", &output])
        .args(options.iter().map(|option| world.text(option)))
        .command(["sh", "-c", &world.text(script)])
}

fn proposed(world: &World) -> String {
    world.read("{root}/proposed.yaml")
}

/// The lines of `allowed_paths`, without comments.
fn lines(world: &World) -> Vec<String> {
    let text = proposed(world);
    let entries =
        text.split("allowed_paths:").nth(1).unwrap().split("blocked_paths:").next().unwrap();
    let line = |line: &str| line.trim().split("  #").next().unwrap().to_owned();
    entries.lines().map(line).filter(|line| line.starts_with("- ")).collect()
}

/// Again, under what was proposed, in a world as it was before the lesson.
fn again(world: &World, script: &str) -> Ran {
    world.shim_with(["--policy", &world.text("{root}/proposed.yaml")]).command([
        "sh",
        "-c",
        &world.text(script),
    ])
}

/// Learns in one world and runs in another of the same shape.
#[track_caller]
fn a_second_run_has_no_denials(prepare: impl Fn(&World), script: &str, most: usize) {
    for user in User::all() {
        let first = World::new(user);
        open(&first);
        prepare(&first);
        let learned = learn(&first, &[], script).works();
        let found = lines(&first);
        assert!(found.len() <= most, "{} lines as {user:?}: {found:#?}\n{learned:#?}", found.len());
        let second = World::new(user);
        open(&second);
        prepare(&second);
        second.write("{root}/proposed.yaml", proposed(&first));
        let ran = again(&second, script).works();
        assert!(!ran.stderr.contains("denial"), "{}\n{ran:#?}", proposed(&first));
        // And once more, where the first run's files are: removing and replacing is part of a life.
        let ran = again(&first, script);
        assert!(!ran.stderr.contains("denial"), "{}\n{ran:#?}", proposed(&first));
    }
}

/// The world's root is the user's, so that `--output` can be written beside the home directory.
fn open(world: &World) {
    world.give(world.root());
}

#[test]
fn what_a_shell_script_did_is_allowed_in_few_lines() {
    let script = "mkdir -p out/deep; for i in 1 2 3 4 5; do echo $i > out/deep/$i; done; cat out/deep/*; echo x > one; rm one";
    a_second_run_has_no_denials(|_| (), script, 2);
}

#[test]
fn names_that_are_made_up_anew_are_allowed_again() {
    let script = "f=$(mktemp ./data.XXXXXX); echo x > $f; mv $f data; d=$(mktemp -d ~/work.XXXXXX); echo x > $d/a; \
                  mv $d ~/kept.$$; rm -r ~/kept.$$";
    a_second_run_has_no_denials(|_| (), script, 4);
}

#[test]
fn a_directory_that_is_made_and_renamed_can_be_made_and_renamed_again() {
    let script =
        "rm -rf final; mkdir part; echo x > part/a; mkdir part/sub; mv part final; cat final/a";
    a_second_run_has_no_denials(|_| (), script, 3);
}

#[test]
fn a_program_that_was_just_made_can_be_run_again() {
    let script = "mkdir -p build; printf '#!/bin/sh\\necho ran\\n' > build/tool; chmod +x build/tool; ./build/tool";
    a_second_run_has_no_denials(|_| (), script, 1);
}

#[test]
fn sockets_links_modes_times_and_attributes_are_learned() {
    let script = "rm -f sock link; python3 -c '
import os, socket
s = socket.socket(socket.AF_UNIX); s.bind(\"sock\"); s.listen()
c = socket.socket(socket.AF_UNIX); c.connect(\"sock\")
os.symlink(\"note\", \"link\"); open(\"link\").read()
os.chmod(\"note\", 0o600); os.utime(\"note\")
os.setxattr(\"note\", \"user.a\", b\"1\"); os.getxattr(\"note\", \"user.a\"); os.removexattr(\"note\", \"user.a\")
os.link(\"note\", \"second\"); os.unlink(\"second\")
'";
    a_second_run_has_no_denials(|_| (), script, 2);
}

#[test]
fn a_database_with_its_journal_is_learned() {
    let script = "python3 -c '
import sqlite3
d = sqlite3.connect(\"data.db\"); d.execute(\"create table if not exists t(a)\"); d.execute(\"insert into t values(1)\"); d.commit()
d.execute(\"pragma journal_mode=wal\"); d.execute(\"insert into t values(2)\"); d.commit()
'";
    a_second_run_has_no_denials(|_| (), script, 4);
}

#[test]
fn git_can_begin_clone_and_commit_again() {
    let script = "rm -rf a b; git init -q a; cd a; git config user.email a@b; git config user.name a; echo x > f; \
                  git add f; git commit -qm one; cd ..; git clone -q a b; cd b; git log --oneline > /dev/null; git status -s";
    a_second_run_has_no_denials(|_| (), script, 1);
}

#[test]
fn make_builds_and_runs_again() {
    let prepare = |world: &World| {
        world.write("~/work/Makefile", "all: t\nt: t.c\n\tcc -o t t.c\n");
        world.write("~/work/t.c", "int main(void) { return 0; }\n");
    };
    a_second_run_has_no_denials(prepare, "rm -f t; make -s && ./t", 2);
}

#[test]
fn a_virtual_environment_of_python_is_made_again() {
    let script = "rm -rf v; python3 -m venv --without-pip v; v/bin/python -c 'import json'";
    a_second_run_has_no_denials(|_| (), script, 2);
}

#[test]
fn node_installs_a_local_package_again() {
    let prepare = |world: &World| {
        let package = "{\"name\":\"local-one\",\"version\":\"1.0.0\",\"bin\":\"cli.js\"}";
        world.write("~/work/one/package.json", package);
        world.write("~/work/one/cli.js", "#!/usr/bin/env node\nconsole.log(1)\n");
        world.write("~/work/package.json", "{\"name\":\"all\",\"version\":\"1.0.0\"}");
    };
    let script = "npm install --offline --no-audit --no-fund --no-update-notifier ./one >/dev/null && \
                  node -e 'require(\"fs\").writeFileSync(\"done\", \"1\")'";
    a_second_run_has_no_denials(prepare, script, 3);
}

#[test]
fn the_command_is_told_of_and_ends_as_it_ends() {
    let world = World::mine();
    let ran = world.shim_with(["-q", "learn"]).command(["sh", "-c", "echo out; exit 7"]).ends(7);
    assert!(ran.stdout.starts_with("out\n"), "{ran:#?}");
    ran.says([
        "learning: `sh` is NOT confined as usual",
        "still closed",
        "the command ended with 7",
    ]);
    let ran = world.shim_with(["learn"]).command(["sh", "-c", "kill -TERM $$"]);
    assert_eq!(ran.signal(), 15);
    world.shim_with(["learn"]).command(["no-such-command"]).ends(127);
    let ran = world.shim_with(["--mode", "kernel", "learn"]).command(["true"]).ends(125);
    ran.says(["learning needs the supervisor"]);
}

#[test]
fn what_a_block_names_is_denied_while_learning_and_listed_with_its_line() {
    for_every_user(|world| {
        world.write("~/work/secret/key", "s3cret\n");
        world.policy("allowed_paths: []\nblocked_paths:\n  - '~/work/secret'");
        let ran = world.shim_with(["--policy", &world.text("~/policy.yaml"), "learn"]).command([
            "sh",
            "-c",
            "cat secret/key; cat note > copy",
        ]);
        assert!(!ran.stdout.contains("s3cret") && ran.stdout.contains("+      - "), "{ran:#?}");
        assert!(!ran.stdout.contains("secret/key"), "{ran:#?}");
        ran.says([
            "left blocked: r ",
            "work/secret/key by blocked rwx `~/work/secret`",
            "policy.yaml:6)",
        ]);
    });
}

#[test]
fn a_secret_is_closed_while_learning_and_never_proposed() {
    for_every_user(|world| {
        world.write("~/.ssh/id_ed25519", "s3cret\n");
        world.write("~/.bashrc", "# mine\n");
        world.write("~/work/.env", "KEY=s3cret\n");
        world.policy("allowed_paths: []");
        let ran = world
            .shim_with(["--policy", &world.text("~/policy.yaml"), "learn", "--level", "trees"])
            .command(["sh", "-c", "cat ~/.ssh/id_ed25519 .env; echo evil >> ~/.bashrc; cat note"]);
        assert!(!ran.stdout.contains("s3cret"), "{ran:#?}");
        assert_eq!(world.read("~/.bashrc"), "# mine\n");
        for name in [".ssh", ".bashrc", ".env"] {
            assert!(!ran.stdout.contains(name), "{name}: {ran:#?}");
        }
        ran.prints(["note"]).says(["a secret, left closed: r ", "id_ed25519", "if you mean it, write into allowed_paths: - { path: \"~/.ssh/id_ed25519\", access: r }", "work/.env"]);
    });
}

#[test]
fn allow_goes_through_a_block_with_a_wildcard_for_one_lesson() {
    let world = World::mine();
    let script = "mkdir -p ~/.tool; echo x > ~/.tool/state; cat ~/.tool/state";
    let ran = learn(&world, &[], script);
    ran.says([
        "left blocked: ",
        ".tool by blocked rwx `~/.*` (built-in default)",
        "to learn them too, repeat with: --allow ",
    ]);
    learn(&world, &["--allow", "~/.tool"], script).works();
    assert!(proposed(&world).contains("- { path: \"~/.tool"), "{}", proposed(&world));
    let ran = again(&world, script).works();
    assert!(!ran.stderr.contains("denial"), "{ran:#?}");
}

#[test]
fn apply_puts_the_lines_into_the_file_and_keeps_what_is_written_there() {
    for_every_user(|world| {
        let before = "# mine\nsecurity:\n  file_access:\n    presets: [system]\n    allowed_paths:\n      - \"~/other\"  # kept\n    blocked_paths: []\nelse: 1\n";
        world.write("~/policy.yaml", before);
        let run = |options: &[&str]| {
            let ran = world.shim_with(["--policy", &world.text("~/policy.yaml"), "learn"]);
            ran.args(options).command(["sh", "-c", "cat note"]).works()
        };
        let shown =
            run(&[]).prints(["--- ", "+      - { path: \"$PWD/note\", access: r }  # cat: "]);
        assert_eq!(world.read("~/policy.yaml"), before);
        let applied = run(&["--apply"]).says(["written: "]);
        assert_eq!(shown.stdout, applied.stdout);
        let after = world.read("~/policy.yaml");
        let added: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
        assert_eq!(added.len(), 1, "{after}");
        assert!(before.lines().all(|line| after.lines().any(|new| new == line)), "{after}");
        run(&["--apply"]).says(["nothing to add"]);
        assert_eq!(world.read("~/policy.yaml"), after);
    });
}

#[test]
fn nothing_is_written_where_the_command_planted_a_link() {
    let world = World::mine();
    world.write("~/victim", "old\n");
    let output = world.text("~/work/out/p.yaml");
    world.mkdir("~/work/out");
    world.mkdir("~/elsewhere");
    let script = world.text("rm -r out; ln -s {home}/elsewhere out; cat note");
    world
        .shim_with(["learn", "--output", &output])
        .command(["sh", "-c", &script])
        .ends(125)
        .says(["cannot write"]);
    assert!(!world.has("~/elsewhere/p.yaml"));
    world.remove("~/elsewhere");
    let script = world.text("ln -s {home}/victim last.yaml; cat note");
    let output = world.text("~/work/last.yaml");
    world.shim_with(["learn", "--output", &output]).command(["sh", "-c", &script]).works();
    assert_eq!(world.read("~/victim"), "old\n");
    assert!(fs::symlink_metadata(world.path("~/work/last.yaml")).unwrap().is_file());
}

#[test]
fn json_says_all_of_it() {
    let world = World::mine();
    world.write("~/.ssh/key", "s3cret\n");
    world.policy("allowed_paths: []");
    let output = world.text("{root}/proposed.yaml");
    let ran = world
        .shim_with(["--policy", &world.text("~/policy.yaml"), "learn", "--json", "--output", &output])
        .command(["sh", "-c", "cat note ~/.ssh/key ~/work/$(printf 'a\\377') >/dev/null 2>&1; echo x > $(printf 'b\\377'); exit 3"])
        .ends(3);
    let answer = ran.json();
    assert_eq!(answer["exit_code"], 3);
    assert_eq!(answer["level"], "directories");
    assert_eq!(answer["refused"][0]["reason"], "secret");
    let lines = answer["lines"].as_array().unwrap();
    assert!(
        lines.iter().any(|line| line["pattern"] == "$PWD/note" && line["access"] == "r"),
        "{answer:#}"
    );
    assert!(lines.iter().any(|line| line["pattern_base64"].is_string()), "{answer:#}");
    assert_eq!(answer["text"].as_str().unwrap(), proposed(&world));
}

/// As a terminal does it: the signal goes to everybody in the process group.
#[test]
fn an_interrupted_command_is_learned_too() {
    let world = World::mine();
    let shim = world.shim_with(["learn", "--", "sh", "-c", "echo x > got; exec sleep 60"]);
    let child = shim.started_by(&["setsid"]).start();
    while !world.has("~/work/got") {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let group = format!("-{}", child.id());
    assert!(Command::new("kill").args(["-INT", "--", &group]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(2), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("+      - { path: \"$PWD/got\", access: w }  # sh: once"), "{stdout}");
}

#[test]
fn without_a_policy_apply_writes_the_file_that_the_next_start_finds() {
    for_every_user(|world| {
        let run = || world.shim_with(["learn", "--apply"]).command(["sh", "-c", "cat note > copy"]);
        run()
            .works()
            .prints(["--- /dev/null"])
            .says(["written: ", ".config/clawguard/policy.yaml"]);
        let ran =
            world.shim_with([""; 0]).command(["sh", "-c", "cat note > copy; cat copy"]).ends(1);
        ran.says(["policy.yaml", "Permission denied"]);
        let ran = world.shim_with([""; 0]).command(["sh", "-c", "cat note > copy"]).works();
        assert!(!ran.stderr.contains("denial"), "{ran:#?}");
        run().works().says(["nothing to add"]);
    });
}

#[test]
fn a_directory_is_not_joined_beyond_the_level_that_was_asked_for() {
    let world = World::mine();
    let script = "for i in 1 2 3 4 5; do echo x > a/f$i; done";
    for (level, expected) in [("files", 5), ("directories", 1), ("trees", 1)] {
        open(&world);
        world.mkdir("~/work/a");
        learn(&world, &["--level", level], script).works();
        assert_eq!(lines(&world).len(), expected, "{level}: {:#?}", lines(&world));
        assert!(!lines(&world).iter().any(|line| line.contains("\"~\"")), "{level}");
        world.remove("~/work/a");
    }
}

/// An agent without a preset keeps its things in a hidden directory: one lesson names it, the next one learns it whole.
#[test]
fn a_directory_inside_a_block_is_learned_at_once() {
    for_every_user(|world| {
        open(&world);
        for file in ["~/.tool/a", "~/.tool/b", "~/.tool/deep/c", "~/.config/tool/d"] {
            world.write(file, "x");
        }
        let script = "for f in .tool/a .tool/b .tool/deep/c .config/tool/d; do cat {home}/$f || exit 1; done; \
                      echo y > {home}/.tool/new";
        let ran = learn(&world, &[], script).ends(1);
        ran.says([world.text("to learn them too, repeat with: --allow {home}/.tool")]);
        let ran = learn(&world, &["--allow", "{home}/.tool"], script).ends(1);
        ran.says([world.text("repeat with: --allow {home}/.config/tool")]);
        let options = ["--allow", "{home}/.tool", "--allow", "{home}/.config/tool"];
        learn(&world, &options, script).works();
        let lines = lines(&world);
        assert!(lines.contains(&"- { path: \"~/.tool\", access: rw }".to_owned()), "{lines:#?}");
        assert_eq!(lines.iter().filter(|line| line.contains("tool")).count(), 2, "{lines:#?}");
        // A file that was not there during the lesson.
        world.write("~/.tool/later", "x");
        let ran = again(&world, &format!("{script}; cat {{home}}/.tool/later")).works();
        assert!(!ran.stderr.contains("denial"), "{ran:#?}");
    });
}
