//! The arithmetic of the measures: percentiles and a straight line through points.

/// The value below which `share` (0 to 1) of the values lie, by the nearest rank; none without values.
pub(crate) fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let rank = (share * count(sorted.len())).ceil().max(1.0) - 1.0;
    // A rank is a whole number from 0 to the last place.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank is small and whole")]
    sorted.get((rank as usize).min(last)).copied()
}

/// The middle value by the nearest rank.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 0.5)
}

/// The mean.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / count(values.len()))
}

/// A straight line `base + slope × x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    /// Its value at 0.
    pub(crate) base: f64,
    /// What one step adds.
    pub(crate) slope: f64,
    /// The largest distance of a point from the line, as a share of the line's value there.
    pub(crate) worst: f64,
}

/// The line with the least sum of squared *relative* distances: on it a small point weighs as much as a large one.
/// None for fewer than two different x, or where a value is not positive.
pub(crate) fn line(points: &[(f64, f64)]) -> Option<Line> {
    if points.iter().any(|(_, y)| *y <= 0.0) {
        return None;
    }
    let sum = |term: fn(f64, f64) -> f64| points.iter().map(|(x, y)| term(*x, *y)).sum::<f64>();
    let (weights, x, xx) = (sum(|_, y| 1.0 / (y * y)), sum(|x, y| x / (y * y)), sum(|x, y| x * x / (y * y)));
    let (y, xy) = (sum(|_, y| 1.0 / y), sum(|x, y| x / y));
    let determinant = weights * xx - x * x;
    if determinant.abs() <= f64::EPSILON * weights * xx {
        return None;
    }
    let (base, slope) = ((y * xx - x * xy) / determinant, (weights * xy - x * y) / determinant);
    let distance = |(x, y): &(f64, f64)| {
        let on_line = base + slope * x;
        ((y - on_line) / on_line).abs()
    };
    Some(Line { base, slope, worst: points.iter().map(distance).fold(0.0, f64::max) })
}

/// A number of things as a float; none of ours come near the 2^52 where that loses anything.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub(crate) fn count(number: usize) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values = [4.0, 1.0, 3.0, 2.0];

        for (share, expect) in [(0.0, 1.0), (0.25, 1.0), (0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0)] {
            assert_eq!(percentile(&values, share), Some(expect), "at {share}");
        }
        assert_eq!(percentile(&[], 0.5), None);
        assert_eq!(mean(&values), Some(2.5));
    }

    #[test]
    fn points_on_a_line_give_the_line_back() {
        let points = [1.0, 10.0, 100.0, 500.0].map(|x| (x, 30.0 + 7.0 * x));

        let line = line(&points).expect("a line");

        assert!((line.base - 30.0).abs() < 1e-9, "{line:?}");
        assert!((line.slope - 7.0).abs() < 1e-9, "{line:?}");
        assert!(line.worst < 1e-9, "{line:?}");
    }

    #[test]
    fn a_curve_is_told_from_a_line() {
        let points = [1.0_f64, 10.0, 100.0, 500.0].map(|x| (x, 30.0 + 7.0 * x + x * x / 50.0));

        let line = line(&points).expect("a line");

        assert!(line.worst > 0.2, "{line:?}");
    }

    #[test]
    fn too_little_makes_no_line() {
        for points in [&[][..], &[(1.0, 2.0)], &[(1.0, 2.0), (1.0, 3.0)], &[(1.0, 2.0), (2.0, 0.0)]] {
            assert_eq!(line(points), None, "{points:?}");
        }
    }
}
