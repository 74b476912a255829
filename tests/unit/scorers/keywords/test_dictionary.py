"""From raw keywords to a dictionary: what is merged, repaired, thrown out, and that order changes nothing."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from scorers.keywords.dictionary import BadDictionary, Dictionary, build, load
from scorers.keywords.explain import explain
from scorers.keywords.filters import Filters, phrases
from scorers.keywords.lexicon import Lexicon, lexicon
from streams.normal_form import normal_form

HEADPHONES = {
    "wireless headphones": 900,
    "headphones wireless": 40,
    "hedphones wireless": 2,
    "wirless headphones": 9,
    "headphones": 2000,
    "hedphones": 3,
    "headphones case": 80,
    "headphones for kids": 120,
    "gaming headphones": 250,
    "wireless earbuds": 300,
    "wirless earbuds": 4,
    "head phones": 25,
    "head phones wireless": 3,
    "bluetooth headphones": 400,
    "bluetooth hedphones": 3,
}
LAMPS = {"solaris desk lamp": 500, "solaris floor lamp": 300, "solaris lamp": 200}
LEXICON = lexicon()


def raw(texts: dict[str, int], sellers_only: frozenset[str] = frozenset()) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "text": list(texts),
            "volume": list(texts.values()),
            "shoppers": [None] * len(texts),
            "sellers_only": [text in sellers_only for text in texts],
        },
        schema={"text": pl.String, "volume": pl.Int64, "shoppers": pl.Int64, "sellers_only": pl.Boolean},
    )


def dictionary(texts: dict[str, int], words: Lexicon = LEXICON, filters: Filters | None = None) -> Dictionary:
    return build(raw(texts), filters or Filters(), words, 10, cleared=True)


def together(found: Dictionary, *texts: str) -> bool:
    return len({found.canonical(text) for text in texts}) == 1


def test_misspelt_and_split_words_join_what_is_meant() -> None:
    found = dictionary(HEADPHONES)
    assert together(found, "wireless headphones", "hedphones wireless", "wirless headphones", "head phones wireless")
    assert together(found, "headphones", "hedphones", "head phones")
    assert not together(found, "headphones", "wireless headphones")
    assert not together(found, "wireless headphones", "wireless earbuds")


def test_a_rare_brand_is_not_repaired_into_a_common_word() -> None:
    brand = {"sonaris headphones": 4, "sonaris earbuds": 3, "sonaris headset": 2}
    found = dictionary(HEADPHONES | LAMPS | brand)
    assert not {"sonaris"} & found.rules.repairs.keys()
    assert all(found.canonical(text) == normal_form(text) for text in brand)


def test_a_name_is_not_repaired_even_where_the_other_word_fits() -> None:
    texts = {"veloxa shoes": 900, "veloxa bag": 900, "velixa shoes": 2, "velixa bag": 2}
    assert together(dictionary(texts), "veloxa shoes", "velixa shoes")
    assert not together(dictionary(texts, lexicon(["Velixa"])), "veloxa shoes", "velixa shoes")


def test_words_of_intent_go_and_words_of_the_product_stay() -> None:
    boots = {"rain boots": 50, "buy rain boots": 3, "rain boots near me": 2, "rain boots 2024": 1}
    found = dictionary(boots | {"hat": 9, "top hat": 5, "calendar 2024": 9, "calendar 2025": 9, "calendar": 20})
    assert together(found, "rain boots", "buy rain boots", "rain boots near me", "rain boots 2024")
    assert not together(found, "hat", "top hat")
    assert len({found.canonical(text) for text in ("calendar", "calendar 2024", "calendar 2025")}) == 3


def test_a_question_around_a_keyword_goes_and_words_that_belong_to_a_product_stay() -> None:
    asked = (
        "which rain boots is best",
        "who sells rain boots",
        "rain boots promo",
        "good rain boots",
        "rain boots asap",
    )
    others = {"wall": 90, "wall outlet": 5, "pot": 90, "stock pot": 5, "lego": 90, "lego ship": 5, "tank": 90}
    found = dictionary({"rain boots": 50} | dict.fromkeys(asked, 2) | others | {"tank top": 20, "tank top online": 2})
    assert together(found, "rain boots", *asked)
    assert together(found, "tank top", "tank top online")
    assert len({found.canonical(text) for text in (*others, "tank top")}) == len(others) + 1


def test_a_misspelt_stop_word_is_one_where_others_type_the_very_text() -> None:
    kids = {"boots for kids": 90, "hat for kids": 80, "boots forr kids": 3, "hat forr kids": 2, "lamp for desk": 50}
    found = dictionary(
        kids | {"yoga mat": 90, "exercise mat": 90, "tpe yoga mat": 5, "tpe exercise mat": 5, "the mat": 9}
    )
    assert together(found, "boots for kids", "boots forr kids")
    assert not together(found, "yoga mat", "tpe yoga mat")


def test_a_word_of_the_language_is_split_where_several_keywords_say_so() -> None:
    shirts = {"sweat shirt": 90, "blue sweat shirt": 60, "warm sweat shirt": 50, "sweat band": 50, "dress shirt": 70}
    found = dictionary(shirts | {"sweatshirt": 4, "blue sweatshirt": 3})
    assert together(found, "blue sweat shirt", "blue sweatshirt")
    alone = dictionary({"car": 900, "pet": 800, "car pet": 900, "car pet seat": 500, "carpet": 9, "red carpet": 4})
    assert not together(alone, "car pet", "carpet")


def test_the_order_of_the_input_changes_nothing() -> None:
    texts = HEADPHONES | LAMPS
    backwards = dict(reversed(texts.items()))
    one, other = dictionary(texts), dictionary(backwards)
    assert one.manifest == other.manifest
    assert one.entries.equals(other.entries)
    assert one.clusters.equals(other.clusters)


def test_a_cluster_is_named_by_what_is_typed_most_and_known_by_its_normal_form() -> None:
    found = dictionary(HEADPHONES)
    row = found.clusters.filter(pl.col("key") == "headphone wireless").row(0, named=True)
    assert row["text"] == "wireless headphones"
    assert row["id"] == normal_form("wireless headphones")
    assert row["volume"] == 900 + 40 + 2 + 9 + 3


def test_keywords_of_one_normal_form_and_two_meanings_have_two_ids() -> None:
    found = dictionary({"in ear headphones": 50, "on ear headphones": 20, "bed": 5, "bedding": 9})
    ids = {text: found.canonical(text) for text in ("in ear headphones", "on ear headphones", "bed", "bedding")}
    assert len(set(ids.values())) == 4
    assert ids["in ear headphones"] == normal_form("in ear headphones")
    assert ids["on ear headphones"] == f"{normal_form('on ear headphones')} ~onear"


def test_an_unknown_text_counts_under_its_normal_form() -> None:
    found = dictionary(HEADPHONES)
    assert found.canonical("Garden Gnomes") == normal_form("garden gnomes")
    assert found.canonical("WIRELESS  Headphones") == found.canonical("wireless headphones")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("www.example.com", "link"),
        ("shoes.com", "link"),
        ("call 555-123-4567", "phone number"),
        ("ann@example.org", "mail address"),
        ("B07XYZ1234", "identifier"),
        ("0123456789012", "identifier"),
        ("a" * 81, "too long"),
        (" ".join("one two three four five six seven eight nine ten a b c d e".split()), "too long"),
        ("shoes shoes shoes", "repeated words"),
        ("free shipping", "no product"),
        ("my orders", "no product"),
        ("???", "no word"),
        ("asdf", "gibberish"),
        ("x8k3fq", "gibberish"),
        ("cheap Replica Watches", "blocked"),
    ],
)
def test_what_is_no_keyword(text: str, reason: str) -> None:
    found = dictionary(HEADPHONES | {text: 5}, filters=Filters(blocked=phrases(["replica watch"])))
    assert found.entries.filter(pl.col("text") == text).get_column("junk").to_list() == [reason]
    assert found.canonical(text) == normal_form(text)
    assert found.manifest.junk == 1


@pytest.mark.parametrize("text", ["wh-1000xm4 headphones", "galaxy s22+", "90210", "no.7 serum", "dr. martens", "tv"])
def test_what_only_looks_like_junk(text: str) -> None:
    assert dictionary(HEADPHONES | {text: 5}).manifest.junk == 0


def test_a_dictionary_survives_its_files(tmp_path: Path) -> None:
    found = dictionary(HEADPHONES)
    found.save(tmp_path)
    again = load(tmp_path)
    assert again.manifest == found.manifest
    assert again.rules == found.rules
    assert again.canonical("hedphones wireless") == found.canonical("hedphones wireless")


def test_a_missing_or_broken_dictionary_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadDictionary, match="keypulse keywords clean"):
        load(tmp_path)
    dictionary(HEADPHONES).save(tmp_path)
    (tmp_path / "clusters.parquet").write_bytes(b"no")
    with pytest.raises(BadDictionary, match="holds no dictionary"):
        load(tmp_path)


def test_another_content_is_another_version() -> None:
    assert dictionary(HEADPHONES).manifest.version != dictionary(HEADPHONES | {"gnome": 1}).manifest.version


def test_the_explanation_leads_where_the_dictionary_leads() -> None:
    found = dictionary(HEADPHONES | LAMPS | {"buy headphones": 3, "asdf": 4})
    for text, key in found.entries.select("text", "key").iter_rows():
        explanation = explain(found, text, Filters(), LEXICON)
        assert explanation.key == (key or "")
        assert explanation.canonical == found.canonical(text)


def test_every_step_of_a_new_text_is_told() -> None:
    found = dictionary(HEADPHONES)
    explanation = explain(found, "buy Hedphones wirlesss", Filters(), LEXICON)
    steps = {step.name: step for step in explanation.steps}
    assert explanation.key == "headphone wireless"
    assert steps["intent"].result == "headphones | wireless"
    assert "headphones" in steps["spelling"].why or "wireless" in steps["spelling"].why
    assert steps["new"].result == f"counts under its normal form {normal_form('buy Hedphones wirlesss')!r}"
    assert explanation.canonical == normal_form("buy Hedphones wirlesss")


@pytest.mark.parametrize(("text", "key"), [("boots witj lace", "boot lace"), ("boots forr kids", "boot kid")])
def test_a_misspelt_stop_word_of_a_new_text_is_told(text: str, key: str) -> None:
    texts = ("boots with lace", "hat with lace", "lamp with cord", "boots for kids", "hat for kids")
    explanation = explain(dictionary(dict.fromkeys(texts, 90)), text, Filters(), LEXICON)
    assert explanation.key == key
    assert "spelling" in {step.name for step in explanation.steps}


def test_nothing_at_all_is_a_dictionary_too(tmp_path: Path) -> None:
    found = dictionary({})
    found.save(tmp_path)
    assert load(tmp_path).canonical("red lamp") == normal_form("red lamp")
