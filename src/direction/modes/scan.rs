//! Where mistakes gather: the candidate that stands out most, and whether that is more than chance.

use rand::seq::SliceRandom;

use super::SearchOptions;
use super::candidates::distinct;
use super::options::DEALINGS;

/// Dealings that are summed at once: each row of a block is a few cache lines.
const BLOCK: usize = 64;

/// Rounding of sums: scores that are closer are equal.
const EQUAL: f64 = 1e-9;

/// The candidates among the units that are left, and how far each stands out.
#[derive(Debug, Clone, PartialEq)]
pub struct Scan {
    /// The units of each, ascending; largest first.
    pub candidates: Vec<Vec<usize>>,
    /// How far each stands out among the units that are left.
    pub z: Vec<f64>,
    /// The largest z over all candidates of every dealing that was made.
    dealt: Vec<f64>,
    pool: Pool,
}

/// Scans the units that are `left` once; `round` numbers the draws.
///
/// The result is the scan with the candidate that stands out most, if that is significant.
///
/// # Shapes
///
/// `wrong` and `left` `[units]`; `candidates` index them.
pub fn scan(
    wrong: &[f64],
    left: &[bool],
    candidates: &[Vec<usize>],
    round: usize,
    options: &SearchOptions,
) -> Option<(Scan, usize)> {
    let restricted = candidates.iter().map(|units| {
        let of_left = units.iter().copied().filter(|&unit| left[unit]);
        of_left.collect::<Vec<usize>>()
    });
    let large = restricted.filter(|units| units.len() >= options.min_size);
    let candidates = distinct(large.collect());
    let pool = Pool::new(wrong, left)?;
    let scales: Vec<f64> = candidates.iter().map(|c| pool.scale(c.len())).collect();
    let scored = candidates.iter().zip(&scales);
    let z: Vec<f64> = scored
        .map(|(units, scale)| pool.excess_of(units) * scale)
        .collect();
    let mut best: Option<(usize, f64)> = None;
    for (at, &z) in z.iter().enumerate() {
        if best.map_or(z > 0.0, |(_, most)| z > most + EQUAL) {
            best = Some((at, z));
        }
    }
    let (at, most) = best?;
    let dealt = pool.deal(&candidates, &scales, most, round, options);
    let scan = Scan {
        candidates,
        z,
        dealt,
        pool,
    };
    (scan.p(at, options) < options.level).then_some((scan, at))
}

impl Scan {
    /// The p-value of candidate `at`.
    pub fn p(&self, at: usize, options: &SearchOptions) -> f64 {
        self.as_good(self.z[at], options)
    }

    /// The p-value of a part of what is left, as if it were a candidate.
    pub fn p_of(&self, units: &[usize], options: &SearchOptions) -> f64 {
        let z = self.pool.excess_of(units) * self.pool.scale(units.len());
        self.as_good(z, options)
    }

    /// The share of dealings whose largest z is at least this.
    ///
    /// Sequential: after `enough` of them, at draw `l`, the p-value is `enough / l`; otherwise
    /// `(1 + as good) / (1 + draws)` (Besag and Clifford 1991, "Sequential Monte Carlo p-values"). Being held
    /// against the maximum over all candidates, it is adjusted for their number.
    fn as_good(&self, z: f64, options: &SearchOptions) -> f64 {
        let mut as_good = 0;
        for (drawn, most) in self.dealt.iter().enumerate() {
            as_good += usize::from(*most >= z - EQUAL);
            if as_good == options.enough {
                return as_good as f64 / (drawn + 1) as f64;
            }
        }
        (1 + as_good) as f64 / (1 + self.dealt.len()) as f64
    }
}

/// How far the mistakes of some units stand out from those of all.
///
/// ```text
/// z = (S − s ȳ) / (σ √(s (N − s) / (N − 1)))
/// ```
///
/// with `S` the sum over `s` of the `N` units, `ȳ` and `σ` (divisor `N`) mean and deviation of all. `S` of
/// a random choice has exactly this mean and deviation; where outcomes are 0 or 1 it is hypergeometric. 0 where
/// outcomes do not vary.
pub fn z(wrong: &[f64], units: &[usize]) -> f64 {
    let Some(pool) = Pool::new(wrong, &vec![true; wrong.len()]) else {
        return 0.0;
    };
    pool.excess_of(units) * pool.scale(units.len())
}

/// The units that are left and how their outcomes vary.
#[derive(Debug, Clone, PartialEq)]
struct Pool {
    /// The units, ascending.
    units: Vec<usize>,
    /// Share of wrong images of every unit of the class, less the mean of those left.
    excess: Vec<f64>,
    /// Deviation of those left, divisor `N`.
    deviation: f64,
}

impl Pool {
    /// `None` if outcomes do not vary.
    fn new(wrong: &[f64], left: &[bool]) -> Option<Self> {
        let units: Vec<usize> = (0..wrong.len()).filter(|&unit| left[unit]).collect();
        let n = units.len() as f64;
        let mean = units.iter().map(|&u| wrong[u]).sum::<f64>() / n;
        let excess: Vec<f64> = wrong.iter().map(|share| share - mean).collect();
        let variance = units.iter().map(|&u| excess[u] * excess[u]).sum::<f64>() / n;
        (variance > EQUAL).then(|| Self {
            units,
            excess,
            deviation: variance.sqrt(),
        })
    }

    /// What turns the summed excess of `size` units into a z; 0 for all units, whose sum cannot vary.
    fn scale(&self, size: usize) -> f64 {
        let (n, s) = (self.units.len() as f64, size as f64);
        let variance = s * (n - s) / (n - 1.0);
        if variance > 0.0 {
            1.0 / (self.deviation * variance.sqrt())
        } else {
            0.0
        }
    }

    fn excess_of(&self, units: &[usize]) -> f64 {
        units.iter().map(|&unit| self.excess[unit]).sum()
    }

    /// The largest z of dealing after dealing, until `enough` are at least `z`: a class with nothing in it costs a
    /// few dozen.
    fn deal(
        &self,
        candidates: &[Vec<usize>],
        scales: &[f64],
        z: f64,
        round: usize,
        options: &SearchOptions,
    ) -> Vec<f64> {
        let mut rng = options.rng(DEALINGS, round);
        let mut hand: Vec<f64> = self.units.iter().map(|&u| self.excess[u]).collect();
        let mut block = vec![[0.0; BLOCK]; self.excess.len()];
        let mut dealt = Vec::new();
        let mut as_good = 0;
        while dealt.len() < options.permutations {
            let draws = BLOCK.min(options.permutations - dealt.len());
            for draw in 0..draws {
                hand.shuffle(&mut rng);
                self.lay(&hand, draw, &mut block);
            }
            for &most in &largest(&block, candidates, scales)[..draws] {
                dealt.push(most);
                as_good += usize::from(most >= z - EQUAL);
                if as_good == options.enough {
                    return dealt;
                }
            }
        }
        dealt
    }

    /// Writes one dealing, an excess for each of the units left, into its place of a block.
    fn lay(&self, hand: &[f64], draw: usize, block: &mut [[f64; BLOCK]]) {
        for (&unit, &excess) in self.units.iter().zip(hand) {
            block[unit][draw] = excess;
        }
    }
}

/// The largest z over all candidates in each dealing of a block: the product of memberships
/// `[candidates, units]`, which are sparse, and `dealt` `[units, BLOCK]`.
fn largest(dealt: &[[f64; BLOCK]], candidates: &[Vec<usize>], scales: &[f64]) -> [f64; BLOCK] {
    let mut most = [f64::NEG_INFINITY; BLOCK];
    for (units, scale) in candidates.iter().zip(scales) {
        let mut sums = [0.0; BLOCK];
        for &unit in units {
            for (sum, excess) in sums.iter_mut().zip(&dealt[unit]) {
                *sum += excess;
            }
        }
        for (most, sum) in most.iter_mut().zip(sums) {
            *most = most.max(sum * scale);
        }
    }
    most
}
