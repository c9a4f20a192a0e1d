//! Masking (RFC 6455 section 5.3).

/// How many bytes are masked at a time: wide enough for the compiler's vector instructions.
const BLOCK: usize = 32;

/// Masks or unmasks `bytes` in place: byte `i` is XORed with `mask[(phase + i) % 4]`.
///
/// `phase` is how many bytes of the same payload went before, so that a payload may be treated in
/// pieces.
pub fn apply_mask(bytes: &mut [u8], mask: [u8; 4], phase: usize) {
    let mut key = mask;
    key.rotate_left(phase % 4);
    let mut wide = [0; BLOCK];
    for part in wide.as_chunks_mut::<4>().0 {
        *part = key;
    }
    let (blocks, rest) = bytes.as_chunks_mut::<BLOCK>();
    for block in blocks {
        for (byte, key) in block.iter_mut().zip(&wide) {
            *byte ^= key;
        }
    }
    // BLOCK is a multiple of 4: the rest begins at the phase the whole began with.
    for (byte, key) in rest.iter_mut().zip(&wide) {
        *byte ^= key;
    }
}

/// From this length on, in bytes, one pass is faster than a copy that is masked then.
const LONG: usize = 512;

/// Appends `bytes`, masked, to `out`. `phase` as for [`apply_mask`].
#[inline]
pub(crate) fn append_masked(out: &mut Vec<u8>, bytes: &[u8], mask: [u8; 4], phase: usize) {
    let rest = match bytes.len() {
        LONG.. => append_blocks(out, bytes, mask, phase),
        _ => bytes,
    };
    // The blocks are a multiple of 4 bytes: the rest begins at the phase the whole began with.
    let start = out.len();
    out.extend_from_slice(rest);
    apply_mask(&mut out[start..], mask, phase);
}

/// The whole blocks of it, each copied and masked at once; the rest.
#[inline(never)]
fn append_blocks<'a>(out: &mut Vec<u8>, bytes: &'a [u8], mask: [u8; 4], phase: usize) -> &'a [u8] {
    const WIDE: usize = 2 * BLOCK;
    let mut key = [0; WIDE];
    apply_mask(&mut key, mask, phase);
    out.reserve(bytes.len());
    let (blocks, rest) = bytes.as_chunks::<WIDE>();
    out.extend(blocks.iter().flat_map(|block| {
        let mut masked = *block;
        for (byte, key) in masked.iter_mut().zip(&key) {
            *byte ^= key;
        }
        masked
    }));
    rest
}

#[cfg(test)]
mod tests {
    use super::{append_masked, apply_mask};

    #[test]
    fn every_length_and_phase_agrees_with_the_definition() {
        let mask = [0x6d, 0xb6, 0xb2, 0x80];
        for length in 0..100 {
            for phase in 0..9 {
                let plain: Vec<u8> = (0..length).map(|i| i as u8 ^ 0x35).collect();
                let expected: Vec<u8> = plain
                    .iter()
                    .enumerate()
                    .map(|(i, b)| b ^ mask[(phase + i) % 4])
                    .collect();
                let mut got = plain.clone();
                apply_mask(&mut got, mask, phase);
                assert_eq!(got, expected, "length {length}, phase {phase}");
            }
        }
    }

    #[test]
    fn appended_is_as_masked_in_place() {
        let mask = [0x6d, 0xb6, 0xb2, 0x80];
        let lengths = (0..100).chain(500..700).chain([4096, 65_537]);
        for (length, phase) in lengths.zip((0..4).cycle()) {
            let plain: Vec<u8> = (0..length).map(|i| i as u8 ^ 0x35).collect();
            let mut expected = plain.clone();
            apply_mask(&mut expected, mask, phase);
            let mut got = b"head".to_vec();
            append_masked(&mut got, &plain, mask, phase);
            assert_eq!(&got[..4], b"head");
            assert_eq!(&got[4..], expected, "length {length}, phase {phase}");
        }
    }

    #[test]
    fn pieces_are_the_whole() {
        let mask = [1, 2, 3, 4];
        let mut whole = vec![0u8; 150];
        apply_mask(&mut whole, mask, 0);
        for cut in 0..=150 {
            let mut pieces = vec![0u8; 150];
            apply_mask(&mut pieces[..cut], mask, 0);
            apply_mask(&mut pieces[cut..], mask, cut);
            assert_eq!(pieces, whole, "cut at {cut}");
        }
    }
}
