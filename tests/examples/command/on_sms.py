"""An example of a program that is started for each notification: it appends messages to a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

GIVE_UP = 65


def main() -> int:
    """Take the JSON on the standard input. 0 confirms it, 65 means never, anything else means later."""
    notification = json.load(sys.stdin)
    if notification["kind"] != "MessageReceived":
        return 0
    if not notification["body"]:
        return GIVE_UP
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        file.write(f"{notification['originator']}: {notification['body']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
