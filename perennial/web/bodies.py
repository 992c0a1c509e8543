"""Read a request's body without trusting its size, its pace, its encoding, or what its JSON may hide."""

import asyncio
import json
import math
import re
import zlib
from typing import Any

from fastapi import Request

from perennial.web.errors import RequestError

BODY_SECONDS = 30.0
DEEPEST = 32
"""Levels an event may nest; PostgreSQL and Python's encoder both give up somewhere beyond a thousand."""

# A NUL, which PostgreSQL's text cannot hold, or a surrogate, which is a character only with its other half.
_UNSAFE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)
_NESTS = (dict, list)  # not `dict | list`, which would be built again for each of a thousand events
_GZIP = zlib.MAX_WBITS | 16


async def read_body(request: Request, longest: int, seconds: float = BODY_SECONDS) -> bytes:
    """The raw body. Raises RequestError: 413 past `longest` bytes, without reading on; 408 if it takes too long."""
    declared = request.headers.get("content-length", "0")
    if not (declared.isdecimal() and len(declared) < 16) or int(declared) > longest:
        raise too_large(longest)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > longest:
                    raise too_large(longest)
                chunks.append(chunk)
    except TimeoutError:
        raise RequestError(408, "slow", f"the body did not arrive within {seconds:.0f} seconds") from None
    return b"".join(chunks)


def too_large(longest: int) -> RequestError:
    """The error for a body past its limit."""
    return RequestError(413, "too_large", f"the body is longer than {longest:,} bytes; send it in parts")


def inflate(request: Request, raw: bytes, longest: int) -> bytes:
    """The body without its content encoding, gzip or none; never unpack past `longest` bytes."""
    match request.headers.get("content-encoding", "").strip().lower():
        case "" | "identity":
            return raw
        case "gzip":
            unpacker = zlib.decompressobj(_GZIP)
            try:
                plain = unpacker.decompress(raw, longest + 1)
            except zlib.error:
                raise RequestError(400, "encoding", "the body is not gzip, though its header says so") from None
            if len(plain) > longest:
                raise too_large(longest)
            if not unpacker.eof:
                raise RequestError(400, "encoding", "the gzip body is cut off")
            return plain
        case _:
            raise RequestError(400, "encoding", "send the body plain or with Content-Encoding: gzip")


def require_json(request: Request, *also: str) -> None:
    """Raise RequestError 400 for a content type other than JSON's and those of `also`; none at all will do."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and not _JSON_TYPE.fullmatch(kind) and kind not in also:
        raise RequestError(400, "content_type", "send JSON, with Content-Type: application/json")


def parse_json(raw: bytes) -> Any:
    """The JSON value, safe to store: no NUL, no half surrogate pair, no infinite number. Raises RequestError 400."""
    try:
        value = json.loads(raw.decode(), parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):
        raise RequestError(400, "json", "the body is not JSON in UTF-8") from None
    if not _UNSAFE.search(raw):
        return value
    try:
        return _clean(value)
    except RecursionError:
        raise RequestError(400, "json", f"the body nests deeper than {DEEPEST} levels") from None


def too_deep(value: dict[str, Any] | list[Any], left: int = DEEPEST) -> bool:
    """Whether a JSON object or array nests deeper than an event may."""
    for one in value.values() if isinstance(value, dict) else value:
        if isinstance(one, _NESTS) and (left == 0 or too_deep(one, left - 1)):
            return True
    return False


def _refuse(_: str) -> float:
    raise ValueError


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None  # 1e999 is JSON; infinity is not


def _clean(value: Any) -> Any:
    match value:
        case str():
            whole = value.replace("\0", "�")
            return whole.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_clean(key): _clean(one) for key, one in value.items()}
        case list():
            return [_clean(one) for one in value]
        case _:
            return value
