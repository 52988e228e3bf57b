//! Stand-ins for Stable Diffusion and CLIP that make pictures and embeddings by formula, in microseconds.
//!
//! [`Painter`] paints the colour that a caption names; [`ColourEncoder`] sees colours in images and words in
//! captions, in one space. So the whole of a run can be tried without a model: loop, resume, filters,
//! captions. Both pass the conformance suites of [`crate::generate::conformance`] and
//! [`crate::embed::conformance`].

mod encoder;
mod painter;

pub use self::encoder::ColourEncoder;
pub use self::painter::Painter;

/// The colours that both know, by name.
const COLOURS: [(&str, [u8; 3]); 6] = [
    ("red", [200, 40, 40]),
    ("green", [40, 200, 40]),
    ("blue", [40, 40, 200]),
    ("yellow", [200, 200, 40]),
    ("gray", [120, 120, 120]),
    ("black", [0, 0, 0]),
];

/// The colours that a text names, in its order.
fn named(text: &str) -> impl Iterator<Item = [u8; 3]> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter_map(|word| {
            let known = COLOURS.iter().find(|(name, _)| *name == word);
            known.map(|(_, colour)| *colour)
        })
}
