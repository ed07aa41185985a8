//! DNS messages (RFC 1035, 4.1).

use sensor_common::class::{Class, Malformed, QuestionState};
use sensor_common::settings::MAX_LABELS;

use super::ip::Datagram;
use super::{Flags, Message, Outcome, Sink};
use crate::packet::{Packet, be16, raw64};

/// DNS header.
pub(super) const HEADER: usize = 12;
/// Longest label (RFC 1035, 2.3.4).
const MAX_LABEL: u8 = 63;
/// Longest name on the wire, with its final zero (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;

/// What a message says before its question.
#[derive(Clone, Copy)]
pub(super) struct Header {
    /// In network byte order, as all here but the flags.
    pub source_port: u16,
    pub destination_port: u16,
    pub id: u16,
    pub flags: Flags,
    /// QDCOUNT.
    pub questions: u16,
}

/// What the question section asks.
#[derive(Clone, Copy)]
struct Question {
    /// How far it could be read.
    state: QuestionState,
    /// QTYPE; 0 unless `state` is [`QuestionState::Read`].
    qtype: u16,
    /// The first 32 bytes of the name on the wire, with the bit set that tells lower case from upper;
    /// a shorter name stands at the end. 0 unless `state` is [`QuestionState::Read`].
    name: [u64; NAME_WORDS],
}

impl Question {
    #[inline(always)]
    const fn unread(state: QuestionState) -> Self {
        Self {
            state,
            qtype: 0,
            name: [0; NAME_WORDS],
        }
    }
}

/// A message whose header is whole. `body` is what follows the header, `length` the whole message.
#[inline(always)]
pub(super) fn parse<P: Packet, S: Sink>(
    datagram: &Datagram<P>,
    header: Header,
    body: P,
    length: u32,
    sink: &mut S,
) -> Outcome {
    let flags = header.flags;
    let question = if flags.is_response() || header.questions == 0 {
        Question::unread(QuestionState::Absent)
    } else {
        question(body, length - HEADER as u32)
    };
    if question.state == QuestionState::Malformed && !body.is_whole() {
        return Malformed::Unreadable.into();
    }
    sink.dns(&Message {
        source: datagram.source,
        destination: datagram.destination,
        name: question.name,
        length,
        offset: (body.offset() as u32).wrapping_sub(HEADER as u32),
        flags,
        id: header.id,
        source_port: header.source_port,
        destination_port: header.destination_port,
        qtype: question.qtype,
        question_state: question.state as u8,
        family: datagram.family,
        tagged: datagram.carriage.tagged,
        more_fragments: datagram.carriage.more_fragments,
    });
    if flags.is_response() {
        Class::DnsResponse.into()
    } else {
        Class::DnsQuery.into()
    }
}

/// Type and name of the first question; `room` is the bytes that the message has for it.
#[inline(always)]
fn question<P: Packet>(start: P, room: u32) -> Question {
    const MALFORMED: Question = Question::unread(QuestionState::Malformed);
    let mut cursor = start;
    let mut labels = 0;
    let mut name = 1;
    loop {
        let Some(label) = cursor.byte() else {
            return MALFORMED;
        };
        if label == 0 {
            break;
        }
        // Compression has nothing to point back to in the first question.
        if label > MAX_LABEL {
            return MALFORMED;
        }
        if labels == MAX_LABELS {
            return Question::unread(QuestionState::TooManyLabels);
        }
        labels += 1;
        cursor = cursor.skip(usize::from(label) + 1);
        name += usize::from(label) + 1;
    }
    let name = P::forget(name);
    // QTYPE and QCLASS must lie inside the message too.
    if name > MAX_NAME || (name + 4) as u32 > room {
        return MALFORMED;
    }
    match start.skip(name).bytes::<4>() {
        Some(fields) => Question {
            state: QuestionState::Read,
            qtype: be16(fields, 0),
            name: first_bytes(start, name),
        },
        None => MALFORMED,
    }
}

/// See [`Question::name`].
#[inline(always)]
fn first_bytes<P: Packet>(start: P, name: usize) -> [u64; NAME_WORDS] {
    let length = P::forget(if name < NAME_BYTES { name } else { NAME_BYTES }) & 63;
    // What lies before the question, the header, is there in any case, so no read can go too far.
    let end = start.skip(length);
    let (Some(bytes), Some(masks)) = (end.before::<NAME_BYTES>(), MASKS.get(length)) else {
        return [0; NAME_WORDS];
    };
    let mut words = [0; NAME_WORDS];
    for (at, word) in words.iter_mut().enumerate() {
        let raw = raw64(bytes, at * 8) & masks[at];
        // Bytes with this bit are letters or rare; lengths of labels never have it.
        *word = raw | (raw & 0x4040_4040_4040_4040) >> 1;
    }
    words
}

/// Bytes of a name that are kept.
const NAME_BYTES: usize = 32;
const NAME_WORDS: usize = NAME_BYTES / 8;

/// For each length, the words that keep so many of the last bytes.
static MASKS: [[u64; NAME_WORDS]; NAME_BYTES + 1] = masks();

const fn masks() -> [[u64; NAME_WORDS]; NAME_BYTES + 1] {
    let mut masks = [[0; NAME_WORDS]; NAME_BYTES + 1];
    let mut length = 0;
    while length <= NAME_BYTES {
        let mut word = 0;
        while word < NAME_WORDS {
            let mut bytes = [0; 8];
            let mut byte = 0;
            while byte < 8 {
                if word * 8 + byte >= NAME_BYTES - length {
                    bytes[byte] = 0xff;
                }
                byte += 1;
            }
            masks[length][word] = u64::from_ne_bytes(bytes);
            word += 1;
        }
        length += 1;
    }
    masks
}
