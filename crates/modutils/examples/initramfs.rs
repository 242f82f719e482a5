//! What an initramfs needs so that some modules can be loaded in it: their files, those of all their dependencies, soft
//! dependencies and weak dependencies, and firmware; what `kmod closure --root ROOT -S RELEASE NAME...` lists.
//!
//! `cargo run --example initramfs -- ROOT RELEASE NAME-OR-MODALIAS...`

use std::error::Error;

use modutils::{
    Context, Release, Root,
    closure::{Closure, FirmwareSearch, Follow, Presence},
};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [root, release, names @ ..] = arguments.as_slice() else { return Err("ROOT RELEASE NAME...".into()) };
    let (root, release) = (Root::inside(root)?, Release::new(release));
    let search = FirmwareSearch::below(root.firmware(), &release);
    let context = Context::builder().root(root).release(release).build()?;
    let mut modules = Vec::new();
    for name in names {
        let found = context.lookup(name.as_bytes())?;
        if found.is_empty() {
            println!("missing module {name}");
        }
        modules.extend(found);
    }
    let closure = Closure::of_modules(&context, &modules, &Follow::default())?;
    for member in closure.members() {
        match &member.presence {
            Presence::File { path, .. } => println!("module {}", path.display()),
            Presence::BuiltIn => println!("builtin {}", member.module.name()),
            _ if member.is_missing() => println!("missing module {}", member.module.name()),
            _ => {}
        }
    }
    for firmware in closure.firmware(&search, |module, error| eprintln!("{module}: {error}")) {
        firmware.files.iter().for_each(|file| println!("firmware {}", file.display()));
        if firmware.files.is_empty() {
            println!("missing firmware {}", firmware.name);
        }
    }
    Ok(())
}
