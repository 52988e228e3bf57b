"""Cases of the suite `schedulers`: every scheduler at every spacing, with Diffusers' trajectories.

    .venv-oracle/bin/python tests/oracle/full/schedulers.py --list
    .venv-oracle/bin/python tests/oracle/full/schedulers.py NAME FOLDER

The model is the formula of `tests/oracle/golden/schedulers.py`, and noise is replayed. What cannot
be compared stays in `cases.json` with its reason, and is counted aloud.
"""

import collections
import itertools
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "golden"))

import torch
from schedulers import CLASSES, SD15, trajectory

import common

STEPS = (1, 4, 20, 50)
SPACINGS = ("leading", "trailing", "linspace")
PREDICTIONS = ("epsilon", "v_prediction")

SHAPE = (2, 4, 4, 4)
GENERATOR = torch.Generator().manual_seed(21)
INITIAL = torch.randn(SHAPE, generator=GENERATOR)
NOISE = [torch.randn(SHAPE, generator=GENERATOR) for _ in range(51)]

ON_SIGMAS = ("euler", "heun", "lms", "dpm++", "unipc")
ZERO_SNR = ("ddim", "ddpm", "euler", "euler-ancestral", "dpm++", "lcm", "unipc")
LAST_STEP_TO_SIGMA_MIN = {"final_sigmas_type": "sigma_min"}


def product(**values):
    """A dictionary for every combination, with a label of its values."""
    for combination in itertools.product(*values.values()):
        yield " ".join(map(str, combination)), dict(zip(values, combination))


def variants(name):
    """What is set beside spacing and prediction: label, keys, eta, and whether it starts midway."""
    yield "plain", {}, 0.0, False
    yield "from the middle", {}, 0.0, True
    yield "linear betas", {"beta_schedule": "linear", "beta_start": 0.0001, "beta_end": 0.02}, 0.0, False
    yield "squared cosine betas", {"beta_schedule": "squaredcos_cap_v2"}, 0.0, False
    if name in ZERO_SNR:
        yield "zero SNR", {"rescale_betas_zero_snr": True}, 0.0, False
    if name in ON_SIGMAS:
        for spread in ("karras", "exponential", "beta"):
            yield spread, {f"use_{spread}_sigmas": True}, 0.0, False
    if name in ("euler", "dpm++", "unipc"):
        yield "ends at sigma_min", LAST_STEP_TO_SIGMA_MIN, 0.0, False
        yield "karras ends at sigma_min", LAST_STEP_TO_SIGMA_MIN | {"use_karras_sigmas": True}, 0.0, False
    if name in ("euler", "heun"):
        bounds = {"use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 10.0}
        yield "karras within bounds", bounds, 0.0, False
    if name in ("ddim", "ddpm", "heun", "lcm"):
        yield "clipped", {"clip_sample": True, "clip_sample_range": 1.5}, 0.0, False
    if name == "ddim":
        yield "eta 1", {}, 1.0, False
        yield "eta 1 zero SNR", {"rescale_betas_zero_snr": True}, 1.0, False
        yield "alpha to one", {"set_alpha_to_one": True}, 0.0, False
    if name == "ddpm":
        for kind in ("fixed_small_log", "fixed_large"):
            yield kind, {"variance_type": kind}, 0.0, False
    if name == "pndm":
        yield "Runge-Kutta", {"skip_prk_steps": False}, 0.0, False
        yield "alpha to one", {"set_alpha_to_one": True}, 0.0, False
    if name == "lcm":
        yield "20 distilled", {"original_inference_steps": 20}, 0.0, False
        yield "100 distilled, scaled by 0.01", {"original_inference_steps": 100, "timestep_scaling": 0.01}, 0.0, False
    if name == "dpm++":
        for label, keys in product(
            solver_order=(1, 2, 3), algorithm_type=("dpmsolver++", "sde-dpmsolver++"), solver_type=("midpoint", "heun")
        ):
            yield label, keys, 0.0, False
            yield f"{label} karras", keys | {"use_karras_sigmas": True}, 0.0, False
        higher = {"solver_order": 3, "lower_order_final": False}
        yield "order 3 to the end", higher, 0.0, False
        yield "order 3, Euler at the end", higher | {"euler_at_final": True}, 0.0, False
        yield "order 3 to sigma_min", higher | LAST_STEP_TO_SIGMA_MIN, 0.0, False
        yield "clipped lambda", {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}, 0.0, False
    if name == "unipc":
        for label, keys in product(solver_order=(1, 2, 3), solver_type=("bh1", "bh2"), predict_x0=(True, False)):
            yield f"{label} to sigma_min", keys | LAST_STEP_TO_SIGMA_MIN, 0.0, False
            if keys["solver_type"] == "bh2" and keys["predict_x0"]:
                yield label, keys, 0.0, False
                yield f"{label} karras", keys | {"use_karras_sigmas": True}, 0.0, False
        # Python's last step is 0·∞ for these two; ours has the limit.
        yield "bh1 to 0", {"solver_type": "bh1"}, 0.0, False
        yield "noise form to 0", {"predict_x0": False}, 0.0, False
        yield "order 3, corrector off twice", {"solver_order": 3, "disable_corrector": [0, 2]}, 0.0, False
        higher = {"solver_order": 3, "lower_order_final": False}
        yield "order 3 to the end", higher, 0.0, False
        yield "order 3 to sigma_min", higher | LAST_STEP_TO_SIGMA_MIN, 0.0, False


def refused(name, config, steps):
    """Why hardlight refuses a combination by name, or None; the same list as in the module docs."""
    if steps == 1 and config["timestep_spacing"] == "linspace" and name not in ("dpm++", "unipc", "lcm"):
        return "1 step at linspace"
    if config.get("rescale_betas_zero_snr") and config["prediction_type"] == "epsilon" and name in ("ddim", "ddpm", "lcm"):
        return "zero SNR with epsilon"
    if name == "pndm" and not config["skip_prk_steps"] and steps < 4:
        return "Runge-Kutta below 4 steps"
    if name == "lcm" and steps > config.get("original_inference_steps", 50):
        return "more steps than distilled"
    if name == "unipc" and not config.get("lower_order_final", True) and "final_sigmas_type" not in config:
        return "order above 1 to noise level 0"
    return None


def write(name, folder):
    cases, tensors, left_out = [], {}, collections.Counter()
    for spacing, prediction in itertools.product(SPACINGS, PREDICTIONS):
        for (label, keys, eta, midway), steps in itertools.product(variants(name), STEPS):
            config = SD15 | {"timestep_spacing": spacing, "prediction_type": prediction} | keys
            case = {
                "spacing": spacing,
                "prediction": prediction,
                "label": f"{label}, {steps} steps",
                "config": config,
                "steps": steps,
                "eta": eta,
                "start": 0,
                "refused": refused(name, config, steps),
                "not_compared": None,
            }
            cases.append(case)
            if case["refused"]:
                left_out["refused: " + case["refused"]] += 1
                continue
            if midway:
                # Two calls of Heun's make a step; a step of PNDM's is two calls only at the start.
                case["start"] = 2 * (steps // 2) if name == "heun" else steps // 2
            try:
                scheduler, samples = trajectory(name, config, steps, eta, case["start"], INITIAL, NOISE)
            except Exception as error:  # any error of theirs is a reason, and counted
                case["not_compared"] = f"Diffusers raises {type(error).__name__}: {error}"
            else:
                samples = torch.stack(samples)
                if not torch.isfinite(samples).all():
                    case["not_compared"] = "Diffusers gives numbers that are not finite"
            if case["not_compared"]:
                left_out[f"{case['not_compared']} ({label})"] += 1
                continue
            case["timesteps"] = scheduler.timesteps.tolist()
            case["init_noise_sigma"] = float(scheduler.init_noise_sigma)
            tensors[str(len(cases) - 1)] = samples
    compared = len(tensors)
    print(f"{name}: {compared} combinations to compare, {len(cases) - compared} left out")
    for reason, count in sorted(left_out.items()):
        print(f"  {count} × {reason}")
    (folder / "cases.json").write_text(json.dumps({"scheduler": name, "cases": cases}))
    common.save_tensors(folder / "samples.safetensors", initial=INITIAL, noise=torch.stack(NOISE), **tensors)


if __name__ == "__main__":
    common.main({name: lambda folder, name=name: write(name, folder) for name in CLASSES})
