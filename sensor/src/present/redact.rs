//! Masks addresses and names: the same one always becomes the same mask.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::Value;

use crate::incident::Record;

/// What stands for what.
#[derive(Default)]
struct Masks {
    known: BTreeMap<String, String>,
    addresses: usize,
}

/// A record in which no address and no name is left.
///
/// # Errors
/// The record has a form that it cannot have.
pub fn redact(record: &Record) -> serde_json::Result<Record> {
    let mut masks = Masks::default();
    if let Some(server) = &record.server {
        masks.known.insert(server.clone(), "the-server".into());
    }
    let mut record = record.clone();
    // It ends with the address.
    record.id = format!("{}-redacted", record.detected_ms);
    for (number, party) in record.names.iter_mut().enumerate() {
        let mask = format!("name-{}", number + 1);
        // One label alone may be any word of a sentence, or of the sensor's own.
        if party.who.contains('.') {
            masks.known.insert(party.who.clone(), mask.clone());
        }
        party.who = mask;
    }
    let mut value = serde_json::to_value(&record)?;
    masks.walk(&mut value);
    serde_json::from_value(value)
}

impl Masks {
    fn walk(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.walk(field)),
            _ => {}
        }
    }

    /// Each word that is a known name, an address or a network.
    fn text(&mut self, text: &str) -> String {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".:/-_\\%".contains(c);
        let mut masked = String::new();
        let mut rest = text;
        while !rest.is_empty() {
            let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(word);
            masked.push_str(&self.word(word));
            let other = behind.find(is_part).unwrap_or(behind.len());
            let (between, next) = behind.split_at(other);
            masked.push_str(between);
            rest = next;
        }
        masked
    }

    /// The longest beginning of a word that is to be masked: a sentence may end with it, and so may an
    /// address end with a colon.
    fn word(&mut self, word: &str) -> String {
        let mut bare = word;
        loop {
            if let Some(mask) = self.mask(bare) {
                return format!("{mask}{}", &word[bare.len()..]);
            }
            match bare.strip_suffix(['.', ':', '/', '-']) {
                Some(shorter) => bare = shorter,
                None => return word.into(),
            }
        }
    }

    fn mask(&mut self, word: &str) -> Option<String> {
        if let Some(mask) = self.known.get(word) {
            return Some(mask.clone());
        }
        let (address, bits) = match word.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (word, None),
        };
        address.parse::<IpAddr>().ok()?;
        let kind = match bits {
            None => "address",
            Some(bits) => {
                bits.parse::<u8>().ok()?;
                "network"
            }
        };
        self.addresses += 1;
        let mask = format!("{kind}-{}", self.addresses);
        self.known.insert(word.into(), mask.clone());
        Some(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_networks_and_names_are_masked_and_nothing_else() {
        let mut masks = Masks::default();
        masks
            .known
            .insert("www.example.org".into(), "name-1".into());
        masks.known.insert("192.0.2.53".into(), "the-server".into());
        assert_eq!(
            masks.text(
                "192.0.2.53 and 2001:db8::7, 10.1.0.0/24: www.example.org. 99.5 % at 12:30:01"
            ),
            "the-server and address-1, network-2: name-1. 99.5 % at 12:30:01"
        );
        assert_eq!(masks.text("again 2001:db8::7."), "again address-1.");
        assert_eq!(
            masks.text("2001:db8:: and 2001:db8::, 2001:db8::: fe80::/10. ::1"),
            "address-3 and address-3, address-3: network-4. address-5"
        );
    }
}
