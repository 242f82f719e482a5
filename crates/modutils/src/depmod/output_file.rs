//! A file that depmod writes, and the order in which the files replace the old ones.

/// A file to be written into the module directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputFile {
    /// Its name.
    pub name: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// Puts the files into the order in which they are to replace the old ones: what readers look into
/// after `modules.dep.bin` before it, and last `modules.dep`, whose age shows whether all is current.
pub fn in_order_of_replacement(files: &mut [OutputFile]) {
    files.sort_by_key(|file| match file.name {
        "modules.dep" => 3,
        "modules.dep.bin" => 2,
        name if name.ends_with(".bin") => 1,
        _ => 0,
    });
}
