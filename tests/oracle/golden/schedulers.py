"""Writes tests/golden/schedulers.json: sampling trajectories of Diffusers' own schedulers.

    .venv-oracle/bin/python tests/oracle/golden/schedulers.py

Every case runs X.from_config(config) on a model that is a formula, output = tanh(0.3·x + 0.001·t),
with replayed noise, and keeps the samples after the middle and the last call.
A case's config is that of `configs` under `of`, with `with` over it. `make oracle` has more cases.
Made with diffusers 0.42.1, torch 2.11.0.
"""

import importlib
import json
import pathlib
import warnings

import diffusers
import torch

warnings.filterwarnings("ignore")
diffusers.logging.set_verbosity_error()

CLASSES = {
    "ddim": ("ddim", "DDIMScheduler"),
    "ddpm": ("ddpm", "DDPMScheduler"),
    "pndm": ("pndm", "PNDMScheduler"),
    "euler": ("euler_discrete", "EulerDiscreteScheduler"),
    "euler-ancestral": ("euler_ancestral_discrete", "EulerAncestralDiscreteScheduler"),
    "dpm++": ("dpmsolver_multistep", "DPMSolverMultistepScheduler"),
    "heun": ("heun_discrete", "HeunDiscreteScheduler"),
    "lms": ("lms_discrete", "LMSDiscreteScheduler"),
    "lcm": ("lcm", "LCMScheduler"),
    "unipc": ("unipc_multistep", "UniPCMultistepScheduler"),
}

# stable-diffusion-v1-5/stable-diffusion-v1-5, scheduler/scheduler_config.json
SD15 = {
    "_class_name": "PNDMScheduler",
    "_diffusers_version": "0.6.0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
# stabilityai/stable-diffusion-2-1, scheduler/scheduler_config.json
SD21 = SD15 | {"_class_name": "DDIMScheduler", "_diffusers_version": "0.8.0", "prediction_type": "v_prediction"}
# stabilityai/sd-turbo, scheduler/scheduler_config.json
TURBO = {
    "_class_name": "EulerDiscreteScheduler",
    "_diffusers_version": "0.24.0.dev0",
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "clip_sample": False,
    "interpolation_type": "linear",
    "num_train_timesteps": 1000,
    "prediction_type": "epsilon",
    "sample_max_value": 1.0,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "timestep_spacing": "trailing",
    "timestep_type": "discrete",
    "trained_betas": None,
    "use_karras_sigmas": False,
}
# stabilityai/stable-diffusion-xl-base-1.0, scheduler/scheduler_config.json
SDXL = TURBO | {"_diffusers_version": "0.19.0.dev0", "timestep_spacing": "leading"}
# stabilityai/sdxl-turbo, scheduler/scheduler_config.json
SDXL_TURBO = TURBO | {"_class_name": "EulerAncestralDiscreteScheduler"}
# What LCMScheduler writes for a model distilled from SD 1.5.
LCM = SD15 | {
    "_class_name": "LCMScheduler",
    "_diffusers_version": "0.22.0.dev0",
    "clip_sample_range": 1.0,
    "dynamic_thresholding_ratio": 0.995,
    "original_inference_steps": 50,
    "prediction_type": "epsilon",
    "rescale_betas_zero_snr": False,
    "sample_max_value": 1.0,
    "set_alpha_to_one": True,
    "thresholding": False,
    "timestep_scaling": 10.0,
    "timestep_spacing": "leading",
}
FOLDERS = {
    "pndm": SD15,
    "ddim": SD21,
    "euler": SDXL,
    "euler-ancestral": SDXL_TURBO,
    "lcm": LCM,
    "dpm++": SD15 | {"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++"},
    "unipc": SD15 | {"_class_name": "UniPCMultistepScheduler", "solver_type": "bh2", "solver_p": None},
}

BETAS = SD15 | {"trained_betas": [round(0.001 + 2e-4 * i, 4) for i in range(50)], "num_train_timesteps": 50}
# What cases say their differences from.
CONFIGS = {"none": {}, "sd15": SD15, "sd21": SD21, "turbo": TURBO, "lcm": LCM, "betas": BETAS}

SHAPE = (1, 1, 2, 2)
GENERATOR = torch.Generator().manual_seed(20)
INITIAL = torch.randn(SHAPE, generator=GENERATOR)
NOISE = [torch.randn(SHAPE, generator=GENERATOR) for _ in range(24)]


def numbers(tensor, digits=6):
    """The tests allow a ten thousandth of the largest."""
    return [float(f"{value:.{digits}g}") for value in tensor.flatten().tolist()]


def differences(config):
    """The nearest of CONFIGS, and what stands over it."""
    over = {
        name: {key: value for key, value in config.items() if key not in base or base[key] != value}
        for name, base in CONFIGS.items()
        if base.keys() <= config.keys()
    }
    nearest = min(over, key=lambda name: len(over[name]))
    assert CONFIGS[nearest] | over[nearest] == config
    return {"of": nearest} | ({"with": over[nearest]} if over[nearest] else {})


def trajectory(name, config, steps, eta=0.0, start=0, initial=INITIAL, noise=NOISE):
    """The scheduler, and the sample after every call from `start` on.

    The last of `noise` is what an image-to-image start gets; call `c` draws number `c % len(noise)`.
    """
    module, class_name = CLASSES[name]
    module = importlib.import_module(f"diffusers.schedulers.scheduling_{module}")
    call = 0
    module.randn_tensor = lambda *_, **__: noise[call % len(noise)]
    scheduler = getattr(module, class_name).from_config(config)
    scheduler.set_timesteps(steps)
    times = scheduler.timesteps
    if hasattr(scheduler, "set_begin_index"):
        # Otherwise a run whose first two timesteps are equal would begin at the second.
        scheduler.set_begin_index(start)
    if start:
        x = scheduler.add_noise(initial, noise[-1], times[start : start + 1])
    else:
        x = initial * scheduler.init_noise_sigma
    samples = []
    for call in range(start, len(times)):
        seen = scheduler.scale_model_input(x, times[call])
        output = torch.tanh(0.3 * seen + 0.001 * times[call].float())
        extra = {"eta": eta} if eta else {}
        x = scheduler.step(output, times[call], x, return_dict=False, **extra)[0]
        samples.append(x)
    return scheduler, samples


def run(name, config, steps, eta=0.0, start=0):
    scheduler, all_samples = trajectory(name, config, steps, eta, start)
    times = scheduler.timesteps
    keep = {(start + len(times)) // 2, len(times) - 1}
    samples = [[call, numbers(all_samples[call - start])] for call in sorted(keep)]
    assert all(torch.isfinite(torch.tensor(sample)).all() for _, sample in samples), (name, config, steps)
    sigma = short(scheduler.init_noise_sigma)
    extra = {"eta": eta, "start": start, "init_noise_sigma": sigma if sigma != 1 else None}
    return {
        "scheduler": name,
        **differences(config),
        "steps": steps,
        **{key: value for key, value in extra.items() if value},
        "timesteps": [short(time) for time in times.tolist()],
        "samples": samples,
    }


def short(value):
    value = float(f"{float(value):.6g}")
    return int(value) if value == int(value) else value


def cases():
    for name in CLASSES:
        for spacing in ("leading", "trailing", "linspace"):
            if name == "lcm" and spacing != "leading":
                continue  # which it ignores
            spaced = {"timestep_spacing": spacing}
            yield run(name, SD15 | spaced, 4)
            yield run(name, SD21 | spaced, 4)
            # One step, but not at timestep 0, which is refused.
            if spacing != "linspace" or name in ("dpm++", "unipc"):
                yield run(name, (SD21 if spacing == "trailing" else SD15) | spaced, 1)
        # Many, where multistep solvers no longer lower their order at the end.
        yield run(name, SD21 | {"timestep_spacing": "leading"}, 20)
        # The folders as they are: spacing is the class's default.
        for config in (SD15, SD21):
            yield run(name, config, 7)
        yield run(name, TURBO, 4)
        # Nothing but the class's defaults (Runge-Kutta start-up for PNDM, clipping for DDIM).
        yield run(name, {"_class_name": CLASSES[name][1]}, 6)
        cosine = {"beta_schedule": "squaredcos_cap_v2", "clip_sample": False}
        yield run(name, SD15 | cosine, 10)
        yield run(name, BETAS, 5)
        zero = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        yield run(name, SD21 | zero, 6)
        if name not in ("pndm", "euler-ancestral"):
            yield run(name, SD15 | {"prediction_type": "sample"}, 5)
        if name in ("euler", "heun", "lms", "dpm++", "unipc"):
            yield run(name, SD15 | {"use_beta_sigmas": True}, 8)
            for spread in ("karras", "exponential"):
                yield run(name, SD15 | {f"use_{spread}_sigmas": True}, 8)
                yield run(name, SD21 | {f"use_{spread}_sigmas": True, "timestep_spacing": "leading"}, 8)
        if name not in ("lms", "pndm"):
            yield run(name, SD15, 10, start=(9 if name != "heun" else 10) // 2 * (2 if name == "heun" else 1))
    for eta in (0.5, 1.0):
        yield run("ddim", SD15, 8, eta)
        yield run("ddim", SD21 | {"timestep_spacing": "trailing", "set_alpha_to_one": True}, 8, eta)
    clip = {"clip_sample": True, "clip_sample_range": 1.5}
    for name in ("ddim", "ddpm", "heun"):
        yield run(name, SD15 | clip, 8)
    for kind in ("fixed_small_log", "fixed_large"):
        yield run("ddpm", SD15 | {"variance_type": kind}, 8)
    for steps in (4, 5, 12):
        yield run("pndm", SD21 | {"skip_prk_steps": False}, steps)
        yield run("pndm", SD15 | {"skip_prk_steps": False, "timestep_spacing": "trailing"}, steps)
    yield run("euler", SD15 | {"final_sigmas_type": "sigma_min"}, 8)
    yield run("euler", SD15 | {"use_karras_sigmas": True, "sigma_min": 0.1, "sigma_max": 10.0}, 8)
    for order in (1, 2, 3):
        for algorithm in ("dpmsolver++", "sde-dpmsolver++"):
            for solver in ("midpoint", "heun") if order == 2 else ("midpoint",):
                settings = {"solver_order": order, "algorithm_type": algorithm, "solver_type": solver}
                # Below and above 15 steps the last ones differ.
                yield run("dpm++", SD15 | settings, 5)
                yield run("dpm++", SD21 | settings | {"use_karras_sigmas": True}, 16)
    more = {"final_sigmas_type": "sigma_min", "lower_order_final": False, "solver_order": 3}
    yield run("dpm++", SD15 | more, 8)
    yield run("dpm++", SD15 | more | {"euler_at_final": True, "use_karras_sigmas": True}, 20)
    clipped = {"beta_schedule": "squaredcos_cap_v2", "lambda_min_clipped": -5.1}
    for spacing in ("leading", "trailing", "linspace"):
        yield run("dpm++", SD15 | clipped | {"timestep_spacing": spacing}, 8)
    for steps in (1, 4):
        for name, config in FOLDERS.items():
            yield run(name, config, steps) | {"folder": True}
    yield run("euler", TURBO, 1)
    yield run("lcm", SD15 | {"original_inference_steps": 20, "timestep_scaling": 0.01}, 7)
    yield run("lcm", SD15 | clip, 3)
    for order in (1, 2, 3):
        for solver in ("bh1", "bh2"):
            for clean in (True, False):
                settings = {"solver_order": order, "solver_type": solver, "predict_x0": clean}
                yield run("unipc", SD15 | settings | {"final_sigmas_type": "sigma_min"}, 6)
    yield run("unipc", SD15 | {"solver_order": 3, "disable_corrector": [0, 2]}, 6)
    yield run("unipc", SD21 | {"use_karras_sigmas": True, "final_sigmas_type": "sigma_min", "sigma_min": 0.1}, 6)
    yield run("unipc", SD15 | more, 6)


def main():
    out = {
        "made_with": f"diffusers {diffusers.__version__}, torch {torch.__version__}",
        "shape": SHAPE,
        "initial": numbers(INITIAL, 9),
        "noise": [numbers(noise, 9) for noise in NOISE],
        "configs": CONFIGS,
        "cases": list(cases()),
    }
    path = pathlib.Path(__file__).parents[2] / "golden" / "schedulers.json"
    lines = json.dumps(out, separators=(",", ":")).replace('{"scheduler"', '\n{"scheduler"')
    path.write_text(lines + "\n")
    print(f"{len(out['cases'])} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
