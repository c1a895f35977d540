"""release_notes.py VERSION [CHANGELOG]: prints what the changelog says of a version; 1 where it says nothing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


def notes(changelog: str, version: str) -> str:
    """The text under the version's heading, without it. Raises LookupError where there is none or it is empty."""
    sections = re.split(r"^## ", changelog, flags=re.MULTILINE)[1:]
    for section in sections:
        heading, _, text = section.partition("\n")
        if re.match(rf"\[?v?{re.escape(version.removeprefix('v'))}\]?(\s|$)", heading) and text.strip():
            return text.strip()
    raise LookupError(f"the changelog says nothing of {version}: give it a section `## {version} - YYYY-MM-DD`")


def main(arguments: list[str]) -> int:
    """Prints them."""
    version, *rest = arguments
    try:
        print(notes((Path(rest[0]) if rest else CHANGELOG).read_text(encoding="utf-8"), version))
    except LookupError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
