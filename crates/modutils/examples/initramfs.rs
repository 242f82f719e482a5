//! What an initramfs needs so that some modules can be loaded in it: their files, those of all their
//! dependencies, soft dependencies and weak dependencies, and firmware.
//!
//! `cargo run --example initramfs -- [--root DIR] [--release VERSION] NAME-OR-MODALIAS...`
//!
//! Prints a path per line; what is built in or missing is named on standard error.

use std::error::Error;

use modutils::{
    Context, Release, Root,
    closure::{Closure, FirmwareSearch, Follow, Presence},
};

fn main() -> Result<(), Box<dyn Error>> {
    let (mut root, mut release, mut names) = (Root::default(), None, Vec::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--root" => root = Root::default().with_base(arguments.next().ok_or("--root DIR")?),
            "--release" => release = Some(Release::new(arguments.next().ok_or("--release VERSION")?)),
            _ => names.push(argument),
        }
    }
    let release = release.map_or_else(Release::running, Ok)?;
    let search = FirmwareSearch::below(root.firmware(), &release);
    let context = Context::builder().root(root).release(release);
    let context = context.on_notice(|notice| eprintln!("{}", notice.message)).build()?;
    let mut modules = Vec::new();
    for name in &names {
        let found = context.lookup(name.as_bytes())?;
        if found.is_empty() {
            return Err(format!("{name}: no module of {}", context.directory().display()).into());
        }
        modules.extend(found);
    }
    let closure = Closure::of_modules(&context, &modules, &Follow::default())?;
    for member in closure.members() {
        match &member.presence {
            Presence::File { path, .. } => println!("{}", path.display()),
            Presence::BuiltIn => eprintln!("built in: {}", member.module.name()),
            _ if member.is_missing() => eprintln!("missing: {}", member.module.name()),
            _ => {}
        }
    }
    for firmware in closure.firmware(&search, |module, error| eprintln!("{module}: {error}")) {
        firmware.files.iter().for_each(|file| println!("{}", file.display()));
        if firmware.files.is_empty() {
            eprintln!("missing: firmware {}", firmware.name);
        }
    }
    Ok(())
}
