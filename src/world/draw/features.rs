//! The parts of a portrait, each a few shapes. Coordinates are portrait units; see the parent module.

use super::pen::{Pen, Rgb, arc, ellipse, mix, outline, symmetric};
use crate::world::face::{Background, Face, Gender, Hair, Hat, Shirt, Skin};

const BLACK: Rgb = [24, 20, 24];
const WHITE: Rgb = [250, 250, 250];

/// Centres of the eyes, left and right in the picture.
const EYES: [(f32, f32); 2] = [(25.2, 31.0), (38.8, 31.0)];

pub(super) fn background(colour: Background) -> Rgb {
    match colour {
        Background::Red => [206, 32, 52],
        Background::Orange => [248, 134, 20],
        Background::Yellow => [250, 224, 50],
        Background::Green => [52, 156, 72],
        Background::Blue => [44, 96, 206],
        Background::Purple => [134, 62, 172],
        Background::Grey => [126, 128, 132],
        Background::White => [244, 244, 242],
    }
}

fn skin(tone: Skin) -> Rgb {
    match tone {
        Skin::Fair => [255, 226, 202],
        Skin::Light => [244, 202, 166],
        Skin::Tan => [220, 170, 128],
        Skin::Brown => [176, 122, 84],
        Skin::Deep => [132, 88, 62],
    }
}

fn hair(colour: Hair) -> Rgb {
    match colour {
        Hair::Black => [34, 30, 36],
        Hair::Brown => [92, 52, 24],
        Hair::Blond => [236, 190, 84],
        Hair::Red => [188, 70, 22],
        Hair::Grey => [196, 198, 206],
    }
}

fn shirt(colour: Shirt) -> Rgb {
    match colour {
        Shirt::Navy => [38, 50, 104],
        Shirt::Teal => [22, 122, 128],
        Shirt::Maroon => [122, 28, 48],
        Shirt::Cream => [236, 226, 196],
        Shirt::Charcoal => [62, 64, 70],
    }
}

fn felt(colour: Hat) -> Rgb {
    match colour {
        Hat::Navy => [40, 48, 110],
        Hat::Forest => [30, 84, 54],
        Hat::Wine => [126, 26, 54],
    }
}

/// The part of long hair that lies behind the neck.
pub(super) fn back_hair(pen: &mut Pen, face: &Face) {
    let shade = mix(hair(face.hair), [0, 0, 0], 0.22);
    let path = symmetric(
        (32.0, 9.0),
        &[
            [44.0, 9.0, 49.0, 20.0, 48.5, 34.0],
            [48.5, 44.0, 49.0, 50.0, 47.0, 57.0],
            [43.0, 59.0, 36.0, 58.0, 32.0, 58.0],
        ],
    );
    pen.fill(path, shade);
}

/// Neck and shoulders.
pub(super) fn body(pen: &mut Pen, face: &Face) {
    let tone = skin(face.skin);
    let (neck, slope) = match face.gender {
        Gender::Man => (6.4, 54.0),
        Gender::Woman => (4.8, 55.5),
    };
    let shoulders = symmetric(
        (32.0, 54.0),
        &[
            [36.0, 54.0, 40.0, slope - 1.5, 44.0, slope],
            [53.0, slope + 2.0, 57.0, 60.0, 58.0, 80.0],
            [50.0, 80.0, 40.0, 80.0, 32.0, 80.0],
        ],
    );
    pen.shape(shoulders, shirt(face.shirt));
    let throat = symmetric(
        (32.0, 42.0),
        &[
            [32.0 + neck, 42.0, 32.0 + neck, 46.0, 32.0 + neck, 53.0],
            [32.0 + neck, 56.5, 36.0, 58.5, 32.0, 58.5],
        ],
    );
    pen.shape(throat, mix(tone, [90, 30, 20], 0.2));
}

/// Ears and the head.
pub(super) fn head(pen: &mut Pen, face: &Face) {
    let tone = skin(face.skin);
    let jaw = match face.gender {
        Gender::Man => [47.0, 41.5, 41.0, 49.6, 32.0, 49.6],
        Gender::Woman => [46.8, 40.5, 38.5, 49.4, 32.0, 49.4],
    };
    if face.gender == Gender::Man {
        for side in [-1.0, 1.0] {
            pen.shape(ellipse(32.0 + side * 15.4, 33.0, 2.4, 3.8), tone);
        }
    }
    let path = symmetric((32.0, 13.0), &[[41.5, 13.0, 47.0, 20.0, 47.0, 31.0], jaw]);
    pen.shape(path, tone);
}

/// Lines on the forehead, a fold under each eye, a fold beside the mouth.
pub(super) fn wrinkles(pen: &mut Pen, face: &Face) {
    /// Of these a classifier that saw one old woman in twenty is right on half of all old women; of lines of three
    /// quarters the width, on two in ten.
    const WIDTH: f32 = 2.0;
    const FOREHEAD: [(f32, f32); 3] = [(21.2, 5.2), (23.4, 6.2), (19.0, 4.4)];
    let crease = mix(skin(face.skin), [48, 14, 8], 0.85);
    for (y, half) in FOREHEAD {
        let path = arc(
            (32.0 - half, y + 0.3),
            &[[32.0, y - 0.5, 32.0 + half, y + 0.3]],
        );
        pen.line(path, crease, WIDTH);
    }
    for side in [-1.0, 1.0] {
        let x = |offset: f32| 32.0 + side * offset;
        let pouch = arc((x(4.0), 34.6), &[[x(6.6), 37.0, x(10.0), 34.8]]);
        pen.line(pouch, crease, WIDTH);
        let cheek = arc((x(5.4), 38.2), &[[x(8.6), 40.0, x(8.8), 43.4]]);
        pen.line(cheek, crease, WIDTH);
    }
}

/// A full beard with moustache; the mouth is painted over it.
pub(super) fn beard(pen: &mut Pen, face: &Face) {
    let path = symmetric(
        (32.0, 39.2),
        &[
            [34.0, 38.2, 37.0, 38.4, 39.4, 40.0],
            [43.0, 41.0, 45.6, 38.0, 46.8, 32.0],
            [47.8, 44.0, 42.0, 53.0, 32.0, 53.0],
        ],
    );
    pen.shape(path, hair(face.hair));
}

pub(super) fn nose(pen: &mut Pen, face: &Face) {
    let shade = mix(skin(face.skin), [90, 30, 20], 0.45);
    let path = arc(
        (32.4, 31.5),
        &[[34.6, 36.0, 34.0, 37.0], [32.4, 38.2, 30.2, 37.0]],
    );
    pen.line(path, shade, 1.0);
}

/// Closed lips, or a smile that shows the teeth.
pub(super) fn mouth(pen: &mut Pen, face: &Face) {
    let (lips, width) = match face.gender {
        // Seen against the hair of the beard, not against the skin.
        Gender::Man if face.beard => ([228, 132, 124], 1.7),
        Gender::Man => (mix(skin(face.skin), [140, 30, 36], 0.72), 1.5),
        Gender::Woman => ([198, 44, 72], 2.3),
    };
    if face.smile {
        let path = symmetric(
            (32.0, 42.0),
            &[
                [34.5, 42.0, 37.0, 41.6, 38.4, 40.8],
                [37.8, 44.6, 35.0, 46.8, 32.0, 46.8],
            ],
        );
        pen.line(path.clone(), lips, width);
        pen.fill(path, [112, 22, 34]);
        let teeth = symmetric(
            (32.0, 42.0),
            &[
                [34.5, 42.0, 36.6, 41.7, 37.6, 41.2],
                [36.8, 43.4, 34.6, 44.4, 32.0, 44.4],
            ],
        );
        pen.fill(teeth, WHITE);
    } else {
        let path = arc((27.4, 42.9), &[[32.0, 44.3, 36.6, 42.9]]);
        pen.line(path, lips, width);
    }
}

/// Brows, whites and pupils.
pub(super) fn eyes(pen: &mut Pen, face: &Face) {
    let brow = mix(hair(face.hair), [30, 20, 20], 0.35);
    let brow_width = match face.gender {
        Gender::Man => 2.0,
        Gender::Woman => 1.1,
    };
    for (x, y) in EYES {
        let side = (x - 32.0).signum();
        pen.fill(ellipse(x, y, 3.9, 2.7), WHITE);
        pen.fill(ellipse(x, y, 1.8, 1.9), BLACK);
        let lid = arc((x - 3.9, y), &[[x, y - 5.2, x + 3.9, y]]);
        pen.line(lid, BLACK, 0.9);
        let (inner, outer) = (x - side * 3.6, x + side * 4.2);
        let path = arc((inner, y - 5.2), &[[x, y - 7.2, outer, y - 4.6]]);
        pen.line(path, brow, brow_width);
    }
}

/// The hair around the face: long and parted, or short.
pub(super) fn front_hair(pen: &mut Pen, face: &Face) {
    let colour = hair(face.hair);
    let path = match face.gender {
        Gender::Woman => outline(
            (32.0, 7.0),
            &[
                [46.0, 7.0, 52.0, 17.0, 51.2, 32.0],
                [51.0, 42.0, 54.0, 50.0, 52.0, 57.0],
                [50.0, 59.5, 46.0, 59.5, 43.5, 57.5],
                [46.0, 48.0, 47.4, 40.0, 46.4, 31.0],
                [46.0, 25.0, 42.0, 20.0, 36.5, 16.5],
                [30.0, 20.0, 19.5, 21.0, 17.6, 31.0],
                [16.6, 40.0, 18.0, 48.0, 20.5, 57.5],
                [18.0, 59.5, 14.0, 59.5, 12.0, 57.0],
                [10.0, 50.0, 13.0, 42.0, 12.8, 32.0],
                [12.0, 17.0, 18.0, 7.0, 32.0, 7.0],
            ],
        ),
        Gender::Man => outline(
            (16.0, 31.0),
            &[
                [13.4, 16.0, 20.0, 8.0, 33.0, 8.0],
                [44.0, 8.0, 50.6, 16.0, 48.0, 31.0],
                [47.4, 31.6, 46.0, 31.6, 45.6, 30.6],
                [46.4, 25.0, 45.0, 21.0, 42.0, 18.4],
                [36.0, 20.4, 29.0, 19.4, 24.6, 17.6],
                [20.0, 20.0, 18.0, 25.0, 18.4, 30.6],
                [18.0, 31.6, 16.6, 31.6, 16.0, 31.0],
            ],
        ),
    };
    pen.shape(path, colour);
}

/// Two dark rings, the bridge between them and the temples.
pub(super) fn glasses(pen: &mut Pen) {
    for (x, y) in EYES {
        let side = (x - 32.0).signum();
        pen.line(ellipse(x, y, 5.5, 5.0), BLACK, 1.7);
        let temple = arc(
            (x + side * 5.5, y - 0.6),
            &[[x + side * 7.0, y - 1.0, x + side * 8.6, y - 1.0]],
        );
        pen.line(temple, BLACK, 1.4);
    }
    pen.line(arc((30.6, 30.4), &[[32.0, 29.4, 33.4, 30.4]]), BLACK, 1.6);
}

/// A black patch over one eye and its strap round the head.
pub(super) fn eyepatch(pen: &mut Pen) {
    let (x, y) = EYES[1];
    for (from, to) in [
        ((20.0, 19.5), (x - 3.6, y - 3.4)),
        ((x + 4.2, y - 2.4), (47.2, 27.4)),
    ] {
        let middle = (
            f32::midpoint(from.0, to.0),
            f32::midpoint(from.1, to.1) - 0.8,
        );
        let strap = arc(from, &[[middle.0, middle.1, to.0, to.1]]);
        pen.line(strap, BLACK, 1.4);
    }
    let patch = outline(
        (x - 5.4, y - 4.6),
        &[
            [x - 2.0, y - 5.6, x + 2.0, y - 5.6, x + 5.4, y - 4.2],
            [x + 5.8, y + 1.6, x + 3.2, y + 5.6, x, y + 5.8],
            [x - 3.4, y + 5.6, x - 5.8, y + 1.6, x - 5.4, y - 4.6],
        ],
    );
    pen.fill(patch, BLACK);
}

/// A small round hat: crown, band, brim. It ends above the hairline, so that the colour of
/// the hair and its length stay readable.
pub(super) fn hat(pen: &mut Pen, colour: Hat) {
    let felt = felt(colour);
    let crown = symmetric(
        (32.0, 3.0),
        &[
            [40.0, 3.0, 43.0, 5.2, 43.5, 13.0],
            [40.0, 13.4, 36.0, 13.6, 32.0, 13.6],
        ],
    );
    pen.shape(crown, felt);
    let band = symmetric(
        (32.0, 9.2),
        &[
            [36.0, 9.2, 40.0, 9.0, 43.2, 8.8],
            [43.5, 10.0, 43.5, 11.0, 43.5, 12.4],
            [40.0, 12.8, 36.0, 13.0, 32.0, 13.0],
        ],
    );
    pen.fill(band, [240, 214, 120]);
    let brim = symmetric(
        (32.0, 11.8),
        &[
            [38.0, 11.8, 44.0, 11.4, 48.0, 11.0],
            [50.4, 11.2, 50.4, 13.6, 48.0, 14.0],
            [44.0, 14.6, 38.0, 14.8, 32.0, 14.8],
        ],
    );
    pen.shape(brim, felt);
}
