"""How far work has come is told in one way, and shown as a bar for each stage."""

from __future__ import annotations

from facette.cli import output
from facette.progress import stage


def test_a_loop_says_how_much_more_and_its_stage_how_much_of_how_much():
    told = []
    advance = stage(lambda *words: told.append(words), "measuring", 5)
    advance(2)
    advance(3)
    assert told == [("measuring", 0, 5), ("measuring", 2, 5), ("measuring", 5, 5)]
    stage(lambda *words: told.append(words), "nothing", 0)
    assert told[-1] == ("measuring", 5, 5)


def test_each_stage_has_its_bar_and_so_has_the_same_of_the_next_collection(monkeypatch):
    bars = []

    class Recorded(output._Lines):
        def __init__(self, *words):
            super().__init__(*words)
            bars.append(self)

    monkeypatch.setattr(output, "_Lines", Recorded)
    with output.stages("faces64", "pictures") as show:
        for words in (("reading", 3, 5), ("reading", 5, 5), ("reading", 1, 4), ("measuring", 2, 9)):
            show(*words)
    shown = [(bar._label, bar._total, bar._done) for bar in bars]
    assert shown == [("faces64 reading", 5, 5), ("faces64 reading", 4, 1), ("faces64 measuring", 9, 2)]
