"""What is known of a product beside its text, as tokens: the second input of the product tower. Pure."""

from __future__ import annotations

import math

from streams.contracts.messages import ProductState

MAX_TOKENS = 24
_STEPS_PER_DOUBLING = 2


def metadata_tokens(product: ProductState) -> list[str]:
    """Category, price bucket, condition, shipping and specification; what is not known, or as usual, gives none.

    A price says something within its category only: across categories it would stand for the category, and mislead
    where categories are others.
    """
    tokens = []
    if product.category != "unknown":
        tokens.append(f"category={product.category}")
        if product.price:
            tokens.append(f"price={product.category}:{price_bucket(product.price)}")
    if product.condition != "new":
        tokens.append(f"condition={product.condition}")
    if product.shipping is not None:
        tokens.append("shipping=paid" if product.shipping else "shipping=free")
    tokens += [f"{name}={value}" for name, value in product.specification.items()]
    return [token.casefold() for token in tokens[:MAX_TOKENS]]


def price_bucket(price: int) -> int:
    """Half-octave of a price in minor units: prices that differ by less than a factor of 1.4 mostly share one."""
    return round(_STEPS_PER_DOUBLING * math.log2(max(price, 1)))
