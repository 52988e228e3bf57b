//! How fast a stage goes, and when it will be done: in words that do not promise more than is known.

use std::time::Duration;

use indicatif::DecimalBytes;

/// Before so much time nothing is said of the end.
const EARLY: Duration = Duration::from_secs(3);

/// Before so many are done, or this share of all, neither.
const FEW: usize = 3;
const SHARE: f64 = 0.02;

/// Rate and remaining time, such as `2.41/s, about 3 min left`; of `fresh` done in this process in so much time, with
/// `left` to do. Empty where nothing is known yet.
pub(super) fn pace(fresh: usize, left: usize, elapsed: Duration, bytes: bool) -> String {
    let seconds = elapsed.as_secs_f64();
    if fresh == 0 || seconds <= 0.0 {
        return String::new();
    }
    let rate = fresh as f64 / seconds;
    let said = if bytes {
        format!("{}/s", DecimalBytes(rate as u64))
    } else {
        per_second(rate)
    };
    let few = !bytes && fresh < FEW || (fresh as f64) < SHARE * (fresh + left) as f64;
    if few || elapsed < EARLY || left == 0 {
        return said;
    }
    format!("{said}, about {} left", duration(left as f64 / rate))
}

/// Three digits; what takes more than a second is told by how long one takes.
fn per_second(rate: f64) -> String {
    match rate {
        r if r < 0.995 => format!("{} each", duration(1.0 / r)),
        r if r < 9.995 => format!("{r:.2}/s"),
        r if r < 99.95 => format!("{r:.1}/s"),
        r => format!("{r:.0}/s"),
    }
}

/// As a person says it.
fn duration(seconds: f64) -> String {
    const MINUTE: f64 = 60.0;
    const HOUR: f64 = 60.0 * MINUTE;
    const DAY: f64 = 24.0 * HOUR;
    match seconds {
        s if s < 9.95 => format!("{s:.1} s"),
        s if s < 1.5 * MINUTE => format!("{s:.0} s"),
        s if s < 1.5 * HOUR => format!("{:.0} min", s / MINUTE),
        s if s < 2.0 * DAY => format!("{:.1} h", s / HOUR),
        s => format!("{:.0} days", s / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_told_once_it_is_known() {
        let after =
            |fresh, left, seconds| pace(fresh, left, Duration::from_secs_f64(seconds), false);
        for (fresh, left, seconds, said) in [
            (0, 10, 50.0, ""),
            (2, 98, 50.0, "25 s each"),
            (3, 98, 2.0, "1.50/s"),
            (3, 997, 40.0, "13 s each"),
            (30, 970, 10.0, "3.00/s, about 5 min left"),
            (400, 400, 200.0, "2.00/s, about 3 min left"),
            (10, 30, 40.0, "4.0 s each, about 2 min left"),
            (3000, 3000, 4.0, "750/s, about 4.0 s left"),
            (10, 90, 86_400.0, "2.4 h each, about 9 days left"),
            (20, 0, 10.0, "2.00/s"),
        ] {
            assert_eq!(
                after(fresh, left, seconds),
                said,
                "{fresh} {left} {seconds}"
            );
        }
        let bytes = pace(50_000_000, 50_000_000, Duration::from_secs(10), true);
        assert_eq!(bytes, "5.00 MB/s, about 10 s left");
    }

    #[test]
    fn rates_have_three_digits() {
        let said = [0.001, 0.25, 0.99, 1.0, 9.99, 12.34, 128.657_8, 5000.0].map(per_second);
        let expected = [
            "17 min each",
            "4.0 s each",
            "1.0 s each",
            "1.00/s",
            "9.99/s",
            "12.3/s",
            "129/s",
            "5000/s",
        ];
        assert_eq!(said, expected);
    }
}
