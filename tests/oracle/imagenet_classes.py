"""Writes prompts/imagenet-classes.tsv: python imagenet_classes.py WORDNET_3.0_DICT > prompts/imagenet-classes.tsv

Synsets in ILSVRC 2012's order are timm's (timm 1.0.31), names are WordNet 3.0's, the noun that captions
say is open_clip's (3.3.0, from OpenAI's notebook). The group is the first of GROUPS among the synset's
ancestors, nearest rule first; a few synsets whose ancestors mislead are named in OWN.
"""

import sys
from pathlib import Path

import timm
from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

# Ancestor and group, the first that fits counts.
GROUPS = [
    ("n02084071", "dog"),  # dog
    ("n02121808", "cat"),  # domestic cat
    ("n02062430", "sea"),  # cetacean
    ("n02073250", "sea"),  # sea cow
    ("n02076196", "sea"),  # seal
    ("n02469914", "primate"),  # primate
    ("n02370806", "hoofed"),  # ungulate
    ("n02062744", "sea"),  # whale
    ("n01861778", "mammal"),  # mammal
    ("n01844917", "waterbird"),  # aquatic bird
    ("n01503061", "bird"),  # bird
    ("n02512053", "fish"),  # fish
    ("n01726692", "reptile"),  # snake
    ("n01661091", "reptile"),  # reptile
    ("n01627424", "amphibian"),  # amphibian
    ("n02159955", "insect"),  # insect
    ("n01769347", "insect"),  # arachnid
    ("n01905661", "sea"),  # invertebrate
    ("n04530566", "boat"),  # vessel, watercraft
    ("n02686568", "flying"),  # aircraft
    ("n04468005", "train"),  # train
    ("n04019101", "train"),  # public transport
    ("n04170037", "road"),  # self-propelled vehicle
    ("n02834778", "road"),  # bicycle
    ("n04524313", "road"),  # vehicle
    ("n02802426", "sport"),  # basketball
    ("n02778669", "sport"),  # ball
    ("n04285146", "sport"),  # sports equipment
    ("n03414162", "sport"),  # game equipment
    ("n03800933", "instrument"),  # musical instrument
    ("n03405725", "indoor"),  # furniture
    ("n03502509", "clothing"),  # headdress
    ("n03051540", "clothing"),  # clothing
    ("n03381126", "clothing"),  # footwear
    ("n13134947", "produce"),  # fruit
    ("n07705931", "produce"),  # edible fruit
    ("n07707451", "produce"),  # vegetable
    ("n07555863", "food"),  # food, solid
    ("n00021265", "food"),  # food
    ("n12992868", "fungus"),  # fungus
    ("n11669921", "plant"),  # flower
    ("n00017222", "plant"),  # plant
    ("n03278248", "electronics"),  # electronic equipment
    ("n03082979", "electronics"),  # computer
    ("n03528263", "appliance"),  # home appliance
    ("n03621049", "kitchenware"),  # kitchen utensil
    ("n04516672", "kitchenware"),  # utensil
    ("n02876657", "bottle"),  # bottle
    ("n03147509", "bottle"),  # cup
    ("n04531098", "small"),  # vessel
    ("n03094503", "small"),  # container
    ("n04451818", "small"),  # tool
    ("n04565375", "small"),  # weapon
    ("n03563967", "small"),  # implement
    ("n02913152", "building"),  # building
    ("n03953020", "building"),  # place of business
    ("n03297735", "building"),  # establishment
    ("n04341686", "structure"),  # structure
    ("n09287968", "place"),  # geological formation
    ("n09225146", "place"),  # body of water
    ("n03183080", "small"),  # device
    ("n03294048", "small"),  # equipment
    ("n03309808", "indoor"),  # fabric
    ("n03405265", "indoor"),  # furnishing
    ("n00007846", "person"),  # person
]

# Groups of classes, by open_clip's name, whose ancestors mislead.
OWN = {
    "trilobite": "stone", "centipede": "insect", "snail": "insect", "slug": "insect", "flatworm": "sea",
    "nematode": "small", "isopod": "insect",
    "analog clock": "indoor", "carousel": "structure", "automated teller machine": "structure",
    "construction crane": "machine", "drilling rig": "machine", "gas pump": "structure", "guillotine": "structure",
    "combine harvester": "machine", "maypole": "structure", "parking meter": "structure", "pier": "structure",
    "radio telescope": "structure", "slot machine": "indoor", "solar thermal collector": "structure",
    "space heater": "indoor", "radiator": "indoor", "photocopier": "indoor", "projector": "indoor",
    "swing": "structure", "threshing machine": "machine", "vending machine": "structure", "wall clock": "indoor",
    "stove": "appliance", "electric fan": "indoor", "airplane wing": "flying", "parachute": "flying",
    "ski": "sport", "hockey puck": "sport", "snorkel": "sport", "spider web": "plant", "strainer": "kitchenware",
    "sunglasses": "clothing", "hair clip": "clothing", "neck brace": "clothing", "muzzle": "small",
    "paddle wheel": "structure", "sundial": "structure", "spotlight": "indoor", "car mirror": "carpart",
    "car wheel": "carpart", "disc brake": "carpart", "oil filter": "carpart", "odometer": "carpart",
    "radiator grille": "carpart", "seat belt": "carpart", "CRT monitor": "electronics",
    "hard disk drive": "electronics", "computer mouse": "electronics", "typewriter keyboard": "electronics",
    "microphone": "electronics", "music speaker": "electronics", "remote control": "electronics",
    "Polaroid camera": "electronics", "reflex camera": "electronics", "radio": "electronics",
    "television": "electronics", "carved pumpkin": "produce", "plectrum": "small", "space bar": "electronics",
    "keyboard space bar": "electronics", "slide rule": "small", "website": "print", "menu": "print",
    "comic book": "print", "dust jacket": "print", "crossword": "print", "jigsaw puzzle": "print",
    "envelope": "print", "product packet / packaging": "print",
    "electric locomotive": "train", "steam locomotive": "train", "tram": "train", "freight car": "train",
    "railroad car": "train", "minibus": "road", "school bus": "road", "trolleybus": "road",
    "vespa": "road", "rickshaw": "road", "horse-drawn vehicle": "road", "bullock cart": "road",
    "mobile home": "building", "tricycle": "road", "unicycle": "road", "wheelbarrow": "garden",
    "shopping cart": "road", "bobsleigh": "snow", "dog sled": "snow", "snowmobile": "snow", "snowplow": "snow",
    "missile": "flying", "space shuttle": "flying", "amphibious vehicle": "road", "half-track": "road",
    "tank": "road", "shipwreck": "boat", "airliner": "flying", "airship": "flying", "balloon": "flying",
    "military aircraft": "flying", "tractor": "machine", "forklift": "machine",
    "altar": "indoor", "baluster / handrail": "indoor", "plate rack": "indoor", "sliding door": "indoor",
    "pedestal": "indoor", "patio": "structure", "honeycomb": "food", "tent": "structure",
    "spiral or coil": "small", "brass memorial plaque": "structure", "scoreboard": "structure",
    "turnstile": "structure", "home theater": "indoor",
    "bathtub": "indoor", "hot tub": "indoor", "sink": "indoor", "trash can": "structure", "mailbox": "structure",
    "water tower": "structure", "rain barrel": "garden", "plant pot": "garden", "backpack": "bag",
    "messenger bag": "bag", "purse": "bag", "plastic bag": "bag", "wallet": "bag", "sleeping bag": "bag",
    "shopping basket": "bag", "cassette": "small", "thimble": "small", "ladle": "kitchenware",
    "wooden spoon": "kitchenware", "mixing bowl": "kitchenware", "soup bowl": "kitchenware",
    "measuring cup": "kitchenware", "mortar and pestle": "kitchenware", "salt shaker": "kitchenware",
    "tray": "kitchenware", "cocktail shaker": "kitchenware", "beer glass": "bottle", "goblet": "bottle",
    "coffee mug": "bottle", "drink pitcher": "bottle", "beaker": "bottle", "barrel": "garden", "crate": "garden",
    "milk can": "garden", "storage chest": "indoor", "hamper": "indoor", "safe": "indoor", "bucket": "garden",
    "flagpole": "structure", "pole": "structure", "lawn mower": "garden", "shovel": "garden", "farm plow": "garden",
    "chainsaw": "garden", "hatchet": "garden", "broom": "garden", "mop": "garden", "paddle": "sport",
    "racket": "sport", "cannon": "structure", "can opener": "kitchenware", "corkscrew": "kitchenware",
    "cleaver": "kitchenware", "bell tower": "building", "dome": "building", "thatched roof": "building",
    "tile roof": "building", "vaulted or arched ceiling": "building", "birdhouse": "garden",
    "manhole cover": "structure", "maze": "structure", "traffic or street sign": "structure",
    "traffic light": "structure", "stage": "indoor", "stretcher": "indoor", "fire screen": "indoor",
    "lampshade": "indoor", "mosquito net": "indoor", "pillow": "indoor", "quilt": "indoor",
    "shoji screen / room divider": "indoor", "window screen": "indoor", "window shade": "indoor",
    "doormat": "indoor", "umbrella": "clothing", "bubble": "small", "toilet paper": "indoor",
    "breastplate": "clothing", "chain mail": "clothing", "cloak": "clothing", "clogs": "clothing",
    "cowboy boot": "clothing", "cuirass": "clothing", "gas mask or respirator": "clothing",
    "slip-on shoe": "clothing", "necklace": "clothing", "Pickelhaube": "clothing", "sneaker": "clothing",
    "sandal": "clothing", "balaclava ski mask": "clothing", "oxygen mask": "clothing", "digital watch": "clothing",
    "park bench": "structure", "baby bib": "clothing", "handkerchief": "clothing",
    "bath towel": "indoor", "dishcloth": "kitchenware", "paper towel": "kitchenware",
    "pool table": "indoor", "punching bag": "indoor", "balance beam": "indoor",
    "gymnastic horizontal bar": "indoor", "parallel bars": "indoor", "plate": "food", "hay": "garden",
    "red wine": "drink", "espresso": "drink", "tea cup": "drink", "eggnog": "drink", "ice cream": "food",
    "rapeseed": "plant", "corn": "produce", "acorn": "plant", "rose hip": "plant", "horse chestnut seed": "plant",
    "mashed potatoes": "food", "mushroom": "fungus", "pipe organ": "indoor", "grand piano": "indoor",
    "upright piano": "indoor", "coral reef": "underwater", "drum": "instrument", "teddy bear": "small",
}

# What captions say instead of open_clip's name.
NOUNS = {
    "Mexican hairless dog (xoloitzcuintli)": "Mexican hairless dog",
    "ram (adult male sheep)": "ram", "impala (antelope)": "impala", "red wolf or maned wolf": "red wolf",
    "kite (bird of prey)": "kite", "newt": "newt", "military hat (bearskin or shako)": "bearskin hat",
    "swim trunks / shorts": "swim trunks", "baluster / handrail": "handrail", "spiral or coil": "coil",
    "cardboard box / carton": "cardboard box", "product packet / packaging": "packet",
    "shoji screen / room divider": "shoji screen", "gas mask or respirator": "gas mask",
    "bell or wind chime": "bell", "traffic or street sign": "street sign", "vaulted or arched ceiling": "vaulted ceiling",
    "cherimoya (custard apple)": "custard apple", "ford model t": "Ford Model T", "vespa": "Vespa scooter",
    "silver salmon": "coho salmon", "tusker": "elephant with tusks", "balloon": "hot air balloon",
    "ski": "ski", "block plane": "carpenter's plane", "arabian camel": "Arabian camel",
}

# Nouns without an article: plurals and masses.
PLURAL = {
    "binoculars", "sunglasses", "jeans", "tights", "pajamas", "swim trunks", "clogs", "parallel bars",
    "chain mail", "face powder", "hair spray", "lotion", "sunscreen", "toilet paper", "guacamole", "consomme",
    "ice cream", "hay", "carbonara", "chocolate syrup", "dough", "red wine", "eggnog", "mashed potatoes",
    "broccoli", "cauliflower", "rapeseed", "corn", "velvet fabric", "wool", "trifle", "hen of the woods mushroom",
    "honeycomb", "hot pot",
}


def wordnet(folder):
    synsets = {}
    for line in (Path(folder) / "data.noun").read_text("latin-1").splitlines():
        if line.startswith("  "):
            continue
        fields = line.split(" | ")[0].split()
        words = [fields[4 + 2 * i].replace("_", " ") for i in range(int(fields[3], 16))]
        at = 4 + 2 * len(words)
        pointers = [fields[at + 1 + 4 * i : at + 5 + 4 * i] for i in range(int(fields[at]))]
        parents = ["n" + p[1] for p in pointers if p[0] in ("@", "@i")]
        synsets["n" + fields[0]] = (words, parents)
    return synsets


def licence(folder):
    """WordNet's, which asks to stand on every copy."""
    lines = (Path(folder) / "data.noun").read_text("latin-1").splitlines()[:29]
    return [line[4:].strip() for line in lines]


def ancestors(synsets, synset):
    found, queue = [], [synset]
    while queue:
        one = queue.pop(0)
        found.append(one)
        queue += [p for p in synsets[one][1] if p not in found]
    return found


def main():
    synsets = wordnet(sys.argv[1])
    ids = (Path(timm.__file__).parent / "data/_info/imagenet_synsets.txt").read_text().split()
    assert len(ids) == len(IMAGENET_CLASSNAMES) == 1000 and ids == sorted(ids)
    for line in HEADER.splitlines() + licence(sys.argv[1]):
        print(f"# {line}".rstrip())
    assert set(OWN) | set(NOUNS) <= set(IMAGENET_CLASSNAMES) | {"newt", "space bar"}
    for synset, name in zip(ids, IMAGENET_CLASSNAMES):
        above = ancestors(synsets, synset)
        group = OWN.get(name) or next((g for a, g in GROUPS if a in above), "small")
        noun = NOUNS.get(name, name)
        article = "-" if noun in PLURAL else "a"
        names = dict.fromkeys([name, *synsets[synset][0]])
        print(synset, group, article, noun, "; ".join(names), sep="\t")


HEADER = """\
ILSVRC 2012's classes in their order: synset, group of imagenet.toml, article (- for plurals and
masses), noun that captions say, other names. Written by tests/oracle/imagenet_classes.py.
Nouns are mostly open_clip's (OpenAI's), other names WordNet 3.0's:
"""

if __name__ == "__main__":
    main()
