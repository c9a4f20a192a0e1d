//! Where the records of a TLS stream begin, as far as their heads tell.

/// The greatest length that a head may tell: 2^14 bytes and 2,048 of what encryption adds (RFC 5246
/// section 6.2.3; RFC 8446 section 5.2 has less).
const MAX_LEN: usize = (1 << 14) + 2048;
const HEAD: usize = 5;

/// Follows the heads of the records in what comes in, to find where a stream stops to be TLS before the
/// session finds it: its alert ends what can be sent.
#[derive(Debug, Default)]
pub(crate) struct RecordHeads {
    head: [u8; HEAD],
    have: usize,
    /// Bytes of the record that are still to come.
    left: usize,
    broken: bool,
}

impl RecordHeads {
    /// Where in the next bytes a record begins that is none, at the latest; told once.
    pub(crate) fn broken_at(&mut self, mut bytes: &[u8]) -> Option<usize> {
        let all = bytes.len();
        while !self.broken && !bytes.is_empty() {
            let body = self.left.min(bytes.len());
            self.left -= body;
            bytes = &bytes[body..];
            let begins = all - bytes.len();
            let head = (HEAD - self.have).min(bytes.len());
            self.head[self.have..self.have + head].copy_from_slice(&bytes[..head]);
            self.have += head;
            bytes = &bytes[head..];
            if self.have == HEAD {
                self.have = 0;
                let [kind, major, _, high, low] = self.head;
                self.left = usize::from(u16::from_be_bytes([high, low]));
                // Change of cipher spec, alert, handshake, data, heartbeat (RFC 8446 section B.1).
                let known = (20..=24).contains(&kind) && major == 3;
                if !known || self.left > MAX_LEN {
                    self.broken = true;
                    return Some(begins);
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, len: usize) -> Vec<u8> {
        let [high, low] = u16::try_from(len).expect("a length").to_be_bytes();
        let mut record = vec![kind, 3, 3, high, low];
        record.resize(HEAD + len, 0xff);
        record
    }

    /// However the stream is cut, and wherever it breaks.
    #[test]
    fn found_in_every_split() {
        let good = [record(22, 0), record(23, 300), record(20, 1), record(21, 2)].concat();
        let bad: [&[u8]; 4] = [
            &[0xff; 20],
            b"GET / HTTP/1.1\r\n",
            &[23, 2, 3, 0, 1, 0],
            &[23, 3, 3, 0x48, 0x01],
        ];
        for bad in bad {
            let stream = [&good, bad].concat();
            for cut in 0..stream.len() {
                let mut heads = RecordHeads::default();
                let (first, second) = stream.split_at(cut);
                let found = match heads.broken_at(first) {
                    Some(at) => Some(at),
                    None => heads.broken_at(second).map(|at| cut + at),
                };
                // Where the head itself is cut, what came of it is gone.
                let latest = good.len() + HEAD;
                let at = found.expect("it is broken");
                assert!((good.len()..latest).contains(&at), "cut at {cut}: {at}");
                if !(good.len() + 1..latest).contains(&cut) {
                    assert_eq!(at, good.len());
                }
                assert_eq!(heads.broken_at(b"more"), None, "told once");
            }
        }
        let mut heads = RecordHeads::default();
        for _ in 0..3 {
            assert_eq!(heads.broken_at(&good), None);
            assert_eq!(heads.broken_at(&record(23, MAX_LEN)), None);
        }
    }
}
