//! The kernel's description of its own types (Documentation/bpf/btf.rst): as much of it as it takes to find where a
//! field lies and what the numbers of an enumeration mean.

use std::path::Path;

/// Where the kernel has it.
const FILE: &str = "/sys/kernel/btf/vmlinux";

const MAGIC: u16 = 0xeb9f;
/// Header as it was in all versions.
const HEADER: usize = 24;
const TYPE: usize = 12;

const POINTER: u8 = 2;
const STRUCT: u8 = 4;
const UNION: u8 = 5;
const ENUM: u8 = 6;
const TYPEDEF: u8 = 8;
const VOLATILE: u8 = 9;
const CONST: u8 = 10;
const RESTRICT: u8 = 11;
const FUNCTION: u8 = 13;
const TYPE_TAG: u8 = 18;

/// Anonymous structures within each other, and qualifiers in a row, that are followed.
const DEPTH: usize = 16;

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BtfError {
    /// There is none.
    #[error("this kernel does not describe its types ({FILE}: {0})")]
    Unreadable(String),
    /// It is of another shape than this can read.
    #[error("the kernel's description of its types is damaged or of an unknown version ({0})")]
    Damaged(&'static str),
    /// The kernel has no such thing.
    #[error("this kernel has no {0}")]
    Missing(String),
}

/// See the module.
pub struct Btf {
    bytes: Vec<u8>,
    strings: usize,
    /// Where each type begins; the first is 1, 0 is `void`.
    types: Vec<usize>,
}

/// A type as it is described.
#[derive(Clone, Copy)]
struct Type {
    at: usize,
    name: u32,
    kind: u8,
    /// Members, values or parameters behind it.
    many: usize,
    /// Bit fields have their size in the offset.
    flag: bool,
    /// Size in bytes, or another type.
    word: u32,
}

impl Btf {
    /// Of the kernel that runs.
    ///
    /// # Errors
    /// It describes nothing, or in another way.
    pub fn of_kernel() -> Result<Self, BtfError> {
        let bytes = std::fs::read(Path::new(FILE))
            .map_err(|error| BtfError::Unreadable(error.to_string()))?;
        Self::parse(bytes)
    }

    /// Of bytes in this machine's order.
    ///
    /// # Errors
    /// They are no such description.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, BtfError> {
        let mut btf = Self {
            bytes,
            strings: 0,
            types: vec![0],
        };
        let magic = btf.bytes.get(..2).map(|m| u16::from_ne_bytes([m[0], m[1]]));
        if magic != Some(MAGIC) {
            return Err(BtfError::Damaged("its first bytes"));
        }
        let word = |at: usize| btf.word(at).map(|word| word as usize);
        let header = word(4)?;
        if header < HEADER {
            return Err(BtfError::Damaged("its header"));
        }
        let (mut at, length) = (header + word(8)?, word(12)?);
        btf.strings = header + word(16)?;
        let end = at + length;
        while at < end {
            btf.types.push(at);
            let of = btf.read(at)?;
            let each = match of.kind {
                // Integers, variables, tags of declarations.
                1 | 14 | 17 => 4,
                3 => 12,
                STRUCT | UNION | 15 | 19 => 12 * of.many,
                ENUM | FUNCTION => 8 * of.many,
                POINTER | 7..=12 | 16 | TYPE_TAG => 0,
                _ => return Err(BtfError::Damaged("a type of an unknown kind")),
            };
            at += TYPE + each;
        }
        Ok(btf)
    }

    fn word(&self, at: usize) -> Result<u32, BtfError> {
        let bytes = self.bytes.get(at..at + 4);
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes
            .map(u32::from_ne_bytes)
            .ok_or(BtfError::Damaged("it is cut off"))
    }

    fn read(&self, at: usize) -> Result<Type, BtfError> {
        let info = self.word(at + 4)?;
        Ok(Type {
            at,
            name: self.word(at)?,
            kind: (info >> 24 & 0x1f) as u8,
            many: (info & 0xffff) as usize,
            flag: info >> 31 != 0,
            word: self.word(at + 8)?,
        })
    }

    fn by_id(&self, id: u32) -> Result<Type, BtfError> {
        let at = self.types.get(id as usize).filter(|at| **at != 0);
        self.read(*at.ok_or(BtfError::Damaged("a type that is not there"))?)
    }

    fn name(&self, offset: u32) -> &str {
        let bytes = self.bytes.get(self.strings + offset as usize..);
        let bytes = bytes.unwrap_or_default();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(0);
        std::str::from_utf8(&bytes[..end]).unwrap_or_default()
    }

    /// The type of a name and kind that is defined: an enumeration may be declared elsewhere, too.
    fn find(&self, name: &str, kinds: &[u8]) -> Result<Type, BtfError> {
        for at in &self.types[1..] {
            let of = self.read(*at)?;
            let defined = of.many != 0 || of.kind == TYPEDEF;
            if defined && kinds.contains(&of.kind) && self.name(of.name) == name {
                return Ok(of);
            }
        }
        Err(BtfError::Missing(name.into()))
    }

    /// Behind names and qualifiers.
    fn plain(&self, id: u32) -> Result<Type, BtfError> {
        let mut of = self.by_id(id)?;
        for _ in 0..DEPTH {
            if !matches!(of.kind, TYPEDEF | VOLATILE | CONST | RESTRICT | TYPE_TAG) {
                break;
            }
            of = self.by_id(of.word)?;
        }
        Ok(of)
    }

    /// Offset in bytes of a field of a structure, or of a field of its fields: `["ns", "inum"]`.
    ///
    /// # Errors
    /// There is no such structure or field.
    pub fn offset(&self, structure: &str, path: &[&str]) -> Result<u32, BtfError> {
        let missing = || BtfError::Missing(format!("field {structure}.{}", path.join(".")));
        let mut of = self.find(structure, &[STRUCT, UNION])?;
        let mut sum = 0;
        for (depth, field) in path.iter().enumerate() {
            if depth != 0 && !matches!(of.kind, STRUCT | UNION) {
                return Err(missing());
            }
            let (bits, id) = self.member(&of, field, DEPTH)?.ok_or_else(missing)?;
            sum += bits / 8;
            if depth + 1 < path.len() {
                of = self.plain(id)?;
            }
        }
        Ok(sum)
    }

    /// Offset in bits of a member, and its type; also of anonymous members.
    fn member(&self, of: &Type, name: &str, depth: usize) -> Result<Option<(u32, u32)>, BtfError> {
        for number in 0..of.many {
            let at = of.at + TYPE + 12 * number;
            let (own, id) = (self.word(at)?, self.word(at + 4)?);
            let offset = self.word(at + 8)?;
            let bits = if of.flag { offset & 0xff_ffff } else { offset };
            if self.name(own) == name {
                return Ok(Some((bits, id)));
            }
            if own == 0 && depth != 0 {
                let inner = self.plain(id)?;
                if matches!(inner.kind, STRUCT | UNION)
                    && let Some((more, id)) = self.member(&inner, name, depth - 1)?
                {
                    return Ok(Some((bits + more, id)));
                }
            }
        }
        Ok(None)
    }

    /// Names and numbers of an enumeration.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn values(&self, enumeration: &str) -> Result<Vec<(u32, String)>, BtfError> {
        let of = self.find(enumeration, &[ENUM])?;
        let values = (0..of.many).map(|number| {
            let at = of.at + TYPE + 8 * number;
            Ok((self.word(at + 4)?, self.name(self.word(at)?).to_string()))
        });
        values.collect()
    }

    /// Arguments of a raw tracepoint. The first parameter of its function is no argument.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn arguments(&self, tracepoint: &str) -> Result<usize, BtfError> {
        let name = format!("btf_trace_{tracepoint}");
        let pointer = self.plain(self.find(&name, &[TYPEDEF])?.word)?;
        let function = self.plain(pointer.word)?;
        if pointer.kind != POINTER || function.kind != FUNCTION {
            return Err(BtfError::Missing(format!("tracepoint {tracepoint}")));
        }
        Ok(function.many.saturating_sub(1))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// Writes a description, type by type.
    #[derive(Default)]
    pub struct Writer {
        types: Vec<u8>,
        strings: Vec<u8>,
        next: u32,
    }

    impl Writer {
        fn name(&mut self, name: &str) -> u32 {
            if self.strings.is_empty() {
                self.strings.push(0);
            }
            if name.is_empty() {
                return 0;
            }
            let at = self.strings.len() as u32;
            self.strings.extend(name.as_bytes());
            self.strings.push(0);
            at
        }

        fn words(&mut self, words: &[u32]) {
            for word in words {
                self.types.extend(word.to_ne_bytes());
            }
        }

        fn add(&mut self, name: &str, kind: u8, many: usize, word: u32) -> u32 {
            let name = self.name(name);
            self.words(&[name, u32::from(kind) << 24 | many as u32, word]);
            self.next += 1;
            self.next
        }

        pub fn integer(&mut self, name: &str) -> u32 {
            let id = self.add(name, 1, 0, 4);
            self.words(&[32]);
            id
        }

        pub fn pointer(&mut self, to: u32) -> u32 {
            self.add("", POINTER, 0, to)
        }

        pub fn named(&mut self, name: &str, to: u32) -> u32 {
            self.add(name, TYPEDEF, 0, to)
        }

        fn of_members(&mut self, kind: u8, name: &str, members: &[(&str, u32, u32)]) -> u32 {
            let id = self.add(name, kind, members.len(), 0);
            for (name, of, bytes) in members {
                let name = self.name(name);
                self.words(&[name, *of, bytes * 8]);
            }
            id
        }

        /// Members are a name, a type and an offset in bytes.
        pub fn structure(&mut self, name: &str, members: &[(&str, u32, u32)]) -> u32 {
            self.of_members(STRUCT, name, members)
        }

        pub fn union(&mut self, name: &str, members: &[(&str, u32, u32)]) -> u32 {
            self.of_members(UNION, name, members)
        }

        pub fn enumeration(&mut self, name: &str, values: &[(&str, u32)]) -> u32 {
            let id = self.add(name, ENUM, values.len(), 4);
            for (name, value) in values {
                let name = self.name(name);
                self.words(&[name, *value]);
            }
            id
        }

        pub fn function(&mut self, parameters: &[u32]) -> u32 {
            let id = self.add("", FUNCTION, parameters.len(), 0);
            for of in parameters {
                self.words(&[0, *of]);
            }
            id
        }

        pub fn bytes(mut self) -> Vec<u8> {
            self.name("");
            let mut bytes = Vec::from(MAGIC.to_ne_bytes());
            bytes.extend([1, 0]);
            let (types, strings) = (self.types.len() as u32, self.strings.len() as u32);
            for word in [HEADER as u32, 0, types, types, strings] {
                bytes.extend(word.to_ne_bytes());
            }
            bytes.extend(self.types);
            bytes.extend(self.strings);
            bytes
        }
    }

    #[test]
    fn fields_of_anonymous_members_and_of_fields_are_found() {
        let mut writer = Writer::default();
        let int = writer.integer("int");
        let inner = writer.union("", &[("a", int, 0), ("b", int, 0)]);
        let outer = writer.structure("", &[("x", int, 0), ("", inner, 8)]);
        let named = writer.structure("named", &[("number", int, 12)]);
        let again = writer.named("again_t", named);
        writer.structure("all", &[("", outer, 16), ("of", again, 40)]);
        let btf = Btf::parse(writer.bytes()).expect("a description");
        assert_eq!(btf.offset("all", &["b"]), Ok(24));
        assert_eq!(btf.offset("all", &["of"]), Ok(40));
        assert_eq!(btf.offset("all", &["of", "number"]), Ok(52));
        let missing = btf.offset("all", &["of", "nothing"]);
        assert_eq!(
            missing.expect_err("no such field").to_string(),
            "this kernel has no field all.of.nothing"
        );
        assert!(btf.offset("all", &["b", "c"]).is_err());
        assert!(btf.offset("none", &["b"]).is_err());
    }

    #[test]
    fn an_enumeration_that_is_only_declared_is_passed_over() {
        let mut writer = Writer::default();
        writer.enumeration("reasons", &[]);
        writer.enumeration("reasons", &[("NONE", 0), ("SOME", 7)]);
        let btf = Btf::parse(writer.bytes()).expect("a description");
        let values = btf.values("reasons").expect("an enumeration");
        assert_eq!(values, [(0, "NONE".to_string()), (7, "SOME".to_string())]);
    }

    #[test]
    fn what_is_cut_off_is_an_error_and_no_panic() {
        let mut writer = Writer::default();
        let int = writer.integer("int");
        writer.structure("all", &[("a", int, 0), ("b", int, 4)]);
        let bytes = writer.bytes();
        for length in 0..bytes.len() {
            if let Ok(btf) = Btf::parse(bytes[..length].to_vec()) {
                let _ = btf.offset("all", &["b"]);
                let _ = btf.values("all");
            }
        }
        let mut other = bytes;
        other[0] ^= 1;
        assert!(Btf::parse(other).is_err());
    }
}
