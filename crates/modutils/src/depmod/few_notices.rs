//! Messages about one file, not more than somebody reads: a few hundred bytes of a compressed module can have a hundred
//! thousand values that there is something to say about.

use crate::{Notice, Sink};

/// So many are passed on.
const MOST: usize = 1000;

/// Calls `work` with a sink that passes on a thousand notices, and then reports how many more there were. `what` is
/// what they are about.
pub(super) fn few<T>(what: &[u8], sink: &mut Sink, work: impl FnOnce(&mut Sink) -> T) -> T {
    let mut count = 0_usize;
    let done = work(&mut |notice| {
        count = count.saturating_add(1);
        if count <= MOST {
            sink(notice);
        }
    });
    if let Some(more @ 1..) = count.checked_sub(MOST) {
        let more = format!(": {more} more messages are omitted");
        sink(Notice::warning([what, more.as_bytes()].concat()));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_are_passed_on_and_the_others_counted() {
        for (count, last) in [(1000, "1000"), (1003, "a.ko: 3 more messages are omitted")] {
            let mut notices = Vec::new();
            few(b"a.ko", &mut |notice: Notice| notices.push(notice.to_string()), |sink| {
                (1..=count).for_each(|number| sink(Notice::warning(number.to_string())));
            });
            assert_eq!((notices.len(), notices.last().unwrap().as_str()), (count.min(1001), last));
        }
    }
}
