"""`python -m bench [--json FILE] [NAMES]`: every figure beside its baseline in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import ack, core, film, fuzz, kill, life, line, through
from bench.stage import Figures

Rows = Callable[[Callable[[str], None]], Coroutine[None, None, Figures]]


async def kill_rows(say: Callable[[str], None]) -> Figures:
    """The kill matrix: what was lost, posted twice, or made again."""
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tally = await kill.matrix(Path(folder))
    for fault in tally.faults:
        say(fault)
    say(str(tally))
    return {
        "kill.points": tally.points,
        "kill.kills": tally.kills,
        "kill.lost": tally.lost,
        "kill.twice": tally.twice,
        "kill.made_again": tally.made_again,
    }


BENCHES: Mapping[str, Rows] = {
    "ack": ack.rows,
    "core": core.rows,
    "through": through.rows,
    "line": line.rows,
    "encode": film.rows,
    "fuzz": fuzz.rows,
    "life": life.rows,
    "kill": kill_rows,
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
