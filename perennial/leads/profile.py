"""Read what an identify event says about a person into the fields of a lead's profile."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nurture.errors import InputError
from nurture.people.names import split_name
from nurture.people.slugs import slug
from nurture.people.words import words_of
from perennial.leads.countries import country_code, time_zone_for, valid_time_zone

# Segment's reserved traits are in camel case; many senders use snake case.
_TRAITS = {
    "industry": "industry",
    "topic": "topic",
    "seniority": "seniority",
    "occupation": "occupation",
    "source": "source",
    "companySize": "company-size",
    "company_size": "company-size",
    "company-size": "company-size",
}
_ZONES = ("timezone", "timeZone", "time_zone")
_LONGEST_SLUG = 64


@dataclass(frozen=True, slots=True)
class Profile:
    """Names and country as given, traits as slugs or lists of them; None or missing for what was not given."""

    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    country: str | None = None
    time_zone: str | None = None
    traits: Mapping[str, str | list[str]] = field(default_factory=dict)

    def names(self) -> dict[str, str | None]:
        """The columns of a lead that hold its names, company and country."""
        return {
            "first_name": self.first_name,
            "last_name": self.last_name,
            "company": self.company,
            "country": self.country,
        }


def profile_of(traits: Mapping[str, Any]) -> Profile:
    """Read Segment's traits (https://segment.com/docs/connections/spec/identify); leave out what is not usable."""
    address = traits.get("address")
    where = address if isinstance(address, Mapping) else {}
    company = traits.get("company")
    first, last = _text(traits, 128, "firstName", "first_name"), _text(traits, 128, "lastName", "last_name")
    whole = _text(traits, 256, "name")
    if whole and not (first or last):
        first, last = (part[:128] for part in split_name(whole))
    country = country_code(_text(traits, 64, "country") or _text(where, 64, "country") or "")
    kept = {ours: _kept(traits.get(theirs)) for theirs, ours in _TRAITS.items() if theirs in traits}
    return Profile(
        first_name=first or None,
        last_name=last or None,
        company=_text(company, 200, "name") if isinstance(company, Mapping) else _text(traits, 200, "company"),
        country=country,
        time_zone=_zone(_text(traits, 64, *_ZONES), country),
        traits={name: value for name, value in kept.items() if value},
    )


def not_kept(traits: Mapping[str, Any]) -> list[str]:
    """The names of traits that `profile_of` leaves out, whole or in part, because of their values."""
    profile = profile_of(traits)
    address = traits.get("address")
    where = address if isinstance(address, Mapping) else {}
    lost = [
        name
        for name in _TRAITS
        if is_given(traits.get(name)) and (not words_of(traits[name]) or not all(map(slug, words_of(traits[name]))))
    ]
    lost += [name for name, said in (("country", traits), ("address.country", where)) if _no_country(said)]
    zones = [name for name in _ZONES if is_given(traits.get(name))]
    if zones and (profile.time_zone is None or _zone(_text(traits, 64, *_ZONES), None) is None):
        lost.append(zones[0])
    return lost


def is_given(value: Any) -> bool:
    """Whether a value says something: neither null, nor empty."""
    return bool(value.strip()) if isinstance(value, str) else value is not None and value not in ([], {})


def _no_country(said: Mapping[str, Any]) -> bool:
    return is_given(said.get("country")) and country_code(_text(said, 64, "country") or "") is None


def _text(said: Mapping[str, Any], longest: int, *names: str) -> str | None:
    for name in names:
        value = said.get(name)
        if isinstance(value, str) and (text := " ".join(value.split())):
            return text[:longest]
    return None


def _kept(value: Any) -> str | list[str]:
    """The slug of a word; of a list, the slugs of its words."""
    slugs = [found[:_LONGEST_SLUG] for word in words_of(value) if (found := slug(word))]
    return slugs if isinstance(value, list) else next(iter(slugs), "")


def _zone(said: str | None, country: str | None) -> str | None:
    if said is not None:
        try:
            return valid_time_zone(said)
        except InputError:
            pass
    return time_zone_for(country) if country else None
