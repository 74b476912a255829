"""The built-in market's shelves: what is sold, who makes it, how it is described. Data only; brands are invented."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Shelf:
    """One leaf category. `price` is the median in whole currency units; `peak` the day of the year that sells most."""

    path: tuple[str, ...]
    nouns: tuple[str, ...]
    """What shoppers call the product, the commonest first. Each is a keyword of its own."""
    brands: tuple[str, ...]
    facets: dict[str, tuple[str, ...]] = field(hash=False)
    """Attribute -> its values, the commonest first."""
    price: float = 50.0
    peak: int = 340
    season: float = 0.15
    """Strength of the season: demand swings by this share around its yearly mean."""

    @property
    def name(self) -> str:
        return self.path[-1]


_COLORS = ("black", "blue", "white", "red", "grey", "green", "pink", "purple", "orange", "beige")
_WEARERS = ("women", "men", "kids", "toddler")

SHELVES = (
    Shelf(
        ("Sports", "Shoes", "running shoes"),
        ("running shoes", "running sneakers", "jogging trainers", "athletic footwear"),
        ("veloxa", "stridewell", "kinetra", "montarra", "fleetfox", "airalon", "pacer union", "zentora"),
        {
            "color": _COLORS,
            "wearer": _WEARERS,
            "feature": ("lightweight", "cushioned", "waterproof", "wide fit", "breathable", "carbon plate", "slip on"),
            "terrain": ("trail", "road", "treadmill", "track"),
            "size": ("size 9", "size 10", "size 8", "size 11", "size 7", "size 12"),
        },
        89,
        120,
        0.2,
    ),
    Shelf(
        ("Clothing", "Shoes", "rain boots"),
        ("rain boots", "wellington boots", "wellies", "rubber boots"),
        ("puddlejump", "nordmoor", "hydrant", "fennmark", "galosh and co", "tidewater"),
        {
            "color": _COLORS,
            "wearer": _WEARERS,
            "height": ("ankle", "knee high", "mid calf", "short"),
            "feature": ("insulated", "lined", "matte", "glossy", "steel toe", "wide calf", "non slip"),
            "size": ("size 8", "size 7", "size 9", "size 10", "size 6"),
        },
        48,
        300,
        0.35,
    ),
    Shelf(
        ("Clothing", "Outerwear", "winter jackets"),
        ("winter jacket", "winter coat", "parka", "puffer jacket"),
        ("nordmoor", "frostline", "altavia", "borealis works", "hearthwool", "summitra", "karvel"),
        {
            "color": _COLORS,
            "wearer": _WEARERS,
            "filling": ("down", "synthetic", "fleece", "wool"),
            "feature": ("hooded", "waterproof", "heated", "long", "packable", "windproof", "slim fit"),
            "size": ("size m", "size l", "size xl", "size s", "size xxl"),
        },
        139,
        345,
        0.6,
    ),
    Shelf(
        ("Bags", "backpacks"),
        ("backpack", "rucksack", "school bag", "daypack"),
        ("altavia", "carrigan", "packwright", "summitra", "metropack", "loomis field"),
        {
            "color": _COLORS,
            "volume": ("20 l", "30 l", "40 l", "50 l", "65 l"),
            "use": ("hiking", "school", "laptop", "travel", "cycling", "camera"),
            "material": ("canvas", "nylon", "leather", "recycled"),
            "feature": ("waterproof", "anti theft", "rolltop", "with usb port", "foldable"),
        },
        65,
        235,
        0.3,
    ),
    Shelf(
        ("Electronics", "Audio", "headphones"),
        ("headphones", "headset", "earphones", "earbuds"),
        ("sonaris", "auralux", "deepnote", "klangwerk", "echopine", "tonefield", "quietude"),
        {
            "color": _COLORS[:6],
            "connection": ("wireless", "bluetooth", "wired", "usb c"),
            "fit": ("over ear", "in ear", "on ear", "bone conduction", "open back"),
            "feature": ("noise cancelling", "with microphone", "bass", "sweatproof", "foldable"),
            "use": ("gaming", "sport", "studio", "office", "travel", "kids"),
        },
        79,
    ),
    Shelf(
        ("Electronics", "Phones", "phone cases"),
        ("phone case", "phone cover", "bumper", "smartphone shell"),
        ("casewell", "armorleaf", "slimmora", "gripsy", "glasshaus"),
        {
            "color": (*_COLORS, "clear"),
            "model": ("orbit 12", "orbit 13", "orbit 14", "orbit 14 pro", "galaxy note 9", "pixelo 7", "pixelo 8"),
            "material": ("silicone", "leather", "glass", "carbon fiber", "wood"),
            "feature": ("shockproof", "with stand", "magnetic", "wallet", "ultra thin", "waterproof"),
        },
        19,
    ),
    Shelf(
        ("Electronics", "Computers", "laptops"),
        ("laptop", "notebook computer", "ultrabook", "portable computer"),
        ("corvex", "lumenbook", "halden", "ironwood", "datanaut", "kestrel"),
        {
            "memory": ("16 gb ram", "8 gb ram", "32 gb ram", "64 gb ram"),
            "storage": ("512 gb ssd", "256 gb ssd", "1 tb ssd", "2 tb ssd"),
            "screen": ("15 inch", "14 inch", "13 inch", "17 inch"),
            "use": ("gaming", "business", "student", "video editing"),
            "feature": ("touchscreen", "lightweight", "backlit keyboard", "convertible"),
            "color": ("silver", "black", "white", "grey"),
        },
        849,
        240,
        0.25,
    ),
    Shelf(
        ("Electronics", "Storage", "usb sticks"),
        ("usb stick", "flash drive", "memory stick", "thumb drive"),
        ("datanaut", "bitvault", "storlane", "halden", "quickbyte"),
        {
            "capacity": ("64 gb", "128 gb", "32 gb", "256 gb", "512 gb", "1 tb", "16 gb"),
            "connection": ("usb 3.0", "usb c", "usb 2.0", "usb 3.2"),
            "feature": ("encrypted", "metal", "waterproof", "mini", "dual", "keychain"),
            "color": _COLORS[:6],
        },
        22,
    ),
    Shelf(
        ("Home", "Kitchen", "coffee makers"),
        ("coffee maker", "coffee machine", "espresso machine", "coffee brewer"),
        ("cafetto", "brunelli", "morningside", "kaffa works", "percola", "steamhaus"),
        {
            "method": ("drip", "pod", "pour over", "french press", "bean to cup", "moka"),
            "size": ("12 cup", "4 cup", "8 cup", "single serve"),
            "feature": ("programmable", "with grinder", "thermal", "milk frother", "compact", "reusable filter"),
            "color": ("black", "silver", "red", "white", "copper"),
        },
        99,
        345,
        0.3,
    ),
    Shelf(
        ("Home", "Office", "office chairs"),
        ("office chair", "desk chair", "task chair", "computer chair"),
        ("ergona", "sedalia", "posturo", "workhaven", "lumbarix", "metrodesk"),
        {
            "material": ("mesh", "leather", "fabric", "velvet"),
            "feature": (
                "ergonomic",
                "lumbar support",
                "high back",
                "armless",
                "with headrest",
                "reclining",
                "foldable",
            ),
            "color": _COLORS[:7],
            "load": ("300 lb", "400 lb", "250 lb", "500 lb"),
            "use": ("gaming", "executive", "drafting", "home"),
        },
        179,
        15,
        0.2,
    ),
    Shelf(
        ("Outdoor", "Camping", "tents"),
        ("tent", "camping tent", "shelter", "bivouac"),
        ("altavia", "summitra", "canopeia", "wildmark", "loomis field", "karvel"),
        {
            "persons": ("2 person", "4 person", "1 person", "6 person", "8 person"),
            "kind": ("pop up", "dome", "tunnel", "backpacking", "family", "rooftop"),
            "feature": ("waterproof", "ultralight", "blackout", "with porch", "4 season", "windproof"),
            "color": ("green", "orange", "blue", "grey", "beige"),
        },
        159,
        190,
        0.6,
    ),
    Shelf(
        ("Sports", "Yoga", "yoga mats"),
        ("yoga mat", "exercise mat", "pilates mat", "gym mat"),
        ("asanova", "zentora", "lotusline", "flexhaven", "corepose"),
        {
            "thickness": ("6 mm", "10 mm", "4 mm", "15 mm", "8 mm"),
            "material": ("cork", "tpe", "natural rubber", "pvc", "jute"),
            "feature": ("non slip", "extra thick", "foldable", "with strap", "extra long", "eco friendly"),
            "color": _COLORS,
        },
        34,
        10,
        0.35,
    ),
    Shelf(
        ("Pets", "Dogs", "dog beds"),
        ("dog bed", "pet bed", "dog cushion", "puppy sofa"),
        ("pawlune", "barkwell", "snoutsy", "hearthwool", "muttmore"),
        {
            "size": ("large", "medium", "small", "extra large"),
            "feature": ("orthopedic", "washable", "heated", "waterproof", "donut", "with bolster", "cooling"),
            "material": ("memory foam", "plush", "faux fur", "canvas"),
            "color": _COLORS[:7],
        },
        55,
    ),
    Shelf(
        ("Toys", "Games", "board games"),
        ("board game", "tabletop game", "strategy game", "party game"),
        ("meeplewright", "dicehall", "gamersmoor", "tilecraft", "owlbear press"),
        {
            "players": ("2 player", "4 player", "6 player", "solo"),
            "theme": ("fantasy", "space", "farming", "detective", "medieval", "zombie", "trains"),
            "age": ("for adults", "for kids", "family", "for toddlers"),
            "kind": ("cooperative", "card", "deck building", "trivia", "word", "dice"),
        },
        39,
        345,
        0.7,
    ),
)
