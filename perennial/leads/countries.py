"""Countries and their time zones, from the tables that come with the `tzdata` package.

`iso3166.tab` names the countries, `zone.tab` the zones of each (https://data.iana.org/time-zones/tz-link.html).
"""

import re
import unicodedata
from functools import cache
from importlib.resources import files

from nurture.errors import InputError, SettingsError
from nurture.timing.calendar import zone

# How people write countries, where the table spells them otherwise.
_ALSO = {
    "AE": "uae",
    "BN": "brunei darussalam",
    "BO": "plurinational state of bolivia",
    "CD": "democratic republic of the congo, dr congo, drc, congo kinshasa",
    "CG": "republic of the congo, congo brazzaville",
    "CI": "ivory coast",
    "CV": "cabo verde",
    "CZ": "czechia",
    "FM": "federated states of micronesia",
    "GB": "uk, united kingdom, great britain, england, scotland, wales, northern ireland",
    "HK": "hong kong sar",
    "IE": "republic of ireland, eire",
    "IR": "islamic republic of iran",
    "KP": "democratic peoples republic of korea",
    "KR": "korea, republic of korea",
    "LA": "lao peoples democratic republic",
    "MD": "republic of moldova",
    "MK": "macedonia",
    "MM": "burma",
    "MO": "macao",
    "NL": "holland",
    "PS": "state of palestine, palestinian territories",
    "RU": "russian federation",
    "SY": "syrian arab republic",
    "SZ": "swaziland",
    "TL": "timor leste",
    "TR": "turkiye",
    "TW": "republic of china",
    "TZ": "united republic of tanzania",
    "US": "usa, united states of america, america",
    "VA": "holy see, vatican",
    "VE": "bolivarian republic of venezuela",
    "VN": "viet nam",
    "WS": "samoa",
}

# The zone most people live in, where it is not the country's first in zone.tab, which goes from east to west.
_MOST_PEOPLE = {
    "AU": "Australia/Sydney",
    "BR": "America/Sao_Paulo",
    "CA": "America/Toronto",
    "RU": "Europe/Moscow",
    "UA": "Europe/Kyiv",
    "UZ": "Asia/Tashkent",
}


def country_code(name_or_code: str) -> str | None:
    """The ISO 3166 alpha-2 code of a country given by code or English name, in any case; None if unknown."""
    written = _folded(name_or_code)
    code = written.upper()
    return code if code in _countries() else _codes().get(written)


def time_zone_for(code: str, city: str | None = None) -> str:
    """The IANA time zone of a country, given by its alpha-2 code.

    The zone named after the city if there is one, else the zone most people live in, else `UTC`.
    Raises InputError for an unknown code.
    """
    code = code.strip().upper()
    if code not in _countries():
        raise InputError(f"unknown country code {code!r}; use an ISO 3166 code of two letters such as 'DE'")
    zones = _zones().get(code, ())
    if city and (named := [name for name in zones if _folded(name.rpartition("/")[2]) == _folded(city)]):
        return named[0]
    return _MOST_PEOPLE.get(code) or (zones[0] if zones else "UTC")


def valid_time_zone(name: str) -> str:
    """The trimmed name of an IANA time zone; raises InputError that says how one is written."""
    return zone(name.strip()).key


@cache
def _countries() -> dict[str, str]:
    return {code: name for code, name, *_ in _table("iso3166.tab")}


@cache
def _codes() -> dict[str, str]:
    """Folded name -> code; `Samoa (American)` is also found as `American Samoa`."""
    codes: dict[str, str] = {}
    for code, name in _countries().items():
        head, _, tail = name.rstrip(")").partition(" (")
        for spelled in (name, f"{tail} {head}", *_ALSO.get(code, "").split(", ")):
            codes[_folded(spelled)] = code
    heads = [name.partition(" (")[0] for name in _countries().values()]
    for code, name in _countries().items():
        head = name.partition(" (")[0]
        if heads.count(head) == 1:
            codes.setdefault(_folded(head), code)
    del codes[""]
    return codes


@cache
def _zones() -> dict[str, tuple[str, ...]]:
    zones: dict[str, tuple[str, ...]] = {}
    for code, _, name, *_ in _table("zone.tab"):
        zones[code] = (*zones.get(code, ()), name)
    return zones


def _table(name: str) -> list[list[str]]:
    try:
        text = (files("tzdata") / "zoneinfo" / name).read_text("utf-8")
    except (OSError, ModuleNotFoundError):
        raise SettingsError(f"the tzdata package lacks its table {name}: install tzdata again") from None
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@cache
def _folded(name: str) -> str:
    """The name without case, accents, punctuation and leading article; `&` becomes `and`, `Saint` becomes `St`."""
    plain = unicodedata.normalize("NFKD", name.replace("&", " and ").replace("'", "").replace("’", ""))
    letters = "".join(char for char in plain if not unicodedata.combining(char)).casefold().replace(".", "")
    words = re.sub(r"\W+|_+", " ", letters).split()
    if words[:1] == ["the"]:
        words = words[1:]
    return " ".join("st" if word == "saint" else word for word in words)
