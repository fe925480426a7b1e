"""Sets OpenTelemetry up for this process, unless the application brings its own."""

import importlib.machinery
import logging
import os
import sys


class StandDown(Exception):
    """The application is better off without the agent."""


def start(packages):
    """Instruments the process with what lies in this folder."""
    refuse_beside_another()
    # At the end, so that whatever the application has comes first; all that ours need besides has names of its own.
    sys.path.append(packages)
    logger = logging.getLogger("opentelemetry")
    if not (os.environ.get("OTEL_LOG_LEVEL") or os.environ.get("EPIPHYTE_INJECTOR_LOG") == "1"):
        # The application's log is not the place to say that a collector is away.
        logger.setLevel(logging.CRITICAL + 1)

    from opentelemetry.instrumentation.auto_instrumentation import _load

    distro = _load._load_distro()
    distro.configure()
    _load._load_configurators()
    _load._load_instrumentors(distro)
    hide_log_handlers()


def hide_log_handlers():
    """The instrumentation of logging puts a handler on the root logger, which then counts as configured: basicConfig does
    nothing any more, and an application that never configures it loses its output. So records come to us another way.
    """
    handlers = [it for it in logging.root.handlers if type(it).__module__.startswith("opentelemetry.")]
    for handler in handlers:
        logging.root.removeHandler(handler)
        # Called at exit, when it could no longer start the thread that it wants; the exporter sends what is left itself.
        handler.flush = lambda: None
    if handlers:
        call_handlers = logging.Logger.callHandlers

        def with_ours(logger, record):
            for handler in handlers:
                if record.levelno >= handler.level:
                    handler.handle(record)
            call_handlers(logger, record)

        logging.Logger.callHandlers = with_ours


def refuse_beside_another():
    """Two OpenTelemetries in one process share the name, and one of the two breaks."""
    found = importlib.machinery.PathFinder.find_spec("opentelemetry", [*sys.path, *folders_to_come()])
    if "opentelemetry" in sys.modules or found is not None:
        raise StandDown("the application has an OpenTelemetry of its own")


def folders_to_come():
    """What Python puts on the path only after this: the script's folder, or the one it was started in."""
    yield os.getcwd()
    with open("/proc/self/cmdline", "rb") as file:
        arguments = file.read().split(b"\0")[1:]
    for argument in arguments:
        # A zip archive or a folder may be run as well, and is then what comes onto the path.
        if os.path.exists(argument):
            script = os.path.realpath(os.fsdecode(argument))
            yield script
            yield os.path.dirname(script)
            return
