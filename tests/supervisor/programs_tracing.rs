//! Tracers of programs that may be read, where a block at every depth makes the workspace loose: their calls stop at the
//! supervisor, and they see what they see without it.

use crate::support::{World, for_every_user};

const PROGRAM: &str = r#"#include <pthread.h>
#include <stdio.h>
int given = 42;
static void *say(void *word) { puts(word); return 0; }
int main(void) {
    pthread_t one;
    pthread_create(&one, 0, say, "in a thread");
    pthread_join(one, 0);
    return given - 42;
}
"#;

/// The output of a script about `./m`, which is PROGRAM, compiled.
fn output(world: &World, script: &str) -> String {
    world.policy("allowed_paths: ['~/work']\nblocked_paths: ['**/.env']");
    world.write("~/work/m.c", PROGRAM);
    let script = format!("set -e; cc -g -pthread -o m m.c; {script}");
    world.confined().command(["bash", "-c", &script]).works().stdout.clone()
}

#[test]
fn strace_shows_calls_with_their_strings_in_threads_and_children() {
    for_every_user(|world| {
        let seen = output(&world, "strace -f -o trace bash -c './m; /bin/true'; cat trace");
        for part in [
            "execve(\"./m\"",
            "write(1, \"in a thread\\n\", 12)",
            "execve(\"/bin/true\"",
            "exited with 0",
        ] {
            assert!(seen.contains(part), "{part}: {seen}");
        }
    });
}

#[test]
fn gdb_stops_a_program_and_reads_and_changes_its_memory_in_every_thread() {
    for_every_user(|world| {
        let script = "gdb -q -nx -batch -ex 'set debuginfod enabled off' -ex 'break say' -ex run -ex 'print given' \
            -ex 'thread apply all -s print given' -ex 'set var given = 45' -ex 'x/s word' -ex 'info registers' -ex stepi -ex continue ./m 2>&1";
        let seen = output(&world, script);
        for part in ["$1 = 42", "\"in a thread\"", "exited with code 03"] {
            assert!(seen.contains(part), "{part}: {seen}");
        }
        assert!(seen.matches(" = 42").count() >= 3, "{seen}");
        let attached = "./m & sleep 100 & sleep 0.2; gdb -q -nx -batch -ex 'info registers' -p $! 2>&1; kill %2";
        assert!(output(&world, attached).contains("rip") || cfg!(target_arch = "aarch64"));
    });
}
