"""Random edits against the engine: `python -m tests.laws --edits 10000 --lives 5000 --seed 1`.

Prints what came out, by kind of edit, and the smallest failing stories. Exits with 1 if anything was read wrongly.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from itertools import count
from pathlib import Path
from time import monotonic

from tests.laws.cases import several, single
from tests.laws.edits import KINDS
from tests.laws.oracles import Case, Judged, judge
from tests.laws.stories import shrunk, tell

COLUMNS = ("tried", "wrong", "error", "twice", "at once", "ended", "held", "open")


def main() -> int:
    """Run, print, and say by the exit code whether all was right."""
    parser = argparse.ArgumentParser(prog="python -m tests.laws", description=__doc__)
    parser.add_argument("--edits", type=int, default=1000, help="how many single edits (default 1000)")
    parser.add_argument("--lives", type=int, default=0, help="how many lives with 2 to 5 edits")
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    parser.add_argument("--size", type=int, default=12, help="the most statements of a track, about")
    parser.add_argument("--minutes", type=float, default=0, help="stop after this time")
    parser.add_argument("--kind", default="", help="only edits of this kind")
    parser.add_argument("--stories", type=int, default=5, help="how many failures to tell")
    parser.add_argument("--write", type=Path, help="a folder to write every failure's story to")
    asked = parser.parse_args()
    board = _Board(asked.stories, asked.write)
    ends = monotonic() + asked.minutes * 60 if asked.minutes else float("inf")
    kinds = (asked.kind,) if asked.kind else KINDS
    for seed in count(asked.seed):
        for kind in kinds:
            if board.singles >= asked.edits or monotonic() > ends:
                break
            board.singles += 1
            case = single(seed, kind, asked.size)[1]
            board.note(kind, f"{kind} {seed}", case, judge(case))
        else:
            continue
        break
    for seed in range(asked.seed, asked.seed + asked.lives):
        if monotonic() > ends:
            break
        case = several(seed, asked.size)[1]
        board.note("2 to 5 edits", f"several {seed}", case, judge(case))
    board.print()
    return 1 if board.failed else 0


class _Board:
    """What came out so far."""

    def __init__(self, stories: int, folder: Path | None) -> None:
        self.singles = 0
        self.failed = 0
        self._rows: dict[str, Counter[str]] = defaultdict(Counter)
        self._times: dict[str, list[float]] = defaultdict(list)
        self._stories = stories
        self._folder = folder

    def note(self, kind: str, name: str, case: Case, judged: Judged) -> None:
        """Count a case, and tell it if it failed."""
        row = self._rows[kind]
        row["tried"] += 1
        row["wrong"] += judged.verdict == "wrong"
        row["error"] += judged.verdict == "error"
        row["held"] += judged.verdict == "held"
        row["open"] += judged.verdict in {"open", "ambiguous", "held rightly"}
        row["twice"] += bool(judged.twice)
        row["at once"] += judged.at_once
        row["ended"] += judged.ended
        self._times[kind] += judged.seconds
        single_edit = len(case.edits) == 1
        if (
            judged.verdict in {"error", "held"}
            or judged.twice
            or judged.at_once
            or judged.ended
            or (judged.verdict == "wrong" and single_edit)
        ):
            self._tell(name, case, judged)

    def _tell(self, name: str, case: Case, judged: Judged) -> None:
        self.failed += 1
        if self._stories <= 0:
            return
        self._stories -= 1

        def fails(other: Judged) -> bool:
            same = (other.verdict, bool(other.twice), bool(other.at_once), bool(other.ended))
            return same == (judged.verdict, bool(judged.twice), bool(judged.at_once), bool(judged.ended))

        small = shrunk(case, fails)
        outcome = judge(small)
        told = f"# {name}\ntwice {outcome.twice}, at once {outcome.at_once}, ended {outcome.ended}\n" + tell(
            small, outcome
        )
        if self._folder is None:
            print(told, "-" * 100, flush=True)
        else:
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / f"{name.replace(' ', '-')}.txt").write_text(told)

    def print(self) -> None:
        """The table."""
        print(f"{'edit':26}" + "".join(f"{name:>9}" for name in COLUMNS) + f"{'plan ms':>10}{'worst':>9}")
        total: Counter[str] = Counter()
        for kind, row in self._rows.items():
            total.update(row)
            self._row(kind, row, self._times[kind])
        self._row("all", total, [each for times in self._times.values() for each in times])

    def _row(self, kind: str, row: Counter[str], times: list[float]) -> None:
        times = sorted(times) or [0.0]
        counted = "".join(f"{row[name]:>9}" for name in COLUMNS)
        print(f"{kind:26}{counted}{1000 * times[len(times) // 2]:>10.1f}{1000 * times[-1]:>9.1f}")


if __name__ == "__main__":
    sys.exit(main())
