//! Running the shim, and what is seen of it from outside.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::World;

/// The search path of every run: never the one of the person who runs the suite.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A run of the shim that is being prepared.
pub(crate) struct Shim<'w> {
    world: &'w World,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    prelude: Option<String>,
    starter: Vec<&'static str>,
    has_terminal: bool,
    cwd: String,
    input: Vec<u8>,
}

/// A run that has ended.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The bytes, for what is not text.
    pub(crate) bytes: Vec<u8>,
    pub(crate) pid: u32,
}

impl World {
    /// The shim with these arguments, in `~/work`.
    pub(crate) fn shim_with<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Shim<'_> {
        let shim = Shim {
            world: self,
            arguments: Vec::new(),
            variables: Vec::new(),
            prelude: None,
            starter: Vec::new(),
            has_terminal: false,
            cwd: "~/work".to_owned(),
            input: Vec::new(),
        };
        shim.args(arguments)
    }

    /// The shim with the policy in `~/policy.yaml`, quiet.
    pub(crate) fn confined(&self) -> Shim<'_> {
        self.shim_with(["-q", "--policy", &self.text("~/policy.yaml")])
    }

    /// Writes `~/policy.yaml`: these entries of `security.file_access`, with the preset `system`.
    pub(crate) fn policy(&self, file_access: &str) {
        let mut text = String::from("security:\n  file_access:\n    presets: [system]\n");
        for line in file_access.lines().map(str::trim).filter(|line| !line.is_empty()) {
            text.push_str(&format!("    {line}\n"));
        }
        self.write("~/policy.yaml", text);
    }

    /// Runs a shell script under the policy in `~/policy.yaml`.
    pub(crate) fn sh(&self, script: &str) -> Ran {
        self.confined().command(["sh", "-c", &self.text(script)])
    }
}

impl Shim<'_> {
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    pub(crate) fn cwd(mut self, cwd: &str) -> Self {
        cwd.clone_into(&mut self.cwd);
        self
    }

    pub(crate) fn input(mut self, input: impl AsRef<[u8]>) -> Self {
        self.input = input.as_ref().to_vec();
        self
    }

    /// Shell text that runs before the shim in the process that becomes it: `exec 5</x`, `umask 027`.
    pub(crate) fn after(mut self, prelude: &str) -> Self {
        self.prelude = Some(self.world.text(prelude));
        self
    }

    /// By a program that starts it, as the user who runs the suite and before the user is changed.
    pub(crate) fn started_by(mut self, starter: &[&'static str]) -> Self {
        self.starter = starter.to_vec();
        self
    }

    /// In a new session with a pseudo-terminal of its own, which script(1) makes. The shim then is a grandchild.
    pub(crate) fn in_terminal(mut self) -> Self {
        self.has_terminal = true;
        self
    }

    /// Runs with `--` and this command at the end.
    pub(crate) fn command<A: AsRef<OsStr>>(self, command: impl IntoIterator<Item = A>) -> Ran {
        self.args(["--"]).args(command).run()
    }

    /// Starts it and waits for its end.
    pub(crate) fn run(self) -> Ran {
        let input = self.input.clone();
        let mut child = self.start();
        let mut stdin = child.stdin.take().unwrap();
        // Whoever does not read its input is not to blame for that.
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran {
            status: output.status,
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
            pid,
        }
    }

    /// Starts it with pipes for the three standard descriptors.
    pub(crate) fn start(self) -> Child {
        let world = self.world;
        let mut words: Vec<OsString> = self.starter.iter().map(OsString::from).collect();
        if world.user.is_other {
            let uid = world.user.uid.to_string();
            let switch = ["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"];
            words.extend(switch.map(OsString::from));
        }
        if let Some(prelude) = &self.prelude {
            let script = format!("{prelude}; exec \"$@\"");
            words.extend(["bash", "-c", &script, "bash"].map(OsString::from));
        }
        let mut line: Vec<OsString> = vec![world.shim().into()];
        line.extend(self.arguments);
        if self.has_terminal {
            let quoted = line
                .iter()
                .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")));
            let line = quoted.collect::<Vec<_>>().join(" ");
            words.extend(["script", "-qec", &line, "/dev/null"].map(OsString::from));
        } else {
            words.extend(line);
        }
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).current_dir(world.path(&self.cwd)).env_clear();
        command.env("PATH", PATH).env("HOME", world.home()).env("LANG", "C.UTF-8");
        command.envs(self.variables);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        world.started.lock().unwrap().push(child.id());
        child
    }
}

impl fmt::Debug for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = |text: &str| text.chars().take(4000).collect::<String>();
        writeln!(f, "{}", self.status)?;
        writeln!(f, "stdout: {}\nstderr: {}", short(&self.stdout), short(&self.stderr))
    }
}

impl Ran {
    /// The exit code; a panic that shows everything if there is none.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("it did not exit: {self:#?}"))
    }

    #[track_caller]
    pub(crate) fn signal(&self) -> i32 {
        self.status.signal().unwrap_or_else(|| panic!("no signal ended it: {self:#?}"))
    }

    /// It ended with 0.
    #[track_caller]
    pub(crate) fn works(self) -> Ran {
        self.ends(0)
    }

    /// It ended with this exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Ran {
        assert_eq!(self.status.code(), Some(code), "{self:#?}");
        self
    }

    /// Standard error holds each of these.
    #[track_caller]
    pub(crate) fn says<T: AsRef<str>>(self, texts: impl IntoIterator<Item = T>) -> Ran {
        for text in texts {
            assert!(self.stderr.contains(text.as_ref()), "`{}` is not in {self:#?}", text.as_ref());
        }
        self
    }

    /// Standard output holds each of these.
    #[track_caller]
    pub(crate) fn prints<T: AsRef<str>>(self, texts: impl IntoIterator<Item = T>) -> Ran {
        for text in texts {
            assert!(self.stdout.contains(text.as_ref()), "`{}` is not in {self:#?}", text.as_ref());
        }
        self
    }

    /// Standard output is one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Standard output is one JSON document a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        let parse = |line: &str| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        self.stdout.lines().map(parse).collect()
    }
}
