"""`python -m bench [--json FILE] [NAMES]`: every figure beside its baseline in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from bench import ack
from bench.stage import Figures

Rows = Callable[[Callable[[str], None]], Awaitable[Figures]]

BENCHES: Mapping[str, Rows] = {
    "ack": ack.rows,
}


def main() -> None:
    """Prints the rows, and keeps the figures as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}; all, if none")
    parser.add_argument("--json", type=Path, help="keep the figures in this file, too")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BENCHES):
        parser.error(f"there is no bench {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    found: Figures = {}
    for name in options.names or BENCHES:
        print(f"{name}:", flush=True)
        found |= asyncio.run(BENCHES[name](lambda line: print(f"  {line}", flush=True)))
        if options.json:  # after each: a bench that fails late keeps what came before
            options.json.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
