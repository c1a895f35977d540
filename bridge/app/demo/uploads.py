"""What the demo puts on the platform."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bridge.domain.model import Label


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A comment as the platform's `sync` takes it, with the labels it truly has.

    Where `teaches` is set the labels are uploaded as an annotation too; an empty one says that no label fits.
    """

    comment: Mapping[str, object]
    labels: tuple[Label, ...]
    teaches: bool

    @property
    def comment_id(self) -> str:
        """The uploader's own id of the comment."""
        return str(self.comment["id"])


def label_names(uploads: Sequence[Upload]) -> list[Label]:
    """Every label that is taught, sorted."""
    return sorted({label for upload in uploads if upload.teaches for label in upload.labels})
