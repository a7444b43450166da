//! Padding of content, so that its length tells little: Padmé (Nikitin et al., PETS 2019, §4).
//! See `docs/protocol/payload.md`.

use zeroize::Zeroizing;

/// Length of the length prefix, in bytes, big-endian.
const PREFIX: usize = 4;

/// `content` behind its length, followed by zeros up to a Padmé length. `None` when it is longer than 4 GiB.
#[must_use]
pub fn pad(content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let length = u32::try_from(content.len()).ok()?;
    let total = padme(content.len().checked_add(PREFIX)?);
    let mut padded = Zeroizing::new(Vec::with_capacity(total));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(content);
    padded.resize(total, 0);
    Some(padded)
}

/// The content that [`pad`] padded; `None` for anything that it would not have made.
#[must_use]
pub fn unpad(padded: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = padded.split_first_chunk::<PREFIX>()?;
    let length = usize::try_from(u32::from_be_bytes(*prefix)).ok()?;
    let (content, zeros) = rest.split_at_checked(length)?;
    let right = padded.len() == padme(length.checked_add(PREFIX)?) && zeros.iter().all(|byte| *byte == 0);
    right.then_some(content)
}

/// The least Padmé length that holds `length` bytes: at most 12 % more.
fn padme(length: usize) -> usize {
    let Some(exponent) = length.checked_ilog2().filter(|exponent| *exponent > 0) else {
        return length;
    };
    let mantissa_bits = exponent.ilog2().saturating_add(1);
    let mask = 1_usize
        .checked_shl(exponent.saturating_sub(mantissa_bits))
        .unwrap_or(1)
        .saturating_sub(1);
    length.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_paper() {
        for (length, padded) in [
            (0, 0),
            (1, 1),
            (8, 8),
            (9, 10),
            (100, 104),
            (1_000, 1_024),
            (10_000, 10_240),
            (1 << 20, 1 << 20),
        ] {
            assert_eq!(padme(length), padded, "{length}");
        }
    }

    #[test]
    fn what_was_not_padded_so_is_refused() {
        let padded = pad(&[5; 95]).unwrap();
        assert_eq!(padded.len(), 104);
        assert_eq!(unpad(&padded).unwrap(), [5; 95]);
        assert_eq!(unpad(&padded[..103]), None);
        assert_eq!(unpad(&[padded.as_slice(), &[0]].concat()), None);
        let mut dirty = padded.to_vec();
        dirty[103] = 1;
        assert_eq!(unpad(&dirty), None);
        assert_eq!(unpad(&[0xFF; 8]), None);
        assert_eq!(unpad(&[]), None);
    }
}
