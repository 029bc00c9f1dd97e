//! System calls that the filter refuses: each by its number, with the answer, beside one that works.

use crate::support::for_every_user;

/// Numbers differ between architectures; the names are the kernel's.
#[cfg(target_arch = "x86_64")]
fn number(name: &str) -> u32 {
    let table = [
        ("add_key", 248),
        ("bpf", 321),
        ("clone", 56),
        ("clone3", 435),
        ("fanotify_init", 300),
        ("getpid", 39),
        ("init_module", 175),
        ("io_uring_setup", 425),
        ("ioctl", 16),
        ("kexec_load", 246),
        ("keyctl", 250),
        ("mount", 165),
        ("name_to_handle_at", 303),
        ("open_by_handle_at", 304),
        ("perf_event_open", 298),
        ("pidfd_getfd", 438),
        ("pidfd_open", 434),
        ("pivot_root", 155),
        ("prctl", 157),
        ("process_vm_readv", 310),
        ("ptrace", 101),
        ("request_key", 249),
        ("setns", 308),
        ("umount2", 166),
        ("unshare", 272),
        ("userfaultfd", 323),
        ("open_tree", 428),
        ("fsopen", 430),
        ("swapon", 167),
        ("acct", 163),
        ("reboot", 169),
    ];
    table.into_iter().find(|(known, _)| *known == name).unwrap().1
}

#[cfg(target_arch = "aarch64")]
fn number(name: &str) -> u32 {
    let table = [
        ("add_key", 217),
        ("bpf", 280),
        ("clone", 220),
        ("clone3", 435),
        ("fanotify_init", 262),
        ("getpid", 172),
        ("init_module", 105),
        ("io_uring_setup", 425),
        ("ioctl", 29),
        ("kexec_load", 104),
        ("keyctl", 219),
        ("mount", 40),
        ("name_to_handle_at", 264),
        ("open_by_handle_at", 265),
        ("perf_event_open", 241),
        ("pidfd_getfd", 438),
        ("pidfd_open", 434),
        ("pivot_root", 41),
        ("prctl", 167),
        ("process_vm_readv", 270),
        ("ptrace", 117),
        ("request_key", 218),
        ("setns", 268),
        ("umount2", 39),
        ("unshare", 97),
        ("userfaultfd", 282),
        ("open_tree", 428),
        ("fsopen", 430),
        ("swapon", 224),
        ("acct", 89),
        ("reboot", 142),
    ];
    table.into_iter().find(|(known, _)| *known == name).unwrap().1
}

/// Rows of `NAME ARGUMENT... OUTCOME`.
fn expect(table: &str) {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        let mut rows = String::new();
        for row in table.lines().map(str::trim).filter(|row| !row.is_empty()) {
            let (name, rest) = row.split_once(' ').unwrap();
            rows.push_str(&format!("syscall {} {rest}\n", number(name)));
        }
        rows.push_str(&format!("syscall {} ok\n", number("getpid")));
        world.expect(&rows);
    });
}

#[test]
fn namespaces_are_neither_made_nor_entered() {
    expect(
        "
        unshare 0x10000000 EPERM
        unshare 0x00020000 EPERM
        unshare 0x20000000 EPERM
        unshare 0x40000000 EPERM
        unshare 0x00000080 EPERM
        unshare 0x00000200 ok
        unshare 0 ok
        clone 0x10000011 0 0 0 0 EPERM
        clone 0x00020011 0 0 0 0 EPERM
        clone3 0 0 ENOSYS
        setns 0 0 EPERM
        setns 0 0x10000000 EPERM
        ",
    );
}

#[test]
fn mounts_and_host_settings_are_refused() {
    expect(
        "
        mount 0 0 0 0 0 EPERM
        umount2 0 0 EPERM
        pivot_root 0 0 EPERM
        open_tree -100 0 1 EPERM
        fsopen 0 0 EPERM
        swapon 0 0 EPERM
        acct 0 EPERM
        reboot 0 0 0 0 EPERM
        ",
    );
}

#[test]
fn ways_into_the_kernel_are_refused() {
    expect(
        "
        io_uring_setup 1 0 EPERM
        bpf 0 0 0 EPERM
        init_module 0 0 0 EPERM
        kexec_load 0 0 0 0 EPERM
        keyctl 0 0 EPERM
        add_key 0 0 0 0 0 EPERM
        request_key 0 0 0 0 EPERM
        perf_event_open 0 0 0 0 0 EPERM
        userfaultfd 0 EPERM
        fanotify_init 0 0 EPERM
        name_to_handle_at -100 0 0 0 0 EPERM
        open_by_handle_at -100 0 0 EPERM
        ",
    );
}

#[test]
fn an_unknown_number_is_answered_as_by_an_older_kernel() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        world.expect(&format!(
            "
            syscall 999 ENOSYS
            syscall 0x7fffffff ENOSYS
            syscall {} ok
            ",
            number("getpid")
        ));
    });
}

/// The kernel ignores what stands above the 32 bits of an argument, and so must the filter (CVE-2019-7303).
#[test]
fn bits_above_an_arguments_own_change_nothing() {
    expect(
        "
        clone 0x110000011 0 0 0 0 EPERM
        ioctl 0 0x5412 0 EPERM
        ioctl 0 0x100005412 0 EPERM
        ioctl 0 0xffffffff00005412 0 EPERM
        ioctl 0 0x541c 0 EPERM
        ioctl 0 0x10000541c 0 EPERM
        ioctl 0 0x5413 0 ENOTTY
        ioctl 0 0x100005413 0 ENOTTY
        ",
    );
}

#[test]
fn nobody_types_for_the_owner_of_a_terminal() {
    for_every_user(|world| {
        world.policy("temporary: none\nallowed_paths: ['~/work']");
        let script = "
import ctypes, errno, fcntl
libc = ctypes.CDLL(None, use_errno=True)
for request in 0x5412, 0x100005412, 0xabcd000000005412, 0x541C:
    done = libc.ioctl(0, ctypes.c_ulong(request), b'x')
    print(done, errno.errorcode[ctypes.get_errno()])
fcntl.ioctl(0, 0x5413, bytes(8))  # TIOCGWINSZ
print('works')
";
        let ran = world
            .confined()
            .in_terminal()
            .command(["/usr/bin/python3", "-I", "-S", "-c", script])
            .works();
        assert_eq!(ran.stdout.replace('\r', ""), "-1 EPERM\n".repeat(4) + "works\n", "{ran:#?}");
    });
}

#[test]
fn flags_of_a_file_are_not_changed_through_a_descriptor_for_reading() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work', { path: '~/data', access: r }]");
        world.write("~/data/file", "data");
        world.expect(
            "
            attributes  ~/data/file                       EACCES
            read        ~/data/file                       ok
            ",
        );
    });
}

#[test]
fn a_process_outside_is_not_traced_and_its_memory_not_copied() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        // The parent of the shim: this process, or the one that switched the user.
        let parent = std::process::id();
        let (ptrace, readv, open) =
            (number("ptrace"), number("process_vm_readv"), number("pidfd_open"));
        world.expect(&format!(
            "
            syscall {ptrace} 16 {parent} 0 0 EPERM
            syscall {ptrace} 0x4206 {parent} 0 0 EPERM
            syscall {readv} {parent} 0 0 0 0 0 EPERM|ok
            read /proc/{parent}/environ EACCES
            read /proc/{parent}/mem EACCES
            syscall {open} {{self}} 0 ok
            ",
        ));
    });
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_numbers_of_x32_are_unknown() {
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        // getpid, openat, unshare and execve as x32 has them.
        world.expect(
            "
            syscall 0x40000027 ENOSYS
            syscall 0x40000101 -100 0 0 0 ENOSYS
            syscall 0x40000110 0x10000000 ENOSYS
            syscall 0x40000208 0 0 0 ENOSYS
            syscall 39 ok
            ",
        );
    });
}

/// A filter sees only numbers; those of i386 mean other calls, so the process dies.
#[cfg(target_arch = "x86_64")]
#[test]
fn a_call_through_the_gate_of_i386_kills() {
    const SIGSYS: i32 = 31;
    for_every_user(|world| {
        world.policy("allowed_paths: ['~/work']");
        // getpid of i386 through int 0x80, then getpid of x86_64.
        let source = "int main(void) { long pid; __asm__ volatile(\"int $0x80\" : \"=a\"(pid) : \"a\"(20) : \"memory\"); return pid <= 0; }";
        world.write("~/gate.c", source);
        let mut cc = std::process::Command::new("cc");
        let compiled = cc
            .arg("-o")
            .arg(world.path("~/work/gate"))
            .arg(world.path("~/gate.c"))
            .status()
            .unwrap();
        assert!(compiled.success());
        let bare = std::process::Command::new(world.path("~/work/gate")).status().unwrap();
        assert!(bare.success(), "this kernel has no i386 gate to close: {bare}");
        let ran = world.confined().command(["./gate"]);
        assert_eq!(ran.signal(), SIGSYS);
        world.confined().command(["true"]).works();
    });
}
