"""Folders of models, which are safe on every file system and never shared."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from modelwatch.model.site_paths import MAX_SLUG, model_slug


def test_a_plain_name_is_its_own_folder() -> None:
    assert model_slug("churn-v2.eu") == "churn-v2.eu"


@given(st.text())
def test_every_name_gives_a_safe_folder(name: str) -> None:
    slug = model_slug(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9._-]*", slug)
    assert len(slug) <= MAX_SLUG
    assert not slug.endswith(".")


@given(st.text(), st.text())
def test_two_names_never_share_a_folder(one: str, other: str) -> None:
    """Not even where a file system ignores case, since a folder has no capitals."""
    assert (model_slug(one) == model_slug(other)) == (one == other)
