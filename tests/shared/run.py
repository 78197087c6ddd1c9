"""Run the shared suite without pytest: ``micropython tests/shared/run.py``, or with CPython.

``micropython tests/shared/run.py viper selftest`` runs the tests with one of these words in their names.

``python tests/shared/run.py --write`` writes ``golden.py`` again with the plain engine. Use it after a change of the
specification's arithmetic or of ``cases.py``, never to make a test pass.
"""

import sys

HERE = __file__.rsplit("/", 1)[0] if "/" in __file__ else "."
sys.path.insert(0, HERE)
sys.path.insert(0, HERE + "/../../device")

HEAD = '''"""The right results of training each case of ``cases.py``: (CRC-32 of the weights, CRC-32 of the results).

Made by the plain engine: ``python tests/shared/run.py --write``.
"""

GOLDEN = {
'''


def write():
    """Write golden.py."""
    import cases

    from tpsgd import runtime

    plain = runtime.engine(1)
    with open(HERE + "/golden.py", "w") as file:
        file.write(HEAD)
        for case in range(cases.CASES):
            file.write("    {}: (0x{:08X}, 0x{:08X}),\n".format(case, *cases.train(case, plain)))
        file.write("}\n")


def run(words):
    """Run every test with one of ``words`` in its name, or all if there are none; return 1 if one failed, else 0."""
    import test_frontends
    import test_golden
    import test_learner
    import test_lesson
    import test_newclass
    import test_prototypes
    import test_selftest
    import test_tape_heap

    from tpsgd import runtime

    counts = {"passed": 0, "failed": 0, "skipped": 0}
    say("running on " + runtime.machine())
    suites = (
        test_frontends, test_golden, test_learner, test_lesson, test_newclass, test_prototypes, test_selftest,
        test_tape_heap,
    )  # fmt: skip
    for suite in suites:
        for name in sorted(dir(suite)):
            if name.startswith("test_") and (not words or any(word in name for word in words)):
                verdict, why = attempt(getattr(suite, name), test_golden.SkipTest)
                counts[verdict] += 1
                say("{:8}{}{}".format(verdict.upper() if verdict != "passed" else "passed", name, why))
    say("{} passed, {} failed, {} skipped".format(counts["passed"], counts["failed"], counts["skipped"]))
    return 1 if counts["failed"] or not counts["passed"] else 0


def attempt(test, skip):
    """Return the verdict on one test, and its reason."""
    try:
        test()
    except skip as error:
        return "skipped", ": " + str(error)
    except Exception as error:
        report(error)
        return "failed", ": " + repr(error)
    return "passed", ""


def report(error):
    """Print a traceback."""
    if hasattr(sys, "print_exception"):
        sys.print_exception(error)
    else:
        sys.excepthook(type(error), error, error.__traceback__)


def say(text):
    """Write a line."""
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        sys.exit(run(sys.argv[1:]))
