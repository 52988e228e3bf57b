"""Prompts longer than the context, in chunks, for tests/library/pipelines.rs, by Diffusers.

    .venv-oracle/bin/python tests/oracle/golden/long_prompts.py

Chunks as Compel 2.1 makes them (`truncate_long_prompts=False`): each with a begin and an end of its own, hidden states
one behind the other, the pooled embedding of the first chunk, and the shorter of prompt and negative prompt filled up
with an empty one. Diffusers is given the embeddings. Run pipelines.py first. Made with diffusers 0.42.1, transformers
5.23.0, torch 2.11.0.
"""

import numpy as np
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

import noise
from pipelines import NEGATIVE, PROMPT
from weights import GOLDEN, materialise, save_expected

LONG = ", ".join([PROMPT] * 8)
SEED = 7


def chunks(tokenizer, encoder, text):
    """Rows of ids, one a chunk."""
    room = encoder.config.max_position_embeddings - 2
    ids = tokenizer(text, add_special_tokens=False, truncation=False).input_ids
    parts = [ids[i:i + room] for i in range(0, len(ids), room)] or [[]]
    rows = [[tokenizer.bos_token_id, *part, tokenizer.eos_token_id] for part in parts]
    return [row + [tokenizer.pad_token_id] * (room + 2 - len(row)) for row in rows]


def encoded(towers, text, layer):
    """Hidden states side by side, and the pooled embedding of the last tower's first chunk."""
    sides = []
    for tokenizer, encoder in towers:
        said = [encoder(torch.tensor([row]), output_hidden_states=True)
                for row in chunks(tokenizer, encoder, text)]
        sides.append(torch.cat([s.hidden_states[layer] if layer else s[0] for s in said], 1))
        pooled = said[0][0]
    return torch.cat(sides, -1), pooled


def filled(states, empty, length):
    while states.shape[1] < length:
        states = torch.cat([states, empty], 1)
    return states


@torch.no_grad()
def draw(name, kind):
    pipeline = kind.from_pretrained(materialise(f"pipelines/{name}"), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    towers = [(pipeline.tokenizer, pipeline.text_encoder)]
    xl = name == "xl"
    if xl:
        towers.append((pipeline.tokenizer_2, pipeline.text_encoder_2))
    (prompt, pooled), (negative, pooled_negative), (empty, _) = (
        encoded(towers, text, -2 if xl else None) for text in (LONG, NEGATIVE, ""))
    length = max(prompt.shape[1], negative.shape[1])
    assert length > empty.shape[1]
    given = dict(prompt_embeds=filled(prompt, empty, length),
                 negative_prompt_embeds=filled(negative, empty, length))
    if xl:
        given |= dict(pooled_prompt_embeds=pooled, negative_pooled_prompt_embeds=pooled_negative)
    latents = torch.tensor(noise.normal(SEED, noise.START, (4, 8, 8)))[None]
    return pipeline(**given, latents=latents, num_inference_steps=4, guidance_scale=3.0,
                    output_type="latent").images


def main():
    (GOLDEN / "pipelines" / "long").mkdir(exist_ok=True)
    save_expected("pipelines/long", sd1=draw("sd1", StableDiffusionPipeline),
                  xl=draw("xl", StableDiffusionXLPipeline))


if __name__ == "__main__":
    main()
