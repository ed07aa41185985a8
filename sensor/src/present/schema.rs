//! The version of what is written as JSON.

/// Version of all JSON objects. It rises when a field changes or goes, not when one is added.
pub const SCHEMA: u32 = 2;
