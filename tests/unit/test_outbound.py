"""What may be connected to on somebody else's word."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.outbound.policy import Policy, Refused, is_public

STRICT = Policy.parse("")
v4 = st.ip_addresses(v=4)
v6 = st.ip_addresses(v=6)
public = st.ip_addresses(v=4, network="8.0.0.0/8") | st.ip_addresses(v=6, network="2a00::/12")


@given(v4 | v6)
def test_nothing_is_public_that_python_says_is_not(address: IPv4Address | IPv6Address) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)
    if is_public(address):
        assert address.is_global or address.version == 6  # of IPv6, older versions of Python know less


@pytest.mark.parametrize(
    "network",
    [
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "198.18.0.0/15",
    ],
)
def test_a_network_is_refused_from_its_first_to_its_last_address_and_no_further(network: str) -> None:
    whole = IPv4Network(network)
    assert not is_public(whole[0])
    assert not is_public(whole[-1])
    assert is_public(whole[-1] + 1)
    assert whole[0] == IPv4Address(0) or is_public(whole[0] - 1)


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",  # AWS, Google, Azure and most others
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure
        "fd00:ec2::254",  # AWS
        "fe80::1%eth0",
        "255.255.255.255",
        "::",
        "::1",
        "ff02::1",
        "fec0::1",
        "2001:db8::1",
        "64:ff9b:1::1",
    ],
)
def test_what_answers_to_everybody_on_a_host_is_refused(address: str) -> None:
    assert not is_public(ip_address(address))
    bracketed = f"[{address.replace('%', '%25')}]" if ":" in address else address
    with pytest.raises(Refused):
        STRICT.read(f"http://{bracketed}/latest/meta-data/")


@given(v4)
def test_no_address_of_the_newer_kind_hides_one_of_the_older(inner: IPv4Address) -> None:
    number = int(inner)
    mapped, compatible, nat64 = 0xFFFF << 32 | number, number, int(IPv6Address("64:ff9b::")) | number
    six_to_four = 0x2002 << 112 | number << 80
    teredo = 0x20010000 << 96 | (number ^ 0xFFFFFFFF)
    for whole in (mapped, compatible, nat64, six_to_four, teredo):
        assert not is_public(IPv6Address(whole))
        with pytest.raises(Refused):
            Policy.parse("10.0.0.0/8").choose("example.com", [IPv6Address(whole)], 443)


@given(public)
def test_what_is_public_is_taken(address: IPv4Address | IPv6Address) -> None:
    assert is_public(address)
    host = f"[{address}]" if address.version == 6 else str(address)
    assert STRICT.read(f"https://{host}/").raw_host is not None


@given(v4, st.integers(8, 32), v4)
def test_a_network_that_is_allowed_is_taken_and_no_more(base: IPv4Address, bits: int, other: IPv4Address) -> None:
    network = IPv4Network((base, bits), strict=False)
    policy = Policy.parse(f" 10.9.8.7 , {network},")
    assert policy.takes("example.com", base, 8443)
    assert policy.takes("example.com", other, 8443) == (
        is_public(other) or other in network or other == IPv4Address("10.9.8.7")
    )


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("hooks.local", True),
        ("HOOKS.LOCAL.", True),
        ("a.hooks.local", False),
        ("a.corp.example", True),
        ("a.b.corp.example", True),
        ("corp.example", False),
        ("evilcorp.example", False),
        ("hooks.local.example", False),
    ],
)
def test_a_host_that_is_allowed_may_be_anywhere(host: str, *, taken: bool) -> None:
    policy = Policy.parse("hooks.local, *.corp.example")
    assert policy.takes(host, IPv4Address("10.0.0.1"), 443) is taken


@pytest.mark.parametrize(
    ("allow", "host", "taken"),
    [
        ("", "8.8.8.8", {80, 443, 1024, 65535}),
        ("10.0.0.0/8", "8.8.8.8", {80, 443, 1024, 65535}),
        ("10.0.0.0/8", "10.0.0.1", {80, 443, 1024, 65535}),
        ("10.0.0.0/8:25", "10.0.0.1", {25}),
        ("10.0.0.0/8:25", "8.8.8.8", {80, 443, 1024, 65535}),
        ("8.8.8.8:25", "8.8.8.8", {25, 80, 443, 1024, 65535}),
        ("10.0.0.0/8:*", "10.0.0.1", {22, 25, 80, 81, 443, 1023, 1024, 65535}),
        ("hook.local:81", "hook.local", {81}),
        ("hook.local:81", "a.hook.local", set()),
        ("hook.local, hook.local:81", "hook.local", {80, 81, 443, 1024, 65535}),
        ("*.local:81", "a.hook.local", {81}),
        ("[fd00::/8]:81", "fd00::1", {81}),
        ("fd00::/8", "fd00::1", {80, 443, 1024, 65535}),
        ("::1", "::1", {80, 443, 1024, 65535}),
        ("[::1]:81", "::1", {81}),
    ],
)
def test_a_port_is_a_usual_one_or_allowed_with_its_host(allow: str, host: str, taken: set[int]) -> None:
    policy = Policy.parse(allow)
    address = IPv4Address("10.9.9.9") if host.endswith("local") else ip_address(host)
    ports = {22, 25, 80, 81, 443, 1023, 1024, 65535}
    assert {port for port in ports if policy.takes(host, address, port)} == taken


@pytest.mark.parametrize("port", [1, 22, 25, 110, 1023])
def test_a_url_with_the_port_of_a_service_of_a_system_is_refused(port: int) -> None:
    with pytest.raises(Refused, match="80, 443 or one above 1023"):
        STRICT.read(f"https://example.com:{port}/")
    assert Policy.parse(f"example.com:{port}").read(f"https://example.com:{port}/").port == port
    # The name may lead there; whether it does is judged when it is looked up.
    elsewhere = Policy.parse(f"10.0.0.0/8:{port}")
    assert elsewhere.read(f"https://example.com:{port}/").port == port
    with pytest.raises(Refused):
        elsewhere.choose("example.com", [IPv4Address("8.8.8.8")], port)
    assert elsewhere.choose("example.com", [IPv4Address("10.0.0.1")], port)


@pytest.mark.parametrize(
    "text", ["*", "*.", "*.:80", "hook.local:0", "hook.local:65536", "hook.local:", ":80", "[::1", "a b"]
)
def test_what_is_neither_host_nor_network_is_no_setting(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Policy.parse(text)


def test_of_several_addresses_those_are_chosen_that_are_public() -> None:
    inside, outside = IPv4Address("10.0.0.1"), IPv4Address("8.8.8.8")
    assert STRICT.choose("example.com", [inside, outside], 443) == [outside]
    with pytest.raises(Refused):
        STRICT.choose("example.com", [inside], 443)
    with pytest.raises(Refused):
        STRICT.choose("example.com", [], 443)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://127.0.0.1./",
        "http://１２７.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://10.0.0.1:8080/",
        "http://8.8.8.8.10/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "//example.com/",
        "example.com",
        "",
        "http://",
        "http:///path",
        "http://user@example.com/",
        "http://user:password@example.com/",
        "http://:password@example.com/",
        "http://example.com:0/",
        "http://example.com:70000/",
        "http://exa mple.com/",
        "http://exam\x00ple.com/",
        "http://a%2eb/",
        "http://example.com\\@127.0.0.1/",
        "http://example.com/" + "x" * 2048,
    ],
)
def test_a_url_that_could_mean_something_else_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        STRICT.read(url)


@given(st.text(max_size=60) | st.text(max_size=40).map(lambda text: f"http://{text}"))
def test_whatever_is_read_has_a_host_that_is_a_name_or_a_public_address(text: str) -> None:
    try:
        url = STRICT.read(text)
    except Refused:
        return
    assert url.scheme in {"http", "https"}
    host = str(url.raw_host)
    try:
        address = ip_address(host)
    except ValueError:
        assert set(host) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    else:
        assert is_public(address)


@pytest.mark.parametrize("text", ["10.0.0.1/8", "10.0.0.0/40", "a b", "http://a", "*.", "a*b", "300.1.1.1", "::1::"])
def test_a_setting_that_means_nothing_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Policy.parse(text)
