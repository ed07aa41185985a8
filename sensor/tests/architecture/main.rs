//! The direction of imports, which is the direction of data (see `docs/ARCHITECTURE.md`), and no circle
//! between files. Read from the syntax tree: a comment imports nothing, and no spelling escapes.

mod circles;
mod imports;
mod modules;
mod rooms;

use std::fs;
use std::path::{Path, PathBuf};

use circles::{circles, in_words};
use imports::{Imports, imports};
use modules::{Modules, Root, Sources};
use rooms::{OTHERS, PROGRAM, ROOMS, Room};

const ROOTS: [Root; 9] = [
    Root {
        name: Some("sensor_common"),
        file: "sensor-common/src/lib.rs",
    },
    Root {
        name: Some("sensor_ebpf"),
        file: "sensor-ebpf/src/lib.rs",
    },
    Root {
        name: None,
        file: "sensor-ebpf/src/main.rs",
    },
    Root {
        name: None,
        file: "sensor-ebpf/src/flood.rs",
    },
    Root {
        name: None,
        file: "sensor-ebpf/src/drops.rs",
    },
    Root {
        name: Some("sensor"),
        file: "sensor/src/lib.rs",
    },
    Root {
        name: None,
        file: "sensor/src/main.rs",
    },
    Root {
        name: None,
        file: "sensor/build/main.rs",
    },
    Root {
        name: None,
        file: "xtask/src/main.rs",
    },
];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All Rust files below a folder.
fn read(folder: &str, sources: &mut Sources) {
    for entry in fs::read_dir(workspace().join(folder)).expect("a folder") {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().display());
        if entry.file_type().expect("a type").is_dir() {
            read(&path, sources);
        } else if Path::new(&path)
            .extension()
            .is_some_and(|extension| extension == "rs")
        {
            let text = fs::read_to_string(entry.path()).expect("readable");
            sources.insert(path.into(), text);
        }
    }
}

fn sources() -> Sources {
    let mut sources = Sources::new();
    for folder in [
        "sensor-common/src",
        "sensor-ebpf/src",
        "sensor/build",
        "sensor/src",
        "xtask/src",
    ] {
        read(folder, &mut sources);
    }
    sources
}

/// Of a workspace written here.
fn of(files: &[(&str, &str)]) -> Imports {
    let sources = files
        .iter()
        .map(|(path, text)| (path.into(), (*text).into()))
        .collect();
    let root = Root {
        name: Some("house"),
        file: "src/lib.rs",
    };
    imports(&Modules::of(&sources, &[root]))
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = imports(&Modules::of(&sources(), &ROOTS));
    let found = circles(&imports);
    let text: Vec<String> = found
        .iter()
        .map(|circle| in_words(&imports, circle))
        .collect();
    assert!(
        found.is_empty(),
        "{} circles:\n\n{}",
        found.len(),
        text.join("\n")
    );
}

/// The room of a file: the first whose path it begins with.
fn room<'r>(rooms: &'r [Room], file: &Path) -> Option<&'r Room> {
    rooms.iter().find(|room| file.starts_with(room.path))
}

fn check_direction(imports: &Imports, rooms: &[Room]) {
    let mut wrong = Vec::new();
    for (from, to) in imports {
        let Some(from_room) = room(rooms, from) else {
            continue;
        };
        for (to, import) in to {
            let Some(to_room) = room(rooms, to) else {
                continue;
            };
            let same = from_room.path == to_room.path;
            if !same && !from_room.may_import.contains(&to_room.name) {
                wrong.push(format!(
                    "{}:{} imports {} of {}, which does not lie before {}",
                    from.display(),
                    import.line,
                    import.path,
                    to_room.name,
                    from_room.name
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_point_backwards_along_the_way_of_the_data() {
    let imports = imports(&Modules::of(&sources(), &ROOTS));
    check_direction(&imports, &ROOMS);
    check_direction(&imports, &PROGRAM);
}

#[test]
fn every_file_is_a_module_of_a_crate_and_has_a_room() {
    let sources = sources();
    let imports = imports(&Modules::of(&sources, &ROOTS));
    for file in sources.keys() {
        assert!(
            imports.contains_key(file),
            "{} is no module",
            file.display()
        );
        let has_room = room(&ROOMS, file).is_some() || room(&PROGRAM, file).is_some();
        assert!(
            has_room || OTHERS.iter().any(|other| file.starts_with(other)),
            "{} is in no table of this test",
            file.display()
        );
    }
    for room in ROOMS.iter().chain(&PROGRAM) {
        let is_there = sources.keys().any(|file| file.starts_with(room.path));
        assert!(is_there, "{} has no files", room.path);
    }
}

#[test]
fn the_packet_program_knows_no_aya_and_no_unsafe_code() {
    for (file, text) in sources() {
        if room(&PROGRAM, &file).is_some() {
            assert!(!text.contains("aya"), "{}", file.display());
        }
    }
    let library = fs::read_to_string(workspace().join("sensor-ebpf/src/lib.rs")).expect("readable");
    assert!(library.contains("#![forbid(unsafe_code)]"));
}

/// Every spelling of an import that this project could use.
#[test]
fn each_way_to_name_another_file_is_an_import() {
    let spellings = [
        "use crate::a::Thing;",
        "use super::a::Thing;",
        "use super::{a::Thing, other};",
        "use crate::{other, a::{inner::{self}, Thing}};",
        "use crate::a as renamed;",
        "use super::a::*;",
        "use house::a::Thing;",
        "fn f() -> u32 { crate::a::thing() }",
        "fn f() { use super::a; }",
        "fn f(of: &super::a::Thing) {}",
        "fn f() { println!(\"{}\", crate::a::thing()); }",
        "impl Into<Vec<crate::a::Thing>> for u8 {}",
        "mod tests { use super::super::a::Thing; }",
        "mod tests { fn f() { crate::a::thing(); } }",
        "#[derive(Clone)] struct S(Box<dyn Fn() -> super::a::Thing>);",
    ];
    for text in spellings {
        let imports = of(&[
            ("src/lib.rs", "pub mod a; pub mod b; pub mod other;"),
            ("src/a/mod.rs", "pub mod inner { pub struct Deep; }"),
            ("src/b.rs", text),
            ("src/other.rs", ""),
        ]);
        let imported = &imports[Path::new("src/b.rs")];
        assert!(imported.contains_key(Path::new("src/a/mod.rs")), "{text}");
    }
    let none = of(&[
        ("src/lib.rs", "mod a; mod b;"),
        ("src/a.rs", ""),
        (
            "src/b.rs",
            "//! See [`crate::a`].\n#[cfg(doc)] use crate::a::Thing; fn f(a: u8) -> u8 { a }",
        ),
    ]);
    assert!(none[Path::new("src/b.rs")].is_empty());
}

#[test]
fn circles_are_found_inside_a_room_and_along_any_way() {
    let imports = of(&[
        ("src/lib.rs", "mod room; mod far;"),
        (
            "src/room/mod.rs",
            "mod one; mod two; pub struct Shared; fn f() { one::parse(); }",
        ),
        ("src/room/one.rs", "use super::two;"),
        ("src/room/two.rs", "use super::{Shared};"),
        ("src/far.rs", "use crate::room::Shared;"),
    ]);
    let found = circles(&imports);
    let circle = ["src/room/mod.rs", "src/room/one.rs", "src/room/two.rs"].map(PathBuf::from);
    assert_eq!(found, [circle.to_vec()].into());
    let text = in_words(&imports, &circle);
    assert!(
        text.contains("src/room/two.rs:1 uses src/room/mod.rs (super::Shared)"),
        "{text}"
    );
}
