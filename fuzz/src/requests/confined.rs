//! The confined program and its pipes; its supervisor is made of threads of this process.

use std::fs;
use std::io::{Read, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use clawguard_core::{Confined, Host, KernelSupport, Mode, Policy};

use super::world::World;

/// How long a supervisor's thread may hold a descriptor for a caller that has died.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Target {
    confined: Confined,
    to: ChildStdin,
    from: ChildStdout,
    descriptors: usize,
}

/// What the program says of one list of calls.
pub(super) struct Answer {
    pub(super) late: bool,
    /// The errno of opening what may be read, 0 if it could be.
    pub(super) allowed: i32,
    /// The same for what may not.
    pub(super) blocked: i32,
    pub(super) results: Vec<i64>,
    /// Everything that was read, and the memory afterwards.
    pub(super) told: Vec<u8>,
}

impl Target {
    pub(super) fn start(world: &World) -> Target {
        let text = fs::read(world.policy()).expect("it was written just now");
        let policy = Policy::parse(text, world.policy()).expect("a policy");
        let program = world.root().join("bin/executor");
        let host = Host::current().expect("a working directory").with_temporary(None);
        let resolved = policy.resolve(&host.with_command(&program)).expect("a policy of this host");
        let kernel = KernelSupport::probe().expect("a kernel");
        let plan = resolved.compile(&kernel, Mode::Supervised).expect("a kernel that holds it");
        let mut command = Command::new(program);
        command.arg(world.root().join("arena"));
        command.arg(world.root().join("bin/executor")).arg(world.root().join("outside/key"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut confined = plan.prepare().expect("a sandbox").spawn(command).expect("a target");
        let to = confined.stdin.take().expect("it is piped");
        let from = confined.stdout.take().expect("it is piped");
        let mut target = Target { confined, to, from, descriptors: 0 };
        // An empty list, so that every thread has begun.
        let answer = target.perform(&[0, 0, 0, 0, 0, 0]);
        assert!(answer.results.is_empty() && answer.allowed == 0, "the program does not work");
        target.descriptors = open_descriptors();
        target
    }

    pub(super) fn perform(&mut self, program: &[u8]) -> Answer {
        let length = u32::try_from(program.len()).expect("a short program");
        let sent =
            self.to.write_all(&length.to_le_bytes()).and_then(|()| self.to.write_all(program));
        sent.expect("the program reads");
        let length = u32::from_le_bytes(self.take());
        let [late] = self.take();
        let allowed = i32::from_le_bytes(self.take());
        let blocked = i32::from_le_bytes(self.take());
        let [count] = self.take();
        let results: Vec<i64> = (0..count).map(|_| i64::from_le_bytes(self.take())).collect();
        let mut told = vec![0; length as usize - 10 - 8 * usize::from(count)];
        self.from.read_exact(&mut told).expect("the program answers");
        Answer { late: late != 0, allowed, blocked, results, told }
    }

    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).expect("the program answers");
        bytes
    }

    pub(super) fn assert_no_descriptor_is_left(&self) {
        let start = Instant::now();
        while open_descriptors() > self.descriptors {
            let list = || fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
            let names =
                || list().filter_map(|entry| fs::read_link(entry.path()).ok()).collect::<Vec<_>>();
            assert!(start.elapsed() < PATIENCE, "descriptors are left: {:?}", names());
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        // It waits for its next list.
        let _ = self.confined.kill();
        let _ = self.confined.wait();
    }
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("/proc is mounted").count()
}
