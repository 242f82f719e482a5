//! What errors of the operating system are called.

use std::io;

use nix::errno::Errno;

/// The text of an error number, as strerror(3) of glibc has it.
///
/// Scripts match these texts, so they must not depend on what a binary is linked with: musl, in the static binary,
/// calls EBUSY "Resource busy". The texts of `nix` are the kernel's comments on most numbers, and glibc's except
/// for these.
pub fn errno_text(errno: Errno) -> &'static str {
    match errno {
        Errno::EIO => "Input/output error",
        Errno::EBADF => "Bad file descriptor",
        Errno::EAGAIN => "Resource temporarily unavailable",
        Errno::ENOMEM => "Cannot allocate memory",
        Errno::EXDEV => "Invalid cross-device link",
        Errno::ENFILE => "Too many open files in system",
        Errno::ENOTTY => "Inappropriate ioctl for device",
        Errno::EDOM => "Numerical argument out of domain",
        Errno::ERANGE => "Numerical result out of range",
        Errno::EDEADLK => "Resource deadlock avoided",
        Errno::ENOLCK => "No locks available",
        Errno::ELOOP => "Too many levels of symbolic links",
        Errno::EBADMSG => "Bad message",
        Errno::EOVERFLOW => "Value too large for defined data type",
        Errno::EILSEQ => "Invalid or incomplete multibyte or wide character",
        Errno::EOPNOTSUPP => "Operation not supported",
        Errno::EDQUOT => "Disk quota exceeded",
        other => other.desc(),
    }
}

/// The system's text for an error, without the "(os error N)" that [`io::Error`] adds.
pub fn error_text(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => errno_text(Errno::from_raw(errno)).to_owned(),
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
            assert_eq!(errno_text(Errno::from_raw(number)), text, "{number}");
        }
    }

    #[test]
    fn an_error_has_its_numbers_text_or_else_its_own() {
        assert_eq!(error_text(&io::Error::from_raw_os_error(1)), "Operation not permitted");
        assert_eq!(error_text(&io::Error::other("more than 5 bytes")), "more than 5 bytes");
    }
}
