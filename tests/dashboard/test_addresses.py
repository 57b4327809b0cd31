"""Published pages do not tell where services are."""

from __future__ import annotations

import pytest

from modelwatch.dashboard.addresses import HIDDEN, hide_addresses


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "Failed to verify credentials with http://127.0.0.1:9: dial tcp 127.0.0.1:9: refused",
            "{}: dial tcp {}: refused",
        ),
        ("see https://wandb.corp.example/api/x?y=1.", "see {}."),
        ("HTTPSConnectionPool(host='ghe.corp', port=443): Max retries", "HTTPSConnectionPool(host={}, port=443): Max"),
        ("lookup ghe.corp on 10.0.0.2:53: no such host", "lookup {} on {}: no such host"),
        ("dial tcp [::1]:9: refused", "dial tcp {}: refused"),
    ],
)
def test_addresses_are_hidden(text: str, shown: str) -> None:
    assert shown.replace("{}", HIDDEN) in hide_addresses(text)


@pytest.mark.parametrize(
    "text", ["metrics.csv:12: no column `time`", "version 1.2.3 at 2026-11-30 10:00 UTC", "ratio 1:2"]
)
def test_other_texts_stay(text: str) -> None:
    assert hide_addresses(text) == text
