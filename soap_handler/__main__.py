"""The command ``soap-handler``, as a script and as ``python -m soap_handler``. Ctrl-C ends it quietly from here on."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line.

    To import it takes some tenths of a second, in which there is nothing to put in order: Ctrl-C ends the process as
    SIGTERM does. Raised in the midst of an import, KeyboardInterrupt may be swallowed or show a traceback.
    """
    try:
        import signal  # noqa: PLC0415 - under the guard

        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored, as nohup does
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        from soap_handler.cli import main as run  # noqa: PLC0415 - as above
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
