"""``python -m tests.fuzz``: fuzz the whole POST path for as long as asked."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

_NO_ATHERIS = "The engine atheris is not installed here: pip install atheris, or use --engine hypothesis"


def _guided(seconds: float, seed: int) -> int:
    from tests.fuzz.atheris_engine import with_atheris  # noqa: PLC0415 - it must come before all that it is to watch

    try:
        with_atheris(seconds, seed)
    except ImportError:
        print(_NO_ATHERIS, file=sys.stderr)  # noqa: T201 - a command's output
        return 2
    return 0


def _random(seconds: float, seed: int) -> int:
    from tests.fuzz.hypothesis_engine import with_hypothesis  # noqa: PLC0415 - after the choice of the engine
    from tests.fuzz.target import opened  # noqa: PLC0415 - after the choice of the engine

    with tempfile.TemporaryDirectory() as folder, opened(Path(folder)) as target:
        inputs = with_hypothesis(target, seconds, seed)
        print(f"{inputs} inputs: {target.stored} stored, {target.refused} refused, no promise broken")  # noqa: T201 - a command's output
    return 0


def main() -> int:
    """Return 0 when every promise was kept; a broken one is shown with its input."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the whole POST path.")
    parser.add_argument("--seconds", type=float, default=60, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=None, help="where to begin (default: by the clock, and printed)")
    parser.add_argument("--engine", choices=("hypothesis", "atheris"), default="hypothesis")
    arguments = parser.parse_args()
    seed = int(time.time()) if arguments.seed is None else arguments.seed
    print(f"engine {arguments.engine}, seed {seed}, {arguments.seconds:g} s", flush=True)  # noqa: T201 - a command's output
    run = _guided if arguments.engine == "atheris" else _random
    return run(arguments.seconds, seed)


if __name__ == "__main__":
    sys.exit(main())
