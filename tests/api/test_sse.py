"""Text outside of any field of an event stream."""

import pytest

from llamacli.api.sse import Decoder, Event


def test_json_outside_of_fields_is_read_to_its_end() -> None:
    decoder = Decoder()
    error = '{\n"error": {\n"message": "died"\n}\n}'
    assert [event.data for event in decoder.feed(f"data: 1\n\n{error}\n\n".encode())] == ["1", error]
    assert decoder.stray == ""


def test_text_after_done_is_ignored_and_text_before_it_is_not() -> None:
    before, after = Decoder(), Decoder()
    before.feed(b"<html>gone\n\ndata: [DONE]\n\n")
    after.feed(b"data: [DONE]\n\n<html>gone\n\n")
    assert (before.stray, after.stray) == ("<html>gone", "")


def test_an_error_is_recognized_by_how_its_text_begins() -> None:
    assert Event("." * 100 + "error: died").is_error_text
    assert not Event("." * 300 + "error: died").is_error_text
    assert Event("{}", "x" * 100 + "error").is_error


def test_a_long_text_is_not_searched_for_an_error() -> None:
    """Without a limit it would take hours: the patterns backtrack."""
    long = ".a-" * 300_000
    assert not Event(long + "!", long).is_error_text
    assert [event.data for event in Decoder().feed(f"event: {long}!\ndata: {long}\n{long}!: 1\n\n".encode())] == [long]


@pytest.mark.parametrize(
    ("data", "is_ping"),
    [
        (": PROCESSING", True),
        (": error: died", False),
        ("ping - 2026-01-01 00:00:00.5+00:00", True),
        ("processing failed", False),
        ("[HEARTBEAT]", True),
        ("12", True),
        ("Internal Server Error", False),
        ("{}", True),
        (": " + "x" * 100, False),
    ],
)
def test_only_a_short_text_without_news_is_a_ping(data: str, is_ping: bool) -> None:
    assert Event(data).is_ping is is_ping
