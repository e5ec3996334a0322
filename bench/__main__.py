"""`python -m bench [--json FILE]`: every figure beside its baseline in the same run."""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path

from bench import ack


def main() -> None:
    """Prints the table, and keeps it as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--json", type=Path, help="keep the figures in this file, too")
    options = parser.parse_args()
    found: dict[str, float] = {}
    rows = asyncio.run(ack.rows())
    print("First answer to a command, 100 at once, in milliseconds (echo: a bare bot on the same stand-in)")
    for name, row in rows.items():
        ratio = row["p99_ms"] / rows["echo"]["p99_ms"]
        print(f"  {name:<6} p50 {row['p50_ms']:7.1f}   p99 {row['p99_ms']:7.1f}   {ratio:4.2f} × echo")
        found |= {f"ack.{name}.{key}": value for key, value in row.items()}
    if options.json:
        options.json.write_text(json.dumps(found, indent=1), "utf-8")


if __name__ == "__main__":
    main()
