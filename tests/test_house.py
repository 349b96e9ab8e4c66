"""The house keeps its shape: no circles, no two public classes of one name, no flag named below the two doors, every
parameter with its type, and variables that say what they hold."""

from __future__ import annotations

import ast
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from groups import BY_THEMSELVES, FIRST, FORKED, group_of

from test_layers import SOURCE, files, room_of, tree_of

DOORS = {"cli", "studio"}  # they alone know the names of flags and buttons
FLAG = re.compile(r"(?<![\w`-])--[a-z][a-z-]+")
QUOTED = r"--(?:include|exclude)\b"  # of a command of another program, which a sentence quotes


# Words that name nothing: a variable is called by what it holds.
EMPTY = {"one", "made", "found", "taken", "given", "said"}
KEYS = {("evaluation/result.py", "made")}  # a field that is a key of the files that users have


def modules() -> dict[str, Path]:
    """Every module of the package by its dotted name."""
    names = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(tree: ast.AST, known: dict[str, Path]) -> set[str]:
    """The modules that a file imports, wherever in it."""
    reached = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            named = {f"{node.module}.{alias.name}" for alias in node.names}
            reached |= (named & known.keys()) or ({node.module} & known.keys())
        elif isinstance(node, ast.Import):
            reached |= {alias.name for alias in node.names} & known.keys()
    return reached


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of more than one module in which each reaches each (Tarjan, 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in arrows[node]:
            if other not in index:
                visit(other)
            if other in stack:
                low[node] = min(low[node], low[other])
        if low[node] == index[node]:
            place = stack.index(node)
            group, stack[place:] = stack[place:], []
            if len(group) > 1:
                groups.append(sorted(group))

    for node in arrows:
        if node not in index:
            visit(node)
    return groups


def test_a_circle_is_seen():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]


def test_no_module_is_imported_by_what_it_imports():
    known = modules()
    arrows = {name: imports(tree_of(path), known) - {name} for name, path in known.items()}
    assert circles(arrows) == []


def test_no_two_public_classes_have_one_name():
    homes: dict[str, list[str]] = defaultdict(list)
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].append(str(path.relative_to(SOURCE)))
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_no_flag_is_named_below_the_doors(path):
    if room_of(path) in DOORS:
        return
    tree = tree_of(path)
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            texts = [part.value if isinstance(part, ast.Constant) else "{" for part in node.values]
            assert "--{" not in "".join(map(str, texts)), f"line {node.lineno} puts a flag together"
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
            and not re.search(QUOTED, node.value)
        ):
            flag = FLAG.search(node.value)
            assert flag is None, f"line {node.lineno} names {flag[0]}: name the parameter, `like_this=…`"


def test_every_parameter_of_a_public_function_has_a_type():
    untyped = {
        f"{path.relative_to(SOURCE).as_posix()} {function.name}({parameter.arg})"
        for path in SOURCE.rglob("*.py")
        for function in public_functions(tree_of(path))
        for parameter in parameters(function)
        if parameter.annotation is None and parameter.arg not in ("self", "cls")
    }
    assert untyped == set()


def public_functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_")
    ]


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    every = function.args
    rest = [starred for starred in (every.vararg, every.kwarg) if starred is not None]
    return [*every.posonlyargs, *every.args, *every.kwonlyargs, *rest]


def test_variables_are_called_by_what_they_hold():
    empty = []
    for path in sorted(SOURCE.rglob("*.py")):
        file = path.relative_to(SOURCE).as_posix()
        for name, line in variables(tree_of(path)):
            if name in EMPTY and (file, name) not in KEYS:
                empty.append(f"{file}:{line} {name}")
    assert empty == []


def variables(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Every name that a file binds, and its line: variables, fields and parameters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg):
            yield node.arg, node.lineno


def test_no_comprehension_takes_the_name_of_a_global_that_its_function_uses():
    """Python 3.12.1 computes comprehensions in the function itself, and may then not find the global any more."""
    borrowed = []
    for folder in ("src", "tests", "scripts", "benchmarks"):
        for path in sorted((SOURCE.parents[1] / folder).rglob("*.py")):
            for function in ast.walk(tree_of(path)):
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    borrowed += [f"{path.name}:{line} {name}" for name, line in borrowed_names(function)]
    assert borrowed == []


def borrowed_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[str, int]]:
    """Names that a comprehension of the function binds and that the function reads elsewhere without binding them."""
    own: set[str] = set()
    inside: set[int] = set()
    nodes = list(ast.walk(function))
    for node in nodes:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp):
            bound = {name for part in node.generators for name, _ in variables(part.target)}
            own |= bound
            inside |= {id(other) for other in ast.walk(node) if getattr(other, "id", None) in bound}
    if not own:
        return
    outside = [node for node in nodes if isinstance(node, ast.Name | ast.arg) and id(node) not in inside]
    bound = {name for node in outside for name, _ in variables(node)}
    for node in outside:
        if isinstance(node, ast.Name) and node.id in own - bound:
            yield node.id, node.lineno


def test_the_page_on_the_shape_lists_every_room():
    page = (SOURCE.parents[1] / "docs" / "architecture.md").read_text("utf-8")
    rooms = {
        f"{path.name}/" if path.is_dir() else path.name
        for path in SOURCE.iterdir()
        if not path.name.startswith("_")
        and (
            path.suffix == ".py" or (path.is_dir() and any(file.stat().st_size for file in path.glob("*.py")))
        )
    }
    listed = set(re.findall(r"^\| `([\w.]+/?)`", page, flags=re.MULTILINE))
    assert listed == rooms


def test_what_is_tested_first_is_there():
    """Groups of tests that take longest, by the names that `group_of` gives them."""
    tests = Path(__file__).parent
    groups = {group_of(str(path.relative_to(tests.parent))) for path in tests.rglob("test_*.py")}
    assert set(FIRST) <= groups
    assert all((tests.parent / name).is_file() for name in (*BY_THEMSELVES, *FORKED))
    assert group_of("tests/docs/test_pages.py::test_a[b::c]") == "docs"
    assert group_of("tests/docs/test_site.py::test_a") == "tests/docs/test_site.py"
    assert group_of("tests/dial/test_dial.py::test_a") == "tests/dial/test_dial.py"


@pytest.mark.parametrize("turn", range(3))
def test_a_file_is_tested_in_one_process(turn, tmp_path_factory):
    """Where several test: what a file shares is made once, and what it holds at once is one process's."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    shared = tmp_path_factory.getbasetemp() if worker == "alone" else tmp_path_factory.getbasetemp().parent
    (shared / f"house-{worker}").touch()
    assert [path.name for path in shared.glob("house-*")] == [f"house-{worker}"]


def test_one_browser_serves_all_rooms():
    """Playwright's loop can begin once in a process, and which rooms share one depends on the scheduler."""
    begins = [
        path.name
        for path in sorted(Path(__file__).parent.rglob("*.py"))
        if ".sync_" + "playwright(" in path.read_text("utf-8")
    ]
    assert begins == ["conftest.py"]
