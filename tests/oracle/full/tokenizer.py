"""Token ids of 10,000 captions by the tokenizers of Transformers and open_clip, for tests/oracle/tokenizer.rs.

The CLIP vocabulary is the true one (open_clip ships it); SigLIP's is trained here, as large and of
the same kind. Every folder has the files of the released models.
"""

import gzip
import html.entities
import json
import random
import unicodedata

import ftfy
import open_clip
import open_clip.tokenizer
import sentencepiece
import torch
import transformers
from transformers import CLIPTokenizer, SiglipTokenizer

from common import main, save_tensors

transformers.logging.set_verbosity_error()
BOS, EOS = "<|startoftext|>", "<|endoftext|>"
CAPTIONS = 10_000

SCRIPTS = """
日本の写真 一只狐狸在草地上 한국어 사진 फ़ोटो में लोमड़ी ภาพถ่ายของสุนัขจิ้งจอก лиса на траве Ёлка ὈΔΥΣΣΕΎΣ ΟΔΥΣΣΕΥΣ αλεπού
שועל על הדשא صورة ثعلب על־יד İstanbul ISTANBUL ı straße STRASSE ẞ Ångström Å naïve façade CAFÉ café cafe\u0301
e\u0301\u0302\u0323 Việt\u0323 Nam q\u0307\u0323 ŉ ĳsvogel ǅ ﬁne ﬂuﬀ oﬃce ﬅ ﬆ ｆｕｌｌ ＷＩＤＥ！ ｶﾞｷﾞ ﾊﾟ ½ ² ③ Ⅷ ١٢٣ ४५ 𝒜𝓅 𐐀𐐨 ſong ℌ ㎏ ㍿ ﷺ
🦊 👨‍👩‍👧‍👦 🇩🇪 🏳️‍🌈 👍🏽 ❤️ ☕︎ ✔ ™ © ® № ™️ ½ × ÷ – — … • ¿Qué? ¡Olé! «guillemets» „unten“ ‚so‘ ‹x› “curly” ‘quotes’ don’t it’s `tick` ´acute´
""".split()
JOINTS = [" ", " ", " ", " ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u200b", "\u200d", "\u2028", "\u0085",
          "\u00ad", "\ufeff", "\x00", "\x07", "\x1c", "\x7f", "-", "_", "/", ", ", ". ", "...", "!", "?! ", "'", "’", "\"", " & ", "*", "#", "@"]
PARTS = ["'s", "'S", "'re", "'ll", "'d", "'ve", "'m", "'t", "’s", "n't", "IT'S", "''", "3.14", "1,000,000", "24/7", "50%", "$5", "(a)", "[b]", "{c}", "a_b",
         "<b>", "</b>", "<br/>", "1 < 2", "x > y", "\x1b[31mred\x1b[0m", "\u206a", "\ufff9", "\ufffc", "\u202e"]
SPECIAL = [BOS, EOS, "<|EndOfText|>", "<start_of_text>", "<end_of_text>", "<END_OF_TEXT>", "</s>", "<unk>", "<pad>", "<s>", "▁", "<|", "|>", "!"]


def words():
    """CLIP's own whole words, of which the common ones come first."""
    with gzip.open(open_clip.tokenizer.default_bpe()) as file:
        merges = file.read().decode().split("\n")[1:48895]
    joined = ("".join(merge.split()) for merge in merges)
    return [w[:-4] for w in joined if w.endswith("</w>") and w[:-4].isascii() and w[:-4].isalpha() and len(w) > 6]


def references(rng):
    """A reference to an HTML entity: right, in capitals, without its end, by number, nonsense."""
    name = rng.choice(NAMES)
    number = rng.choice([38, 39, 0x2019, 0xE9, 0x1F98A, 0x80, 0x92, 0, 7, 0xD800, 0x110000, 0xFFFE, 59, 13, rng.randrange(0x3000)])
    return rng.choice([
        f"&{name}", f"&{name}", f"&{name.upper()}", f"&{name.rstrip(';')}", f"&{name.rstrip(';')}x", f"&amp;{name}",
        f"&amp;amp;{name}", f"&#{number};", f"&#x{number:x};", f"&#X{number:X}", "&amp;", "&lt;", "&quot;", "&nbsp;", "&nosuch;", "&;", "& ", "&#;", "AT&T",
    ])


NAMES = sorted(html.entities.html5)


def captions(count=CAPTIONS):
    """Plain captions, and captions with everything that the tokenizers treat in ways of their own."""
    rng = random.Random(20261124)
    common = words()
    out = ["", " ", "\n\t ", "a photo of a fox", "x" * 2000, "a fox " * 200, "🦊" * 100, EOS * 80, "</s>" * 70, "dog " * 63 + "</s>", "é" * 77]
    # All lengths around the contexts of 64 and 77.
    out += ["dog " * n for n in range(55, 85)]
    word = lambda: common[min(int(rng.expovariate(1 / 1500)), len(common) - 1)]
    def odd():
        kind = rng.random()
        if kind < 0.35:
            return rng.choice(SCRIPTS)
        if kind < 0.6:
            return references(rng)
        if kind < 0.75:
            return rng.choice(PARTS)
        if kind < 0.8:
            return rng.choice(SPECIAL)
        if kind < 0.9:
            return "".join(chr(rng.choice([rng.randrange(0x20, 0x600), rng.randrange(0x1E00, 0x2C00), rng.randrange(0xFB00, 0xFB07), rng.randrange(0xFF01, 0xFFF0), rng.randrange(0x1F300, 0x1F700)])) for _ in range(rng.randrange(1, 5)))
        return str(rng.randrange(10 ** rng.randrange(1, 8)))
    def cased(w):
        return rng.choice([w, w, w, w.capitalize(), w.upper()])
    while len(out) < count:
        share = rng.choice([0.0, 0.1, 0.3, 0.8])
        length = rng.choice([3, 8, 12, 20, 60, 110])
        text = ""
        for _ in range(rng.randrange(1, length + 1)):
            text += odd() if rng.random() < share else cased(word())
            text += rng.choice(JOINTS) if rng.random() < share else " "
        # Characters of Unicode 14, which Python knows: the tables of the libraries are of all years.
        out.append("".join(c for c in text if unicodedata.category(c) not in ("Cn", "Cs")))
    return out


def clip_vocabulary(folder):
    """vocab.json and merges.txt of the released CLIP models."""
    tokenizer = open_clip.SimpleTokenizer()
    names = {"<start_of_text>": BOS, "<end_of_text>": EOS}
    vocab = {names.get(token, token): id for token, id in tokenizer.encoder.items()}
    merges = sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.get)
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))


def write(folder, texts, ids, lengths, pad):
    (folder / "captions.json").write_text(json.dumps(texts))
    save_tensors(folder / "expected.safetensors", ids=torch.tensor(ids), lengths=torch.tensor(lengths), pad=torch.tensor([pad]))


def transformers_ids(folder, tokenizer):
    texts = captions()
    whole = tokenizer(texts)["input_ids"]
    # Where a folder names none, the limit is 10^30.
    context = min(tokenizer.model_max_length, 77)
    ids = tokenizer(texts, padding="max_length", truncation=True, max_length=context)["input_ids"]
    write(folder, texts, ids, [len(row) for row in whole], tokenizer.pad_token_id)


def clip(files):
    def case(folder):
        clip_vocabulary(folder)
        for name, value in files.items():
            (folder / name).write_text(json.dumps(value))
        transformers_ids(folder, CLIPTokenizer.from_pretrained(folder))
    return case


def token(content, **flags):
    return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False} | flags


CONFIG = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "add_prefix_space": False, "errors": "replace"}
OLD = {key: token(content) for key, content in [("bos_token", BOS), ("eos_token", EOS), ("unk_token", EOS)]}
TYPED = {key: {"__type": "AddedToken"} | value for key, value in OLD.items()}
NAMES_OF = {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS}

# Stable Diffusion 1 has its maps in the style of Transformers 4.2x; 2 pads with "!" by the map alone;
# the second tokenizer of SDXL lists its tokens, "!" among them.
sd1 = clip({"tokenizer_config.json": CONFIG | TYPED | {"pad_token": EOS}, "special_tokens_map.json": OLD | {"pad_token": EOS}})
sd2 = clip({"tokenizer_config.json": CONFIG | TYPED | {"pad_token": EOS}, "special_tokens_map.json": OLD | {"pad_token": "!"}})
sdxl2 = clip({
    "tokenizer_config.json": CONFIG | NAMES_OF | {"pad_token": "!", "added_tokens_decoder": {
        "0": token("!", special=True, normalized=False), "49406": token(BOS, special=True), "49407": token(EOS, special=True, normalized=False)}},
    "special_tokens_map.json": OLD | {"pad_token": "!"},
})


def clip_model(folder):
    """A CLIPModel's folder as Transformers 5 saves it: one tokenizer.json."""
    clip_vocabulary(folder)
    CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    for name in ["vocab.json", "merges.txt"]:
        (folder / name).unlink(missing_ok=True)
    transformers_ids(folder, CLIPTokenizer.from_pretrained(folder))


def open_clip_model(folder):
    """LAION's folders; the captions are those that ftfy does not take to be in a wrong encoding."""
    clip_vocabulary(folder)
    config = {"model_cfg": {"embed_dim": 512, "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 512, "heads": 8, "layers": 12},
                            "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}},
              "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    texts = captions(CAPTIONS + 100)
    covered = [text for text in texts if ftfy.fix_text(text) == ftfy.fix_text(text, fix_encoding=False)]
    print(f"{len(texts) - len(covered)} of {len(texts)} captions left out: ftfy repairs their encoding")
    covered = covered[:CAPTIONS]
    lengths = [len(tokenizer.encode(text)) + 2 for text in covered]
    write(folder, covered, tokenizer(covered).tolist(), lengths, 0)


def pieces(folder):
    """A spiece.model of SigLIP's kind and size: unigram, 32,000 pieces, nmt_nfkc, no bytes."""
    rng = random.Random(7)
    common = words()
    texts = captions()
    corpus = folder / "corpus.txt"
    with open(corpus, "w") as file:
        for _ in range(60_000):
            row = [common[min(int(rng.paretovariate(0.6)) - 1, len(common) - 1)] for _ in range(rng.randrange(5, 30))]
            file.write(rng.choice(["{}", "A {}.", "{}, {}!", "The {}'s", "<{}>", "#{} (1999)", "{} & 24/7"]).replace("{}", " ".join(row)) + "\n")
        # Other scripts than the captions' too, so that some of their characters have no piece.
        file.writelines(text.replace("\n", " ") + "\n" for text in texts[::7])
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus), model_prefix=str(folder / "spiece"), model_type="unigram", vocab_size=32_000,
        normalization_rule_name="nmt_nfkc", character_coverage=0.9995, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        hard_vocab_limit=False, num_threads=2, minloglevel=2,
    )
    corpus.unlink()


def siglip(folder):
    pieces(folder)
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"))
    tokenizer.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    tokenizer = SiglipTokenizer.from_pretrained(folder)
    print(len(tokenizer), "pieces")
    transformers_ids(folder, tokenizer)


if __name__ == "__main__":
    main({"sd1": sd1, "sd2": sd2, "sdxl2": sdxl2, "clip": clip_model, "open_clip": open_clip_model, "siglip": siglip})
