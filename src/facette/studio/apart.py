"""Work in a process of its own: what it loads is gone when it is done, and it can be ended at any moment.

Enters: a function of a module, and what it works on, which can be sent to another process. Leaves: what the function
returns; what it says on the way is passed on. Nothing is written to a disk. Knows no page.

What returns must load nothing here that was loaded there: no class whose module imports torch.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facette.errors import FacetteError, import_extra

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from facette.model.trained import TrainedModel
    from facette.studio.events import Tell

LISTENING = 0.25  # seconds between two looks at whether somebody has had enough
LEAVING = 5.0  # seconds for a process to end when it is asked to
YIELDING = 5  # of niceness: dials stay quick meanwhile


@dataclass(frozen=True, slots=True)
class NamedModel:
    """The model of the page as another process opens it."""

    name: str  # as on the command line
    plain: bool = False  # without its second stage
    device: str = "auto"

    def open(self) -> TrainedModel:
        """As torch computes it, with other sums and other last bits than what draws on the page.

        Raises MissingExtraError where torch is not installed.
        """
        import_extra("torch", "train", "What measures a model, maps a latent space or follows gradients")
        from facette.checkpoint.native import load_model

        model = load_model(self.name, device=self.device)
        return model.plain() if self.plain else model


def work_apart(function: Callable[[Any, Tell], Any], order: Any, tell: Tell) -> Any:
    """`function(order, tell)` in another process.

    `tell` is called here; what it raises ends the process. Raises the FacetteError that the function raised, and
    RuntimeError for any other failure, the process's own end included.
    """
    spawning = multiprocessing.get_context("spawn")  # threads and a model do not survive a fork well
    here, there = spawning.Pipe(duplex=False)
    process = spawning.Process(target=_work, args=(there, function, order), daemon=True)
    process.start()
    there.close()
    news: tuple[str, float | None] = ("Starting", None)
    try:
        while True:
            tell(*news)
            if not here.poll(LISTENING):
                continue
            kind, value = here.recv()
            match kind:
                case "told":
                    news = value
                case "done":
                    return value
                case "mistake":
                    raise value
                case _:
                    raise RuntimeError(f"work in another process failed:\n{value}")
    except EOFError:
        process.join(LEAVING)
        raise RuntimeError(f"the process that worked on this ended with code {process.exitcode}") from None
    finally:
        here.close()
        process.terminate()
        process.join(LEAVING)
        if process.is_alive():
            process.kill()


def _work(there: Connection, function: Callable[[Any, Tell], Any], order: Any) -> None:
    """What the other process does."""
    os.nice(YIELDING)

    def tell(words: str, share: float | None = None) -> None:
        there.send(("told", (words, share)))

    try:
        result = ("done", function(order, tell))
    except FacetteError as error:
        result = ("mistake", error)
    except Exception:
        result = ("failure", traceback.format_exc())
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        there.send(result)
    there.close()
