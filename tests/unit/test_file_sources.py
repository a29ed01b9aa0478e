"""What a submission may say of its input files."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.files.hosts import Hosts
from app.files.model import FileSource, ids_of
from app.files.sources import Files

FILES: TypeAdapter[dict[str, FileSource]] = TypeAdapter(Files)
ID = "019a3e5c-7d20-7c61-9f0e-3b1c5f8f2a44"
SUM = "a" * 64


@pytest.mark.parametrize(
    ("source", "content"),
    [
        ({"id": ID}, None),
        ({"text": ""}, b""),
        ({"text": "ü\n"}, "ü\n".encode()),
        ({"base64": "AAE="}, b"\0\1"),
        ({"url": "https://example.com/a?b=c"}, None),
        ({"url": "https://example.com/a", "sha256": SUM}, None),
    ],
)
def test_each_way_to_say_where_the_bytes_are(source: dict[str, str], content: bytes | None) -> None:
    files = FILES.validate_python({"a/b.txt": source})
    assert files["a/b.txt"].content == content
    assert FILES.dump_python(files, mode="json") == {"a/b.txt": source}
    assert [str(each) for each in ids_of(files).values()] == ([ID] if "id" in source else [])


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ({}, "not_one_source"),
        ({"text": "a", "id": ID}, "not_one_source"),
        ({"base64": "a"}, "bad_base64"),
        ({"base64": "ä==="}, "bad_base64"),
        ({"text": "a\0"}, "nul_character"),
        ({"text": "\ud800"}, "bad_unicode"),
        ({"url": "ftp://example.com/a"}, "bad_url"),
        ({"url": "http://user:word@example.com/a"}, "bad_url"),
        ({"url": "http://0x7f.1/"}, "bad_url"),
        ({"url": "https://example.com/" + "a" * 2048}, "bad_url"),
        ({"text": "a", "sha256": SUM}, "not_of_a_url"),
        ({"url": "https://example.com/a", "sha256": "A" * 64}, "bad_sha256"),
        ({"id": "x"}, "uuid_parsing"),
        ({"path": "/etc/passwd"}, "extra_forbidden"),
    ],
)
def test_what_is_wrong_with_a_source_is_named(source: dict[str, Any], code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FILES.validate_python({"a": source})
    assert refused.value.errors()[0]["type"] in {code, "string_unicode"}


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\nb", "a\0b", "x" * 256, "a/" * 32 + "b", "é" * 600]
)
def test_a_path_stays_below_the_inputs(path: str) -> None:
    with pytest.raises(ValidationError) as refused:
        FILES.validate_python({path: {"text": ""}})
    assert refused.value.errors()[0]["type"] == "bad_path"


@given(st.text(max_size=40))
def test_no_path_that_is_taken_leads_outside(path: str) -> None:
    try:
        FILES.validate_python({path: {"text": ""}})
    except ValidationError:
        return
    parts = path.split("/")
    assert path.isprintable()
    assert not {"", ".", ".."} & {*parts}


def test_a_file_does_not_lie_below_another() -> None:
    with pytest.raises(ValidationError) as refused:
        FILES.validate_python({"a/b": {"text": ""}, "a/b/c/d": {"text": ""}})
    assert refused.value.errors()[0]["ctx"] == {"at": "a/b/c/d"}
    assert len(FILES.validate_python({"a/b": {"text": ""}, "a/bc": {"text": ""}, "a/c": {"text": ""}})) == 3


def test_there_is_only_so_much_in_a_submission() -> None:
    half = "x" * (128 * 1024)
    assert len(FILES.validate_python({"a": {"text": half}, "b": {"text": half}})) == 2
    with pytest.raises(ValidationError, match="256 KiB"):
        FILES.validate_python({"a": {"text": half}, "b": {"text": half}, "c": {"text": "x"}})
    with pytest.raises(ValidationError):
        FILES.validate_python({str(number): {"text": ""} for number in range(1001)})


@pytest.mark.parametrize(
    ("setting", "url", "allowed"),
    [
        ("", "https://example.com/a", False),
        ("*", "https://example.com/a", True),
        ("example.com., 192.0.2.7, ::1", "https://example.com/a", True),
        ("example.com., 192.0.2.7, ::1", "https://192.0.2.7/a", True),
        ("example.com., 192.0.2.7, ::1", "https://[::1]/a", True),
        ("example.com", "https://EXAMPLE.com./a", True),
        ("example.com", "https://sub.example.com/a", False),
        ("*.example.com, other.org", "https://sub.example.com/a", True),
        ("*.example.com, other.org", "https://example.com/a", False),
        ("*.example.com, other.org", "https://notexample.com/a", False),
        ("*.example.com, other.org", "http://other.org:8080/a", True),
    ],
)
def test_files_are_fetched_from_named_hosts_only(setting: str, url: str, allowed: bool) -> None:  # noqa: FBT001
    assert Hosts.parse(setting).allow(url) is allowed


@pytest.mark.parametrize("setting", ["*.", "*. , example.com", "**", "*.*", "*example.com", "a b", "example.com:8080"])
def test_a_slip_in_the_setting_does_not_mean_everywhere(setting: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Hosts.parse(setting)
