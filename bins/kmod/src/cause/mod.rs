//! The lines after an error message: why it happened, and what to do.
//!
//! The message itself is kmod's. The cause is worked out after the failure, and only where [`Report::explains`] allows
//! that somebody gets it.
//!
//! [`Report::explains`]: crate::report::Report::explains

#[cfg(feature = "diagnose")]
pub mod failed_request;
#[cfg(not(feature = "diagnose"))]
mod none;
#[cfg(feature = "diagnose")]
pub mod refused_load;

#[cfg(feature = "diagnose")]
use modutils::diagnose::Remark;
#[cfg(not(feature = "diagnose"))]
pub use none::{failed_request, refused_load};

/// Why something failed, for below a message. Empty where that is unknown, or for nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cause {
    lines: Vec<String>,
    kernel_log: Vec<String>,
}

impl Cause {
    /// One line.
    pub fn line(line: impl ToString) -> Self {
        vec![line.to_string()].into()
    }

    /// Lines that quote the kernel's log, after the others.
    pub fn with_kernel_log(self, kernel_log: Vec<String>) -> Self {
        Self { kernel_log, ..self }
    }

    /// The lines of both.
    pub fn and(mut self, other: Self) -> Self {
        self.lines.extend(other.lines);
        self.kernel_log.extend(other.kernel_log);
        self
    }

    /// The lines, with or without those that quote the kernel's log. None contains a newline, whatever names and paths
    /// are in it.
    pub fn lines(&self, with_kernel_log: bool) -> impl Iterator<Item = String> {
        let kernel_log = self.kernel_log.iter().filter(move |_| with_kernel_log);
        self.lines.iter().chain(kernel_log).map(|line| line.replace('\n', "\\n"))
    }
}

impl From<Vec<String>> for Cause {
    fn from(lines: Vec<String>) -> Self {
        Self { lines, kernel_log: Vec::new() }
    }
}

#[cfg(feature = "diagnose")]
impl From<&[Remark]> for Cause {
    fn from(remarks: &[Remark]) -> Self {
        remarks.iter().flat_map(Remark::text).cloned().collect::<Vec<String>>().into()
    }
}
