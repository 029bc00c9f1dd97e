//! Mounts that come and go while the target runs, made by somebody outside: each test has a mount namespace of its own,
//! in which a script of root mounts and unmounts between the steps of the target.

use crate::support::{CANARY, Ran, User, World, for_every_user};

/// `meet NAME` waits until the target has made `~/work/NAME`; `done NAME` lets it go on. `$HOME` is the world's home.
const OUTSIDE: &str = "meet() { while [ ! -e \"$HOME/work/$1\" ]; do sleep 0.02; done; }; \
                       passed() { rm \"$HOME/work/$1\"; }; own() { chown --reference=\"$HOME\" \"$@\"; }; ";

/// The same from the target's side.
const INSIDE: &str = "import os, time, errno
home = os.environ['HOME']
def meet(name):
    open(home + '/work/' + name, 'w').close()
    while os.path.exists(home + '/work/' + name): time.sleep(0.02)
def tried(what, act):
    try: print(what, act())
    except OSError as error: print(what, errno.errorcode[error.errno])
def read(path): return open(path).read().strip()
";

/// Runs a program of the target while a script acts outside; the script's own lines come before the start.
fn run(world: &World, before: &'static str, meanwhile: &'static str, program: &str) -> Ran {
    let script = format!("{OUTSIDE}{before}; ( {meanwhile} ) >/dev/null 2>&1 & exec \"$@\"");
    let script: &'static str = script.leak();
    let own: &[&str] = match User::current().uid {
        0 => &["unshare", "--mount", "--propagation", "private", "bash", "-c"],
        _ => &["unshare", "-rm", "--propagation", "private", "bash", "-c"],
    };
    let starter: Vec<&'static str> = own.iter().copied().chain([script, "bash"]).collect();
    let program = format!("{INSIDE}{program}");
    let command = ["/usr/bin/python3", "-I", "-S", "-c", &program];
    world.confined().started_by(&starter).command(command)
}

#[test]
fn a_file_system_that_is_unmounted_beneath_the_target_has_no_names() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.mkdir("~/backup");
        world.write("~/work/key", "the right one");
        let ran = run(
            &world,
            // What is in it is called as the workspace is, once its top has no name any more.
            "mount -t tmpfs -o mode=755 none $HOME/backup; in=$HOME/backup$HOME/work; mkdir -p $in/sub; \
             echo canary-7c9e6679-7425 > $in/key; touch $in/other; own $in $in/* $HOME/backup",
            "meet ready; umount -l $HOME/backup; passed ready",
            "
os.chdir(home + '/backup' + home + '/work')
held = os.open('.', os.O_PATH)
tried('before', lambda: read('key'))
meet('ready')
print(os.readlink('/proc/self/cwd') == home + '/work')
tried('read', lambda: read('key'))
tried('list', lambda: os.listdir('.'))
tried('held', lambda: os.open('key', os.O_RDONLY, dir_fd=held))
tried('through', lambda: read('/proc/self/cwd/key'))
tried('write', lambda: open('key', 'r+'))
tried('make', lambda: open('new', 'w'))
tried('mkdir', lambda: os.mkdir('made'))
tried('unlink', lambda: os.unlink('other'))
tried('rename', lambda: os.rename('other', 'another'))
tried('link', lambda: os.link('other', home + '/work/linked'))
tried('symlink', lambda: os.symlink('x', 'y'))
tried('chmod', lambda: os.chmod('key', 0o777))
tried('utime', lambda: os.utime('key'))
tried('truncate', lambda: os.truncate('key', 0))
tried('execute', lambda: os.execv('key', ['key']))
tried('neighbour', lambda: read(home + '/work/key'))
os.chdir(home + '/work')
tried('neighbour', lambda: read('key'))
",
        );
        let ran = ran.works();
        assert!(!ran.stdout.contains(CANARY), "{ran:#?}");
        let denied = [
            "read", "list", "held", "through", "write", "make", "mkdir", "unlink", "rename",
            "link", "symlink", "chmod", "utime", "truncate", "execute",
        ];
        for what in denied {
            assert!(ran.stdout.contains(&format!("{what} EACCES\n")), "{what}: {ran:#?}");
        }
        assert!(ran.stdout.contains("before EACCES\nTrue\n"), "{ran:#?}");
        assert!(
            ran.stdout.ends_with("neighbour the right one\nneighbour the right one\n"),
            "{ran:#?}"
        );
        assert_eq!(world.read("~/work/key"), "the right one");
        assert!(
            !world.has("~/work/new") && !world.has("~/work/made") && !world.has("~/work/linked")
        );
    });
}

#[test]
fn a_directory_that_something_is_mounted_over_is_not_taken_for_what_hides_it() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']\nblocked_paths: ['~/work/in/blocked']");
        world.write("~/work/in/key", "hidden");
        world.write("~/work/in/blocked/key", CANARY);
        let ran = run(
            &world,
            ":",
            "meet ready; mount -t tmpfs -o mode=777 none $HOME/work/in; echo shown > $HOME/work/in/key; \
             passed ready; meet again; umount $HOME/work/in; passed again",
            "
os.chdir(home + '/work/in')
tried('before', lambda: read('key'))
meet('ready')
tried('hidden', lambda: read('key'))
tried('make', lambda: open('new', 'w'))
tried('blocked', lambda: read('blocked/key'))
tried('shown', lambda: read(home + '/work/in/key'))
meet('again')
tried('after', lambda: read('key'))
tried('blocked', lambda: read('blocked/key'))
",
        );
        let expected = "before hidden\nhidden EACCES\nmake EACCES\nblocked EACCES\nshown shown\nafter hidden\n\
                        blocked EACCES\n";
        assert_eq!(ran.stdout, expected, "{ran:#?}");
    });
}

#[test]
fn a_procfs_with_the_device_number_of_something_known_gives_nothing_of_the_supervisor() {
    // Only who has all of a process namespace mounts its procfs.
    if User::current().uid != 0 {
        return;
    }
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.mkdir("~/work/chroot/run");
        world.mkdir("~/work/chroot/proc");
        let program = "
top = home + '/work/chroot/'
tried('known', lambda: read(top + 'run/file'))
device = os.stat(top + 'run').st_dev
meet('ready')
print('same', os.stat(top + 'proc').st_dev == device)
me, parent = str(os.getpid()), str(os.getppid())
for name in ('self', 'thread-self', me): tried(name, lambda: 'Name:\\tpython3' in read(top + 'proc/' + name + '/status'))
tried('own', lambda: read(top + 'proc/self/stat').split()[0] == me)
for name in ('status', 'environ', 'maps', 'mem', 'cmdline', 'fd'): tried(name, lambda: read(top + 'proc/' + parent + '/' + name))
tried('first', lambda: read(top + 'proc/1/cmdline'))
os.chdir(top + 'proc')
tried('relative', lambda: read(parent + '/cmdline'))
tried('neighbour', lambda: read('meminfo')[:8])
";
        // Device numbers are the host's: another test may take the number between the two mounts.
        let ran = (0..20).map(|_| {
            run(
                &world,
                "mount -t tmpfs -o mode=755 none $HOME/work/chroot/run; echo x > $HOME/work/chroot/run/file",
                "meet ready; umount $HOME/work/chroot/run; mount -t proc none $HOME/work/chroot/proc; passed ready",
                program,
            )
        });
        let ran = ran.into_iter().find(|ran| ran.stdout.contains("same True"));
        let ran = ran.expect("the procfs never got the number of the tmpfs");
        let expected = "known x\nsame True\nself True\nthread-self True\nPID True\nown True\nstatus EACCES\n\
                        environ EACCES\nmaps EACCES\nmem EACCES\ncmdline EACCES\nfd EACCES\nfirst EACCES\n\
                        relative EACCES\nneighbour MemTotal\n";
        let own = ran.stdout.lines().nth(4).unwrap_or_default();
        let own = own.split_whitespace().next().unwrap_or_default();
        assert_eq!(
            ran.stdout.replacen(&format!("\n{own} True"), "\nPID True", 1),
            expected,
            "{ran:#?}"
        );
    });
}

#[test]
fn what_is_mounted_of_a_procfs_while_the_target_runs_is_not_read_where_opens_go_on() {
    if User::current().uid != 0 {
        return;
    }
    for_every_user(|world| {
        for logging in ["", "logging: { log_denials: false }\n"] {
            // Landlock holds this policy alone: opens of the workspace go on in the kernel.
            world.policy("allowed_paths: ['~/work']");
            let text = world.read("~/policy.yaml");
            world.write("~/policy.yaml", text + logging);
            world.mkdir("~/work/one");
            world.mkdir("~/work/all");
            let ran = run(
                &world,
                ":",
                "bash -c 'exec -a canary-7c9e6679-7425 sleep 60' & meet ready; \
                 mount --bind /proc/$! $HOME/work/one; mount -t proc none $HOME/work/all; echo $! > $HOME/work/number; \
                 passed ready; meet end; kill $!; umount $HOME/work/one $HOME/work/all; passed end",
                "
tried('before', lambda: read(home + '/work/note'))
meet('ready')
number = read(home + '/work/number')
os.chdir(home + '/work')
for name in ('one/', home + '/work/one/', 'all/' + number + '/', home + '/work/all/' + number + '/'):
    for file in ('cmdline', 'status', 'comm'): tried(file, lambda: read(name + file))
tried('list', lambda: os.listdir('one'))
tried('own', lambda: 'Name:\\tpython3' in read('all/self/status'))
tried('neighbour', lambda: read('note'))
meet('end')
",
            );
            let ran = ran.works();
            let denied = "cmdline EACCES\nstatus EACCES\ncomm EACCES\n".repeat(4);
            let expected = format!("before note\n{denied}list EACCES\nown True\nneighbour note\n");
            assert_eq!(ran.stdout, expected, "{logging}: {ran:#?}");
            std::fs::remove_dir_all(world.path("~/work/one")).unwrap();
            std::fs::remove_dir_all(world.path("~/work/all")).unwrap();
        }
    });
}
