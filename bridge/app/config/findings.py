"""Gathers the mistakes of one file while it is looked at from several sides."""

from __future__ import annotations

from bridge.app.config.mistakes import ConfigError, Mistake, Path, Severity, spelled
from bridge.app.config.yaml_tree import Node, Place, key_place, place_of


class Findings:
    """A place with one mistake gets no second one for the same reason, nor any about a value that is not known."""

    def __init__(self, file: str, root: Node) -> None:
        self.file = file
        self.root = root
        self._found: dict[tuple[int, int, str], Mistake] = {}
        self._unknown: set[Path] = set()

    def error(self, path: Path, code: str, sentence: str, *, at_key: bool = False) -> None:
        """The value under `path` (or its key) cannot be taken."""
        self._add(path, code, sentence, Severity.ERROR, at_key=at_key)

    def warning(self, path: Path, code: str, sentence: str, *, at_key: bool = False) -> None:
        """It is taken, and should be changed."""
        self._add(path, code, sentence, Severity.WARNING, at_key=at_key)

    def unknown(self, path: Path, code: str, sentence: str, severity: Severity = Severity.ERROR) -> None:
        """The value under `path` cannot be known here; nothing else is said of it."""
        self._add(path, code, sentence, severity, at_key=False)
        self._unknown.add(path)

    def line(self, path: Path) -> int:
        """Where a path stands, for a sentence about another place."""
        return place_of(self.root, path).line

    def error_at(self, place: Place, path: Path, code: str, sentence: str) -> None:
        """For a place that its path does not lead to."""
        self._keep(place, path, code, sentence, Severity.ERROR)

    def _add(self, path: Path, code: str, sentence: str, severity: Severity, *, at_key: bool) -> None:
        if not any(path[:end] in self._unknown for end in range(len(path) + 1)):
            place = key_place(self.root, path) if at_key else place_of(self.root, path)
            self._keep(place, path, code, sentence, severity)

    def _keep(self, place: Place, path: Path, code: str, sentence: str, severity: Severity) -> None:
        mistake = Mistake(
            file=self.file,
            line=place.line,
            column=place.column,
            path=spelled(path),
            code=code,
            sentence=sentence,
            severity=severity,
        )
        self._found.setdefault((place.line, place.column, f"{code} {mistake.path}"), mistake)

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """All of them, in the order of the file."""
        return tuple(sorted(self._found.values(), key=lambda each: (each.line, each.column)))

    def raise_errors(self) -> None:
        """Raise ConfigError with everything that was found if any of it is an error."""
        if any(mistake.severity is Severity.ERROR for mistake in self._found.values()):
            raise ConfigError(self.mistakes)


def mistake_of_file(file: str, code: str, sentence: str, place: Place | None = None) -> ConfigError:
    """For a file of which nothing else can be said."""
    where = place or Place()
    return ConfigError(
        [Mistake(file=file, line=where.line, column=where.column, path="", code=code, sentence=sentence)]
    )
