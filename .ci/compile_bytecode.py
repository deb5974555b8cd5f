"""Compiles the installed packages on all cores, and says how far it is."""

import compileall
import os
import sysconfig
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

_CHUNK = 50  # files a task


def _compile(files: list[Path]) -> int:
    for file in files:
        compileall.compile_file(file, quiet=2)
    return len(files)


def main() -> None:
    files = sorted(Path(sysconfig.get_path("purelib")).rglob("*.py"))
    chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
    done = shown = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for number in pool.map(_compile, chunks):
            done += number
            percent = 100 * done // len(files)
            if percent >= shown + 10:
                shown = percent
                print(f"    {percent} % of {len(files):,} files", flush=True)


if __name__ == "__main__":
    main()
