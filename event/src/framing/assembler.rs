//! What is kept from one read to the next, and the loop over the packages.

use super::error::UnpackError;
use super::rule::Rule;

/// How much memory is kept while nothing is held, in bytes. An idle connection has to be small; a
/// stream of short packages cut by the ends of reads should not allocate each time.
pub(super) const KEEP: usize = 256;

/// What to do after a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AfterPackage {
    /// Go on by the same rule.
    Go,
    /// Go on by another one.
    Change(Rule),
    /// Stop, and keep the rest.
    Stop,
}

/// Cuts packages off a stream by a [`Rule`], and holds what cannot be handed on yet: the package
/// that spans reads, and after a stop everything that had come in.
///
/// Memory is taken for bytes that came in, never for bytes that were announced. Between two calls
/// it is at most four times what is held, or [`KEEP`] if that is more.
///
/// Every byte is searched and copied a bounded number of times, however the stream was split and
/// wherever it was stopped.
pub(super) struct Assembler {
    rule: Rule,
    max: usize,
    /// From `head` on: what is held. Before: what was handed on.
    buffer: Vec<u8>,
    head: usize,
    /// What is held is the beginning of one package; there is no whole one in it. Never while a
    /// package is handed on.
    partial: bool,
    failed: Option<UnpackError>,
}

impl Assembler {
    /// Holds nothing.
    pub(super) fn new(rule: Rule, max: usize) -> Self {
        Self {
            rule,
            max,
            buffer: Vec::new(),
            head: 0,
            partial: false,
            failed: None,
        }
    }

    /// Goes on by another rule, from the first byte that is held.
    pub(super) fn set(&mut self, rule: Rule, max: usize) {
        self.rule = rule;
        self.max = max;
        self.partial = false;
    }

    /// The most bytes that a package may have.
    pub(super) fn max(&self) -> usize {
        self.max
    }

    /// Bytes held.
    pub(super) fn held(&self) -> usize {
        self.buffer.len() - self.head
    }

    /// Bytes of memory owned.
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// Takes out what is held.
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.buffer.drain(..self.head);
        self.head = 0;
        self.partial = false;
        std::mem::take(&mut self.buffer)
    }

    /// Holds `data` behind the rest, without a look at it.
    ///
    /// # Errors
    ///
    /// The error of an earlier call.
    pub(super) fn keep(&mut self, data: &[u8]) -> Result<(), UnpackError> {
        self.check()?;
        if !data.is_empty() {
            self.append(data);
            self.partial = false;
            self.settle();
        }
        Ok(())
    }

    /// Hands on all whole packages of what is held and of `data`, which comes behind it, until
    /// `each` stops it; holds the rest. A package that lies in `data` as a whole is not copied.
    ///
    /// # Errors
    ///
    /// The stream cannot be cut any further; what was held is dropped, and all later calls fail in
    /// the same way. The packages before were handed on.
    pub(super) fn run(
        &mut self,
        data: &mut [u8],
        each: impl FnMut(&mut [u8]) -> AfterPackage,
    ) -> Result<(), UnpackError> {
        self.check()?;
        let result = self.cut(data, each);
        if let Err(error) = result {
            self.failed = Some(error);
            self.head = self.buffer.len();
        }
        self.settle();
        result
    }

    fn check(&self) -> Result<(), UnpackError> {
        self.failed.map_or(Ok(()), Err)
    }

    fn cut(
        &mut self,
        mut data: &mut [u8],
        mut each: impl FnMut(&mut [u8]) -> AfterPackage,
    ) -> Result<(), UnpackError> {
        loop {
            let head = self.head;
            let held = &self.buffer[head..];
            let step = if !held.is_empty() && !self.partial {
                let Some(len) = self.rule.find_end(&[], held, self.max)? else {
                    self.partial = true;
                    continue;
                };
                // Before the call, so that a package which makes it panic does not come again.
                self.head += len;
                each(&mut self.buffer[head..head + len])
            } else if data.is_empty() {
                return Ok(());
            } else {
                let Some(len) = self.rule.find_end(held, data, self.max)? else {
                    self.append(data);
                    self.partial = true;
                    return Ok(());
                };
                let (package, rest) = std::mem::take(&mut data).split_at_mut(len);
                data = rest;
                if held.is_empty() {
                    each(package)
                } else {
                    self.append(package);
                    self.partial = false;
                    let head = std::mem::replace(&mut self.head, self.buffer.len());
                    each(&mut self.buffer[head..])
                }
            };
            match step {
                AfterPackage::Go => {}
                AfterPackage::Change(rule) => self.rule = rule,
                AfterPackage::Stop => {
                    self.append(data);
                    return Ok(());
                }
            }
        }
    }

    fn append(&mut self, data: &[u8]) {
        // Only when no more has to move than has been handed on since the last time.
        if self.head >= self.held() {
            self.buffer.drain(..self.head);
            self.head = 0;
        }
        self.buffer.extend_from_slice(data);
    }

    /// Gives back memory that is out of proportion to what is held. What is left fits exactly: half
    /// of it at least has to be handed on before it moves again.
    fn settle(&mut self) {
        let held = self.held();
        if held == 0 {
            self.buffer.clear();
            self.head = 0;
        }
        if self.buffer.capacity() > KEEP.max(held.saturating_mul(4)) {
            self.buffer.drain(..self.head);
            self.head = 0;
            self.buffer.shrink_to_fit();
        }
    }
}

debug_fields!(Assembler, this:
    "rule" = this.rule,
    "max" = this.max,
    "held" = this.held(),
    "failed" = this.failed,
);

#[cfg(test)]
mod tests;
