"""What is sealed opens with its key, for its execution and its name, and not otherwise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from app.secrets.vault import BadKey, NoKey, Vault, WrongKey
from support.values import an_id

OLD, NEW = "o" * 32, "n" * 32
texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(texts, texts)
def test_what_is_sealed_opens(value: str, name: str) -> None:
    vault = Vault([NEW])
    sealed = vault.seal(value, execution=an_id(1), name=name)
    assert vault.open(sealed, execution=an_id(1), name=name) == value
    assert sealed != vault.seal(value, execution=an_id(1), name=name)


def test_it_belongs_to_its_execution_and_its_name() -> None:
    vault = Vault([NEW])
    sealed = vault.seal("value", execution=an_id(1), name="A")
    for execution, name in ((2, "A"), (1, "B")):
        with pytest.raises(WrongKey):
            vault.open(sealed, execution=an_id(execution), name=name)


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_nobody_changes_it(at: int, by: int) -> None:
    vault = Vault([NEW])
    sealed = bytearray(vault.seal("value", execution=an_id(1), name="A"))
    sealed[at % len(sealed)] ^= by
    with pytest.raises(WrongKey):
        vault.open(bytes(sealed), execution=an_id(1), name="A")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + bytes(12), b"\x01" + bytes(27), b"\x02" + bytes(40)])
def test_what_was_never_sealed_does_not_open(sealed: bytes) -> None:
    with pytest.raises(WrongKey):
        Vault([NEW]).open(sealed, execution=an_id(1), name="A")


def test_the_first_key_seals_and_every_key_opens() -> None:
    old, both, new = Vault([OLD]), Vault([NEW, OLD]), Vault([NEW])
    assert both.open(old.seal("value", execution=an_id(1), name="A"), execution=an_id(1), name="A") == "value"
    sealed = both.seal("value", execution=an_id(1), name="A")
    assert new.open(sealed, execution=an_id(1), name="A") == "value"
    with pytest.raises(WrongKey):
        old.open(sealed, execution=an_id(1), name="A")


def test_fingerprints_are_those_of_the_keys() -> None:
    assert Vault([NEW, OLD]).fingerprints(b"a") == (*Vault([NEW]).fingerprints(b"a"), *Vault([OLD]).fingerprints(b"a"))
    assert Vault([NEW]).fingerprints(b"a") != Vault([NEW]).fingerprints(b"b")


def test_without_a_key_nothing_is_sealed_opened_or_told_apart() -> None:
    for vault in (Vault.of(None), Vault.of(SecretStr("")), Vault.of(SecretStr(" , "))):
        assert not vault.has_key
        with pytest.raises(NoKey):
            vault.seal("value", execution=an_id(1), name="A")
        with pytest.raises(NoKey):
            vault.open(b"", execution=an_id(1), name="A")
        with pytest.raises(NoKey):
            vault.fingerprints(b"")


def test_a_short_key_is_refused_without_being_shown() -> None:
    with pytest.raises(BadKey) as refused:
        Vault.of(SecretStr(f"{NEW},hunter2"))
    assert "TAILRACE_SECRET_KEY" in str(refused.value)
    assert "hunter2" not in str(refused.value)
