"""CPython's own tests (Debian's libpython3.11-testsuite), one unit a module, by CPython's own runner."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from outcome import Extent, Outcome
from world import Side, World

PYTHON = "/usr/bin/python3.11"
HERE = Path(__file__).resolve().parent
LIMIT = 400  # seconds for a module
STUCK = 380  # the same, with a traceback of where it hangs
# Those that need neither a network nor a sound card nor minutes.
RESOURCES = "cpu,subprocess,curses,tzdata"

# Waits for a hypervisor that answers, where root may ask it.
IGNORED = "*VSOCK*"
# Reasons tell process numbers and paths.
NUMBERS = re.compile(r"(?<=_)\d+(?=_)|(?<=cgt-)\w+/\d+")

# For both users.
MODULES = """
test_dbm test_dbm_dumb test_dbm_ndbm test_epoll test_fcntl test_file test_filecmp test_fileinput test_fileio
test_fileutils test_genericpath test_getpass test_glob test_grp test_gzip test_linecache test_mailbox test_mimetypes
test_mmap test_openpty test_os test_pathlib test_pkgutil test_popen test_posix test_posixpath test_pty test_pwd
test_py_compile test_readline test_resource test_runpy test_select test_shutil test_socket test_spwd test_stat
test_subprocess test_sysconfig test_syslog test_tarfile test_tempfile test_thread test_threading test_unicode_file
test_unicode_file_functions test_zipimport
""".split()
# These take minutes: for the ordinary user only.
HEAVY = """
test_asyncio test_multiprocessing_fork test_multiprocessing_forkserver test_multiprocessing_spawn
""".split()
# What costs more than it can show: with --all, or when it is named.
EXTRA = """
test_asynchat test_asyncore test_atexit test_bdb test_c_locale_coercion test_cgi test_cmd_line test_cmd_line_script
test_code_module test_compileall test_concurrent_futures test_configparser test_cprofile test_crypt test_eintr
test_faulthandler test_fork1 test_ftplib test_gc test_http_cookiejar test_httpservers test_imp test_import
test_importlib test_inspect test_io test_locale test_logging test_modulefinder test_multiprocessing_main_handling
test_netrc test_ntpath test_pdb test_pipes test_platform test_plistlib test_poll test_profile test_pydoc test_repl
test_sched test_secrets test_selectors test_shelve test_signal test_site test_smtplib test_ssl test_support test_sys
test_telnetlib test_threadsignals test_time test_timeout test_trace test_tracemalloc test_univnewlines test_urllib
test_urllib2_localnet test_utf8_mode test_uuid test_venv test_wait3 test_wait4 test_webbrowser test_wsgiref
test_xmlrpc test_zipapp test_zipfile
""".split()


@dataclass(frozen=True)
class Module:
    """One file of tests."""

    module: str
    extent: Extent

    @property
    def name(self) -> str:
        """As it is named on the command line."""
        return f"cpython/{self.module}"

    def play(self, world: World, side: Side, only: Sequence[str]) -> dict[str, Outcome]:
        """The files of the tests are in the workspace, but for those that ask for a temporary directory."""
        # test_site makes it if it is missing, and then skips everything: no preset lets it.
        world.mkdir("home/.local/lib/python3.11/site-packages")
        recorder = world.put("recorder.py", (HERE / "recorder.py").read_text())
        results = world.put("results", "")
        scratch = world.mkdir("work/t")
        words = [PYTHON, str(recorder), str(results), "-u", RESOURCES, "--timeout", str(STUCK), "-i", IGNORED]
        words += ["--tempdir", str(scratch), *(word for test in only for word in ("-m", test)), self.module]
        ended = world.run(side, words, LIMIT)
        found = read(results)
        if not found:
            return {self.module: Outcome(f"no test, exit {ended.code}", ended.output)}
        # 2 is told by the tests themselves. The rest is regrtest's: a changed environment, an interrupt, a signal.
        told = ended.code == 2 and any(each.word.startswith(("fail", "error", "unex")) for each in found.values())
        found[self.module] = Outcome("exit 0" if told else f"exit {ended.code}", ended.output)
        return found


def read(results: Path) -> dict[str, Outcome]:
    """The last word of each test; a test with failing subtests has several."""
    found: dict[str, list[Outcome]] = {}
    for line in results.read_text().splitlines():
        test, word, detail = json.loads(line)
        outcomes = found.setdefault(test, [])
        if word != "no end":
            outcomes.append(Outcome(NUMBERS.sub("N", word), detail))
    return {test: together(outcomes) for test, outcomes in found.items()}


def together(outcomes: list[Outcome]) -> Outcome:
    """All different words, since a test can fail in two ways."""
    words = sorted({outcome.word for outcome in outcomes}) or ["no end"]
    return Outcome(", ".join(words), "\n".join(outcome.detail for outcome in outcomes))


def units() -> list[Module]:
    """Those that take longest first, so that nobody waits for them alone at the end."""
    groups = ((HEAVY, Extent.ORDINARY), (MODULES, Extent.BOTH), (EXTRA, Extent.EXTRA))
    return [Module(module, extent) for modules, extent in groups for module in modules]
