//! `init`: what it says of a machine, and what it writes.

use crate::support::{Ran, Shim, User, World};

impl World {
    /// `init` with nothing in PATH but what the world has in `{root}/tools`.
    fn init<'w>(&'w self, words: &[&str]) -> Shim<'w> {
        let words = words.iter().map(|word| self.text(word)).collect::<Vec<_>>();
        self.shim_with(["init"]).args(words).env("PATH", self.text("{root}/tools"))
    }

    fn tool(&self, name: &str) {
        self.script(&format!("{{root}}/tools/{name}"), "#!/bin/sh\nexec \"$@\"\n");
    }

    /// What the generated policy decides of these paths, one word of letters each.
    fn letters(&self, policy: &str, paths: &[&str]) -> Vec<String> {
        let paths = paths.iter().map(|path| self.text(path)).collect::<Vec<_>>();
        let ran = self
            .shim_with(["-q", "--policy", &self.text(policy), "check", "--json"])
            .args(paths)
            .run()
            .works();
        let letters = |row: &serde_json::Value| {
            ["r", "w", "x"].into_iter().filter(|access| row[access]["allowed"] == true).collect()
        };
        ran.json_lines().iter().map(letters).collect()
    }
}

/// A home with one agent, and one secret of most kinds.
fn machine() -> World {
    let world = World::mine();
    for file in [
        "~/.ssh/id_ed25519",
        "~/.aws/credentials",
        "~/.mozilla/firefox/profiles.ini",
        "~/snap/firefox/x",
        "~/Documents/Passwords.kdbx",
        "~/.bashrc",
        "~/bin/tool",
        "~/work/.env",
        "~/work/api/.env.production",
        "~/work/node_modules/x/.env",
    ] {
        world.write(file, "x\n");
    }
    world.write("~/.npmrc", "_authToken=abc\n");
    world.write("~/.config/pip/pip.conf", "[global]\n");
    for directory in ["hooks", "objects", "refs"] {
        world.mkdir(&format!("~/work/.git/{directory}"));
    }
    for tool in ["openclaw", "python3", "git", "node"] {
        world.tool(tool);
    }
    world
}

/// Without what belongs to the machine that runs the suite, and without the widths that depend on it.
fn comparable(text: &str) -> String {
    let is_of_the_home = |line: &&str| {
        let names_another = ["- \"/", "path: \"/", ": /"].iter().any(|text| line.contains(text));
        !names_another
    };
    let narrow = |line: &str| match line.split_once("  #") {
        Some((entry, why)) if !entry.trim().is_empty() => format!("{}  #{why}", entry.trim_end()),
        _ => line.to_owned(),
    };
    text.lines().filter(is_of_the_home).map(|line| narrow(line) + "\n").collect()
}

#[test]
fn the_policy_reads_as_it_should() {
    let world = machine();
    let ran = world.init(&["--print", "--workspace", "~/work"]).run().works();
    let text = comparable(&ran.stdout);
    assert!(text == include_str!("init.yaml"), "tests/cli/init.yaml should be:\n{text}");
    let is_narrow = |line: &str| line.chars().count() <= 110;
    assert!(ran.stdout.lines().all(is_narrow), "{}", ran.stdout);
}

#[test]
fn every_line_that_is_commented_out_works_without_its_sign() {
    let world = machine();
    for agents in [&["openclaw"][..], &["openclaw", "claude"], &[]] {
        let mut words = vec!["--print"];
        agents.iter().for_each(|agent| words.extend(["--agent", agent]));
        let text = world.init(&words).run().works().stdout;
        let is_example = |line: &str| {
            let words = line.trim_start().strip_prefix("# ").unwrap_or_default();
            [
                "presets:",
                "- ",
                "environment:",
                "  keep:",
                "  remove:",
                "logging:",
                "  log_",
                "  max_size:",
                "  retention:",
            ]
            .iter()
            .any(|front| words.starts_with(front))
        };
        let taken: String = text
            .lines()
            .map(|line| if is_example(line) { line.replacen("# ", "", 1) } else { line.to_owned() } + "\n")
            .collect();
        assert_ne!(taken, text);
        world.write("~/taken.yaml", &taken);
        let ran = world.shim_with(["--policy", &world.text("~/taken.yaml"), "check", "/"]).run();
        assert!(ran.code() == 0 && !ran.stderr.contains("warning"), "{ran:#?}\n{taken}");
        assert_eq!(world.letters("~/taken.yaml", &["~/Downloads/x"]), ["r"], "{taken}");
    }
}

#[test]
fn the_summary_says_what_was_found_and_what_to_do_next() {
    let world = machine();
    let ran = world.init(&[]).run().works();
    let file = world.text("~/.config/clawguard/policy.yaml");
    assert!(ran.stdout.starts_with(&format!("Written: {file}\n")), "{ran:#?}");
    assert!(ran.stderr.is_empty() && !ran.stdout.contains('\x1b'), "{ran:#?}");
    let ran = ran.prints([
        &format!("  OpenClaw ({})", world.text("{root}/tools/openclaw")),
        "~/.openclaw/workspace (OpenClaw's own; made at the first start)",
        "Keys: ~/.ssh",
        "Passwords and wallets: ~/Documents/Passwords.kdbx\n",
        "Cloud credentials: ~/.aws\n",
        "Browser profiles: ~/.mozilla, ~/snap/firefox\n",
        "Not to be changed: ~/.bashrc, ~/bin",
        "~/.config/pip/pip.conf (pip settings, sometimes with passwords): a preset needs it",
        "\n  clawguard-exec check ~/.ssh\n  clawguard-exec -- openclaw\n  clawguard-exec -- openclaw gateway run\n",
    ]);
    // Kinds apart, those of the machine that runs the suite may be more.
    assert!(ran.stdout.contains(" secrets on this machine, and more"), "{ran:#?}");
    // What it says to do next works.
    world
        .shim_with(["check", &world.text("~/.ssh")])
        .run()
        .works()
        .says([file])
        .prints(["r denied"]);
}

#[test]
fn a_program_reads_the_same_as_one_object() {
    let world = machine();
    let ran = world.init(&["--json", "--print", "--workspace", "~/work"]).run().works();
    let json = ran.json();
    assert!(json["written"].is_null() && !world.has("~/.config/clawguard"), "{json:#}");
    assert_eq!(json["agents"][0]["name"], "openclaw");
    assert_eq!(json["agents"][0]["command"]["path"], world.text("{root}/tools/openclaw"));
    assert!(json["presets"].is_null(), "{json:#}");
    assert_eq!(json["workspaces"][0]["path"], world.text("~/work"));
    assert_eq!(json["workspaces"][0]["source"], "option");
    assert_eq!(json["workspaces"][1]["source"], "openclaw_default");
    let secret = |path: &str| {
        let path = world.text(path);
        let rows = json["secrets"].as_array().unwrap();
        rows.iter().find(|row| row["path"] == path).unwrap_or_else(|| panic!("{json:#}")).clone()
    };
    assert_eq!(secret("~/.ssh")["kind"], "keys");
    assert_eq!(secret("~/.ssh")["open"], "");
    assert_eq!(secret("~/.npmrc")["open"], "");
    assert_eq!(secret("~/.config/pip/pip.conf")["open"], "r");
    assert_eq!(json["dotenv"][0]["path"], world.text("~/work/.env"));
    assert_eq!(json["dotenv"].as_array().unwrap().len(), 2);
    assert_eq!(json["dotenv_complete"], true);
    assert!(json["text"].as_str().unwrap().contains("blocked_paths:"));
    let ran = world.init(&["--json"]).run().works();
    assert_eq!(ran.json()["written"]["path"], world.text("~/.config/clawguard/policy.yaml"));
}

#[test]
fn a_workspace_is_refused_in_the_words_of_the_built_in_default() {
    let world = machine();
    world.mkdir("~/.local/share/x");
    for (directory, reason) in [
        ("~", "the home directory"),
        ("{root}", "an ancestor of the home directory"),
        ("/", "the root of the file system"),
        ("/var/tmp", "shared by everybody for temporary files"),
        ("/usr/lib/x", "a system directory"),
        ("~/.local/share/x", "covered by the default block `~/.*`"),
        ("~/work/..", "the home directory"),
        ("~/bin", "within what should stay blocked: programs in PATH"),
        ("~/snap/firefox", "within what should stay blocked: the Firefox profile"),
        ("~/Documents/Passwords.kdbx", "no directory"),
    ] {
        let ran = world.init(&["--workspace", directory]).run().ends(125);
        ran.says([format!("it is {reason}").as_str(), "clawguard-exec init --workspace ~/PROJECT"]);
    }
    assert!(!world.has("~/.config/clawguard"));
}

#[test]
fn where_the_working_directory_will_not_do_a_directory_of_its_own_is_named() {
    let world = machine();
    let ran = world.init(&["--agent", "claude"]).cwd("~").run().works();
    ran.prints([
        "~/agent-workspace (not the working directory, which is the home directory; another: --workspace DIR; made at \
         the first start)",
        "mkdir -p ~/agent-workspace && cd ~/agent-workspace && clawguard-exec -- claude\n",
    ]);
    let policy = "~/.config/clawguard/policy.yaml";
    assert_eq!(world.letters(policy, &["~/agent-workspace/x", "~/work/x", "~/x"]), ["rwx", "", ""]);
    // The start makes it.
    world.shim_with(["-q", "--", "true"]).run().works();
    assert!(world.has("~/agent-workspace"));
}

#[test]
fn what_a_mode_does_not_enforce_is_said() {
    let world = machine();
    let ran = world.init(&[]).run().works();
    assert!(!ran.stdout.contains("Not enforced here"), "{ran:#?}");
    let ran = world.init(&["--mode", "kernel", "--output", "~/kernel.yaml"]).run().works();
    ran.prints(["\nNot enforced here\n", "clawguard-exec --mode kernel --policy "]);
}

#[test]
fn openclaws_configuration_is_read_and_not_believed() {
    let world = machine();
    let config = "~/.openclaw/openclaw.json";
    let policy = "~/out.yaml";
    let init = |text: &str| -> Ran {
        world.write(config, text);
        let _ = std::fs::remove_file(world.path(policy));
        let ran = world.init(&["--output", policy]).run().works();
        assert_eq!(world.read(config), text);
        ran
    };
    let ran = init("{agents: {defaults: {workspace: '~/claw'}}, gateway: {bind: 'lan'}} // JSON5");
    ran.prints(["~/claw (as OpenClaw's configuration says; made at the first start)"]);
    assert_eq!(world.letters(policy, &["~/claw/x", "~/work/x"]), ["rwx", ""]);
    assert!(world.read(policy).contains("\n    listen: any\n"));
    // An agent can write it: a home directory or a key is no workspace.
    for workspace in ["~", "~/.ssh", "/", "~/bin"] {
        let ran = init(&format!("{{agents: {{defaults: {{workspace: '{workspace}'}}}}}}"));
        ran.prints(["Look at this\n  OpenClaw's configuration names `"]);
        assert_eq!(world.letters(policy, &["~/x", "~/.ssh/x", "/x", "~/bin/x"]), ["", "", "", ""]);
    }
    init("{agents: [sk-secret")
        .prints(["Look at this\n  ~/.openclaw/openclaw.json was passed over"]);
    assert!(world.read(policy).contains("\n    listen: loopback\n"));
}

#[test]
fn what_it_prints_is_a_policy_for_another_user_too() {
    let world = machine();
    let text = world.init(&["--print"]).run().works().stdout;
    let other = World::new(User::ordinary());
    other.write("~/.config/clawguard/policy.yaml", text);
    other.write("~/.ssh/id", "");
    other.tool("openclaw");
    let ran = other
        .shim_with(["check", "--command", &other.text("{root}/tools/openclaw")])
        .args([other.text("~/.ssh/id"), other.text("~/.openclaw/x")])
        .run()
        .works();
    assert!(!ran.stderr.contains("warning"), "{ran:#?}");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].contains("r denied") && lines[1].contains("r allowed"), "{ran:#?}");
}

#[test]
fn names_that_are_no_text_are_told_twice() {
    let world = World::mine();
    let mut work = world.home().into_os_string().into_encoded_bytes();
    work.extend(b"/\xffw");
    world.write_bytes(&[&work[..], b"/x"].concat(), "");
    use std::os::unix::ffi::OsStrExt;
    let ran = world
        .init(&["--json", "--print", "--workspace"])
        .args([std::ffi::OsStr::from_bytes(&work)])
        .run()
        .works();
    let json = ran.json();
    assert!(json["workspaces"][0]["path"].as_str().unwrap().ends_with("/\\xffw"), "{json:#}");
    assert!(json["workspaces"][0]["path_base64"].is_string(), "{json:#}");
    assert!(json["text"].as_str().unwrap().contains("- !!binary "), "{json:#}");
}

/// A list of presets would shut out every agent that is installed later.
#[test]
fn an_agent_that_comes_later_needs_no_line() {
    let world = machine();
    world.init(&[]).run().works();
    world.tool("claude");
    let claude = world.text("{root}/tools/claude");
    let state = world.text("~/.claude/x");
    let ran = world.shim_with(["-q", "check", "--command", &claude, &state]).run().works();
    assert!(ran.stdout.contains("r allowed"), "{ran:#?}");
    let ran = world.init(&["--add", "claude"]).run().works();
    ran.prints(["names no presets", "nothing to add"]);
}

#[test]
fn an_agent_is_added_to_a_policy_whose_comments_stay() {
    let world = machine();
    let policy = "~/.config/clawguard/policy.yaml";
    world.init(&["--add", "claude"]).run().ends(125).says(["there is no policy to add"]);
    let text = "# mine\nsecurity:\n  file_access:\n    presets: # few\n      - system  # why\n    \
                allowed_paths: []\n";
    world.write(policy, text);
    let before = world.letters(policy, &["~/.claude/x"]);
    world.init(&["--add", "claude", "--add", "codex"]).run().works().prints(["+      - claude"]);
    let expected = text.replace("# why\n", "# why\n      - claude\n      - codex\n");
    assert_eq!(world.read(policy), expected);
    let after = world.letters(policy, &["~/.claude/x", "~/.codex/x"]);
    assert_eq!((before, after), (vec![String::new()], vec!["rwx".to_owned(), "rwx".to_owned()]));
    world.init(&["--add", "claude"]).run().works().prints(["has it already"]);
    assert_eq!(world.read(policy), expected);
    // Another file, and one that cannot be edited.
    world.write("~/other.yaml", "security: { file_access: { presets: [system] } }\n");
    let other = world.text("~/other.yaml");
    world.init(&["--add", "gemini", "--policy", &other]).run().works();
    assert!(world.read("~/other.yaml").contains("gemini"));
}
