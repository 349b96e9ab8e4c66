"""What the site has beside the pages in docs/: cards, notebooks and measurements from where they live.

Enters: MkDocs' list of files and each page's Markdown. Leaves: the same with those files in it, and with links that
lead from page to page wherever the files stand in the repository. Knows nothing of how a page looks.
"""

from __future__ import annotations

import base64
import json
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]

# where a file stands in the repository → where it stands on the site
ELSEWHERE = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "NOTICE": "notice.md",
    "benchmarks/results/speed.md": "benchmarks/speed.md",
    "benchmarks/results/inference.md": "benchmarks/inference.md",
    "benchmarks/results/studio.md": "benchmarks/studio.md",
    "benchmarks/results/objectives.md": "benchmarks/objectives.md",
    "benchmarks/results/plain.md": "benchmarks/plain.md",
    "notebooks/first_steps.ipynb": "notebooks/first_steps.md",
    "notebooks/train_your_own.ipynb": "notebooks/train_your_own.md",
    "notebooks/compare_objectives.ipynb": "notebooks/compare_objectives.md",
}
# Every card stands beside its weights; it is known by its model's name, or by the room whose network it is.
SOURCE = REPOSITORY / "src" / "facette"
for _card in sorted(SOURCE.rglob("README.md")):
    _rooms = [part for part in _card.relative_to(SOURCE).parts[:-1] if part not in ("models", "weights")]
    ELSEWHERE[_card.relative_to(REPOSITORY).as_posix()] = f"cards/{_rooms[-1]}.md"
HOME = {on_site: at_home for at_home, on_site in ELSEWHERE.items()}
LINK = re.compile(r"(\]\()([^)#\s]+)(#[^)\s]*)?\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Give pages that nobody put into the contents a place there, so that none is lost."""
    listed = json.dumps(config.nav)
    docs = Path(config.docs_dir)
    sections = {name: pages for entry in config.nav or [] for name, pages in entry.items()}
    pages = [path.relative_to(docs).as_posix() for path in sorted(docs.rglob("*.md"))]
    papers = [on_site for at_home, on_site in ELSEWHERE.items() if (REPOSITORY / at_home).exists()]
    for section, candidates in (("How to", pages), ("Contributing", papers)):
        sections[section] += [
            page for page in candidates if f'"{page}"' not in listed and "cards/" not in page
        ]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what stands elsewhere in the repository."""
    for at_home, on_site in ELSEWHERE.items():
        path = REPOSITORY / at_home
        if not path.exists():
            continue
        if path.suffix == ".ipynb":
            text, pictures = notebook_page(json.loads(path.read_text("utf-8")), Path(on_site).stem)
            for name, content in pictures.items():
                uri = posixpath.join(posixpath.dirname(on_site), name)
                files.append(File.generated(config, uri, content=content))
        else:
            text = without_front_matter(path.read_text("utf-8"))
        files.append(File.generated(config, on_site, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links where their targets stand on the site. What the site does not have keeps its words alone."""
    on_site = page.file.src_uri
    at_home = HOME.get(on_site, posixpath.join("docs", on_site))

    def lead(match: re.Match[str]) -> str:
        target, anchor = match[2], match[3] or ""
        if "://" in target or target.startswith("mailto:"):
            return match[0]
        aim = posixpath.normpath(posixpath.join(posixpath.dirname(at_home), target))
        aim = ELSEWHERE.get(aim, aim.removeprefix("docs/") if aim.startswith("docs/") else aim)
        return f"{match[1]}{posixpath.relpath(aim, posixpath.dirname(on_site) or '.')}{anchor})"

    return LINK.sub(lead, markdown)


def notebook_page(notebook: dict[str, Any], name: str) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by file name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            kind = next((k for k in ("image/png", "image/jpeg") if k in data), None)
            if kind:
                file = f"{name}-{len(pictures) + 1}.{kind.removeprefix('image/')}"
                pictures[file] = base64.b64decode("".join(data[kind]))
                parts.append(f"![What the cell above draws]({file})")
            elif "text/markdown" in data:
                parts.append("".join(data["text/markdown"]))
            elif text := "".join(output.get("text", data.get("text/plain", ""))).rstrip():
                parts.append(f"```text\n{text}\n```")
    return "\n\n".join(parts) + "\n", pictures


def without_front_matter(text: str) -> str:
    """A card without what model hubs read at its top."""
    return re.sub(r"\A---\n.*?\n---\n+", "", text, flags=re.S)
