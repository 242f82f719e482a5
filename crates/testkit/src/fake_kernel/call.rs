//! The calls a tool made, as they are recorded and compared.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use nix::errno::Errno;

/// One module system call of a tool under test and what the fake kernel answered.
///
/// Two tools did the same if their calls are equal: arguments, results and order. `uname` is answered but not recorded:
/// how often a tool calls it does not matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `finit_module(fd, parameters, flags)`.
    Finit {
        /// The open file, as its path in the root.
        path: PathBuf,
        /// The parameter string.
        parameters: OsString,
        /// `MODULE_INIT_IGNORE_MODVERSIONS` 1, `MODULE_INIT_IGNORE_VERMAGIC` 2, `MODULE_INIT_COMPRESSED_FILE` 4.
        flags: u32,
        /// What the call returned.
        result: Result<(), Errno>,
    },
    /// `init_module(image, length, parameters)`.
    Init {
        /// The name in the image, or the error of reading it.
        module: OsString,
        /// The image, byte for byte.
        image: Vec<u8>,
        /// The parameter string.
        parameters: OsString,
        /// What the call returned.
        result: Result<(), Errno>,
    },
    /// `delete_module(name, flags)`.
    Delete {
        /// The module's name as it was given.
        name: OsString,
        /// `O_NONBLOCK`, and `O_TRUNC` to force.
        flags: u32,
        /// What the call returned.
        result: Result<(), Errno>,
    },
}

impl fmt::Display for Call {
    /// The call as `strace` would print it; an image as its length and a checksum.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let result = match self {
            Call::Finit { path, parameters, flags, result } => {
                write!(f, "finit_module({path:?}, {parameters:?}, {flags:#x})")?;
                result
            }
            Call::Init { module, image, parameters, result } => {
                write!(
                    f,
                    "init_module({module:?} of {} bytes ({:08x}), {parameters:?})",
                    image.len(),
                    sum(image)
                )?;
                result
            }
            Call::Delete { name, flags, result } => {
                write!(f, "delete_module({name:?}, {})", delete_flags(*flags))?;
                result
            }
        };
        match result {
            Ok(()) => f.write_str(" = 0"),
            Err(errno) => write!(f, " = {errno:?}"),
        }
    }
}

fn delete_flags(flags: u32) -> String {
    let known = [(libc::O_NONBLOCK as u32, "O_NONBLOCK"), (libc::O_TRUNC as u32, "O_TRUNC")];
    let mut names: Vec<String> =
        known.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| (*name).to_owned()).collect();
    let rest = known.iter().fold(flags, |rest, (bit, _)| rest & !bit);
    if rest != 0 || names.is_empty() {
        names.push(format!("{rest:#x}"));
    }
    names.join("|")
}

/// FNV-1a: enough to see that two images differ.
fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}
