"""How a page's events reach the model: in turns, with mistakes spoken as sentences.

Enters: a Gradio event, a plain function `(tab, *values)`, its inputs and outputs. Leaves: the bound event. `live`
is for what takes fractions of a second, `long` for what takes longer, tells how far it is, and can be stopped.
Knows no page.

The functions get the tab first, an unguessable name of the browser's page, under which they may offer
downloads.
"""

from __future__ import annotations

import logging
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from html import escape
from typing import Any, Protocol

from facette.errors import FacetteError, UsageError
from facette.progress import Progress
from facette.runtime import give_back_freed_memory
from facette.studio.visitors import Visitors

log = logging.getLogger("facette.studio")

OURS = "Something went wrong in the studio itself; the log in its terminal says what."
CROWDED = "So many pages ask at once that this one was taken for one that has left: try it again."
AT_ONCE = 1
CROWD = 256  # events that may wait for their turn at once; live ones are answered as visitors.Lane calls them
LONG_AT_ONCE = 2
REST = 2.0  # seconds
PACE = 0.25  # seconds between words about progress
SHOWN = 8.0  # seconds that a mistake is shown for


class Tell(Protocol):
    """Says how far a piece of work is: in words, and as a share from 0 to 1 where that is known."""

    def __call__(self, words: str, share: float | None = None) -> None: ...


def unheard(words: str, share: float | None = None) -> None:
    """Tells nobody how far a piece of work is."""


def progress_by(tell: Tell, label: str = "") -> Progress:
    """What a page is told of the stages of a piece of work."""
    return lambda stage, done, total: tell(f"{label}{stage}", done / total if total else None)


class ActiveWork:
    """Who is at work, so that the studio closes when nobody is: native threads do not outlive an interpreter well.

    `at_rest` is called when the last one is done, but not again within REST seconds: then after them.
    """

    def __init__(self, at_rest: Callable[[], object] = give_back_freed_memory) -> None:
        self._count, self._changed, self.ended = 0, threading.Condition(), False
        self._at_rest, self._rested = at_rest, -math.inf
        self._later: threading.Timer | None = None

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()
        self.rest()

    def rest(self) -> None:
        """Something has ended, and what it took is free; whoever is still at work comes here when done."""
        with self._changed:
            if self._count or self._later is not None:
                return
            if time.monotonic() - self._rested < REST:
                self._later = threading.Timer(REST, self._rest_later)
                self._later.daemon = True
                self._later.start()
                return
            self._rested = time.monotonic()
        self._at_rest()

    def _rest_later(self) -> None:
        with self._changed:
            self._later = None
        self.rest()

    def end(self, seconds: float) -> bool:
        """Ask long work to stop, and wait at most so long until all is done; whether it is."""
        self.ended = True
        with self._changed:
            return self._changed.wait_for(lambda: not self._count, seconds)


class Workplace(Protocol):
    """What events need of the studio: the model's lock, and who is at work."""

    turn: threading.Lock
    at_work: ActiveWork
    visitors: Visitors


class StoppedError(Exception):
    """The visitor stopped a long piece of work."""


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What an event has still to do when it no longer needs the model: the next one begins meanwhile."""

    finish: Callable[[], Any]


class EmptyFieldError(Exception):
    """A field for a number is empty: somebody is about to type another one. Its name is the message."""


def live(
    studio: Workplace,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    in_a_hurry: bool = False,
    **options: Any,
) -> Any:
    """Bind a short event: `function(tab, *values)` runs while nobody else uses the model.

    While one runs, of those that follow from the same control only the last is kept. `in_a_hurry`: what is shown while
    a control moves goes before what is shown when it rests. A function may return `Afterwards`. Returns Gradio's event,
    so that `.then` and `cancels` work on it.
    """
    return _short(studio, trigger, function, inputs, outputs, "live", studio.turn, options, in_a_hurry)


def aside(
    studio: Workplace,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any] = (),
    outputs: Sequence[Any] = (),
    **options: Any,
) -> Any:
    """Bind an event that may take seconds and that nobody waits for: beside the live ones, not among them."""
    return _short(studio, trigger, function, inputs, outputs, "aside", nullcontext(), options)


def long(
    studio: Workplace,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any],
    progress_box: Any,
    outputs: Sequence[Any],
    stop: Any = None,
    lane: str = "long",
    **options: Any,
) -> Any:
    """Bind a long event: `function(tab, tell, *values)` runs in a thread of its own.

    `tell(words, share)` says how far it is (share 0 to 1, or None) and ends the work when it was stopped; it is
    shown in `progress_box`, a gr.HTML. The function's return is shown in `outputs` at the end. A click on `stop`, a
    button, stops what runs in the same tab. LONG_AT_ONCE of each `lane` run at once.
    """
    import gradio as gr

    untouched = [gr.skip() for _ in outputs]
    running: dict[str, threading.Event] = {}  # by tab

    def answer(*values: Any) -> Iterator[Any]:
        *arguments, request = values
        tab = _tab(request)
        if studio.visitors.has_gone(request.session_hash):
            raise page_error(UsageError(CROWDED))
        try:
            arguments = checked(inputs, arguments)
        except EmptyFieldError as error:
            raise page_error(UsageError(f"{error} is empty: type a number first.")) from None
        except FacetteError as error:
            raise page_error(error) from None
        messages: queue.Queue[tuple[str, Any]] = queue.Queue()
        stopped = running[tab] = threading.Event()
        tell = _ProgressReporter(messages, stopped, studio.at_work)
        arguments = (tab, tell, *arguments)
        worker = threading.Thread(
            target=_work, args=(studio.at_work, function, arguments, messages), daemon=True
        )
        worker.start()
        try:
            for kind, value in _messages(messages, stopped):
                if kind == "told":
                    yield [value, *untouched]
                elif kind == "failed":
                    yield ["", *untouched]  # its bar ends with it
                    raise page_error(value)
                else:
                    yield ["", *(value if len(outputs) > 1 else [value])]
                    return
            yield ['<p class="quiet" role="status">Stopped.</p>', *untouched]
        finally:
            stopped.set()
            running.pop(tab, None)

    def end(*values: Any) -> None:
        if (stopped := running.get(_tab(values[-1]))) is not None:
            stopped.set()

    if stop is not None:
        _bind(stop.click, end, (), (), "stop", AT_ONCE, {})
    return _bind(trigger, answer, inputs, [progress_box, *outputs], lane, LONG_AT_ONCE, options)


def progress_bar(words: str, share: float | None = None) -> str:
    """How far something is, as HTML."""
    value = "" if share is None else f' value="{min(max(share, 0.0), 1.0):.3f}"'
    return (
        f'<div class="working" role="status"><progress{value} aria-label="{escape(words)}"></progress>'
        f"<span>{escape(words)}</span></div>"
    )


def page_error(error: Exception) -> Exception:
    """What ends an event and is shown by the page."""
    import gradio as gr

    return gr.Error(_in_words(error), duration=SHOWN, title="", print_exception=False)


def tell_mistake(error: Exception) -> None:
    """Show the mistake on the page; to Gradio the event has come to a good end.

    After one that failed, Gradio 6 forgets what the visitor changed meanwhile (`always_last`): a control that is moved
    over an impossible value would stand at a possible one beside a page that says "Error".
    """
    import gradio as gr

    gr.Warning(_in_words(error), duration=SHOWN, title="")


def _in_words(error: Exception) -> str:
    """The user's mistake as its sentence, ours as a line that points to the log."""
    if isinstance(error, FacetteError):
        return escape(str(error))
    log.error("an event failed", exc_info=error)
    return OURS


def _short(
    studio: Workplace,
    trigger: Callable[..., Any],
    function: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    lane: str,
    turn: AbstractContextManager[Any],
    options: dict[str, Any],
    in_a_hurry: bool = False,
) -> Any:
    """Bind an event that is answered at once, within `turn`, when it is called in its lane.

    Gradio lets a crowd of them in, so that one whose page may have left is waited for beside the others.
    """
    from anyio.to_thread import run_sync

    def work(tab: str, values: Sequence[Any]) -> Any:
        with studio.at_work, turn:
            return function(tab, *values)

    async def answer(*values: Any) -> Any:
        *arguments, request = values
        line = studio.visitors.lane(lane)
        if not await line.enter(request.session_hash, in_a_hurry):
            raise page_error(
                UsageError(CROWDED)
            )  # seen by nobody; an answer would be prepared for each control
        try:
            answered = await run_sync(work, _tab(request), checked(inputs, arguments))
        except EmptyFieldError:
            return _unchanged(outputs)
        except Exception as error:
            tell_mistake(error)
            return _unchanged(outputs)
        finally:
            line.leave()
        return await run_sync(answered.finish) if isinstance(answered, Afterwards) else answered

    return _bind(trigger, answer, inputs, outputs, lane, CROWD, {"trigger_mode": "always_last", **options})


def checked(inputs: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """The values of a page's controls, each one that its control allows.

    Raises EmptyFieldError for a number that is missing, and UsageError for what the control does not take.
    """
    return [_checked(control, value) for control, value in zip(inputs, values, strict=True)]


def _checked(control: Any, value: Any) -> Any:
    import gradio as gr

    match control:
        case gr.Slider() | gr.Number():
            return _number(str(control.label), value, control.minimum, control.maximum, control.precision)
        case gr.Radio() if value not in (known := [choice for _, choice in control.choices]):
            raise UsageError(f"{control.label}: {value!r} is none of {', '.join(map(str, known))}.")
        case _:
            return value


def _number(
    name: str, value: Any, least: float | None, most: float | None, digits: int | None
) -> float | int:
    if value is None or value == "":
        raise EmptyFieldError(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UsageError(f"{name}: {value!r} is no number.")
    low, high = -math.inf if least is None else least, math.inf if most is None else most
    if not low <= value <= high:
        bounds = f"from {low:,g} to {high:,.12g}" if high < math.inf else f"of at least {low:g}"
        raise UsageError(f"{name}: {value:,.12g} is not possible, a number {bounds} is.")
    return round(value) if digits == 0 else value


def _unchanged(outputs: Sequence[Any]) -> Any:
    import gradio as gr

    return [gr.skip() for _ in outputs] if len(outputs) > 1 else gr.skip()


class _ProgressReporter:
    """Words about how far a piece of work is, a few times a second at most; raises StoppedError when it was stopped."""

    def __init__(self, messages: queue.Queue[tuple[str, Any]], stopped: threading.Event, at_work: ActiveWork):
        self._messages, self._stopped, self._at_work = messages, stopped, at_work
        self._last = ("", -math.inf)

    def __call__(self, words: str, share: float | None = None) -> None:
        if self._stopped.is_set() or self._at_work.ended:
            raise StoppedError
        now = time.monotonic()
        if words != self._last[0] or now - self._last[1] > PACE:
            self._last = (words, now)
            self._messages.put(("told", progress_bar(words, share)))


def _messages(messages: queue.Queue[tuple[str, Any]], stopped: threading.Event) -> Iterator[tuple[str, Any]]:
    """What the work says, until it was stopped; what it says because it was is not among it."""
    while not stopped.is_set():
        try:
            message = messages.get(timeout=PACE)
        except queue.Empty:
            continue
        if not stopped.is_set():
            yield message


def _work(
    at_work: ActiveWork,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    messages: queue.Queue[tuple[str, Any]],
) -> None:
    try:
        with at_work:
            messages.put(("done", function(*arguments)))
    except StoppedError:
        messages.put(("done", None))  # nobody listens any more
    except Exception as error:
        messages.put(("failed", error))


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
    # Values come as the page sent them: Gradio's own checks speak of components and indices, `checked` of fields.
    settled = {"show_progress": "hidden", "api_visibility": "private", "preprocess": False, **options}
    return trigger(
        answer, list(inputs), list(outputs), concurrency_id=lane, concurrency_limit=at_once, **settled
    )


def _tab(request: Any) -> str:
    return str(request.session_hash)
