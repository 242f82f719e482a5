//! Error numbers of the operating system, and what they are called.

use std::{fmt, io};

use nix::errno::Errno as Number;

/// An error number of the kernel, errno(3). Its text is [`Errno::text`]; what it stands for in groups
/// that callers match is [`ErrorKind`](crate::ErrorKind).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(i32);

/// The numbers by which the kernel answers when it loads or removes a module.
impl Errno {
    /// A permission is missing, or loading modules is disabled.
    pub const EPERM: Self = Self::of(Number::EPERM);
    /// A symbol is unknown, or a module or file is not there.
    pub const ENOENT: Self = Self::of(Number::ENOENT);
    /// The version of a symbol is another one.
    pub const ESRCH: Self = Self::of(Number::ESRCH);
    /// The file is no module for this kernel.
    pub const ENOEXEC: Self = Self::of(Number::ENOEXEC);
    /// The module is in use.
    pub const EAGAIN: Self = Self::of(Number::EAGAIN);
    /// The module is in the kernel already.
    pub const EEXIST: Self = Self::of(Number::EEXIST);
    /// A parameter, or something in the file, is invalid.
    pub const EINVAL: Self = Self::of(Number::EINVAL);
    /// What was asked for is not in the file.
    pub const ENODATA: Self = Self::of(Number::ENODATA);
}

/// The other numbers that this crate itself names.
macro_rules! numbers {
    ($($name:ident)*) => {
        impl Errno {
            $(pub(crate) const $name: Self = Self::of(Number::$name);)*
        }
    };
}

numbers! {
    EINTR EIO EBADF ENOMEM EACCES EFAULT EBUSY EXDEV ENOTDIR EISDIR
    ENFILE ENOTTY ETXTBSY EFBIG ENOSPC EROFS EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS
    ELOOP ENOPKG EBADMSG EOVERFLOW EILSEQ EOPNOTSUPP EKEYEXPIRED EKEYREVOKED EKEYREJECTED ENOKEY EDQUOT
}

impl Errno {
    /// The error of this number, as system calls set it: positive.
    pub const fn from_raw(number: i32) -> Self {
        Self(number)
    }

    /// The number.
    pub const fn raw(self) -> i32 {
        self.0
    }

    pub(crate) const fn of(number: Number) -> Self {
        Self(number as i32)
    }

    /// The number in an error of the standard library; where it has none, that of a lack of memory, or `EIO`.
    pub(crate) fn in_io(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(number) => Self(number),
            None if error.kind() == io::ErrorKind::OutOfMemory => Self::ENOMEM,
            None => Self::EIO,
        }
    }

    /// The text of an error number, as strerror(3) of glibc has it.
    ///
    /// Scripts match these texts, so they must not depend on what a binary is linked with: musl, in the static binary,
    /// calls EBUSY "Resource busy". The texts of `nix` are the kernel's comments on most numbers, and glibc's except
    /// for these.
    pub fn text(self) -> &'static str {
        match self {
            Self::EIO => "Input/output error",
            Self::EBADF => "Bad file descriptor",
            Self::EAGAIN => "Resource temporarily unavailable",
            Self::ENOMEM => "Cannot allocate memory",
            Self::EXDEV => "Invalid cross-device link",
            Self::ENFILE => "Too many open files in system",
            Self::ENOTTY => "Inappropriate ioctl for device",
            Self::EDOM => "Numerical argument out of domain",
            Self::ERANGE => "Numerical result out of range",
            Self::EDEADLK => "Resource deadlock avoided",
            Self::ENOLCK => "No locks available",
            Self::ELOOP => "Too many levels of symbolic links",
            Self::EBADMSG => "Bad message",
            Self::EOVERFLOW => "Value too large for defined data type",
            Self::EILSEQ => "Invalid or incomplete multibyte or wide character",
            Self::EOPNOTSUPP => "Operation not supported",
            Self::EDQUOT => "Disk quota exceeded",
            other => Number::from_raw(other.0).desc(),
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.0)
    }
}

/// The system's text for an error, without the "(os error N)" that [`io::Error`] adds.
pub fn error_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => Errno(errno).text().to_owned(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    #[cfg(target_env = "gnu")]
    fn the_texts_are_those_of_glibc() {
        // What system calls on files and modules return; streams and sockets are none of our business.
        for number in (1..=40).chain([42, 43, 61, 71, 74, 75, 84, 95, 122, 126, 127, 128, 129]) {
            let text = io::Error::from_raw_os_error(number).to_string();
            let text = text.strip_suffix(&format!(" (os error {number})")).unwrap();
            assert_eq!(Errno::from_raw(number).text(), text, "{number}");
        }
    }

    #[test]
    fn an_error_has_its_numbers_text_or_else_its_own() {
        assert_eq!(error_text(&io::Error::from_raw_os_error(1)), "Operation not permitted");
        assert_eq!(error_text(&io::Error::other("more than 5 bytes")), "more than 5 bytes");
    }
}
