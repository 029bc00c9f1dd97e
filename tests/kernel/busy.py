"""Becomes the command line given, under a seccomp filter that has a listener and allows everything."""
import ctypes, os, struct, sys

PR_SET_NO_NEW_PRIVS, SET_MODE_FILTER, NEW_LISTENER, ALLOW = 38, 1, 8, 0x7FFF0000
NUMBER = {"x86_64": 317, "aarch64": 277}[os.uname().machine]

libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
filter = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, ALLOW))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", 1, ctypes.addressof(filter)))
listener = libc.syscall(NUMBER, SET_MODE_FILTER, NEW_LISTENER, program)
if listener < 0:
    sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
# It serves as long as somebody holds it: here the command itself, elsewhere a container runtime.
os.set_inheritable(listener, True)
os.execv(sys.argv[1], sys.argv[1:])
