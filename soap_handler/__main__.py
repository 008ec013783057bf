"""Lets ``python -m soap_handler`` be the command ``soap-handler``."""

from __future__ import annotations

from soap_handler.cli import main

if __name__ == "__main__":
    main()
