//! The crates that are shipped must compile with the Rust that they name. clippy reports the functions of the standard
//! library that are newer, but not the syntax: what newer compilers of the same edition take is found here. The
//! proof is a build with that very compiler: that of `integration/packages/debian` on Debian 13.

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr};

use crate::workspace;

/// The lines with a `let` in a chain of conditions, which Rust has from 1.88 on.
#[derive(Default)]
struct Chains(Vec<usize>);

impl<'ast> Visit<'ast> for Chains {
    fn visit_expr_binary(&mut self, binary: &'ast syn::ExprBinary) {
        let sides = [&binary.left, &binary.right];
        if matches!(binary.op, BinOp::And(_)) && sides.iter().any(|side| matches!(***side, Expr::Let(_))) {
            self.0.push(binary.span().start().line);
        }
        visit::visit_expr_binary(self, binary);
    }
}

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

fn chains(text: &str) -> Vec<usize> {
    let mut chains = Chains::default();
    chains.visit_file(&syn::parse_file(text).unwrap());
    chains.0
}

#[test]
fn chains_of_conditions_are_found() {
    assert_eq!(chains("fn f() {\n if a && let Some(b) = c {}\n}"), [2]);
    assert_eq!(chains("fn f() { while let Some(b) = c\n && d && e {} }"), [1]);
    assert!(chains("fn f() { if let Some(b) = (c && d) {} }").is_empty());
}

#[test]
fn what_is_shipped_has_no_chains_of_conditions() {
    let mut count = 0;
    for crates in ["bins/kmod", "crates/modutils", "crates/libkmod"] {
        for path in sources(&workspace::root().join(crates)) {
            let found = chains(&fs::read_to_string(&path).unwrap());
            assert!(found.is_empty(), "{}: Rust 1.85 takes no `let` in a chain: {found:?}", path.display());
            count += 1;
        }
    }
    assert!(count > 100, "{count} files");
}
