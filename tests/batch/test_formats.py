"""`batch`: what lines, CSV and TSV may contain, and how much."""

import json
from itertools import chain
from pathlib import Path

import pytest

from llamacli.batch.input import files, records
from llamacli.batch.input.items import Item, Items, Template
from llamacli.batch.input.records import InputFile
from llamacli.stdio.input import InputReader
from tests.support.batches import asked, contents, errors, rows
from tests.support.fake_api import echo
from tests.support.world import World


@pytest.fixture(autouse=True)
def echoes(world: World) -> None:
    world.api.will(echo)


@pytest.mark.parametrize(
    ("text", "records"),
    [
        # IANA's text/tab-separated-values has no quotes: a line is a record.
        ('size\titem\n"a\tx\nb"\ty\n', [{"size": '"a', "item": "x"}, {"size": 'b"', "item": "y"}]),
        ('size\titem\n5"\t6" pipe\n', [{"size": '5"', "item": '6" pipe'}]),
        ('a\tb\n"\t"\n', [{"a": '"', "b": '"'}]),
        # Excel quotes fields with quotes or commas in them.
        ('a\tb\n"say ""hi"""\t"x, y"\n', [{"a": 'say "hi"', "b": "x, y"}]),
        ('a\tb\n"one" or "two"\tx\n', [{"a": '"one" or "two"', "b": "x"}]),
        ('"a"\tb\r\n1\t2\r\n', [{"a": "1", "b": "2"}]),
        ("\ufeffa\tb\n1\t\n", [{"a": "1", "b": ""}]),
    ],
)
def test_a_line_of_a_tsv_is_a_record(world: World, text: str, records: list[dict[str, str]]) -> None:
    result = world.call("batch", "--input", "tsv", "x {}", stdin=text)
    assert [row["input"] for row in rows(result.out)] == records


def test_an_error_in_a_tsv_row_mentions_tabs(world: World) -> None:
    result = world.call("batch", "--input", "tsv", "x {a}", stdin="a\n1\t2\n")
    message = "stdin line 2 has 2 fields, but the header has 1; remove tabs from its fields"
    assert errors(result) == [(2, message)]


def test_rows_of_empty_cells_are_skipped(world: World) -> None:
    for format, text in (
        ("csv", 'name,n\n,\nRome,1\n"", \n\n,,\n ,\nOslo,2\n'),
        ("tsv", "name\tn\n\t\nRome\t1\n\n \t\n"),
    ):
        world.api.requests.clear()
        result = world.call("batch", "--input", format, "{name}", stdin=text)
        assert result.status == 0
        assert contents(result) == ["re: Rome", "re: Oslo"][: len(world.api.requests)]
        assert [row["index"] for row in rows(result.out)] == list(range(len(world.api.requests)))


ENCODED = {
    "UTF-16": "moon\nsun\n".encode("utf-16"),
    "UTF-16LE": "moon\nsun\n".encode("utf-16-le"),
    "UTF-32": "moon\nsun\n".encode("utf-32"),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("format", ["lines", "csv", "tsv", "jsonl"])
@pytest.mark.parametrize("lossy", [[], ["--lossy"]])
def test_another_encoding_is_2_with_the_command_that_converts_it(
    world: World, encoding: str, format: str, lossy: list[str]
) -> None:
    (world.cwd / "good").write_text("fine\n" * 100)
    (world.cwd / "list").write_bytes(ENCODED[encoding])
    for script in ("- good list", "<list", "- list"):
        result = world.shell(f"llamacli batch --input {format} {' '.join(lossy)} 'x {{}}' {script.replace('- ', '')}")
        assert (result.status, result.out, world.api.requests) == (2, "", [])
        assert f"is {encoding}, not UTF-8; convert it first: iconv -f {encoding} -t UTF-8" in result.err
        assert "there are no items" not in result.err
        if format != "lines" or lossy:
            return


def test_a_later_nul_byte_is_an_error_of_its_item(world: World) -> None:
    for format, head in (("lines", ""), ("csv", "x,prompt\n"), ("tsv", "x\tprompt\n"), ("jsonl", "")):
        separator = {"csv": ",", "tsv": "\t"}.get(format, " ")
        text = head + "".join(f"{number}{separator}text\n" for number in range(7_000)) + f"a{separator}b\0c\n"
        (world.cwd / "in").write_text(text)
        template = {"lines": "{}", "jsonl": "{}"}.get(format, "{prompt}")
        result = world.call("batch", "--dry-run", "--input", format, template, "in")
        assert result.status == 13
        assert "in line 700" in result.err
        assert "NUL" in result.err or format == "jsonl"


def read(path: Path, format: str) -> list[Item]:
    return list(Items([InputFile(str(path), format, InputReader(lambda note: None))], Template("x {}")))


@pytest.mark.parametrize("format", ["lines", "jsonl", "csv", "tsv"])
def test_a_line_or_record_has_a_maximum_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, format: str) -> None:
    for module in (records, files):
        monkeypatch.setattr(module, "MAX_ITEM_BYTES", 100_000)
    long = "y" * 150_000
    texts = {
        "lines": f"a\n{long}\nb\n",
        "jsonl": f'{{"a": 1}}\n"{long}"\n{{"a": 2}}\n',
        "csv": f'a,b\n1,2\n3,"{long}"\n6,7\n',
        "tsv": f"a\tb\n1\t2\n3\t{long}\n6\t7\n",
    }
    (tmp_path / "in").write_text(texts[format])
    found = read(tmp_path / "in", format)
    message = [str(item.error) if item.error else "" for item in found]
    assert message[0] == message[-1] == ""
    assert len(found) <= 5
    assert any("is longer than 64 MiB; split it" in text for text in message[1:-1])
    assert all(len(str(item.value)) < 1000 for item in found)


def test_an_unclosed_quote_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (records, files):
        monkeypatch.setattr(module, "MAX_ITEM_BYTES", 100_000)
    (tmp_path / "in").write_text('a,b\n1,2\n5,"x' + "\nx,y" * 60_000 + "\n6,7\n")
    found = read(tmp_path / "in", "csv")
    assert [bool(item.error) for item in found] == [False, True]
    assert "in line 3: the record is longer than 64 MiB" in str(found[1].error)


def test_a_long_line_takes_no_more_memory_than_its_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ITEM_BYTES", 1000)
    blocks = chain((b"x" * 100 for _ in range(10_000)), [b"\nend\n"])
    assert [len(line) for line in files.split_lines(blocks)] == [1001, 4]


def test_openais_ids_stay_with_their_rows(world: World) -> None:
    given = "".join(json.dumps({"custom_id": f"c{n}", "prompt": f"p{n}"}) + "\n" for n in range(5))
    result = world.call("batch", "--input", "jsonl", stdin=given)
    assert [(row["id"], row["content"]) for row in rows(result.out)] == [(f"c{n}", f"re: p{n}") for n in range(5)]
    assert [row["request_id"] for row in rows(result.out)] == ["inf-1"] * 5
    assert sum(asked(world).values()) == 5
