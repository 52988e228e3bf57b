//! Links libtorch so that the binaries start anywhere: an rpath to its folder, and CUDA kept.
//!
//! `torch-sys` finds libtorch (`LIBTORCH`, or the `torch` package of the first `python3` on `PATH`
//! with `LIBTORCH_USE_PYTORCH=1`; the `Makefile` sets the latter) and hands its folder on as
//! `DEP_TCH_LIBTORCH_LIB`.

use std::{env, path::Path};

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") else {
        println!("cargo:warning=libtorch's folder is unknown: the binary may need LD_LIBRARY_PATH");
        return;
    };
    if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        // Nothing refers to libtorch_cuda by symbol: it registers its kernels when it is loaded.
        // Without this the linker drops it and `tch::Cuda::is_available()` is false everywhere. Not in the
        // binary that starts without libtorch.
        if Path::new(&lib).join("libtorch_cuda.so").exists() {
            for to in ["bin=hardlight-engine", "tests", "examples"] {
                for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"] {
                    println!("cargo:rustc-link-arg-{to}={argument}");
                }
            }
        }
    } else if env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("macos") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
