"""Recognise settings of the sample, which no mail may go out with: its secret, sender, postal address, public URL.

With a secret that everybody can read, anybody could sign a link of ours to any site, or unsubscribe a whole list.
"""

import ipaddress
from urllib.parse import urlsplit

POSTAL_ADDRESSES = (
    "Perennial Sample Co., 12 Orchard Lane, Springfield, IL 62701, USA",
    "Northwind Analytics, 1 Harbour Street, Rotterdam, Netherlands",
)
# RFC 2606 and RFC 6761 reserve the first seven; the last is what our documentation writes.
_NOBODYS = ("example", "test", "invalid", "localhost", "example.com", "example.net", "example.org", "your-company.com")
_FEWEST_CHARACTERS = 8  # 32 random hexadecimal digits have fewer different ones once in a million times


def secret_fault(secret: str) -> str | None:
    """What is wrong with a secret that signs links for strangers; None if nothing is."""
    if "change-me" in secret.lower():
        return "it is the sample's, which everybody can read"
    return None if len(set(secret)) >= _FEWEST_CHARACTERS else "it is not random"


def address_fault(address: str) -> str | None:
    """What is wrong with an address that mail comes from, or that replies go to."""
    return "it is the sample's: no mail reaches this domain" if _is_nobodys(address.rpartition("@")[2]) else None


def postal_address_fault(text: str) -> str | None:
    """What is wrong with the postal address that each mail ends with."""
    known = {_folded(each) for each in POSTAL_ADDRESSES}
    return "it is the sample's, and no place of yours" if _folded(text) in known else None


def public_url_fault(url: str) -> str | None:
    """What is wrong with the address that leads, and their mail clients, follow links to."""
    if is_here(url):
        return "leads cannot reach it"
    return None if url.startswith("https://") else "it is not https"


def is_here(url: str) -> bool:
    """Whether a URL leads to this machine, its network, or nowhere."""
    host = urlsplit(url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return _is_nobodys(host)


def _is_nobodys(domain: str) -> bool:
    labels = f".{domain.lower().rstrip('.')}"
    return any(labels.endswith(f".{each}") for each in _NOBODYS)


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())
