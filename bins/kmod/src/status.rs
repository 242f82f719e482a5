//! Whether a tool did what was asked.

use std::process::ExitCode;

/// The result of a part of a tool's work. What went wrong has been reported when there is a failure.
///
/// A predicate is a `bool`; a function that acts, and may not succeed, returns this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "the exit code depends on it"]
pub enum Status {
    /// Everything was done.
    Success,
    /// Something was not done.
    Failure,
}

impl Status {
    /// Success where both are. Both parts of the work have already been done.
    pub fn and(self, other: Self) -> Self {
        if self == Self::Success { other } else { Self::Failure }
    }
}

/// Success where all are. Later items are processed after a failure, too.
impl FromIterator<Status> for Status {
    fn from_iter<T: IntoIterator<Item = Status>>(statuses: T) -> Self {
        statuses.into_iter().fold(Self::Success, Self::and)
    }
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        match status {
            Status::Success => Self::SUCCESS,
            Status::Failure => Self::FAILURE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failure_is_a_failure_and_ends_nothing() {
        let mut processed = 0;
        let statuses = [Status::Success, Status::Failure, Status::Success].into_iter();
        let all: Status = statuses.inspect(|_| processed += 1).collect();
        assert_eq!((all, processed), (Status::Failure, 3));
        assert_eq!(std::iter::empty::<Status>().collect::<Status>(), Status::Success);
    }
}
