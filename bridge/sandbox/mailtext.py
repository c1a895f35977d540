"""What is said in a mail: HTML to text, quoted earlier mail and signature taken off, by libraries made for it."""

import re

from inscriptis import get_text
from mailparser_reply import EmailReplyParser

from bridge.sandbox.wire import clean_text

LANGUAGES = ["en", "de"]
TEXT_CHARS_MAX = 65536
"""The limit of a message's text; what a mail has beyond it is cut off."""
LINE_CHARS_MAX = 300
"""The splitter's expressions take cubic time in the length of a line, so longer ones are kept from it."""
_HELD = re.compile("\ue000(\\d+)\ue001")
_BLANK_RUN = re.compile(r"\n{3,}")


def html_to_text(html: str) -> str:
    """The text a reader would see, laid out in lines; empty where the parser finds none."""
    return str(get_text(clean_text(html))).strip("\n")


def split_mail(text: str) -> tuple[str, str]:
    """Body and signature of the newest part of a mail; a mail that has only quoted parts is its own body."""
    lines = [line.strip() for line in text.splitlines()]
    plain = _BLANK_RUN.sub("\n\n", "\n".join(lines)).strip()[:TEXT_CHARS_MAX]
    held: list[str] = []
    newest = EmailReplyParser(languages=LANGUAGES).read(_hold(plain, held)).replies[0]
    body, signature = _release(newest.body, held), _release(newest.signatures, held)
    return (body, signature) if body else (plain, "")


def _hold(text: str, held: list[str]) -> str:
    """The text with a mark in the place of each long line, which goes to `held`."""
    lines = text.split("\n")
    for index, line in enumerate(lines):
        if len(line) > LINE_CHARS_MAX:
            lines[index] = f"\ue000{len(held)}\ue001"
            held.append(line)
    return "\n".join(lines)


def _release(text: str, held: list[str]) -> str:
    def line(match: re.Match[str]) -> str:
        index = int(match.group(1))
        return held[index] if index < len(held) else match.group()

    return _HELD.sub(line, text)
