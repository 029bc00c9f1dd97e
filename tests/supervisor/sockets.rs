//! Unix sockets: `w` to make one and to connect to one; datagrams not at all; everything else as ever.

use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use crate::site::for_every_user_in_the_site;
use crate::support::{World, for_every_user};

/// A server outside, at this path, that anybody may connect to.
fn server(world: &World, path: &str) -> UnixListener {
    let listener = UnixListener::bind(world.path(path)).unwrap();
    world.chmod(path, 0o777);
    world.give(&world.path(path));
    listener
}

const FORMS: &[&str] = &["path", "cwd", "dots", "root", "magic", "within"];

fn table(call: &str, path: &str, outcome: &str) -> String {
    FORMS.iter().map(|form| format!("{call}@{form} SOCK_STREAM {path} {outcome}\n")).collect()
}

#[test]
fn a_socket_is_connected_to_only_where_it_may_be_written() {
    for_every_user_in_the_site(|world| {
        let paths =
            ["~/secret/s", "~/work/closed/s", "~/work/fixed/s", "~/work/late", "~/work/wild/.env2"];
        let _denied: Vec<UnixListener> = paths.iter().map(|path| server(&world, path)).collect();
        let _open = [server(&world, "~/work/open/s"), server(&world, "~/work/blind/s")];
        world.symlink("../closed/s", "~/work/open/to-s");
        world.symlink("s", "~/work/open/also-s");
        let mut all = String::new();
        for path in &paths[..4] {
            all.push_str(&table("connect", path, "EACCES"));
        }
        for path in ["~/work/open/s", "~/work/blind/s", "~/work/wild/.env2"] {
            all.push_str(&table("connect", path, "ok"));
        }
        world.answers(&all);
        world.answers(
            "
            connect     SOCK_STREAM ~/work/open/to-s      EACCES
            connect     SOCK_STREAM ~/work/open/also-s    ok
            connect@proc-fd SOCK_STREAM ~/work/closed/s   EACCES
            connect@proc-fd SOCK_STREAM ~/work/open/s     ok
            connect     SOCK_SEQPACKET ~/work/closed/s    EACCES
            connect     SOCK_SEQPACKET ~/work/open/s      EPROTOTYPE
            connect     SOCK_STREAM ~/work/closed/none    ENOENT
            connect     SOCK_STREAM ~/work/closed/file    EACCES|ECONNREFUSED
            connect     SOCK_STREAM ~/work/open/file      ECONNREFUSED
            connect     SOCK_STREAM ~/work/open/file/x    ENOTDIR
            socket      AF_UNIX SOCK_STREAM >a            ok
            connect-fd  %a ~/work/closed/s                EACCES
            connect-fd  %a ~/work/open/s                  ok
            send        %a hello                          ok
            connect-fd  %a ~/work/open/s                  EISCONN
            connect-fd  77 ~/work/open/s                  EBADF
            openat      ~/work/open/file O_RDONLY 0 >b    ok
            connect-fd  %b ~/work/open/s                  ENOTSOCK
            connect-nothing %a 1                          EFAULT
            connect-nothing %a 2                          EINVAL
            ",
        );
    });
}

#[test]
fn what_arrives_at_a_server_outside_is_what_was_sent() {
    for_every_user_in_the_site(|world| {
        let listener = server(&world, "~/work/open/s");
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            std::io::Read::read_to_string(&mut listener.accept().unwrap().0, &mut text).unwrap();
            text
        });
        world.answers("connect SOCK_STREAM ~/work/open/s >a ok\nsend %a hello ok\nclose %a ok");
        assert_eq!(reader.join().unwrap(), "hello");
    });
}

#[test]
fn a_socket_is_made_only_under_a_name_that_may_be_written() {
    for_every_user_in_the_site(|world| {
        let mut all = String::new();
        for path in [
            "~/work/closed/new",
            "~/work/fixed/new",
            "~/work/late",
            "~/work/open/.env",
            "~/secret/new",
        ] {
            all.push_str(&table("bind", path, "EACCES"));
        }
        all.push_str("bind SOCK_STREAM ~/work/open/to-directory/new EACCES\n");
        world.answers_and_leaves(&["~/work", "~/secret"], &all);
        let made: String = table("bind", "~/work/open/new", "ok")
            .lines()
            .map(|row| format!("{row}\nunlinkat ~/work/open/new 0 ok\n"))
            .collect();
        world.answers(&made);
        world.answers(
            "
            bind        SOCK_STREAM ~/work/closed/file    EADDRINUSE
            bind        SOCK_STREAM ~/work/open/file      EADDRINUSE
            bind        SOCK_STREAM ~/work/open/to-late   EADDRINUSE
            bind        SOCK_STREAM ~/work/none/x         ENOENT
            bind        SOCK_STREAM ~/work/open/file/x    ENOTDIR
            bind-fd     77 ~/work/open/x                  EBADF
            ",
        );
    });
}

#[test]
fn a_server_and_its_client_meet_in_an_allowed_directory() {
    for_every_user_in_the_site(|world| {
        world.symlink("open", "~/work/also-open");
        for (bind, connect) in [
            ("path", "~/work/open/s"),
            ("cwd", "~/work/open/s"),
            ("within", "~/work/open/s"),
            ("path", "~/work/also-open/s"),
            ("path", "open/s"),
            ("path", "./also-open/../open//s"),
        ] {
            world.answers(&format!(
                "
                umask       027                           ok
                bind@{bind} SOCK_STREAM {connect} >a      ok
                lstat       ~/work/open/s                 140750:0
                listen      %a                            ok
                connect     SOCK_STREAM {connect} >b      ok
                connect     SOCK_STREAM ~/work/open/s >c  ok
                accept      %a >d                         ok
                send        %b question                   ok
                read        %d                            question
                send        %d answer                     ok
                read        %b                            answer
                bind-fd     %a ~/work/open/t              EINVAL
                unlink      ~/work/open/s                 ok
                connect     SOCK_STREAM ~/work/open/s     ENOENT
                "
            ));
        }
    });
}

#[test]
fn datagrams_through_the_file_tree_are_refused_and_streams_are_not() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            socket      AF_UNIX SOCK_DGRAM                EACCES
            socket      AF_UNIX SOCK_DGRAM|SOCK_CLOEXEC   EACCES
            socket      AF_UNIX SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC EACCES
            socketpair  AF_UNIX SOCK_DGRAM                EACCES
            # SOCK_RAW of AF_UNIX is a datagram socket by another name (unix(7)).
            socket      AF_UNIX 3                         EACCES
            socketpair  AF_UNIX 3                         EACCES
            socket      0x5a5a5a5a00000001 0x5a5a5a5a00000002 EACCES
            socket      AF_UNIX SOCK_STREAM               ok
            socket      AF_UNIX SOCK_SEQPACKET            ok
            socketpair  AF_UNIX SOCK_STREAM >a            ok
            send        %a hello                          ok
            read        %b                                hello
            socketpair  AF_UNIX SOCK_SEQPACKET >c         ok
            send        %d hello                          ok
            read        %c                                hello
            socket      AF_INET SOCK_STREAM               ok
            socket      AF_INET SOCK_DGRAM                ok
            socket      AF_NETLINK 3                      ok
            socket      99 SOCK_STREAM                    EAFNOSUPPORT
            socket      AF_UNIX 77                        EINVAL|ESOCKTNOSUPPORT
            ",
        );
    });
}

#[test]
fn abstract_sockets_meet_inside_and_not_outside() {
    for_every_user_in_the_site(|world| {
        let name = format!("clawsuper-{}-{}", std::process::id(), world.user.uid);
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let _outside = UnixListener::bind_addr(&address).unwrap();
        world.answers(&format!(
            "
            connect-abstract {name}                       EPERM
            connect-abstract {name}-none                  ECONNREFUSED
            bind-abstract {name}                          EADDRINUSE
            bind-abstract {name}-own >a                   ok
            listen      %a                                ok
            connect-abstract {name}-own >b                ok
            child connect-abstract {name}-own             ok
            accept      %a >c                             ok
            send        %c hello                          ok
            read        %b                                hello
            "
        ));
    });
}

#[test]
fn a_descriptor_passes_between_processes_of_the_target_with_its_rights() {
    for_every_user_in_the_site(|world| {
        world.answers(
            "
            openat      ~/work/open/file O_RDONLY 0 >a    ok
            pass        %a >b                             ok
            read        %b                                open
            openat      ~/work/closed/file O_PATH 0 >c    ok
            pass        %c >d                             ok
            openat      /proc/self/fd/%d O_RDONLY 0       EACCES
            fchmodat2@fd:%d @empty 0600 AT_EMPTY_PATH     EACCES
            openat      ~/work/closed O_PATH 0 >e         ok
            pass        %e >f                             ok
            openat@fd:%f file O_RDONLY 0                  EACCES
            openat@fd:%f none O_RDONLY 0                  ENOENT
            openat@fd:%f ../open/file O_RDONLY 0          ok
            ",
        );
    });
}

/// Every family and protocol that this kernel has: what is not known to stay on the machine is neither bound nor
/// listens. Prints the families that there are, then what went otherwise, then what is known.
const FAMILIES: &str = "
import ctypes, errno, itertools, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
made, wrong = set(), []
known = {2: {6, 17, 136, 262}, 10: {6, 17, 136, 262}}
for family, kind, protocol in itertools.product(range(3, 47), range(1, 7), [0, 1, 2, 3, 6, 17, 33, 115, 132, 136, 255, 262]):
    try: s = socket.socket(family, kind, protocol)
    except OSError: continue
    made.add(family)
    if family in (16, 38) or s.getsockopt(1, 38) in known.get(family, ()): continue
    for address in [struct.pack('=HHIIII', family, 0, 4711, 0xffffffff, 0, 0), struct.pack('=HHI8x', 2, 0, 0x0100007f)]:
        if libc.bind(s.fileno(), address, len(address)) == 0 or ctypes.get_errno() != errno.EACCES:
            wrong.append(('bind', family, kind, protocol, ctypes.get_errno()))
    if libc.listen(s.fileno(), 1) == 0 or ctypes.get_errno() != errno.EACCES:
        wrong.append(('listen', family, kind, protocol, ctypes.get_errno()))
print(' '.join('16 netlink' if family == 16 else str(family) for family in sorted(made)))
for one in wrong: print(*one)
def attempt(name, act):
    try: act(); print(name, 'ok')
    except OSError as error: print(name, error.errno)
def stream(address):
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); s.bind((address, 0)); s.listen()
attempt('mptcp', lambda: stream('127.0.0.1'))
attempt('mptcp-any', lambda: stream('0.0.0.0'))
attempt('udplite', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136).bind(('127.0.0.1', 0)))
attempt('udplite-any', lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 136).bind(('0.0.0.0', 4711)))
attempt('netlink', lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).bind((0, 0)))
";

/// An exposed gateway is how such agents leak: an address that is not loopback, or none at all, is refused.
#[test]
fn a_socket_listens_on_loopback_alone_where_the_policy_says_so() {
    for_every_user(|world| {
        let rules = "security:\n  file_access: { presets: [system], allowed_paths: ['~/work'] }\n";
        let script = "
import socket
def attempt(name, act):
    try: act(); print(name, 'ok')
    except OSError as error: print(name, error.errno)
def bound(family, address):
    def act():
        s = socket.socket(family); s.bind(address); s.listen()
    return act
attempt('loopback', bound(socket.AF_INET, ('127.0.0.1', 0)))
attempt('loopback6', bound(socket.AF_INET6, ('::1', 0)))
attempt('mapped', bound(socket.AF_INET6, ('::ffff:127.0.0.1', 0)))
attempt('any', bound(socket.AF_INET, ('0.0.0.0', 0)))
attempt('any6', bound(socket.AF_INET6, ('::', 0)))
attempt('mapped-any', bound(socket.AF_INET6, ('::ffff:0.0.0.0', 0)))
attempt('unbound', lambda: socket.socket().listen())
attempt('unbound6', lambda: socket.socket(socket.AF_INET6).listen())
import ctypes, struct
def unspecified():
    s = socket.socket()
    address = struct.pack('=HHI8x', 0, 0, 0)
    if ctypes.CDLL(None, use_errno=True).bind(s.fileno(), address, len(address)): raise OSError(ctypes.get_errno(), 'bind')
attempt('unspecified', unspecified)
import os
attempt('unix', bound(socket.AF_UNIX, 'work-socket-%d' % os.getppid()))
def datagram(family, address):
    return lambda: socket.socket(family, socket.SOCK_DGRAM).bind(address)
attempt('udp', datagram(socket.AF_INET, ('127.0.0.1', 0)))
attempt('udp-client', datagram(socket.AF_INET, ('0.0.0.0', 0)))
attempt('udp-client6', datagram(socket.AF_INET6, ('::', 0)))
attempt('udp-server', datagram(socket.AF_INET, ('0.0.0.0', 45353)))
attempt('udp-server6', datagram(socket.AF_INET6, ('::', 45353)))
attempt('udp-address', datagram(socket.AF_INET, ('192.0.2.1', 0)))
";
        let command = ["/usr/bin/python3", "-I", "-S", "-c", script];
        let expected = "loopback ok\nloopback6 ok\nmapped ok\nany 13\nany6 13\nmapped-any 13\nunbound 13\n\
                        unbound6 13\nunspecified 13\nunix ok\nudp ok\nudp-client ok\nudp-client6 ok\n\
                        udp-server 13\nudp-server6 13\nudp-address 13\n";
        // What the preset makes outside the world.
        let of_preset = ["openclaw-", "openclaw-state-locks-", ".openclaw-terminal-staging-"];
        let mut missing = of_preset.map(|name| format!("/tmp/{name}{}", world.user.uid)).to_vec();
        missing.retain(|path| !Path::new(path).exists());
        let policy = world.text("~/policy.yaml");
        let own = format!("{rules}  network: {{ listen: loopback }}\n");
        let preset = rules.replace("[system]", "[system, openclaw]");
        for (text, says) in
            [(own, format!("{policy}:3")), (preset.clone(), "preset openclaw".to_owned())]
        {
            world.write("~/policy.yaml", text);
            let log = world.text("~/log");
            let fails = format!("{script}raise SystemExit(3)\n");
            let command = ["/usr/bin/python3", "-I", "-S", "-c", &fails];
            let ran = world.shim_with(["--log", &log, "--policy", &policy]).command(command);
            assert_eq!(ran.stdout, expected, "{ran:#?}");
            let reason = format!("(network.listen: loopback, {says})");
            ran.ends(3).says([reason.as_str(), "to allow it: `network: "]);
            let journal = world.read("~/log");
            for what in ["address 0.0.0.0", "address ::", "an address that everybody reaches"] {
                assert!(journal.contains(&format!("\"path\":\"{what}\"")), "{journal}");
            }
            fs::remove_file(&log).unwrap();
        }
        world.write("~/policy.yaml", format!("{rules}  network: {{ listen: loopback }}\n"));
        let ran =
            world.confined().command(["/usr/bin/python3", "-I", "-S", "-c", FAMILIES]).works();
        let (made, rest) = ran.stdout.split_once('\n').unwrap();
        assert!(made.contains("16 netlink"), "{ran:#?}");
        assert_eq!(
            rest, "mptcp ok\nmptcp-any 13\nudplite ok\nudplite-any 13\nnetlink ok\n",
            "{ran:#?}"
        );
        for text in [rules.to_owned(), format!("{preset}  network: {{ listen: any }}\n")] {
            world.write("~/policy.yaml", text);
            let ran = world.confined().command(command).works();
            assert!(ran.stdout.lines().take(8).all(|line| line.ends_with("ok")), "{ran:#?}");
        }
        for made in missing {
            let _ = fs::remove_dir(made);
        }
    });
}
