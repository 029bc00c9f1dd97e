//! `init`, then commands under the policy that it wrote: every secret of the machine is closed, the agents work.

use std::os::unix::net::UnixListener;

use crate::support::{CANARY, Ran, Shim, World, for_every_user};

/// A fake agent: it does what it is told.
const AGENT: &str = "#!/bin/sh\nexec \"$@\"\n";

/// Secrets that hold a canary.
const SECRETS: &[&str] = &[
    "~/.ssh/id_ed25519",
    "~/.aws/credentials",
    "~/.gnupg/private-keys-v1.d/key",
    "~/.mozilla/firefox/x.default/logins.json",
    "~/snap/firefox/common/.mozilla/firefox/x.default/logins.json",
    "~/.config/gh/hosts.yml",
    "~/.netrc",
    "~/.git-credentials",
    "~/Documents/Passwords.kdbx",
    "~/.password-store/bank.gpg",
    "~/.bash_history",
    "~/work/.env",
    "~/work/api/.env.production.local",
];

/// A home with agents, secrets and things of everyday.
fn machine(world: &World, agents: &[&str]) {
    for secret in SECRETS {
        world.write(secret, CANARY);
    }
    world.write("~/.npmrc", format!("//registry.example/:_authToken={CANARY}\n"));
    world.write("~/.gitconfig", "[user]\n\tname = U\n\temail = u@example\n");
    world.write("~/.bashrc", "# mine\n");
    world.write("~/Documents/letter.txt", "dear\n");
    world.script("~/bin/tool", "#!/bin/sh\necho tool\n");
    for agent in agents {
        world.script(&format!("{{root}}/tools/{agent}"), AGENT);
    }
}

impl World {
    /// The shim with the fake agents in PATH.
    fn with_agents<'w>(&'w self, words: &[&str]) -> Shim<'w> {
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.text("{root}/tools"));
        let words = words.iter().map(|word| self.text(word));
        self.shim_with(words.collect::<Vec<_>>()).env("PATH", path)
    }

    fn init(&self, words: &[&str]) -> Ran {
        let words: Vec<&str> = ["init"].into_iter().chain(words.iter().copied()).collect();
        self.with_agents(&words).run().works()
    }
}

/// A server outside that anybody may connect to.
fn server(world: &World, path: &str) -> UnixListener {
    world.mkdir(std::path::Path::new(path).parent().unwrap().to_str().unwrap());
    let listener = UnixListener::bind(world.path(path)).unwrap();
    world.chmod(path, 0o777);
    world.give(&world.path(path));
    listener
}

#[test]
fn every_secret_that_init_finds_is_closed_and_the_agent_works() {
    for_every_user(|world| {
        machine(&world, &["openclaw"]);
        world.write("~/.openclaw/.env", "OPENAI_API_KEY=own\n");
        world.write("~/.openclaw/workspace/.env", CANARY);
        world.write("~/.openclaw/openclaw.json", "{agents: {defaults: {workspace: '~/work'}}}");
        let _closed = [
            server(&world, "{root}/sockets/agent.7"),
            server(&world, "~/.docker/run/docker.sock"),
            server(&world, "~/.1password/agent.sock"),
        ];
        let _open = server(&world, "~/work/server.sock");
        let socket = world.text("{root}/sockets/agent.7");
        let init = world.with_agents(&["init"]).env("SSH_AUTH_SOCK", &socket).run().works();
        assert!(!init.stdout.contains(CANARY) && init.stderr.is_empty(), "{init:#?}");
        assert!(!world.read("~/.config/clawguard/policy.yaml").contains(CANARY));

        let mut table = String::new();
        for secret in SECRETS {
            let writing = if secret.starts_with("~/work") { "ok" } else { "EACCES" };
            table.push_str(&format!("read {secret} EACCES\nwrite {secret} {writing}\n"));
        }
        table.push_str(
            "
            connect {root}/sockets/agent.7 EACCES
            connect ~/.docker/run/docker.sock EACCES
            connect ~/.1password/agent.sock EACCES
            connect ~/work/server.sock ok
            read ~/.npmrc EACCES
            list ~ EACCES
            read ~/Documents/letter.txt EACCES
            write ~/.bashrc EACCES
            write ~/bin/tool EACCES
            create ~/bin/new EACCES
            create ~/.ssh/authorized_keys EACCES
            create ~/.config/autostart EACCES
            write ~/.config/clawguard/policy.yaml EACCES
            unlink ~/.config/clawguard/policy.yaml EACCES
            read ~/.bashrc ok
            cat ~/work/note note
            create ~/work/new ok
            create ~/work/.env.local ok
            read ~/work/.env.local EACCES
            mkdir ~/.openclaw/state/x ok
            create ~/.openclaw/state/x/db ok
            write ~/.openclaw/openclaw.json ok
            read ~/.openclaw/.env ok
            read ~/.openclaw/workspace/.env EACCES
            create ~/.openclaw/workspace/SOUL.md ok
            create ~/.cache/openclaw/x ok
            ",
        );
        let confined = world.with_agents(&["-q"]).env("SSH_AUTH_SOCK", &socket);
        confined.expect_by(&["openclaw"], &world, &table);

        // By its name, as a person starts it, with programs that it would run.
        let script = "cat ~/work/note && cp ~/work/note ~/.openclaw/workspace/n && git init -q . && git add note && \
            git commit -qm 1 && git log --format=%an; cat ~/.ssh/id_ed25519 ~/Documents/*.kdbx ~/work/.env";
        let ran = world.with_agents(&["-q"]).command(["openclaw", "sh", "-c", script]);
        assert_eq!(ran.stdout, "note\nU\n", "{ran:#?}");
        assert!(!ran.stderr.contains(CANARY), "{ran:#?}");
        for secret in SECRETS {
            assert!(secret.contains(".env") || world.read(secret) == CANARY, "{secret}");
        }
    });
}

#[test]
fn an_agent_cannot_use_what_another_one_keeps() {
    for_every_user(|world| {
        machine(&world, &["openclaw", "claude", "codex"]);
        for state in
            ["~/.claude/.credentials.json", "~/.codex/auth.json", "~/.openclaw/credentials/x"]
        {
            world.write(state, CANARY);
        }
        let init = world.init(&[]);
        init.prints(["OpenClaw (", "Claude Code (", "Codex (", "Claude Code uses it itself"]);
        let script = "for file in ~/.claude/.credentials.json ~/.codex/auth.json ~/.openclaw/credentials/x note; do
            cat $file >/dev/null 2>&1 && printf '%s ' $(basename $file); done; touch made";
        for (agent, reads) in [
            ("openclaw", "x note "),
            ("claude", ".credentials.json note "),
            ("codex", "auth.json note "),
            ("sh", "note "),
        ] {
            let words = [agent, "sh", "-c", script];
            let words = if agent == "sh" { &words[1..] } else { &words[..] };
            let ran = world.with_agents(&["-q"]).command(words).works();
            assert_eq!(ran.stdout, reads, "{agent}: {ran:#?}");
        }
        // One policy for one of them is the same by name.
        world.init(&["--agent", "codex", "--output", "~/codex.yaml"]);
        let ran = world
            .with_agents(&["-q", "--policy", "~/codex.yaml"])
            .command(["codex", "sh", "-c", script])
            .works();
        assert_eq!(ran.stdout, "auth.json note ", "{ran:#?}");
    });
}

#[test]
fn an_agent_where_agents_may_write_gets_its_preset_all_the_same() {
    for_every_user(|world| {
        machine(&world, &["openclaw"]);
        world.script("~/.codex/packages/codex", AGENT);
        world.symlink("~/.codex/packages/codex", "{root}/tools/codex");
        world.init(&[]).prints(["does not select its preset"]);
        let script = "echo 1 > ~/.codex/state && cat ~/.codex/state";
        let ran = world.with_agents(&["-q"]).command(["codex", "sh", "-c", script]).works();
        assert_eq!(ran.stdout, "1\n");
    });
}

#[test]
fn settings_are_readable_until_a_token_is_in_them() {
    for_every_user(|world| {
        world.script("{root}/tools/openclaw", AGENT);
        world.write("~/.npmrc", "prefix=~/.npm-global\n");
        world
            .init(&["--workspace", "~/work", "--output", "~/one.yaml"])
            .prints(["~/.npmrc (npm settings"]);
        world.write("~/.npmrc", "//registry.example/:_authToken=abc\n");
        world.init(&["--workspace", "~/work", "--output", "~/two.yaml"]);
        for (policy, outcome) in [("~/one.yaml", "ok"), ("~/two.yaml", "EACCES")] {
            let table =
                format!("read ~/.npmrc {outcome}\nwrite ~/.npmrc EACCES\nread ~/work/note ok\n");
            world.with_agents(&["-q", "--policy", policy]).expect(&world, &table);
        }
    });
}

#[test]
fn a_secret_behind_a_link_is_closed_where_the_link_leads() {
    for_every_user(|world| {
        world.write("~/dotfiles/ssh/id", CANARY);
        world.write("~/dotfiles/bashrc", "# mine\n");
        world.write("~/dotfiles/readme", "hello\n");
        world.symlink("~/dotfiles/ssh", "~/.ssh");
        world.symlink("~/dotfiles/bashrc", "~/.bashrc");
        world.init(&["--workspace", "~/dotfiles"]);
        world.with_agents(&["-q"]).expect(
            &world,
            "
            read ~/.ssh/id EACCES
            read ~/dotfiles/ssh/id EACCES
            write ~/dotfiles/bashrc EACCES
            unlink ~/dotfiles/bashrc EACCES
            read ~/dotfiles/bashrc ok
            read ~/dotfiles/readme ok
            create ~/dotfiles/new ok
            ",
        );
    });
}

#[test]
fn names_mean_themselves_whatever_is_in_them() {
    for_every_user(|world| {
        let names: [&[u8]; 7] = [
            b"a b",
            b"st*r",
            b"[x]{y,z}",
            b"quo\"te's",
            b"new\nline: [",
            b"\xff\xfe",
            b"$HOME\\# ~",
        ];
        let home = world.home();
        let beneath = |name: &[u8]| {
            use std::os::unix::ffi::OsStrExt;
            home.join(std::ffi::OsStr::from_bytes(name))
        };
        let mut init = world.with_agents(&["init"]);
        for name in names {
            let mut note = home.as_os_str().as_encoded_bytes().to_vec();
            note.extend([b"/", name, b"/note"].concat());
            world.write_bytes(&note, "mine");
            init = init.args(["--workspace".as_ref(), beneath(name).as_os_str()]);
        }
        // What the names would match as patterns.
        for neighbour in ["star", "x{y", "xy", "a", "new"] {
            world.write(&format!("~/{neighbour}/note"), CANARY);
        }
        init.run().works();
        for name in names {
            let script = "cat \"$1/note\" && echo 2 > \"$1/made\"";
            let ran = world
                .with_agents(&["-q"])
                .args(["--", "sh", "-c", script, "sh"])
                .args([beneath(name)])
                .run()
                .works();
            assert_eq!(ran.stdout, "mine", "{name:?}: {ran:#?}");
        }
        for neighbour in ["star", "x{y", "xy", "a", "new"] {
            let ran = world
                .with_agents(&["-q"])
                .command(["cat".into(), world.home().join(neighbour).join("note")]);
            assert!(ran.code() == 1 && ran.stderr.contains("denied"), "{neighbour}: {ran:#?}");
        }
    });
}

#[test]
fn a_home_directory_with_an_odd_name_is_closed_like_any_other() {
    for_every_user(|world| {
        use std::os::unix::ffi::OsStrExt;
        let mut home = world.root().as_os_str().as_bytes().to_vec();
        home.extend(b"/ho \"m*e\"\n[x]\xff");
        let at = |name: &[u8]| {
            std::path::PathBuf::from(std::ffi::OsStr::from_bytes(&[&home, name].concat()))
        };
        world.write_bytes(at(b"/.ssh/id").as_os_str().as_bytes(), CANARY);
        world.write_bytes(at(b"/box/.env").as_os_str().as_bytes(), CANARY);
        world.write_bytes(at(b"/box/note").as_os_str().as_bytes(), "mine");
        // Made by the first write, for the suite's user.
        world.give(&at(b""));
        world.with_agents(&["init", "--workspace=~/box"]).env("HOME", at(b"")).run().works();
        let script = "cat ~/box/note; cat ~/.ssh/id ~/box/.env; echo 1 > ~/box/made";
        let ran =
            world.with_agents(&["-q"]).env("HOME", at(b"")).command(["sh", "-c", script]).works();
        assert_eq!(ran.stdout, "mine", "{ran:#?}");
    });
}

#[test]
fn a_home_without_anything_gets_a_policy_that_works() {
    for_every_user(|world| {
        let init = world.with_agents(&["init"]).env("PATH", "/usr/bin:/bin").run().works();
        let init = init.prints(["none in PATH", "~/work (the working directory"]);
        assert!(!init.stdout.contains("Look at this"), "{init:#?}");
        world.with_agents(&["-q"]).expect(
            &world,
            "
            create ~/.ssh EACCES
            create ~/.bashrc EACCES
            read ~/secret/key EACCES
            create ~/work/new ok
            exec /usr/bin/true ok
            ",
        );
    });
}
