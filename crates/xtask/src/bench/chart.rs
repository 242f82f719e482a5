//! The growth as a picture: both sides' times over the number of modules, with the lines that fit them best.

use svg::Document;
use svg::node::element::{Circle, Group, Line, Rectangle, Text};

use super::growth::Growth;
use super::world::BenchSide;

/// The picture, and the part of it that the axes span.
const SIZE: (f64, f64) = (940.0, 560.0);
const LEFT: f64 = 80.0;
const RIGHT: f64 = 910.0;
const TOP: f64 = 110.0;
const BOTTOM: f64 = 500.0;

/// Draws it.
pub(super) fn draw(growth: &Growth) -> String {
    let seconds = |side: BenchSide| growth.points.iter().map(move |point| point.seconds(side));
    let highest = seconds(BenchSide::Ours).chain(seconds(BenchSide::Theirs)).fold(0.0, f64::max);
    let most = growth.points.iter().map(|point| point.modules as f64).fold(0.0, f64::max);
    let frame = Frame { x: Axis::up_to(most), y: Axis::up_to(highest * 1e3) };
    let mut picture = Document::new()
        .set("viewBox", (0, 0, SIZE.0, SIZE.1))
        .set("font-family", "sans-serif")
        .set("font-size", 13)
        .add(Rectangle::new().set("width", SIZE.0).set("height", SIZE.1).set("fill", "white"))
        .add(
            text(LEFT, 28.0, "depmod: time by number of modules, plain, warm page cache")
                .set("font-size", 17),
        )
        .add(frame.grid());
    for (side, name, colour, height) in
        [(BenchSide::Ours, "ours", "#c0392b", 54.0), (BenchSide::Theirs, "kmod 34.2", "#2c3e50", 76.0)]
    {
        let words = growth.describe(side).unwrap_or_default();
        picture = picture.add(text(LEFT, height, &format!("{name}: {words}")).set("fill", colour));
        picture = picture.add(frame.series(growth, side).set("stroke", colour).set("fill", colour));
    }
    let mut bytes = Vec::new();
    // Writing to memory doesn't fail.
    let _ = svg::write(&mut bytes, &picture);
    String::from_utf8_lossy(&bytes).into_owned() + "\n"
}

/// Both axes.
struct Frame {
    x: Axis,
    y: Axis,
}

impl Frame {
    fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let (right, up) = (x / self.x.end, y / self.y.end);
        (LEFT + right * (RIGHT - LEFT), BOTTOM - up * (BOTTOM - TOP))
    }

    /// The axes with their numbers.
    fn grid(&self) -> Group {
        let mut grid = Group::new().set("stroke-width", 1);
        for value in self.x.steps() {
            let (x, _) = self.place(value, 0.0);
            grid = grid.add(line((x, BOTTOM), (x, TOP)).set("stroke", "#dddddd"));
            grid = grid.add(text(x, BOTTOM + 20.0, &format!("{value}")).set("text-anchor", "middle"));
        }
        for value in self.y.steps() {
            let (_, y) = self.place(0.0, value);
            grid = grid.add(line((LEFT, y), (RIGHT, y)).set("stroke", "#dddddd"));
            grid = grid.add(text(LEFT - 8.0, y + 4.0, &format!("{value} ms")).set("text-anchor", "end"));
        }
        let middle = (LEFT + RIGHT) / 2.0;
        grid.add(text(middle, BOTTOM + 42.0, "modules").set("text-anchor", "middle"))
    }

    /// A side's times, and its line.
    fn series(&self, growth: &Growth, side: BenchSide) -> Group {
        let mut series = Group::new();
        for point in &growth.points {
            let (x, y) = self.place(point.modules as f64, point.seconds(side) * 1e3);
            series = series.add(Circle::new().set("cx", x).set("cy", y).set("r", 4));
        }
        if let Some(fit) = growth.line(side) {
            let end = |x: f64| self.place(x, ((fit.start + fit.slope * x) * 1e3).max(0.0));
            series = series.add(line(end(0.0), end(self.x.end)).set("stroke-dasharray", "6 4"));
        }
        series
    }
}

/// An axis from zero, in steps of 1, 2 or 5 times a power of ten.
struct Axis {
    end: f64,
    step: f64,
}

impl Axis {
    fn up_to(most: f64) -> Axis {
        let rough = most.max(1e-3) / 8.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|times| times * power).into_iter().find(|&step| step >= rough);
        let step = step.unwrap_or(10.0 * power);
        Axis { end: (most / step).ceil().max(1.0) * step, step }
    }

    fn steps(&self) -> impl Iterator<Item = f64> {
        (0..=(self.end / self.step).round() as usize).map(|number| number as f64 * self.step)
    }
}

fn text(x: f64, y: f64, content: &str) -> Text {
    Text::new(content).set("x", x).set("y", y)
}

fn line(from: (f64, f64), to: (f64, f64)) -> Line {
    Line::new().set("x1", from.0).set("y1", from.1).set("x2", to.0).set("y2", to.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::figures::Summary;
    use crate::bench::growth::Point;

    #[test]
    fn the_picture_is_well_formed_and_shows_every_point_within_its_frame() {
        let point = |modules, ours| {
            let times = Summary { ours, theirs: 3.0 * ours, ratio: 0.33, quartiles: (0.3, 0.4) };
            Point { modules, pairs: 5, times }
        };
        let growth = Growth { points: vec![point(500, 0.011), point(1000, 0.02), point(16000, 0.32)] };
        let picture = draw(&growth);
        let document = roxmltree::Document::parse(&picture).unwrap();
        assert_eq!(document.root_element().tag_name().name(), "svg");
        let circles: Vec<_> = document.descendants().filter(|node| node.has_tag_name("circle")).collect();
        assert_eq!(circles.len(), 6);
        for circle in circles {
            let number = |name| circle.attribute(name).unwrap().parse::<f64>().unwrap();
            assert!((LEFT..=RIGHT).contains(&number("cx")) && (TOP..=BOTTOM).contains(&number("cy")));
        }
        let words = document
            .descendants()
            .find_map(|node| node.text().map(str::trim).filter(|text| text.starts_with("ours:")));
        assert!(words.unwrap().contains("22.00 µs a module at 500, 20.00 µs at 16000"), "{words:?}");
    }

    #[test]
    fn a_picture_without_points_is_one_all_the_same() {
        assert!(roxmltree::Document::parse(&draw(&Growth::default())).is_ok());
    }
}
