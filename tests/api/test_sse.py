"""Text outside of any field of an event stream."""

from llamacli.api.sse import Decoder


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
