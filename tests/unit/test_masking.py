"""No form of a secret is shown, and everything else is."""

import base64
import json
import time
from collections.abc import Sequence
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from app.secrets.model import SHORTEST_MASKED
from support.cutting import cuts, split
from worker.masking import BLOCK_BYTES, MASK, Masker, Masks
from worker.secret_forms import forms_of

# Few different characters, so that secrets overlap, nest, repeat themselves and begin like each other.
letters = st.sampled_from(["ab\n", "aab", "abc", 'a"/\\', "é€a", "a b%"])
secrets = letters.flatmap(lambda alphabet: st.text(st.sampled_from(alphabet), min_size=6, max_size=180))
several = st.lists(secrets, min_size=1, max_size=4).filter(lambda values: bool(forms_of("".join(values))))
PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n" * 20
    + "ab==\n-----END PRIVATE KEY-----\n"
)


def masks_of(*values: str) -> Masks:
    masks = Masks.of(values)
    assert masks is not None
    return masks


def shown_by(masks: Masks, pieces: Sequence[bytes], *, quiet_after: frozenset[int] = frozenset()) -> bytes:
    masker = Masker(masks)
    given = []
    for number, piece in enumerate(pieces):
        given += masker.feed(piece)
        if number in quiet_after:
            given += masker.release()
        held = masker.held
        assert not held or any(len(form) > len(held) and held in form[: BLOCK_BYTES - 1] for form in masks.forms)
    given += masker.finish()
    assert sum(written for _, written in given) == sum(map(len, pieces))
    return b"".join(shown for shown, _ in given)


@st.composite
def planted(draw: st.DrawFn) -> tuple[list[str], bytes]:
    """Secrets, and a text in which forms of them stand, whole and in parts."""
    values = draw(several)
    forms = sorted({form for value in values for form in forms_of(value)})
    assume(forms)
    whole = st.sampled_from(forms)
    part = st.builds(lambda form, size: form[: size % len(form)], whole, st.integers(0, 1000))
    text = st.lists(st.one_of(whole, part, st.binary(max_size=4), st.sampled_from([b"a", b"\n", b"b"])), max_size=10)
    return values, b"".join(draw(text))


@given(planted(), cuts, st.frozensets(st.integers(0, 12)))
def test_no_form_of_a_secret_is_shown_however_it_is_written(
    told: tuple[list[str], bytes], at: list[int], quiet_after: frozenset[int]
) -> None:
    values, text = told
    shown = shown_by(masks_of(*values), split(text, at), quiet_after=quiet_after)
    assert not [form for value in values for form in forms_of(value) if form in shown]
    assert shown.count(b"\n") == text.count(b"\n")


@given(planted(), cuts)
def test_any_split_of_the_stream_shows_the_same(told: tuple[list[str], bytes], at: list[int]) -> None:
    values, text = told
    masks = masks_of(*values)
    assert shown_by(masks, split(text, at)) == shown_by(masks, [text])


@given(several, st.binary(max_size=300), cuts, st.frozensets(st.integers(0, 12)))
def test_a_text_without_secrets_is_shown_as_it_is(
    values: list[str], text: bytes, at: list[int], quiet_after: frozenset[int]
) -> None:
    masks = Masks.of(values)
    assume(masks is not None and not masks.find(text) and masks.unfinished(text) < SHORTEST_MASKED)
    assert masks is not None
    assert shown_by(masks, split(text, at), quiet_after=quiet_after) == text


@given(secrets.filter(forms_of), st.text(max_size=20), st.text(max_size=20))
@example('päss/wörd+\n"quoted"', "a", "")
def test_every_way_to_encode_it_is_known(value: str, before: str, after: str) -> None:
    core, masks = value.strip(), masks_of(value)
    around = f"{before}{core}{after}".encode()
    for encode in (
        str,
        quote,
        quote_plus,
        lambda text: quote(text, safe=""),
        lambda text: quote(text).lower() if text.isascii() and text == text.lower() else quote(text),
        json.dumps,
        lambda text: json.dumps(text, ensure_ascii=False),
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    ):
        plain = encode(core).strip('"') if encode is json.dumps else encode(core)
        assert plain.encode() not in masks.hide(f"{before}{encode(core)}{after}".encode())
    # As a part of something longer that is encoded as a whole, but for the characters that it shares with others.
    encoded = base64.b64encode(around)
    start, end = len(before.encode()), len(before.encode()) + len(core.encode())
    inner = encoded[-(-start * 8 // 6) : end * 8 // 6]
    assert len(inner) < SHORTEST_MASKED or inner not in masks.hide(encoded)


def test_what_is_shown_for_it() -> None:
    masks = masks_of("correct horse", "battery staple")
    said = b"correct horse, then battery staple!\nUser:" + base64.b64encode(b"correct horse") + b"\n"
    assert masks.hide(said) == b"***, then ***!\nUser:***\n"
    assert masks.hide(b"correct horsebattery staple") == b"***"


def test_overlapping_and_nested_secrets_are_covered_whole() -> None:
    masks = masks_of("abcdef", "defghi", "xabcdefx")
    assert masks.hide(b"1 abcdefghi 2 xabcdefx 3") == b"1 *** 2 *** 3"


def test_what_is_too_short_is_not_looked_for() -> None:
    assert Masks.of(["short", "   tiny  \n"]) is None
    masks = masks_of("short", "long enough")
    assert masks.hide(b"short, long enough") == b"short, ***"


def test_a_key_of_many_lines_is_covered_between_the_marks_of_a_program() -> None:
    marked = "".join(f"[app] {line}\n" for line in PEM.splitlines()).encode()
    shown = masks_of(PEM).hide(marked).decode().splitlines()
    # What is left of it is shorter than anything that is masked.
    assert shown == ["[app] ***" if len(line) > 5 else f"[app] {line}" for line in PEM.splitlines()]


def test_a_key_of_many_lines_keeps_its_lines() -> None:
    assert masks_of(PEM).hide(f"key:\n{PEM}done\n".encode()) == b"key:\n" + b"***\n" * len(PEM.splitlines()) + b"done\n"


def test_base64_that_is_wrapped_is_covered() -> None:
    lines = base64.encodebytes(PEM.encode())
    assert set(masks_of(PEM.rstrip()).hide(lines).split()) <= {b"***"} | {lines.split()[-1]}


def test_a_long_key_holds_up_no_line_that_is_not_its_beginning() -> None:
    masker = Masker(masks_of(PEM, "k" * 5000))
    for line in (b"one\n", b"-----BEGIN CERTIFICATE-----\n", b"MIIEvQ is no key\n", b"kkk\n"):
        assert masker.feed(line) == [(line, len(line))]
        assert masker.held == b""


def test_a_few_bytes_are_released_but_not_forgotten() -> None:
    masker = Masker(masks_of("supersecret"))
    assert masker.feed(b"value: super") == [(b"value: ", 7)]
    assert masker.held == b"super"
    assert masker.release() == [(b"super", 5)]
    assert masker.feed(b"secret!") == [(MASK, 6), (b"!", 1)]


def test_byte_after_byte_with_pauses_no_more_is_given_away() -> None:
    masker = Masker(masks_of("supersecret"))
    shown = b""
    for byte in b"supersecret.":
        for text, _ in (*masker.feed(bytes([byte])), *masker.release()):
            shown += text
    assert shown == b"super***."


def test_the_beginning_of_a_secret_at_the_end_stays_covered() -> None:
    masks = masks_of("supersecret")
    assert masks.hide(b"supersecre") == MASK
    assert masks.hide(b"super") == b"super"


def test_the_rest_of_a_secret_whose_beginning_was_lost_is_covered() -> None:
    masker = Masker(masks_of("supersecret"))
    masker.feed(b"supers")
    masker.tear()
    assert masker.feed(b"ersecret, then") == [(MASK, 8), (b", then", 6)]
    masker.tear()
    assert masker.feed(b"ecret") == [(b"ecret", 5)]


@given(planted(), st.integers(0, 1000), cuts)
def test_whoever_goes_on_in_the_middle_masks_as_if_he_had_been_there(
    told: tuple[list[str], bytes], middle: int, at: list[int]
) -> None:
    values, text = told
    masks = masks_of(*values)
    first, second = Masker(masks), Masker(masks)
    shown = first.feed(text[: middle % (len(text) + 1)])
    done = sum(written for _, written in shown)
    for piece in split(text[:done], at):
        second.recall(piece)
    shown += [*second.feed(text[done:]), *second.finish()]
    whole = b"".join(each for each, _ in shown)
    assert not [form for value in values for form in forms_of(value) if form in whole]
    # Where one `***` was begun by the first the second may begin another.
    assert whole.replace(MASK * 2, MASK) == shown_by(masks, [text]).replace(MASK * 2, MASK)


@pytest.mark.parametrize("values", [["a" * size for size in range(6, 70)], ["ab" * 600 + "c", "ba" * 600]])
def test_nobody_can_make_a_text_that_takes_long(values: list[str]) -> None:
    """Compared to a harmless one of the same length: here thousands of forms might end at every byte."""
    masks = masks_of(*values)

    def seconds(unit: bytes) -> float:
        text = (unit * 16384)[:16384]
        began = time.perf_counter()
        for _ in range(8):
            masker = Masker(masks)
            masker.feed(text)
            masker.finish()
        return time.perf_counter() - began

    assert min(seconds(b"ab"), seconds(b"a")) < 400 * max(seconds(b"the quick brown fox "), 0.001)
