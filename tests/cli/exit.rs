//! Exit codes: the command's own, 125 for ours, 126 and 127 as shells have them.

use crate::support::World;

fn world() -> World {
    let world = World::mine();
    world.policy("allowed_paths: ['~/work']");
    world
}

#[test]
fn the_commands_output_and_exit_code_are_its_own() {
    let world = world();
    let ran = world.sh("echo out; echo err >&2; exit 42").ends(42);
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("out\n", "err\n"));
}

#[test]
fn a_command_that_is_not_there_is_127() {
    let world = world();
    world
        .confined()
        .command(["clawtest-no-such-command"])
        .ends(127)
        .says(["clawguard: ", "`clawtest-no-such-command`"]);
    world.confined().command(["./none"]).ends(127).says(["`./none`"]);
    world.confined().command([""]).ends(127);
    world.confined().command(["true"]).works();
}

#[test]
fn a_command_that_is_no_program_is_126() {
    let world = world();
    world.confined().command(["./note"]).ends(126).says(["`./note`"]);
    world.confined().command(["./"]).ends(126);
    // Found, but its interpreter is not: 127, as in dash and in bash.
    world.script("~/work/lost", "#!/no/such/interpreter\n");
    let ran = world.confined().command(["./lost"]).ends(127);
    ran.says(["/work/lost` is there, and the interpreter", "`/no/such/interpreter`"]);
}

#[test]
fn a_command_that_the_policy_denies_is_126_and_the_rule_is_named() {
    let world = world();
    world.policy("allowed_paths: ['~/work']\nblocked_paths: [{ path: '/usr/bin/id', access: x }]");
    let ran = world.confined().args(["--mode", "kernel"]).command(["id"]).ends(126);
    ran.says(["/usr/bin/id", "policy.yaml:5"]);
    world.install("/usr/bin/true", "~/.tools/true");
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/.tools/true']");
    world.confined().command([world.text("~/.tools/true")]).ends(126).says(["policy.yaml:5"]);
}

#[test]
fn a_command_that_nothing_allows_is_126_and_the_way_out_works() {
    let world = world();
    world.install("/usr/bin/true", "~/tools/true");
    world.write("~/policy.yaml", "security: { file_access: { presets: [], allowed_paths: [{ path: /usr, access: rx }, { path: /lib64, access: rx }, { path: /lib, access: rx }, { path: /etc/ld.so.cache, access: r }] } }");
    let directory = world.text("~/tools");
    let command = [world.text("~/tools/true")];
    let ran = world.confined().command(&command).ends(126);
    ran.says(["nothing allows it", &format!("--allow {directory}:rx")]);
    world.confined().args(["--allow", &format!("{directory}:rx")]).command(&command).works();
}

/// The preset `system` allows exactly the file that was asked for: only a block of that very file is stronger.
#[test]
fn a_command_that_is_named_runs_wherever_it_lives() {
    let world = world();
    world.install("/usr/bin/true", "~/.tools/true");
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/.*']");
    world.confined().command([world.text("~/.tools/true")]).works();
}

#[test]
fn mistakes_of_usage_are_125() {
    let world = world();
    world.shim_with([""; 0]).run().ends(125).says(["no command"]);
    for arguments in [
        &["--no-such-option"][..],
        &["--mode", "none", "--", "true"],
        &["--keep-fd", "-1", "--", "true"],
        &["--keep-fd", "x", "--", "true"],
        &["--policy"],
        &["true"],
        &["check"],
        &["check", "--access", "rq", "/"],
        &["check", "--access", "", "/"],
        &["check", ""],
        &["presets", "no-such-preset"],
    ] {
        let ran = world.shim_with(arguments).run().ends(125);
        assert!(ran.stdout.is_empty() && !ran.stderr.is_empty(), "{arguments:?}: {ran:#?}");
    }
}

#[test]
fn a_command_without_its_dashes_and_a_task_misspelt_get_one_line_that_works() {
    let world = world();
    let says = |words: &[&str]| world.shim_with(words).run().ends(125).stderr;
    assert_eq!(
        says(&["ls", "-l", "a b"]),
        "clawguard: put `--` before the command: clawguard-exec -- ls -l 'a b'\n"
    );
    assert_eq!(
        says(&["--mode", "auto", "openclaw", "gateway", "run"]),
        "clawguard: put `--` before the command: clawguard-exec --mode auto -- openclaw gateway run\n"
    );
    let text = says(&["lgo"]);
    assert!(text.contains("did you mean `log`?") && text.lines().count() == 2, "{text}");
    for words in [&["--polcy", "x"][..], &["check", "--acess", "r"], &["log", "--sesion", "x"]] {
        let text = says(words);
        assert!(text.contains("a similar argument exists") && text.lines().count() < 4, "{text}");
        assert!(text.ends_with(" --help\n"), "{text}");
    }
}

#[test]
fn help_fits_a_terminal_of_80_columns_and_is_wrapped_once() {
    let world = world();
    let tasks = [
        "audit",
        "check",
        "completions",
        "init",
        "learn",
        "log",
        "man",
        "plan",
        "presets",
        "ps",
        "stop",
    ];
    for task in tasks.iter().map(|task| vec![*task]).chain([vec![]]) {
        for help in ["-h", "--help"] {
            let ran = world.shim_with([task.as_slice(), &[help]].concat()).run().works();
            for line in ran.stdout.lines() {
                assert!(line.chars().count() <= 80, "{task:?} {help}: {line}");
            }
            // An example that does not fit would go on in a line that begins with no command.
            let examples = ran.stdout.split("Examples:\n").nth(1).unwrap_or_default();
            let examples = examples.split("\n\n").next().unwrap_or_default();
            let begins = |line: &str| {
                let fronts = ["  clawguard-exec ", "  find ", "  sudo ", "  cd "];
                fronts.iter().any(|front| line.starts_with(front))
            };
            assert!(examples.lines().all(begins), "{task:?}: {examples}");
        }
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let world = world();
    for arguments in
        [&["--help"][..], &["check", "--help"], &["plan", "--help"], &["presets", "--help"]]
    {
        world.shim_with(arguments).run().works().prints(["Usage:"]);
    }
    world.shim_with(["--help"]).run().prints(["125", "126", "127"]);
    world.shim_with(["--version"]).run().works().prints(["clawguard-exec "]);
}

#[test]
fn a_policy_that_cannot_be_read_is_125() {
    let world = world();
    let ran = world.shim_with(["--policy", "none.yaml", "--", "touch", "started"]).run().ends(125);
    ran.says(["clawguard: ", "none.yaml", "No such file"]);
    world.shim_with(["--policy", ".", "--", "touch", "started"]).run().ends(125);
    assert!(!world.has("~/work/started"));
}

#[test]
fn a_second_clawguard_inside_is_refused_and_names_the_first() {
    let world = World::mine();
    world.policy(
        "allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]"
            .replace("{root}", &world.text("{root}"))
            .as_str(),
    );
    let shim = world.text("{root}/bin/clawguard-exec");
    let line = format!(
        "{shim} --allow {} -- touch started; echo $?; {shim} -- true; echo $?",
        world.text("~/work")
    );
    let ran = world.sh(&line);
    assert_eq!(ran.stdout, "125\n125\n", "{ran:#?}");
    let pid = ran.pid.to_string();
    ran.says(["already confined by clawguard", pid.as_str()]);
    assert!(!world.has("~/work/started"));
    // Only a real confinement counts, not a variable that somebody set.
    world.confined().env("CLAWGUARD_PID", "1").command(["true"]).works();
}

#[test]
fn a_second_clawguard_is_refused_even_when_the_target_hides_the_first() {
    let world = World::mine();
    world.policy(
        "allowed_paths: ['~/work', { path: '{root}/bin', access: rx }]"
            .replace("{root}", &world.text("{root}"))
            .as_str(),
    );
    let shim = world.text("{root}/bin/clawguard-exec");
    let line = format!(
        "unset CLAWGUARD_PID; {shim} --allow {} -- touch started; echo $?",
        world.text("~/work")
    );
    let ran = world.sh(&line);
    assert_eq!(ran.stdout, "125\n", "{ran:#?}");
    assert!(!world.has("~/work/started"));
}

#[test]
fn a_stack_that_is_too_small_is_named_and_one_that_is_large_enough_reaches_the_command() {
    let world = world();
    for small in ["64", "511"] {
        let ran = world.confined().after(&format!("ulimit -s {small}")).command(["true"]).ends(125);
        let says = format!("the limit on the stack is {small} KiB");
        ran.says([says.as_str(), "run `ulimit -s 512` first"]);
    }
    let script = ["sh", "-c", "ulimit -s; mkdir d; cat note; rmdir d"];
    let ran = world.confined().after("ulimit -s 512").command(script).works();
    assert_eq!(ran.stdout, "512\nnote\n");
}
