"""The command ``soap-handler``, as a script and as ``python -m soap_handler``. Ctrl-C ends it quietly from here on."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line.

    To import it takes some tenths of a second, in which there is nothing to put in order: Ctrl-C ends the process as
    SIGTERM does. Raised in the midst of an import, KeyboardInterrupt may be swallowed or show a traceback.

    The garbage collector rests during the imports, which make no garbage, and at the end of a command, whose memory
    goes with it: together they take a third of a short command. A service ends as usual: handlers have objects in it.
    """
    try:
        import gc  # noqa: PLC0415 - under the guard
        import signal  # noqa: PLC0415 - as above

        gc.disable()  # until the command is loaded

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as nohup does
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from soap_handler.cli import main as run  # noqa: PLC0415 - as above
    except KeyboardInterrupt:
        sys.exit(130)
    try:
        run()
    finally:
        if "serve" not in sys.argv[1:]:
            gc.freeze()


if __name__ == "__main__":
    main()
