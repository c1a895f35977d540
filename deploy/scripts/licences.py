"""licences.py [--pins]: the licence of every package of this environment, held against those that are allowed.

With --pins it prints `name==version` of each instead. It needs nothing but the standard library.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions

ALLOWED = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "PSF-2.0", "Zlib",
    "Unlicense", "CNRI-Python",
}  # fmt: skip
"""Permissive ones; MPL-2.0 asks something only of who changes its files. By their SPDX names."""
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "DFSG approved": "MIT",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages say in words of their own."""
UNSAID: dict[str, str] = {}
"""Of packages that say none in their metadata, read in their files: name to SPDX expression."""
OURSELVES = {"bridge", "pip", "setuptools"}


def spdx(distribution: Distribution) -> str:
    """The licence as an SPDX expression as far as the package says it, empty where it says nothing."""
    metadata = distribution.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return str(expression)
    classified = [str(line).rpartition("::")[2].strip() for line in metadata.get_all("Classifier") or ()]
    said = [SPELLINGS[word] for word in classified if word in SPELLINGS]
    if not said:
        word = str(metadata.get("License") or "").split("\n")[0].strip()
        said = [SPELLINGS.get(word, word)] if word else []
    return " AND ".join(dict.fromkeys(said)) or UNSAID.get(str(metadata["Name"]), "")


def is_allowed(expression: str) -> bool:
    """Whether we may ship it: of an OR one side, of an AND both."""
    either = [part for part in re.split(r"\s+OR\s+", expression.replace("(", "").replace(")", "")) if part]
    return any(all(each in ALLOWED for each in re.split(r"\s+AND\s+", part)) for part in either)


def packages(found: Iterable[Distribution]) -> Iterator[Distribution]:
    """Everything that is not this project, by name."""
    named = {str(each.metadata["Name"]).lower(): each for each in found}
    yield from (named[name] for name in sorted(named) if name not in OURSELVES)


def main(arguments: list[str]) -> int:
    """1 when some licence is not allowed."""
    refused = 0
    for each in packages(distributions()):
        name, version = each.metadata["Name"], each.version
        if "--pins" in arguments:
            print(f"{name}=={version}")
            continue
        expression = spdx(each)
        allowed = is_allowed(expression)
        refused += not allowed
        print(f"{'' if allowed else 'NOT ALLOWED '}{name} {version}: {expression or 'says no licence'}")
    return int(refused > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
