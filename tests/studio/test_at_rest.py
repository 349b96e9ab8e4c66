"""When nobody is at work, the studio gives memory back: once, not after every event."""

from __future__ import annotations

from facette.studio import events
from facette.studio.events import ActiveWork


def test_memory_is_given_back_when_the_last_one_is_done(monkeypatch):
    given = []
    at_work = ActiveWork(at_rest=lambda: given.append(True))
    with at_work:
        with at_work:
            pass
        assert not given
    assert len(given) == 1
    with at_work:
        pass
    assert len(given) == 1  # a moment later
    monkeypatch.setattr(events, "REST", 0.0)
    with at_work:
        pass
    assert len(given) == 2
