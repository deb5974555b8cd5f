"""The long form of the tests that kill, fuzz and draw examples: `make soak PART=kills MINUTES=60`.

`make test` runs their short form, with few kills and examples and a seed that never changes. The
long form runs them round after round, each with the next seed. After each round its numbers are
stored in .gis/soak, so that a run that was stopped goes on with the seed that is next; what was
done since the last line is added to docs/soak.md when a run ends, however it ends.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "docs" / "soak.md"
STATES = ROOT / ".gis" / "soak"

# What pytest is told, by the name of a part.
PARTS: dict[str, list[str]] = {
    "kills": ["tests/integration/notify/test_kills.py"],
    "job-kills": ["tests/integration/jobs/test_kills.py", "-s"],
    "load-kills": ["tests/integration/test_load_kills.py", "-s"],
    "source-kills": ["tests/integration/sources/test_source_kills.py", "-s"],
    "fuzz": ["tests/integration/test_ogc_fuzz.py", "tests/unit/cql2"],
    "files": ["tests/unit/intake/test_broken_files.py"],
    "laws": ["-m", "hypothesis", "tests"],
}
LONG_EXAMPLES = 20  # times as many as in the short form
# "100 passing, 0 failing and 3 invalid test cases", as Hypothesis says it.
_EXAMPLES = re.compile(r"(\d+) passing(?: examples|,)")

LONG = "GIS_SOAK_SEED" in os.environ
SEED = int(os.environ.get("GIS_SOAK_SEED", "1"))


def size[Value: (int, float, str)](short: Value, long: Value) -> Value:
    """A size of a test: in `make test`, and in the long form."""
    return long if LONG else short


def count(kind: str, number: int) -> None:
    """Add to the totals of a round, such as 200 to `kills`; nothing in the short form."""
    if LONG:
        with Path(os.environ["GIS_SOAK_COUNTS"]).open("a", encoding="utf-8") as file:
            file.write(f"{kind} {number}\n")


@dataclass
class Totals:
    """What was done since the last line of the report."""

    first_seed: int
    commit: str
    rounds: int = 0
    seconds: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    failed_seeds: list[int] = field(default_factory=list)

    @property
    def next_seed(self) -> int:
        return self.first_seed + self.rounds

    def line(self, part: str, day: str) -> str:
        """A row of the table of the report."""
        seeds = f"{self.first_seed}–{self.next_seed - 1}"
        counts = ", ".join(f"{number:,} {kind}" for kind, number in sorted(self.counts.items()))
        failed = ", ".join(map(str, self.failed_seeds)) or "none"
        minutes = round(self.seconds / 60)
        return (
            f"| {day} | {self.commit} | {part} | {seeds} | {self.rounds} | {counts} | {minutes} "
            f"| {failed} |\n"
        )


def read_totals(part: str, commit: str) -> Totals:
    """Those of a commit that no line of the report tells of yet; the first seed is 1.

    What a stopped run did of another commit is reported first.
    """
    file = STATES / f"{part}.json"
    if not file.is_file():
        return Totals(1, commit)
    totals = Totals(**json.loads(file.read_text(encoding="utf-8")))
    return totals if totals.commit == commit else report(part, totals, commit)


def write_totals(part: str, totals: Totals) -> None:
    """Whole or not at all, since a run may be killed at any moment."""
    STATES.mkdir(parents=True, exist_ok=True)
    new = STATES / f"{part}.new"
    new.write_text(json.dumps(asdict(totals)), encoding="utf-8")
    new.replace(STATES / f"{part}.json")


def examples_in(output: str) -> int:
    """How many examples passed, by the statistics that Hypothesis prints."""
    return sum(map(int, _EXAMPLES.findall(output)))


def run_round(part: str, totals: Totals) -> None:
    """Run the tests of a part once with the next seed, and add what was done to the totals."""
    seed = totals.next_seed
    counts = STATES / f"{part}.counts"
    counts.parent.mkdir(parents=True, exist_ok=True)
    counts.write_text("")
    environment = os.environ | {"GIS_SOAK_SEED": str(seed), "GIS_SOAK_COUNTS": str(counts)}
    command = [sys.executable, "-m", "pytest", "-n", "0", "-q", "--hypothesis-show-statistics"]
    begin = time.monotonic()
    with (STATES / f"{part}-{seed}.log").open("w+", encoding="utf-8") as log:
        done = subprocess.run(
            [*command, *PARTS[part]], cwd=ROOT, env=environment, stdout=log, stderr=log, check=False
        )
        log.seek(0)
        examples = examples_in(log.read())
    totals.seconds += time.monotonic() - begin
    totals.rounds += 1
    for line in [*counts.read_text().splitlines(), f"examples {examples}"]:
        kind, number = line.split()
        if int(number):
            totals.counts[kind] = totals.counts.get(kind, 0) + int(number)
    if done.returncode:
        totals.failed_seeds.append(seed)
    else:
        Path(log.name).unlink()
    verdict = f"failed: {log.name}" if done.returncode else "passed"
    print(f"{part}, seed {seed}: {verdict}", flush=True)


def commit_here() -> str:
    """The commit that is tested; with a plus where files differ from it."""
    commit = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--untracked-files=no", ".", ":!docs/soak.md")
    return f"{commit}+" if changed else commit


def _git(*words: str) -> str:
    command = ["git", "-C", str(ROOT), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def report(part: str, totals: Totals, commit: str) -> Totals:
    """Add a line to the report; gives new totals of a commit, with the seed that is next."""
    if totals.rounds:
        with REPORT.open("a", encoding="utf-8") as file:
            file.write(totals.line(part, datetime.now(UTC).date().isoformat()))
    fresh = Totals(totals.next_seed, commit)
    write_totals(part, fresh)
    return fresh


def _stop(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    """Rounds until the time is up; gives 1 when one has failed."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("minutes", type=float)
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, _stop)
    commit = commit_here()
    totals = read_totals(wanted.part, commit)
    end = time.monotonic() + 60 * wanted.minutes
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            run_round(wanted.part, totals)
            write_totals(wanted.part, totals)
    failed = bool(totals.failed_seeds)
    report(wanted.part, totals, commit)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
