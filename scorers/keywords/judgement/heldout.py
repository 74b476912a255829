"""The held-out corpus: other words, other ways to write them and other misspellings than any the cleaner was made with.

Misspellings and questions were written after the last change to the cleaner; words and slips stood before it, but only
questions were changed for what they showed. People slip more in long words and seldom in the first letter;
they misspell as lists of common misspellings have it; they glue, cut and decorate.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

Write = Callable[[np.random.Generator, str], str]

_NOUNS = """
air fryer, rice cooker, slow cooker, juicer, waffle iron, measuring cups, cookie sheet, dish rack, trash can,
ice tray, throw pillow, area rug, picture frame, wall clock, candle holder, ceiling fan, night stand, bar stool,
dining table, shoe rack, coat hanger, ironing board, storage bin, mop bucket, door mat, bird bath, patio
umbrella, fire pit, leaf blower, wheelbarrow, chain saw, pressure washer, wrench, pliers, screwdriver, drill
bits, sandpaper, wood glue, extension cord, flashlight, smoke detector, yoga pants, sweat shirt, winter coat,
dress shirt, bow tie, ankle socks, rain boots, flip flops, hand bag, fanny pack, pocket knife, binoculars,
telescope, life jacket, kayak paddle, snow board, hockey stick, soccer ball, tennis racket, golf gloves, jump
rope, foam roller, exercise bike, bike lock, helmet, roof rack, floor mats, jumper cables, dash cam, phone
holder, screen protector, laptop sleeve, router, web camera, ear buds, sound bar, record player, piano bench,
guitar strings, drum sticks, colored pencils, water color paint, canvas, sewing machine, knitting needles, scrap
book, sticker pack, action figure, train set, play mat, high chair, diaper bag, dog crate, cat tree, fish tank,
hamster cage, toothbrush, hair straightener, face mask, sunscreen, eye shadow, lip balm, bath bomb,
multivitamin, heating pad, reading glasses, desk organizer, stapler, label maker, white board
"""
_BRANDS = """
samsung, panasonic, whirlpool, cuisinart, rubbermaid, black and decker, milwaukee, ryobi, husqvarna, craftsman,
nike, reebok, skechers, columbia, patagonia, callaway, spalding, yamaha, fender, crayola, hasbro, mattel, graco,
chicco, purina, colgate, gillette, nivea, revlon, swingline
"""
_QUALIFIERS = """
ceramic, bamboo, cast iron, cotton, leather, silicone, aluminum, solar, electric, manual, folding, stackable,
wall mounted, heated, padded, reversible, washable, disposable, personalized, antique, rustic, extra large,
compact, blue, red, grey, orange, for toddlers, for teens, for dogs, for beginners, for travel, with lid, with
handle, with remote, with lights, without batteries, 3 pack, 8 pack, 24 pack, 5 inch, 18 inch, 256 gb, 20 oz, 8
ft, 75 mm, 5 lb, 40 w, 3 piece
"""
_MISSPELT = """
ceramic: cerramic seramic ceramik | silicone: silicne siliconne cilicone | aluminum: aluminim alumnium |
electric: electrc elektric | manual: manaul manuall | reversible: reversibel revirsible | washable: washabel
washeable | disposable: disposeable disposabel | personalized: personnalized personlized | antique: antque
antiqu antuque | stackable: stakable stackeable | bamboo: bamboe banboo | leather: leahter laether leater |
screwdriver: screwdriwer screwdrivver srewdriver | pliers: plier pleers | wrench: wernch wrinch | wheelbarrow:
wheelbarow weelbarrow whellbarrow | flashlight: flaslight flashlite flashligth | detector: dectector detektor
detecktor | umbrella: umbreala unbrella umberlla | binoculars: binoculers binoculas bincoulars | telescope:
telescpoe telescoop | helmet: hemlet helmut | racket: rackit rackat | jacket: jaket jacet jackect | hockey:
hockie hocey | soccer: soccar soccerr | exercise: excersise exercice exerise | piano: paino piannoo | guitar:
gitar guittar guitaar | canvas: canvass cavnas | knitting: knitng knittin nitting | sewing: sewinng seewing |
diaper: diaaper daiper | toothbrush: toothbrsh toothburush tothbrush | straightener: straigtener straighner |
sunscreen: sunscren suncreen sunscreeen | multivitamin: multvitamin multivitmin | glasses: glasss galsses |
organizer: orgnizer organzier | stapler: stapeller stpaler | ceiling: ceilling cieling celling | picture: picure
pitcher picutre | storage: storrage stroage | measuring: measurring measering meassuring | protector: protectr
portector | laptop: laptp labtop laptob | router: routter routre | samsung: samsng samsugn | panasonic:
panansonic panasnoic | skechers: skecherss skchers sketchers | columbia: columba columbai | patagonia: patagnia
patigonia | rubbermaid: ruberrmaid rubbermade | cuisinart: cuisnart cuisineart
"""
_ASKED = """
can i get {}; who sells {}; where is {}; {} nearby; {} same day delivery; {} in stores; {} offers; good {}; need
{}; what is the best {}; {} prices near me; {} clearance; {} outlet; {} promo; i am searching for {}; {} to buy;
cool {}; order {} online; {} for cheap; {} on clearance sale; which {} is best; {} delivered tomorrow
"""
_DECORATED = "{}., [{}], {}!!, {} :), <{}>, **{}**, {} 🔥, «{}», {}?, - {} -, {} / , 🎁 {}".split(", ")
_UNITS = {"inch": ["in", '"', " inches"], "gb": ["gb", "-gb", " gigabyte"], "oz": ["oz", " ounce", "-oz"],
          "ft": ["ft", " foot", "-ft"], "mm": ["mm", " millimeter"], "lb": ["lb", "lbs", " pounds"],
          "w": ["w", " watt"], "pack": ["-pack", " packs", " pk"], "piece": ["-piece", " pcs", "pc"]}  # fmt: skip
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
RIGHT = "right"
"""The way of a keyword that is written as it should be."""


def corpus(rng: np.random.Generator, count: int) -> list[tuple[str, str, str]]:
    """About `count` texts, each once: the text, the keyword that it stands for, and the way in which it is written."""
    texts: dict[str, tuple[str, str]] = {}
    seen: set[str] = set()
    while len(texts) < count:
        base = _keyword(rng)
        if (name := " ".join(sorted(base.split()))) in seen or base in texts:
            continue
        seen.add(name)
        texts[base] = base, RIGHT
        for _ in range(int(rng.integers(1, 8))):
            way = _WAYS[rng.choice(len(_WAYS), p=_SHARES)]
            texts.setdefault(way(rng, base), (base, way.__name__.strip("_")))
    return [(text, base, way) for text, (base, way) in texts.items()]


def _listed(text: str) -> list[str]:
    return " ".join(text.split()).split(", ")


NOUNS, BRANDS, QUALIFIERS = _listed(_NOUNS), _listed(_BRANDS), _listed(_QUALIFIERS)
MISSPELT = {
    word: wrong.split() for word, wrong in (one.split(": ") for one in " ".join(_MISSPELT.split()).split(" | "))
}


def _keyword(rng: np.random.Generator) -> str:
    chosen = rng.choice(QUALIFIERS, int(rng.choice([0, 1, 2], p=[0.2, 0.55, 0.25])), replace=False).tolist()
    after = [one for one in chosen if one.startswith(("for", "with"))]
    before = [one for one in chosen if one not in after]
    brand = [str(rng.choice(BRANDS))] if rng.random() < 0.4 else []
    return " ".join([*brand, *before, str(rng.choice(NOUNS)), *after])


def _typo(rng: np.random.Generator, text: str) -> str:
    words = text.split(" ")
    lengths = np.array([len(word) * (word.isalpha() and len(word) > 3) for word in words], dtype=float)
    if not lengths.any():
        return text
    place = int(rng.choice(len(words), p=lengths / lengths.sum()))
    words[place] = _slip(rng, words[place])
    return " ".join(words)


def _slip(rng: np.random.Generator, word: str) -> str:
    at = 0 if rng.random() < 0.04 else int(rng.integers(1, len(word)))
    kind = rng.choice(["drop", "swap", "near", "any", "extra"], p=[0.3, 0.2, 0.25, 0.08, 0.17])
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "swap":
        at = min(at, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "any":
        return word[:at] + chr(int(rng.integers(97, 123))) + word[at + 1 :]
    row = next(row for row in _ROWS if word[at] in row)
    spot = row.index(word[at]) + int(rng.choice([-1, 1]))
    near = row[min(max(spot, 0), len(row) - 1)]
    return word[:at] + near + word[at + (kind == "near") :]


def _misspelt(rng: np.random.Generator, text: str) -> str:
    known = [word for word in text.split(" ") if word in MISSPELT]
    if not known:
        return _typo(rng, text)
    word = str(rng.choice(known))
    return text.replace(word, str(rng.choice(MISSPELT[word])), 1)


def _spaced(rng: np.random.Generator, text: str) -> str:
    gaps = [found.start() for found in re.finditer(r"(?<=[a-z]) (?=[a-z])", text)]
    if not gaps:
        return text
    at = int(rng.choice(gaps))
    return text[:at] + str(rng.choice(["", "-", "+", ", "], p=[0.4, 0.4, 0.1, 0.1])) + text[at + 1 :]


def _moved(rng: np.random.Generator, text: str) -> str:
    parts = re.findall(r"(?:for|with|without) \w+|\d+ \w+|\S+", text)
    one, other = rng.integers(0, len(parts), 2)
    parts[one], parts[other] = parts[other], parts[one]
    return " ".join(parts)


def _number(rng: np.random.Generator, text: str) -> str:
    words = text.split(" ")
    place = len(words) - 1 if rng.random() < 0.6 else int(rng.integers(len(words)))
    word = words[place]
    if word.isalpha() and len(word) > 3:
        words[place] = word[:-1] if word.endswith("s") and not word.endswith("ss") else word + "s"
    return " ".join(words)


def _asked(rng: np.random.Generator, text: str) -> str:
    return str(rng.choice([one.strip() for one in " ".join(_ASKED.split()).split(";")])).format(text)


def _decorated(rng: np.random.Generator, text: str) -> str:
    written = str(rng.choice(_DECORATED)).format(text)
    return written.upper() if rng.random() < 0.3 else written.title() if rng.random() < 0.3 else written


def _measured(rng: np.random.Generator, text: str) -> str:
    return re.sub(rf"\b(\d+) ({'|'.join(_UNITS)})\b", lambda found: found[1] + str(rng.choice(_UNITS[found[2]])), text)


_WAYS_AND_SHARES: tuple[tuple[Write, float], ...] = (
    (_typo, 0.34),
    (_misspelt, 0.16),
    (_spaced, 0.08),
    (_moved, 0.1),
    (_number, 0.12),
    (_asked, 0.08),
    (_decorated, 0.06),
    (_measured, 0.06),
)
_WAYS = [way for way, _ in _WAYS_AND_SHARES]
_SHARES = np.array([share for _, share in _WAYS_AND_SHARES])
