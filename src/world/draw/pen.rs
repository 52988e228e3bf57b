//! The pen: filled and stroked paths in portrait coordinates.

use image::RgbImage;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Paint, Path, PathBuilder, PixmapMut, Stroke, Transform,
};

use super::{OVERSAMPLING, SIZE_PX};
use crate::world::face::Pose;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// Width of the darker rim of a shape, in portrait units.
const RIM: f32 = 0.9;

/// How far the whole drawing is lowered, in portrait units, to leave room for a hat.
const LOWERED: f32 = 1.4;

/// The point the pose turns and scales about: the middle of the neck.
const PIVOT: (f32, f32) = (32.0, 40.0);

const WIDE: usize = (SIZE_PX * OVERSAMPLING) as usize;

/// A canvas with the pose already applied to it.
pub(super) struct Pen {
    pixels: Vec<u8>,
    transform: Transform,
}

impl Pen {
    pub(super) fn new(pose: Pose, background: Rgb) -> Self {
        let [r, g, b] = background;
        let over = OVERSAMPLING as f32;
        // Short series instead of the platform's `sin` and `cos`, whose last bit differs between
        // machines: exact to 1e-7 at the tilts that occur.
        let t = pose.tilt_rad;
        let sin = t - t * t * t / 6.0;
        let cos = 1.0 - t * t / 2.0 + t * t * t * t / 24.0;
        let (sx, sy) = (
            pose.scale * if pose.mirrored { -1.0 } else { 1.0 },
            pose.scale,
        );
        let transform = Transform::from_translate(-PIVOT.0, -PIVOT.1)
            .post_concat(Transform::from_scale(sx, sy))
            .post_concat(Transform::from_row(cos, sin, -sin, cos, 0.0, 0.0))
            .post_translate(
                PIVOT.0 + pose.shift_x_px,
                PIVOT.1 + LOWERED + pose.shift_y_px,
            )
            .post_scale(over, over);
        Self {
            pixels: [r, g, b, 255].repeat(WIDE * WIDE),
            transform,
        }
    }

    /// Fills a shape and gives it a rim of the same colour, darkened.
    pub(super) fn shape(&mut self, path: Option<Path>, colour: Rgb) {
        let rim = mix(colour, [0, 0, 0], 0.38);
        self.fill(path.clone(), colour);
        self.line(path, rim, RIM);
    }

    /// Fills a shape.
    pub(super) fn fill(&mut self, path: Option<Path>, colour: Rgb) {
        let transform = self.transform;
        if let (Some(path), Some(mut canvas)) = (path, self.canvas()) {
            canvas.fill_path(&path, &paint(colour), FillRule::Winding, transform, None);
        }
    }

    /// Follows a path with a round brush `width` units thick.
    pub(super) fn line(&mut self, path: Option<Path>, colour: Rgb, width: f32) {
        let transform = self.transform;
        let stroke = Stroke {
            width,
            line_cap: LineCap::Round,
            line_join: LineJoin::Round,
            ..Stroke::default()
        };
        if let (Some(path), Some(mut canvas)) = (path, self.canvas()) {
            canvas.stroke_path(&path, &paint(colour), &stroke, transform, None);
        }
    }

    /// Reduces the canvas to the portrait's size by averaging.
    pub(super) fn finish(self) -> RgbImage {
        let over = OVERSAMPLING as usize;
        let area = OVERSAMPLING * OVERSAMPLING;
        RgbImage::from_fn(SIZE_PX, SIZE_PX, |x, y| {
            let mut sum = [0u32; 3];
            for row in 0..over {
                let start = ((y as usize * over + row) * WIDE + x as usize * over) * 4;
                for pixel in self.pixels[start..start + over * 4].chunks_exact(4) {
                    for (total, &value) in sum.iter_mut().zip(pixel) {
                        *total += u32::from(value);
                    }
                }
            }
            image::Rgb(sum.map(|total| ((total + area / 2) / area) as u8))
        })
    }

    fn canvas(&mut self) -> Option<PixmapMut<'_>> {
        PixmapMut::from_bytes(&mut self.pixels, WIDE as u32, WIDE as u32)
    }
}

/// `a` moved towards `b` by the share `t`.
pub(super) fn mix(a: Rgb, b: Rgb, t: f32) -> Rgb {
    std::array::from_fn(|i| {
        let (a, b) = (f32::from(a[i]), f32::from(b[i]));
        (a + (b - a) * t).round() as u8
    })
}

/// An ellipse by its centre and half axes.
pub(super) fn ellipse(cx: f32, cy: f32, rx: f32, ry: f32) -> Option<Path> {
    let rect = tiny_skia::Rect::from_ltrb(cx - rx, cy - ry, cx + rx, cy + ry)?;
    PathBuilder::from_oval(rect)
}

/// An open path: a start and quadratic curves (control, end).
pub(super) fn arc(start: (f32, f32), curves: &[[f32; 4]]) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(start.0, start.1);
    for &[x1, y1, x, y] in curves {
        path.quad_to(x1, y1, x, y);
    }
    path.finish()
}

/// A closed path: a start and cubic curves (control, control, end).
pub(super) fn outline(start: (f32, f32), curves: &[[f32; 6]]) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.move_to(start.0, start.1);
    for &[x1, y1, x2, y2, x, y] in curves {
        path.cubic_to(x1, y1, x2, y2, x, y);
    }
    path.close();
    path.finish()
}

/// The same closed path for both sides of the face: `curves` lead from a point of the middle line down the
/// right side (x > 32) to another, and come back mirrored on the left.
pub(super) fn symmetric(top: (f32, f32), curves: &[[f32; 6]]) -> Option<Path> {
    let mut all = curves.to_vec();
    for (index, &[x1, y1, x2, y2, _, _]) in curves.iter().enumerate().rev() {
        let (x, y) = match index.checked_sub(1).and_then(|before| curves.get(before)) {
            Some(&[.., x, y]) => (x, y),
            None => top,
        };
        all.push([64.0 - x2, y2, 64.0 - x1, y1, 64.0 - x, y]);
    }
    outline(top, &all)
}

fn paint(colour: Rgb) -> Paint<'static> {
    let [r, g, b] = colour;
    let mut paint = Paint::default();
    paint.set_color(Color::from_rgba8(r, g, b, 255));
    paint.anti_alias = true;
    paint
}
