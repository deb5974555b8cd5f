"""Tiles on disk: sent for the very state of which they are true, whole, and within a bound."""

from pathlib import Path

import pytest

from gis.code_version import code_version
from tiles import disk
from tiles.cache import DrawnTile, PackedTile
from tiles.disk import DiskCache
from tiles.state import LayerState

NOW = LayerState("wells", 7, "2026-01-01", "2026-01-01 08:00:00+00")


def made(content: bytes = b"tile" * 300, state: LayerState = NOW) -> DrawnTile:
    return DrawnTile(state, PackedTile.of(content))


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("content", [b"", b"small", b"line\nline\n" * 500])
def test_what_is_cached_is_found_after_a_restart(tmp_path, content):
    DiskCache(tmp_path / "tiles", 10_000).store("a", made(content))
    found = DiskCache(tmp_path / "tiles", 10_000).entry("a", NOW)
    assert found == made(content) and found.packed.content == content
    assert DiskCache(tmp_path / "tiles", 10_000).entry("b", NOW) is None


@pytest.mark.parametrize(
    "other",
    [
        LayerState("wells", 8, "2026-01-01", "2026-01-01 08:00:00+00"),
        LayerState("wells", 7, "2026-01-02", "2026-01-01 08:00:00+00"),
        LayerState("wells", 7, "2026-01-01", "2026-01-01 08:00:01+00"),  # put back, and changed
    ],
)
def test_another_state_is_not_answered(tmp_path, other):
    cache = DiskCache(tmp_path, 10_000)
    cache.store("a", made())
    assert cache.entry("a", other) is None
    cache.store("a", made(b"new", other))
    assert cache.entry("a", NOW) is None and cache.entry("a", other) == made(b"new", other)
    assert len(files(tmp_path)) == 1


def test_other_code_finds_nothing(tmp_path, monkeypatch):
    cache = DiskCache(tmp_path, 10_000)
    cache.store("a", made())
    monkeypatch.setattr(disk, "_code", lambda: "0.1.0+another")
    assert cache.entry("a", NOW) is None


def test_the_code_is_known_by_its_text(tmp_path):
    (tmp_path / "one.py").write_text("x = 1")
    before = code_version(tmp_path)
    code_version.cache_clear()
    (tmp_path / "one.py").write_text("x = 2")
    assert code_version(tmp_path) != before


def test_a_torn_file_is_no_tile(tmp_path):
    cache = DiskCache(tmp_path, 10_000)
    cache.store("a", made())
    (path,) = files(tmp_path)
    whole = path.read_bytes()
    for torn in (b"", whole[:20], whole[:-1], whole.replace(b"wells", b"walls"), b"\xff\n"):
        path.write_bytes(torn)
        assert cache.entry("a", NOW) is None


def test_the_least_recently_used_are_dropped_beyond_the_bound(tmp_path):
    cache = DiskCache(tmp_path, 8_000)
    for n in range(200):
        cache.store(str(n), made(bytes([n % 251]) * 300))
        cache.entry("0", NOW)
    assert sum(path.stat().st_size for path in files(tmp_path)) <= 8_000
    assert cache.entry("0", NOW) and cache.entry("199", NOW)
    assert cache.entry("1", NOW) is None


def test_what_the_disk_refuses_costs_no_answer(tmp_path):
    (tmp_path / "tiles").write_text("a file where the folder should be")
    cache = DiskCache(tmp_path / "tiles", 10_000)
    cache.store("a", made())
    assert cache.entry("a", NOW) is None


def test_nobody_else_reads_the_folder(tmp_path):
    DiskCache(tmp_path / "tiles", 10_000).store("a", made())
    assert (tmp_path / "tiles").stat().st_mode & 0o077 == 0
