"""Webhooks go to public addresses, and to the networks that the settings name."""

import ipaddress
import socket

import pytest

from gis.egress import EgressPolicy, check_url, networks_of
from gis.errors import BadInput, NotDelivered, Undeliverable

PUBLIC = ("203.0.114.7", "1.1.1.1", "2606:4700::1111")
INNER = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:7f00:1::",
)  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address):
    assert EgressPolicy().allows(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", INNER)
def test_inner_addresses_are_not_reached(address):
    assert not EgressPolicy().allows(ipaddress.ip_address(address))


def test_a_network_of_the_settings_is_reached_and_no_other():
    reach = EgressPolicy(networks_of("10.0.0.0/8, fc00::/7"))
    assert reach.allows(ipaddress.ip_address("10.1.2.3"))
    assert reach.allows(ipaddress.ip_address("::ffff:10.1.2.3"))
    assert reach.allows(ipaddress.ip_address("fc00::1"))
    assert not reach.allows(ipaddress.ip_address("169.254.169.254"))


def test_a_wrong_network_says_what_would_be_right():
    with pytest.raises(BadInput, match=r"such as 10\.0\.0\.0/8"):
        networks_of("10.0.0.1/8")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.vn/a", "file:///etc/passwd", "gopher://example.vn", "example.vn", "",
        "http://", "http://user@example.vn/", "http://user:word@example.vn/", "http://a.vn/#b",
        "http://127.0.0.1/", "http://[::1]:8080/", "http://169.254.169.254/latest",
        "http://example.vn:99999/", "http://example.vn/a b", "http://example.vn/\r\nX: y",
        "http://[::1", "http://ví-dụ.vn/",
    ],
)  # fmt: skip
def test_an_address_to_which_nothing_may_go_is_refused_at_once(url):
    with pytest.raises(BadInput):
        check_url(url, EgressPolicy())


@pytest.mark.parametrize("url", ["https://example.vn/hook?a=1", "http://1.1.1.1:8080/"])
def test_other_addresses_may_be_subscribed(url):
    check_url(url, EgressPolicy())


def resolving(monkeypatch, *addresses: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, 80)) for one in addresses]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: found)


def test_a_name_is_judged_by_the_addresses_behind_it(monkeypatch):
    resolving(monkeypatch, "127.0.0.1")
    with pytest.raises(Undeliverable, match="GIS_WEBHOOK_NETWORKS"):
        EgressPolicy().addresses("inner.example.vn", 80)


def test_of_several_addresses_only_those_allowed_are_used(monkeypatch):
    resolving(monkeypatch, "10.0.0.1", "1.1.1.1", "1.1.1.1")
    assert EgressPolicy().addresses("mixed.example.vn", 80) == ["1.1.1.1"]


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 64 + ".vn", "a..b"])
def test_a_name_without_an_address_may_have_one_later(host):
    with pytest.raises(NotDelivered) as caught:
        EgressPolicy().addresses(host, 80)
    assert not isinstance(caught.value, Undeliverable)
