//! Spare buffers: what one message grew is there for the next, and the system gets back what nobody needs.
//!
//! Two kinds, as a short message must not hold a long buffer: one whose peer does not read may hold it
//! for as long as it likes.

/// A buffer of at most so many bytes is a short one.
pub(crate) const SHORT_SPARE: usize = 64 * 1024;
/// How many short ones are kept.
const SHORT_KEPT: usize = 64;
/// How many bytes of long ones are kept.
const LONG_KEPT: usize = 8 * 1024 * 1024;
/// A long one may be so many times as long as what it is for.
const LONGER: usize = 4;
/// Of the short ones so many are looked at for one that fits.
const LOOKED_AT: usize = 4;

/// See the module.
#[derive(Default)]
pub(crate) struct Spares {
    short: Vec<Vec<u8>>,
    /// The fewest short ones that there were since the last look: nobody has taken those.
    short_left: usize,
    /// Each with whether it was given back since the last look.
    long: Vec<(Vec<u8>, bool)>,
    short_bytes: usize,
    long_bytes: usize,
}

impl Spares {
    /// A buffer with room for `size` bytes, and for `ideal` ones if there is one at hand. What is in it is of no
    /// meaning.
    pub(crate) fn take(&mut self, size: usize, ideal: usize) -> Vec<u8> {
        let ideal = ideal.max(size);
        if ideal > SHORT_SPARE
            && let Some(long) = self.take_long(size, ideal)
        {
            return long;
        }
        match size {
            ..=SHORT_SPARE => {
                let mut short = self.take_short(ideal);
                if short.capacity() < size {
                    short.clear();
                    short.reserve_exact(size);
                }
                short
            }
            _ => Vec::with_capacity(size),
        }
    }

    fn take_short(&mut self, ideal: usize) -> Vec<u8> {
        let last = self.short.iter().rev().take(LOOKED_AT);
        let fits = last.map(Vec::capacity).position(|size| size >= ideal);
        let Some(index) = self.short.len().checked_sub(1 + fits.unwrap_or(0)) else {
            return Vec::new();
        };
        let buffer = self.short.swap_remove(index);
        self.short_left = self.short_left.min(self.short.len());
        self.short_bytes -= buffer.capacity();
        buffer
    }

    fn take_long(&mut self, size: usize, ideal: usize) -> Option<Vec<u8>> {
        let fits = size..=ideal.saturating_mul(LONGER);
        // The shortest that will do; else the one that will do for longest.
        let worth = |size: usize| match size >= ideal {
            true => usize::MAX - size,
            false => size,
        };
        let of_these = self.long.iter().map(|(buffer, _)| buffer.capacity());
        let found = of_these.enumerate().filter(|(_, size)| fits.contains(size));
        let (index, size) = found.max_by_key(|(_, size)| worth(*size))?;
        self.long_bytes -= size;
        Some(self.long.swap_remove(index).0)
    }

    /// Keeps a buffer that nobody needs now, if there is place.
    pub(crate) fn give(&mut self, buffer: Vec<u8>) {
        match buffer.capacity() {
            0 => {}
            size @ 1..=SHORT_SPARE if self.short.len() < SHORT_KEPT => {
                self.short_bytes += size;
                self.short.push(buffer);
            }
            1..=SHORT_SPARE => {}
            size => {
                self.make_place(size);
                if self.long_bytes + size <= LONG_KEPT {
                    self.long_bytes += size;
                    self.long.push((buffer, true));
                }
            }
        }
    }

    /// What is needed now comes before what was not needed since the last look.
    fn make_place(&mut self, size: usize) {
        if self.long_bytes + size > LONG_KEPT {
            self.drop_long();
        }
    }

    fn drop_long(&mut self) {
        self.long.retain(|(_, used)| *used);
        self.long_bytes = self.long.iter().map(|(b, _)| b.capacity()).sum();
    }

    /// Bytes that are kept.
    pub(crate) fn bytes(&self) -> usize {
        self.short_bytes + self.long_bytes
    }

    /// Gives back what nobody has needed since this was called last.
    pub(crate) fn look(&mut self) {
        self.short.drain(..self.short_left);
        self.short_bytes = self.short.iter().map(Vec::capacity).sum();
        self.short_left = self.short.len();
        self.drop_long();
        self.long.iter_mut().for_each(|(_, used)| *used = false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(spares: &mut Spares, sizes: &[usize]) {
        let buffers: Vec<_> = sizes.iter().map(|size| Vec::with_capacity(*size)).collect();
        buffers.into_iter().for_each(|buffer| spares.give(buffer));
    }

    #[test]
    fn a_buffer_fits_what_it_is_for() {
        let mut spares = Spares::default();
        given(&mut spares, &[30_000, 1000, 100_000, 500_000, 4_000_000]);
        let mut take = |size, ideal| spares.take(size, ideal).capacity();
        assert_eq!(take(10, 20_000), 30_000);
        assert_eq!(take(10, 20_000), 1000, "none has room for it");
        assert_eq!(take(10, 10), 10, "a long one is for long messages");
        assert_eq!(take(150_000, 150_000), 500_000);
        assert_eq!(take(150_000, 150_000), 150_000, "a new one, of one size");
        assert_eq!(take(10, 2_000_000), 4_000_000, "for what is to come");
        assert_eq!(take(10, 2_000_000), 100_000, "as much of it as there is");
        assert_eq!(take(10, 2_000_000), 10);
        assert_eq!(spares.bytes(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut spares = Spares::default();
        for size in [
            1,
            10,
            SHORT_SPARE,
            SHORT_SPARE + 1,
            1 << 20,
            LONG_KEPT,
            LONG_KEPT + 1,
        ] {
            for _ in 0..2 * SHORT_KEPT {
                spares.give(vec![7; size]);
            }
            let short: usize = spares.short.iter().map(Vec::capacity).sum();
            let long: usize = spares.long.iter().map(|(b, _)| b.capacity()).sum();
            assert_eq!(spares.bytes(), short + long);
            assert!(short <= SHORT_KEPT * SHORT_SPARE && long <= LONG_KEPT);
        }
    }

    #[test]
    fn what_is_needed_stays_and_the_rest_goes() {
        let mut spares = Spares::default();
        given(&mut spares, &[100; 10]);
        given(&mut spares, &[200_000; 5]);
        for look in 0..4 {
            // Three of each are in use at a time.
            let busy: Vec<_> = (0..6)
                .map(|n| {
                    let size = [10, 150_000][n % 2];
                    spares.take(size, size)
                })
                .collect();
            busy.into_iter().for_each(|buffer| spares.give(buffer));
            spares.look();
            // What nobody has taken yet is seen at the first look, and gone at the second.
            let left = if look == 0 { (10, 5) } else { (3, 3) };
            assert_eq!((spares.short.len(), spares.long.len()), left);
        }
        spares.look();
        assert_eq!(spares.bytes(), 0, "nothing was needed");
    }

    #[test]
    fn what_is_needed_now_has_its_place() {
        let mut spares = Spares::default();
        given(&mut spares, &[LONG_KEPT / 2; 2]);
        spares.look();
        given(&mut spares, &[100_000]);
        assert_eq!(spares.bytes(), 100_000);
    }
}
