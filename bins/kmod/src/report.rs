//! The only place that prints, logs and chooses an exit code.

use std::{
    cell::OnceCell,
    ffi::{CStr, OsStr},
    io::{self, BufWriter, Write},
    os::unix::ffi::OsStrExt,
    process::ExitCode,
    sync::mpsc,
};

use bstr::BString;
use modutils::{Context, ContextBuilder, Level, Notice, Root};

use crate::{
    cause::Cause,
    explain::{Detail, Reader},
    startup,
    status::Status,
    style::{Style, StyledLine},
    visible::{one_line, visible_line},
};

/// The most messages that a document repeats. A damaged tree can cause one for each of its modules.
const MOST_COLLECTED: usize = 1000;

/// A message as a document repeats it.
pub struct Message {
    /// How severe it is.
    pub level: Level,
    /// Its text.
    pub text: BString,
    /// The lines of its cause.
    pub cause: Vec<String>,
}

/// A tool's standard output and messages.
///
/// Messages are `TOOL: LEVEL: text` on standard error. They go to syslog instead on request, or if standard error
/// is closed. The cause follows in indented lines if somebody reads it ([`Reader`]); no tool decides that itself. A
/// JSON document repeats the messages with their causes, whoever reads standard error. A failure to write standard output is kept and reported by [`Report::finish`], because a script then
/// did not get what it asked for.
pub struct Report {
    tool: &'static CStr,
    threshold: Option<Level>,
    to_syslog: bool,
    is_own_command: bool,
    /// What follows messages; worked out for the first that has a cause.
    detail: OnceCell<Detail>,
    /// Whose modutils.d decides on that.
    root: Root,
    /// The messages for a document, if one is being written.
    collected: Option<Vec<Message>>,
    output: BufWriter<io::Stdout>,
    output_style: Style,
    output_failure: Option<io::Error>,
}

impl Report {
    /// For a tool with this name, with messages of level `threshold` and more severe ones.
    pub fn new(tool: &'static CStr, threshold: Level) -> Self {
        let output = BufWriter::with_capacity(16 * 1024, io::stdout());
        let threshold = Some(threshold);
        let (to_syslog, output_style) = (false, Style::of(&io::stdout()));
        let mut report = Self {
            tool,
            threshold,
            to_syslog,
            is_own_command: false,
            detail: OnceCell::new(),
            root: Root::default(),
            collected: None,
            output,
            output_style,
            output_failure: None,
        };
        if startup::stderr_was_closed() {
            report.use_syslog();
        }
        report
    }

    /// Shows messages of this level and more severe ones.
    pub fn set_threshold(&mut self, threshold: Level) {
        self.threshold = Some(threshold);
    }

    /// Shows no messages, whatever their level.
    pub fn silence(&mut self) {
        self.threshold = None;
    }

    /// Whether messages of this level are shown.
    pub fn shows(&self, level: Level) -> bool {
        self.threshold.is_some_and(|threshold| level <= threshold)
    }

    /// Whether the cause of a message of this level is printed or becomes part of a document. Otherwise it need not be
    /// worked out.
    pub fn explains(&self, level: Level) -> bool {
        self.shows(level) && (self.collected.is_some() || self.detail().causes)
    }

    fn detail(&self) -> Detail {
        *self.detail.get_or_init(|| {
            let reader = match () {
                () if self.is_own_command => Reader::OwnCommand,
                () if self.to_syslog => Reader::Person,
                () => Reader::of_stderr(),
            };
            reader.detail(&self.root)
        })
    }

    /// The report of a command that kmod does not have. No caller expects other messages of it, so it explains them to
    /// everyone.
    pub fn of_own_command(self) -> Self {
        Self { is_own_command: true, ..self }
    }

    /// Reads the configuration of messages in a root, with `--root`.
    pub fn use_root(&mut self, root: &Root) {
        self.root = root.clone();
    }

    /// Keeps the messages from now on, for a document.
    pub fn collect(&mut self) {
        self.collected.get_or_insert_default();
    }

    /// The messages since [`Report::collect`]. No more are kept.
    pub fn take_collected(&mut self) -> Vec<Message> {
        self.collected.take().unwrap_or_default()
    }

    /// Sends messages to syslog from now on.
    pub fn use_syslog(&mut self) {
        self.to_syslog = true;
        self.detail = OnceCell::new();
    }

    /// Writes to standard output: byte for byte, unless it is a terminal.
    pub fn print(&mut self, bytes: impl AsRef<[u8]>) {
        self.write(&self.output_style.shown(bytes.as_ref()));
    }

    /// Writes a line to standard output.
    pub fn print_line(&mut self, line: impl AsRef<[u8]>) {
        self.print(line);
        self.print("\n");
    }

    /// Writes a line of a command that kmod does not have: one line whatever names are in it.
    pub fn print_own_line(&mut self, line: impl AsRef<[u8]>) {
        let line = self.styled_line().plain(line);
        self.print_styled_line(&line);
    }

    /// A line for [`Report::print_styled_line`].
    pub fn styled_line(&self) -> StyledLine {
        self.output_style.line()
    }

    /// Writes a line of parts in several styles to standard output: for the commands that kmod does not have.
    pub fn print_styled_line(&mut self, line: &StyledLine) {
        self.write(line.as_bytes());
        self.write(b"\n");
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.output_failure.is_none() {
            self.output_failure = self.output.write_all(bytes).err();
        }
    }

    /// Flushes standard output, before another process writes there.
    pub fn flush(&mut self) {
        if self.output_failure.is_none() {
            self.output_failure = self.output.flush().err();
        }
    }

    /// Lets the tool finish its work after the reader of standard output has closed the pipe. SIGPIPE then ends it in
    /// [`Report::finish`].
    pub fn ignore_closed_pipe(&mut self) {
        startup::ignore_sigpipe();
    }

    /// Prints or logs a message if its level is shown.
    pub fn notice(&mut self, notice: &Notice) {
        self.notice_because(notice, Cause::default());
    }

    /// The same with the cause, for those who read it. The message is one line, whatever names are in it.
    pub fn notice_because(&mut self, notice: &Notice, cause: Cause) {
        self.notice_in_lines(notice, &[&notice.message], cause);
    }

    /// Prints or logs a message that is these lines, with its cause.
    pub fn notice_in_lines(&mut self, notice: &Notice, lines: &[&[u8]], cause: Cause) {
        if !self.shows(notice.level) {
            return;
        }
        let collects = |collected: &&mut Vec<Message>| {
            notice.level <= Level::Warning && collected.len() < MOST_COLLECTED
        };
        if let Some(collected) = self.collected.as_mut().filter(collects) {
            let (level, text) = (notice.level, notice.message.clone());
            collected.push(Message { level, text, cause: cause.lines(true).collect() });
        }
        if self.to_syslog {
            self.log(notice.level, &[level_name(notice.level), b": ", &notice.message].concat());
            self.lines_of(&cause)
                .iter()
                .for_each(|line| self.log(notice.level, format!("  {line}").as_bytes()));
            return;
        }
        let start = [self.tool.to_bytes(), b": ", level_name(notice.level), b": "].concat();
        self.write_message(&start, lines, &cause);
    }

    /// The lines of a cause that are printed or logged.
    fn lines_of(&self, cause: &Cause) -> Vec<String> {
        if *cause == Cause::default() || !self.detail().causes {
            return Vec::new();
        }
        cause.lines(self.detail().kernel_log).collect()
    }

    /// Opens a context, and reports faults in its configuration.
    pub fn open(&mut self, builder: ContextBuilder) -> modutils::Result<Context> {
        let (sender, notices) = mpsc::channel();
        // The receiver is gone once the context is open.
        let context = builder.on_notice(move |notice| drop(sender.send(notice))).build();
        notices.try_iter().for_each(|notice| self.notice(&notice));
        context
    }

    /// Reports a message of [`Level::Fatal`].
    pub fn fatal(&mut self, message: impl Into<BString>) {
        self.notice(&Notice::new(Level::Fatal, message));
    }

    /// Reports a message of [`Level::Error`].
    pub fn error(&mut self, message: impl Into<BString>) {
        self.notice(&Notice::error(message));
    }

    /// Reports a message of [`Level::Error`] and returns a failure.
    pub fn fail(&mut self, message: impl Into<BString>) -> Status {
        self.error(message);
        Status::Failure
    }

    /// Reports a message of [`Level::Error`] with its cause, and returns a failure.
    pub fn fail_because(&mut self, message: impl Into<BString>, cause: Cause) -> Status {
        self.notice_because(&Notice::error(message), cause);
        Status::Failure
    }

    /// Reports a message of [`Level::Warning`].
    pub fn warning(&mut self, message: impl Into<BString>) {
        self.notice(&Notice::warning(message));
    }

    /// Prints a line on standard error without tool or level, like getopt's messages. It never goes to syslog.
    pub fn usage(&mut self, line: &[u8]) {
        self.usage_because(line, Cause::default());
    }

    /// The same with the cause, for those who read it.
    pub fn usage_because(&mut self, line: &[u8], cause: Cause) {
        self.write_message(b"", &[line], &cause);
    }

    fn write_message(&self, start: &[u8], lines: &[&[u8]], cause: &Cause) {
        let style = Style::of(&io::stderr());
        let mut text = start.to_vec();
        for line in lines {
            text.extend_from_slice(&style.shown(&one_line(line)));
            text.push(b'\n');
        }
        for line in self.lines_of(cause) {
            text.extend(style.cause(format!("  {line}").as_bytes()));
            text.push(b'\n');
        }
        // A failure to write to standard error cannot be reported anywhere.
        let _ = io::stderr().write_all(&text);
    }

    /// Ends the tool with this status or exit code, or with a failure if standard output could not be written.
    pub fn finish(mut self, code: impl Into<ExitCode>) -> ExitCode {
        self.flush();
        if let Some(failure) = self.output_failure.take() {
            if failure.kind() == io::ErrorKind::BrokenPipe {
                startup::die_of_sigpipe();
            }
            self.error(format!("could not write standard output: {}", modutils::error_text(&failure)));
            return ExitCode::FAILURE;
        }
        code.into()
    }

    /// Makes one record.
    fn log(&self, level: Level, text: &[u8]) {
        use nix::syslog::{Facility, LogFlags, Priority, Severity, openlog, syslog};
        let severity = match level {
            Level::Fatal => Severity::LOG_CRIT,
            Level::Error => Severity::LOG_ERR,
            Level::Warning => Severity::LOG_WARNING,
            Level::Notice => Severity::LOG_NOTICE,
            Level::Info => Severity::LOG_INFO,
            Level::Debug => Severity::LOG_DEBUG,
        };
        // A failure to reach syslog cannot be reported anywhere.
        // Without a daemon, in an initramfs or a container, the message goes to the console.
        let _ = openlog(Some(self.tool), LogFlags::LOG_CONS, Facility::LOG_DAEMON);
        // A newline would look like another message in the log.
        let text = visible_line(text);
        let _ = syslog(Priority::new(severity, Facility::LOG_DAEMON), OsStr::from_bytes(&text));
    }
}

/// The level as it is written in messages.
fn level_name(level: Level) -> &'static [u8] {
    match level {
        Level::Fatal => b"FATAL",
        Level::Error => b"ERROR",
        Level::Warning => b"WARNING",
        Level::Notice => b"NOTICE",
        Level::Info => b"INFO",
        Level::Debug => b"DEBUG",
    }
}
