//! The files to damage, and the tools that read them.

use std::fs;
use std::path::{Path, PathBuf};

use modutils_tests::{little_kernel, module};
use testkit::cache::{self, ModuleTree, SkipExtent};
use testkit::{Arch, Compression, Crc, TestRoot, VersionTables, compress};

/// The trees that modules come from: each compression, both byte orders, both classes.
const TREES: [&str; 7] = [
    "bookworm-cloud",
    "trixie-amd64",
    "trixie-amd64-plain",
    "trixie-amd64-zst",
    "trixie-amd64-gz",
    "trixie-s390x",
    "trixie-armhf",
];

/// How many modules of a tree, and how large their files may be: the tools are run thousands of times.
const MODULES: usize = 12;
const LARGEST: u64 = 120_000;

/// The tree whose indexes are damaged, and its path in the root.
pub(crate) const INDEXED: &str = "bookworm-cloud";

/// The path of the little kernel in the root: a base directory.
const LITTLE: &str = "little";

/// A file to damage.
pub(crate) struct Subject {
    /// Its description, for messages.
    pub(crate) label: String,
    /// Its row of the table.
    pub(crate) group: &'static str,
    pub(crate) content: Content,
    /// Its path in the directory of a case. A module's path has no extension yet.
    pub(crate) place: String,
    /// Other files: paths, and the targets of the symbolic links at them.
    pub(crate) links: Vec<(String, String)>,
    /// The tools that read it.
    pub(crate) actions: Vec<Action>,
}

/// The undamaged content of a file.
pub(crate) enum Content {
    /// The image of a module.
    Module(Vec<u8>),
    /// An index.
    Index(Vec<u8>),
    /// A text.
    Text(Vec<u8>),
}

/// A tool and its arguments.
#[derive(Clone)]
pub(crate) struct Action {
    pub(crate) tool: &'static str,
    /// `{}` is replaced by the directory of the case, `{file}` by the damaged file.
    pub(crate) args: Vec<String>,
    /// A file of the root that the damaged file is copied to while the tool runs.
    pub(crate) copied_to: Option<String>,
    /// Whether it calls the kernel, so that a fake one must answer.
    pub(crate) loads: bool,
}

impl Action {
    fn new(tool: &'static str, args: &[&str]) -> Action {
        Action { tool, args: args.iter().map(|&arg| arg.to_owned()).collect(), copied_to: None, loads: false }
    }

    fn copied_to(mut self, path: String) -> Action {
        self.copied_to = Some(path);
        self
    }

    fn loading(mut self) -> Action {
        self.loads = true;
        self
    }
}

/// All subjects. The files that they refer to are written to the root.
pub(crate) fn all(root: &TestRoot) -> Vec<Subject> {
    let indexed = cache::tree(INDEXED);
    root.add_tree(&indexed, &|_| true);
    root.ours("depmod", &[root.version()]).succeeds();
    add_little_kernel(root);
    let mut subjects = made_modules(root);
    let is_available = |name: &&str| cache::require_or_skip(name, SkipExtent::PartOfTest).is_ok();
    for name in TREES.into_iter().filter(is_available) {
        subjects.extend(real_modules(root, name, &cache::tree(name)));
    }
    let modules = root.module_path("");
    let little = format!("{LITTLE}/{modules}");
    subjects.extend(indexes(root, &modules, &REAL_QUERIES));
    subjects.extend(indexes(root, &little, &LITTLE_QUERIES));
    subjects.extend(texts(root, &little));
    subjects
}

/// The little kernel in a separate base directory, with indexes.
fn add_little_kernel(root: &TestRoot) {
    let little = little_kernel();
    let from = little.path().join(little.module_path(""));
    let to = root.path().join(LITTLE).join(root.module_path(""));
    copy(&from, &to);
    root.ours("depmod", &["-b", &format!("/{LITTLE}"), root.version()]).succeeds();
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory in the root");
    for entry in fs::read_dir(from).expect("a directory").flatten() {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a file in the root");
        }
    }
}

fn real_modules(root: &TestRoot, name: &str, tree: &ModuleTree) -> Vec<Subject> {
    let mut files = module_files(&tree.modules);
    files.retain(|path| fs::metadata(path).is_ok_and(|metadata| metadata.len() < LARGEST));
    files.sort();
    let step = (files.len() / MODULES).max(1);
    let chosen: Vec<PathBuf> = files.into_iter().step_by(step).take(MODULES).collect();
    // Each has two other modules of the tree next to it, so that depmod also finds undamaged files.
    let companions: Vec<String> = chosen
        .iter()
        .take(2)
        .map(|path| {
            let file = path.file_name().expect("a file").to_string_lossy().into_owned();
            let place = format!("companions/{name}/{file}");
            root.write(&place, fs::read(path).expect("a module"));
            format!("/{place}")
        })
        .collect();
    let subject = |path: &PathBuf| {
        let file = path.file_name().expect("a file").to_string_lossy().into_owned();
        let stem = file.split('.').next().expect("a name").to_owned();
        let image = compress::decompress(&fs::read(path).expect("a module"));
        module_subject(root, format!("{name} {file}"), &stem, image, &companions)
    };
    chosen[2..].iter().map(subject).collect()
}

fn module_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).expect("a module tree").flatten() {
        let kind = entry.file_type().expect("an entry has a type");
        if kind.is_dir() {
            found.extend(module_files(&entry.path()));
        } else if entry.file_name().to_string_lossy().contains(".ko") {
            found.push(entry.path());
        }
    }
    found
}

/// Modules of every architecture, with every kind of content.
fn made_modules(root: &TestRoot) -> Vec<Subject> {
    let companion = module("companion").export("offered", Crc::Section(3)).build();
    root.write("companions/made/companion.ko", companion);
    let companions = ["/companions/made/companion.ko".to_owned()];
    let made = |arch: &Arch| {
        let built = module("made")
            .arch(*arch)
            .modinfo("license", "GPL")
            .modinfo("parm", "depth:how deep")
            .modinfo("parmtype", "depth:int")
            .modinfo("softdep", "pre: companion")
            .alias("made-*")
            .alias("devname:made")
            .alias("char-major-10-77")
            .export("one", Crc::Section(1))
            .export("two", Crc::Absolute(2))
            .needs("offered", 3)
            .needs_weak("missing", 4)
            .version_tables(VersionTables::Both);
        module_subject(root, format!("testkit {arch:?}"), "made", built.build(), &companions)
    };
    Arch::ALL.iter().map(made).collect()
}

fn module_subject(
    root: &TestRoot,
    label: String,
    stem: &str,
    image: Vec<u8>,
    companions: &[String],
) -> Subject {
    let kernel = root.module_path("kernel");
    let beside = |path: &String| {
        let file = path.rsplit('/').next().expect("a file");
        (format!("{kernel}/{file}"), path.clone())
    };
    Subject {
        label,
        group: "modules",
        content: Content::Module(image),
        place: format!("{kernel}/{stem}"),
        links: companions.iter().map(beside).collect(),
        actions: vec![
            Action::new("modinfo", &["{file}"]),
            Action::new("modinfo", &["-0", "{file}"]),
            Action::new("modinfo", &["-p", "{file}"]),
            Action::new("modinfo", &["-F", "alias", "{file}"]),
            Action::new("modprobe", &["--show-exports", "{file}"]),
            Action::new("modprobe", &["--show-modversions", "{file}"]),
            Action::new("modprobe", &["-D", "{file}"]),
            Action::new("depmod", &["-b", "{}", "-n", root.version()]),
            Action::new("depmod", &["-b", "{}", "-o", "{}/out", "-w", root.version()]),
            Action::new("depmod", &["-b", "{}", "-e", "-E", "/symvers", "-n", root.version()]),
            Action::new("insmod", &["{file}"]).loading(),
            Action::new("insmod", &["-f", "{file}", "depth=1"]).loading(),
            Action::new("modprobe", &["{file}"]).loading(),
        ],
    }
}

/// The queries for an index: names, aliases, symbols, and built-in modules.
struct Queries {
    names: [&'static str; 3],
    aliases: [&'static str; 3],
    symbol: &'static str,
    builtin: &'static str,
    builtin_alias: &'static str,
}

const REAL_QUERIES: Queries = Queries {
    names: ["ext4", "nf_tables", "virtio_net"],
    aliases: [
        "pci:v00001AF4d00001000sv00001AF4sd00000001bc02sc00i00",
        "fs-btrfs",
        "virtio:d00000001v00001AF4",
    ],
    symbol: "symbol:nf_register_net_hook",
    builtin: "configfs",
    builtin_alias: "fs-configfs",
};

const LITTLE_QUERIES: Queries = Queries {
    names: ["top", "helper", "my-dash"],
    aliases: ["pci:v00008086d0000100Esv1sd2bc02sc3i4", "fs-top", "of:NnTb-x"],
    symbol: "symbol:base_fn",
    builtin: "inside",
    builtin_alias: "fs-inside",
};

/// The indexes in a module directory of the root.
fn indexes(root: &TestRoot, directory: &str, queries: &Queries) -> Vec<Subject> {
    const FILES: [&str; 5] = [
        "modules.dep.bin",
        "modules.alias.bin",
        "modules.symbols.bin",
        "modules.builtin.bin",
        "modules.builtin.alias.bin",
    ];
    let version = root.version();
    let modprobe = |args: &[&str]| Action::new("modprobe", &[&["-d", "{}", "-S", version], args].concat());
    let modinfo = |args: &[&str]| Action::new("modinfo", &[&["-b", "{}", "-k", version], args].concat());
    let subject = |file: &&'static str| {
        let mut actions = vec![modprobe(&["-c"]), modprobe(&["-D", "-a", queries.names[0], queries.builtin])];
        match *file {
            "modules.dep.bin" => {
                actions.extend(queries.names.map(|name| modprobe(&["-D", name])));
                actions.extend(queries.names.map(|name| modprobe(&["-R", name])));
                actions.push(modprobe(&["-n", "-r", queries.names[0]]));
                actions.push(modinfo(&["-F", "license", queries.names[0]]));
            }
            "modules.alias.bin" => {
                actions.extend(queries.aliases.map(|alias| modprobe(&["-R", alias])));
                actions.extend(queries.aliases.map(|alias| modinfo(&["-n", alias])));
                actions.push(modprobe(&["-D", queries.aliases[0]]));
            }
            "modules.symbols.bin" => actions.push(modprobe(&["-R", queries.symbol])),
            _ => {
                actions.push(modprobe(&["-D", queries.builtin]));
                actions.push(modprobe(&["-R", queries.builtin_alias]));
                actions.push(modinfo(&["-m", queries.builtin]));
            }
        }
        let place = format!("{}{file}", root.module_path(""));
        Subject {
            label: format!("{directory}{file}"),
            group: "indexes",
            content: Content::Index(root.read(&format!("{directory}{file}"))),
            links: all_but(root, directory, file),
            place,
            actions,
        }
    };
    FILES.iter().map(subject).collect()
}

/// Links to everything in a module directory but one file.
fn all_but(root: &TestRoot, directory: &str, excluded: &str) -> Vec<(String, String)> {
    let entries = fs::read_dir(root.path().join(directory)).expect("a module directory");
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != excluded);
    names.sort();
    let link = |name: String| (format!("{}{name}", root.module_path("")), format!("/{directory}{name}"));
    names.into_iter().map(link).collect()
}

const MODPROBE_D: &str = "# A bit of everything.\nalias net-pf-10 top\nalias of:N*T[a-z]-* helper\nblacklist extra\n\
    options top depth=3 \\\n  name=\"a b\"\ninstall other /bin/true $CMDLINE_OPTS\nremove other /bin/true\n\
    softdep helper pre: extra my-dash post: base\nweakdep top extra\nalias b* base\noptions base x=1\n";

const DEPMOD_D: &str = "search updates extra built-in external\noverride top * kernel/drivers\n\
    override base ^6\\.[0-9]+ updates\nexternal * /little/opt\nexclude skipped\n";

const DEVNAME: &str = "# Device nodes to trigger on-demand module loading.\nfuse fuse c10:229\nloop loop-control c10:237\n\
    tun net/tun c10:200\nbtrfs btrfs-control c10:234\nsnd_seq snd/seq c116:1\nx deep/er/node b8:16\n";

const COMMAND_LINE: &str = "BOOT_IMAGE=/vmlinuz root=/dev/vda1 quiet top.depth=9 my-dash.x=\"a b\" helper.flag\
    modprobe.blacklist=extra,base \"base.y=c d\" 10.0.0.1:x\n";

const SYMVERS: &str = "0x00000001\t_printk\tvmlinux\tEXPORT_SYMBOL\t\n0x0000000b\tbase_fn\tkernel/lib/base\tEXPORT_SYMBOL\t\n\
    0x12345678\tkmalloc\tvmlinux\tEXPORT_SYMBOL_GPL\tNS\n";

const SYSTEM_MAP: &str = "0000000000000000 A fixed_percpu_data\nffffffff81000000 T _stext\n\
    ffffffff82000000 r __ksymtab__printk\nffffffff82000010 r __ksymtab_kmalloc\n";

/// The texts that tools read.
fn texts(root: &TestRoot, little: &str) -> Vec<Subject> {
    root.write("symvers", SYMVERS);
    let version = root.version();
    let release =
        fs::read_to_string("/proc/sys/kernel/osrelease").expect("the release of the running kernel");
    let devname = format!("lib/modules/{}/modules.devname", release.trim_end());
    root.write(&devname, DEVNAME);
    let based = |tool, args: &[&str]| Action::new(tool, &[&["-b", "/little"], args, &[version]].concat());
    let modprobe =
        |args: &[&str]| Action::new("modprobe", &[&["-d", "/little", "-S", version], args].concat());
    let named = ["top", "helper", "net-pf-10", "b2"];
    let text = |name: &str, content: &[u8], actions: Vec<Action>| Subject {
        label: name.to_owned(),
        group: "texts",
        content: Content::Text(content.to_vec()),
        place: name.to_owned(),
        links: Vec::new(),
        actions,
    };
    let configured =
        [&["-c"][..], &["-R", named[2]], &["-D", named[3]], &["-D", named[0]], &["-n", "-r", named[1]]];
    let configured = configured.map(|args| modprobe(&[&["-C", "{file}"], args].concat()));
    let booted = [&["-c"][..], &["-D", named[0]]];
    let booted = booted.map(|args| modprobe(args).copied_to("proc/cmdline".into()));
    let nodes = ["human", "tmpfiles", "devname"];
    let nodes =
        nodes.map(|form| Action::new("kmod", &["static-nodes", "-f", form]).copied_to(devname.clone()));
    let mut subjects = vec![
        text("modprobe.conf", MODPROBE_D.as_bytes(), configured.to_vec()),
        text("depmod.conf", DEPMOD_D.as_bytes(), vec![based("depmod", &["-n", "-C", "{file}"])]),
        text("cmdline", COMMAND_LINE.as_bytes(), booted.to_vec()),
        text("modules.devname", DEVNAME.as_bytes(), nodes.to_vec()),
        text("symvers", SYMVERS.as_bytes(), vec![based("depmod", &["-n", "-e", "-E", "{file}"])]),
        text("System.map", SYSTEM_MAP.as_bytes(), vec![based("depmod", &["-n", "-e", "-F", "{file}"])]),
    ];
    let lists =
        ["modules.order", "modules.builtin", "modules.builtin.modinfo", "modules.softdep", "modules.weakdep"];
    for file in lists {
        let modprobe =
            |args: &[&str]| Action::new("modprobe", &[&["-d", "{}", "-S", version], args].concat());
        let actions = match file {
            "modules.softdep" | "modules.weakdep" => vec![modprobe(&["-c"]), modprobe(&["-D", "top"])],
            "modules.builtin.modinfo" => vec![
                Action::new("depmod", &["-b", "{}", "-o", "{}/out", version]),
                Action::new("modinfo", &["-b", "{}", "-k", version, "inside"]),
            ],
            _ => vec![Action::new("depmod", &["-b", "{}", "-o", "{}/out", version])],
        };
        let links = all_but(root, little, file);
        let place = format!("{}{file}", root.module_path(""));
        let content = root.read(&format!("{little}{file}"));
        subjects.push(Subject { links, place, ..text(file, &content, actions) });
    }
    subjects
}

/// The compression of a module's file.
pub(crate) fn compression(number: u8) -> Compression {
    Compression::ALL[usize::from(number) % Compression::ALL.len()]
}
