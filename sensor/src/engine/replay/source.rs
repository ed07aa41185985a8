//! The bytes of a capture, read through a buffer that becomes as large as the largest record.

use std::io::{ErrorKind, Read};

/// What is read at once: it stays in a cache beside the frames that wait.
const BUFFER: usize = 1 << 18;

/// See the module.
pub(super) struct Source<'r> {
    reader: Box<dyn Read + Send + 'r>,
    buffer: Vec<u8>,
    /// What was read and not yet consumed.
    start: usize,
    end: usize,
    /// Bytes consumed since the beginning.
    offset: u64,
    has_ended: bool,
    /// More may come behind its end.
    grows: bool,
}

impl<'r> Source<'r> {
    /// `begin` was read before.
    pub(super) fn new(begin: &[u8], reader: Box<dyn Read + Send + 'r>) -> Self {
        let mut buffer = vec![0; BUFFER];
        buffer[..begin.len()].copy_from_slice(begin);
        Self {
            reader,
            buffer,
            start: 0,
            end: begin.len(),
            offset: 0,
            has_ended: false,
            grows: false,
        }
    }

    /// More may come where it ends now.
    pub(super) fn grows(&mut self) {
        self.grows = true;
    }

    /// Bytes consumed since the beginning.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The next so many bytes, and fewer only where it ends. They stay until they are consumed.
    ///
    /// # Errors
    /// It cannot be read on.
    pub(super) fn peek(&mut self, length: usize) -> std::io::Result<&[u8]> {
        if self.end - self.start < length {
            self.fill(length)?;
        }
        let end = self.end.min(self.start + length);
        Ok(&self.buffer[self.start..end])
    }

    fn fill(&mut self, length: usize) -> std::io::Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        while self.end < length && !self.has_ended {
            if self.end == self.buffer.len() {
                // It grows with what comes: the length of a damaged record may be that of no file.
                let wanted = length.next_multiple_of(BUFFER);
                self.buffer.resize(wanted.min(2 * self.end), 0);
            }
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(0) if self.grows => break,
                Ok(0) => self.has_ended = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next bytes, which were seen before.
    pub(super) fn seen(&self, length: usize) -> &[u8] {
        let end = self.end.min(self.start + length);
        &self.buffer[self.start..end]
    }

    /// Goes on behind so many bytes that were seen.
    pub(super) fn consume(&mut self, length: usize) {
        let length = length.min(self.end - self.start);
        self.start += length;
        self.offset += length as u64;
    }
}
