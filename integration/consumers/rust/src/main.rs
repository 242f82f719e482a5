//! Prints what the binding crate `kmod` returns for a few modules. It knows nothing of whose library it calls.

use std::process::ExitCode;

use kmod::{Context, Module, ModuleIterator};

const QUERIES: [&str; 6] = [
    "pci:v00008086d000010D3sv0sd0bc02sc00i00",
    "usb:v0BDAp8152d2000dc00dsc00dp00icFFiscFFip00in00",
    "ext4",
    "nfsd",
    "loop",
    "absent-module",
];

fn names(modules: ModuleIterator) -> Vec<String> {
    modules.map(|module| module.name().to_string_lossy().into_owned()).collect()
}

fn show(module: &Module) {
    println!("  {:?} at {:?}", module.name(), module.path());
    println!("  options {:?}, needs {:?}", module.options(), names(module.dependencies()));
    println!(
        "  size {}, references {}, held by {:?}",
        module.size(),
        module.refcount(),
        names(module.holders())
    );
    println!("  inserted: {:?}", module.insert_module(0, &["a=1"]).map_err(|error| error.to_string()));
}

fn run() -> Result<(), kmod::Error> {
    let context = Context::new()?;
    println!("in {:?}", context.dirname());
    for query in QUERIES {
        println!("{query}");
        context.module_new_from_lookup(query)?.for_each(|module| show(&module));
    }
    println!("by name");
    show(&context.module_new_from_name("e1000e")?);
    let path = context.module_new_from_path("/nowhere/absent.ko").map(|module| module.name().to_owned());
    println!("by path: {:?}", path.map_err(|error| error.to_string()));
    println!("loaded: {:?}", context.modules_loaded().map(names).map_err(|error| error.to_string()));
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
