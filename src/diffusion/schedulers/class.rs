//! The algorithms, by the name a user types and by the name of their Diffusers class.

use super::{NAMES, SchedulerError};

/// One of the algorithms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Ddim,
    Ddpm,
    Pndm,
    Euler,
    EulerAncestral,
    DpmSolver,
    Heun,
    Lms,
    Lcm,
    UniPc,
}

impl Class {
    /// In the order of [`NAMES`], with the name of the class in Diffusers.
    const ALL: [(Self, &'static str); 10] = [
        (Self::Ddim, "DDIMScheduler"),
        (Self::Ddpm, "DDPMScheduler"),
        (Self::Pndm, "PNDMScheduler"),
        (Self::Euler, "EulerDiscreteScheduler"),
        (Self::EulerAncestral, "EulerAncestralDiscreteScheduler"),
        (Self::DpmSolver, "DPMSolverMultistepScheduler"),
        (Self::Heun, "HeunDiscreteScheduler"),
        (Self::Lms, "LMSDiscreteScheduler"),
        (Self::Lcm, "LCMScheduler"),
        (Self::UniPc, "UniPCMultistepScheduler"),
    ];

    pub(super) fn named(name: &str) -> Result<Self, SchedulerError> {
        match NAMES.iter().position(|known| *known == name) {
            Some(index) => Ok(Self::ALL[index].0),
            None => Err(SchedulerError::UnknownScheduler {
                name: name.to_owned(),
                known: NAMES.join(", "),
            }),
        }
    }

    pub(super) fn of_diffusers(class: &str, file: &str) -> Result<Self, SchedulerError> {
        match Self::ALL.iter().find(|(_, known)| *known == class) {
            Some((class, _)) => Ok(*class),
            None => Err(SchedulerError::UnknownClass {
                file: file.to_owned(),
                class: class.to_owned(),
                known: NAMES.join(", "),
            }),
        }
    }

    /// The name a user types.
    pub(super) fn name(self) -> &'static str {
        NAMES[self as usize]
    }

    /// The name of the class in Diffusers.
    pub(super) fn of(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}
