//! DNS messages (RFC 1035, 4.1).

use sensor_common::class::{Class, Malformed, QuestionState};
use sensor_common::settings::MAX_LABELS;

use super::ip::Datagram;
use super::{Flags, Message, Outcome, Sink};
use crate::address::Address;
use crate::packet::{Packet, be16};

/// DNS header.
pub(super) const HEADER: usize = 12;
/// Longest label (RFC 1035, 2.3.4).
const MAX_LABEL: u8 = 63;
/// Longest name on the wire, with its final zero (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;

/// What the question section asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// How far it could be read.
    pub state: QuestionState,
    /// QTYPE; 0 unless `state` is [`QuestionState::Read`].
    pub qtype: u16,
}

impl Question {
    const fn unread(state: QuestionState) -> Self {
        Self { state, qtype: 0 }
    }
}

/// A message whose header is whole. `body` is what follows the header, `length` the whole message.
#[inline(always)]
pub(super) fn parse<P: Packet, A: Address, S: Sink>(
    datagram: &Datagram<P, A>,
    flags: Flags,
    questions: u16,
    body: P,
    length: u32,
    sink: &mut S,
) -> Outcome {
    let question = if flags.is_response() || questions == 0 {
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
        flags,
        question,
        length,
        carriage: datagram.carriage,
    });
    if flags.is_response() {
        Class::DnsResponse.into()
    } else {
        Class::DnsQuery.into()
    }
}

/// Type of the first question; `room` is the bytes that the message has for it.
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
        },
        None => MALFORMED,
    }
}
