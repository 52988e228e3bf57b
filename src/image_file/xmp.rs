//! XMP packets: where the pixels come from and, in a format without a place for text, our own JSON.

use std::fmt::Write as _;

use serde_json::Value;

use super::DigitalSource;

const OPEN: &str = "<hardlight:json>";
const CLOSE: &str = "</hardlight:json>";

/// A packet with the digital source type and, if given, our JSON as a property.
///
/// Source: IPTC Photo Metadata Standard, `Iptc4xmpExt:DigitalSourceType`.
pub(super) fn packet(source: DigitalSource, hardlight: Option<&Value>) -> String {
    let mut packet = "<?xpacket begin=\"\u{feff}\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n\
         <x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n\
         <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n\
         <rdf:Description rdf:about=\"\" \
         xmlns:Iptc4xmpExt=\"http://iptc.org/std/Iptc4xmpExt/2008-02-29/\""
        .to_owned();
    if hardlight.is_some() {
        packet.push_str(" xmlns:hardlight=\"hardlight:ns:1/\"");
    }
    // Writing to a string does not fail.
    let _ = write!(
        packet,
        ">\n<Iptc4xmpExt:DigitalSourceType>{}</Iptc4xmpExt:DigitalSourceType>\n",
        source.uri()
    );
    if let Some(json) = hardlight {
        let _ = writeln!(packet, "{OPEN}{}{CLOSE}", escape(&json.to_string()));
    }
    packet.push_str("</rdf:Description>\n</rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>");
    packet
}

/// The text of our JSON in a packet that [`packet`] made.
pub(super) fn hardlight_text(packet: &str) -> Option<String> {
    let (_, after) = packet.split_once(OPEN)?;
    let (text, _) = after.split_once(CLOSE)?;
    Some(unescape(text))
}

/// Text as XML content. JSON has escaped the control characters.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn unescape(text: &str) -> String {
    text.replace("&gt;", ">")
        .replace("&lt;", "<")
        .replace("&amp;", "&")
}
