"""What the demo works on: the sample, or the lines of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bridge.app.demo.data_file import read_data
from bridge.app.demo.options import Options
from bridge.app.demo.sample.mail import make_sample
from bridge.app.demo.scenario import LABEL_ROUTE_MIN, Scenario, label_scenario, sample_scenario
from bridge.app.demo.uploads import Upload, label_names

SAMPLE_BATCH = 8
"""Small, so that the order of upload is nearly the order of the mail: the comments of one upload share their time."""
DATA_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """`about` is one line that says what it is."""

    uploads: Sequence[Upload]
    scenario: Scenario
    upload_batch: int
    about: str


def make_material(options: Options) -> Material:
    """Raises BadInput for a file that cannot be used."""
    if options.data is None:
        sample = make_sample(options.comments, options.seed)
        return Material(
            uploads=sample,
            scenario=sample_scenario(),
            upload_batch=SAMPLE_BATCH,
            about=f"{len(sample)} made-up mails of a bank's back office, half of them annotated",
        )
    uploads = read_data(options.data)
    labels = label_names(uploads)
    taught = sum(upload.teaches for upload in uploads)
    about = (
        f"{options.data.name}: {len(uploads)} comments; all {taught} with labels are used for training,"
        f" {len(uploads) - taught} without are only uploaded; {len(labels)} routes, one a label,"
        f" from a probability of {LABEL_ROUTE_MIN:g} on"
    )
    return Material(uploads=uploads, scenario=label_scenario(labels), upload_batch=DATA_BATCH, about=about)
