"""PagerDuty's signature of a webhook: HMAC-SHA256 over the raw body, several of them while a secret is rotated."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable

SIGNATURE_HEADER = "x-pagerduty-signature"
_SIGNATURE_VALUE = re.compile(r"v1=([0-9a-fA-F]{64})")


def parse_signatures(header: str) -> tuple[bytes, ...]:
    """The digest of every ``v1=`` value. Spaces around a value are tolerated; other versions are left out."""
    found = (_SIGNATURE_VALUE.fullmatch(part.strip(" \t")) for part in header.split(","))
    return tuple(bytes.fromhex(match[1]) for match in found if match)


def is_authentic(body: bytes, header: str, secrets: Iterable[bytes]) -> bool:
    """Whether any ``v1=`` value was made with any of ``secrets``; every pair is compared, each in constant time."""
    given = parse_signatures(header)
    if not given:
        return False
    found = False
    for secret in secrets:
        digest = hmac.digest(secret, body, "sha256")
        for value in given:
            found |= hmac.compare_digest(digest, value)
    return found
