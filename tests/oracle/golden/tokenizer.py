"""Golden token ids for src/nn/clip/tokenizer.rs, by transformers.CLIPTokenizer.

    .venv-oracle/bin/python tests/oracle/golden/tokenizer.py

The vocabulary in tests/golden/tokenizer/ is made by src/nn/clip/bpe.rs (its test
`training_gives_the_committed_vocabulary`, with HARDLIGHT_BLESS=1). Each variant below is that
vocabulary with other files beside it. Made with transformers 5.23.0, tokenizers 0.23.3.
"""

import json
import pathlib
import shutil
import tempfile

from transformers import CLIPTokenizer

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
        "ids": ids,
    }


def main():
    vocab_size = len(json.loads((BASE / "vocab.json").read_text()))
    out = []
    with tempfile.TemporaryDirectory() as scratch:
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
    rows = ",\n".join(json.dumps(row, ensure_ascii=False) for row in out)
    captions = json.dumps(CAPTIONS)
    (GOLDEN / "tokenizer.json").write_text(f'{{"captions":{captions},\n"variants":[\n{rows}\n]}}\n')


if __name__ == "__main__":
    main()
