//! DNS messages.

/// A question, and how it is put.
#[derive(Clone, Debug)]
pub struct Question {
    pub id: u16,
    pub opcode: u8,
    pub name: String,
    pub qtype: u16,
    /// UDP payload size in the OPT record; 0 for none.
    pub edns: u16,
    pub dnssec: bool,
}

const RESPONSE: u16 = 0x8000;
const TRUNCATED: u16 = 0x0200;
const RECURSION: u16 = 0x0100;
const RECURSION_AVAILABLE: u16 = 0x0080;
const AUTHORITATIVE: u16 = 0x0400;
const OPT: usize = 11;

impl Question {
    /// What a server may send back over UDP.
    pub fn limit(&self) -> usize {
        usize::from(self.edns.max(512))
    }

    fn header(&self, flags: u16, counts: [u16; 3]) -> Vec<u8> {
        let flags = flags | u16::from(self.opcode) << 11;
        let mut message = Vec::with_capacity(64);
        let [answers, authority, additional] = counts;
        for word in [self.id, flags, 1, answers, authority, additional] {
            message.extend(word.to_be_bytes());
        }
        for label in self.name.split('.').filter(|label| !label.is_empty()) {
            let label = &label.as_bytes()[..label.len().min(63)];
            message.push(label.len() as u8);
            message.extend(label);
        }
        message.push(0);
        message.extend(self.qtype.to_be_bytes());
        message.extend(1_u16.to_be_bytes());
        message
    }

    fn add_opt(&self, message: &mut Vec<u8>) {
        if self.edns != 0 {
            message.extend([0, 0, 41]);
            message.extend(self.edns.to_be_bytes());
            message.extend([0, 0, if self.dnssec { 0x80 } else { 0 }, 0, 0, 0]);
        }
    }

    /// As the client sends it.
    pub fn query(&self) -> Vec<u8> {
        let mut message = self.header(RECURSION, [0, 0, u16::from(self.edns != 0)]);
        self.add_opt(&mut message);
        message
    }

    /// As the server answers: with an address, or with text up to `size` bytes of the message; `keeps` the zone.
    pub fn answer(&self, rcode: u8, size: usize, truncated: bool, keeps: bool) -> Vec<u8> {
        let mut flags = RESPONSE | RECURSION | u16::from(rcode);
        flags |= match (keeps, rcode) {
            (true, 0 | 3) => AUTHORITATIVE,
            (true, _) => 0,
            (false, _) => RECURSION_AVAILABLE,
        };
        if truncated {
            flags |= TRUNCATED;
        }
        let has_record = rcode == 0 && !truncated;
        let counts = [u16::from(has_record), 0, u16::from(self.edns != 0)];
        let mut message = self.header(flags, counts);
        if has_record {
            let rest = if self.edns == 0 { 0 } else { OPT };
            let data = size.saturating_sub(message.len() + 12 + rest);
            message.extend([0xc0, 12]);
            if data < 5 {
                // An address.
                message.extend([0, 1, 0, 1, 0, 0, 1, 0, 0, 4, 192, 0, 2, 80]);
            } else {
                message.extend([0, 16, 0, 1, 0, 0, 1, 0]);
                message.extend((data as u16).to_be_bytes());
                let mut left = data;
                while left > 0 {
                    let text = (left - 1).min(255);
                    message.push(text as u8);
                    message.resize(message.len() + text, b'x');
                    left -= text + 1;
                }
            }
        }
        self.add_opt(&mut message);
        message
    }
}
