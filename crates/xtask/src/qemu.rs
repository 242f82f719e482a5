//! Boots a kernel with an initramfs in an emulated machine and passes on the lines of its serial port.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::packages::{self, QEMU};

/// All that QEMU emulates but cmpxchg16b: QEMU 7.2 (Debian 12) sometimes sets wrong flags after it, and one boot of
/// Linux 6.12 in eight ended in a panic of its allocator; without it, none of 60.
const PROCESSOR: &str = "max,-cx16";

/// Parameters of every guest's kernel. Only a kernel panic may appear between our lines: scenarios print the kernel's log
/// when they need it. Programs are always at the same address: code that QEMU has translated is then good for the next
/// process too, and a scenario that starts many programs takes half of the time.
const PARAMETERS: &str = "console=ttyS0 quiet loglevel=1 panic=-1 reboot=t norandmaps";

/// A machine to boot.
pub(crate) struct Machine<'a> {
    /// The kernel image.
    pub(crate) kernel: &'a Path,
    /// Its initramfs.
    pub(crate) initramfs: &'a [u8],
    /// Parameters of the kernel beside the ones we always pass.
    pub(crate) parameters: &'a str,
    /// The image of its disk, if it has one.
    pub(crate) disk: Option<&'a Path>,
    /// More arguments for QEMU: devices that only some guests have.
    pub(crate) devices: &'a [String],
    /// How many processors the guest has.
    pub(crate) processors: u32,
    /// How QEMU runs the guest's processor. Emulation ("tcg") works everywhere.
    pub(crate) accelerator: &'a str,
    /// After this time the machine counts as hung.
    pub(crate) timeout: Duration,
}

impl<'a> Machine<'a> {
    /// A machine with one processor and no disk, and a timeout of five minutes.
    pub(crate) fn of(kernel: &'a Path, initramfs: &'a [u8]) -> Self {
        let timeout = Duration::from_secs(300);
        Self {
            kernel,
            initramfs,
            parameters: "",
            disk: None,
            devices: &[],
            processors: 1,
            accelerator: "tcg",
            timeout,
        }
    }
}

/// What to do after a line of the serial port.
#[derive(PartialEq)]
pub(crate) enum SerialAction {
    /// Continue.
    Read,
    /// The guest is finished: switch it off.
    PowerOff,
}

/// Boots the machine and gives each line of its serial port to `on_line`, until it returns
/// [`SerialAction::PowerOff`], the guest switches itself off, or the time is up.
///
/// # Errors
/// When QEMU is missing or fails, the guest ends before its last line, or the time is up.
pub(crate) fn boot(machine: &Machine, mut on_line: impl FnMut(&str) -> SerialAction) -> Result<()> {
    packages::need(&[QEMU])?;
    let dir = tempfile::tempdir()?;
    let initramfs = dir.path().join("initramfs");
    std::fs::write(&initramfs, machine.initramfs)?;
    let mut qemu = KillOnDrop(command(machine, &initramfs).spawn().context("cannot start QEMU")?);
    let lines = lines_of(&mut qemu.0)?;
    let end = Instant::now() + machine.timeout;
    loop {
        match lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(line) if on_line(&line) == SerialAction::PowerOff => return Ok(()),
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => bail!("the guest hung: stopped after {:?}", machine.timeout),
            Err(RecvTimeoutError::Disconnected) => {
                bail!("the guest ended before it was done (QEMU: {})", qemu.0.wait()?)
            }
        }
    }
}

/// QEMU's command line. No network; one device of each kind that a scenario drives.
fn command(machine: &Machine, initramfs: &Path) -> Command {
    let mut qemu = Command::new(QEMU.name);
    qemu.args(["-accel", machine.accelerator, "-cpu", PROCESSOR, "-m", "1024", "-no-reboot", "-nodefaults"])
        .args(["-smp", &machine.processors.to_string()])
        .args(["-display", "none", "-serial", "stdio", "-monitor", "none", "-device", "virtio-rng-pci"])
        .args(["-append", &format!("{PARAMETERS} {}", machine.parameters)])
        .arg("-kernel")
        .arg(machine.kernel)
        .arg("-initrd")
        .arg(initramfs)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    qemu.args(machine.devices);
    if let Some(disk) = machine.disk {
        qemu.arg("-drive").arg(format!("file={},format=raw,if=virtio", disk.display()));
    }
    qemu
}

/// Reads lines in a separate thread, so that waiting for a line can time out.
fn lines_of(qemu: &mut Child) -> Result<mpsc::Receiver<String>> {
    let serial = qemu.stdout.take().context("QEMU has an output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(serial).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

/// Kills QEMU when it goes out of scope.
struct KillOnDrop(Child);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
