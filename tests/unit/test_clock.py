"""No file of tests reads the clock while it is collected: it may run an hour or a day later.

Two processes that collect at midnight would not even find the same tests.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parents[1]
CLOCKS = ("datetime.now", "date.today", "datetime.utcnow", "time.time")


def read_at_collection(node: ast.AST) -> Iterator[ast.Call]:
    """Calls that run as a module is imported: those of decorators and defaults too."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, *child.args.defaults, *child.args.kw_defaults):
                if part is not None:
                    yield from read_at_collection(ast.Expr(part))
        elif not isinstance(child, ast.Lambda):
            if isinstance(child, ast.Call):
                yield child
            yield from read_at_collection(child)


def reads_clock(call: ast.Call) -> bool:
    return ast.unparse(call.func).endswith(CLOCKS)


def test_no_clock_is_read_while_tests_are_collected() -> None:
    found = [
        f"{path.relative_to(TESTS)}:{call.lineno}"
        for path in TESTS.rglob("*.py")
        for call in read_at_collection(ast.parse(path.read_text(encoding="utf-8")))
        if reads_clock(call)
    ]
    assert found == []


def test_a_clock_in_a_constant_a_decorator_or_a_default_is_found() -> None:
    text = """
NOW = datetime.now(UTC)
LATER = lambda: datetime.now(UTC)
@parametrize([date.today()])
def test_it(at=time.time()):
    datetime.now(UTC)
"""
    found = [call.lineno for call in read_at_collection(ast.parse(text)) if reads_clock(call)]
    assert sorted(found) == [2, 4, 5]
