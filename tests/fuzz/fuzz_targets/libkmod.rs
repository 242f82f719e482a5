//! The C interface: any calls in any order, with NULL and damaged indexes, keep lists and references sound, and nothing
//! stays behind when all is released.
#![no_main]

use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;

use arbitrary::Arbitrary;
// Brings the functions.
use kmod_c as _;
use libfuzzer_sys::fuzz_target;
use modutils_fuzz::memory::within;
use testkit::{Crc, ModuleBuilder};

type Pointer = *mut c_void;

// SAFETY: the prototypes of `libkmod.h`; pointers to objects, lists and functions are all of one size.
unsafe extern "C" {
    fn kmod_new(directory: *const c_char, paths: *const *const c_char) -> Pointer;
    fn kmod_ref(context: Pointer) -> Pointer;
    fn kmod_unref(context: Pointer) -> Pointer;
    fn kmod_load_resources(context: Pointer) -> c_int;
    fn kmod_unload_resources(context: Pointer);
    fn kmod_validate_resources(context: Pointer) -> c_int;
    fn kmod_dump_index(context: Pointer, kind: c_int, descriptor: c_int) -> c_int;
    fn kmod_set_log_fn(context: Pointer, function: Pointer, data: Pointer);
    fn kmod_list_next(list: Pointer, current: Pointer) -> Pointer;
    fn kmod_list_prev(list: Pointer, current: Pointer) -> Pointer;
    fn kmod_list_last(list: Pointer) -> Pointer;
    fn kmod_config_get_options(context: Pointer) -> Pointer;
    fn kmod_config_get_softdeps(context: Pointer) -> Pointer;
    fn kmod_config_iter_next(walk: Pointer) -> bool;
    fn kmod_config_iter_get_key(walk: Pointer) -> *const c_char;
    fn kmod_config_iter_free_iter(walk: Pointer);
    fn kmod_module_new_from_lookup(context: Pointer, alias: *const c_char, list: *mut Pointer) -> c_int;
    fn kmod_module_new_from_name(context: Pointer, name: *const c_char, module: *mut Pointer) -> c_int;
    fn kmod_module_new_from_name_lookup(context: Pointer, name: *const c_char, module: *mut Pointer)
    -> c_int;
    fn kmod_module_new_from_path(context: Pointer, path: *const c_char, module: *mut Pointer) -> c_int;
    fn kmod_module_ref(module: Pointer) -> Pointer;
    fn kmod_module_unref(module: Pointer) -> Pointer;
    fn kmod_module_unref_list(list: Pointer) -> c_int;
    fn kmod_module_get_module(entry: Pointer) -> Pointer;
    fn kmod_module_get_name(module: Pointer) -> *const c_char;
    fn kmod_module_get_path(module: Pointer) -> *const c_char;
    fn kmod_module_get_options(module: Pointer) -> *const c_char;
    fn kmod_module_get_dependencies(module: Pointer) -> Pointer;
    fn kmod_module_get_softdeps(module: Pointer, pre: *mut Pointer, post: *mut Pointer) -> c_int;
    fn kmod_module_get_info(module: Pointer, list: *mut Pointer) -> c_int;
    fn kmod_module_get_dependency_symbols(module: Pointer, list: *mut Pointer) -> c_int;
    fn kmod_module_symbol_get_symbol(entry: Pointer) -> *const c_char;
    fn kmod_module_info_get_key(entry: Pointer) -> *const c_char;
    fn kmod_module_apply_filter(
        context: Pointer,
        filter: c_uint,
        input: Pointer,
        output: *mut Pointer,
    ) -> c_int;
    fn kmod_module_get_initstate(module: Pointer) -> c_int;
    fn kmod_module_probe_insert_module(
        module: Pointer,
        flags: c_uint,
        options: *const c_char,
        run_install: Pointer,
        data: Pointer,
        print_action: Pointer,
    ) -> c_int;
}

#[derive(Arbitrary, Debug)]
struct Input {
    /// Bytes of index files that change: file, place, value.
    damage: Vec<(u8, u16, u8)>,
    config: String,
    calls: Vec<Call>,
}

/// A call; numbers are places of modules and lists.
#[derive(Arbitrary, Debug)]
enum Call {
    Load,
    Unload,
    Validate,
    Dump(u8),
    Walk,
    Lookup(Name, u8),
    ByName(Name, u8),
    NameLookup(Name, u8),
    ByPath(Name, u8),
    Ref(u8),
    Unref(u8),
    Free(u8),
    Get(u8, u8, u8),
    Facts(u8),
    Dependencies(u8, u8),
    Softdeps(u8),
    Info(u8),
    Needed(u8),
    Filter(u8, u8),
    Probe(u8, u16),
}

#[derive(Arbitrary, Debug)]
enum Name {
    Null,
    Known(u8),
    Any(Vec<u8>),
}

const NAMES: [&str; 8] =
    ["base", "top-most", "al:x", "symbol:base_sym", "inside", "kernel/base.ko", "twin", "soft"];
const FILES: [&str; 5] = [
    "modules.dep.bin",
    "modules.alias.bin",
    "modules.symbols.bin",
    "modules.builtin.bin",
    "modules.builtin.alias.bin",
];

/// Contents of the index files.
fn indexes() -> [Vec<u8>; 5] {
    [
        testkit::index([("base", "kernel/base.ko:"), ("top_most", "kernel/top.ko: kernel/base.ko")]),
        testkit::index([("al:*", "base"), ("twin", "base"), ("twin", "top_most")]),
        testkit::index([("symbol:base_sym", "base")]),
        testkit::index([("inside", "")]),
        testkit::index([("inside_alias", "inside")]),
    ]
}

/// A module directory. In memory: a file system of a disk may write out each file that is replaced.
fn prepare(input: &Input) -> tempfile::TempDir {
    static FILES_WITHOUT_DAMAGE: OnceLock<([Vec<u8>; 5], Vec<u8>)> = OnceLock::new();
    let (indexes, module) = FILES_WITHOUT_DAMAGE.get_or_init(|| {
        let base = ModuleBuilder::new("base").modinfo("license", "GPL").export("base_sym", Crc::Absolute(1));
        (indexes(), base.needs("other", 2).build())
    });
    let mut indexes = indexes.clone();
    for &(file, place, value) in &input.damage {
        let bytes = &mut indexes[usize::from(file) % FILES.len()];
        let place = usize::from(place) % bytes.len();
        bytes[place] = value;
    }
    let directory = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    for (file, bytes) in FILES.iter().zip(&indexes) {
        std::fs::write(directory.path().join(file), bytes).unwrap();
    }
    std::fs::create_dir(directory.path().join("kernel")).unwrap();
    std::fs::write(directory.path().join("kernel/base.ko"), module).unwrap();
    std::fs::write(directory.path().join("t.conf"), &input.config).unwrap();
    directory
}

struct Machine {
    context: Pointer,
    modules: [Pointer; 4],
    lists: [Pointer; 4],
    directory: std::path::PathBuf,
}

fn slot(place: u8) -> usize {
    usize::from(place % 4)
}

impl Machine {
    fn text(&self, name: &Name) -> Option<CString> {
        match name {
            Name::Null => None,
            Name::Known(number) => CString::new(NAMES[usize::from(*number) % NAMES.len()]).ok(),
            Name::Any(bytes) => {
                CString::new(bytes.iter().copied().filter(|&byte| byte != 0).collect::<Vec<u8>>()).ok()
            }
        }
    }

    fn put(&mut self, place: u8, module: Pointer) {
        // SAFETY: the place holds a reference of ours, or NULL.
        unsafe { kmod_module_unref(self.modules[slot(place)]) };
        self.modules[slot(place)] = module;
    }

    fn put_list(&mut self, place: u8, list: Pointer) {
        // SAFETY: the place holds a list of ours, or NULL.
        unsafe { kmod_module_unref_list(self.lists[slot(place)]) };
        self.lists[slot(place)] = list;
    }

    fn call(&mut self, call: &Call, null: c_int) {
        let context = self.context;
        let pointer = |text: &Option<CString>| text.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        // SAFETY: every pointer is NULL, a reference that a place holds, a string that lives to the end of the call, or
        // a place on the stack.
        unsafe {
            match call {
                Call::Load => drop(kmod_load_resources(context)),
                Call::Unload => kmod_unload_resources(context),
                Call::Validate => assert!((0..3).contains(&kmod_validate_resources(context))),
                Call::Dump(kind) => drop(kmod_dump_index(context, i32::from(*kind) - 1, null)),
                Call::Walk => {
                    for walk in [kmod_config_get_options(context), kmod_config_get_softdeps(context)] {
                        while kmod_config_iter_next(walk) {
                            assert!(!kmod_config_iter_get_key(walk).is_null());
                        }
                        kmod_config_iter_free_iter(walk);
                    }
                }
                Call::Lookup(name, place) => {
                    let (text, mut list) = (self.text(name), ptr::null_mut());
                    let found = kmod_module_new_from_lookup(context, pointer(&text), &mut list);
                    assert!(found == 0 || list.is_null());
                    check(list);
                    self.put_list(*place, list);
                }
                Call::ByName(name, place) => {
                    let (text, mut module) = (self.text(name), ptr::null_mut());
                    let made = kmod_module_new_from_name(context, pointer(&text), &mut module);
                    assert_eq!(made == 0, !module.is_null());
                    self.put(*place, module);
                }
                Call::NameLookup(name, place) => {
                    let (text, mut module) = (self.text(name), ptr::null_mut());
                    kmod_module_new_from_name_lookup(context, pointer(&text), &mut module);
                    self.put(*place, module);
                }
                Call::ByPath(name, place) => {
                    let path = self.text(name).map(|text| {
                        let path = self.directory.join(text.to_string_lossy().trim_start_matches(['/', '.']));
                        CString::new(path.into_os_string().into_encoded_bytes()).unwrap()
                    });
                    let mut module = ptr::null_mut();
                    let made = kmod_module_new_from_path(context, pointer(&path), &mut module);
                    assert_eq!(made == 0, !module.is_null());
                    self.put(*place, module);
                }
                Call::Ref(place) => {
                    let module = self.modules[slot(*place)];
                    assert_eq!(kmod_module_ref(module), module);
                    assert_eq!(kmod_module_unref(module), module);
                }
                Call::Unref(place) => self.put(*place, ptr::null_mut()),
                Call::Free(place) => self.put_list(*place, ptr::null_mut()),
                Call::Get(list, steps, place) => {
                    let list = self.lists[slot(*list)];
                    let mut entry = list;
                    for _ in 0..*steps {
                        entry = kmod_list_next(list, entry);
                    }
                    let module = kmod_module_get_module(entry);
                    assert_eq!(module.is_null(), entry.is_null());
                    self.put(*place, module);
                }
                Call::Facts(place) => {
                    let module = self.modules[slot(*place)];
                    assert_eq!(kmod_module_get_name(module).is_null(), module.is_null());
                    kmod_module_get_path(module);
                    kmod_module_get_options(module);
                    assert!(kmod_module_get_initstate(module) < 4);
                }
                Call::Dependencies(module, place) => {
                    let list = kmod_module_get_dependencies(self.modules[slot(*module)]);
                    check(list);
                    self.put_list(*place, list);
                }
                Call::Softdeps(module) => {
                    let (mut pre, mut post) = (ptr::null_mut(), ptr::null_mut());
                    kmod_module_get_softdeps(self.modules[slot(*module)], &mut pre, &mut post);
                    for list in [pre, post] {
                        check(list);
                        kmod_module_unref_list(list);
                    }
                }
                Call::Info(module) => {
                    let mut list = ptr::null_mut();
                    let count = kmod_module_get_info(self.modules[slot(*module)], &mut list);
                    assert_eq!(check(list), count.max(0));
                    assert!(list.is_null() || !kmod_module_info_get_key(list).is_null());
                    assert!(kmod_module_symbol_get_symbol(list).is_null());
                    kmod_module_unref_list(list);
                }
                Call::Needed(module) => {
                    let mut list = ptr::null_mut();
                    let count = kmod_module_get_dependency_symbols(self.modules[slot(*module)], &mut list);
                    assert_eq!(check(list), count.max(0));
                    assert!(list.is_null() || !kmod_module_symbol_get_symbol(list).is_null());
                    kmod_module_unref_list(list);
                }
                Call::Filter(list, filter) => {
                    let mut kept = ptr::null_mut();
                    kmod_module_apply_filter(context, u32::from(*filter), self.lists[slot(*list)], &mut kept);
                    assert!(check(kept) <= check(self.lists[slot(*list)]));
                    kmod_module_unref_list(kept);
                }
                // Always dry: this machine keeps its modules.
                Call::Probe(module, flags) => {
                    let module = self.modules[slot(*module)];
                    let none = ptr::null_mut();
                    let flags = u32::from(*flags & 0x3f) | (u32::from(*flags) & 0x1c0) << 10 | 0x10;
                    kmod_module_probe_insert_module(module, flags, c"a=1".as_ptr(), none, none, none);
                }
            }
        }
    }
}

/// How long a list is, the same both ways.
fn check(list: Pointer) -> c_int {
    let (mut forth, mut back) = (0, 0);
    // SAFETY: the list is NULL or one of ours.
    unsafe {
        let mut entry = list;
        while !entry.is_null() {
            (forth, entry) = (forth + 1, kmod_list_next(list, entry));
        }
        entry = kmod_list_last(list);
        while !entry.is_null() {
            (back, entry) = (back + 1, kmod_list_prev(list, entry));
        }
    }
    assert_eq!(forth, back);
    forth
}

fn run(input: &Input) {
    let directory = prepare(input);
    let directory = directory.path();
    let c_path = |path: &Path| CString::new(path.as_os_str().as_encoded_bytes()).unwrap();
    let (modules, config) = (c_path(directory), c_path(&directory.join("t.conf")));
    let null = std::fs::File::create("/dev/null").unwrap();
    // SAFETY: the strings and the array live to the end of the call; NULL ends the array, and is no log function.
    let context = unsafe {
        let context = kmod_new(modules.as_ptr(), [config.as_ptr(), ptr::null()].as_ptr());
        kmod_set_log_fn(context, ptr::null_mut(), ptr::null_mut());
        kmod_unref(kmod_ref(context))
    };
    let [modules, lists] = [[ptr::null_mut(); 4]; 2];
    let mut machine = Machine { context, modules, lists, directory: directory.to_owned() };
    for call in input.calls.iter().take(64) {
        machine.call(call, std::os::fd::AsRawFd::as_raw_fd(&null));
    }
    for place in 0..4 {
        machine.put(place, ptr::null_mut());
        machine.put_list(place, ptr::null_mut());
    }
    // SAFETY: the last reference is given back.
    let left = unsafe { kmod_unref(context) };
    assert!(left.is_null(), "something holds the context");
}

fuzz_target!(
    init: {
        // SAFETY: there is one thread. Lines of the configuration that are no directive would fill the log.
        unsafe { std::env::set_var("KMOD_LOG", "0") };
    },
    // Indexes of a few hundred bytes, names and configurations of at most 4 KiB.
    |input: Input| within(16 << 20, || run(&input))
);
