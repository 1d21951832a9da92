"""How a tool ends when somebody presses Ctrl-C: with one line. To be imported before all that is slow."""

import io
import sys
from types import TracebackType

USUAL = sys.excepthook


def say_so(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Take the place of a traceback, for Ctrl-C only."""
    if not issubclass(kind, KeyboardInterrupt):
        return USUAL(kind, error, where)
    print("\nStopped. Every file is whole: as it was, or as it was to become.", file=sys.stderr)
    sys.stderr = io.StringIO()  # nbclient ends its kernel now, and sometimes twice, and complains
    sys.exit(130)


sys.excepthook = say_so
