"""The page of messages, against the code that says them."""

import re

from tests.docs import messages, pages

from exchangerates_infra.project import ROOT

PAGE = ROOT / "docs/messages.md"


def rows() -> list[str]:
    """Give the messages on the page, in its order."""
    first = re.findall(r"^\| (`+) ?(.+?) ?\1 \|", pages.text_of(PAGE), re.MULTILINE)
    return [text for _, text in first]


def test_every_message_is_on_the_page() -> None:
    """Whoever adds one says what to do about it."""
    found = {message.text: message.path for message in messages.all_messages()}
    assert len(found) > 220
    assert {text: path for text, path in found.items() if text not in rows()} == {}


def test_every_message_on_the_page_is_said() -> None:
    """A message that is gone or has changed is gone from the page, and each is there once."""
    said = {message.text for message in messages.all_messages()}
    assert [text for text in rows() if text not in said] == []
    assert len(set(rows())) == len(rows())


def test_what_localcluster_cannot_do_it_says_with_what_to_do_next() -> None:
    """A command, a file to look at, or a thing to correct ends each of its errors."""
    errors = [message for message in messages.all_messages() if message.kind == "LocalClusterError"]
    assert len(errors) > 20
    next_step = re.compile(
        r"run|start it|start one|see |look at|wait for|remove it|give --state|begin anew|applies the|correct that"
    )
    assert [error.text for error in errors if not next_step.search(error.text)] == []
