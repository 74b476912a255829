"""Real words, and pairs that must stay apart."""

from __future__ import annotations


def _listed(text: str) -> list[str]:
    return " ".join(text.split()).split(", ")


BRANDS = _listed("""
sony, bose, logitech, philips, bosch, makita, dewalt, lego, adidas, puma, asics, garmin, canon, nikon, epson,
tefal, dyson, braun, sandisk, kingston, lenovo, razer, anker, belkin, jbl, casio, seiko, fossil, osprey,
salomon, merrell, coleman, stanley, weber, karcher, hoover, nespresso, pyrex, moleskine, staedtler
""")

NOUNS = _listed("""
blender, kettle, toaster, frying pan, chopping board, cutlery set, wine glass, coffee grinder, vacuum cleaner,
steam iron, desk lamp, floor lamp, book shelf, bedside table, mattress topper, duvet cover, shower curtain, bath
towel, laundry basket, garden hose, lawn mower, hedge trimmer, cordless drill, angle grinder, socket set, tape
measure, paint roller, step ladder, tool box, work gloves, running shorts, hiking boots, rain jacket, leather
belt, baseball cap, wool scarf, sun glasses, wrist watch, silver necklace, charm bracelet, stud earrings, school
bag, suitcase, travel pillow, water bottle, lunch box, baby stroller, car seat, crib sheet, pacifier, building
blocks, jigsaw puzzle, remote control car, stuffed bear, doll house, acoustic guitar, keyboard stand,
microphone, webcam, computer monitor, wireless mouse, mechanical keyboard, external hard drive, memory card,
tablet cover, phone charger, power bank, bluetooth speaker, gaming headset, tripod, camera bag, printer paper,
ink cartridge, ballpoint pen, sketch pad, yoga block, resistance bands, dumbbell, bicycle helmet, bike pump,
fishing rod, camping stove, sleeping bag, dog leash, cat litter, bird feeder, aquarium filter, protein powder,
vitamin tablets, shampoo, body lotion, electric razor, hair dryer, nail polish, mascara, perfume, scented candle
""")

QUALIFIERS = _listed("""
stainless steel, wooden, plastic, foldable, portable, rechargeable, cordless, vintage, modern, waterproof,
lightweight, heavy duty, adjustable, extendable, insulated, organic, professional, mini, large, small, black,
white, green, purple, for kids, for women, for men, for seniors, with cover, with case, without cable, with
wheels, outdoor, 2 pack, 6 pack, 12 pack, 10 inch, 24 inch, 64 gb, 128 gb, 16 oz, 32 oz, 6 ft, 50 ft, 4 person,
60 w
""")

_HARD_NEGATIVES = {
    "brand": """
hoover | hover, salomon | salmon, bose | boss, casio | casino, sanyo | sony, tefal | tefla, moen | moon, oster |
ostrich, lexar | lexus, kodak | kayak, epson | edison, netgear | netgate, dremel | drexel, brita | britax,
rowenta | rowena, fila | vila, ecco | echo, hanes | haines, dickies | dickie, columbia | colombo, oakley |
oakland, tommy | timmy, zara | zaza, speedo | speedy, wilson | winson, callaway | calloway, titleist | titlest,
yamaha | yamada, fender | vender, gibson | gilson, roland | rowland, behringer | bellinger, shure | sure,
hitachi | hibachi, toshiba | toshima, panasonic | parasonic, kenwood | kenmore, miele | mile, smeg | sneg,
zojirushi | zojirashi, lodge | ledge, wusthof | wurthof, victorinox | victorina, leatherman | weatherman, gerber
| garber, benelli | benetti, marmot | marmite, patagonia | patagona, arcteryx | arcturus, burton | barton
""",
    "model": """
iphone 14 case | iphone 15 case, pixel 6 case | pixel 6a case, galaxy a52 case | galaxy a53 case, ps5 headset |
ps4 headset, airpods 2 case | airpods 3 case, gtx 1060 | gtx 1080, i5 processor | i7 processor, canon 700d bag |
canon 750d bag, hp 301 ink | hp 302 ink, brother tn2410 | brother tn2420, t8 bulb | t5 bulb, h7 bulb | h4 bulb,
gu10 bulb | gu5 bulb, sae 5w30 oil | sae 5w40 oil, m6 bolts | m8 bolts, ddr3 8 gb ram | ddr4 8 gb ram, kindle 10
cover | kindle 11 cover, fitbit versa 2 band | fitbit versa 3 band, model 3 floor mats | model y floor mats,
f150 bumper | f250 bumper, surface pro 7 cover | surface pro 8 cover, a4 paper | a3 paper, type c cable | type b
cable, cat5 cable | cat6 cable, wd40 spray | wd41 spray, 18v battery | 20v battery, s7 edge case | s7 case, mk2
camera | mk3 camera
""",
    "size": """
32 oz bottle | 23 oz bottle, 10 inch pan | 12 inch pan, 9 x 12 rug | 9 x 10 rug, size 7 shoes | size 8 shoes,
size s shirt | size m shirt, 3xl shirt | 2xl shirt, 6 ft ladder | 8 ft ladder, 60 w bulb | 40 w bulb, 1 tb drive
| 2 tb drive, 500 ml flask | 750 ml flask, 4 pack towels | 6 pack towels, 2.5 inch drive | 3.5 inch drive, 3/8
inch bit | 5/8 inch bit, queen mattress | king mattress, twin sheets | twin xl sheets, 100 count wipes | 1000
count wipes, 5 kg dumbbell | 50 kg dumbbell, 20 mm strap | 22 mm strap, 12 v pump | 24 v pump, 128 gb card | 182
gb card, 10 m hose | 10 ft hose, 1 person tent | 2 person tent, size 10 wide shoes | size 10 narrow shoes, short
cable | long cable, medium crate | large crate
""",
    "color": """
black kettle | white kettle, red rug | rose rug, gray towel | green towel, blue pen | black pen, gold frame |
silver frame, navy scarf | ivory scarf, brown shoes | bronze shoes, teal vase | tan vase, pink mug | purple mug,
beige sofa | white sofa, yellow duck | mellow duck, cream curtain | clear curtain
""",
    "negation": """
cover with zipper | cover without zipper, dairy milk | dairy free milk, latex gloves | non latex gloves, bra
with wire | bra without wire, fat yogurt | non fat yogurt, salted nuts | unsalted nuts, lead paint | lead free
paint, bleached flour | unbleached flour, sugar drink | no sugar drink, stick pan | nonstick pan, rechargeable
lamp | non rechargeable lamp, wrinkle shirt | anti wrinkle shirt, waxed floss | unwaxed floss, seeded bread |
seedless bread, tea w/ caffeine | tea w/o caffeine, bpa bottle | bpa free bottle, sweetened milk | unsweetened
milk, locking caster | non locking caster, chlorine tablets | no chlorine tablets, armless chair | arm chair
""",
    "relation": """
case for camera | camera case with strap, cover for tablet | tablet cover with keyboard, bag for laptop | laptop
bag with wheels, stand for phone | phone stand with charger, light for desk | desk light with clamp, bed for dog
| dog bed with cover, bottle opener | bottle with opener lid, clip on tie | clip in tie, over door hook | on
door hooks and rails, in line filter | on tank filter, plug in diffuser | reed diffuser, roll on deodorant |
deodorant roll of four, snap on crate | snap off crate, light bulb holder | bulb light holder pack, table lamp |
lamp table stand, on ear headset | in ear headset
""",
    "word": """
plaster | blaster, heater | healer, printer | painter, ladder | latter, bucket | bracket, cooler | cutter,
kettle | cattle, fitting | filling, hanger | hamper, shaver | shaker, grater | grader, mower | tower, router |
rooter, tiller | filler, stroller | scroller, whisk | whisky, flask | flash, frame | flame, blade | blaze,
chisel | chicken, mat | mats pack, clamp | lamp, clock | cloak, drawer | drawers liner, folder | holder, hose |
horse, jar | jars lids, kite | knife, lotion | potion, marker | market, mirror | minor, napkin | pumpkin, paddle
| saddle, pencil | stencil, pitcher | catcher, planer | planner, pouch | pooch, quilt | quill, rake | brake,
ribbon | rubber, sander | sender, saucer | saucers rack, shelf | shell, slipper | slip, spade | spare, sponge |
sponsor, stapler | staples, swing | sling, thermos | thermal, tongs | thongs, towel | trowel, tray | trays
stand, trolley | trophy, vase | base, wallet | ballet, washer | dasher, baking tray | bacon tray, mixing bowl |
mining bowl, building set | builder set, knitting needle | knotting needle, lighting kit | lightning kit,
personal fan | personnel fan, principal bag | principle bag, angel wings | angle wings, board game | broad game,
cloth bag | clothes bag, diary cover | dairy cover, loose powder | lose powder, plain shirt | plane shirt,
weather station | leather station
""",
}
HARD_NEGATIVES = {
    kind: [(one, other) for one, _, other in (pair.partition(" | ") for pair in _listed(text))]
    for kind, text in _HARD_NEGATIVES.items()
}
"""Kind to pairs that a shopper would not take for one another."""
