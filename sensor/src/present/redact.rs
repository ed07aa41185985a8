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
    for (number, party) in record.names.iter().enumerate() {
        let mask = format!("name-{}", number + 1);
        masks.known.insert(party.who.clone(), mask);
    }
    let mut record = record.clone();
    // It ends with the address.
    record.id = format!("{}-redacted", record.detected_ms);
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

    fn word(&mut self, word: &str) -> String {
        if let Some(mask) = self.known.get(word) {
            return mask.clone();
        }
        // A sentence may end with it.
        let bare = word.trim_end_matches(['.', ':', '/', '-']);
        let (address, bits) = bare.split_once('/').unwrap_or((bare, ""));
        let is_address = address.parse::<IpAddr>().is_ok();
        if !is_address && !self.known.contains_key(bare) {
            return word.into();
        }
        let mask = if let Some(mask) = self.known.get(bare) {
            mask.clone()
        } else {
            self.addresses += 1;
            let kind = if bits.is_empty() {
                "address"
            } else {
                "network"
            };
            let mask = format!("{kind}-{}", self.addresses);
            self.known.insert(bare.into(), mask.clone());
            mask
        };
        format!("{mask}{}", &word[bare.len()..])
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
    }
}
