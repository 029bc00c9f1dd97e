"""A real browser: Debian's chromium, driven by chromedriver's HTTP interface (W3C WebDriver)."""

import base64
import json
import shutil
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--hide-scrollbars"]


class Browser:
    """One browser with a profile of its own, ended and removed with its scope."""

    def __init__(self, flags=()):
        self.flags = FLAGS + list(flags)

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(prefix="clawguard-log-browser-")
        driver = shutil.which("chromedriver")
        if driver is None:
            raise SystemExit("no chromedriver: apt-get install chromium chromium-driver")
        self.driver = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            self.address = self._address()
            options = {"args": [*self.flags, f"--user-data-dir={self.profile.name}"]}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
            answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
            self.session = f"/session/{answer['sessionId']}"
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if hasattr(self, "session"):
            try:
                self._ask("DELETE", self.session)
            except OSError:
                pass
        self.driver.terminate()
        self.driver.wait(30)
        self.driver.stdout.close()
        # What the browser still writes when it ends is not worth an error.
        shutil.rmtree(self.profile.name, ignore_errors=True)

    def _address(self):
        for line in self.driver.stdout:
            if "started successfully on port" in line:
                return f"http://127.0.0.1:{line.split()[-1].rstrip('.')}"
        raise SystemExit("chromedriver did not start")

    def _ask(self, method, path, body=None):
        data = None if method != "POST" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self.address + path, data, {"Content-Type": "application/json"}, method=method)
        # No proxy of the environment stands between here and the loopback interface.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise SystemExit(f"chromedriver: {path}: {error.read().decode()[:500]}") from error

    def open(self, address):
        self._ask("POST", self.session + "/url", {"url": address})

    def run(self, script, *arguments):
        """The value that this script returns, run in the page by the driver and not by the page."""
        return self._ask("POST", self.session + "/execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command, **parameters):
        return self._ask("POST", self.session + "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def width(self, pixels, height=900):
        self.devtools("Emulation.setDeviceMetricsOverride", width=pixels, height=height, deviceScaleFactor=1, mobile=False)

    def dark(self):
        self.devtools("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])

    def element(self, selector):
        found = self._ask("POST", self.session + "/element", {"using": "css selector", "value": selector})
        return self.session + "/element/" + next(iter(found.values()))

    def type(self, selector, text):
        """Types as a person does."""
        self._ask("POST", self.element(selector) + "/value", {"text": text})

    def click(self, selector):
        self._ask("POST", self.element(selector) + "/click")

    def console(self):
        return self._ask("POST", self.session + "/se/log", {"type": "browser"})

    def requests(self):
        """The addresses that were asked for since the last call."""
        entries = self._ask("POST", self.session + "/se/log", {"type": "performance"})
        messages = [json.loads(entry["message"])["message"] for entry in entries]
        sent = [message for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [message["params"]["request"]["url"] for message in sent]

    def has_dialog(self):
        try:
            self._ask("GET", self.session + "/alert/text")
        except SystemExit as no_dialog:
            if "no such alert" in str(no_dialog):
                return False
            raise
        return True

    def screenshot(self, file):
        """The whole page."""
        time.sleep(0.2)
        shot = self.devtools("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))
