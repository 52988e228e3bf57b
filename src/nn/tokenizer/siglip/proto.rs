//! The wire format of protocol buffers, as far as a `spiece.model` needs it.
//!
//! Source: <https://protobuf.dev/programming-guides/encoding/>.

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Field<'a> {
    /// An integer, a boolean or an enumeration.
    Integer(u64),
    /// Four bytes: a float's bits.
    Fixed32(u32),
    /// Eight bytes.
    Fixed64,
    /// A string or a message.
    Bytes(&'a [u8]),
}

/// The fields of a message by their numbers, in the order of the file.
pub(super) fn fields(mut bytes: &[u8]) -> Result<Vec<(u64, Field<'_>)>, String> {
    let ends = || "it ends within a field, or is no SentencePiece model".to_owned();
    let mut out = Vec::new();
    while !bytes.is_empty() {
        let key = integer(&mut bytes).ok_or_else(ends)?;
        let field = match key & 7 {
            0 => Field::Integer(integer(&mut bytes).ok_or_else(ends)?),
            1 => {
                bytes = bytes.get(8..).ok_or_else(ends)?;
                Field::Fixed64
            }
            2 => {
                let len = integer(&mut bytes).and_then(|len| usize::try_from(len).ok());
                let (value, rest) = bytes
                    .split_at_checked(len.ok_or_else(ends)?)
                    .ok_or_else(ends)?;
                bytes = rest;
                Field::Bytes(value)
            }
            5 => {
                let (value, rest) = bytes.split_first_chunk::<4>().ok_or_else(ends)?;
                bytes = rest;
                Field::Fixed32(u32::from_le_bytes(*value))
            }
            _ => return Err(ends()),
        };
        out.push((key >> 3, field));
    }
    Ok(out)
}

/// A number of 7 bits a byte, the lowest first.
fn integer(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_field_is_read_and_every_cut_is_noticed() {
        let message = [
            0x08, 0xac, 0x02, // 1: 300
            0x15, 0, 0, 0x80, 0x3f, // 2: 1.0
            0x1a, 2, b'h', b'i', // 3: "hi"
            0x21, 0, 0, 0, 0, 0, 0, 0, 0, // 4
        ];
        let expected = [
            (1, Field::Integer(300)),
            (2, Field::Fixed32(1.0_f32.to_bits())),
            (3, Field::Bytes(b"hi")),
            (4, Field::Fixed64),
        ];
        assert_eq!(fields(&message).unwrap(), expected);
        let whole = [0, 3, 8, 12, 21];
        for end in 0..message.len() {
            assert_eq!(
                fields(&message[..end]).is_ok(),
                whole.contains(&end),
                "cut to {end}"
            );
        }
        assert!(fields(&[0x0b]).is_err(), "groups are not read");
        assert!(fields(&[0x80; 11]).is_err(), "a number without end");
    }
}
