//! `hardlight completions` and `hardlight man`: what is for shells and for `man`, without a model or a data set.

use hardlight::cli;

use crate::common::{Work, files};

#[test]
fn a_script_for_a_shell_names_every_command() {
    let work = Work::empty();
    let ran = work.hardlight(["completions", "bash"]).run().exits(0);
    for command in cli::command().get_subcommands() {
        assert!(ran.stdout.contains(command.get_name()), "{ran}");
    }
    assert_eq!(ran.stderr, "");
    work.hardlight(["completions", "cmd.exe"])
        .run()
        .exits(2)
        .complains(&["invalid value 'cmd.exe'", "bash, elvish, fish"]);
    assert_eq!(files(work.root()).len(), 0);
}

#[test]
fn the_manual_has_a_page_for_every_command() {
    let work = Work::empty();
    work.hardlight(["man"])
        .run()
        .exits(0)
        .says(&[".TH hardlight 1"]);
    work.hardlight(["man", "--out", "man/man1"]).run().exits(0);
    let mut wanted: Vec<String> = cli::command()
        .get_subcommands()
        .map(|command| format!("hardlight-{}.1", command.get_name()))
        .chain(["hardlight.1".to_owned()])
        .collect();
    wanted.sort();
    let written: Vec<String> = files(&work.path("man/man1")).into_keys().collect();
    assert_eq!(written, wanted);
    // Again, as after an update.
    work.hardlight(["man", "--out", "man/man1"]).run().exits(0);
}
