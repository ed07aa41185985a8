//! Which file names something of which other: by `use` in all its forms, by paths in types and
//! expressions, and by paths in the arguments of macros.

use std::collections::BTreeMap;
use std::path::PathBuf;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Macro, Path, UseTree};

use crate::modules::{Id, Modules};

/// Where a file names another, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// In the importing file.
    pub line: usize,
    /// As it is written.
    pub path: String,
}

/// For each file, the others that it names, with the first place where it does.
pub type Imports = BTreeMap<PathBuf, BTreeMap<PathBuf, Import>>;

/// All imports of a workspace.
pub fn imports(modules: &Modules) -> Imports {
    let mut imports = Imports::new();
    for (id, module) in modules.all.iter().enumerate() {
        imports.entry(module.file.clone()).or_default();
        let mut finder = Finder {
            modules,
            module: id,
            imports: &mut imports,
        };
        module.items.iter().for_each(|item| finder.visit_item(item));
    }
    imports
}

struct Finder<'m> {
    modules: &'m Modules,
    module: Id,
    imports: &'m mut Imports,
}

impl Finder<'_> {
    /// Takes a path down if it leads into another file. What has one segment only is a local name.
    fn note(&mut self, path: &[(String, usize)]) {
        let names: Vec<&str> = path.iter().map(|(name, _)| name.as_str()).collect();
        let Some(target) = self.resolve(&names) else {
            return;
        };
        let from = &self.modules.all[self.module].file;
        let to = &self.modules.all[target].file;
        if from != to {
            let import = Import {
                line: path[0].1,
                path: names.join("::"),
            };
            let of_file = self.imports.entry(from.clone()).or_default();
            of_file.entry(to.clone()).or_insert(import);
        }
    }

    /// The module that the last name of a path is looked up in, or that it is itself.
    fn resolve(&self, names: &[&str]) -> Option<Id> {
        let all = &self.modules.all;
        let mut names = names.iter();
        let first = *names.next()?;
        let mut at = match first {
            "crate" | "$crate" => all[self.module].root,
            "self" => self.module,
            "super" => all[self.module].parent,
            name => *all[self.module]
                .children
                .get(name)
                .or_else(|| self.modules.libraries.get(name))?,
        };
        for name in names {
            at = match (*name, all[at].children.get(*name)) {
                ("super", _) => all[at].parent,
                (_, Some(child)) => *child,
                // An item of that module, or what it imports itself.
                (_, None) => break,
            };
        }
        Some(at)
    }

    fn note_use(&mut self, tree: &UseTree, before: &[(String, usize)]) {
        let with = |ident: &syn::Ident| {
            let mut path = before.to_vec();
            // `use module::{self}` is the module.
            if ident != "self" || path.is_empty() {
                path.push((ident.to_string(), ident.span().start().line));
            }
            path
        };
        match tree {
            UseTree::Path(path) => self.note_use(&path.tree, &with(&path.ident)),
            UseTree::Name(name) => self.note(&with(&name.ident)),
            UseTree::Rename(rename) => self.note(&with(&rename.ident)),
            UseTree::Glob(_) => self.note(before),
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.note_use(tree, before);
                }
            }
        }
    }

    /// Paths in what a macro is given: names with `::` between them.
    fn note_tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<(String, usize)> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end_of(&mut path);
                    }
                    path.push((ident.to_string(), ident.span().start().line));
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Group(group) => {
                    self.end_of(&mut path);
                    self.note_tokens(group.stream());
                }
                _ => self.end_of(&mut path),
            }
        }
        self.end_of(&mut path);
    }

    fn end_of(&mut self, path: &mut Vec<(String, usize)>) {
        if path.len() > 1 {
            self.note(path);
        }
        path.clear();
    }
}

/// Only for links in the documentation.
fn is_for_doc(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Ident>()
                .is_ok_and(|what| what == "doc")
    })
}

impl<'a> Visit<'a> for Finder<'_> {
    fn visit_item(&mut self, item: &'a Item) {
        // A module in braces has its own turn.
        if !matches!(item, Item::Mod(_)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        if !is_for_doc(&item.attrs) {
            self.note_use(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'a Path) {
        let names: Vec<_> = path
            .segments
            .iter()
            .map(|segment| {
                let line = segment.ident.span().start().line;
                (segment.ident.to_string(), line)
            })
            .collect();
        if names.len() > 1 {
            self.note(&names);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'a Macro) {
        self.note_tokens(item.tokens.clone());
        visit::visit_macro(self, item);
    }
}
