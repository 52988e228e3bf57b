//! Student's distribution: two-sided p-values and quantiles.
//!
//! By the regularised incomplete beta function, whose continued fraction is that of Lentz (Press et al.,
//! Numerical Recipes, section 6.4).

/// The two-sided p-value of `t` with `df` degrees of freedom, which may be infinite or no whole number.
pub(super) fn p_value(t: f64, df: f64) -> f64 {
    // Beyond this the normal distribution is as near as rounding.
    let df = df.min(1e7);
    beta(df / (df + t * t), df / 2.0, 0.5)
}

/// The `t` whose two-sided p-value is `p`.
pub(super) fn quantile(p: f64, df: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while p_value(high, df) > p && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if p_value(middle, df) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The 95 % interval of a mean over `n` draws whose standard deviation (divisor n − 1) is `sd`, lower end first;
/// none of a single draw.
pub fn mean_interval(mean: f64, sd: f64, n: u64) -> Option<(f64, f64)> {
    let df = n.checked_sub(1).filter(|&df| df > 0)? as f64;
    let half = quantile(0.05, df) * sd / (n as f64).sqrt();
    (mean.is_finite() && half.is_finite()).then_some((mean - half, mean + half))
}

/// The regularised incomplete beta function `I_x(a, b)`.
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    let front =
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * fraction(x, a, b) / a
    } else {
        1.0 - front * fraction(1.0 - x, b, a) / b
    }
}

fn fraction(x: f64, a: f64, b: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let mut step = 1.0;
        for term in [even, odd] {
            d = 1.0 / away(1.0 + term * d);
            c = away(1.0 + term / c);
            step = c * d;
            value *= step;
        }
        if (step - 1.0).abs() < 1e-15 {
            break;
        }
    }
    value
}

/// Lanczos's approximation, to 15 digits (g = 7, 9 terms).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    let x = x - 1.0;
    let mut sum = 0.999_999_999_999_809_9;
    for (i, term) in TERMS.iter().enumerate() {
        sum += term / (x + i as f64 + 1.0);
    }
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tables of Student's distribution: 2.5 % above.
    #[test]
    fn a_mean_of_five_has_the_interval_of_four_degrees_of_freedom() {
        let (low, high) = mean_interval(10.0, 2.0, 5).unwrap();
        let half = 2.776_445 * 2.0 / 5.0_f64.sqrt();
        assert!((low - (10.0 - half)).abs() < 1e-5 && (high - (10.0 + half)).abs() < 1e-5);
        assert_eq!(mean_interval(10.0, 2.0, 1), None);
    }

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (df, t) in [
            (1.0, 12.706_205),
            (2.0, 4.302_653),
            (4.0, 2.776_445),
            (10.0, 2.228_139),
            (30.0, 2.042_272),
            (f64::INFINITY, 1.959_964),
        ] {
            let got = quantile(0.05, df);
            assert!((got - t).abs() < 2e-6 * t, "{df}: {got}");
            assert!((p_value(got, df) - 0.05).abs() < 1e-9);
        }
        assert_eq!(p_value(0.0, 5.0), 1.0);
        assert!(p_value(50.0, 3.0) < 1e-4);
    }
}
