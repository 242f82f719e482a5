//! Seccomp user notification: one process answers the system calls of another.
//!
//! The tool under test starts with a filter (seccomp(2), `SECCOMP_FILTER_FLAG_NEW_LISTENER`) that turns the
//! selected calls into notifications on a file descriptor. Its children inherit the filter. The descriptor reaches the
//! supervisor over a socket before the tool's program starts, so any program works: linked statically or
//! dynamically, in another root.
#![expect(
    unsafe_code,
    reason = "seccomp, its ioctls and the hook between fork and exec have no safe wrapper"
)]

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg, sendmsg,
    socketpair,
};

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// The calls that the supervisor answers itself. The real kernel executes all others.
pub(super) const CALLS: [i64; 4] =
    [libc::SYS_uname, libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module];

/// Which calls become notifications.
#[derive(Clone, Copy)]
pub(super) enum Intercept {
    /// The calls that the supervisor answers itself ([`CALLS`]).
    ModuleCalls,
    /// All calls except the one that sends the listener, which nobody could answer yet.
    AllCalls,
}

/// The answer to a waiting call.
pub(super) enum Answer {
    /// The call returns this.
    Return(i64),
    /// The call fails.
    Fail(Errno),
    /// close(2) of this descriptor fails. Linux releases the descriptor all the same.
    FailToClose(u32, Errno),
    /// The real kernel executes the call.
    Continue,
}

/// A system call that waits for an answer.
pub(super) struct Notification {
    pub(super) id: u64,
    /// The calling thread, in our process namespace.
    pub(super) pid: u32,
    pub(super) number: i64,
    pub(super) arguments: [u64; 6],
}

/// Receives notifications and sends answers.
pub(super) struct Listener(OwnedFd);

/// The supervisor's end of the socket that the listener is sent over.
pub(super) struct Handover(OwnedFd);

/// Makes `command` start under the filter. With [`Intercept::AllCalls`], the calls between the installation of the filter and the
/// start of the program already wait for an answer.
pub(super) fn supervise(command: &mut Command, intercept: Intercept) -> io::Result<Handover> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
        .map_err(io::Error::from)?;
    let hook = move || {
        let listener = install_filter(intercept)?;
        let fds = [listener.as_raw_fd()];
        let message = [ControlMessage::ScmRights(&fds)];
        sendmsg::<()>(theirs.as_raw_fd(), &[io::IoSlice::new(b"x")], &message, MsgFlags::empty(), None)?;
        Ok(())
    };
    // SAFETY: the hook runs in the child after fork. It makes system calls, and `sendmsg` allocates a few bytes, which
    // glibc and musl allow there: their fork leaves the allocator usable. It touches no lock of ours.
    unsafe { command.pre_exec(hook) };
    Ok(Handover(ours))
}

/// Makes `command` start in a root and a directory of it, with some descriptors closed, with no signal ignored or
/// blocked, and without the capability to load modules, should a call ever pass the filter.
pub(super) fn enter(command: &mut Command, root: PathBuf, directory: PathBuf, closed: Vec<RawFd>) {
    const CAP_SYS_MODULE: libc::c_ulong = 16;
    let hook = move || {
        nix::unistd::chroot(&root)?;
        nix::unistd::chdir(&directory)?;
        // SAFETY: drops a capability of the child; the arguments are integers.
        Errno::result(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_MODULE, 0, 0, 0) })?;
        // Our own caller may run in the background, or under nohup(1).
        for signal in 1..=libc::SIGRTMAX() {
            // SAFETY: no handler is set. For some signals the C library or the kernel refuses the call, which is ignored.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        nix::sys::signal::SigSet::empty().thread_set_mask()?;
        for fd in &closed {
            // SAFETY: a standard stream of the child, which nothing uses between here and its program.
            unsafe { libc::close(*fd) };
        }
        Ok(())
    };
    // SAFETY: the hook runs in the child after fork; it makes system calls only.
    unsafe { command.pre_exec(hook) };
}

/// Makes `command` start as another user. Must be the last hook: the others need root.
pub(super) fn change_user(command: &mut Command, user: u32) {
    let hook = move || {
        nix::unistd::setgroups(&[])?;
        let group = nix::unistd::Gid::from_raw(user);
        nix::unistd::setresgid(group, group, group)?;
        let user = nix::unistd::Uid::from_raw(user);
        Ok(nix::unistd::setresuid(user, user, user)?)
    };
    // SAFETY: the hook runs in the child after fork; it makes system calls only.
    unsafe { command.pre_exec(hook) };
}

impl Handover {
    /// The listener of a child that is being spawned.
    pub(super) fn receive(&self) -> io::Result<Listener> {
        let mut byte = [0; 1];
        let mut buffer = [io::IoSliceMut::new(&mut byte)];
        let mut space = nix::cmsg_space!(RawFd);
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.0.as_raw_fd(), &mut buffer, Some(&mut space), flags)?;
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(fds) = control
                && let [fd] = fds[..]
            {
                // SAFETY: the kernel has just made this descriptor for us, and nothing else knows its number.
                return Ok(Listener(unsafe { OwnedFd::from_raw_fd(fd) }));
            }
        }
        Err(io::Error::other("the child sent no listener"))
    }
}

impl Listener {
    /// The next waiting call; `None` if its caller was killed meanwhile.
    pub(super) fn receive(&self) -> io::Result<Option<Notification>> {
        // SAFETY: seccomp_notif is plain integers, for which zeroes are a value, and the ioctl demands them.
        let mut notification: libc::seccomp_notif = unsafe { mem::zeroed() };
        // SAFETY: the descriptor is a listener and the pointer is to the structure that this ioctl fills.
        let result =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notification) };
        match Errno::result(result) {
            Ok(_) => Ok(Some(Notification {
                id: notification.id,
                pid: notification.pid,
                number: i64::from(notification.data.nr),
                arguments: notification.data.args,
            })),
            Err(Errno::ENOENT | Errno::EINTR) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Answers a notification. A caller that no longer exists is ignored.
    pub(super) fn answer(&self, id: u64, answer: &Answer) -> io::Result<()> {
        let mut response = libc::seccomp_notif_resp { id, val: 0, error: 0, flags: 0 };
        match *answer {
            Answer::Return(value) => response.val = value,
            Answer::Fail(errno) => response.error = -(errno as i32),
            Answer::FailToClose(descriptor, errno) => {
                self.release(id, descriptor)?;
                response.error = -(errno as i32);
            }
            Answer::Continue => response.flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32,
        }
        // SAFETY: the descriptor is a listener and the pointer is to the structure that this ioctl reads.
        let result =
            unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response) };
        match Errno::result(result) {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl Listener {
    /// Puts the null device in the place of a descriptor of the waiting process: what it was open to is released. One
    /// that is not open stays so.
    fn release(&self, id: u64, descriptor: u32) -> io::Result<()> {
        let null = fs::File::open("/dev/null")?;
        let replacement = libc::seccomp_notif_addfd {
            id,
            flags: libc::SECCOMP_ADDFD_FLAG_SETFD as u32,
            srcfd: null.as_raw_fd() as u32,
            newfd: descriptor,
            newfd_flags: libc::O_CLOEXEC as u32,
        };
        // SAFETY: the descriptor is a listener and the pointer is to the structure that this ioctl reads.
        let result = unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const replacement)
        };
        match Errno::result(result) {
            Ok(_) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }
}

/// Duplicates a descriptor of another process: both share the file offset.
pub(super) fn descriptor_of(process: u32, descriptor: RawFd) -> Result<OwnedFd, Errno> {
    // SAFETY: pidfd_open takes integers and returns a new descriptor, which is nobody else's.
    let process = unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_open, process, 0))?;
        OwnedFd::from_raw_fd(fd as RawFd)
    };
    // SAFETY: so does pidfd_getfd.
    unsafe {
        let fd = Errno::result(libc::syscall(libc::SYS_pidfd_getfd, process.as_raw_fd(), descriptor, 0))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Puts the calling process under the filter. Needs CAP_SYS_ADMIN, which root has.
fn install_filter(intercept: Intercept) -> io::Result<OwnedFd> {
    let program = program(intercept);
    let program = libc::sock_fprog { len: program.len() as u16, filter: program.as_ptr().cast_mut() };
    // SAFETY: the program and the array it points at live until the call returns; the kernel copies them.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    let fd = Errno::result(fd)? as RawFd;
    // SAFETY: seccomp returned a new descriptor, which is nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// `if arch != ours: allow; if number in calls: notify, or the other way round; allow`, in the offsets of
/// `struct seccomp_data`.
fn program(intercept: Intercept) -> Vec<libc::sock_filter> {
    const LOAD: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const JUMP_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const RETURN: u32 = libc::BPF_RET | libc::BPF_K;
    let (calls, listed, others): (&[i64], u32, u32) = match intercept {
        Intercept::ModuleCalls => (&CALLS, libc::SECCOMP_RET_USER_NOTIF, libc::SECCOMP_RET_ALLOW),
        Intercept::AllCalls => (&[libc::SYS_sendmsg], libc::SECCOMP_RET_ALLOW, libc::SECCOMP_RET_USER_NOTIF),
    };
    let instruction = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let count = calls.len() as u8;
    let mut program = vec![
        instruction(LOAD, 0, 0, 4),
        instruction(JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        instruction(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW),
        instruction(LOAD, 0, 0, 0),
    ];
    for (position, number) in calls.iter().enumerate() {
        program.push(instruction(JUMP_EQUAL, count - position as u8, 0, *number as u32));
    }
    program.push(instruction(RETURN, 0, 0, others));
    program.push(instruction(RETURN, 0, 0, listed));
    program
}
