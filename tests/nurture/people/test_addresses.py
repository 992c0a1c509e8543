"""Addresses are stored once, and a place has the clock its people live by."""

from __future__ import annotations

from importlib.resources import files
from zoneinfo import available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nurture.errors import InputError
from nurture.people.addresses import is_role, normalise
from perennial.leads.countries import country_code, time_zone_for, valid_time_zone

LOCAL = st.from_regex(r"[A-Za-z0-9]+([.+_-][A-Za-z0-9]+){0,2}", fullmatch=True).filter(lambda s: len(s) <= 60)
DOMAIN = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,20}\.example", fullmatch=True)


@pytest.mark.parametrize(
    ("given_as", "key"),
    [
        ("Ann.Lee@Northwind.Example", "ann.lee@northwind.example"),
        ("  ann@northwind.example \n", "ann@northwind.example"),
        ("ann+news@northwind.example", "ann+news@northwind.example"),
        ("a.n.n@northwind.example", "a.n.n@northwind.example"),
        ("zoë@bücher.example", "zoë@bücher.example"),
        ("zoe\u0308@bücher.example", "zoë@bücher.example"),
        ("zoe@xn--bcher-kva.example", "zoe@bücher.example"),
        ("o'brien@northwind.example", "o'brien@northwind.example"),
    ],
)
def test_an_address_has_one_key_that_merges_no_tag_and_no_dot(given_as: str, key: str) -> None:
    """Case, spaces and the spelling of a letter do not make another lead; a tag and dots do."""
    assert normalise(given_as) == key


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", "empty"),
        ("ann.northwind.example", "exactly one @-sign"),
        ("ann@b@northwind.example", "exactly one @-sign"),
        ("ann lee@northwind.example", "SPACE"),
        ("ann@northwind", "period"),
        ("ann.@northwind.example", "period"),
        ("@northwind.example", "before the @-sign"),
        ("Ann <ann@northwind.example>", "not an e-mail address"),
        ("ann@localhost.local", "reserved"),
        ("a" * 65 + "@northwind.example", "too long"),
    ],
)
def test_a_malformed_address_is_refused_with_its_reason(address: str, reason: str) -> None:
    """A person who reads the rejects file must see what to mend."""
    with pytest.raises(InputError, match=reason):
        normalise(address)


@given(local=LOCAL, domain=DOMAIN)
def test_a_key_is_its_own_key_whatever_the_case(local: str, domain: str) -> None:
    """Law: normalising twice, or an upper-case spelling, gives the same key."""
    key = normalise(f"{local}@{domain}")
    assert normalise(key) == key
    assert normalise(f"{local}@{domain}".upper()) == key


def test_role_addresses_are_told_from_people() -> None:
    """A function's address has no person who could consent."""
    assert is_role("Info@northwind.example")
    assert is_role("noreply+7@northwind.example")
    for shared in ("Kontakt", "buero", "BÜRO", "vertrieb", "contacto", "accueil", "No.Reply", "customer-service"):
        assert is_role(f"{shared}@northwind.example")
    assert not is_role("ann.info@northwind.example")
    assert not is_role("jo.bs@northwind.example")
    assert not is_role("sally@info.example")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("de", "DE"),
        ("Germany", "DE"),
        ("UK", "GB"),
        ("United Kingdom", "GB"),
        ("u.s.a.", "US"),
        ("Viet Nam", "VN"),
        ("VIETNAM", "VN"),
        ("The Netherlands", "NL"),
        ("South Korea", "KR"),
        ("Korea (South)", "KR"),
        ("Cote d'Ivoire", "CI"),
        ("Bosnia and Herzegovina", "BA"),
        ("Türkiye", "TR"),
        ("Saint Lucia", "LC"),
        ("Congo", None),
        ("Asia/Pacific Region", None),
        ("", None),
    ],
)
def test_a_country_is_found_by_code_or_name(name: str, code: str | None) -> None:
    """As people write them; an ambiguous or unknown name is no country rather than a guess."""
    assert country_code(name) == code


def test_every_country_of_the_table_is_found_and_has_a_real_zone() -> None:
    """The tables of a new tzdata release must not break the look-up."""
    text = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text("utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    assert len(rows) > 240
    for code, name in rows:
        assert country_code(name) == code
        assert time_zone_for(code) in available_timezones()


def test_a_country_of_many_zones_uses_the_citys_or_the_most_peopled_one() -> None:
    """Australia's first zone in the table is Lord Howe Island's; few leads live there."""
    assert time_zone_for("AU") == "Australia/Sydney"
    assert time_zone_for("ca") == "America/Toronto"
    assert time_zone_for("US", "los angeles") == "America/Los_Angeles"
    assert time_zone_for("US", "Springfield") == "America/New_York"
    assert time_zone_for("BV") == "UTC"
    with pytest.raises(InputError, match="unknown country code"):
        time_zone_for("XX")


def test_a_time_zone_is_checked_with_an_example_of_a_good_one() -> None:
    """`EST5` or `Berlin` would silently send at the wrong hour."""
    assert valid_time_zone(" Asia/Kolkata ") == "Asia/Kolkata"
    for wrong in ("Berlin", "", "Europe/Atlantis", "../etc/passwd"):
        with pytest.raises(InputError, match="Europe/Berlin"):
            valid_time_zone(wrong)
