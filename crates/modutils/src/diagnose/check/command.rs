//! What an install command does, where that is known: the words by which modules are blocked load nothing.

use bstr::ByteSlice;

use crate::config::lines::words;

/// What a command that loads nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It fails, and so does modprobe.
    Fails,
    /// It succeeds, and so does modprobe, without the module.
    Nothing,
}

/// What a command does that a shell is given; `None` where it may load something.
pub(super) fn effect(command: &[u8]) -> Option<Effect> {
    let mut words = words(command);
    let program = words.next()?;
    let mut arguments = words.take_while(|word| !word.starts_with(b"#")).peekable();
    if program == b"exit" {
        let code = match (arguments.next(), arguments.next()) {
            (None, _) => 0,
            (Some(code), None) => code.to_str().ok()?.parse::<u8>().ok()?,
            _ => return None,
        };
        return Some(if code == 0 { Effect::Nothing } else { Effect::Fails });
    }
    let is_plain =
        |word: &[u8]| word.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_./=,+:".contains(byte));
    if !arguments.all(is_plain) {
        return None;
    }
    match program {
        b"false" | b"/bin/false" | b"/usr/bin/false" => Some(Effect::Fails),
        b"true" | b":" | b"/bin/true" | b"/usr/bin/true" => Some(Effect::Nothing),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_load_nothing_for_certain_are_known() {
        for command in
            ["/bin/false", "  /usr/bin/false  ", "false", "exit 1", "exit 255", "/bin/false now # why"]
        {
            assert_eq!(effect(command.as_bytes()), Some(Effect::Fails), "{command}");
        }
        for command in ["/bin/true", "/usr/bin/true", "true", ":", "exit", "exit 0", ": blocked"] {
            assert_eq!(effect(command.as_bytes()), Some(Effect::Nothing), "{command}");
        }
        for command in [
            "",
            "false || modprobe -i x",
            "/bin/false;modprobe -i x",
            ":; insmod x.ko",
            "true $(insmod x.ko)",
            "true `insmod x.ko`",
            "/opt/bin/false",
            "exit 256",
            "exit -1",
            "exit $X",
            "exit 1 2",
            "exit 1;",
            "! true",
            "#",
            "true >/sys/x",
            "modprobe -i x",
        ] {
            assert_eq!(effect(command.as_bytes()), None, "{command}");
        }
    }
}
