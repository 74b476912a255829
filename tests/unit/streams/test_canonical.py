"""The canonical form of a text is the dictionary's, and its normal form where the dictionary has none."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.settings import load
from streams.canonical import (
    NORMAL,
    BadForms,
    CanonicalForms,
    form_words,
    forms_file,
    home_forms,
    read_forms,
    write_forms,
)
from streams.dictionary_topic import HEAD
from streams.folding import fold
from streams.normal_form import EMPTY, normal_form

FORMS = CanonicalForms("v1", {"hedphones": "headphon", "on ear headphones": "headphon ~onear"})


@given(st.text(max_size=30))
def test_without_a_dictionary_it_is_the_normal_form(text: str) -> None:
    assert NORMAL(text) == normal_form(text)


@given(st.text(max_size=30).filter(lambda text: fold(text) not in FORMS.forms))
def test_so_it_is_of_a_text_that_the_dictionary_does_not_know(text: str) -> None:
    assert FORMS(text) == normal_form(text)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("hedphones", "headphon"),
        ("  Hédphones™ ", "headphon"),
        ("headphones", "headphon"),
        ("On-ear headphones", normal_form("on ear headphones")),
        ("ON EAR headphones", "headphon ~onear"),
        ("?", EMPTY),
        ("", EMPTY),
    ],
)
def test_a_text_is_looked_up_as_it_is_folded(text: str, form: str) -> None:
    assert FORMS(text) == form


@given(st.text(max_size=30))
def test_a_folded_text_is_never_the_key_of_the_head(text: str) -> None:
    assert fold(text).encode() != HEAD


@pytest.mark.parametrize("text", ["in ear headphones", "?", "usb cable 2 m"])
def test_words_of_a_form_leave_out_what_tells_it_from_another(text: str) -> None:
    form = normal_form(text)
    assert form_words(form) == form_words(f"{form} ~onear") == form_words(f"{form} ~~on ear") == form.split()


def test_forms_are_read_as_they_were_written(tmp_path: Path) -> None:
    settings = load(home=tmp_path)
    assert home_forms(settings) == NORMAL
    write_forms(forms_file(settings), FORMS)
    assert home_forms(settings) == FORMS
    write_forms(forms_file(settings), NORMAL)
    assert home_forms(settings) == NORMAL


@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"version": 3}', b'{"version": "v", "forms": {"a": 1}}'])
def test_a_file_that_holds_no_forms_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "forms.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadForms, match=r"forms\.json cannot be read.*keypulse keywords publish"):
        read_forms(path)
