"""Every package that the service or its trial installs may be shipped."""

from __future__ import annotations

import importlib.util
import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SCRIPT = Path(__file__).parents[2] / "deploy" / "scripts" / "licences.py"


def _script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


licences = _script()


def installed_for(extras: set[str]) -> dict[str, Distribution]:
    """What the project asks for here, and what that asks for."""
    found: dict[str, Distribution] = {}
    open_ends = [("bridge", extras)]
    while open_ends:
        name, wanted = open_ends.pop()
        try:
            each = distribution(name)
        except PackageNotFoundError:
            continue  # for another platform
        known = found.get(canonicalize_name(name))
        found[canonicalize_name(name)] = each
        if known is not None and not wanted:
            continue
        for line in each.requires or ():
            asked = Requirement(line)
            if asked.marker is None or any(asked.marker.evaluate({"extra": extra}) for extra in wanted | {""}):
                open_ends.append((asked.name, set(asked.extras)))
    return found


def test_every_licence_is_allowed() -> None:
    shipped = installed_for({"sandbox"})
    assert len(shipped) > 40
    refused = {
        name: licences.spdx(each)
        for name, each in shipped.items()
        if name != "bridge" and not licences.is_allowed(licences.spdx(each))
    }
    assert refused == {}


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-only OR Apache-2.0", True),
        ("(MIT OR GPL-2.0-only) AND BSD-3-Clause", True),
        ("", False),
    ],
)
def test_what_an_expression_allows(expression: str, allowed: bool) -> None:
    assert licences.is_allowed(expression) is allowed


def test_the_list_names_no_copyleft() -> None:
    assert not [name for name in licences.ALLOWED if re.match(r"A?L?GPL", name)]
