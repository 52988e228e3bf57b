//! Links libtorch so that the binaries start anywhere: an rpath to its folder, CUDA kept in what computes, and nothing
//! of libtorch in `hardlight`, which starts at once for it.
//!
//! `torch-sys` finds libtorch (`LIBTORCH`, or the `torch` package of the first `python3` on `PATH`
//! with `LIBTORCH_USE_PYTORCH=1`; the `Makefile` sets the latter) and hands its folder on as
//! `DEP_TCH_LIBTORCH_LIB`.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=DEP_TCH_LIBTORCH_LIB");
    if env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    let Ok(lib) = env::var("DEP_TCH_LIBTORCH_LIB") else {
        println!("cargo:warning=libtorch's folder is unknown: the binary may need LD_LIBRARY_PATH");
        return;
    };
    match env::var("CARGO_CFG_TARGET_OS").as_deref() {
        Ok("linux") => {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
            keep_cuda(Path::new(&lib));
            if links_with_lld() {
                leave_torch_out();
            }
        }
        Ok("macos") => println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}"),
        _ => {}
    }
}

/// Nothing refers to `libtorch_cuda` by symbol: it registers its kernels when it is loaded. Without this the linker
/// drops it and `tch::Cuda::is_available()` is false everywhere.
fn keep_cuda(lib: &Path) {
    if lib.join("libtorch_cuda.so").exists() {
        for to in ["bin=hardlight-engine", "tests", "examples"] {
            for argument in ["-Wl,--no-as-needed", "-ltorch_cuda", "-Wl,--as-needed"] {
                println!("cargo:rustc-link-arg-{to}={argument}");
            }
        }
    }
}

/// Takes torch-sys's C++ out of the link of `hardlight`, which calls none of it. Its static constructors would keep
/// libtorch a library that the binary needs; without them nothing asks for it. A call would be an undefined symbol,
/// which the linker refuses.
fn leave_torch_out() {
    let argument = "-Wl,--remap-inputs=*libtorch_sys*=/dev/null";
    println!("cargo:rustc-link-arg-bin=hardlight={argument}");
    // For tests/command/start.rs.
    println!("cargo:rustc-env=HARDLIGHT_STARTS_WITHOUT_TORCH=1");
}

/// Whether the linker is lld, which alone knows `--remap-inputs`: rustc's own choice on this platform since 1.90,
/// unless it is told another. With another linker all works too, and `hardlight` takes a second to start.
fn links_with_lld() -> bool {
    let is = |name: &str, value: &str| env::var(name).as_deref() == Ok(value);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let told = env::var_os("RUSTC_LINKER").is_some()
        || ["linker", "fuse-ld", "link-self-contained"]
            .iter()
            .any(|flag| flags.contains(flag));
    is("CARGO_CFG_TARGET_ARCH", "x86_64")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
        && is("CARGO_CFG_TARGET_VENDOR", "unknown")
        && !told
        && minor_version_of_rustc().is_some_and(|minor| minor >= 90)
}

/// The 95 of `rustc 1.95.0 (…)`.
fn minor_version_of_rustc() -> Option<u32> {
    let output = Command::new(env::var_os("RUSTC")?)
        .arg("--version")
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.split_whitespace()
        .nth(1)?
        .split('.')
        .nth(1)?
        .parse()
        .ok()
}
