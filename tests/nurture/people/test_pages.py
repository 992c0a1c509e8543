"""A page is the same page, however its address is spelled."""

import pytest

from nurture.journey.matchers import form_submitted, page_viewed
from nurture.people.pages import page_of


@pytest.mark.parametrize(
    "address",
    [
        "/pricing",
        "/Pricing",
        "/pricing/",
        "/pricing?plan=pro",
        "/pricing#faq",
        "https://www.northwind.example/Pricing/?utm_source=x#faq",
        "http://northwind.example:8080/pricing",
        "//northwind.example/pricing",
        "  /PRICING  ",
        "/%50ricing",
        "www.northwind.example/pricing",
        "northwind.example/Pricing/",
    ],
)
def test_every_spelling_of_a_page_is_its_path(address: str) -> None:
    """Host, case, query, fragment and the slash at the end say nothing about which page it is."""
    assert page_of(address) == "/pricing"
    assert page_viewed("/Pricing*").matches("page.viewed", page_of(address))
    assert page_viewed("/%70ricing").matches("page.viewed", page_of(address))


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("https://northwind.example", "/"),
        ("/", "/"),
        ("", "/"),
        ("/Preise/Größe", "/preise/größe"),
        ("/preise/gr%C3%B6%C3%9Fe", "/preise/größe"),
        ("/preise/gro\u0308ße/", "/preise/größe"),
        ("/%ff", "/%ff"),
        ("https://www.northwind.example/%E4%BB%B7%E6%A0%BC?x=1", "/价格"),
        ("http://[", "http://["),
    ],
)
def test_the_front_page_other_scripts_and_what_is_no_address(address: str, page: str) -> None:
    """What cannot be read stays as it is."""
    assert page_of(address) == page


def test_globs_match_without_case() -> None:
    """Also names of forms, in any script."""
    assert form_submitted("demo *").matches("form.submitted", "Demo Request")
    assert form_submitted("Größe*").matches("form.submitted", "größentabelle")
    assert form_submitted("Контакт").matches("form.submitted", "КОНТАКТ")
    assert form_submitted("Straße").matches("form.submitted", "STRASSE")
    assert form_submitted("anfrage-ä").matches("form.submitted", "Anfrage-A\u0308")
    assert form_submitted("申请*").matches("form.submitted", "申请演示")
    assert not form_submitted("Контакт").matches("form.submitted", "Контакты")
