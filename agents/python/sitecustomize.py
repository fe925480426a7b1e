"""Runs when a Python starts: first the application's own sitecustomize, then the agent, where it can serve.

Every Python that inherits our PYTHONPATH comes by, so this file is written for all of them, Python 2 included.
"""

import sys


def _own_folder():
    return __file__.replace("\\", "/").rpartition("/")[0]


def _run_the_next_one():
    """Imports the sitecustomize that would have been imported without ours; it may fail as it would have."""
    before = sys.modules.pop("sitecustomize", None)
    try:
        import sitecustomize  # noqa: F401
    except ImportError as error:
        # None there is the rule, and no error. On Python 2 the error does not tell the module's name.
        if getattr(error, "name", "sitecustomize") != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault("sitecustomize", before)


def _start_the_agent(folder):
    try:
        if sys.version_info < (3, 9) or sys.implementation.name != "cpython":
            return
        sys.path.insert(0, folder)
        try:
            import _epiphyte_agent
        finally:
            sys.path.remove(folder)
        _epiphyte_agent.start(folder + "/packages")
    except Exception as error:
        _say(error)


def _say(error):
    try:
        import os

        if os.environ.get("EPIPHYTE_INJECTOR_LOG") == "1":
            sys.stderr.write("epiphyte: Python is not instrumented: %s: %s\n" % (type(error).__name__, error))
    except Exception:
        pass


_folder = _own_folder()
# The folder holds nothing for the application. Its children still find it by PYTHONPATH, and are instrumented too.
sys.path[:] = [path for path in sys.path if path != _folder]
try:
    _run_the_next_one()
finally:
    _start_the_agent(_folder)
