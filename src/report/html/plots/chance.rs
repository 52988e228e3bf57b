//! What a random choice of images would hold.

/// The 95 % range of the share of mistakes among `k` images drawn at random of `n`, `mistakes` of which are wrong
/// (hypergeometric; the middle 95 % or a little more), lower end first.
pub(super) fn drawn_at_random(k: usize, n: usize, mistakes: usize) -> Option<(f64, f64)> {
    if k == 0 || k > n || mistakes > n {
        return None;
    }
    let right = n - mistakes;
    let least = k.saturating_sub(right);
    let most = k.min(mistakes);
    let all = ln_choose(n, k);
    let chance = |hits: usize| (ln_choose(mistakes, hits) + ln_choose(right, k - hits) - all).exp();
    let (mut below, mut low, mut high) = (0.0, None, most);
    for hits in least..=most {
        below += chance(hits);
        if low.is_none() && below > 0.025 {
            low = Some(hits);
        }
        if below >= 0.975 {
            high = hits;
            break;
        }
    }
    let share = |hits: usize| hits as f64 / k as f64;
    Some((share(low.unwrap_or(least)), share(high)))
}

/// The logarithm of the number of ways to draw `k` of `n`.
fn ln_choose(n: usize, k: usize) -> f64 {
    (0..k).map(|i| ((n - i) as f64 / (i + 1) as f64).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_range_is_that_of_the_hypergeometric_distribution() {
        // R: qhyper(c(0.025, 0.975), 30, 70, 10) is 1 and 6 (of 10); with few mistakes 0 and 1.
        assert_eq!(drawn_at_random(10, 100, 30), Some((0.1, 0.6)));
        assert_eq!(drawn_at_random(10, 1000, 2), Some((0.0, 0.0)));
        assert_eq!(drawn_at_random(5, 5, 2), Some((0.4, 0.4)));
        assert_eq!(drawn_at_random(6, 5, 2), None);
    }
}
