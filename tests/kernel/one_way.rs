//! A descriptor gives what it was opened for: one for writing tells nothing of what is in the file, one for reading
//! changes nothing, by whatever call. The policy's `w` without `r` rests on it, and `r` without `w`.

use crate::support::{CANARY, for_every_user};

/// What each call does to a descriptor that is open for writing alone (`blind`), and for reading alone (`fixed`).
const SCRIPT: &str = r#"
import ctypes, errno, fcntl, mmap, os, struct
def tried(name, call):
    try: call(); print(name, "ok")
    except OSError as error: print(name, errno.errorcode[error.errno])
    except PermissionError: print(name, "EACCES")
libc = ctypes.CDLL(None, use_errno=True)
def splice(a, b):
    if libc.splice(a, None, b, None, 6, 0) < 0: raise OSError(ctypes.get_errno(), "")
def tee_read(a):
    if libc.readahead(a, ctypes.c_long(0), 6) < 0: raise OSError(ctypes.get_errno(), "")
blind = os.open("blind", os.O_WRONLY); fixed = os.open("fixed", os.O_RDONLY)
mine = os.open("mine", os.O_RDWR | os.O_CREAT, 0o600); os.write(mine, b"guess1"); os.lseek(mine, 0, 0)
r, w = os.pipe(); os.write(w, b"x" * 16)
print("-- blind")
tried("read", lambda: os.read(blind, 6)); tried("pread", lambda: os.pread(blind, 6, 0))
tried("mmap", lambda: mmap.mmap(blind, 6, mmap.MAP_SHARED, mmap.PROT_WRITE))
tried("private", lambda: mmap.mmap(blind, 6, mmap.MAP_PRIVATE, mmap.PROT_READ))
tried("copy", lambda: os.copy_file_range(blind, mine, 6, 0, 0)); tried("sendfile", lambda: os.sendfile(w, blind, 0, 6))
tried("splice", lambda: splice(blind, w)); tried("readahead", lambda: tee_read(blind))
tried("clone", lambda: fcntl.ioctl(mine, 0x40049409, blind))
one = struct.pack("QQHHIqQiI", 0, 6, 1, 0, 0, blind, 0, 0, 0)
tried("compare", lambda: fcntl.ioctl(mine, 0xc0189436, bytearray(one)))
tried("compare high", lambda: libc.syscall(16, mine, 0x1c0189436, one) and (_ for _ in ()).throw(OSError(ctypes.get_errno(), "")))
tried("reopen", lambda: os.open(f"/proc/self/fd/{blind}", os.O_RDONLY)); tried("note", lambda: os.getxattr(blind, "user.note"))
print("-- fixed")
tried("write", lambda: os.write(fixed, b"x")); tried("truncate", lambda: os.ftruncate(fixed, 0))
tried("allocate", lambda: os.posix_fallocate(fixed, 0, 4096)); tried("mmap", lambda: mmap.mmap(fixed, 5, mmap.MAP_SHARED, mmap.PROT_WRITE))
tried("copy", lambda: os.copy_file_range(mine, fixed, 6, 0, 0)); tried("sendfile", lambda: os.sendfile(fixed, mine, 0, 6))
tried("splice", lambda: splice(r, fixed)); tried("clone", lambda: fcntl.ioctl(fixed, 0x40049409, mine))
tried("mode", lambda: os.fchmod(fixed, 0o777)); tried("times", lambda: os.utime(fixed)); tried("note", lambda: os.setxattr(fixed, "user.note", b"x"))
tried("flags", lambda: fcntl.ioctl(fixed, 0x40086602, struct.pack("l", 0x10)))
tried("reopen", lambda: os.open(f"/proc/self/fd/{fixed}", os.O_WRONLY))
print("-- allowed")
tried("write", lambda: os.write(blind, CANARY)); tried("read", lambda: os.read(fixed, 6)); tried("copy", lambda: os.copy_file_range(fixed, mine, 3, 0, 0))
"#;

#[test]
fn a_descriptor_gives_nothing_that_it_was_not_opened_for() {
    for_every_user(|world| {
        world.write("~/work/blind", CANARY);
        world.write("~/work/fixed", "fixed");
        world.policy(
            "allowed_paths: ['~/work']
             blocked_paths: [{ path: '~/work/blind', access: r }, { path: '~/work/fixed', access: w }]",
        );
        let script = SCRIPT.replace("CANARY", &format!("b'{CANARY}'"));
        let command = ["/usr/bin/python3", "-I", "-c", &script];
        let ran = world.confined().args(["--mode", "supervised"]).command(command).works();
        let (denied, allowed) = ran.stdout.split_once("-- allowed\n").unwrap();
        for line in denied.lines().filter(|line| !line.starts_with("--")) {
            let errno = line.rsplit(' ').next().unwrap();
            let expected = ["EBADF", "EACCES", "EINVAL", "EPERM"];
            assert!(expected.contains(&errno), "{line}\n{ran:#?}");
        }
        // Not for want of a file system that can do it.
        assert!(denied.contains("\ncompare EPERM\ncompare high EPERM\n"), "{ran:#?}");
        assert_eq!(allowed, "write ok\nread ok\ncopy ok\n", "{ran:#?}");
        assert_eq!(world.read("~/work/fixed"), "fixed");
    });
}
