"""`bridge platform`: sources, datasets, comments, predictions and triggers, by hand and from scripts."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from bridge.adapters.platform.resources import Asked, DatasetSpec, SourceSpec, SyncCounts, WantedLabel
from bridge.adapters.platform.triggers import TriggerSpec
from bridge.adapters.platform.upload import BadLine, upload
from bridge.app.cli.exits import refuse
from bridge.app.cli.platform_link import AsJson, Token, Url, print_done, print_rows, with_client, with_workspace
from bridge.domain.model import TriggerRef

Ref = Annotated[str, typer.Argument(help="owner/name or id:<id>")]
Title = Annotated[str | None, typer.Option("--title", help="At most 128 characters")]
SOURCE_COLUMNS = ("id", "owner", "name", "title", "language", "updated_at")
DATASET_COLUMNS = ("id", "owner", "name", "title", "model_family", "last_modified")
TRIGGER_COLUMNS = ("id", "name", "title", "model", "updated_at")


def register(app: typer.Typer) -> None:
    """Add the command with its groups."""
    platform = typer.Typer(no_args_is_help=True, help="Set up and fill the platform: sources, comments, triggers.")
    for name, commands in GROUPS.items():
        group = typer.Typer(no_args_is_help=True, help=f"{name.capitalize()} of the platform.")
        for command, (function, example) in commands.items():
            group.command(command, epilog=f"Example: bridge platform {name} {command} {example}")(function)
        platform.add_typer(group, name=name)
    platform.command("predict", epilog='Example: bridge platform predict org1/mail-labels 3 --text "The trade failed"')(
        predict
    )
    app.add_typer(platform, name="platform")


def list_sources(url: Url, token_file: Token = None, owner: str | None = None, as_json: AsJson = False) -> None:
    """List sources, all or those of one owner."""
    found = with_workspace(url, token_file, lambda platform: platform.sources.listing(owner))
    print_rows(found, SOURCE_COLUMNS, as_json=as_json)


def get_source(ref: Ref, url: Url, token_file: Token = None, as_json: AsJson = False) -> None:
    """Show one source."""
    print_rows([with_workspace(url, token_file, lambda platform: platform.sources.get(ref))], SOURCE_COLUMNS, as_json)


def create_source(
    ref: Ref, url: Url, token_file: Token = None, title: Title = None, language: str = "en", as_json: AsJson = False
) -> None:
    """Create a source."""
    spec = SourceSpec.model_validate({"language": language, **_given(title=title)})
    made = with_workspace(url, token_file, lambda platform: platform.sources.create(ref, spec))
    print_rows([made], SOURCE_COLUMNS, as_json)


def delete_source(ref: Ref, url: Url, token_file: Token = None) -> None:
    """Delete a source with all its comments."""
    with_workspace(url, token_file, lambda platform: platform.sources.delete(ref))
    print_done(f"deleted source {ref}")


def list_datasets(url: Url, token_file: Token = None, owner: str | None = None, as_json: AsJson = False) -> None:
    """List datasets, all or those of one owner."""
    found = with_workspace(url, token_file, lambda platform: platform.datasets.listing(owner))
    print_rows(found, DATASET_COLUMNS, as_json)


def get_dataset(ref: Ref, url: Url, token_file: Token = None, as_json: AsJson = False) -> None:
    """Show one dataset."""
    print_rows([with_workspace(url, token_file, lambda platform: platform.datasets.get(ref))], DATASET_COLUMNS, as_json)


def create_dataset(
    ref: Ref,
    url: Url,
    token_file: Token = None,
    title: Title = None,
    source: Annotated[list[str] | None, typer.Option("--source", help="A source's id; may be repeated")] = None,
    entity: Annotated[list[str] | None, typer.Option("--entity", help="An entity kind; may be repeated")] = None,
    sentiment: Annotated[bool, typer.Option("--sentiment", help="Labels carry a sentiment")] = False,
    as_json: AsJson = False,
) -> None:
    """Create a dataset over sources."""
    given = _given(title=title, source_ids=source, entity_kinds=entity)
    spec = DatasetSpec.model_validate({"has_sentiment": sentiment, **given})
    made = with_workspace(url, token_file, lambda platform: platform.datasets.create(ref, spec))
    print_rows([made], DATASET_COLUMNS, as_json)


def delete_dataset(ref: Ref, url: Url, token_file: Token = None) -> None:
    """Delete a dataset with its labels, models and triggers."""
    with_workspace(url, token_file, lambda platform: platform.datasets.delete(ref))
    print_done(f"deleted dataset {ref}")


def upload_comments(
    file: Annotated[Path, typer.Argument(help="JSON lines, a comment each", exists=True, dir_okay=False)],
    source: Annotated[str, typer.Option("--source", "-s", help="owner/name of the source")],
    url: Url,
    token_file: Token = None,
    as_json: AsJson = False,
) -> None:
    """Upload comments in batches, with progress; when it breaks off, the same command goes on where it was."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=None, disable=not sys.stderr.isatty(), transient=True) as progress:
        task = progress.add_task(file.name, total=file.stat().st_size)

        def show(done_bytes: int, _: SyncCounts) -> None:
            progress.update(task, completed=done_bytes)

        try:
            counts = with_workspace(url, token_file, lambda platform: upload(platform.comments, source, file, show))
        except BadLine as error:
            raise refuse(f"{file}: {error}; the lines before it may be uploaded") from error
    print_rows([counts], ("new", "updated", "unchanged"), as_json)


def get_comment(
    comment_id: str, source: Annotated[str, typer.Option("--source", "-s")], url: Url, token_file: Token = None
) -> None:
    """Print a comment as JSON."""
    found = with_workspace(url, token_file, lambda platform: platform.comments.get(source, comment_id))
    print(json.dumps(found, ensure_ascii=False, indent=2))


def delete_comments(
    ids: list[str], source: Annotated[str, typer.Option("--source", "-s")], url: Url, token_file: Token = None
) -> None:
    """Delete comments by id."""
    with_workspace(url, token_file, lambda platform: platform.comments.delete(source, ids))
    print_done(f"deleted {len(ids)} of {source}")


def predict(
    dataset: Ref,
    version: Annotated[str, typer.Argument(help="A model version, or live")],
    url: Url,
    token_file: Token = None,
    text: Annotated[list[str] | None, typer.Option("--text", help="A text; may be repeated")] = None,
    uid: Annotated[list[str] | None, typer.Option("--uid", help="A stored comment; may be repeated")] = None,
    threshold: Annotated[float | None, typer.Option(min=0, max=1)] = None,
    label: Annotated[list[str] | None, typer.Option(help='Only these, such as "Trade > Settlement"')] = None,
    as_json: AsJson = False,
) -> None:
    """Predict labels and entities of texts or of stored comments."""
    if bool(text) == bool(uid):
        raise refuse("either --text or --uid is needed")
    wanted = [WantedLabel(name=tuple(each.split(" > "))) for each in label or ()] or None
    asked = Asked.model_validate(_given(threshold=threshold, labels=wanted))
    if uid:
        found = with_workspace(url, token_file, lambda it: it.predictions.comments(dataset, version, uid, asked))
    else:
        documents = [{"messages": [{"body": {"text": each}}]} for each in text or ()]
        found = with_workspace(url, token_file, lambda it: it.predictions.texts(dataset, version, documents, asked))
    names = uid or text or []
    rows = [{"of": name, **each.model_dump(mode="json")} for name, each in zip(names, found, strict=True)]
    print_rows(rows, ("of", "labels", "entities"), as_json)


def list_triggers(dataset: Ref, url: Url, token_file: Token = None, as_json: AsJson = False) -> None:
    """List the triggers of a dataset."""
    owner, name = _both(dataset)
    found = with_client(url, token_file, lambda client: client.list_triggers(owner, name))
    print_rows(found, TRIGGER_COLUMNS, as_json)


def create_trigger(
    dataset: Ref,
    name: Annotated[str, typer.Argument(help="The trigger's name")],
    url: Url,
    token_file: Token = None,
    title: Title = None,
    version: Annotated[int | None, typer.Option(help="A pinned model version; without one there are no labels")] = None,
    threshold: Annotated[
        list[str] | None, typer.Option(help='A label and from where on, such as "Trade > Settlement=0.8"; repeatable')
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Create a trigger."""
    owner, own = _both(dataset)
    if threshold and version is None:
        raise refuse("--threshold needs a model: --version")
    cuts = [_threshold(each) for each in threshold or ()]
    model = None if version is None else {"version": version, **({"label_thresholds": cuts} if cuts else {})}
    spec = TriggerSpec.model_validate({"name": name, **_given(title=title, model=model)})
    made = with_client(url, token_file, lambda client: client.create(owner, own, spec))
    print_rows([made], TRIGGER_COLUMNS, as_json)


def delete_trigger(dataset: Ref, name: str, url: Url, token_file: Token = None) -> None:
    """Delete a trigger and its position."""
    owner, own = _both(dataset)
    ref = TriggerRef(project=owner, dataset=own, trigger=name)
    with_client(url, token_file, lambda client: client.delete(ref))
    print_done(f"deleted trigger {dataset}/{name}")


def _given(**options: Any) -> dict[str, Any]:
    """Without those that were not given: what is not set is not sent."""
    return {name: value for name, value in options.items() if value is not None}


def _both(dataset: str) -> tuple[str, str]:
    owner, _, name = dataset.partition("/")
    if not owner or not name:
        raise refuse(f"{dataset!r} is not owner/name")
    return owner, name


def _threshold(written: str) -> dict[str, Any]:
    label, _, cut = written.rpartition("=")
    try:
        return {"name": label.split(" > "), "threshold": float(cut)}
    except ValueError as error:
        raise refuse(f"{written!r} is not a label and a number, such as 'Trade > Settlement=0.8'") from error


GROUPS: dict[str, dict[str, tuple[Callable[..., None], str]]] = {
    "sources": {
        "list": (list_sources, "--owner org1 --json"),
        "get": (get_source, "org1/mail"),
        "create": (create_source, 'org1/mail --title "Shared mailbox"'),
        "delete": (delete_source, "org1/mail"),
    },
    "datasets": {
        "list": (list_datasets, "--owner org1"),
        "get": (get_dataset, "org1/collateral"),
        "create": (create_dataset, "org1/collateral --source 18ba5ce699f8da1f --entity date"),
        "delete": (delete_dataset, "org1/collateral"),
    },
    "comments": {
        "upload": (upload_comments, "mail.jsonl --source org1/mail"),
        "get": (get_comment, "0123abcd --source org1/mail"),
        "delete": (delete_comments, "0123abcd 0123abce --source org1/mail"),
    },
    "triggers": {
        "list": (list_triggers, "org1/collateral"),
        "create": (create_trigger, 'org1/collateral dispute --version 3 --threshold "Trade > Settlement=0.8"'),
        "delete": (delete_trigger, "org1/collateral dispute"),
    },
}
