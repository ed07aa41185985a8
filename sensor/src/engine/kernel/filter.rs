//! The clsact queueing discipline of an interface and the BPF filters in it (tc-bpf(8)), over netlink.

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::tc::{
    TcAttribute, TcHandle, TcHeader, TcMessage, TcMessageBuffer, TcOption,
};
use rtnetlink::packet_core::{
    DefaultNla, NLA_TYPE_MASK, NLM_F_CREATE, NLM_F_EXCL, NlasIterator, Parseable,
};
use sensor_common::settings::Direction;

use super::netlink::{Netlink, Result};

/// Priority of our filters: the first, so that no other filter hides a packet.
pub const PRIORITY: u16 = 1;
/// Handle of our filters: fixed, so that there is one place for a sensor in each direction.
pub const HANDLE: u32 = 0x53;

/// Attributes of a filter or a queueing discipline (linux/rtnetlink.h).
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
/// Options of a BPF filter (`linux/pkt_cls.h`).
const TCA_BPF_FD: u16 = 6;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_FLAGS: u16 = 8;
const TCA_BPF_ID: u16 = 11;
/// The program's result is the verdict.
const TCA_BPF_FLAG_ACT_DIRECT: u32 = 1;

const CLSACT: &str = "clsact";
const BPF: &str = "bpf";
/// Handle of the clsact queueing discipline.
const CLSACT_HANDLE: TcHandle = TcHandle {
    major: 0xffff,
    minor: 0,
};

/// A filter as the kernel shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The lowest runs first.
    pub priority: u16,
    /// Its number within its priority.
    pub handle: u32,
    /// `bpf`, `flower`, ...
    pub kind: String,
    /// Id of its program, if it is a BPF filter.
    pub program: Option<u32>,
    /// Name that its owner gave it, if it is a BPF filter.
    pub name: String,
}

impl Filter {
    /// Whether it is where our filters are.
    #[must_use]
    pub fn is_at_our_place(&self) -> bool {
        self.kind == BPF && self.priority == PRIORITY && self.handle == HANDLE
    }

    /// `None` for the line of a priority or chain that is no filter.
    fn parse(payload: &[u8]) -> Option<Self> {
        let message = TcMessageBuffer::new_checked(payload).ok()?;
        let header = TcHeader::parse(&message).ok()?;
        let mut filter = Self {
            priority: (header.info >> 16) as u16,
            handle: header.handle.into(),
            ..Self::default()
        };
        let mut options = Vec::new();
        for attribute in message.attributes().flatten() {
            match attribute.kind() & NLA_TYPE_MASK {
                TCA_KIND => filter.kind = text(attribute.value()),
                TCA_OPTIONS => options = attribute.value().to_vec(),
                _ => {}
            }
        }
        if filter.kind == BPF {
            for option in NlasIterator::new(options.as_slice()).flatten() {
                let number = || {
                    option
                        .value()
                        .first_chunk()
                        .copied()
                        .map(u32::from_ne_bytes)
                };
                match option.kind() & NLA_TYPE_MASK {
                    TCA_BPF_NAME => filter.name = text(option.value()),
                    TCA_BPF_ID => filter.program = number(),
                    _ => {}
                }
            }
        }
        (filter.handle != 0).then_some(filter)
    }
}

/// A string that ends with a zero byte.
fn text(bytes: &[u8]) -> String {
    let bytes = bytes.strip_suffix(&[0]).unwrap_or(bytes);
    String::from_utf8_lossy(bytes).into_owned()
}

/// Where filters of a direction hang.
fn parent(direction: Direction) -> TcHandle {
    TcHandle {
        major: 0xffff,
        minor: match direction {
            Direction::Ingress => TcHandle::MIN_INGRESS,
            Direction::Egress => TcHandle::MIN_EGRESS,
        },
    }
}

/// A message about an interface.
fn about(index: u32) -> TcMessage {
    TcMessage::with_index(index.cast_signed())
}

/// A message about the place of our filter.
fn our_place(index: u32, direction: Direction) -> TcMessage {
    let all_protocols = (libc::ETH_P_ALL as u16).to_be();
    let mut message = about(index);
    message.header.parent = parent(direction);
    message.header.handle = HANDLE.into();
    message.header.info = u32::from(PRIORITY) << 16 | u32::from(all_protocols);
    message
}

impl Netlink {
    /// Indexes of interfaces that have a clsact queueing discipline.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn clsact_interfaces(&self) -> Result<Vec<u32>> {
        let all = self.dump(RouteNetlinkMessage::GetQueueDiscipline(about(0)))?;
        let index = |payload: &Vec<u8>| {
            let message = TcMessageBuffer::new_checked(payload.as_slice()).ok()?;
            let mut kinds = message.attributes().flatten();
            let kind = kinds.find(|attribute| attribute.kind() & NLA_TYPE_MASK == TCA_KIND)?;
            (text(kind.value()) == CLSACT).then(|| message.index().cast_unsigned())
        };
        Ok(all.iter().filter_map(index).collect())
    }

    /// All filters of a direction of an interface, in the order in which they run.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn filters(&self, index: u32, direction: Direction) -> Result<Vec<Filter>> {
        let mut message = about(index);
        message.header.parent = parent(direction);
        let payloads = self.dump(RouteNetlinkMessage::GetTrafficFilter(message))?;
        Ok(payloads
            .iter()
            .filter_map(|payload| Filter::parse(payload))
            .collect())
    }

    /// The filter at our place.
    ///
    /// # Errors
    /// The kernel does not tell.
    pub fn filter(&self, index: u32, direction: Direction) -> Result<Option<Filter>> {
        let place = our_place(index, direction);
        match self.request(RouteNetlinkMessage::GetTrafficFilter(place), 0) {
            Ok(payloads) => Ok(payloads.first().and_then(|payload| Filter::parse(payload))),
            // No such filter; no queueing discipline; no interface.
            Err(error)
                if matches!(
                    error.raw_os_error(),
                    Some(libc::ENOENT | libc::EINVAL | libc::ENODEV)
                ) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Adds a filter at our place, which must be free.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn add_filter(
        &self,
        index: u32,
        direction: Direction,
        program: BorrowedFd<'_>,
        name: &str,
    ) -> Result<()> {
        let option = |kind, value: Vec<u8>| TcOption::Other(DefaultNla::new(kind, value));
        let mut terminated = name.as_bytes().to_vec();
        terminated.push(0);
        let mut message = our_place(index, direction);
        message.attributes = vec![
            TcAttribute::Kind(BPF.into()),
            TcAttribute::Options(vec![
                option(TCA_BPF_FD, program.as_raw_fd().to_ne_bytes().to_vec()),
                option(TCA_BPF_NAME, terminated),
                option(
                    TCA_BPF_FLAGS,
                    TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes().to_vec(),
                ),
            ]),
        ];
        let message = RouteNetlinkMessage::NewTrafficFilter(message);
        self.request(message, NLM_F_CREATE | NLM_F_EXCL).map(drop)
    }

    /// Removes the filter at our place.
    ///
    /// # Errors
    /// There is none, or the kernel refuses.
    pub fn remove_filter(&self, index: u32, direction: Direction) -> Result<()> {
        let place = our_place(index, direction);
        let message = RouteNetlinkMessage::DelTrafficFilter(place);
        self.request(message, 0).map(drop)
    }

    /// Adds the clsact queueing discipline. Returns whether it was missing.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn add_clsact(&self, index: u32) -> Result<bool> {
        let mut message = clsact(index);
        message.attributes = vec![TcAttribute::Kind(CLSACT.into())];
        let message = RouteNetlinkMessage::NewQueueDiscipline(message);
        match self.request(message, NLM_F_CREATE | NLM_F_EXCL) {
            Ok(_) => Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes the clsact queueing discipline if no filter is in it.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn remove_unused_clsact(&self, index: u32) -> Result<()> {
        for direction in [Direction::Ingress, Direction::Egress] {
            if !self.filters(index, direction)?.is_empty() {
                return Ok(());
            }
        }
        let message = RouteNetlinkMessage::DelQueueDiscipline(clsact(index));
        self.request(message, 0).map(drop)
    }
}

/// A message about the clsact queueing discipline of an interface.
fn clsact(index: u32) -> TcMessage {
    let mut message = about(index);
    message.header.parent = TcHandle::CLSACT;
    message.header.handle = CLSACT_HANDLE;
    message
}
