//! Addresses and names in what failures have in common.

use super::masks::Masks;
use crate::incident::diagnosis::contrast::{Contrast, Property};

/// Masks its value.
pub fn mask(common: &mut Contrast, masks: &mut Masks) {
    let Contrast {
        property,
        value,
        of_failures: _,
        rest_ok: _,
        denied: _,
        slow: _,
    } = common;
    match property {
        Property::NameBelow | Property::Unit => masks.name(value),
        // Several, with commas and how many more.
        Property::ClientNetwork => masks.text(value),
        Property::ThisHost | Property::QuestionType | Property::Edns | Property::LargeAnswer => {}
    }
}
