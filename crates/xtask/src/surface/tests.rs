//! Each rule on small sources: what violates it is found, and what resembles that is not.

use std::collections::BTreeMap;

use super::*;
use rules::ClosedTypes;

const LIB: &str = "src/lib.rs";

fn library(sources: &[(&str, &str)]) -> Result<Library> {
    let features = [("default", vec!["zstd".to_owned()]), ("zstd", vec![]), ("internals", vec![])];
    let features = features.into_iter().map(|(name, enables)| (name.to_owned(), enables)).collect();
    let dependencies = ["bstr", "goblin", "nix", "serde", "thiserror"].map(str::to_owned);
    let reader = |path: &Path| {
        let source = sources.iter().find(|(name, _)| Path::new(name) == path);
        source.map(|(_, text)| (*text).to_owned())
    };
    let conditions = Conditions::of_default_features(&features);
    Library::read(Path::new(LIB), conditions, dependencies.into(), &reader)
}

/// Everything that is counted, `kind path`, in the order of the paths.
fn counts(sources: &[(&str, &str)]) -> Vec<String> {
    let surface = PublicSurface::of(&library(sources).unwrap());
    let mut parts: Vec<(&str, ItemKind)> = counted(&surface).collect();
    parts.sort_unstable();
    parts.iter().map(|(path, kind)| format!("{kind} {path}")).collect()
}

fn violations_of(sources: &[(&str, &str)], closed: &ClosedTypes) -> Vec<Violation> {
    let library = library(sources).unwrap();
    rules::check(&library, &PublicSurface::of(&library), closed)
}

/// The violations of one rule, `line subject: text`; there must be no others.
fn violations(rule: Rule, source: &str) -> Vec<String> {
    let found = violations_of(&[(LIB, source)], &[]);
    assert!(found.iter().all(|violation| violation.rule == rule), "{source}\n{found:#?}");
    found.iter().map(|found| format!("{} {}: {}", found.line, found.subject, found.text)).collect()
}

#[test]
fn what_has_a_public_path_is_counted_once() {
    let sources = [
        (
            LIB,
            "mod inner; pub mod outer;
             pub use inner::{Hidden as Shown, f}; pub use outer::Twice; pub use inner::more::*;
             pub(crate) struct Within; struct Private; pub static S: u8 = 0; pub const _: () = ();
             #[macro_export] macro_rules! exported { () => {} }
             macro_rules! own { () => {} }",
        ),
        (
            "src/inner.rs",
            "pub struct Hidden { pub a: u8, b: u8 } pub fn f() {} pub fn not_exported() {}
             impl Hidden { pub const C: u8 = 0; pub fn m(&self) {} pub(crate) fn n(&self) {} fn o(&self) {} }
             pub mod more { pub union U { pub a: u8, b: i8 } pub type Alias = u8; struct NotThis; }",
        ),
        (
            "src/outer.rs",
            "#[non_exhaustive] pub enum Twice { A, B(u8), C { c: u8 } }
             pub trait Act { type Out; const N: u8; fn act(&self); }
             impl Act for Twice { type Out = u8; const N: u8 = 1; fn act(&self) {} }",
        ),
    ];
    let expected = [
        "type alias Alias",
        "static S",
        "struct Shown",
        "associated constant Shown::C",
        "field Shown::a",
        "method Shown::m",
        "enum Twice",
        "variant Twice::A",
        "variant Twice::B",
        "field Twice::B::0",
        "variant Twice::C",
        "field Twice::C::c",
        "union U",
        "field U::a",
        "macro exported",
        "function f",
        "module outer",
        "trait outer::Act",
        "trait item outer::Act::N",
        "trait item outer::Act::Out",
        "trait item outer::Act::act",
    ];
    assert_eq!(counts(&sources), expected);
}

#[test]
fn what_is_hidden_internal_or_for_tests_is_not_counted() {
    let source = "
        #[doc(hidden)] pub mod hidden { pub struct A; impl A { pub fn a() {} } }
        #[doc(hidden)] #[cfg(feature = \"internals\")] pub mod internals { pub mod depmod { pub use crate::own::*; } }
        #[cfg(test)] pub mod tests { pub fn b() {} }
        #[cfg(feature = \"internals\")] pub use own::C;
        #[cfg(feature = \"zstd\")] pub fn zstd() {}
        #[cfg(not(feature = \"zstd\"))] pub fn without() {}
        #[cfg(target_env = \"gnu\")] pub fn text() {}
        #[cfg(not(target_env = \"gnu\"))] pub fn text() {}
        mod own { pub struct C; }
        pub struct D { #[doc(hidden)] pub hidden: u8, shown: u8 }
        impl D { #[cfg(test)] pub fn test(&self) {} #[doc(hidden)] pub fn hidden(&self) {} }
        #[cfg(feature = \"internals\")] impl D { pub fn inner(&self) {} }";
    assert_eq!(counts(&[(LIB, source)]), ["struct D", "function text", "function zstd"]);
}

#[test]
fn a_type_without_a_public_path_counts_if_a_public_signature_names_it() {
    let source = "mod inner { pub struct Given; impl Given { pub fn use_it(&self) {} } pub struct Kept; }
                  pub fn give() -> Option<inner::Given> { None }
                  type Alias = inner::Given; pub fn take(_: &Alias) {}";
    let library = library(&[(LIB, source)]).unwrap();
    let surface = PublicSurface::of(&library);
    let unnamed: Vec<&str> = surface.unnamed.iter().map(String::as_str).collect();
    assert_eq!(unnamed, ["inner::Given"]);
    let expected = ["function give", "struct inner::Given", "method inner::Given::use_it", "function take"];
    assert_eq!(counts(&[(LIB, source)]), expected);
}

#[test]
fn modules_are_found_in_all_the_files_where_they_may_be() {
    let sources = [
        (LIB, "pub mod a; pub mod b; pub mod c { pub mod d; } #[path = \"other/name.rs\"] pub mod e;"),
        ("src/a.rs", "pub mod x;"),
        ("src/a/x.rs", "pub fn in_ax() {}"),
        ("src/b/mod.rs", "pub mod y;"),
        ("src/b/y/mod.rs", "pub fn in_by() {}"),
        ("src/c/d.rs", "pub fn in_cd() {}"),
        ("src/other/name.rs", "pub fn in_e() {}"),
    ];
    let functions: Vec<String> =
        counts(&sources).into_iter().filter(|part| part.starts_with("function")).collect();
    let expected =
        ["function a::x::in_ax", "function b::y::in_by", "function c::d::in_cd", "function e::in_e"];
    assert_eq!(functions, expected);
    assert!(library(&[(LIB, "mod missing;")]).is_err());
    assert!(library(&[(LIB, "fn {")]).is_err());
    assert!(library(&[(LIB, "extern \"C\" { pub fn f(); }")]).is_err());
}

#[test]
fn a_foreign_type_is_found_in_every_part_of_a_signature() {
    for source in [
        "pub fn f(_: nix::Errno) {}",
        "pub fn f() -> Result<u8, nix::Errno> { loop {} }",
        "pub fn f() -> impl Iterator<Item = &'static [nix::Errno; 2]> { [].iter() }",
        "pub fn f(_: &mut dyn FnMut(nix::Errno)) {}",
        "pub fn f(_: fn(u8) -> nix::Errno) {}",
        "pub fn f<T: nix::NixPath>(_: T) {}",
        "pub fn f<T>(_: T) where Option<T>: Into<nix::Errno> {}",
        "pub fn f() -> <nix::Errno as Iterator>::Item { loop {} }",
        "pub fn f() -> <nix::Errno>::Item { loop {} }",
        "pub struct A { pub a: nix::Errno, b: u8 }",
        "pub struct A(u8, pub (u8, nix::Errno));",
        "pub struct A<T: nix::NixPath>(T);",
        "pub struct A<T = nix::Errno>(T);",
        "#[non_exhaustive] pub enum A { B(nix::Errno) }",
        "#[non_exhaustive] pub enum A { B { source: nix::Errno } }",
        "pub union A { pub a: nix::Errno, b: u8 }",
        "pub type A = Result<u8, nix::Errno>;",
        "pub const A: nix::Errno = nix::Errno::EIO;",
        "pub static A: nix::Errno = nix::Errno::EIO;",
        "pub trait A { fn a(&self, _: nix::Errno); }",
        "pub trait A { type B: nix::NixPath; }",
        "pub trait A { const B: nix::Errno; }",
        "pub trait A: nix::NixPath {}",
        "pub struct A; impl A { pub fn a(&self) -> nix::Errno { loop {} } }",
        "pub struct A; impl A { pub const B: Option<nix::Errno> = None; }",
        "pub struct A<T>(T); impl<T: nix::NixPath> A<T> { pub fn a(&self) {} }",
        "pub struct A; impl From<nix::Errno> for A { fn from(_: nix::Errno) -> A { A } }",
        "pub struct A; impl From<A> for nix::Errno { fn from(_: A) -> nix::Errno { loop {} } }",
        "pub struct A; impl nix::NixPath for A {}",
        "pub struct A; impl std::ops::Deref for A { type Target = nix::Errno; fn deref(&self) -> &nix::Errno { loop {} } }",
        "pub trait A {} impl A for nix::Errno {}",
        "pub struct A; type B = A; impl B { pub fn a(_: nix::Errno) {} }",
        "pub use nix::errno::Errno;",
        "pub use nix::errno as codes;",
        "pub use nix::errno::*;",
        "pub extern crate nix;",
        "#[derive(thiserror::Error)] pub struct A { #[from] cause: nix::Errno }",
        "#[derive(thiserror::Error)] pub struct A { source: nix::Errno }",
        "#[derive(Clone, nix::Derived)] pub struct A;",
    ] {
        let found = violations(Rule::Outside, source);
        assert!(found.iter().any(|text| text.contains("crate nix")), "{source}\n{found:?}");
    }
}

#[test]
fn a_foreign_type_is_found_through_imports_renames_globs_and_aliases() {
    for source in [
        "use nix::errno::Errno;\npub fn f(_: Errno) {}",
        "use nix::errno::Errno as Code;\npub fn f(_: Code) {}",
        "use nix::{errno, unistd as calls};\npub fn f(_: errno::Errno, _: calls::Pid) {}",
        "use nix::errno::{self, Errno};\npub fn f(_: errno::Errno) {}",
        "use nix as n;\npub fn f(_: n::Errno) {}",
        "extern crate nix as n;\npub fn f(_: n::Errno) {}",
        "use nix::errno::*;\npub fn f(_: Errno) {}",
        "mod a { pub use nix::Errno as Code; }\nuse a::*; pub fn f(_: Code) {}",
        "mod a { pub mod b { pub(crate) use nix::Errno; } }\npub fn f(_: crate::a::b::Errno) {}",
        "type Code = nix::Errno;\npub fn f(_: Code) {}",
        "mod a { pub struct Given(pub nix::Errno, u8); }\npub fn f() -> a::Given { loop {} }",
        "mod a { pub struct Given; impl Given { pub fn g(_: nix::Errno) {} } }\npub fn f() -> a::Given { loop {} }",
        "mod a { use super::super_code::Code;\n pub fn f(_: Code) {} } mod super_code { pub use nix::Code; } pub use a::f;",
        "fn one() {}\npub fn f(_: ::nix::Errno) {}",
        "mod nix {}\npub fn f(_: ::nix::Errno) {}",
    ] {
        let found = violations(Rule::Outside, source);
        assert!(found.iter().any(|text| text.contains("of the crate nix")), "{source}\n{found:?}");
    }
    let source = "use nix::errno::Errno;\n\npub struct A;\nimpl A {\n    pub fn get(\n        &self,\n        _: Errno,\n    ) {}\n}";
    assert_eq!(violations(Rule::Outside, source), ["7 A::get: names Errno, of the crate nix"]);
}

#[test]
fn private_items_and_function_bodies_may_name_foreign_types() {
    let fine = "
        use std::{fmt, io, sync::Arc}; use bstr::{BStr, BString, ByteSlice}; use nix::errno::Errno; use thiserror::Error;
        pub struct A { code: Errno, pub text: BString } struct Private(pub Errno); pub(crate) struct Within(pub Errno);
        impl A { fn code(&self) -> Errno { self.code } pub(crate) fn own(_: Errno) {} pub fn text(&self) -> &BStr { loop {} } }
        impl fmt::Display for A { fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { nix::f(self) } }
        impl From<Private> for A { fn from(_: Private) -> A { loop {} } }
        trait Act { fn act(&self) -> Errno; } impl Act for A { fn act(&self) -> Errno { self.code } }
        impl Iterator for Private { type Item = Errno; fn next(&mut self) -> Option<Errno> { None } }
        pub fn f<'a, T: Into<A>, const N: usize>(_: T, _: [u8; N], _: &'a Arc<dyn Fn(T::Item) -> u8 + Send>) -> io::Result<()> {
            let _: Errno = loop {};
        }
        #[non_exhaustive] #[derive(Clone, Debug, Error)] pub enum Failure { #[error(\"{0}\")] Io(#[from] io::Error) }
        pub const SIZE: usize = nix::SIZE; pub struct B<const N: usize>([u8; SIZE]); pub fn g(_: B<SIZE>) {}
        pub trait Own<T> { type Out: Clone; fn own(self: Box<Self>, _: Self::Out, _: T) -> <T as Iterator>::Item where T: Iterator; }
        mod own { pub struct Errno; } pub mod codes { use super::own::*; pub fn h(_: Errno, _: core::num::NonZeroU8) {} }";
    assert_eq!(violations_of(&[(LIB, fine)], &[]), []);
}

#[test]
fn an_enum_or_a_struct_of_public_fields_has_to_be_able_to_grow() {
    let faulty = "pub enum A { B }\npub struct C { pub c: u8 }\npub struct D(pub u8);\nmod e { pub enum F {} }\npub use e::F as G;";
    let expected = [
        "1 A: an enum without #[non_exhaustive]",
        "2 C: a struct of public fields without #[non_exhaustive]",
        "3 D: a struct of public fields without #[non_exhaustive]",
        "4 G: an enum without #[non_exhaustive]",
    ];
    assert_eq!(violations(Rule::Exhaustive, faulty), expected);
    let fine = "#[non_exhaustive] pub enum A { B } #[non_exhaustive] pub struct C { pub c: u8 } pub struct D(u8);
                pub struct E { pub e: u8, f: u8 } pub struct Unit; enum Private { A } mod inner { pub enum Kept { A } }
                #[cfg_attr(not(test), non_exhaustive)] pub enum G { H }";
    assert_eq!(violations(Rule::Exhaustive, fine), [""; 0]);
}

#[test]
fn an_exception_needs_an_entry_and_an_entry_needs_its_type() {
    let sources = [(LIB, "pub enum Bit { Zero, One }")];
    assert_eq!(violations_of(&sources, &[("Bit", "there are two")]), []);
    let found = violations_of(&sources, &[("Bit", "there are two"), ("Byte", "is gone")]);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].rule, found[0].subject.as_str()), (Rule::Exhaustive, "Byte"));
}

#[test]
fn what_is_hidden_has_to_be_behind_a_feature_that_is_off() {
    for source in [
        "#[doc(hidden)] pub mod a { pub fn b() {} }",
        "#[doc(hidden)] #[cfg(feature = \"zstd\")] pub mod a { pub fn b() {} }",
        "pub mod a { #![doc(hidden)] }",
        "mod a { pub struct B; }\n#[doc(hidden)] pub use a::B;",
        "#[doc(hidden)] pub struct A { pub a: nix::Errno }",
        "pub struct A;\nimpl A { #[doc(hidden)] pub fn a(_: nix::Errno) {} }",
        "#[non_exhaustive] pub enum A { #[doc(hidden)] B }",
        "pub trait A { #[doc(hidden)] fn a(&self); }",
    ] {
        assert_eq!(violations(Rule::Hidden, source).len(), 1, "{source}");
    }
    for source in [
        "#[doc(hidden)] #[cfg(feature = \"internals\")] pub mod internals { pub fn b(_: nix::Errno) {} }",
        "#[doc(hidden)] mod a { pub fn b() {} }",
        "#[doc(hidden)] pub(crate) fn a() {}",
    ] {
        assert_eq!(violations(Rule::Hidden, source), [""; 0], "{source}");
    }
}

#[test]
fn macros_and_unknown_names_in_signatures_are_violations() {
    for source in [
        "macro_rules! make { ($name:ident) => { pub struct $name; } }\nmake!(A);",
        "make! { pub fn a() {} }",
        "pub fn f(_: made!()) {}",
        "pub fn f(_: Made) {}",
        "pub struct A;\nimpl A { make!(); }",
        "pub trait A { make!(); }",
    ] {
        assert_eq!(violations(Rule::Unseen, source).len(), 1, "{source}");
    }
    let arms = [
        "impl From<nix::Errno> for $to {}",
        "impl From<::nix::Errno> for $to {}",
        "impl From<Number> for $to {}",
        "impl Iterator for $to { type Item = Number; fn next(&mut self) -> Option<Number> { None } }",
    ];
    for arm in arms {
        let writes = format!(
            "use nix::Errno as Number; macro_rules! convert {{ ($to:ident) => {{ {arm} }} }} pub struct A; convert!(A);"
        );
        assert_eq!(violations(Rule::Outside, &writes).len(), 1, "{arm}");
    }
    let argument = "macro_rules! convert { ($from:ty) => { impl From<$from> for A {} } } pub struct A; convert!(nix::Errno);";
    assert_eq!(violations(Rule::Outside, argument).len(), 1);
    let fine = "macro_rules! name { ($($of:ident by $field:ident),*) => { $(impl Named for $of {
                    fn name(&self) -> &[u8] { let nix = &self.$field; std::convert::identity(nix) } })* } }
                pub struct A { a: Vec<u8> } trait Named { fn name(&self) -> &[u8]; } name!(A by a);
                use nix::Errno as Number; macro_rules! numbers { ($($name:ident)*) => { impl A {
                    $(pub(crate) const $name: u8 = Number::$name as u8;)* fn f(&self) -> Number { loop {} } } } }
                numbers! { EIO EBADF }
                thread_local! { static X: u8 = const { 0 }; }";
    assert_eq!(violations(Rule::Unseen, fine), [""; 0]);
}

#[test]
fn a_failure_names_file_line_and_item_and_counts_by_rule() {
    let sources =
        [(LIB, "pub mod a;"), ("src/a.rs", "\npub enum B {}\npub fn c(_: goblin::Elf, _: goblin::Error) {}")];
    let text = failure(&violations_of(&sources, &[])).unwrap();
    let expected = "src/a.rs:3: a::c: names goblin::Elf, of the crate goblin\n\
                    src/a.rs:3: a::c: names goblin::Error, of the crate goblin\n\
                    src/a.rs:2: a::B: an enum without #[non_exhaustive]\n\
                    2 types of other crates in public signatures, 1 public types that cannot grow";
    assert_eq!(text, expected);
    assert_eq!(failure(&[]), None);
}

#[test]
fn kinds_are_counted_by_module() {
    let source = "pub mod a { pub mod b { pub fn f() {} } pub struct S; } pub struct T;";
    let surface = PublicSurface::of(&library(&[(LIB, source)]).unwrap());
    let mut by_topic: BTreeMap<&str, usize> = BTreeMap::new();
    counted(&surface).for_each(|(path, _)| *by_topic.entry(topic(&surface, path)).or_default() += 1);
    assert_eq!(by_topic, BTreeMap::from([("a", 4), ("root", 1)]));
}
