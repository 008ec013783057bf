"""The engine that is guided by coverage: atheris, where it is installed. Import nothing of the program before it."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


def with_atheris(seconds: float, seed: int) -> None:
    """Run atheris, which ends the process itself when the time is over or a promise is broken.

    Raises:
        ImportError: it is not installed.
    """
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["soap_handler"]):  # so that it sees which lines an input reaches
        target = importlib.import_module("tests.fuzz.target")
        corpus = importlib.import_module("tests.fuzz.corpus")
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, target.opened(Path(folder)) as opened:
        arguments = [sys.argv[0], f"-max_total_time={max(1, int(seconds))}", f"-seed={seed}", "-max_len=65536"]
        atheris.Setup([*arguments, _seeds(Path(folder) / "corpus", corpus)], _one_input(opened, corpus.CONTENT_TYPES))
        atheris.Fuzz()


def _seeds(folder: Path, corpus: Any) -> str:
    """Write the corpus to files, each with the number of a Content-Type before it."""
    folder.mkdir()
    for number, body in enumerate(corpus.CORPUS):
        (folder / f"{number:04}").write_bytes(bytes([number % len(corpus.CONTENT_TYPES)]) + body)
    return str(folder)


def _one_input(target: Any, content_types: tuple[str, ...]) -> Callable[[bytes], None]:
    def one(data: bytes) -> None:
        if data:
            target.post(data[1:], content_types[data[0] % len(content_types)])

    return one
