//! Macros called in the place of items. They are not expanded here, so they may not declare public items, and the
//! implementations that they write may not name types of other crates.

use proc_macro2::{Delimiter, TokenTree};

use super::allowed::is_allowed;
use super::resolve::Resolved;
use super::tree::Library;
use super::violation::{Rule, Violation};

/// Checks every call: its arguments, which may be put anywhere, and, for a macro of this crate, the body.
pub(super) fn check(library: &Library, violations: &mut Vec<Violation>) {
    for invocation in &library.invocations {
        let arguments: Vec<TokenTree> = invocation.tokens.clone().into_iter().collect();
        let body = library.macros.get(&invocation.name).cloned().unwrap_or_default();
        let body: Vec<TokenTree> = body.into_iter().collect();
        let headers: Vec<Vec<TokenTree>> = [headers(&arguments), headers(&body)].concat();
        let mut named: Vec<NameToken> = headers.iter().flat_map(|header| name_tokens(header)).collect();
        if !headers.is_empty() {
            named.extend(name_tokens(&arguments));
        }
        let foreign = named.iter().find_map(|word| foreign(library, invocation.module, word));
        let (rule, text) = if declares_public(&arguments) || declares_public(&body) {
            (Rule::Unseen, "declares public items, which are not counted".to_owned())
        } else if let Some((name, crate_name)) = foreign {
            (Rule::Outside, format!("writes an implementation and names {name}, of the crate {crate_name}"))
        } else {
            continue;
        };
        violations.push(Violation {
            rule,
            file: library.modules[invocation.module].file.clone(),
            line: invocation.line,
            subject: format!("{}!", invocation.name),
            text,
        });
    }
}

/// Whether `pub` is among tokens, without a restriction such as `(crate)`.
fn declares_public(trees: &[TokenTree]) -> bool {
    trees.iter().enumerate().any(|(place, tree)| match tree {
        TokenTree::Group(group) => declares_public(&inside(group)),
        TokenTree::Ident(name) => name == "pub" && !is_group(trees.get(place + 1), Delimiter::Parenthesis),
        _ => false,
    })
}

/// The public parts of implementations that have no public items: what is between `impl` and the braces, and the types
/// that are chosen within these.
fn headers(trees: &[TokenTree]) -> Vec<Vec<TokenTree>> {
    let mut found = Vec::new();
    for (place, tree) in trees.iter().enumerate() {
        let rest = trees.get(place + 1..).unwrap_or_default();
        let until = |is_end: &dyn Fn(&TokenTree) -> bool| {
            rest.iter().take_while(|tree| !is_end(tree)).cloned().collect::<Vec<_>>()
        };
        match tree {
            TokenTree::Group(group) => found.extend(headers(&inside(group))),
            TokenTree::Ident(name) if name == "impl" => {
                found.push(until(&|tree| is_group(Some(tree), Delimiter::Brace)));
            }
            TokenTree::Ident(name) if name == "type" => found.push(until(&|tree| is_punct(Some(tree), ';'))),
            _ => {}
        }
    }
    found
}

fn inside(group: &proc_macro2::Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

fn is_group(tree: Option<&TokenTree>, delimiter: Delimiter) -> bool {
    matches!(tree, Some(TokenTree::Group(group)) if group.delimiter() == delimiter)
}

fn is_punct(tree: Option<&TokenTree>, char: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(punct)) if punct.as_char() == char)
}

/// A name among tokens.
struct NameToken {
    text: String,
    /// Whether a path goes on after it.
    is_prefix: bool,
}

/// The names among tokens, in groups too: neither the later parts of paths nor the macro's parameters.
fn name_tokens(trees: &[TokenTree]) -> Vec<NameToken> {
    let mut name_tokens = Vec::new();
    let is = |place: Option<usize>, char| is_punct(place.and_then(|place| trees.get(place)), char);
    for (place, tree) in trees.iter().enumerate() {
        match tree {
            TokenTree::Group(group) => name_tokens.extend(self::name_tokens(&inside(group))),
            TokenTree::Ident(name) => {
                // `::nix` at the start of a path names a crate.
                let follows_name = place
                    .checked_sub(3)
                    .is_some_and(|place| matches!(trees.get(place), Some(TokenTree::Ident(_))));
                let is_later = is(place.checked_sub(1), ':') && is(place.checked_sub(2), ':') && follows_name;
                if !is_later && !is(place.checked_sub(1), '$') {
                    let is_prefix = is(Some(place + 1), ':') && is(Some(place + 2), ':');
                    name_tokens.push(NameToken { text: name.to_string(), is_prefix });
                }
            }
            _ => {}
        }
    }
    name_tokens
}

/// The name and its crate, where that is one whose types may not be public.
fn foreign(library: &Library, module: usize, word: &NameToken) -> Option<(String, String)> {
    let meanings = if word.is_prefix {
        library.resolve(module, std::slice::from_ref(&word.text), false)
    } else {
        library.declared(module, &word.text)
    };
    meanings.into_iter().find_map(|meaning| match meaning {
        Resolved::Outside(name) if !is_allowed(&name) => Some((word.text.clone(), name)),
        _ => None,
    })
}
