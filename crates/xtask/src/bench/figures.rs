//! The arithmetic of the measurements: medians, ratios of pairs, and how a time grows.

/// What one run of a tool cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cost {
    /// Seconds from the start of the process to its end, by the monotonic clock.
    pub(super) wall: f64,
    /// Seconds that its threads ran, in user space and in the kernel.
    pub(super) cpu: f64,
    /// The most memory that was resident, in bytes.
    pub(super) peak: f64,
}

/// One run of each side, immediately after each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct CostPair {
    pub(super) ours: Cost,
    pub(super) theirs: Cost,
}

/// The same quantity of both sides, summed up over all pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    /// The median of ours.
    pub(super) ours: f64,
    /// The median of theirs.
    pub(super) theirs: f64,
    /// The median of the pairs' ratios: what slows the machine down for a while slows both runs of a pair.
    pub(super) ratio: f64,
    /// The ratios' lower and upper quartile, which show how noisy the machine was.
    pub(super) quartiles: (f64, f64),
}

impl Summary {
    /// Sums up one quantity of the pairs; `None` without a pair.
    pub(super) fn of(pairs: &[CostPair], quantity: impl Fn(&Cost) -> f64) -> Option<Summary> {
        let column = |side: fn(&CostPair) -> &Cost| pairs.iter().map(|pair| quantity(side(pair))).collect();
        let (ours, theirs): (Vec<f64>, Vec<f64>) = (column(|pair| &pair.ours), column(|pair| &pair.theirs));
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
        Some(Summary {
            ours: quantile(&ours, 0.5)?,
            theirs: quantile(&theirs, 0.5)?,
            ratio: quantile(&ratios, 0.5)?,
            quartiles: (quantile(&ratios, 0.25)?, quantile(&ratios, 0.75)?),
        })
    }
}

/// A quantile of the values, interpolated between two of them. 0.5 is the median.
pub(super) fn quantile(values: &[f64], part: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = part * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

/// A straight line, fitted to points by least squares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct FittedLine {
    /// The slope.
    pub(super) slope: f64,
    /// The value at zero.
    pub(super) start: f64,
    /// R²: 1 if all points are on the line.
    pub(super) fit: f64,
}

impl FittedLine {
    /// The line that fits the points best; `None` unless the points have at least two different positions.
    pub(super) fn through(points: &[(f64, f64)]) -> Option<FittedLine> {
        let count = points.len() as f64;
        let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let sum = |product: fn(f64, f64) -> f64| -> f64 {
            points.iter().map(|point| product(point.0 - x, point.1 - y)).sum()
        };
        let (xx, xy, yy) = (sum(|x, _| x * x), sum(|x, y| x * y), sum(|_, y| y * y));
        if points.is_empty() || xx == 0.0 {
            return None;
        }
        let slope = xy / xx;
        let fit = if yy == 0.0 { 1.0 } else { xy * xy / (xx * yy) };
        Some(FittedLine { slope, start: y - slope * x, fit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(ours: f64, theirs: f64) -> CostPair {
        let cost = |wall| Cost { wall, ..Cost::default() };
        CostPair { ours: cost(ours), theirs: cost(theirs) }
    }

    #[test]
    fn the_median_is_the_middle_value_or_between_the_two_middle_ones() {
        assert_eq!(quantile(&[9.0, 1.0, 4.0], 0.5), Some(4.0));
        assert_eq!(quantile(&[9.0, 1.0, 4.0, 2.0], 0.5), Some(3.0));
        assert_eq!(quantile(&[7.0], 0.5), Some(7.0));
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.25), Some(2.0));
    }

    #[test]
    fn the_ratio_is_the_median_of_the_pairs_ratios_and_not_the_ratio_of_the_medians() {
        // The machine was ten times slower during the last pair, and our second run was disturbed.
        let pairs = [wall(1.0, 2.0), wall(9.0, 4.0), wall(10.0, 40.0)];
        let summary = Summary::of(&pairs, |cost| cost.wall).unwrap();
        assert_eq!((summary.ours, summary.theirs, summary.ratio), (9.0, 4.0, 0.5));
        assert_eq!(summary.quartiles, (0.375, 1.375));
        assert_eq!(Summary::of(&[], |cost| cost.wall), None);
    }

    #[test]
    fn a_line_fits_collinear_points_and_r_squared_measures_the_fit_of_others() {
        let line = FittedLine::through(&[(1.0, 5.0), (2.0, 7.0), (4.0, 11.0)]).unwrap();
        assert_eq!((line.slope, line.start, line.fit), (2.0, 3.0, 1.0));
        let square = FittedLine::through(&[(0.0, 0.0), (1.0, 1.0), (2.0, 4.0)]).unwrap();
        assert!(square.slope == 2.0 && square.fit > 0.9 && square.fit < 0.93, "{square:?}");
        assert_eq!(FittedLine::through(&[(1.0, 5.0), (1.0, 7.0)]), None);
        assert_eq!(FittedLine::through(&[]), None);
    }
}
