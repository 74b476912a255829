"""What the cleaner is told of English shopping words. Data only; all else it learns from the corpus."""

from __future__ import annotations


def _pairs(text: str) -> frozenset[tuple[str, str]]:
    return frozenset((left, right) for left, right in (pair.split() for pair in text.split(",")))


STOP_WORDS = frozenset("a an and at by for from in of on or the to with".split())
"""Say nothing of themselves. Negations (without, no, not, non, free) are not among them."""

BOUND = _pairs(
    "in ear, on ear, slip on, clip on, snap on, pull on, stick on, iron on, screw on, bolt on, roll on, add on,"
    "hook on, push on, peel on, strap on, step on, carry on, plug in, drop in, walk in, built in, step in, snap in,"
    "roll in, pop in, fill in, a line, with out, to go, line in, line out, in line, in door, on board, by pass, head to"
)
"""Two words of which one would be a stop word, but which together mean something of their own."""

UNITS = {
    spelling: unit
    for unit, spellings in {
        "gb": "gb gig gigs gigabyte gigabytes",
        "tb": "tb terabyte terabytes",
        "mb": "mb megabyte megabytes",
        "inch": "inch inches",
        "ft": "ft foot feet",
        "yd": "yd yard yards",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "m meter meters metre metres",
        "kg": "kg kgs kilo kilos kilogram kilograms",
        "g": "g gram grams",
        "mg": "mg milligram milligrams",
        "lb": "lb lbs pound pounds",
        "oz": "oz ounce ounces",
        "ml": "ml milliliter milliliters millilitre millilitres",
        "l": "l liter liters litre litres",
        "gal": "gal gallon gallons",
        "qt": "qt quart quarts",
        "mah": "mah",
        "w": "w watt watts",
        "v": "v volt volts",
        "hz": "hz hertz",
        "ghz": "ghz",
        "mhz": "mhz",
        "mp": "mp megapixel megapixels",
        "k": "k",
        "pack": "pack packs pk",
        "pc": "pc pcs piece pieces",
        "ct": "ct count",
        "cup": "cup cups",
        "person": "person persons",
        "player": "player players",
        "percent": "percent",
        "btu": "btu btus",
        "psi": "psi",
        "rpm": "rpm",
        "ply": "ply",
        "gauge": "gauge",
        "amp": "amp amps",
        "month": "month months",
        "year": "year years",
    }.items()
    for spelling in spellings.split()
}
"""Every spelling of a unit, to the unit."""

NUMBER_WORDS = dict(
    zip("one two three four five six seven eight nine ten eleven twelve".split(), map(str, range(1, 13)), strict=True)
)
"""Read as numbers where a unit follows."""

KEPT_PLURALS = frozenset(
    "glasses shorts tights flats boxers briefs blinds customs goods news beats vans arms lens gas less this yes iris "
    "chaos basis analysis series species mars paris texas axis tennis canvas atlas christmas oasis adidas asics hermes "
    "mercedes hercules jones james wales rolls cross always across perhaps physics mathematics".split()
)
"""Words in -s that mean something else, or nothing, without it."""

PLURALS = {
    "men": "man",
    "women": "woman",
    "mens": "man",
    "womens": "woman",
    "feet": "foot",
    "teeth": "tooth",
    "mice": "mouse",
    "geese": "goose",
    "children": "child",
    "childrens": "child",
    "knives": "knife",
    "wives": "wife",
    "shelves": "shelf",
    "leaves": "leaf",
    "scarves": "scarf",
    "calves": "calf",
    "halves": "half",
    "loaves": "loaf",
    "wolves": "wolf",
    "hooves": "hoof",
    "thieves": "thief",
    "buses": "bus",
    "lenses": "lens",
    "gases": "gas",
    "canvases": "canvas",
    "tomatoes": "tomato",
    "potatoes": "potato",
    "heroes": "hero",
    "pies": "pie",
    "ties": "tie",
    "glasse": "glasses",
    "tvs": "tv",
    "cds": "cd",
    "dvds": "dvd",
}
"""Plurals that no rule finds."""

SAME = {
    other: word
    for word, others in {
        "color": "colour",
        "colored": "coloured",
        "gray": "grey",
        "jewelry": "jewellery",
        "pajama": "pyjama",
        "tire": "tyre",
        "aluminum": "aluminium",
        "fiber": "fibre",
        "center": "centre",
        "theater": "theatre",
        "mold": "mould",
        "plow": "plough",
        "flavor": "flavour",
        "flavored": "flavoured",
        "odor": "odour",
        "armor": "armour",
        "organizer": "organiser",
        "moisturizer": "moisturiser",
        "sanitizer": "sanitiser",
        "personalized": "personalised",
        "customized": "customised",
        "canceling": "cancelling",
        "traveler": "traveller",
        "modeling": "modelling",
        "leveler": "leveller",
        "caliper": "calliper",
        "donut": "doughnut",
        "yogurt": "yoghurt",
        "catalog": "catalogue",
        "license": "licence",
    }.items()
    for other in others.split()
}
"""British spellings, to the American ones."""

OPENERS = (
    "where can i buy, where to buy, i want to buy, i want, i need, i am looking for, looking for, show me, shop for, "
    "best price for, best price on, cheapest price for, price of, best place to buy, places to buy, in search of, "
    "in need of, in the market for, interested in, shopping for, searching for, list of, what kind of, what kinds of, "
    "what type of, what sort of, which kind of, must have, most wanted, any, buy, purchase, get"
)
CLOSERS = (
    "on line, deals, near me, free shipping, free delivery, with free shipping, with free delivery, for sale, on sale, "
    "best price, low price, lowest price, price, prices, discount, discounts, buy now, order now, in stock, please, "
    "store pickup, in store pickup, pickup today, for cheap, at low price, cash on delivery, pay later, to cart, "
    "to my cart, to basket, to my basket, in my cart, to wishlist, to my wishlist, to my shopping cart, "
    "in my shopping cart, back in stock"
)
"""What people put before and after what they want; it says that they want to buy, not what."""

ASKING = frozenset(
    "find show get give buy buying purchase order reorder ordering shop shopping looking look search searching "
    "searched seek seeking need needs needed want wants wanted wanna wish prefer browse browsing compare recommend "
    "recommended recommendations suggest suggestions tell add bring help choose take put deliver which what where when "
    "why how who whose have has sell sells selling sold offer offers deal deals sale sales bargain bargains discount "
    "discounts discounted coupon coupons promo clearance best bestselling top good great nice amazing awesome "
    "excellent finest nicest coolest latest newest trending popular favorite favorites favourite rated price prices "
    "pricing cost costs cheapest nearest closest nearby online delivery shipping delivered any some".split()
)
ASKING_BESIDES = STOP_WORDS | frozenset(
    "i im id ill ive we us me my you your it this that these those do does did can could will would should is are am "
    "was were be if there here anyone someone anybody somebody something anything much many really very please pls plz "
    "thanks kindly let lets like love require trying going gonna got getting about options new better quality reliable "
    "decent trusted brand brands seller sellers store stores fast quick quickly free same next day express local now "
    "today highly high low".split()
)
"""Words that questions begin with, and those between them: do you have, find me, the best, who sells."""
TELLING = frozenset(
    "online nearby near deal deals price prices pricing priced sale sales clearance promo promos promotion promotions "
    "delivery delivered deliver delivers shipping shipped store stores shop shops shopping outlet outlets supplier "
    "suppliers seller sellers retailer retailers vendor vendors website websites marketplace discount discounts "
    "discounted offer offers coupon coupons bargain bargains rebate rebates buy buying bought order ordered ordering "
    "purchase purchased stock available availability cost costs amazon ebay walmart etsy best bestsellers cheapest "
    "need needed get brands please pls plz thanks tomorrow tonight anywhere somewhere asap recommendations suggestions "
    "options".split()
)
TELLING_BESIDES = STOP_WORDS | frozenset(
    "me my i you we us it that there here is are was be do does did should would have has which what where how much "
    "who cheap low lowest good great fast quick quickly overnight free now today same next day days week weekend area "
    "local around money cash usa uk really very sell sells find found".split()
)
"""Words that end them: on sale now, best deals, online shopping, near me today, which is best."""

NAMES = _pairs(
    "top hat, top coat, top soil, top handle, top load, top loading, top loader, top freezer, top bunk, top box,"
    "top zip, top entry, top case, top mount, top shelf, shop light, shop vac, shop towel, shop stool, shop fan,"
    "shop press, shop sign, best friend, best man, best buy, best western, order book, order form, order pad, get well,"
    "play store, app store, photo shop, pet shop, coffee shop, work shop, cook book, body shop, barber shop, toy store,"
    "thrift store, grocery store, book store, gift shop, doll store, play shop, card deal, wall outlet, power outlet,"
    "electrical outlet, gfci outlet, usb outlet, smart outlet, dryer outlet, quality street, good night, good year,"
    "great dane, great white"
)
"""Where they do."""

NEGATIONS = frozenset("without no not non free never anti less".split())
"""Turn a meaning round."""

NEGATING = ("un", "non", "in", "im", "ir", "dis", "anti", "de", "mis")
"""Beginnings that do the same."""

_SIZES = "xxs xs s m l xl xxl xxxl small medium large mini micro petite tall king queen twin full"
_COLORS = """black blue white red gray green pink purple orange beige brown yellow gold silver copper navy teal
ivory cream tan violet maroon clear turquoise lilac khaki olive rose"""
_OTHER = "short long wide narrow used new refurbished man woman kid boy girl baby"
PROTECTED = frozenset(f"{_SIZES} {_COLORS} {_OTHER}".split()) | NEGATIONS
"""Sizes, colours, conditions, wearers, negations: never taken for a slip of anything."""

NAVIGATION = frozenset(
    "login|log in|sign in|sign up|my account|my orders|order status|track order|customer service|contact us|"
    "coupon code|promo code|gift card balance|unsubscribe|null|undefined|test|www".split("|")
)
"""Typed to get somewhere on the site, or by mistake; no product is meant."""
