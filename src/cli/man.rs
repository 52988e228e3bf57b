//! `hardlight man`: the help texts as manual pages.

use std::path::PathBuf;

use clap_mangen::Man;

use super::exit::ExitStatus;
use super::ui::Ui;
use crate::io;
use crate::pipeline::Error;

/// Write manual pages: one for `hardlight` and one for each command.
///
/// Example: `hardlight man --out ~/.local/share/man/man1`, then `man hardlight-run`
#[derive(Debug, clap::Args)]
pub(super) struct ManCommand {
    /// Output folder; existing pages are replaced. Without it the first page is printed.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A page as `man` reads it.
struct Page {
    file: String,
    roff: Vec<u8>,
}

impl ManCommand {
    pub(super) fn run(self, ui: &mut Ui) -> Result<ExitStatus, Error> {
        let Self { out } = self;
        let pages = pages();
        let Some(folder) = out else {
            let first = String::from_utf8_lossy(&pages[0].roff);
            // A closed pipe is the reader's way of saying enough.
            Ui::lines([first.trim_end().to_owned()]);
            return Ok(ExitStatus::Success);
        };
        io::create_dir_all(&folder)?;
        for page in &pages {
            io::write_atomic(&folder.join(&page.file), &page.roff)?;
        }
        let (count, folder) = (pages.len(), folder.display());
        ui.info(format_args!("wrote {count} pages to {folder}"));
        Ok(ExitStatus::Success)
    }
}

/// The page of `hardlight` itself, then those of its commands.
fn pages() -> Vec<Page> {
    let mut whole = super::command().disable_help_subcommand(true);
    // Global options and names such as `hardlight-run` reach the commands by this.
    whole.build();
    let commands: Vec<_> = whole.get_subcommands().cloned().collect();
    std::iter::once(whole).chain(commands).map(page).collect()
}

fn page(command: clap::Command) -> Page {
    let man = Man::new(command);
    let mut roff = Vec::new();
    // A `Vec` takes whatever is written to it.
    let _ = man.render(&mut roff);
    let file = man.get_filename();
    Page { file, roff }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_is_named_on_the_first() {
        let pages = pages();
        let first = String::from_utf8(pages[0].roff.clone()).unwrap();
        assert_eq!(pages[0].file, "hardlight.1");
        for command in crate::cli::command().get_subcommands() {
            let name = command.get_name();
            // A hyphen is `\-` in roff.
            assert!(first.contains(&format!("hardlight\\-{name}(1)")), "{name}");
            let file = format!("hardlight-{name}.1");
            let page = pages.iter().find(|page| page.file == file);
            let page = String::from_utf8(page.unwrap().roff.clone()).unwrap();
            for option in command.get_arguments().filter_map(|arg| arg.get_long()) {
                let option = option.replace('-', "\\-");
                assert!(page.contains(&option), "no {option} in {file}");
            }
        }
    }
}
