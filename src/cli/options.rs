//! The flags of every command that works on a run; those that override a setting stand beside it, in
//! `pipeline/settings/`.

use std::path::PathBuf;

use crate::pipeline::settings::{
    CaptionsFlags, CheckedSettings, DataFlags, EmbedFlags, FilterFlags, GenerateFlags, Settings,
    SettingsError,
};

/// Flags of every command that works on a run folder.
#[derive(Debug, clap::Args)]
pub(super) struct RunOptions {
    /// Run folder: everything is written here, and the same command continues an interrupted run.
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Start again: move an earlier run in --out to former/N, and keep its embeddings.
    #[arg(long)]
    pub(super) force_new: bool,

    #[command(flatten)]
    pub(super) settings: SettingOptions,
}

/// Flags that override settings.
#[derive(Debug, clap::Args)]
pub(super) struct SettingOptions {
    /// Settings file; `hardlight init` writes one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Set any setting, as `section.key=value`; may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    assignments: Vec<String>,

    /// Random seed [default: 0].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    #[command(flatten, next_help_heading = "Data and classifier")]
    data: DataFlags,

    #[command(flatten, next_help_heading = "Embedding space")]
    embed: EmbedFlags,

    #[command(flatten, next_help_heading = "Captions")]
    captions: CaptionsFlags,

    #[command(flatten, next_help_heading = "Generation")]
    generate: GenerateFlags,

    #[command(flatten, next_help_heading = "Filters")]
    filter: FilterFlags,
}

impl RunOptions {
    /// The folder, whether to start anew, and the settings with the flags applied.
    pub(super) fn settings(self) -> Result<(PathBuf, bool, CheckedSettings), SettingsError> {
        Ok((self.out, self.force_new, self.settings.settings()?))
    }
}

impl SettingOptions {
    /// The settings with the flags applied.
    pub(super) fn settings(self) -> Result<CheckedSettings, SettingsError> {
        let Self {
            config,
            assignments,
            data,
            embed,
            captions,
            generate,
            filter,
            seed,
        } = self;
        let mut settings = Settings::read(config.as_deref(), &assignments)?;
        data.put(&mut settings.data);
        embed.put(&mut settings.embed);
        captions.put(&mut settings.captions);
        generate.put(&mut settings.generate, settings.captions.per_class);
        filter.put(&mut settings.filter);
        settings.seed = seed.unwrap_or(settings.seed);
        settings.check()
    }
}
