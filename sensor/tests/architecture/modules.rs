//! The modules of the workspace's crates: which file each lies in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use syn::{Attribute, Item, ItemMod, Meta};

/// Text of each source file, by its path from the workspace's root.
pub type Sources = BTreeMap<PathBuf, String>;

/// A crate's root file, and the name by which other crates import it (none of a binary).
#[derive(Clone, Copy)]
pub struct Root {
    /// As in `use name::...`.
    pub name: Option<&'static str>,
    /// From the workspace's root.
    pub file: &'static str,
}

/// Index of a module.
pub type Id = usize;

/// A file, or a `mod` with its items in braces.
pub struct Module {
    /// Where it is written.
    pub file: PathBuf,
    /// The module around it; its own where it is a root.
    pub parent: Id,
    /// The root of its crate.
    pub root: Id,
    /// Modules in it, by name.
    pub children: BTreeMap<String, Id>,
    /// What is written in it.
    pub items: Vec<Item>,
}

/// All modules, and the roots that other crates can import.
pub struct Modules {
    /// By [`Id`].
    pub all: Vec<Module>,
    /// Libraries by name.
    pub libraries: BTreeMap<String, Id>,
}

impl Modules {
    /// Reads the modules of each root.
    ///
    /// # Panics
    /// A file does not parse, or is missing.
    pub fn of(sources: &Sources, roots: &[Root]) -> Self {
        let mut modules = Self {
            all: Vec::new(),
            libraries: BTreeMap::new(),
        };
        for root in roots {
            let id = modules.all.len();
            let file = Path::new(root.file);
            modules.add_file(sources, file, id, id, file.parent().expect("a folder"));
            if let Some(name) = root.name {
                modules.libraries.insert(name.into(), id);
            }
        }
        modules
    }

    fn add_file(
        &mut self,
        sources: &Sources,
        file: &Path,
        parent: Id,
        root: Id,
        folder: &Path,
    ) -> Id {
        let text = sources
            .get(file)
            .unwrap_or_else(|| panic!("there is no {}", file.display()));
        let parsed =
            syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        self.add(sources, file, parsed.items, parent, root, folder)
    }

    /// `folder` is where the files of its modules lie.
    fn add(
        &mut self,
        sources: &Sources,
        file: &Path,
        items: Vec<Item>,
        parent: Id,
        root: Id,
        folder: &Path,
    ) -> Id {
        let id = self.all.len();
        self.all.push(Module {
            file: file.into(),
            parent,
            root,
            children: BTreeMap::new(),
            items: Vec::new(),
        });
        for item in &items {
            let Item::Mod(item) = item else { continue };
            let name = item.ident.to_string();
            let inside = folder.join(&name);
            let child = if let Some((_, items)) = &item.content {
                self.add(sources, file, items.clone(), id, root, &inside)
            } else {
                let (file, inside) = file_of(sources, item, file, folder);
                self.add_file(sources, &file, id, root, &inside)
            };
            self.all[id].children.insert(name, child);
        }
        self.all[id].items = items;
        id
    }
}

/// The file of `mod name;`, and the folder of what is in it.
fn file_of(sources: &Sources, item: &ItemMod, from: &Path, folder: &Path) -> (PathBuf, PathBuf) {
    if let Some(path) = path_attribute(&item.attrs) {
        let file = normal(&from.parent().expect("a folder").join(path));
        let folder = file.parent().expect("a folder").into();
        return (file, folder);
    }
    let inside = folder.join(item.ident.to_string());
    let flat = inside.with_extension("rs");
    if sources.contains_key(&flat) {
        (flat, inside)
    } else {
        (inside.join("mod.rs"), inside)
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| {
        let Meta::NameValue(pair) = &attribute.meta else {
            return None;
        };
        match &pair.value {
            syn::Expr::Lit(syn::ExprLit {
                lit: syn::Lit::Str(text),
                ..
            }) if pair.path.is_ident("path") => Some(text.value()),
            _ => None,
        }
    })
}

/// Without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        if part.as_os_str() == ".." {
            normal.pop();
        } else {
            normal.push(part);
        }
    }
    normal
}
