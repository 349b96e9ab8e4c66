"""`facette cache`: whatever commands keep is shown, and is gone when it was cleared."""

from __future__ import annotations

from facette.cli.cache import size


def test_everything_that_commands_kept_is_shown_and_cleared(run, quick_run, tmp_path):
    folder = tmp_path / "cache"
    assert run("evaluate", quick_run, "synthetic-faces:64", "--count", 24, "--cache", folder).code == 0
    shown = run("cache", "show", "--cache", folder, "--json").json
    assert {entry["kind"] for entry in shown["entries"]} - {"how layers compute here"} == {
        "packed pictures",
        "what a judge saw",
    }
    assert shown["size"] == sum(entry["size"] for entry in shown["entries"]) > 0
    tried = run("cache", "clear", "--cache", folder, "--dry-run").out
    assert "nothing was deleted" in tried
    cleared = run("cache", "clear", "--cache", folder, "--json").json
    assert cleared["freed"] == shown["size"]
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert run("cache", "--cache", folder, "--json").json["entries"] == []


def test_an_empty_cache_is_no_mistake(run, tmp_path):
    ended = run("cache", "clear", "--cache", tmp_path / "nowhere")
    assert ended.code == 0
    assert "0 entries" in ended.out


def test_sizes_are_said_as_people_say_them():
    assert [size(count) for count in (0, 999, 1000, 12_345, 999_499, 999_500, 3_400_000_000)] == [
        *("0 B", "999 B", "1.0 kB", "12.3 kB", "999 kB", "1.0 MB", "3.4 GB"),
    ]
