"""A little market of clicks, with towers over a small vocabulary: everything but the known model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from scorers.keywords.table import Keyword
from scorers.training.towers.model import StaticText, Towers
from scorers.training.towers.pairs import Pairs, TowerData
from scorers.training.towers.texts import TowerInputs, tower_inputs
from streams.contracts.messages import ProductState
from streams.normal_form import normal_form

COLOURS = "red blue green black white pink grey gold teal plum".split()
THINGS = "boot lamp shirt phone chair tent rug mug watch ring".split()
DIMENSION, MAX_TOKENS = 32, 16


@dataclass(frozen=True)
class TowerMarket:
    """Shoppers call a thing "<colour> <thing>" or by a nickname that no title has."""

    data: TowerData
    inputs: TowerInputs
    tokenizer: Tokenizer

    def towers(self) -> Towers:
        """Untrained."""
        torch.manual_seed(1)
        table = torch.nn.functional.normalize(torch.randn(self.tokenizer.get_vocab_size(), DIMENSION), dim=-1)
        return Towers(StaticText(table, self.inputs.pieces()), len(self.inputs.vocabulary))


def tower_market(copies: int = 3) -> TowerMarket:
    """`copies` products of each colour and thing."""
    kinds = [(colour, thing) for colour in COLOURS for thing in THINGS]
    products = [
        ProductState(
            schema_version=1,
            item=f"{colour}-{thing}-{copy}",
            seller="s",
            title=f"{colour} {thing} number{copy}",
            category=thing,
            price=1_000 * (1 + copy),
            updated_at=0,
        )
        for colour, thing in kinds
        for copy in range(copies)
    ]
    texts = [f"{colour} {thing}" for colour, thing in kinds] + [f"nick{thing} {colour}" for colour, thing in kinds]
    keywords = [Keyword(canonical=normal_form(text), text=text) for text in texts]
    kind_of = np.repeat(np.arange(len(kinds)), copies)
    product = np.tile(np.arange(len(products)), 2)
    keyword = np.concatenate([kind_of, kind_of + len(kinds)])
    weight = np.ones(len(product), np.float32)
    later = np.arange(len(product)) % 5 == 0
    data = TowerData(
        products,
        keywords,
        Pairs(product[~later], keyword[~later], weight[~later]),
        Pairs(product[later], keyword[later], weight[later]),
    )
    tokenizer = word_tokenizer([product.title for product in products] + texts)
    return TowerMarket(data, tower_inputs(data, tokenizer, MAX_TOKENS), tokenizer)


def word_tokenizer(texts: list[str]) -> Tokenizer:
    """One token a word of `texts`; [CLS] and [SEP] around each text."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *sorted({word for text in texts for word in text.split()})]
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer
