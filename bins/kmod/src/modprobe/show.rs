//! Tables of a module's symbols.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use modutils::{
    Context, Errno, Level, Module, Notice,
    module_file::{ModuleFile, has_module_extension},
};

use super::{Tool, bytes, document};
use crate::{cause::Cause, cli, report::Report, status::Status};

/// Prints the versions of the symbols that a module needs.
pub(super) fn modversions(tool: &Tool, report: &mut Report) -> Status {
    table(tool, report, "modversions", |module| {
        Ok(module.versions()?.iter().map(|version| (version.crc, version.name.to_vec())).collect())
    })
}

/// Prints the symbols that a module exports, with their versions.
pub(super) fn exports(tool: &Tool, report: &mut Report) -> Status {
    table(tool, report, "symbols", |module| {
        let symbols = module.exported_symbols()?;
        Ok(symbols.iter().map(|symbol| (symbol.crc.unwrap_or_default(), symbol.name.to_vec())).collect())
    })
}

type Rows = Vec<(u64, Vec<u8>)>;

fn table(
    tool: &Tool,
    report: &mut Report,
    what: &str,
    rows: impl FnOnce(&ModuleFile) -> modutils::Result<Rows>,
) -> Status {
    let Some(argument) = tool.options.arguments.first() else { return Status::Failure };
    let path = match file_of(tool.context, bytes(argument)) {
        Ok(Some(path)) => path,
        Ok(None) => {
            report.fatal([b"Module ", bytes(argument), b" not found."].concat());
            return Status::Failure;
        }
        Err(error) => {
            report.fatal(error.to_string());
            return Status::Failure;
        }
    };
    match ModuleFile::open(&path).and_then(|module| rows(&module)) {
        Ok(rows) if rows.is_empty() => {
            could_not_get(what, argument, Errno::ENODATA, Cause::default(), report)
        }
        Ok(rows) => {
            for (crc, name) in rows {
                if tool.document.is_open() {
                    tool.document.item(&document::symbol_item(&name, crc), report);
                    continue;
                }
                report.print_line([format!("{crc:#010x}\t").as_bytes(), &name].concat());
            }
            Status::Success
        }
        Err(error) => {
            // The error number alone does not show what is wrong in the file.
            let is_file = matches!(error, modutils::Error::Malformed { .. });
            let cause = if is_file { Cause::line(&error) } else { Cause::default() };
            could_not_get(what, argument, error.errno(), cause, report)
        }
    }
}

fn could_not_get(what: &str, argument: &OsString, errno: Errno, cause: Cause, report: &mut Report) -> Status {
    let start = format!("could not get {what} of ");
    let message = [start.as_bytes(), bytes(argument), b": ", errno.text().as_bytes()].concat();
    report.notice_because(&Notice::new(Level::Fatal, message), cause);
    Status::Failure
}

/// The file of an argument. It is a path if it begins like one or ends as a module file does; otherwise
/// the name or alias of a module.
fn file_of(context: &Context, argument: &[u8]) -> modutils::Result<Option<PathBuf>> {
    let root = context.root();
    let path = root.locate(cli::os_str(argument));
    let is_module_file = has_module_extension(argument) && cli::is_file(&path, root);
    if is_module_file || (cli::is_path(argument, root) && root.metadata(&path).is_ok()) {
        return Ok(Some(path));
    }
    let found = context.lookup(argument)?;
    Ok(found.first().map(Module::path).transpose()?.flatten().map(Path::to_owned))
}
