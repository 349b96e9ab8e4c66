"""How a page's events reach the model: in turns, with mistakes spoken as sentences.

Enters: a Gradio event, a plain function `(tab, *values)`, its inputs and outputs. Leaves: the bound event. `live`
is for what takes fractions of a second, `long` for what takes longer, tells how far it is, and can be stopped.
Knows no page.

The functions get the tab first, an unguessable name of the browser's page, under which it may keep things on the
shelf.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from facette.errors import FacetteError

if TYPE_CHECKING:
    from facette.studio.app import Studio

log = logging.getLogger("facette.studio")

OURS = "Something went wrong in the studio itself; the log in its terminal says what."
AT_ONCE = 1  # live events are answered in the order in which they came
LONG_AT_ONCE = 1


class StoppedError(Exception):
    """The visitor stopped a long piece of work."""


def live(
    studio: Studio,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    **options: Any,
) -> Any:
    """Bind a short event: `function(tab, *values)` runs while nobody else uses the model.

    While one runs, of those that follow from the same control only the last is kept. Returns Gradio's event, so that
    `.then` and `cancels` work on it.
    """

    def answer(*values: Any) -> Any:
        *given, request = values
        try:
            with studio.turn:
                return function(_tab(request), *given)
        except Exception as error:
            raise spoken(error) from None

    return _bind(
        trigger, answer, inputs, outputs, "live", AT_ONCE, {"trigger_mode": "always_last", **options}
    )


def aside(
    studio: Studio,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    **options: Any,
) -> Any:
    """Bind an event that may take seconds and that nobody waits for: beside the live ones, not among them."""

    def answer(*values: Any) -> Any:
        *given, request = values
        try:
            return function(_tab(request), *given)
        except Exception as error:
            raise spoken(error) from None

    return _bind(trigger, answer, inputs, outputs, "aside", 1, {"trigger_mode": "always_last", **options})


def long(
    studio: Studio,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any],
    progress_box: Any,
    outputs: Sequence[Any],
    **options: Any,
) -> Any:
    """Bind a long event: `function(tab, tell, *values)` runs in a thread of its own.

    `tell(words, share)` says how far it is (share 0 to 1, or None) and ends the work when it was stopped; it is
    shown in `progress_box`, a gr.HTML. The function's return is shown in `outputs` at the end. Give the returned
    event to a stop button: `stop.click(None, cancels=[event])`.
    """
    import gradio as gr

    untouched = [gr.skip() for _ in outputs]

    def answer(*values: Any) -> Iterator[Any]:
        *given, request = values
        tab = _tab(request)
        said: queue.Queue[tuple[str, Any]] = queue.Queue()
        stopped = threading.Event()

        def tell(words: str, share: float | None = None) -> None:
            if stopped.is_set():
                raise StoppedError
            said.put(("told", progress_bar(words, share)))

        worker = threading.Thread(target=_work, args=(function, (tab, tell, *given), said), daemon=True)
        worker.start()
        try:
            while True:
                kind, found = said.get()
                if kind == "told":
                    yield [found, *untouched]
                elif kind == "failed":
                    raise spoken(found)
                else:
                    yield ["", *(found if len(outputs) > 1 else [found])]
                    return
        finally:
            stopped.set()

    return _bind(trigger, answer, inputs, [progress_box, *outputs], "long", LONG_AT_ONCE, options)


def progress_bar(words: str, share: float | None = None) -> str:
    """How far something is, as HTML."""
    value = "" if share is None else f' value="{min(max(share, 0.0), 1.0):.3f}"'
    return (
        f'<div class="working" role="status"><progress{value} aria-label="{escape(words)}"></progress>'
        f"<span>{escape(words)}</span></div>"
    )


def spoken(error: Exception) -> Exception:
    """What the page shows of an error: the user's mistake as its sentence, ours as a line that points to the log."""
    import gradio as gr

    if isinstance(error, gr.Error):
        return error
    if isinstance(error, FacetteError):
        return gr.Error(str(error), duration=None, title="", print_exception=False)
    log.error("an event failed", exc_info=error)
    return gr.Error(OURS, duration=None, title="", print_exception=False)


def _work(function: Callable[..., Any], given: tuple[Any, ...], said: queue.Queue[tuple[str, Any]]) -> None:
    try:
        said.put(("done", function(*given)))
    except StoppedError:
        said.put(("done", None))  # nobody listens any more
    except Exception as error:
        said.put(("failed", error))


def _bind(
    trigger: Callable[..., Any],
    answer: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    lane: str,
    at_once: int,
    options: dict[str, Any],
) -> Any:
    import inspect

    import gradio as gr

    # Gradio hands the request to whichever parameter is annotated so; ours comes last.
    places = [
        inspect.Parameter(f"value_{i}", inspect.Parameter.POSITIONAL_OR_KEYWORD) for i in range(len(inputs))
    ]
    asking = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=gr.Request)
    answer.__signature__ = inspect.Signature([*places, asking])  # type: ignore[attr-defined]
    answer.__annotations__ = {"request": gr.Request}
    settled = {"show_progress": "hidden", "api_visibility": "private", **options}
    return trigger(
        answer, list(inputs), list(outputs), concurrency_id=lane, concurrency_limit=at_once, **settled
    )


def _tab(request: Any) -> str:
    return str(request.session_hash)
