"""What a release says of where it comes from: addresses, and a README whose links lead somewhere outside a repository.

Enters: README.md, and the repository's address in the environment, FACETTE_REPOSITORY or what GitHub's runners set.
Leaves: URLs and the long description in the package's metadata. A build by hand names no address and keeps its links:
a fork's release must not point to somebody else.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {"Documentation": "docs/README.md", "Changelog": "CHANGELOG.md", "Security": "SECURITY.md"}


class ReleaseMetadata(MetadataHookInterface):
    def update(self, metadata: dict[str, Any]) -> None:
        address = repository()
        readme = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(readme, address)}
        if address:
            pages = {name: f"{address}/blob/main/{page}" for name, page in PAGES.items()}
            metadata["urls"] = {"Repository": address, "Issues": f"{address}/issues", **pages}


def repository() -> str:
    """The address of the repository that is built, without a slash at its end; empty where nobody says."""
    server, name = os.environ.get("GITHUB_SERVER_URL", ""), os.environ.get("GITHUB_REPOSITORY", "")
    said = os.environ.get("FACETTE_REPOSITORY") or (f"{server}/{name}" if server and name else "")
    return said.rstrip("/")


def absolute(text: str, address: str) -> str:
    """Links into the repository as addresses; as they are where there is no address."""
    if not address:
        return text

    def lead(match: re.Match[str]) -> str:
        picture, words, target = match[1], match[2], match[3]
        if "://" in target or target.startswith("#"):
            return match[0]
        return f"{picture}[{words}]({address}/{'raw' if picture else 'blob'}/main/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)", lead, text)
