//! The supervisor against a target that asks for anything: calls with wild arguments, paths of any bytes, memory that
//! is not there, not readable, or rewritten by another thread.
//!
//! The supervisor's threads run in this process, so that their coverage counts. The target is a small program
//! (`executor.c`) in a tree of its own. After each list of calls: the supervisor still answers, nothing secret was read,
//! nothing protected was changed, and no descriptor was left open. A thread that panics ends the run: the pool would
//! answer EACCES and go on, so the panic hook aborts.

mod confined;
mod program;
mod signature;
mod world;

use std::sync::{Mutex, PoisonError};

use arbitrary::Unstructured;

use self::confined::Target;
use self::program::Program;
use self::world::World;

/// What every secret file holds, and what names in secret directories begin with.
const CANARY: &[u8] = b"canary-7c9e6679-7425";

/// What lives from one input to the next. The target ends before its world.
struct Bench {
    target: Target,
    world: World,
}

static BENCH: Mutex<Option<Bench>> = Mutex::new(None);

impl Bench {
    fn new() -> Bench {
        abort_when_any_thread_panics();
        let world = World::new();
        Bench { target: Target::start(&world), world }
    }
}

/// Ends the target and removes its world, for those who do not end with their last input.
pub fn finish() {
    BENCH.lock().unwrap_or_else(PoisonError::into_inner).take();
}

fn abort_when_any_thread_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        before(info);
        std::process::abort();
    }));
}

/// Checks one list of calls.
pub fn check(data: &[u8]) {
    let mut bench = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let Bench { world, target } = bench.get_or_insert_with(Bench::new);
    let Ok(program) = Program::read(&mut Unstructured::new(data), world.root()) else { return };
    if std::env::var_os("CLAWGUARD_FUZZ_SHOW").is_some() {
        eprintln!("{program:#?}");
    }
    world.reset();
    let answer = target.perform(&program.encode());
    world.reopen();
    if std::env::var_os("CLAWGUARD_FUZZ_SHOW").is_some() {
        eprintln!("results {:?}, late {}", answer.results, answer.late);
    }
    assert_eq!(answer.allowed, 0, "what may be read cannot be: errno {}", answer.allowed);
    assert_eq!(answer.blocked, libc_eacces(), "what is blocked was not: errno {}", answer.blocked);
    let leak = answer.told.windows(CANARY.len()).position(|bytes| bytes == CANARY);
    assert!(leak.is_none(), "a secret was read: {program:#?} {:?}", answer.results);
    world.assert_unchanged();
    target.assert_no_descriptor_is_left();
}

fn libc_eacces() -> i32 {
    rustix::io::Errno::ACCESS.raw_os_error()
}
