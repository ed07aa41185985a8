//! DNS messages (RFC 1035, 4.1).

use sensor_common::class::{Class, Malformed, QuestionState};
use sensor_common::settings::MAX_LABELS;

use super::datagram::Datagram;
use super::message::{self, DnsPort, Flags, Garbage, Message, Query, Response};
use super::outcome::Outcome;
use super::sink::Sink;
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
    /// ARCOUNT.
    pub additional: u16,
}

/// What the question section asks.
#[derive(Clone, Copy)]
struct Question {
    /// How far it could be read.
    state: QuestionState,
    /// QTYPE; 0 unless `state` is [`QuestionState::Read`].
    qtype: u16,
    /// See [`Query::name`].
    name: u64,
}

impl Question {
    #[inline(always)]
    const fn unread(state: QuestionState) -> Self {
        Self {
            state,
            qtype: 0,
            name: 0,
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
    let mut message = Message {
        length,
        flags,
        id: header.id,
        client_port: header.source_port,
        family: u16::from(datagram.family),
        carriage: datagram.carriage,
    };
    if flags.is_response() {
        message.client_port = header.destination_port;
        // The ports in the other order: whether that of the sender is one.
        let port = sink.dns_port(header.destination_port, header.source_port);
        if port != DnsPort::Destination || !flags.is_assigned() {
            let nothing = Question::unread(QuestionState::Absent);
            garbage(datagram, header, &message, nothing, sink);
            return Outcome::from(Class::DnsResponse).as_garbage();
        }
        let response = Response {
            client: datagram.destination,
            server: datagram.source,
            message,
        };
        sink.response(&response, datagram.payload);
        return Class::DnsResponse.into();
    }
    let room = length - HEADER as u32;
    let question = if header.questions == 0 {
        Question::unread(QuestionState::Absent)
    } else {
        question(body, room, sink.hash_key())
    };
    if question.state == QuestionState::Malformed && !body.is_whole() {
        return Malformed::Unreadable.into();
    }
    let asks_nothing = match question.state {
        QuestionState::Read | QuestionState::TooManyLabels => false,
        QuestionState::Malformed => holds_a_question(body, room),
        // A query with a cookie alone has no question, and an OPT record (RFC 7873, 5.4). Without either there is
        // nothing that could be answered.
        QuestionState::Absent => flags.opcode() == 0 && header.additional == 0,
    };
    let port = sink.dns_port(header.source_port, header.destination_port);
    if asks_nothing || port != DnsPort::Destination || !flags.is_assigned() {
        garbage(datagram, header, &message, question, sink);
        return Outcome::from(Class::DnsQuery).as_garbage();
    }
    let query = Query {
        client: datagram.source,
        server: datagram.destination,
        name: question.name,
        message,
        qtype: question.qtype,
        question_state: question.state as u16,
    };
    sink.query(&query, datagram.payload);
    Class::DnsQuery.into()
}

#[inline(always)]
fn garbage<P: Packet, S: Sink>(
    datagram: &Datagram<P>,
    header: Header,
    message: &Message,
    question: Question,
    sink: &mut S,
) {
    let port = sink.dns_port(header.source_port, header.destination_port);
    let to_server = u16::from(port == DnsPort::Destination);
    let header = message::Header {
        flags: message.flags,
        carriage: message.carriage,
        question_state: question.state as u16,
        qtype: question.qtype,
    };
    let garbage = Garbage::new(datagram.destination, datagram.family, to_server);
    let garbage = garbage.with(header, message.length);
    sink.garbage(&garbage);
}

/// Whether the frame holds all bytes that a question of the message may have: a capture may have cut it.
#[inline(always)]
fn holds_a_question<P: Packet>(start: P, room: u32) -> bool {
    const LONGEST: u32 = (MAX_NAME + 4) as u32;
    let length = if room < LONGEST { room } else { LONGEST };
    length == 0 || start.skip(length as usize - 1).byte().is_some()
}

/// Type and name of the first question; `room` is the bytes that the message has for it.
#[inline(always)]
fn question<P: Packet>(start: P, room: u32, secret: u64) -> Question {
    const MALFORMED: Question = Question::unread(QuestionState::Malformed);
    let mut cursor = start;
    let mut labels = 0;
    let mut ends = true;
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
            ends = false;
            break;
        }
        labels += 1;
        cursor = cursor.skip_label(label);
    }
    let name = cursor.since(start) + 1;
    let (state, qtype) = if ends {
        // QTYPE and QCLASS must lie inside the message too.
        if name > MAX_NAME || (name + 4) as u32 > room {
            return MALFORMED;
        }
        let fields = start.skip(name);
        let Some(fields) = fields.bytes::<4>() else {
            return MALFORMED;
        };
        (QuestionState::Read, be16(fields, 0))
    } else {
        (QuestionState::TooManyLabels, 0)
    };
    Question {
        state,
        qtype,
        name: name_hash(start, name, secret),
    }
}

/// See [`Query::name`].
#[inline(always)]
fn name_hash<P: Packet>(start: P, name: usize, secret: u64) -> u64 {
    let length = if name < NAME_BYTES { name } else { NAME_BYTES };
    // What lies before the question, the header, is there in any case, so no read can go too far.
    let end = start.skip(length);
    let (Some(bytes), Some(masks)) = (end.before::<NAME_BYTES>(), MASKS.get(length)) else {
        return 0;
    };
    let word = |at: usize| ((raw64(bytes, at * 8) & masks[at]) ^ secret).wrapping_mul(FACTORS[at]);
    // Side by side and then added, because what comes next waits for it.
    let sum = (word(0).wrapping_add(word(1))).wrapping_add(word(2).wrapping_add(word(3)));
    (sum ^ sum >> 32).wrapping_mul(FACTORS[0])
}

/// Bytes of a name that are kept.
const NAME_BYTES: usize = 32;
// So that a name of which not all labels are read is known by its first bytes.
const _: () = assert!(MAX_LABELS * 2 >= NAME_BYTES);
const NAME_WORDS: usize = NAME_BYTES / 8;

/// Odd constants with no structure, from wyhash.
const FACTORS: [u64; NAME_WORDS] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
];

/// What tells lower case from upper. Without it a few other bytes are alike too, such as a digit and the
/// length of a label; names that differ in nothing else count as one.
const CASE: u8 = 0x20;

/// For each length, the words that keep so many of the last bytes, without their case.
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
                    bytes[byte] = !CASE;
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
