//! The normalisation rules within a `spiece.model` (`precompiled_charsmap`).
//!
//! Source: `normalizer.cc` of <https://github.com/google/sentencepiece> 0.2, and `darts.h` of
//! <https://github.com/s-yata/darts-clone> for the trie.

/// Replacements of strings (`precompiled_charsmap`): a darts-clone double-array trie whose values
/// are offsets into text that ends in zeros.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    units: Vec<u32>,
    replacements: Vec<u8>,
}

impl Rules {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let wrong = || "its normalisation rules are damaged".to_owned();
        let (size, rest) = bytes.split_first_chunk::<4>().ok_or_else(wrong)?;
        let size = u32::from_le_bytes(*size) as usize;
        let (trie, replacements) = rest.split_at_checked(size).ok_or_else(wrong)?;
        let (units, odd) = trie.as_chunks::<4>();
        if units.is_empty() || !odd.is_empty() {
            return Err(wrong());
        }
        let rules = Self {
            units: units.iter().map(|unit| u32::from_le_bytes(*unit)).collect(),
            replacements: replacements.to_vec(),
        };
        Ok(rules)
    }

    /// What replaces the longest beginning of a text that has a rule, and how long that is.
    pub(super) fn longest(&self, text: &str) -> Option<(String, usize)> {
        let offset = |unit: u32| (unit >> 10) << ((unit & (1 << 9)) >> 6);
        let mut node = offset(*self.units.first()?);
        let mut found = None;
        for (byte, len) in text.bytes().zip(1..) {
            node ^= u32::from(byte);
            let Some(&unit) = self.units.get(node as usize) else {
                break;
            };
            // The label with the bit that marks values, which no label has.
            if unit & (1 << 31 | 0xff) != u32::from(byte) {
                break;
            }
            node ^= offset(unit);
            if unit & (1 << 8) != 0
                && let Some(&value) = self.units.get(node as usize)
            {
                found = Some((value & !(1 << 31), len));
            }
        }
        let (at, len) = found?;
        let rest = self.replacements.get(at as usize..)?;
        let end = rest.iter().position(|&byte| byte == 0)?;
        // A damaged file could cut a character; then the rule does not hold.
        let replaced = std::str::from_utf8(&rest[..end]).ok()?;
        text.is_char_boundary(len)
            .then(|| (replaced.to_owned(), len))
    }
}
