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
/// A long one may be so many times as long as what is asked for, as that often grows.
const LONGER: usize = 8;

/// See the module.
#[derive(Default)]
pub(crate) struct Spares {
    short: Vec<Vec<u8>>,
    /// The fewest short ones that there were since the last look: nobody has taken those.
    short_left: usize,
    /// Each with whether it was in use since the last look.
    long: Vec<(Vec<u8>, bool)>,
    short_bytes: usize,
    long_bytes: usize,
}

impl Spares {
    /// An empty buffer for `size` bytes: a long one has room for them, a short one has what it has.
    pub(crate) fn take(&mut self, size: usize) -> Vec<u8> {
        if size > SHORT_SPARE {
            return self.take_long(size);
        }
        let Some(buffer) = self.short.pop() else {
            return Vec::new();
        };
        self.short_left = self.short_left.min(self.short.len());
        self.short_bytes -= buffer.capacity();
        buffer
    }

    fn take_long(&mut self, size: usize) -> Vec<u8> {
        let most = size.saturating_mul(LONGER);
        let fits = |(_, (buffer, _)): &(usize, &(Vec<u8>, bool))| {
            (size..=most).contains(&buffer.capacity())
        };
        let of_these = self.long.iter().enumerate();
        let found = of_these.filter(fits).max_by_key(|(_, (b, _))| b.capacity());
        let Some((index, _)) = found else {
            return Vec::with_capacity(size);
        };
        let (buffer, _) = self.long.swap_remove(index);
        self.long_bytes -= buffer.capacity();
        buffer
    }

    /// Keeps a buffer that nobody needs now, if there is place.
    pub(crate) fn give(&mut self, mut buffer: Vec<u8>) {
        buffer.clear();
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
        given(&mut spares, &[1000, 100_000, 500_000, 4_000_000]);
        assert_eq!(spares.take(10).capacity(), 1000);
        assert_eq!(
            spares.take(10).capacity(),
            0,
            "a long one is for long messages"
        );
        assert_eq!(spares.take(150_000).capacity(), 500_000);
        assert_eq!(
            spares.take(150_000).capacity(),
            150_000,
            "neither of the others"
        );
        assert_eq!(spares.take(4_000_000).capacity(), 4_000_000);
        assert_eq!(spares.take(100_000).capacity(), 100_000);
        assert_eq!(spares.bytes(), 0);
    }

    #[test]
    fn what_is_kept_is_empty_and_bounded() {
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
        assert!(spares.take(1 << 17).is_empty() && spares.take(1).is_empty());
    }

    #[test]
    fn what_is_needed_stays_and_the_rest_goes() {
        let mut spares = Spares::default();
        given(&mut spares, &[100; 10]);
        given(&mut spares, &[200_000; 5]);
        for look in 0..4 {
            // Three of each are in use at a time.
            let busy: Vec<_> = (0..6).map(|n| spares.take([10, 150_000][n % 2])).collect();
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
