"""Golden token ids for src/nn/tokenizer/: CLIP's by transformers.CLIPTokenizer, open_clip's by
open_clip.SimpleTokenizer, SigLIP's by transformers.SiglipTokenizer.

    .venv-oracle/bin/python tests/oracle/golden/tokenizer.py

The vocabulary in tests/golden/tokenizer/ is made by src/nn/train/bpe.rs (its test
`training_gives_the_committed_vocabulary`, with HARDLIGHT_BLESS=1). Each variant below is that
vocabulary with other files beside it. The folders under tests/golden/tokenizers are made here, and
the captions for all of them, of which CLIP's tokenizer gets the first.
Made with transformers 5.23.0, tokenizers 0.23.3, open_clip 3.3.0, ftfy 6.3.1, sentencepiece 0.2.3.
"""

import contextlib
import gzip
import json
import os
import pathlib
import shutil
import tempfile

# Saved tokenizers say whether it was set.
os.environ["HF_HUB_OFFLINE"] = "1"

import open_clip
import open_clip.tokenizer
import sentencepiece
from transformers import CLIPTokenizer, SiglipTokenizer

GOLDEN = pathlib.Path(__file__).parents[2] / "golden"
BASE = GOLDEN / "tokenizer"
BOS, EOS = "<|startoftext|>", "<|endoftext|>"

CAPTIONS = [
    "", " ", "\t\n ", "a photo of a fox", "A PHOTO  of\ta Fox.", "a photo of a fox " * 9,
    "it's the dog's bone, they'll say we've won; I'm sure you're right, he'd agree, can't he?",
    "IT'S", "'s", "''s", "rock 'n' roll", "don't", "don’t", "l'été", "o'neill's", "'ll'll", "x's't",
    "12345 cats", "3.14", "½ ² ③ Ⅷ", "١٢٣", "café", "cafe\u0301", "CAFÉ au lait", "Ångström Å",
    "ΟΔΥΣΣΕΥΣ ὈΔΥΣΣΕΎΣ", "İstanbul ISTANBUL ı", "straße STRASSE ẞ", "ﬁne ｆｕｌｌ", "naïve façade",
    "日本の写真", "한국어", "फ़ोटो", "ภาพถ่าย", "🦊", "a 🦊 and 👨‍👩‍👧‍👦!", "🇩🇪🏳️‍🌈", "e\u0301\u0302\u0323",
    "a\u00a0photo\u2003of\u200ba\u3000fox", "a\u0085fox\u2028fox", "zero\ufeffwidth\u00adhyphen", "\x00\x01 nul",
    "!!!...---", "wow!", "hello,world", "snake_case-and/slash\\back", "a!b!c", "#hash @at $5 50% (a) [b] {c}",
    "<|endoftext|>", "a fox<|endoftext|>a dog", "<|startoftext|><|endoftext|>", "<|EndOfText|> fox",
    "fox.<|STARTOFTEXT|>!!", "<|endoftext|", "<<|endoftext|>>", "the <dog> sat", "the <DOG> sat", "a<dog>b <doggy>",
    "x" * 200, "supercalifragilisticexpialidocious", "\U0001d49c\U0001d4b7 \U00010400",
]


def variants(vocab_size):
    """Name -> files beside (or instead of) vocab.json and merges.txt."""
    yield "as written", None
    plain = {"tokenizer_class": "CLIPTokenizer", "model_max_length": 16}
    token = lambda content, **flags: {
        "content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False,
    } | flags
    specials = {"bos_token": token(BOS), "eos_token": token(EOS), "unk_token": token(EOS)}
    typed = {key: {"__type": "AddedToken"} | value for key, value in specials.items()}
    yield "stable diffusion 1", {
        "tokenizer_config.json": plain | typed | {"pad_token": EOS},
        "special_tokens_map.json": specials | {"pad_token": EOS},
    }
    yield "stable diffusion 2", {
        "tokenizer_config.json": plain | typed | {"pad_token": EOS},
        "special_tokens_map.json": specials | {"pad_token": "!"},
    }
    decoder = {
        "0": token("!", special=True, normalized=False),
        str(vocab_size - 2): token(BOS, special=True),
        str(vocab_size - 1): token(EOS, special=True),
        str(vocab_size): token("<dog>", special=False),
    }
    names = {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS}
    yield "added tokens decoder", {
        "tokenizer_config.json": plain | names | {"pad_token": "!", "added_tokens_decoder": decoder},
        "special_tokens_map.json": specials | {"pad_token": EOS},
    }
    yield "added tokens file", {
        "tokenizer_config.json": plain | names | {"pad_token": EOS},
        "added_tokens.json": {"<dog>": vocab_size},
    }


def trimmed(ids, pad):
    """Without the padding, which the tests put back."""
    ids = [int(id) for id in ids]
    while ids and ids[-1] == pad:
        ids.pop()
    return ids


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def encode(folder, saved=None):
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    ids = tokenizer(
        CAPTIONS, padding="max_length", truncation=True, max_length=tokenizer.model_max_length
    )["input_ids"]
    if saved is not None:
        tokenizer.save_pretrained(saved)
    return {
        "context": tokenizer.model_max_length,
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "pad": tokenizer.pad_token_id,
        "size": len(tokenizer),
        "ids": [trimmed(row, tokenizer.pad_token_id) for row in ids],
    }


# What open_clip repairs, and what SigLIP cuts out.
REPAIRED = [
    "“curly” ‘quotes’ don’t", "&amp; &AMP; &eacute; &EACUTE; P&EACUTE;REZ &amp;lt;b&amp;gt;", "1 < 2 &amp; &lt;b&gt;", "AT&T this&not that &notit; &copy 3",
    "&#39;s &#x2019;s &#128; &#0; &#7; &#xD800; &#59;", "a\n<b>\n&EACUTE; &amp;", "ĳ ŉ ǅ oﬃce ﬅ ﬂ", "ｶﾞｷﾞ ﾊﾟ １２３ ￥",
    "\x80 \x91x\x92 \x85", "\x1b[31mred\x1b[0m", "\u206a\ufff9\ufffc\x0b\x1c", "a\r\nb\rc\u2028d", "dog 'Ss ſ's 'ſ",
    "<start_of_text> <END_OF_TEXT><end_of_text>", "x\u0345!", "&amp;amp;amp;amp; &amp;amp;amp;", "_under_score_ #hash! (a) 50%",
    "<i> &amp;amp; &amp;amp;lt; &amp;amp;amp;", "&amp;copyx &amp;amp",
    "</s>", "a </s> dog", "a <unk>  dog</s>", "▁a▁", "dog " * 31 + "</s>", "dog " * 30, "dog " * 31, "dog " * 32, "🦊🦊 dog 🦊", "...", "a\u00a0\u200bdog",
]


def write(folder, tokenizer, context, pad, encode):
    """Of every caption the length that it would have, and its ids."""
    rows = [[len(encode(caption)), trimmed(tokenizer(caption), pad)] for caption in CAPTIONS + REPAIRED]
    head = compact({"context": context, "pad": pad})[:-1]
    lines = ",\n".join(map(compact, rows))
    (folder / "expected.json").write_text(f'{head},"rows":[\n{lines}\n]}}\n')


def fresh(name):
    folder = GOLDEN / "tokenizers" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def open_clip_folder(scratch):
    """The first merges of the true vocabulary."""
    folder = fresh("open_clip")
    with gzip.open(open_clip.tokenizer.default_bpe()) as file:
        lines = file.read().decode().split("\n")[:201]
    small = pathlib.Path(scratch, "bpe.txt.gz")
    with gzip.open(small, "wb") as file:
        file.write("\n".join(lines).encode())
    tokenizer = open_clip.SimpleTokenizer(bpe_path=str(small), context_length=32)
    names = {"<start_of_text>": BOS, "<end_of_text>": EOS}
    vocab = {names.get(token, token): id for token, id in tokenizer.encoder.items()}
    (folder / "vocab.json").write_text(compact(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines[1:]) + "\n")
    config = {"model_cfg": {"embed_dim": 8, "text_cfg": {"context_length": 32, "vocab_size": len(vocab)}}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    write(folder, lambda text: tokenizer(text)[0], 32, 0, lambda text: [0, *tokenizer.encode(text), 0])


def siglip_folder(scratch):
    """A small model with a few rules, as the true ones take a quarter of a megabyte."""
    folder = fresh("siglip")
    rules = pathlib.Path(scratch, "rules.tsv")
    pairs = [("ﬁ", "fi"), ("ﬂ", "fl"), ("½", "1⁄2"), ("\u00a0", " "), ("\u3000", " "), ("\t", " "), ("\n", " "), ("e\u0301", "é"), ("\u200b", ""), ("Ⅷ", "viii")]
    pairs += [(chr(0xFEE0 + code), chr(code)) for code in range(0x21, 0x7F)]
    hexes = lambda text: " ".join(f"{ord(c):X}" for c in text)
    rules.write_text("".join(f"{hexes(a)}\t{hexes(b)}\n" for a, b in pairs))
    corpus = pathlib.Path(scratch, "corpus.txt")
    corpus.write_text("\n".join(c.replace("\n", " ").replace("\0", "") for c in CAPTIONS * 2 + ["a photo of a dog on the grass <b> </b> unk"] * 9))
    # The model remembers the names of its files.
    with contextlib.chdir(scratch):
        sentencepiece.SentencePieceTrainer.train(
            input="corpus.txt", model_prefix="spiece", model_type="unigram", vocab_size=300, character_coverage=0.98,
            normalization_rule_tsv="rules.tsv", pad_id=0, eos_id=1, unk_id=2, bos_id=-1, hard_vocab_limit=False, minloglevel=2,
        )
    shutil.copy(pathlib.Path(scratch, "spiece.model"), folder)
    tokenizer = SiglipTokenizer(str(folder / "spiece.model"), model_max_length=32)
    tokenizer.save_pretrained(folder)
    tokenizer = SiglipTokenizer.from_pretrained(folder)
    encode = lambda text: tokenizer(text)["input_ids"]
    padded = lambda text: tokenizer(text, padding="max_length", truncation=True, max_length=32)["input_ids"]
    write(folder, padded, 32, tokenizer.pad_token_id, encode)


def main():
    vocab_size = len(json.loads((BASE / "vocab.json").read_text()))
    out = []
    with tempfile.TemporaryDirectory() as scratch:
        open_clip_folder(scratch)
        siglip_folder(scratch)
        captions = ",\n".join(map(json.dumps, CAPTIONS + REPAIRED))
        (GOLDEN / "tokenizers/captions.json").write_text(f"[\n{captions}\n]\n")
        saved = pathlib.Path(scratch, "saved")
        for i, (name, files) in enumerate(variants(vocab_size)):
            folder = pathlib.Path(scratch, str(i))
            folder.mkdir()
            kept = ["vocab.json", "merges.txt"]
            if files is None:
                kept, files = [path.name for path in BASE.iterdir()], {}
            for file in kept:
                shutil.copy(BASE / file, folder / file)
            for file, value in files.items():
                (folder / file).write_text(json.dumps(value))
            out.append({"name": name, "kept": sorted(kept), "files": files}
                       | encode(folder, saved if name == "added tokens decoder" else None))
        # What Transformers itself writes today: one tokenizer.json.
        files = {path.name: json.loads(path.read_text()) for path in sorted(saved.iterdir())}
        assert "tokenizer.json" in files and "vocab.json" not in files, list(files)
        out.append({"name": "saved by transformers", "kept": [], "files": files} | encode(saved))
    rows = ",\n".join(map(compact, out))
    (GOLDEN / "tokenizer.json").write_text(f"[\n{rows}\n]\n")


if __name__ == "__main__":
    main()
