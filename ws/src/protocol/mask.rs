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

#[cfg(test)]
mod tests {
    use super::apply_mask;

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
