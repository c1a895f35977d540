"""What is said in a mail: HTML to text, quoted earlier mail and signature taken off, by libraries made for it."""

import re

from inscriptis.html_engine import Inscriptis
from lxml import etree
from lxml.html import HTMLParser, document_fromstring
from mailparser_reply import EmailReplyParser

from bridge.sandbox.wire import clean_text

LANGUAGES = ["en", "de"]
TEXT_CHARS_MAX = 65536
"""The limit of a message's text; what a mail has beyond it is cut off."""
LINE_CHARS_MAX = 300
"""The splitter's expressions take cubic time in the length of a line, so longer ones are kept from it."""
_HELD = re.compile("\ue000(\\d+)\ue001")
_XML_HEAD = re.compile(r"^\s*<\?xml[^>]*>")
_BLANK_RUN = re.compile(r"\n{3,}")


def html_to_text(html: str) -> str:
    """The text a reader would see, laid out in lines; of nesting too deep to lay out, the bare texts line by line."""
    plain = _XML_HEAD.sub("", clean_text(html)).strip()
    # Without huge_tree the parser drops in silence whatever lies deeper than 254 levels, as long threads do.
    parser = HTMLParser(huge_tree=True)
    try:
        tree = document_fromstring(plain, parser=parser)
    except etree.ParserError:
        # Nothing in it that the parser takes for a document.
        tree = document_fromstring(f"<pre>{plain}</pre>", parser=parser)
    try:
        return str(Inscriptis(tree).get_text()).strip("\n")
    except RecursionError:
        etree.strip_elements(tree, "script", "style", "head", etree.Comment, with_tail=False)
        return "\n".join(text.strip() for text in tree.itertext() if text.strip())


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
