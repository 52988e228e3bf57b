//! The small binary, which starts without libtorch, and the engine that it becomes.

use std::fs;
use std::process::Command;

use crate::common::Work;

const SMALL: &str = env!("CARGO_BIN_EXE_hardlight");
const ENGINE: &str = env!("CARGO_BIN_EXE_hardlight-engine");

/// The loader maps libraries by the names in the file, before `main`. With a linker other than lld both are linked
/// (`build.rs` says why).
#[test]
fn only_the_engine_is_linked_with_libtorch() {
    if option_env!("HARDLIGHT_STARTS_WITHOUT_TORCH").is_none() {
        return;
    }
    let names = |binary: &str| {
        let bytes = fs::read(binary).unwrap();
        let name = b"\0libtorch_cpu.so\0";
        bytes.windows(name.len()).any(|window| window == name)
    };
    assert!(names(ENGINE) && !names(SMALL));
}

#[test]
fn without_the_engine_help_is_printed_and_what_lacks_is_named() {
    let work = Work::empty();
    let alone = work.path("hardlight");
    fs::copy(SMALL, &alone).unwrap();
    let run = |arguments: &[&str], engine: Option<&str>| {
        let mut command = Command::new(&alone);
        command.args(arguments).current_dir(work.root());
        if let Some(engine) = engine {
            command.env("HARDLIGHT_ENGINE", engine);
        }
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, out, _) = run(&["run", "--help"], None);
    assert!(code == Some(0) && out.contains("--predictions"), "{out}");
    let (code, out, _) = run(&["init"], None);
    assert!(code == Some(0) && out.contains("[generate]"), "{out}");
    assert_eq!(run(&["run", "--nonsense"], None).0, Some(2));
    let (code, _, said) = run(&["score", "absent", "a.png"], None);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("hardlight-engine") && said.contains("both files"),
        "{said}"
    );
    let (code, _, said) = run(&["score", "absent", "a.png"], Some(ENGINE));
    assert!(code == Some(3) && said.contains("absent"), "{said}");
}
