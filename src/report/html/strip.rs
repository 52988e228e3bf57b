//! Rows of small pictures.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, html};

use super::contents::Picture;

/// Pictures side by side, each with its line; nothing without pictures.
pub(super) fn strip(pictures: &[Picture]) -> Markup {
    html! {
        @if !pictures.is_empty() && pictures.iter().all(|picture| picture.jpeg.is_none()) {
            p { "The images are no longer where they were, or cannot be read." }
        } @else if !pictures.is_empty() {
            ul.strip {
                @for picture in pictures {
                    li {
                        figure {
                            (image(picture))
                            figcaption { bdi { (picture.line) } }
                        }
                    }
                }
            }
        }
    }
}

fn image(picture: &Picture) -> Markup {
    let (width, height) = picture.size;
    match &picture.jpeg {
        Some(bytes) => html! {
            img src={ "data:image/jpeg;base64," (STANDARD.encode(bytes)) } alt=(picture.alt) title=(picture.alt)
                width=(width) height=(height);
        },
        None => html! { span.gone role="img" aria-label=(picture.alt) { "no longer readable" } },
    }
}
