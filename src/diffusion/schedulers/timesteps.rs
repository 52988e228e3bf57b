//! Which timesteps of the training a run visits.

use super::{Reader, SchedulerError};

/// Where the timesteps lie in the training range: Lin et al. 2024, table 2
/// (<https://arxiv.org/abs/2305.08891>).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spacing {
    Leading,
    Trailing,
    Linspace,
}

impl Spacing {
    pub(super) const WORDS: [(&str, Self); 3] = [
        ("leading", Self::Leading),
        ("trailing", Self::Trailing),
        ("linspace", Self::Linspace),
    ];
}

/// The rule by which a run chooses its timesteps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Timesteps {
    /// Timesteps of the training.
    pub(super) train: usize,
    pub(super) spacing: Spacing,
    /// Added to every timestep at `leading` spacing; 0 at the others, which do not read it.
    pub(super) offset: usize,
}

impl Timesteps {
    /// `num_train_timesteps`, `timestep_spacing` and `steps_offset`.
    pub(super) fn read(reader: &mut Reader<'_>, default: Spacing) -> Result<Self, SchedulerError> {
        let train = reader.train_timesteps()?;
        let spacing = reader.choice("timestep_spacing", default, &Spacing::WORDS)?;
        let offset = match spacing {
            Spacing::Leading => reader.count(
                "steps_offset",
                0,
                "a whole number below `num_train_timesteps`",
                0..=train - 1,
            )?,
            Spacing::Trailing | Spacing::Linspace => 0,
        };
        Ok(Self {
            train,
            spacing,
            offset,
        })
    }

    /// Whole timesteps of a run, decreasing, before any repetition by the solver.
    ///
    /// # Errors
    ///
    /// [`SchedulerError::LinspaceOneStep`], and [`SchedulerError::TimestepOutOfRange`] if the first
    /// is beyond the training range.
    pub(super) fn whole(&self, steps: usize) -> Result<Vec<f64>, SchedulerError> {
        self.of(steps, f64::round_ties_even)
    }

    /// Timesteps of a run, decreasing, between whole ones where the spacing puts them there.
    ///
    /// # Errors
    ///
    /// As [`Self::whole`].
    pub(super) fn fractional(&self, steps: usize) -> Result<Vec<f64>, SchedulerError> {
        self.of(steps, |time| f64::from(time as f32))
    }

    fn of(&self, steps: usize, round: fn(f64) -> f64) -> Result<Vec<f64>, SchedulerError> {
        let times = match self.spacing {
            Spacing::Linspace if steps == 1 => return Err(SchedulerError::LinspaceOneStep),
            Spacing::Linspace => linspace(0.0, (self.train - 1) as f64, steps)
                .into_iter()
                .rev()
                .map(round)
                .collect(),
            Spacing::Leading => leading(self.stride(steps), steps, self.offset),
            Spacing::Trailing => trailing(self.train, self.train as f64 / steps as f64, steps),
        };
        self.in_range(times, steps)
    }

    /// The distance between timesteps at `leading` spacing, rounded down.
    pub(super) fn stride(&self, steps: usize) -> usize {
        self.train / steps
    }

    /// Timesteps that are known to lie within the training range.
    pub(super) fn in_range(
        &self,
        times: Vec<f64>,
        steps: usize,
    ) -> Result<Vec<f64>, SchedulerError> {
        let last = self.train - 1;
        match times.first() {
            Some(&timestep) if timestep > last as f64 => Err(SchedulerError::TimestepOutOfRange {
                steps,
                offset: self.offset,
                timestep,
                last,
            }),
            _ => Ok(times),
        }
    }
}

/// `count` numbers from `start` to `end`, both included, as `numpy.linspace` gives them.
pub(super) fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    let step = (end - start) / (count.max(2) - 1) as f64;
    (0..count)
        .map(|i| {
            if i > 0 && i + 1 == count {
                end
            } else {
                start + step * i as f64
            }
        })
        .collect()
}

/// `steps` multiples of `ratio`, moved by `offset`, decreasing.
pub(super) fn leading(ratio: usize, steps: usize, offset: usize) -> Vec<f64> {
    (0..steps)
        .rev()
        .map(|i| (i * ratio + offset) as f64)
        .collect()
}

/// At most `steps` timesteps down from `from − 1` in strides of `ratio`.
pub(super) fn trailing(from: usize, ratio: f64, steps: usize) -> Vec<f64> {
    (0..steps)
        .map(|i| (from as f64 - ratio * i as f64).round_ties_even() - 1.0)
        .take_while(|time| *time >= 0.0)
        .collect()
}
