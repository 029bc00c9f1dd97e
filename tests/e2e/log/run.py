#!/usr/bin/env python3
"""The page of `clawguard-exec log --html`, looked at in a real browser.

    run.py CLAWGUARD_EXEC [SCREENSHOTS]

A confined command asks for files whose names would like to be markup; the page of its journal is opened in
chromium. The rows, the tree and the timeline must hold what the journal holds, the filter must work, the names
must be text, and nothing may be asked of any network. With SCREENSHOTS, a directory, what was seen stays there.
Nothing is skipped: without chromium it fails (Debian: apt-get install chromium chromium-driver).
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.dont_write_bytecode = True
from browser import Browser

HERE = Path(__file__).resolve().parent

POLICY = """\
security:
  file_access:
    presets: [system]
    allowed_paths: ['~/work']
    blocked_paths: ['**/.env', '~/work/<u>*']
logging: { log_commands: true }
"""

# Each would do something to the page if it were markup, or to the reader if it were a control character.
NAMES = [
    b"<img src=x onerror=\"document.title='owned'\">",
    b"</td></table><script>document.title='owned'</script>",
    b"</style><style>*{display:none}</style>",
    b"\" autofocus onfocus=\"document.title='owned'\" x=\"",
    b"' onmouseover='document.title=1",
    b"<svg onload=document.title='owned'>",
    b"<iframe src=http://127.0.0.1:9/frame></iframe>",
    b"<link rel=stylesheet href=http://127.0.0.1:9/style>",
    b"javascript:document.title='owned'",
    b"&lt;b&gt;-->]]>${1}{{1}}",
    b"line\nbreak\ttab",
    b"\x1b]0;owned\x07\x1b[31m",
    "right\u202eot\u2066tfel\u061c\u2028\U000e0041".encode(),
    b"not-utf8-\xff\xfe",
    b"a" * 200,
]


class Verdict:
    """One printed line for each assertion, and the count."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, holds, evidence=""):
        print(f"{'PASS' if holds else 'FAIL'}  {sentence}", flush=True)
        self.passed += bool(holds)
        self.failed += not holds
        if not holds:
            for line in str(evidence).splitlines()[-20:]:
                print(f"      | {line[:600]}", flush=True)


def shim(arguments, home, **options):
    variables = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(home), "LANG": "C.UTF-8", "TZ": "UTC"}
    return subprocess.run([SHIM, *arguments], env=variables, cwd=home / "work", stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=120, **options)


def make_journal(home):
    """Two runs: one of hostile names, one by the built-in default."""
    (home / "work/sub").mkdir(parents=True)
    (home / "work/.env").write_text("KEY=1\n")
    (home / "secret").mkdir()
    (home / "policy.yaml").write_text(POLICY)
    names = "\n".join(base64.b64encode(name).decode() for name in NAMES)
    ran = shim(["-q", "--policy", home / "policy.yaml", "--", "/usr/bin/python3", "-I", "-S", "-c",
                (HERE / "hostile.py").read_text(), home], home, input=names.encode())
    if ran.returncode != 0 or b"asked" not in ran.stdout:
        raise SystemExit(f"the command could not run confined: {ran}")
    shim(["-q", "--", "sh", "-c", "cat .env; exit 3"], home)
    journal = home / ".local/state/clawguard/journal.jsonl"
    return [json.loads(line) for line in journal.read_text().splitlines()]


def check_content(verdict, browser, lines):
    denied = [line for line in lines if line["event"] == "denied"]
    count = Counter()
    for line in denied:
        key = (line["session"], line["command"], line["operation"], line["path"], line["access"])
        count[key] += line.get("count", 1)
    total = sum(count.values())
    rows = browser.run("""return Array.from(document.querySelectorAll('#denials tbody tr'), row =>
        ({count: Number(row.dataset.count), cells: Array.from(row.cells, cell => cell.textContent)}))""")
    verdict.check("there is a row for each kind of denial", len(rows) == len(count), f"{len(rows)} rows, {len(count)} kinds")
    verdict.check("the rows count every denial", sum(row["count"] for row in rows) == total, f"{rows}\n{total}")
    tile = browser.run("return document.querySelector('.tiles .denied b').textContent")
    verdict.check("the first number is that of all denials", tile == str(total), tile)
    times = [row["cells"][0] for row in rows]
    verdict.check("the newest denial comes first", times == sorted(times, reverse=True), times)
    bars = browser.run("""return Array.from(document.querySelectorAll('.strip.denied rect title'),
        title => Number(title.textContent.match(/: (\\d+) denied/)[1]))""")
    verdict.check("the bars of the timeline count every denial", sum(bars) == total, bars)
    executed = sum(line["event"] == "executed" for line in lines)
    bars = browser.run("""return Array.from(document.querySelectorAll('.strip.executed rect title'),
        title => Number(title.textContent.match(/: (\\d+) executed/)[1]))""")
    verdict.check("executed programs have a timeline of their own", sum(bars) == executed > 0, bars)
    by_access = Counter()
    for key, number in count.items():
        for letter in key[4]:
            by_access[letter] += number
    heads = browser.run("return Array.from(document.querySelectorAll('.tree .head span'), one => one.textContent)")
    top = browser.run("""return Array.from(document.querySelector('.tree summary').querySelectorAll('.n'),
        one => one.textContent.replace(/\\D/g, ''))""")
    seen = dict(zip(heads[1:], top))
    wanted = {f"denied {letter}": str(number) for letter, number in by_access.items()}
    verdict.check("the tree counts every denial by its access", {k: v for k, v in seen.items() if k.startswith("denied")} == wanted,
                  f"{seen}\n{wanted}")
    leaves = browser.run("return Array.from(document.querySelectorAll('.tree button'), one => one.dataset.path)")
    paths = browser.run("return Array.from(document.querySelectorAll('#denials td.path'), one => one.dataset.sort)")
    missing = [path for path in paths if path not in leaves]
    verdict.check("the tree has every path", not missing, missing)
    runs = browser.run("return Array.from(document.querySelectorAll('.runs tbody tr'), row => row.textContent)")
    verdict.check("both runs are told, with how they ended", len(runs) == 2 and "ended with 3" in runs[0], runs)
    why = [row["cells"][6] for row in rows]
    verdict.check("a row says which line denied", any(re.search(r"blocked `\*\*/\.env` \(.*policy\.yaml:5\)", one) for one in why), why)
    return rows, total


def check_hostile(verdict, browser, rows):
    paths = "\n".join(row["cells"][5] for row in rows)
    for name in NAMES:
        text = name.decode("utf-8", "replace").replace("/", "\u2215")
        text = re.split("[\x00-\x1f\x7f\u202e\u2066\u061c\u2028\U000e0041\ufffd]", text)
        parts = [part for part in text if part]
        verdict.check(f"a hostile name is shown as text: {name[:50]!r}", all(part in paths for part in parts), parts)
    raw = browser.run("return document.body.textContent")
    verdict.check("no control or bidirectional character is in the page",
                  not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u061c\u2028\u2029\U000e0000-\U000e007f]", raw))
    foreign = browser.run("""return Array.from(document.querySelectorAll(
        'img, iframe, object, embed, link, form, b b, svg[onload], [onerror], [onload], [onfocus], [onmouseover], [style]'),
        one => one.outerHTML.slice(0, 200))""")
    verdict.check("no name became an element or an attribute", not foreign, foreign)
    scripts = browser.run("return [document.scripts.length, document.querySelectorAll('style').length]")
    verdict.check("there is one script and one style sheet, ours", scripts == [1, 1], scripts)
    title = browser.run("return document.title")
    verdict.check("no script of theirs ran", title == "clawguard: what was denied" and not browser.has_dialog(), title)


def check_policy(verdict, browser):
    """The content security policy holds even if markup got in: proved with markup that the driver puts there."""
    browser.run("""document.body.insertAdjacentHTML('beforeend', '<div id=in><img src=x onerror="document.title=1"><i style="color:red">x</i></div>');
        const late = document.createElement('script'); late.textContent = 'document.title = 2'; document.body.append(late);""")
    browser.run("return new Promise(done => setTimeout(done, 300))")
    title = browser.run("return document.title")
    told = [entry["message"] for entry in browser.console()]
    verdict.check("markup that got in could run no script", title == "clawguard: what was denied", title)
    verdict.check("and the browser says that the policy refused it", any("Content Security Policy" in one for one in told), told)
    asked = [url for url in browser.requests() if not url.startswith("file:///")]
    verdict.check("and nothing was asked of the network", not asked, asked)


def check_use(verdict, browser, rows, total):
    status = "return document.getElementById('shown').textContent"
    visible = "return Array.from(document.querySelectorAll('#denials tbody tr')).filter(row => row.offsetHeight > 0).length"
    verdict.check("the filter says how much is shown", browser.run(status) == f"{len(rows)} of {len(rows)} rows, {total} denials",
                  browser.run(status))
    browser.type("#filter", ".ENV cat")
    wanted = [row for row in rows if all(word in " ".join(row["cells"]).lower() for word in (".env", "cat"))]
    verdict.check("the filter leaves the rows with all of its words", 0 < browser.run(visible) == len(wanted) < len(rows), browser.run(visible))
    browser.run("const box = document.getElementById('filter'); box.value = ''; box.dispatchEvent(new Event('input'))")
    browser.type("#filter", "<img src=x")
    verdict.check("a hostile name can be filtered for", browser.run(visible) == 1, browser.run(visible))
    browser.run("const box = document.getElementById('filter'); box.value = ''; box.dispatchEvent(new Event('input'))")
    verdict.check("an empty filter shows all", browser.run(visible) == len(rows))
    browser.run("""Array.from(document.querySelectorAll('.tree button')).find(one => one.dataset.path.endsWith('/secret')).click()""")
    inside = [row for row in rows if re.search(r"/secret(/|$)", row["cells"][5])]
    verdict.check("a directory of the tree filters the table", browser.run(visible) == len(inside) > 5, browser.run(visible))
    browser.run("const box = document.getElementById('filter'); box.value = ''; box.dispatchEvent(new Event('input'))")
    browser.click("#denials th:nth-child(6) button")
    paths = browser.run("return Array.from(document.querySelectorAll('#denials td.path'), one => one.dataset.sort)")
    in_order = browser.run("return arguments[0].slice().sort((a, b) => a.localeCompare(b, 'en', {numeric: true}))", paths)
    verdict.check("a heading sorts the table", paths == in_order and len(paths) == len(rows), paths)
    order = browser.run("return document.querySelectorAll('#denials th')[5].getAttribute('aria-sort')")
    verdict.check("and says so", order == "ascending", order)
    keys = """const all = Array.from(document.querySelectorAll('a, button, input, summary')).filter(one => one.offsetHeight > 0);
        return all.filter(one => one.tabIndex < 0).map(one => one.outerHTML.slice(0, 200))"""
    verdict.check("everything that can be used can be reached with the keyboard", browser.run(keys) == [], browser.run(keys))
    browser.run("document.querySelector('.tree summary').focus()")
    before = browser.run("return document.querySelector('.tree details').open")
    # The Enter key, as WebDriver writes it.
    browser.type(".tree summary", "\ue007")
    verdict.check("the Enter key closes a directory", before and not browser.run("return document.querySelector('.tree details').open"))
    labelled = browser.run("return document.querySelector('#filter').labels.length === 1 && document.documentElement.lang === 'en'")
    verdict.check("the box has a label and the page a language", labelled)


def check_widths(verdict, browser, page, pictures):
    for scheme in ("light", "dark"):
        if scheme == "dark":
            browser.dark()
        for width in (1280, 400):
            browser.width(width)
            browser.open(page)
            across = browser.run("return document.documentElement.scrollWidth")
            verdict.check(f"at {width} pixels, {scheme}, nothing hangs over the edge", across <= width, across)
            if pictures:
                browser.screenshot(pictures / f"{scheme}-{width}.png")
    dark = browser.run("return getComputedStyle(document.documentElement).backgroundColor")
    verdict.check("in the dark the paper is dark", sum(map(int, re.findall(r"\d+", dark)[:3])) < 150, dark)


def check_without_script(verdict, page, count):
    with Browser(["--blink-settings=scriptEnabled=false"]) as browser:
        browser.open(page)
        browser.devtools("DOM.enable")
        root = browser.devtools("DOM.getDocument")["root"]["nodeId"]
        rows = browser.devtools("DOM.querySelectorAll", nodeId=root, selector="#denials tbody tr:not([hidden])")["nodeIds"]
        verdict.check("without scripts every row is there", len(rows) == count, len(rows))
        boxes = browser.devtools("DOM.querySelectorAll", nodeId=root, selector=".filter:not([hidden]), .tree button:not([hidden])")["nodeIds"]
        verdict.check("and nothing that would need one", boxes == [], boxes)


def main():
    pictures = Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else None
    verdict = Verdict()
    with tempfile.TemporaryDirectory(prefix="clawguard-log-") as directory:
        home = Path(os.path.realpath(directory)) / "home"
        lines = make_journal(home)
        file = home / "page.html"
        ran = shim(["log", "--html", file], home)
        verdict.check("the page is written", ran.returncode == 0 and file.exists(), ran)
        page = file.as_uri()
        text = file.read_text()
        verdict.check("the page names no other place", not re.search(r"(src|href|url)\s*[=(]\s*[\"']?(?!#)[a-z]+:", text.split("<main>")[0]))
        with Browser() as browser:
            # What the browser asks itself for its first page is not ours.
            browser.open("about:blank")
            browser.requests()
            browser.width(1280)
            browser.open(page)
            rows, total = check_content(verdict, browser, lines)
            check_hostile(verdict, browser, rows)
            check_use(verdict, browser, rows, total)
            check_widths(verdict, browser, page, pictures)
            asked = [url for url in browser.requests() if url != page]
            verdict.check("nothing was asked of any other place", not asked, asked)
            told = [entry for entry in browser.console()]
            verdict.check("the console is silent", not told, told)
            check_policy(verdict, browser)
        check_without_script(verdict, page, len(rows))
    print(f"{verdict.passed} passed, {verdict.failed} failed")
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    SHIM = str(Path(sys.argv[1]).resolve())
    sys.exit(main())
