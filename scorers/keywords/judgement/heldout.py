"""The held-out corpus: other words, other ways to write them and other misspellings than any the cleaner was made with.

Written after the last change to the cleaner, and judged once. Misspellings are those that the dictionary of codespell
(2.4.3) lists for these words; questions follow published examples for shop assistants and lists of buyers' keywords.
Slips are of the fingers and of the ear. People misspell, glue, cut, turn round and decorate.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np

Write = Callable[[np.random.Generator, str], str]

_NOUNS = """
spatula, ladle, colander, cutting mat, bread bin, butter dish, cereal bowl, coffee mug, teapot, thermos flask,
wine rack, bottle opener, microwave, dishwasher tablets, oven glove, kitchen scale, spice rack, sugar bowl,
tablecloth, bed frame, pillow case, quilt, blanket, wardrobe, chest of drawers, bookcase, armchair, sofa cover,
foot stool, mirror cabinet, towel rail, shower head, bath mat, toothpaste, mouthwash, hair brush, hand cream,
sun hat, face wash, nail file, tweezers, perfume, wig, contact lens case, first aid kit, knee brace, walking
stick, blood pressure monitor, scales, screw set, hammer, spirit level, paint brush, wallpaper, sealant,
padlock, door handle, light switch, extension lead, torch, battery charger, smoke alarm, doorbell, security
camera, thermostat, radiator, heater, humidifier, dehumidifier, fan, air purifier, lawn edger, secateurs, wheel
barrow, greenhouse, fence panel, parasol, deck chair, paddling pool, tent, sleeping mat, camping chair, head
torch, rope, fishing reel, bicycle pump, saddle, skipping rope, exercise ball, rowing machine, tennis ball,
football, cricket bat, golf bag, swimming goggles, roller skates, sledge, board game, teddy bear, rocking horse,
toy kitchen, marble run, colouring book, paint set, pencil case, ruler, stapler remover, ring binder,
whiteboard, desk chair, monitor arm, keyboard, mouse pad, printer, memory stick, router, headset, television,
radio, alarm clock, metronome, drum kit, keyboard bench, guitar tuner, microphone stand, cat flap, dog lead,
bird cage, rabbit hutch, pram, car mirror, dummy clip, changing mat, christmas tree, balloon, birthday candles,
gift wrap, umbrella
"""
_BRANDS = """
bosch, delonghi, breville, russell hobbs, tefal, salter, brabantia, silentnight, dunelm, oral b, sensodyne,
dove, garnier, stanley, black decker, draper, honeywell, philips, ring, duracell, berghaus, karrimor, speedo,
slazenger, umbro, hornby, playdoh, hewlett packard, epson, roberts
"""
_QUALIFIERS = """
porcelain, enamel, glass, wicker, rattan, oak, walnut, chrome, fleece, satin, microfibre, illuminated,
telescopic, freestanding, reusable, biodegradable, hypoallergenic, non slip, ergonomic, digital, wireless,
traditional, contemporary, decorative, quilted, spotted, tartan, scarlet, lavender, magnolia, bronze, burgundy,
for bedroom, for kitchen, for toddler, for elderly, for garden, with lid, with legs, with speaker, without
stand, without fragrance, 2 pack, 15 pack, 50 pack, 9 inch, 42 inch, 32 gb, 8 oz, 15 ft, 60 mm, 20 lb, 75 w, 12
piece
"""
_MISSPELT = """
armchair: amrchair armchar | bag: bage | balloon: baloon | battery: batery battary battey | bicycle: bycicle |
board: borad | book: boook | bottle: bootle | cabinet: cabint cabnet cahinet | case: csae | changing: cahanging
cahgning cahnging canging chagning chahging chanaging chancging chanching chaneging changeing changging changin
changuing chaninging channging chenging chganging chnaging chnanging chnging cnanging | coffee: cofeee |
colander: collender | contact: cantact conact conatct conntact contanct contatct cotact | contemporary:
contamporary contempoary contempory | cover: copver covere | decorative: decortive | digital: diggital digial
digitial ditial | edger: esger | ergonomic: ergnomic | exercise: excecise excercise excerise excersize exercice
exerciese exersice exersise exersize | extension: entension etension exension exntension exrension extendsion
extenion extenison extennsion extensino extenson extenstion extention extesion extesnion extnesion | face: facce
| file: fle flie fule | first: firrst firsr firsth fisrt frist furst | football: foootball | for: afor fof forr
vor | frame: framei framw freame | guitar: gitar | hammer: hammmer | handle: hadle hadnle hanbdle handel handele
hanel hanlde hanldle hanle headle | illuminated: iluminated | keyboard: keboard keybaord keyboaard keyboad
keyboar keybooard keyborad keybord keybroad | lens: lene | level: levl levle livel | light: ligth | machine:
macchine machien mahcine maschine mashine mechine | magnolia: magolia | memory: mamory mememory memeory memery
memmory memoery memomry memoty mempry memroy mermory merory momery momory | microphone: micropone mircophone
mocrophone | mirror: mirorr mirrir mirro mirrorn mirrorr | monitor: mointor moniter monotir montior | of: ofo |
opener: oppener | paint: paínt | panel: pannel pennal | pencil: pensle | piece: peice pice | pool: prool |
porcelain: porsalin procelain | pressure: pressre presssure pressue | rabbit: rabit | reusable: resuable
resusable reuseable | run: runn | scale: acale ccale sacale | scales: sacales | security: secirity secrity
secruity secuirty secuity securit securiy securiyt securtity securtiy securty securuity | set: ser setted |
skipping: skiping skippin | stand: stnad | stick: sitck stivk | swimming: swiming swimmin | switch: siwtch
swicth swith swithc swithch switich swtich | television: telelevision televsion | thermostat: termostat
thermostast therstat | traditional: tradditional tradional traditilnal traditiona traditionnal tradititional
tradtional trandional | tree: treee | umbrella: umbrealla | walking: warlking | wardrobe: wardobe | wheel:
whheel | with: eith iwth qith whith whyth wih wiht wirh withh witho witht witk witn witrh witth wiyh wiyth wth
wtih wuth wyth | without: iwithout whithout whythout widthout wihout wihtout wirhout withhout withoit withoout
withot withotu withou withoud withoug withough withought withouht withount withourt withous withouth withouyt
withput withtout withuout witout witrhout witthout wiyhout wiythout woithout wothout wthout wtihout wuthout
wythout | wrap: wraapp wrapp
"""
_ASKED = """
alexa order {}; reorder {}; add {} to my shopping list; whats the best {}; any recommendation for {}; is there a
sale on {}; i am after {}; got any {}; do they make {}; need a good {}; who makes the best {}; {} next day
delivery; {} best buy; {} today only; {} ready to ship; {} free returns; can you recommend {}; i'm in need of a
{}; {} lowest price guaranteed; what's a good {}; where can one purchase {}; {} click and collect; hi i need {};
show {} please; pre order {}; {} stockists
"""
_DECORATED = "{}!, [{}], ({}), {} ..., {} ;), ~{}~, --{}--, {} ✨, \"{}\", '{}', {} ?!, #{}, {} / , • {}".split(", ")
_UNITS = {"inch": ["in", '"', " inches"], "gb": ["gb", "-gb", " gigabyte"], "oz": ["oz", " ounce", "-oz"],
          "ft": ["ft", " foot", "-ft"], "mm": ["mm", " millimeter"], "lb": ["lb", "lbs", " pounds"],
          "w": ["w", " watt"], "pack": ["-pack", " packs", " pk"], "piece": ["-piece", " pcs", "pc"]}  # fmt: skip
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = "aeiou"
_SOUNDS = [
    one.split(">")
    for one in "ph>f ck>k ee>ea ea>ee ie>ei ss>s ll>l tt>t ou>u le>el er>or or>er c>k y>i ai>ay qu>kw x>ks".split()
]
"""Letters, and others that sound alike."""
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
    at = 0 if rng.random() < 0.05 else int(rng.integers(1, len(word)))
    kind = rng.choice(["drop", "swap", "near", "twice", "vowel", "sound"], p=[0.26, 0.18, 0.2, 0.12, 0.12, 0.12])
    if kind == "drop":
        return word[:at] + word[at + 1 :]
    if kind == "swap":
        at = min(at, len(word) - 2)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    if kind == "twice":
        return word[:at] + word[at] + word[at:]
    if kind == "vowel" and (places := [place for place, char in enumerate(word) if char in _VOWELS]):
        at = int(rng.choice(places))
        return word[:at] + str(rng.choice([one for one in _VOWELS if one != word[at]])) + word[at + 1 :]
    if kind == "sound" and (heard := [pair for pair in _SOUNDS if pair[0] in word]):
        written, sounds = heard[int(rng.integers(len(heard)))]
        return word.replace(written, sounds, 1)
    row = next(row for row in _ROWS if word[at] in row)
    spot = row.index(word[at]) + int(rng.choice([-1, 1]))
    near = row[min(max(spot, 0), len(row) - 1)]
    return word[:at] + near + word[at + 1 :]


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
