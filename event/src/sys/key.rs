//! What the poller calls the things that are registered with it.

#[cfg(not(target_pointer_width = "64"))]
compile_error!("hvloop packs a slot's index and generation into a 64-bit poller token");

/// Names something on one loop, for all time; what the poller's events carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) index: u32,
    /// Of those that have had the index.
    pub(crate) generation: u32,
}

impl Key {
    /// The key of nothing.
    pub(crate) const NONE: Self = Self {
        index: u32::MAX,
        generation: 0,
    };

    /// The key as a poller's token: the generation in the high half, the index in the low half.
    /// Never `usize::MAX`, which is the waker's: no slot has the index `u32::MAX`.
    pub(crate) fn to_token(self) -> usize {
        (self.generation as usize) << 32 | self.index as usize
    }

    /// The key that has this token. Any number is a key; one that was never given out finds
    /// nothing.
    pub(crate) fn from_token(token: usize) -> Self {
        Self {
            index: token as u32,
            generation: (token >> 32) as u32,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_pack_and_unpack() {
        for (index, generation) in [(0, 0), (7, 0), (0, 9), (u32::MAX - 1, u32::MAX)] {
            let key = Key { index, generation };
            assert_eq!(Key::from_token(key.to_token()), key);
            assert_ne!(key.to_token(), usize::MAX);
        }
        let key = Key {
            index: 2,
            generation: 3,
        };
        assert_eq!(key.to_token(), 0x3_0000_0002);
    }
}
