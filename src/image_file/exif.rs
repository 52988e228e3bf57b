//! EXIF with one entry: the user comment.
//!
//! By hand, because it is two tables of one entry each; `little_exif` would bring a decompressor
//! and an XML parser along.

/// Tag of the table that holds what cameras write.
const EXIF_FOLDER: u16 = 0x8769;
const USER_COMMENT: u16 = 0x9286;
/// Type of a 32-bit number.
const LONG: u16 = 4;
/// Type of bytes that say themselves what they are.
const UNDEFINED: u16 = 7;

/// A block with `text` as its user comment, in UTF-16.
///
/// Source: EXIF 2.32, 4.6.5 (`UserComment`); web UIs read their parameters there.
pub(super) fn user_comment(text: &str) -> Vec<u8> {
    let mut comment = b"UNICODE\0".to_vec();
    comment.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    // Offsets count from the start: the header has 8 bytes, a table 18.
    let mut block = b"MM\0\x2a\0\0\0\x08".to_vec();
    block.extend(table(EXIF_FOLDER, LONG, 1, 26));
    // A comment too long for 32 bits fits into no file.
    block.extend(table(USER_COMMENT, UNDEFINED, comment.len() as u32, 44));
    block.extend(comment);
    block
}

/// A table of one entry: how many (2 bytes), the entry (12), the offset of the next table (4).
fn table(tag: u16, kind: u16, count: u32, value: u32) -> Vec<u8> {
    let mut bytes = vec![0, 1];
    bytes.extend(tag.to_be_bytes());
    bytes.extend(kind.to_be_bytes());
    bytes.extend(count.to_be_bytes());
    bytes.extend(value.to_be_bytes());
    bytes.extend([0; 4]);
    bytes
}
