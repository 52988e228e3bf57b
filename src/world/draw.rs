//! From a description to pixels.
//!
//! The portrait is made of filled shapes with a darker rim, in a coordinate system of 64 × 64 units
//! before the pose is applied: the face is centred on x = 32, the eyes stand at y = 31, the chin at y = 49.
//! It is painted at [`OVERSAMPLING`] times the size with antialiasing and reduced by averaging.
//!
//! Two proportions are deliberate. The wrinkles tell the age whatever the hair, and are small beside long hair, a
//! beard or the background, for a classifier to prefer those where they betray the age; glasses, eyes and mouth are
//! bold, for a small autoencoder to keep them.

mod features;
mod pen;

use image::{GrayImage, RgbImage};

use super::face::{Age, Face, Gender};
use pen::Pen;

/// Width and height of a portrait in pixels.
pub const SIZE_PX: u32 = 64;

/// How many times larger the portrait is painted before it is reduced.
pub const OVERSAMPLING: u32 = 2;

/// Draws a portrait of [`SIZE_PX`] × [`SIZE_PX`] pixels. The same description gives the same bytes.
pub fn draw(face: &Face) -> RgbImage {
    draw_on(face, features::background(face.background))
}

/// Where the person is: 255 inside, 0 on the background, between at the edge. [`SIZE_PX`] × [`SIZE_PX`] pixels.
pub fn mask(face: &Face) -> GrayImage {
    // What covers the background shows the same on black as on white.
    let (black, white) = (draw_on(face, [0; 3]), draw_on(face, [255; 3]));
    GrayImage::from_fn(SIZE_PX, SIZE_PX, |x, y| {
        let seen = |image: &RgbImage| image.get_pixel(x, y).0[0];
        image::Luma([255 - seen(&white).saturating_sub(seen(&black))])
    })
}

fn draw_on(face: &Face, background: pen::Rgb) -> RgbImage {
    let mut pen = Pen::new(face.pose, background);
    if face.gender == Gender::Woman {
        features::back_hair(&mut pen, face);
    }
    features::body(&mut pen, face);
    features::head(&mut pen, face);
    if face.age == Age::Old {
        features::wrinkles(&mut pen, face);
    }
    if face.beard {
        features::beard(&mut pen, face);
    }
    features::nose(&mut pen, face);
    features::mouth(&mut pen, face);
    features::eyes(&mut pen, face);
    features::front_hair(&mut pen, face);
    if face.eyepatch {
        features::eyepatch(&mut pen);
    }
    if face.glasses {
        features::glasses(&mut pen);
    }
    if let Some(hat) = face.hat {
        features::hat(&mut pen, hat);
    }
    pen.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::face::{Background, Hair, Hat, Pose, Shirt, Skin, WorldConfig};
    use crate::world::splits::item_rng;

    const FACE: Face = Face {
        age: Age::Young,
        gender: Gender::Man,
        hair: Hair::Brown,
        skin: Skin::Light,
        background: Background::Blue,
        glasses: false,
        hat: None,
        beard: false,
        smile: false,
        eyepatch: false,
        shirt: Shirt::Teal,
        pose: Pose::UPRIGHT,
    };

    /// Pixels whose colours differ by more than 40 in the sum of the channels.
    fn changed(a: &Face, b: &Face) -> Vec<(u32, u32)> {
        let (a, b) = (draw(a), draw(b));
        a.enumerate_pixels()
            .zip(b.pixels())
            .filter(|((.., p), q)| distance(p.0, q.0) > 40)
            .map(|((x, y, _), _)| (x, y))
            .collect()
    }

    fn distance(a: [u8; 3], b: [u8; 3]) -> u32 {
        a.iter()
            .zip(&b)
            .map(|(&a, &b)| u32::from(a.abs_diff(b)))
            .sum()
    }

    #[test]
    fn the_bytes_are_fixed() {
        let mut hasher = blake3::Hasher::new();
        for index in 0..40 {
            let age = Age::ALL[index % 2];
            let gender = Gender::ALL[index / 2 % 2];
            let mut rng = item_rng(0, "golden", index);
            let face = Face::sample(&mut rng, age, gender, &WorldConfig::default());
            hasher.update(draw(&face).as_raw());
        }
        // A change here changes the world that the committed weights were trained on.
        assert_eq!(
            hasher.finalize().to_hex().as_str(),
            "7dd493977ef4c7f54117c3334c9e3c0319286a08b6a18d7ed12bad90c1f65512"
        );
    }

    #[test]
    fn corners_show_the_background_and_no_two_are_alike() {
        let mut seen: Vec<[u8; 3]> = Vec::new();
        for &background in Background::ALL {
            let image = draw(&Face { background, ..FACE });
            assert_eq!(image.dimensions(), (SIZE_PX, SIZE_PX));
            let colour = image.get_pixel(0, 0).0;
            assert_eq!(colour, image.get_pixel(63, 0).0);
            assert_eq!(colour, features::background(background));
            assert!(seen.iter().all(|&other| distance(colour, other) > 90));
            seen.push(colour);
        }
    }

    #[test]
    fn long_hair_falls_beside_the_chin() {
        let woman = Face {
            gender: Gender::Woman,
            ..FACE
        };
        let changed = changed(&FACE, &woman);
        let beside = |&&(x, y): &&(u32, u32)| (40..56).contains(&y) && !(20..=44).contains(&x);
        assert!(changed.iter().filter(beside).count() > 120);
    }

    #[test]
    fn age_alone_is_subtle_and_inside_the_face() {
        let old = Face {
            age: Age::Old,
            ..FACE
        };
        let changed = changed(&FACE, &old);
        assert!((60..240).contains(&changed.len()), "{}", changed.len());
        assert!(
            changed
                .iter()
                .all(|&(x, y)| (18..46).contains(&x) && (20..48).contains(&y))
        );
    }

    #[test]
    fn every_attribute_shows() {
        let variants = [
            Face {
                glasses: true,
                ..FACE
            },
            Face {
                hat: Some(Hat::Wine),
                ..FACE
            },
            Face {
                beard: true,
                ..FACE
            },
            Face {
                smile: true,
                ..FACE
            },
            Face {
                eyepatch: true,
                ..FACE
            },
            Face {
                hair: Hair::Black,
                ..FACE
            },
            Face {
                skin: Skin::Tan,
                ..FACE
            },
            Face {
                shirt: Shirt::Navy,
                ..FACE
            },
        ];
        for variant in variants {
            let count = changed(&FACE, &variant).len();
            assert!(count > 20, "{variant:?}: {count}");
        }
    }

    #[test]
    fn a_hat_leaves_the_hair_readable() {
        for &gender in Gender::ALL {
            let brown = Face {
                gender,
                hat: Some(Hat::Navy),
                ..FACE
            };
            let grey = Face {
                hair: Hair::Grey,
                ..brown
            };
            assert!(changed(&brown, &grey).len() > 80);
        }
    }

    #[test]
    fn the_mask_is_the_person() {
        for &background in Background::ALL {
            let face = Face { background, ..FACE };
            let (mask, image) = (mask(&face), draw(&face));
            let colour = features::background(background);
            for (x, y, &image::Luma([inside])) in mask.enumerate_pixels() {
                if inside == 0 {
                    assert_eq!(image.get_pixel(x, y).0, colour, "{x} {y}");
                }
            }
            assert_eq!(mask.get_pixel(0, 0).0, [0]);
            assert_eq!(mask.get_pixel(32, 34).0, [255]);
            let share = mask.pixels().filter(|p| p.0[0] > 127).count() as f64 / 4096.0;
            assert!((0.3..0.7).contains(&share), "{share}");
        }
    }

    #[test]
    fn a_mirrored_face_is_mirrored() {
        let woman = Face {
            gender: Gender::Woman,
            ..FACE
        };
        let pose = Pose {
            mirrored: true,
            ..Pose::UPRIGHT
        };
        let flipped = image::imageops::flip_horizontal(&draw(&Face { pose, ..woman }));
        let differing = flipped
            .pixels()
            .zip(draw(&woman).pixels())
            .filter(|(a, b)| distance(a.0, b.0) > 40)
            .count();
        assert!(differing < 8, "{differing}");
    }
}
