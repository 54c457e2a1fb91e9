//! Reads which file of a package imports which: `use` lines and paths in the code, re-exports followed to where an item
//! is defined, tests left out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};
use syn::{Attribute, Item, UseTree, visit::Visit};

/// A module's path from the root of its package.
type Module = Vec<String>;

/// The files of a package, and what each imports.
pub struct Package {
    /// By their path below the package's source folder.
    pub files: BTreeSet<String>,
    /// File, and the file it imports.
    pub edges: BTreeSet<(String, String)>,
    /// File, and the outside library it names.
    pub libraries: BTreeSet<(String, String)>,
}

/// A module as it stands in its file.
struct Source {
    file: String,
    children: BTreeSet<String>,
    /// Names that `use` lines bring in, each with its path as written.
    names: BTreeMap<String, Vec<String>>,
    paths: BTreeSet<Vec<String>>,
}

impl Package {
    /// Reads all files below `folder`, the sources of the package that its own binary calls `name`.
    pub fn read(folder: &Path, name: &str) -> Self {
        let mut modules = BTreeMap::new();
        read_folder(folder, folder, &mut modules);
        let files = modules.values().map(|source| source.file.clone()).collect();
        let (mut edges, mut libraries) = (BTreeSet::new(), BTreeSet::new());
        for (module, source) in &modules {
            for path in &source.paths {
                match resolve(&modules, name, module, path, 0) {
                    Some(target) if target != source.file => drop(edges.insert((source.file.clone(), target))),
                    Some(_) => {}
                    None => drop(libraries.insert((source.file.clone(), path[0].clone()))),
                }
            }
        }
        Self { files, edges, libraries }
    }

    /// The first module on the way to `file`.
    pub fn top_module<'a>(&self, file: &'a str) -> &'a str {
        file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
    }
}

fn read_folder(root: &Path, folder: &Path, modules: &mut BTreeMap<Module, Source>) {
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_folder(root, &path, modules);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let file = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            if file == "main.rs" || file.ends_with("tests.rs") {
                continue;
            }
            let mut module: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if matches!(module.last().unwrap().as_str(), "mod" | "lib") {
                module.pop();
            }
            modules.insert(module, parse(&fs::read_to_string(&path).unwrap(), file));
        }
    }
}

fn parse(text: &str, file: String) -> Source {
    let mut source = Source { file, children: BTreeSet::new(), names: BTreeMap::new(), paths: BTreeSet::new() };
    let parsed = syn::parse_file(text).unwrap();
    for item in parsed.items.iter().filter(|item| !is_test(attributes(item))) {
        source.visit_item(item);
    }
    source
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => &[],
    }
}

fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Path>().is_ok_and(|path| path.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if module.content.is_none() {
            self.children.insert(module.ident.to_string());
        }
        syn::visit::visit_item_mod(self, module);
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&item.tree, &mut Vec::new());
    }

    /// `pub(in crate::a)` imports nothing.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<_> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if segments.len() > 1 {
            self.paths.insert(segments);
        }
        syn::visit::visit_path(self, path);
    }
}

impl Source {
    fn add_tree(&mut self, tree: &UseTree, above: &mut Vec<String>) {
        match tree {
            UseTree::Path(path) => {
                above.push(path.ident.to_string());
                self.add_tree(&path.tree, above);
                above.pop();
            }
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(tree, above)),
            UseTree::Name(name) if name.ident == "self" => self.add(above.last().unwrap().clone(), above.clone()),
            UseTree::Name(name) => self.add(name.ident.to_string(), [&above[..], &[name.ident.to_string()]].concat()),
            UseTree::Rename(name) => {
                self.add(name.rename.to_string(), [&above[..], &[name.ident.to_string()]].concat());
            }
            UseTree::Glob(_) => drop(self.paths.insert(above.clone())),
        }
    }

    fn add(&mut self, name: String, path: Vec<String>) {
        self.paths.insert(path.clone());
        self.names.insert(name, path);
    }
}

/// The file where the item of `path`, written in `module`, is defined; none for one of an outside library.
fn resolve(
    modules: &BTreeMap<Module, Source>,
    package: &str,
    module: &Module,
    path: &[String],
    depth: usize,
) -> Option<String> {
    let source = &modules[module];
    let mut here = module.clone();
    let mut rest = path;
    match path[0].as_str() {
        "crate" => here.clear(),
        name if name == package && !source.children.contains(name) && !modules.contains_key(&vec![name.to_owned()]) => {
            here.clear();
        }
        "self" => {}
        "super" => drop(here.pop()),
        name if source.children.contains(name) => here.push(name.to_owned()),
        name => {
            // A name that a `use` line brought in: that line is an import already.
            return source.names.contains_key(name).then(|| source.file.clone());
        }
    }
    rest = &rest[1..];
    while let Some(name) = rest.first() {
        let current = modules.get(&here)?;
        if name == "super" {
            here.pop();
        } else if current.children.contains(name) {
            here.push(name.clone());
        } else {
            return match current.names.get(name) {
                Some(path) if depth < 8 && here != *module => {
                    resolve(modules, package, &here, path, depth + 1).or_else(|| Some(current.file.clone()))
                }
                _ => Some(current.file.clone()),
            };
        }
        rest = &rest[1..];
    }
    modules.get(&here).map(|source| source.file.clone())
}

/// Groups of files that import each other in a circle.
pub fn circles(edges: &BTreeSet<(String, String)>) -> Vec<Vec<String>> {
    let graph = petgraph::graphmap::DiGraphMap::<&str, ()>::from_edges(
        edges.iter().map(|(from, to)| (from.as_str(), to.as_str())),
    );
    let groups = petgraph::algo::tarjan_scc(&graph).into_iter().filter(|group| group.len() > 1);
    groups.map(|group| group.into_iter().map(str::to_owned).collect()).collect()
}

#[test]
fn the_reader_follows_re_exports_and_sees_circles() {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod a;\nmod b;\npub use b::Thing;");
    write("a/mod.rs", "mod leaf;\npub use leaf::Leaf;\nuse crate::Thing;\nfn f() { ort::init() }");
    write("a/leaf.rs", "#[cfg(test)]\nuse super::f;\npub struct Leaf;");
    write("b.rs", "use crate::a::Leaf;\npub struct Thing;");
    let edges =
        |package: &Package| -> Vec<String> { package.edges.iter().map(|(from, to)| format!("{from} {to}")).collect() };
    let package = Package::read(folder.path(), "made_up");
    assert_eq!(edges(&package), ["a/mod.rs a/leaf.rs", "a/mod.rs b.rs", "b.rs a/leaf.rs", "lib.rs b.rs"]);
    assert!(package.libraries.contains(&("a/mod.rs".into(), "ort".into())));
    assert_eq!(circles(&package.edges), Vec::<Vec<String>>::new());

    write("a/leaf.rs", "pub struct Leaf;\nfn g() { super::f() }");
    let circle = circles(&Package::read(folder.path(), "made_up").edges);
    assert_eq!(circle.len(), 1, "{circle:?}");
    assert!(circle[0].contains(&"a/mod.rs".into()) && circle[0].contains(&"a/leaf.rs".into()), "{circle:?}");
}
