//! The text of `--help`: usage, options, two examples, and the manual page.

use clap::Command;

/// The order of the parts. The arguments are in the usage line.
const TEMPLATE: &str = "{about-with-newline}\n{usage-heading} {usage}\n\nOptions:\n{options}{after-help}";

/// The page of each command, without its section, and two examples.
const EXAMPLES: [(&str, &str, [&str; 2]); 14] = [
    ("blocked", "kmod-blocked", ["kmod blocked", "kmod blocked nouveau"]),
    ("check", "kmod-check", ["kmod check ./hello.ko", "kmod check --all -S 6.12.1"]),
    ("closure", "kmod-closure", ["kmod closure --why ext4", "kmod closure 'kernel/drivers/net/*'"]),
    ("depmod", "depmod", ["depmod", "depmod -b /mnt 6.12.1"]),
    ("graph", "kmod-graph", ["kmod graph ext4", "kmod graph --reverse crc16"]),
    ("insmod", "insmod", ["insmod ./hello.ko", "insmod ./hello.ko greeting=hi"]),
    ("kmod", "kmod", ["kmod check ./hello.ko", "kmod modprobe vfat"]),
    ("lsmod", "lsmod", ["lsmod", "lsmod --json"]),
    ("modinfo", "modinfo", ["modinfo vfat", "modinfo -F firmware ./hello.ko"]),
    ("modprobe", "modprobe", ["modprobe vfat", "modprobe -r vfat"]),
    ("params", "kmod-params", ["kmod params loop", "kmod params --json loop"]),
    ("rmmod", "rmmod", ["rmmod vfat", "rmmod test_square square"]),
    (
        "static-nodes",
        "kmod",
        ["kmod static-nodes", "kmod static-nodes -f tmpfiles -o /run/tmpfiles.d/nodes.conf"],
    ),
    ("status", "kmod-status", ["kmod status vfat", "kmod status -q vfat && echo loaded"]),
];

/// The help of a command that was called by this name, such as `kmod check`.
pub fn text(command: Command, called: &str) -> String {
    let known = EXAMPLES.iter().find(|(name, ..)| *name == command.get_name());
    let before = command.get_after_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let after = known.map(|(_, page, [one, other])| {
        format!("{before}Examples:\n  {one}\n  {other}\n\nThe manual page is {page}(8).")
    });
    let command = command.bin_name(called.to_owned()).help_template(TEMPLATE);
    let mut command = match after {
        Some(after) => command.after_help(after),
        None => command,
    };
    command.render_help().to_string().trim_end().to_owned()
}
