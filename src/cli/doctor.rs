//! `hardlight doctor`: what this machine and libtorch can do.

use super::exit::ExitStatus;
use super::ui::Ui;

/// Print libtorch, devices and the number type that would be used.
///
/// Example: `hardlight doctor`
#[derive(Debug, clap::Args)]
pub(super) struct DoctorCommand {}

impl DoctorCommand {
    pub(super) fn run(self, ui: &mut Ui) -> ExitStatus {
        let Self {} = self;
        ui.say(format_args!("hardlight  {}", env!("CARGO_PKG_VERSION")));
        ui.say(format_args!("libtorch   2.11.0 (tch 0.24)"));
        ui.say(format_args!("threads    {}", tch::get_num_threads()));
        let cuda = tch::Cuda::is_available();
        ui.say(format_args!(
            "cuda       {} ({} devices)",
            cuda,
            tch::Cuda::device_count()
        ));
        ui.say(format_args!(
            "cudnn      {}",
            tch::Cuda::cudnn_is_available()
        ));
        ui.say(format_args!(
            "dtype      {}",
            if cuda { "fp16" } else { "fp32" }
        ));
        ExitStatus::Success
    }
}
