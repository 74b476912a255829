"""What the commands of `keypulse keywords` do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from infra.settings import Settings
from infra.stack import state
from infra.steps import Advance, Steps
from scorers.keywords.dictionary import BadDictionary, Dictionary, build, load
from scorers.keywords.explain import explain
from scorers.keywords.filters import Filters, read_block_list
from scorers.keywords.lexicon import lexicon
from scorers.keywords.raw import read_names, read_raw_keywords
from streams.canonical import NORMAL, forms_file, write_forms
from streams.dictionary_topic import publish


def dictionary_folder(settings: Settings) -> Path:
    """Where the last dictionary lies."""
    return settings.home / "models" / "dictionary"


def filters_of(settings: Settings) -> Filters:
    """The shop's policy.

    Raises:
        BadBlockList: the block list cannot be read.
    """
    blocked = read_block_list(settings.keyword_block_list) if settings.keyword_block_list else ()
    return Filters(blocked, settings.keyword_max_characters)


def clean_command(source: Path, out: Path | None, products: Path | None, cleared: bool, groups: bool) -> None:
    """Build a dictionary and write it."""
    settings, steps = state.settings(), Steps()
    folder = out or dictionary_folder(settings)
    with steps.step("read"):
        raw = read_raw_keywords(source)
        words = lexicon((*raw.names, *(read_names(products) if products else ())))
    with steps.step("cleaned") as advance:
        dictionary = build(
            raw.table, filters_of(settings), words, settings.min_distinct_shoppers, cleared, raw.searches, advance
        )
    if groups:
        with steps.step("grouped") as advance:
            dictionary = _grouped(dictionary, settings, advance)
    with steps.step("written"):
        dictionary.save(folder)
    told = dictionary.manifest
    typer.echo(
        f"{folder}: version {told.version}, {told.texts:,} texts, {told.junk:,} of them junk, in {told.clusters:,} "
        f"clusters; {told.suggestable:,} may be suggested to everyone"
    )
    if told.clusters and not told.suggestable:
        typer.secho(_why_none(raw.table.get_column("shoppers").is_null().all(), settings), fg="yellow", err=True)


def _grouped(dictionary: Dictionary, settings: Settings, advance: Advance) -> Dictionary:
    from scorers.keywords.groups import MOST, with_groups
    from scorers.retrieval.encoders import OnnxEncoder
    from scorers.retrieval.export import ensure_export

    done, total = 0, min(MOST, dictionary.manifest.suggestable)

    def tell(more: int) -> None:
        nonlocal done
        done += more
        advance(done, total)

    return replace(dictionary, clusters=with_groups(dictionary.clusters, OnnxEncoder(ensure_export(settings)), tell))


def _why_none(uncounted: bool, settings: Settings) -> str:
    if uncounted:
        return "nobody counted shoppers: with --cleared you say that the list holds no names, addresses and the like"
    return f"no keyword was typed by {settings.min_distinct_shoppers} shoppers (setting min_distinct_shoppers)"


def publish_command(folder: Path | None) -> None:
    """Hand a dictionary to everything that counts keywords."""
    settings, steps = state.settings(), Steps()
    folder = folder or dictionary_folder(settings)
    with steps.step("read"):
        dictionary = load(folder)
        if not dictionary.manifest.clusters:
            raise BadDictionary(f"{folder}: none of its {dictionary.manifest.texts:,} texts is a keyword")
        forms = dictionary.forms
    with steps.step("published"):
        gone = publish(settings, forms)
        write_forms(forms_file(settings), forms)
    typer.echo(
        f"version {forms.version} published: {len(forms.forms):,} of {dictionary.manifest.texts:,} texts count under "
        f"another form than their normal form; {gone:,} of the version before don't any more. What was counted under "
        "another version is to be counted again (`keypulse rebuild`), index and ranker to be made anew"
    )


def take_back_command() -> None:
    """Let everything count under its normal form again."""
    settings = state.settings()
    gone = publish(settings, NORMAL)
    write_forms(forms_file(settings), NORMAL)
    typer.echo(f"no dictionary is published: {gone:,} texts count under their normal form again, after a rebuild")


def explain_command(text: str, folder: Path | None, as_json: bool) -> None:
    """Show how a text is cleaned."""
    settings = state.settings()
    dictionary = load(folder or dictionary_folder(settings))
    names = dictionary.vocabulary.filter("is_name").get_column("word")
    explanation = explain(dictionary, text, filters_of(settings), lexicon(names))
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(explanation)).decode())
        return
    table = Table("step", "result", "why", title=f"{text!r}, dictionary {dictionary.manifest.version}")
    for step in explanation.steps:
        table.add_row(step.name, step.result, step.why)
    Console().print(table)
