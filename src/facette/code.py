"""People's own Python: the names that a recipe or a model file gives it, and the code that they may mean.

A name is `module:object`, such as `nets:Encoder`. It means something only among modules that the caller passes, by the
last part of a module's own name. Nothing here imports by a name that stands in a file: a recipe or a model file alone
runs no code. The one file that is run is the one that somebody names for that, by `run_file`.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from facette.errors import UsageError

NAMED = r"^[A-Za-z_]\w*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$"
Modules = tuple[ModuleType, ...]

_passed: list[ModuleType | Path] = []  # for this whole process, by its caller; a file until it is needed
_run: list[ModuleType] = []  # by `run_file`


def modules_of(code: ModuleType | Iterable[ModuleType] | None) -> Modules:
    """One module, several or none, as a tuple."""
    if code is None:
        return ()
    return (code,) if isinstance(code, ModuleType) else tuple(code)


def pass_code(code: ModuleType | Path) -> None:
    """Let names mean what is in this module wherever this process reads a recipe or a model.

    A file is run when a name is first looked for, by `run_file`."""
    _passed.append(code)


def forget_code() -> None:
    """Let names mean nothing again that was passed for the process."""
    _passed.clear()


def _passed_modules() -> list[ModuleType]:
    """What was passed for the process, the newest first."""
    for place, code in enumerate(_passed):
        if isinstance(code, Path):
            _passed[place] = run_file(code)
    return [code for code in reversed(_passed) if isinstance(code, ModuleType)]


def resolve(name: str, code: Modules = ()) -> Callable[..., Any]:
    """The class or function that a name means in the modules of `code`, or in those passed for the process.

    Raises UsageError where no module of that name was passed, or it has no such thing that can be called.
    """
    wanted, _, path = name.partition(":")
    known = (*code, *_passed_modules())
    module = next((each for each in known if module_name(each) == wanted), None)
    if module is None:
        others = f", not {', '.join(sorted({module_name(each) for each in known}))}" if known else ""
        raise UsageError(
            f"{name!r} is somebody's own code, which a file cannot bring: pass its module, {wanted}, by `code`{others}"
        )
    thing: Any = module
    for part in path.split("."):
        thing = getattr(thing, part, None)
    if not callable(thing):
        raise UsageError(f"{wanted} has no class or function {path!r}")
    return thing


def module_name(module: ModuleType) -> str:
    """What names call a module by: the last part of its own name; for a script its file's."""
    if module.__name__ == "__main__" and getattr(module, "__file__", None):
        return Path(str(module.__file__)).stem
    return module.__name__.rpartition(".")[2]


def name_of(thing: Callable[..., Any]) -> str:
    """The name of a class or function. Raises UsageError for one inside a function, which no other process can find."""
    module = sys.modules.get(thing.__module__)
    path = getattr(thing, "__qualname__", type(thing).__qualname__)
    if module is None or "<" in path:
        raise UsageError(f"{path} is inside a function: another process finds only what stands in a module")
    return f"{module_name(module)}:{path}"


def module_that_has(thing: Callable[..., Any]) -> ModuleType:
    """The module in which a class or function was written."""
    return sys.modules[thing.__module__]


def run_file(path: str | Path) -> ModuleType:
    """Run a Python file that somebody named for it, and return its module, known by the file's name.

    Raises UsageError where there is no such file, or it cannot be run.
    """
    file = Path(path)
    if file.suffix != ".py" or not file.is_file() or not file.stem.isidentifier():
        raise UsageError(f"there is no Python file {str(path)!r}: give one such as nets.py")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(file.stem)
    if before is not None and before not in _run:
        raise UsageError(f"{str(path)!r} is called like a module that is in use, {file.stem}: rename it")
    sys.modules[file.stem] = module  # where its own classes say that they are from
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[file.stem]
        raise UsageError(f"{str(path)!r} cannot be run: {type(error).__name__}: {error}") from error
    _run.append(module)
    return module
