from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.auth.tokens import Scope
from app.executions.model import Limits, Network, Spec
from app.policy.file import BadPolicy, PolicyFile, parse
from app.policy.images import fits, parts_of
from app.policy.model import NO_POLICY, Allowed

DIGEST = "sha256:" + "a" * 64
SUBMIT = frozenset({Scope.SUBMIT})

FITS = [
    ("python", "python", True),
    ("python", "python:3.12", True),
    ("python", f"python@{DIGEST}", True),
    ("python", "docker.io/library/python:3", True),
    ("docker.io/python", "library/python", True),
    ("python", "python-evil", False),
    ("python", "evil/python", False),
    ("python", "evil.example.com/python", False),
    ("python:3.*", "python:3.12-slim", True),
    ("python:3.*", "python", False),
    ("python:latest", "python", True),
    ("python:3.*", f"python:3.12@{DIGEST}", False),
    ("python:*", "python.example.com:5000/x", False),
    (f"python@{DIGEST}", f"python@{DIGEST}", True),
    (f"python@{DIGEST}", f"python:3@{DIGEST}", True),
    ("python@sha256:*", "python:3", False),
    ("*", "python", True),
    ("*", "team/app", False),
    ("team/*", "team/app:1", True),
    ("team/*", "team/sub/app:1", False),
    ("team/**", "team/sub/app:1", True),
    ("localhost:5000/*", "localhost:5000/app:1", True),
    ("localhost:5000/*", "localhost:5001/app:1", False),
    ("ghcr.io/team/app", "ghcr.io/team/app", True),
    ("ghcr.io/team/app", "ghcrxio/team/app", False),
    ("**", "anything.example.com/at/all:1", True),
    ("**", DIGEST, True),
    ("*", DIGEST, False),
    ("*", "sha256:abcd", False),
    ("sha256", "sha256:abcd", False),
    ("**", "sha256:abcd", True),
    (DIGEST, "sha256:aaaa", False),
    ("sha256", DIGEST, False),
    (DIGEST, DIGEST, True),
    ("sha256:" + "a" * 10 + "*", DIGEST, True),
    ("sha256:b*", DIGEST, False),
]


@pytest.mark.parametrize(("pattern", "image", "expected"), FITS)
def test_a_pattern_fits_what_it_says_and_nothing_else(pattern: str, image: str, expected: bool) -> None:  # noqa: FBT001
    assert fits(pattern, image) is expected


@given(
    st.from_regex(r"(?:[a-z]{1,5}\.[a-z]{2}(?::[0-9]{1,4})?/)?[a-z0-9]{1,5}(?:/[a-z0-9]{1,5}){0,2}", fullmatch=True),
    st.sampled_from(["", ":1", ":latest", f"@{DIGEST}", f":1@{DIGEST}"]),
)
def test_every_image_fits_its_own_name_and_no_name_with_more_before_it(name: str, rest: str) -> None:
    image = name + rest
    assert fits(name, image)
    assert fits("**", image)
    assert not fits(f"x{parts_of(name).name}", image)
    assert not fits(f"registry.example.com/{parts_of(name).name}", image)


POLICY = """
images: ["python:3.*", "team/**"]
networks: [none]
runtimes: [runsc, default]
limits: {memory: 1GiB, timeout: 3600, cpus: 2}
container: {read_only: true, user: "65534:65534"}
for:
  - owners: ["ann", "robot-*"]
    scopes: [admin]
    images: ["**"]
    limits: {memory: 8GiB, disk: 100GiB}
  - owners: ["ann"]
    networks: [none, bridge]
  - scopes: [admin]
    runtimes: [runsc]
"""


def allowed(owner: str, scopes: frozenset[Scope] = SUBMIT) -> Allowed:
    return parse(POLICY).of(owner, scopes)


def test_the_first_entry_that_is_for_somebody_counts_and_the_top_fills_it_up() -> None:
    assert allowed("bob").images == ("python:3.*", "team/**")
    assert allowed("bob").caps == {"memory": 2**30, "timeout": 3600, "cpus": 2}
    assert allowed("ann").networks == (Network.NONE, Network.BRIDGE)
    assert allowed("ann").caps["memory"] == 2**30
    strong = allowed("robot-7", frozenset({Scope.ADMIN}))
    assert (strong.images, strong.networks) == (("**",), (Network.NONE,))
    assert strong.caps == {"memory": 8 * 2**30, "timeout": 3600, "cpus": 2, "disk": 100 * 2**30}
    assert allowed("bob", frozenset({Scope.ADMIN})).runtimes == ("runsc",)


def test_of_an_owners_name_only_stars_and_question_marks_stand_for_others() -> None:
    policy = parse("networks: [none]\nfor: [{owners: ['team[1]-?'], networks: [bridge]}]")
    for owner, network in (("team[1]-a", Network.BRIDGE), ("team1-a", Network.NONE), ("team[1]-", Network.NONE)):
        assert policy.of(owner, SUBMIT).networks == (network,)


def test_all_that_speaks_against_a_submission_is_said_at_once() -> None:
    spec = Spec(image="evil", network=Network.BRIDGE, runtime="kata")
    assert [(each.field, each.code) for each in allowed("bob").refuse(spec)] == [
        ("image", "against_policy"),
        ("network", "against_policy"),
        ("runtime", "against_policy"),
    ]
    [over] = allowed("bob").exceed(Limits(memory=2**31, cpus=2))  # type: ignore[arg-type]
    assert (over.field, over.message.split(",")[0]) == ("limits.memory", "must be at most 1073741824 (1.0GiB)")
    assert allowed("bob").refuse(Spec(image="team/a/b", runtime="runsc")) == []


def test_who_asks_for_no_runtime_gets_the_engines_own_or_the_first_allowed() -> None:
    plain = Spec(image="python:3.1")
    assert allowed("bob").runtime_for(plain) is None
    assert allowed("bob", frozenset({Scope.ADMIN})).runtime_for(plain) == "runsc"
    assert allowed("bob").runtime_for(Spec(image="python:3.1", runtime="runsc")) == "runsc"
    assert allowed("bob").runtime_for(Spec(image="python:3.1", runtime="default")) is None


def test_without_a_policy_all_is_allowed_but_a_runtime() -> None:
    anything = NO_POLICY.of("bob", SUBMIT)
    assert anything.refuse(Spec(image="anything.example.com/x", network=Network.BRIDGE)) == []
    assert anything.exceed(Limits()) == []
    assert [each.field for each in anything.refuse(Spec(image="x", runtime="runsc"))] == ["runtime"]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", None, "it is empty"),
        ("images: [a\nnetworks: []\n", 2, "expected"),
        ("images: [a]\nlimits:\n  memory: 1GiB\n  memori: 1\n", 4, "`limits.memori` is not a known field"),
        ("\nlimits:\n  memory: much\n", 3, "`limits.memory` must be a size"),
        ("limits:\n  cpus: 0\n", 2, "`limits.cpus` must be at least"),
        ("networks:\n  - none\n  - host\n", 3, "`networks[1]` must be"),
        ("images:\n  - ok\n  - 'not ok'\n", 3, "`images[1]` must be a pattern"),
        ("for:\n  - images: [a]\n", 2, "must say whom it is for"),
        ("for:\n  - owners: [a]\n    scopes: [root]\n", 3, "`for[0].scopes[0]` must be"),
        ("images: [a]\nimages: [b]\n", 2, "`images` is there twice"),
        ("container: {read_only: yes please}\n", 1, "`container.read_only` must be true or false"),
        ("- a\n", 1, "must be an object"),
        ("!!python/object/apply:os.system ['true']\n", 1, "could not determine a constructor"),
        ("? [a]\n: b\n", 1, "unhashable key"),
        ("images: [2020-13-45]\n", None, "month must be in 1..12"),
        ("images: &a [*a]\n", None, "within itself"),
        ("runtimes: []\n", 1, "`runtimes` must have at least 1 item"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int | None, said: str) -> None:
    with pytest.raises(BadPolicy) as refused:
        parse(text)
    assert said in str(refused.value)
    if line is not None:
        assert f"line {line}: " in str(refused.value)


def test_a_file_that_has_changed_is_read_again_and_a_bad_one_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"

    def write(text: str) -> None:
        fresh = tmp_path / "fresh"
        fresh.write_text(text)
        fresh.replace(path)

    write("images: [a]")
    policy = PolicyFile(path)
    assert policy.current.images == ("a",)
    write("images: [b]")
    assert policy.current.images == ("b",)
    write("images: b")
    assert policy.current.images == ("b",)
    path.unlink()
    assert policy.current.images == ("b",)
    write("images: [c]")
    assert policy.current.images == ("c",)


@pytest.mark.parametrize("content", [None, b"\xff", b"images: a", b"#" * 1_000_001])
def test_nothing_starts_with_a_file_that_cannot_be_used(tmp_path: Path, content: Any) -> None:
    path = tmp_path / "policy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadPolicy, match=r"policy\.yaml"):
        PolicyFile(path)
