//! Is val mixed like a skewed train? Then the failure it shows is the skew's, seen dimly.
//!
//! In the reference's run on CelebA, flagged examples were of the minority in 90 % of cases with a balanced
//! val, and in 71 % with one as skewed as train: no more than among plain mistakes (`failure-directions`
//! at d484125, notebooks `celeba_age` and `other_val_splits`).
//!
//! The test is the same for groups within a class and for classes within the data. A part is *rare* in
//! train where its share is below a fraction of an even one. Val is mixed alike where the part's share in
//! val is nearer to train's than to an even share, and surely so: the upper end of its 95 % interval
//! (Wilson 1927) lies below the middle between the two.

use crate::direction::report::wilson;

/// A group is rare in its class below this fraction of an even share.
pub const RARE_GROUP: f64 = 0.5;

/// A class is rare in the data below this fraction of an even share. Classes of uneven size are the
/// rule, and each has a direction of its own, so only a strong skew counts.
pub const RARE_CLASS: f64 = 0.1;

/// How a part is mixed in train and val.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Its share of train.
    pub train: f64,
    /// Its share of val.
    pub val: f64,
    /// The upper end of the 95 % interval of that.
    pub val_high: f64,
    /// What every part would have if all were even.
    pub even: f64,
}

/// The mix of a part that is rare in train and as rare in val; `None` where val is not skewed alike.
///
/// `train` and `val` are `[the part's examples, all examples]`, `even` is the share it would have if all
/// parts were even, `fraction` one of [`RARE_GROUP`] and [`RARE_CLASS`].
pub fn skewed_alike(train: [usize; 2], val: [usize; 2], even: f64, fraction: f64) -> Option<Mix> {
    if train[1] == 0 || val[1] == 0 {
        return None;
    }
    let share = |[part, all]: [usize; 2]| part as f64 / all as f64;
    let mix = Mix {
        train: share(train),
        val: share(val),
        val_high: wilson(val[0], val[1]).1,
        even,
    };
    let rare = mix.train < fraction * even;
    (rare && mix.val_high < f64::midpoint(mix.train, even)).then_some(mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_val_as_skewed_as_train_is_told_from_a_balanced_and_from_a_small_one() {
        let test = |train, val| skewed_alike(train, val, 0.5, RARE_GROUP);
        // CelebA's 4 : 1 in both; the upper end for 40 of 200 is 0.261 (statsmodels), the middle 0.35.
        let mix = test([200, 1000], [40, 200]).unwrap();
        assert!((mix.val_high - 0.260_9).abs() < 1e-3, "{mix:?}");
        assert_eq!((mix.train, mix.val, mix.even), (0.2, 0.2, 0.5));
        assert_eq!(test([200, 1000], [100, 200]), None, "val is balanced");
        assert_eq!(test([200, 1000], [66, 200]), None, "too near the middle");
        assert_eq!(
            test([200, 1000], [2, 10]),
            None,
            "10 examples prove nothing"
        );
        assert_eq!(test([300, 1000], [60, 200]), None, "train is hardly skewed");
        assert_eq!(test([0, 0], [0, 0]), None);
    }

    #[test]
    fn uneven_classes_are_the_rule_and_a_strong_skew_is_not() {
        // Ten classes: even is 10 %, so rare is below 1 %.
        let test = |train, val| skewed_alike(train, val, 0.1, RARE_CLASS);
        assert_eq!(
            test([200, 10_000], [20, 1000]),
            None,
            "2 % is no strong skew"
        );
        assert!(test([50, 10_000], [5, 1000]).is_some());
        assert_eq!(test([50, 10_000], [100, 1000]), None, "val is balanced");
    }
}
