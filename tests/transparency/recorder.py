"""Runs inside, on both sides: CPython's own `python3 -m test`, with one line of JSON for each event of a test.

    recorder.py FILE ARGUMENTS-OF-REGRTEST...

The file is written as it happens, so that a test which ends its process does not take the results with it.
"""

import json
import runpy
import sys
import traceback


def record(path):
    from test.support.testresult import RegressionTestResult

    file = open(path, "a", encoding="utf-8")

    def name(test):
        # A subtest's name has its parameters in it, and those have paths.
        test = getattr(test, "test_case", test)
        identity = getattr(test, "id", None)
        return identity() if callable(identity) else str(test)

    def tell(test, outcome, detail=""):
        file.write(json.dumps([name(test), outcome, detail]) + "\n")
        file.flush()

    def listen(method, outcome, detail):
        original = getattr(RegressionTestResult, method)

        def told(self, test, *rest):
            tell(test, outcome(*rest), detail(self, *rest))
            return original(self, test, *rest)

        setattr(RegressionTestResult, method, told)

    def kind(word):
        return lambda error: f"{word}: {error[0].__name__}"

    def trace(self, error):
        return "".join(traceback.format_exception(*error))

    def nothing(*_):
        return ""

    listen("startTest", lambda: "no end", nothing)
    listen("addSuccess", lambda: "ok", nothing)
    listen("addSkip", lambda reason: f"skip: {reason}", nothing)
    listen("addError", kind("error"), trace)
    listen("addFailure", kind("fail"), trace)
    listen("addExpectedFailure", lambda error: "expected failure", nothing)
    listen("addUnexpectedSuccess", lambda: "unexpected success", nothing)

    subtest = RegressionTestResult.addSubTest

    def told(self, test, part, error):
        if error is not None:
            word = "fail" if issubclass(error[0], test.failureException) else "error"
            tell(test, f"{word}: {error[0].__name__}", f"{part}\n{trace(self, error)}")
        return subtest(self, test, part, error)

    RegressionTestResult.addSubTest = told


if __name__ == "__main__":
    record(sys.argv.pop(1))
    # As `python3 -m test` finds it.
    sys.path[0] = ""
    runpy.run_module("test", run_name="__main__", alter_sys=True)
