"""Makes the pictures of the documentation from a workspace: `python -m tools.pictures --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from pipeline.errors import PocketRecError
from pipeline.workspace import DEFAULT_WORKSPACE
from tools.chromium import NoChromiumError
from tools.pictures import dashboard, demo, terminal

_MOST_BYTES = 300_000
_SUBJECTS = {"dashboard": dashboard, "demo": demo, "terminal": terminal}


def main() -> int:
    """Makes the pictures and prints their names and sizes; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tools.pictures",
        description="Pictures of what people see, made from the real thing on a workspace.",
    )
    parser.add_argument(
        "subjects", nargs="*", choices=[[], *_SUBJECTS], help="which (default: all of them)"
    )
    parser.add_argument("--workspace", type=Path, default=DEFAULT_WORKSPACE, metavar="DIR")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), metavar="DIR")
    args = parser.parse_args()
    too_large = []
    try:
        for subject in args.subjects or _SUBJECTS:
            for path in _SUBJECTS[subject].pictures(args.out, args.workspace):
                size = path.stat().st_size
                print(f"{path}: {size:,} bytes", flush=True)
                if size > _MOST_BYTES:
                    too_large.append(path.name)
    except (PocketRecError, NoChromiumError) as error:
        print(f"pictures: {error}", file=sys.stderr)
        return 2
    if too_large:
        print(f"pictures: over {_MOST_BYTES:,} bytes: {', '.join(too_large)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
