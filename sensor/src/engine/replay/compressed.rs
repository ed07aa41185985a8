//! Compressed captures, recognised by what they begin with.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read};

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder as Lz4Decoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

/// What is read at once of the compressed file.
const BUFFER: usize = 1 << 17;
/// Memory that a zstd file may ask for: what `zstd --long` writes.
const MAX_WINDOW: u64 = 128 << 20;

/// Formats of compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Xz,
    Bzip2,
}

impl Compression {
    /// By the first bytes of a file.
    pub(super) fn of(begin: &[u8]) -> Option<Self> {
        match begin {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            // It may begin with a frame that is skipped, which pzstd writes.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            [0xfd, b'7', b'z', b'X', ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', ..] => Some(Self::Bzip2),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 => "lz4",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// What it unpacks to.
    pub(super) fn unpack<'r>(self, packed: impl Read + Send + 'r) -> Box<dyn Read + Send + 'r> {
        let packed = BufReader::with_capacity(BUFFER, packed);
        let reader: Box<dyn Read + Send + 'r> = match self {
            Self::Gzip => Box::new(MultiGzDecoder::new(packed)),
            Self::Zstd => Box::new(ZstdFrames::new(packed)),
            Self::Lz4 => Box::new(Lz4Frames(Lz4Decoder::new(packed))),
            Self::Xz => Box::new(XzReader::new(packed, true)),
            Self::Bzip2 => Box::new(MultiBzDecoder::new(packed)),
        };
        Box::new(Named {
            reader,
            name: self.name(),
        })
    }
}

/// Says in its errors which format is damaged.
struct Named<R> {
    reader: R,
    name: &'static str,
}

impl<R: Read> Read for Named<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.reader
            .read(buffer)
            .map_err(|error| match error.kind() {
                ErrorKind::Interrupted => error,
                ErrorKind::UnexpectedEof => {
                    let text = format!("the {} data breaks off", self.name);
                    Error::new(ErrorKind::UnexpectedEof, text)
                }
                kind => Error::new(kind, format!("damaged {} data ({error})", self.name)),
            })
    }
}

/// A file of several lz4 frames is what they unpack to, one after the other.
struct Lz4Frames<R: Read>(Lz4Decoder<R>);

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() && !self.0.get_mut().fill_buf()?.is_empty() => {
                self.0.read(buffer)
            }
            read => Ok(read),
        }
    }
}

/// The same of zstd, where frames that carry no data are skipped.
struct ZstdFrames<R> {
    packed: R,
    decoder: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> ZstdFrames<R> {
    fn new(packed: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self {
            packed,
            decoder,
            is_in_frame: false,
        }
    }

    /// Begins the next frame; false where there is none.
    fn begin(&mut self) -> std::io::Result<bool> {
        loop {
            if self.packed.fill_buf()?.is_empty() {
                return Ok(false);
            }
            match self.decoder.init(&mut self.packed) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let mut skipped = self.packed.by_ref().take(length);
                    if std::io::copy(&mut skipped, &mut std::io::sink())? < length {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(Error::other(error)),
            }
        }
    }
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if !self.is_in_frame {
                if buffer.is_empty() || !self.begin()? {
                    return Ok(0);
                }
                self.is_in_frame = true;
            }
            let decoder = &mut self.decoder;
            while decoder.can_collect() == 0 && !decoder.is_finished() {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                decoder
                    .decode_blocks(&mut self.packed, one)
                    .map_err(Error::other)?;
            }
            let read = decoder.read(buffer)?;
            if read > 0 {
                return Ok(read);
            }
            let stored = decoder.get_checksum_from_data();
            if stored.is_some() && stored != decoder.get_calculated_checksum() {
                return Err(Error::other("its checksum does not match"));
            }
            self.is_in_frame = false;
        }
    }
}
