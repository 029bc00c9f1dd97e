//! Running one attempt once, bare or in a sandbox, and what is seen of it.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::attempt::{Attempt, Programs};
use crate::policy;
use crate::support::World;

/// Longer than any attempt needs on a busy machine.
const TIME: Duration = Duration::from_secs(60);

/// What an attempt runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sandbox {
    /// Nothing at all: here the attempt must succeed.
    Bare,
    /// This repository's shim, with the attempt's policy.
    Clawguard,
    /// Any command, with `{policy}`, `{work}`, `{home}`, `{root}` and `{bin}` in it.
    Other(Vec<String>),
}

impl Sandbox {
    pub(crate) fn clawguard() -> Sandbox {
        Sandbox::Clawguard
    }

    /// A command prefix; empty: bare.
    pub(crate) fn from_prefix(prefix: &str) -> Sandbox {
        let words: Vec<String> = prefix.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() { Sandbox::Bare } else { Sandbox::Other(words) }
    }

    fn words(&self, world: &World, attempt: &Attempt) -> Vec<String> {
        let arguments = policy::write(world, &attempt.policy);
        let shim = policy::shim(world, &attempt.policy);
        match self {
            Sandbox::Bare => Vec::new(),
            Sandbox::Clawguard => {
                let mut words = vec![shim];
                words.extend(arguments);
                words.push("--".to_owned());
                words
            }
            Sandbox::Other(words) => words
                .iter()
                .map(|word| world.text(word))
                .map(|word| word.replace("{policy}", &world.text("{root}/policy.yaml")))
                .map(|word| word.replace("{work}", &world.text("~/work")))
                .map(|word| word.replace("{bin}", &world.text("{root}/bin")))
                .collect(),
        }
    }
}

/// Which of the calls that an attempt reports it makes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    All,
    Alone(usize),
}

impl Step {
    fn word(self) -> String {
        match self {
            Step::All => "-1".to_owned(),
            Step::Alone(step) => step.to_string(),
        }
    }
}

/// What an attempt printed and how it ended.
pub(crate) struct Ran {
    pub(crate) output: Vec<u8>,
    pub(crate) status: String,
}

/// Writes the policy and installs the attempt: what must be there before the first look.
pub(crate) fn prepare(
    programs: &Programs,
    world: &World,
    attempt: &Attempt,
    sandbox: &Sandbox,
) -> Vec<String> {
    world.install(programs.path(&attempt.class).to_str().unwrap(), "{root}/bin/attempt");
    sandbox.words(world, attempt)
}

/// Starts the attempt behind the prefix and waits for its end.
pub(crate) fn run(
    programs: &Programs,
    world: &World,
    attempt: &Attempt,
    prefix: &[String],
    outsider: (u32, &str),
    step: Step,
) -> Ran {
    let output = world.path("{root}/output");
    let to = File::create(&output).unwrap();
    let mut command = command(programs, world, attempt, (&attempt.name, prefix), outsider, step);
    let mut child = command.stdout(to.try_clone().unwrap()).stderr(to).spawn().unwrap();
    let status = wait(&mut child);
    end_group(&child);
    Ran { output: fs::read(output).unwrap(), status }
}

/// A second run of the attempt's program behind the same prefix; ended when it is dropped.
pub(crate) struct Rival(Child);

impl Rival {
    pub(crate) fn start(
        programs: &Programs,
        world: &World,
        attempt: &Attempt,
        prefix: &[String],
    ) -> Rival {
        let name = format!("rival:{}", attempt.name);
        let mut command = command(programs, world, attempt, (&name, prefix), (0, "0"), Step::All);
        Rival(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        wait(&mut self.0);
        end_group(&self.0);
    }
}

/// Whatever it left in its process group goes with it; a sandbox should have seen to that.
fn end_group(child: &Child) {
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
}

fn command(
    programs: &Programs,
    world: &World,
    attempt: &Attempt,
    (name, prefix): (&str, &[String]),
    outsider: (u32, &str),
    step: Step,
) -> Command {
    let (pid, address) = (outsider.0.to_string(), outsider.1);
    let is_bare = if prefix.is_empty() { "1" } else { "0" };
    let mut command = Command::new(programs.path("launch"));
    command
        .args([&world.user.uid.to_string(), &attempt.with.to_string()])
        .arg(world.home())
        .args([&pid, is_bare])
        .args(prefix)
        .arg(world.text("{root}/bin/attempt"))
        .arg(name)
        .arg(world.root())
        .args([&pid, address])
        .arg(step.word())
        .current_dir(world.path("~/work"))
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", world.home())
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .process_group(0);
    command
}

fn wait(child: &mut Child) -> String {
    let start = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.to_string();
        }
        if start.elapsed() > TIME {
            let _ = child.kill();
            let _ = child.wait();
            return format!("still running after {TIME:?}");
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(10));
    }
}
