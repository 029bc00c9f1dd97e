//! What comes with the program: `--version`, manual pages and completions, all from its own command line.

use std::process::{Command, Stdio};

use crate::support::{User, World, for_every_user};

const SHELLS: [&str; 4] = ["bash", "zsh", "fish", "elvish"];

/// The tasks, as `--help` lists them.
fn tasks(world: &World) -> Vec<String> {
    let help = world.shim_with(["-h"]).run().works().stdout;
    let list = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.map(|line| line.split_whitespace().next().unwrap().to_owned());
    let names: Vec<String> = names.filter(|name| name != "help").collect();
    assert!(names.contains(&"check".to_owned()) && names.contains(&"presets".to_owned()));
    names
}

#[test]
fn the_short_version_is_a_line_and_the_long_one_tells_of_the_kernel() {
    for_every_user(|world| {
        let short = format!("clawguard-exec {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(world.shim_with(["-V"]).run().works().stdout, short);
        let long = world.shim_with(["--version"]).run().works();
        assert!(long.stdout.starts_with(&short) && long.stderr.is_empty(), "{long:#?}");
        long.prints([
            "Landlock:           ABI ",
            "User notification:",
            "ptrace_scope:",
            "Mode kernel:",
        ]);
    });
}

#[test]
fn a_program_reads_the_version_as_one_object() {
    for_every_user(|world| {
        let json = world.shim_with(["--version", "--json"]).run().works().json();
        assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
        assert!(json["landlock_abi"].as_u64().unwrap() >= 1, "{json:#}");
        assert_eq!((&json["mode_kernel"], &json["is_confined"]), (&true.into(), &false.into()));
        assert!(json["missing"].is_array() && json["kernel"].is_string(), "{json:#}");
    });
}

#[test]
fn on_a_terminal_the_page_is_one_to_read() {
    let world = World::mine();
    let ran =
        world.shim_with(["man"]).env("PAGER", "cat").env("MANPAGER", "cat").in_terminal().run();
    for macros in [".TH ", ".SH ", "\\fB"] {
        assert!(!ran.stdout.contains(macros), "{ran:#?}");
    }
    assert!(ran.stdout.contains("audit") && ran.stdout.contains("policy"), "{ran:#?}");
    // Without man(1) too.
    let line = format!("/usr/bin/env PATH=/nonexistent {} man", world.shim().display());
    let ran = Command::new("script").args(["-qec", &line, "/dev/null"]).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(text.contains("Usage:") && !text.contains(".TH "), "{ran:#?}");
}

#[test]
fn the_version_never_fails() {
    let world = World::new(User::ordinary());
    world.shim_with(["--version"]).after("exec >&-").run().works();
    world.shim_with(["--version"]).after("exec >/dev/full").run().works();
    world.policy(
        "allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]"
            .replace("{root}", world.root().to_str().unwrap())
            .as_str(),
    );
    let shim = world.shim().to_str().unwrap().to_owned();
    let ran = world.confined().command([shim.as_str(), "--version"]);
    ran.works().prints(["confined by clawguard already"]);
}

#[test]
fn every_task_has_a_manual_page_that_groff_has_nothing_to_say_against() {
    let world = World::mine();
    world.shim_with(["man", &world.text("~/pages/man1")]).run().works();
    let mut names = vec!["clawguard-exec".to_owned()];
    names.extend(tasks(&world).iter().map(|task| format!("clawguard-exec-{task}")));
    names.sort();
    let pages: Vec<_> =
        names.iter().map(|name| world.path(&format!("~/pages/man1/{name}.1"))).collect();
    let mut expected = pages.clone();
    expected.sort();
    assert_eq!(world.tree("~/pages/man1"), expected);
    for (name, page) in names.iter().zip(&pages) {
        let groff = Command::new("groff")
            .args(["-man", "-ww", "-Tutf8", "-P-cbou"])
            .arg(page)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&groff.stderr);
        assert!(groff.status.success() && told.is_empty(), "{name}: {told}");
        let text = String::from_utf8_lossy(&groff.stdout).into_owned();
        for section in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "SEE ALSO"] {
            assert!(text.lines().any(|line| line == section), "{name} has no {section}: {text}");
        }
    }
    let main = world.read("~/pages/man1/clawguard-exec.1");
    for section in ["EXAMPLES", "EXIT STATUS", "FILES", "ENVIRONMENT"] {
        assert!(main.contains(section), "{section}: {main}");
    }
    let printed = world.shim_with(["man"]).run().works();
    assert_eq!(printed.stdout, main);
}

#[test]
fn completions_know_every_task_and_its_options() {
    let world = World::mine();
    for shell in SHELLS {
        let script = world.shim_with(["completions", shell]).run().works().stdout;
        for word in tasks(&world).iter().map(String::as_str).chain(["probe", "keep-fd"]) {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
    world.shim_with(["completions", "tcsh"]).run().ends(125);
}

#[test]
fn bash_completes_tasks_options_and_values() {
    let world = World::mine();
    let script = world.shim_with(["completions", "bash"]).run().works().stdout;
    world.write("~/completions", script);
    let complete = |words: &[&str]| {
        let words = words.join(" ");
        let text = format!(
            "set -e; . ~/completions; COMP_WORDS=(clawguard-exec {words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             last=$COMP_CWORD; by=$(complete -p clawguard-exec | grep -o -- '-F [^ ]*'); \
             ${{by#-F }} clawguard-exec \"${{COMP_WORDS[last]}}\" \"${{COMP_WORDS[last - 1]}}\"; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let home = world.home();
        let ran = Command::new("bash").args(["-c", &text]).env("HOME", home).output().unwrap();
        assert!(ran.status.success(), "{ran:#?}");
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(complete(&["che"]), "check");
    assert_eq!(complete(&["check", "--pro"]), "--probe");
    assert_eq!(complete(&["--mode", "sup"]), "supervised");
    // Behind `--`: commands, then files.
    world.write("~/work/notes.txt", "");
    assert!(complete(&["--", "tru"]).split(' ').any(|word| word == "true"));
    assert!(complete(&["--", "cat", &world.text("{home}/work/not")]).ends_with("/notes.txt"));
    assert!(complete(&["learn", "--", "tru"]).contains("true"));
    assert!(!complete(&["--", "check"]).contains("--probe"));
}
