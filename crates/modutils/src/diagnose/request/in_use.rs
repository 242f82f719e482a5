//! By whom a module is in use.
//!
//! The kernel counts uses but does not report whose they are. Other modules it lists; the rest is put
//! together from what /proc and /sys show: devices that processes have open, file systems that are
//! mounted, swap areas, block devices that are set up, sockets, ciphers. What cannot be read, or is
//! not there, is skipped: less is reported then.

mod devices;
mod files;
mod kernel;
mod network;

use std::fmt::Write;

use bstr::{BString, ByteSlice};

use crate::{
    ModuleName, Release, Root,
    config::read,
    diagnose::words::printable,
    index::Indexes,
    kernel::{Kernel, State},
    module_file::ModuleFile,
};
use devices::Devices;

/// How many of a kind are listed.
const MOST: usize = 10;

/// What uses a module, or belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum User {
    /// A module needs it.
    Module(ModuleName),
    /// A process has one of its devices open.
    Process {
        /// Its id.
        id: u32,
        /// Its name, as the kernel keeps it.
        name: BString,
        /// The device's path.
        node: BString,
    },
    /// A file system is mounted.
    Mount {
        /// Its type.
        kind: BString,
        /// Where it is mounted.
        point: BString,
        /// A process that sees the mount, where it is none of ours.
        seen_by: Option<u32>,
    },
    /// A swap area is on one of its devices.
    Swap(BString),
    /// One of its block devices stands for a file.
    Loop {
        /// The device's name.
        device: BString,
        /// The file.
        file: BString,
    },
    /// Another block device is made of one of the module's.
    Stacked {
        /// Its device.
        device: BString,
        /// The other one.
        by: BString,
    },
    /// There are sockets of its protocol.
    Sockets {
        /// The protocol.
        protocol: BString,
        /// How many.
        count: u64,
    },
    /// The kernel works with a cipher or a hash of it.
    Algorithm(BString),
    /// The kernel itself works with it: what it does, and how to end that.
    Kernel {
        /// What.
        what: BString,
        /// The command that ends it.
        end: BString,
    },
    /// A network interface is of its kind. That alone does not keep a module.
    Interface(BString),
    /// A device is bound to one of its drivers. That alone does not keep a module.
    Device {
        /// The bus and the driver.
        driver: BString,
        /// The device.
        device: BString,
    },
}

/// What is known of a module's users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InUse {
    users: Vec<User>,
    /// The kernel's count of them; `None` where it has none.
    references: Option<i64>,
    /// Whether there are processes that we may not look into.
    hidden: bool,
    /// Whether it is on its way in or out, when the kernel itself holds it.
    state: State,
    /// Whether it may be on its way in for good.
    may_be_stuck: bool,
    /// Where to look for users that cannot be seen.
    hint: Option<&'static str>,
}

/// Looks for all that uses a module of the running kernel.
pub fn in_use(root: &Root, module: &ModuleName) -> InUse {
    let aliases = &aliases(root, module);
    let kernel = Kernel::running(root);
    let mut users: Vec<User> =
        kernel.holders(module).unwrap_or_default().into_iter().map(User::Module).collect();
    let devices = Devices::of(root, module, aliases);
    let hidden = files::users(root, aliases, &devices, &mut users);
    devices.block_users(&mut users);
    kernel::users(root, module, aliases, &mut users);
    network::sockets(root, module, &mut users);
    network::algorithms(root, module, &mut users);
    network::interfaces(root, module, aliases, &mut users);
    devices::bound(root, module, &mut users);
    let (references, state) = (kernel.references(module), kernel.state(module));
    let (may_be_stuck, hint) = (had_an_error(root), kernel::hint(module, aliases));
    InUse { users, references, hidden, state, may_be_stuck, hint }
}

/// Whether an error of the kernel has ended a process since it was booted: TAINT_DIE of `include/linux/panic.h`. A module
/// whose initialisation that process ran remains as it was.
fn had_an_error(root: &Root) -> bool {
    const DIE: u64 = 1 << 7;
    let tainted = read(&root.system("/proc/sys/kernel/tainted")).unwrap_or_default();
    let tainted = tainted.trim().to_str().ok().and_then(|tainted| tainted.parse::<u64>().ok());
    tainted.is_some_and(|tainted| tainted & DIE != 0)
}

/// What a module is whose initialisation has not ended.
pub(super) fn coming(root: &Root) -> &'static str {
    coming_line(had_an_error(root))
}

fn coming_line(may_be_stuck: bool) -> &'static str {
    match may_be_stuck {
        true => {
            "It is still being loaded, or is stuck since an error of the kernel (dmesg): then it stays until the next boot."
        }
        false => "It is still being loaded.",
    }
}

/// The aliases that the module gives itself, by which device numbers and file systems are known to be its
/// own; none where its file is not to be found. A base is of no matter: the running kernel is the system's.
fn aliases(root: &Root, module: &ModuleName) -> Vec<BString> {
    let Ok(release) = Release::running() else { return Vec::new() };
    let indexes = Indexes::new(root.clone().with_base("").modules(&release));
    let Ok(Some(path)) = indexes.file_of(module) else { return Vec::new() };
    let Ok(file) = ModuleFile::open(&path) else { return Vec::new() };
    file.modinfo().map(|info| info.values("alias").map(BString::from).collect()).unwrap_or_default()
}

impl User {
    /// Whether it keeps the module from being removed.
    pub fn holds(&self) -> bool {
        !matches!(self, Self::Interface(_) | Self::Device { .. })
    }

    /// What it is, and how to end that, in words.
    pub fn text(&self) -> String {
        match self {
            Self::Module(name) => format!("The module {} uses it (modprobe -r {0}).", printable(name)),
            Self::Process { id, name, node } => {
                format!("The process {id} ({}) has {} open.", printable(name), printable(node))
            }
            Self::Mount { kind, point, seen_by } => {
                let (kind, point) = (printable(kind), printable(point));
                let mut line = format!("A file system of type {kind} is mounted on {point}");
                let _ = match seen_by {
                    None => write!(line, " (umount {point})."),
                    Some(id) => {
                        write!(line, " where the process {id} lives, in a mount namespace of its own.")
                    }
                };
                line
            }
            Self::Swap(device) => format!("{} is swapped on (swapoff {0}).", printable(device)),
            Self::Loop { device, file } => {
                format!(
                    "/dev/{} stands for the file {} (losetup -d /dev/{0}).",
                    printable(device),
                    printable(file)
                )
            }
            Self::Stacked { device, by } => {
                format!("The device {} is made of {}.", printable(by), printable(device))
            }
            Self::Sockets { protocol, count: 1 } => {
                format!("There is a socket of protocol {}.", printable(protocol))
            }
            Self::Sockets { protocol, count } => {
                format!("There are {count} sockets of protocol {}.", printable(protocol))
            }
            Self::Algorithm(name) => format!("The kernel works with its algorithm {}.", printable(name)),
            Self::Kernel { what, end } => format!("{} ({}).", printable(what), printable(end)),
            Self::Interface(name) => format!("The network interface {} is its own.", printable(name)),
            Self::Device { driver, device } => {
                format!("Its driver {} has the device {}.", printable(driver), printable(device))
            }
        }
    }
}

impl InUse {
    /// The users that were found, those of one kind together.
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// All of it in words.
    pub fn lines(&self) -> Vec<String> {
        self.lines_with(true)
    }

    /// The same without the modules, where these have been named already.
    pub fn lines_without_modules(&self) -> Vec<String> {
        self.lines_with(false)
    }

    fn lines_with(&self, modules: bool) -> Vec<String> {
        let is_shown = |user: &&User| modules || !matches!(user, User::Module(_));
        let mut lines: Vec<String> = Vec::new();
        for users in self.users.chunk_by(|a, b| std::mem::discriminant(a) == std::mem::discriminant(b)) {
            lines.extend(users.iter().filter(is_shown).take(MOST).map(User::text));
            let more = users.iter().filter(is_shown).count().saturating_sub(MOST);
            if more > 0 {
                lines.push(format!("  … and {more} more like that."));
            }
        }
        if !self.users.iter().any(User::holds) {
            match self.state {
                State::Coming => {
                    lines.push(coming_line(self.may_be_stuck).into());
                    return lines;
                }
                State::Going => {
                    lines.push("It is being unloaded already.".into());
                    return lines;
                }
                State::Live | State::Absent | State::Unknown => {}
            }
            let times = match self.references {
                Some(1) => "once".into(),
                Some(count) if count > 0 => format!("{count} times"),
                _ => return lines,
            };
            lines.push(format!("The kernel counts it as used {times}; by whom cannot be seen from outside."));
            lines.extend(self.hint.map(|hint| format!("  {hint}")));
            if self.hidden {
                lines.push("  Root sees more: what other people's processes have open.".into());
            }
        }
        lines
    }
}
