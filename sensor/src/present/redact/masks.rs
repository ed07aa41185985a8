//! What stands for what.

use std::collections::BTreeMap;
use std::net::IpAddr;

/// Masks that were given.
#[derive(Default)]
pub struct Masks {
    known: BTreeMap<String, String>,
    addresses: usize,
    names: usize,
}

impl Masks {
    /// The server that the record is about.
    pub fn server(&mut self, server: &mut String) {
        let mask = "the-server".to_string();
        self.known
            .insert(std::mem::replace(server, mask.clone()), mask);
    }

    /// A field that is an address or a network, whatever is in it.
    pub fn address(&mut self, address: &mut String) {
        let kind = if address.contains('/') {
            "network"
        } else {
            "address"
        };
        let mask = self
            .known
            .get(address.as_str())
            .cloned()
            .unwrap_or_else(|| {
                self.addresses += 1;
                format!("{kind}-{}", self.addresses)
            });
        self.known
            .insert(std::mem::replace(address, mask.clone()), mask);
    }

    /// A field that is a name.
    pub fn name(&mut self, name: &mut String) {
        let mask = self.known.get(name.as_str()).cloned().unwrap_or_else(|| {
            self.names += 1;
            format!("name-{}", self.names)
        });
        self.known
            .insert(std::mem::replace(name, mask.clone()), mask);
    }

    /// A text: each word in it that is a known name, an address, a network, or looks like a name.
    pub fn text(&mut self, text: &mut String) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || ".:/-_\\%".contains(c);
        let mut masked = String::new();
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let word = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            let (word, behind) = rest.split_at(word);
            masked.push_str(&self.word(word));
            let other = behind.find(is_part).unwrap_or(behind.len());
            let (between, next) = behind.split_at(other);
            masked.push_str(between);
            rest = next;
        }
        *text = masked;
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
        let known = self.known.get(word).filter(|_| word.contains(['.', ':']));
        if let Some(mask) = known {
            return Some(mask.clone());
        }
        let mut masked = word.to_string();
        if is_address(word) {
            self.address(&mut masked);
        } else if is_name(word) {
            self.name(&mut masked);
        } else {
            return None;
        }
        Some(masked)
    }
}

fn is_address(word: &str) -> bool {
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (word, None),
    };
    address.parse::<IpAddr>().is_ok() && bits.is_none_or(|bits| bits.parse::<u8>().is_ok())
}

/// Labels with points between them, the last of which begins with a letter: no number with its unit does.
fn is_name(word: &str) -> bool {
    let Some((first, last)) = word.rsplit_once('.') else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_\\".contains(c))
    };
    last.starts_with(|c: char| c.is_ascii_alphabetic())
        && is_label(last)
        && first.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(masks: &mut Masks, text: &str) -> String {
        let mut text = text.to_string();
        masks.text(&mut text);
        text
    }

    #[test]
    fn addresses_networks_and_names_are_masked_and_nothing_else() {
        let mut masks = Masks::default();
        masks.name(&mut "www.example.org".into());
        masks.server(&mut "192.0.2.53".into());
        assert_eq!(
            masked(
                &mut masks,
                "192.0.2.53 and 2001:db8::7, 10.1.0.0/24: www.example.org. 99.5 % at 12:30:01"
            ),
            "the-server and address-1, network-2: name-1. 99.5 % at 12:30:01"
        );
        assert_eq!(masked(&mut masks, "again 2001:db8::7."), "again address-1.");
        assert_eq!(
            masked(
                &mut masks,
                "2001:db8:: and 2001:db8::, 2001:db8::: fe80::/10. ::1"
            ),
            "address-3 and address-3, address-3: network-4. address-5"
        );
    }

    #[test]
    fn a_name_that_no_field_has_is_masked_as_well() {
        let mut masks = Masks::default();
        assert_eq!(
            masked(
                &mut masks,
                "40 names a second below victim.example fail; within 3.0s, 1.5 s"
            ),
            "40 names a second below name-1 fail; within 3.0s, 1.5 s"
        );
    }

    #[test]
    fn a_field_is_masked_whatever_is_in_it() {
        let mut masks = Masks::default();
        for field in ["open", "localhost", "fe80::1%eth0", ""] {
            let mut address = field.to_string();
            masks.address(&mut address);
            assert!(address.starts_with("address-"), "{address}");
            let mut name = format!("{field}-name");
            masks.name(&mut name);
            assert!(name.starts_with("name-"), "{name}");
        }
        // A word of the sensor's own that is somebody's name as well stays a word.
        assert_eq!(masked(&mut masks, "it is open"), "it is open");
    }
}
