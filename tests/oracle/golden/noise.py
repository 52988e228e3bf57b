"""hardlight's noise (src/diffusion/noise.rs) in Python: ChaCha8 keyed by seed and step, then Box and
Muller's transform.

    from noise import normal
    latents = normal(seed=7, step=START, shape=(4, 64, 64))
"""

import math

import numpy as np

#: The step number of an image's starting latents.
START = 2**64 - 1
#: That of the noise on an image embedding (Stable unCLIP).
EMBEDDING = START - 1
#: That of the noise by which a starting image's latents are drawn.
POSTERIOR = START - 2

U32, U64 = 2**32 - 1, 2**64 - 1


def key(seed):
    """Eight words from a seed, as rand_core 0.6 `seed_from_u64` makes them (PCG32)."""
    words = []
    for _ in range(8):
        seed = (seed * 6364136223846793005 + 11634580027462260723) & U64
        x, rotation = (((seed >> 18) ^ seed) >> 27) & U32, seed >> 59
        words.append((x >> rotation | x << (32 - rotation)) & U32)
    return words


def block(key, counter, stream):
    """Sixteen words of ChaCha with eight rounds."""
    state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key,
             counter & U32, counter >> 32, stream & U32, stream >> 32]
    x = list(state)

    def quarter(a, b, c, d):
        for left, right, target, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[left] = (x[left] + x[right]) & U32
            mixed = x[target] ^ x[left]
            x[target] = (mixed << bits | mixed >> (32 - bits)) & U32

    for _ in range(4):
        for i in range(4):
            quarter(i, 4 + i, 8 + i, 12 + i)
        for i in range(4):
            quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
    return [(a + b) & U32 for a, b in zip(x, state)]


def normal(seed, step, shape):
    """Standard normal float32 numbers."""
    count, words, out = math.prod(shape), [], []
    key_words, counter = key(seed), 0
    while len(out) < count:
        while len(words) < 4:
            words += block(key_words, counter, step)
            counter += 1
        a, b = words[0] | words[1] << 32, words[2] | words[3] << 32
        del words[:4]
        u, v = ((a >> 11) + 1) / 2**53, (b >> 11) / 2**53
        radius = math.sqrt(-2 * math.log(u))
        out += [radius * math.cos(math.tau * v), radius * math.sin(math.tau * v)]
    return np.array(out[:count], dtype=np.float32).reshape(shape)
