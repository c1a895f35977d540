"""Comments into a source: insert or update by id, with the counts the platform answers with."""

from collections import Counter
from collections.abc import Sequence

from bridge.sandbox.box import Sandbox
from bridge.sandbox.comments import compose, uid_of
from bridge.sandbox.store.comments import (
    Draft,
    find_known,
    forget_predictions,
    insert_comment,
    next_upload_ms,
    update_comment,
)
from bridge.sandbox.store.database import transaction
from bridge.sandbox.store.holders import Holder


def upload(box: Sandbox, source: Holder, drafts: Sequence[Draft]) -> dict[str, int]:
    """All or nothing; the comments of one call share their upload millisecond."""
    counts: Counter[str] = Counter()
    with transaction(box.db):
        upload_ms = next_upload_ms(box.db, box.now_ms())
        for draft in drafts:
            counts[_upsert(box, source, draft, upload_ms)] += 1
    box.warm()
    by_kind = {"new": counts["new"], "unchanged": counts["unchanged"], "updated": counts["text"] + counts["properties"]}
    if box.today:
        by_kind |= {"updated_properties_only": counts["properties"], "updated_text_changed": counts["text"]}
    return by_kind


def _upsert(box: Sandbox, source: Holder, draft: Draft, upload_ms: int) -> str:
    """Returns what happened: new, unchanged, text, properties."""
    known = find_known(box.db, source.key, draft.id)
    if known is None:
        doc = compose(source.id, draft, upload_ms, upload_ms)
        insert_comment(box.db, source.key, uid_of(source.id, draft.id), draft, doc, upload_ms)
        return "new"
    if known.content_digest == draft.content_digest:
        return "unchanged"
    text_changed = known.text_digest != draft.text_digest
    moves = text_changed and box.settings.redeliver_changed
    doc = compose(source.id, draft, known.created_ms, upload_ms)
    update_comment(box.db, known, draft, doc, upload_ms if moves else None)
    if text_changed:
        forget_predictions(box.db, [known.key])
    return "text" if text_changed else "properties"
