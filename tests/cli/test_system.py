"""`facette doctor --system`: what is installed, what is missing and the line that brings it, where it computes."""

from __future__ import annotations

import re
from importlib.metadata import version

from facette.cli.system import installed_extras, lines

REQUIREMENTS = [
    "numpy>=2",
    "no-such-library<5,>=4.12; extra == 'face'",
    "pillow; extra == 'face'",
    'gradio<7,>=6.16; extra == "studio"',
    "facette[face]; extra == 'studio'",
]


def test_extras_are_those_of_the_package_with_their_versions():
    extras = installed_extras(REQUIREMENTS)
    assert list(extras) == ["", "face", "studio"]
    assert extras[""] == {"numpy": version("numpy")}
    assert extras["face"] == {"no-such-library": None, "pillow": version("pillow")}
    assert list(extras["studio"]) == ["gradio"]


def test_the_report_is_whole_and_for_machines_too(run):
    report = run("doctor", "--system", "--json").json
    assert report["extras"][""]["numpy"] == version("numpy")
    assert report["compute"]["draws"].startswith("onnxruntime")
    assert report["cache"]["size"] >= 0
    text = run("doctor", "--system").out
    assert report["python"] in text
    assert report["cache"]["folder"] in text


def test_what_is_missing_is_named_with_its_extra(run):
    report = run("doctor", "--system", "--json").json
    report["extras"] = installed_extras(REQUIREMENTS)
    row = next(line for line in lines(report) if line.startswith("face "))
    assert re.search(r'misses no-such-library\s+pip install "facette\[face\]"', row)


def test_without_a_model_the_doctor_says_what_it_looks_at(run):
    ended = run("doctor")
    assert ended.code == 2
    assert "--system" in ended.err
