//! `cargo xtask man`: checks the manual pages of `man/`, and generates the page of differences.
//!
//! The differences from kmod are documented once, in the tables of docs/differences.md, because tests compare both
//! sides. `modutils-differences(7)` is generated from them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::packages::{self, MANDOC};
use crate::workspace;

/// The tables of differences.
const SOURCE: &str = "docs/differences.md";
/// The page that is generated from them.
const PAGE: &str = "man/modutils-differences.7";

/// Generates the page of differences, and checks all pages.
///
/// # Errors
/// When a file cannot be read or written, or mandoc reports a fault of a page.
pub(crate) fn run() -> Result<()> {
    let workspace = workspace::root();
    let source = fs::read_to_string(workspace.join(SOURCE)).context(SOURCE)?;
    fs::write(workspace.join(PAGE), differences(&source)?).context(PAGE)?;
    check()?;
    println!("{} pages, without fault", pages(&workspace)?.len());
    Ok(())
}

/// Checks all pages with mandoc.
///
/// # Errors
/// When it reports faults.
pub(crate) fn check() -> Result<()> {
    packages::need(&[MANDOC])?;
    let pages = pages(&workspace::root())?;
    let out = Command::new(MANDOC.name).args(["-T", "lint", "-W", "style"]).args(&pages).output()?;
    let output = String::from_utf8_lossy(&out.stdout);
    // mandoc warns about references to pages that are not installed on this machine.
    let about_this_machine =
        |line: &str| line.contains("outdated mandoc.db") || line.contains("referenced manual not found");
    let faults: Vec<&str> = output.lines().filter(|line| !about_this_machine(line)).collect();
    if !faults.is_empty() {
        bail!("faults in manual pages:\n{}", faults.join("\n"));
    }
    Ok(())
}

/// The pages, in the order of their names.
///
/// # Errors
/// When the directory can't be read.
pub(crate) fn pages(workspace: &Path) -> Result<Vec<PathBuf>> {
    let mut pages = Vec::new();
    for entry in fs::read_dir(workspace.join("man")).context("man")? {
        let path = entry?.path();
        if section(&path).is_some() {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

/// The section of a page: the digit at the end of its name.
pub(crate) fn section(page: &Path) -> Option<&str> {
    let ending = page.extension()?.to_str()?;
    (ending.len() == 1 && ending.bytes().all(|byte| byte.is_ascii_digit())).then_some(ending)
}

/// The page of differences, from the text and the tables below the heading.
fn differences(source: &str) -> Result<String> {
    let (_, section) = source.split_once("# Differences from kmod\n").context("no such heading")?;
    let mut page = String::from(HEAD);
    let mut in_table = false;
    for line in section.lines() {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        match (line.starts_with('|'), &cells[..]) {
            (true, ["case" | "---", ..]) => {}
            (true, [case, theirs, ours]) => {
                if !in_table {
                    page.push_str(".Bl -tag -width Ds\n");
                }
                in_table = true;
                page.push_str(&format!(".It {}\n", macro_text(case)));
                page.push_str(&text(&format!("kmod: {theirs}.")));
                page.push_str(&text(&format!("Here: {ours}.")));
            }
            (true, _) => bail!("not three cells: {line}"),
            (false, _) => {
                if in_table {
                    page.push_str(".El\n.Pp\n");
                }
                in_table = false;
                page.push_str(&text(line));
            }
        }
    }
    if in_table {
        page.push_str(".El\n");
    }
    page.push_str(TAIL);
    Ok(page)
}

const HEAD: &str = "\
.\\\" Generated from docs/differences.md by `cargo xtask man`.
.Dd November 24, 2026
.Dt MODUTILS-DIFFERENCES 7
.Os
.Sh NAME
.Nm modutils-differences
.Nd differences between these tools and kmod
.Sh DESCRIPTION
";

const TAIL: &str = "\
.Sh SEE ALSO
.Xr modprobe.d 5 ,
.Xr depmod 8 ,
.Xr kmod 8 ,
.Xr modinfo 8 ,
.Xr modprobe 8
";

/// Text as lines of a page, escaped so that no line is a request.
fn text(markdown: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in escaped(markdown).split_whitespace() {
        let ends_sentence = lines.ends_with('.');
        if width > 0 && (width + 1 + word.len() > 78 || ends_sentence) {
            lines.push('\n');
            width = 0;
        }
        if width > 0 {
            lines.push(' ');
            width += 1;
        } else if word.starts_with(['.', '\'']) {
            lines.push_str("\\&");
        }
        lines.push_str(word);
        width += word.len();
    }
    if !lines.is_empty() {
        lines.push('\n');
    }
    lines
}

/// Text for the line of a macro, escaped so that no word is a macro.
fn macro_text(markdown: &str) -> String {
    let words = escaped(markdown);
    words.split_whitespace().map(|word| format!("\\&{word}")).collect::<Vec<_>>().join(" ")
}

/// Markdown's code as quoted text, with roff's special characters escaped.
fn escaped(markdown: &str) -> String {
    let mut open = false;
    let mut escaped = String::new();
    for char in markdown.chars() {
        match char {
            '\\' => escaped.push_str("\\e"),
            '-' => escaped.push_str("\\-"),
            '"' => escaped.push_str("\\(dq"),
            '`' => {
                escaped.push_str(if open { "\\(cq" } else { "\\(oq" });
                open = !open;
            }
            '*' => {}
            '…' => escaped.push_str("..."),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_differences_matches_the_tables() {
        let workspace = workspace::root();
        let source = fs::read_to_string(workspace.join(SOURCE)).unwrap();
        let page = fs::read_to_string(workspace.join(PAGE)).unwrap();
        assert!(page == differences(&source).unwrap(), "run `cargo xtask man`");
        let rows = page.lines().filter(|line| line.starts_with(".It ")).count();
        assert!(rows > 40, "{rows} rows");
    }

    #[test]
    fn text_of_a_table_is_not_a_roff_request() {
        assert_eq!(text("`-n` is *it*. .Ed \\x"), "\\(oq\\-n\\(cq is it.\n\\&.Ed \\ex\n");
        assert_eq!(text(".ko"), "\\&.ko\n");
        assert_eq!(macro_text("No name"), "\\&No \\&name");
    }
}
