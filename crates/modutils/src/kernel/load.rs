//! Giving a module to the kernel: finit_module(2), or init_module(2) where that cannot do it.

use std::{ffi::CString, fs::File, os::unix::fs::FileExt, path::Path};

use bstr::ByteSlice;
use goblin::{container::Endian, elf::section_header::SHF_ALLOC};
use nix::kmod::ModuleInitFlags;

use super::{Kernel, log};
use crate::{
    Errno, Error, Malformed, Result,
    elf::{Class, Elf},
    file::{
        Compression, Contents, Scratch,
        kernel_decoder::{HEAD, Obstacle, obstacle},
        open_at_once,
    },
    module_file::ModuleFile,
};

/// `MODULE_INIT_COMPRESSED_FILE` of `include/uapi/linux/module.h`.
const COMPRESSED_FILE: ModuleInitFlags = ModuleInitFlags::from_bits_retain(4);
/// The sections that hold the CRCs of the symbols a module was built against.
const VERSION_SECTIONS: [&[u8]; 3] = [b"__versions", b"__version_ext_crcs", b"__version_ext_names"];

/// Checks that the kernel is asked to skip: none, unless set otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Force {
    /// Whether to skip the CRCs of the symbols.
    pub modversions: bool,
    /// Whether to skip the kernel release and features in `vermagic`.
    pub vermagic: bool,
}

impl Force {
    /// Whether to skip the CRCs of the symbols (`modprobe --force-modversion`).
    #[must_use]
    pub fn modversions(self, modversions: bool) -> Self {
        Self { modversions, ..self }
    }

    /// Whether to skip the kernel release and features in `vermagic` (`modprobe --force-vermagic`).
    #[must_use]
    pub fn vermagic(self, vermagic: bool) -> Self {
        Self { vermagic, ..self }
    }
}

impl Kernel {
    /// Gives a module file to the kernel.
    ///
    /// The file is opened once. The kernel decompresses it where it can; elsewhere that is done here, for what the
    /// kernel's decoder does not read (another check than CRC32 in an .xz file, several streams), and again after
    /// the kernel tried without success.
    /// Plain bytes also go to a kernel that has no finit_module(2); checks to be skipped are then taken out of the
    /// image itself.
    ///
    /// # Errors
    /// When the file cannot be read; [`Error::NotLoaded`] when the kernel refuses the module.
    pub fn insert(&self, path: &Path, parameters: &[u8], force: Force) -> Result<()> {
        let attempt = Attempt { kernel: self, path, parameters: as_c_string(path, parameters)?, force };
        let (file, metadata) = open_at_once(path).map_err(Error::io("open", path))?;
        // Reading a directory fails by itself, with a better word for it.
        if !metadata.is_file() && !metadata.is_dir() {
            return Err(Malformed::file("not a regular file").at(path));
        }
        let head = head_of(&file, path)?;
        let answer = match obstacle(&head) {
            None => attempt.give_file(&file, Compression::of(&head))?,
            Some(_) => Answer::NotAsked,
        };
        if answer == Answer::Loaded {
            return Ok(());
        }
        // By the same descriptor: another file may stand at the path by now.
        let contents = match Contents::read_from(path, file, metadata.len(), &mut Scratch::default()) {
            Ok(contents) => contents,
            Err(error) => return Err(answer.refusal(path).unwrap_or(error)),
        };
        if let Some(refusal) = answer.refusal(path).filter(|_| !answer.is_for_the_packing(&contents)) {
            return Err(refusal);
        }
        if force == Force::default() {
            return attempt.give_image(&contents.read_all()?);
        }
        let image = contents.read_all()?.into_owned();
        attempt.give_image(&without_checks(image, &Elf::parse(contents)?, force))
    }

    /// As [`Kernel::insert`], of a file that is open already: what was examined is what the kernel gets.
    ///
    /// # Errors
    /// When the file cannot be read; [`Error::NotLoaded`] when the kernel refuses the module.
    pub fn insert_file(&self, module: &ModuleFile, parameters: &[u8], force: Force) -> Result<()> {
        let (path, contents) = (module.path(), module.elf().contents());
        let attempt = Attempt { kernel: self, path, parameters: as_c_string(path, parameters)?, force };
        if let Some(file) = contents.file().filter(|_| contents.obstacle().is_none()) {
            let answer = attempt.give_file(file, contents.compression())?;
            if answer == Answer::Loaded {
                return Ok(());
            }
            if let Some(refusal) = answer.refusal(path).filter(|_| !answer.is_for_the_packing(contents)) {
                return Err(refusal);
            }
        }
        let image = contents.read_all()?;
        if force == Force::default() {
            return attempt.give_image(&image);
        }
        attempt.give_image(&without_checks(image.into_owned(), module.elf(), force))
    }
}

/// A module on its way to the kernel.
struct Attempt<'a> {
    kernel: &'a Kernel,
    path: &'a Path,
    parameters: CString,
    force: Force,
}

/// What became of a file that was to go to the kernel as it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// The kernel has the module.
    Loaded,
    /// The kernel cannot take the file as it is.
    NotAsked,
    /// The kernel refused a compressed file.
    Refused {
        /// Its answer.
        errno: Errno,
        /// Whether it logged that decompressing failed; `None` where the log cannot be read.
        logged: Option<bool>,
    },
}

impl Answer {
    fn refusal(self, path: &Path) -> Option<Error> {
        match self {
            Self::Refused { errno, .. } => Some(refused(path, errno)),
            Self::Loaded | Self::NotAsked => None,
        }
    }

    /// Whether the kernel may have refused a file, which was decompressed here, because it could not do that.
    ///
    /// A module that was decompressed has run by the time it is refused with such a number, and should not run
    /// twice. So the kernel's log decides, as far as it can be read.
    fn is_for_the_packing(self, contents: &Contents) -> bool {
        let Self::Refused { errno, logged } = self else { return false };
        let several = contents.obstacle() == Some(Obstacle::Streams);
        match errno {
            // The kernel is built without decompression, or has not the memory that its decoder wants.
            Errno::EOPNOTSUPP | Errno::ENOMEM => true,
            Errno::EINVAL => several || logged != Some(false),
            // The first stream alone is no module.
            Errno::ENOEXEC => several,
            _ => false,
        }
    }
}

impl Attempt<'_> {
    /// Gives the file as it is to finit_module(2), if the kernel reads it.
    ///
    /// # Errors
    /// When the kernel refuses a plain file.
    fn give_file(&self, file: &File, compression: Compression) -> Result<Answer> {
        let is_compressed = compression != Compression::None;
        if is_compressed && self.kernel.compression() != Some(compression) {
            return Ok(Answer::NotAsked);
        }
        let mut flags = ModuleInitFlags::empty();
        flags.set(ModuleInitFlags::MODULE_INIT_IGNORE_MODVERSIONS, self.force.modversions);
        flags.set(ModuleInitFlags::MODULE_INIT_IGNORE_VERMAGIC, self.force.vermagic);
        flags.set(COMPRESSED_FILE, is_compressed);
        let mut log = is_compressed.then(|| log::end_of_log(self.kernel.root())).flatten();
        match self.kernel.calls().finit_module(file, &self.parameters, flags) {
            Ok(()) => Ok(Answer::Loaded),
            Err(Errno::ENOSYS) => Ok(Answer::NotAsked),
            Err(errno) if is_compressed => {
                let logged =
                    log.as_mut().map(|log| log::new_lines(log).iter().any(|line| is_of_decoder(line)));
                Ok(Answer::Refused { errno, logged })
            }
            Err(errno) => Err(refused(self.path, errno)),
        }
    }

    /// Gives plain bytes to init_module(2).
    fn give_image(&self, image: &[u8]) -> Result<()> {
        let answer = self.kernel.calls().init_module(image, &self.parameters);
        answer.map_err(|errno| refused(self.path, errno))
    }
}

/// Whether the kernel logged this of decompressing: the messages of `kernel/module/decompress.c`.
fn is_of_decoder(line: &[u8]) -> bool {
    [&b"decompress"[..], b"ZSTD", b"compressed module"].iter().any(|words| line.contains_str(words))
}

fn as_c_string(path: &Path, parameters: &[u8]) -> Result<CString> {
    CString::new(parameters).map_err(|_| refused(path, Errno::EINVAL))
}

fn refused(path: &Path, errno: Errno) -> Error {
    Error::NotLoaded { path: path.to_owned(), errno }
}

/// The first bytes of a file.
fn head_of(file: &File, path: &Path) -> Result<Vec<u8>> {
    let mut head = vec![0; HEAD];
    let len = file.read_at(&mut head, 0).map_err(Error::io("read", path))?;
    head.truncate(len);
    match len {
        // The kernel would report no more than that the format is wrong.
        0 => Err(Malformed::file("the file is empty").at(path)),
        1..Compression::MAGIC_LEN if Compression::of(&head) == Compression::None => {
            Err(Malformed::file(format!("the file ends after {len} bytes: not a module")).at(path))
        }
        _ => Ok(head),
    }
}

/// The module's image without what the kernel would check: it skips version sections that are not to be
/// loaded, and an absent `vermagic`.
fn without_checks(mut image: Vec<u8>, elf: &Elf, force: Force) -> Vec<u8> {
    if force.modversions {
        for (index, (name, _)) in elf.sections().enumerate() {
            if VERSION_SECTIONS.contains(&name) {
                clear_alloc(&mut image, elf, index);
            }
        }
    }
    if force.vermagic {
        for (name, section) in elf.sections() {
            if name == b".modinfo" {
                let (start, len) = (section.sh_offset as usize, section.sh_size as usize);
                let bytes = start.checked_add(len).and_then(|end| image.get_mut(start..end));
                bytes.into_iter().for_each(blank_vermagic);
            }
        }
    }
    image
}

/// Takes `SHF_ALLOC` off a section in the section table.
fn clear_alloc(image: &mut [u8], elf: &Elf, index: usize) {
    let header = elf.header();
    // sh_flags is the third member, after two words of four bytes, in both classes.
    let flags = index
        .checked_mul(usize::from(header.e_shentsize))
        .and_then(|offset| offset.checked_add(header.e_shoff as usize)?.checked_add(8));
    let width = match elf.class() {
        Class::Elf32 => 4,
        Class::Elf64 => 8,
    };
    let lowest = match elf.endian() {
        Endian::Little => 0,
        Endian::Big => width - 1,
    };
    let byte = flags.and_then(|flags| image.get_mut(flags.checked_add(lowest)?));
    if let Some(byte) = byte {
        *byte &= !(SHF_ALLOC as u8);
    }
}

/// Overwrites `vermagic=...` with NULs: an empty entry is none.
fn blank_vermagic(modinfo: &mut [u8]) {
    for entry in modinfo.split_mut(|&byte| byte == 0) {
        if entry.starts_with_str("vermagic=") {
            entry.fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use testkit::{Arch, ModuleBuilder};

    use super::*;
    use crate::{Root, kernel::calls::fake::Fake};

    struct Machine {
        directory: tempfile::TempDir,
        fake: Arc<Fake>,
        kernel: Kernel,
    }

    impl Machine {
        fn new(answers: &[(&'static str, Errno)]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self::with(directory, Fake { answers: answers.iter().copied().collect(), ..Fake::default() })
        }

        fn with(directory: tempfile::TempDir, fake: Fake) -> Self {
            let root = Root::default().with_system(directory.path());
            fs::create_dir_all(directory.path().join("sys/module")).unwrap();
            let fake = Arc::new(fake);
            Self { directory, kernel: Kernel::faked(&root, &fake), fake }
        }

        /// A machine that has no finit_module(2), and in which another file takes the place of `m.ko`
        /// while that call is made.
        fn with_another_file_meanwhile() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (other, path) = (directory.path().join("other.ko"), directory.path().join("m.ko"));
            fs::write(&other, "bytes of another file").unwrap();
            let answers = [("finit_module", Errno::ENOSYS)].into();
            Self::with(directory, Fake { answers, replaces: Some((other, path)), ..Fake::default() })
        }

        fn insert(&self, bytes: &[u8], force: Force) -> Result<()> {
            let path = self.directory.path().join("m.ko");
            fs::write(&path, bytes).unwrap();
            self.kernel.insert(&path, b"a=1 ", force)
        }

        fn log(&self) -> Vec<String> {
            self.fake.log.lock().unwrap().clone()
        }
    }

    const BOTH: Force = Force { modversions: true, vermagic: true };

    #[cfg(feature = "zstd")]
    fn zstd() -> Vec<u8> {
        testkit::Compression::Zstd.compress(b"plain bytes")
    }

    #[test]
    fn a_plain_file_goes_to_finit_module_with_its_parameters_and_flags() {
        let machine = Machine::new(&[]);
        machine.insert(b"plain bytes", Force::default()).unwrap();
        machine.insert(b"plain bytes", BOTH).unwrap();
        assert_eq!(machine.log(), ["finit_module \"a=1 \" 0", "finit_module \"a=1 \" 3"]);
    }

    #[test]
    #[cfg(feature = "zstd")]
    fn a_compressed_file_goes_to_the_kernel_only_when_it_knows_the_compression() {
        let machine = Machine::new(&[]);
        machine.insert(&zstd(), Force::default()).unwrap();
        fs::write(machine.directory.path().join("sys/module/compression"), "xz\n").unwrap();
        machine.insert(&zstd(), Force::default()).unwrap();
        fs::write(machine.directory.path().join("sys/module/compression"), "zstd\n").unwrap();
        machine.insert(&zstd(), Force::default()).unwrap();
        assert_eq!(
            machine.log(),
            ["init_module \"a=1 \"", "init_module \"a=1 \"", "finit_module \"a=1 \" 4"]
        );
        assert_eq!(machine.fake.images.lock().unwrap()[0], b"plain bytes");
    }

    /// A machine whose kernel decompresses xz, and answers a file with this.
    #[cfg(feature = "xz")]
    fn of_xz(answer: Option<Errno>) -> Machine {
        let machine =
            Machine::new(&answer.map(|errno| ("finit_module", errno)).into_iter().collect::<Vec<_>>());
        fs::write(machine.directory.path().join("sys/module/compression"), "xz\n").unwrap();
        machine
    }

    #[test]
    #[cfg(feature = "xz")]
    fn what_the_kernels_decoder_does_not_read_is_decompressed_here() {
        let module = ModuleBuilder::new("m").build();
        let xz = |check, dictionary| testkit::Packing::Xz { check, dictionary, delta: false }.pack(&module);
        for (file, is_for_kernel) in [
            (xz(0, 1 << 20), true),
            (xz(1, 8 << 20), true),
            (xz(4, 1 << 20), false),
            (xz(10, 1 << 20), false),
            (xz(1, 64 << 20), true),
        ] {
            let machine = of_xz(None);
            machine.insert(&file, Force::default()).unwrap();
            let examined = ModuleFile::open(&machine.directory.path().join("m.ko")).unwrap();
            machine.kernel.insert_file(&examined, b"a=1 ", Force::default()).unwrap();
            let call = if is_for_kernel { "finit_module \"a=1 \" 4" } else { "init_module \"a=1 \"" };
            assert_eq!(machine.log(), [call, call]);
            assert!(machine.fake.images.lock().unwrap().iter().all(|image| *image == module));
        }
    }

    #[test]
    #[cfg(feature = "xz")]
    fn what_the_kernel_could_not_decompress_is_decompressed_here() {
        let module = ModuleBuilder::new("m").build();
        let (one, rest) = module.split_at(100);
        let whole = testkit::Compression::Xz.compress(&module);
        let several =
            [testkit::Compression::Xz.compress(one), testkit::Compression::Xz.compress(rest)].concat();
        // Of several streams that is known once the file is read.
        for (file, errno, again) in [
            (&whole, Errno::EINVAL, true),
            (&whole, Errno::ENOMEM, true),
            (&whole, Errno::EOPNOTSUPP, true),
            (&whole, Errno::ENOEXEC, false),
            (&whole, Errno::EPERM, false),
            (&several, Errno::ENOEXEC, true),
        ] {
            let machine = of_xz(Some(errno));
            let result = machine.insert(file, Force::default());
            assert_eq!(result.map_err(|refusal| refusal.errno()).err(), (!again).then_some(errno));
            let images = machine.fake.images.lock().unwrap().clone();
            assert_eq!(images, if again { vec![module.clone()] } else { Vec::new() });
        }
    }

    #[test]
    #[cfg(feature = "xz")]
    fn of_a_damaged_file_the_kernels_answer_is_the_result() {
        let mut damaged = testkit::Compression::Xz.compress(&[7; 1000]);
        damaged.pop();
        let machine = of_xz(Some(Errno::EINVAL));
        let refusal = machine.insert(&damaged, Force::default()).unwrap_err();
        assert!(matches!(refusal, Error::NotLoaded { errno: Errno::EINVAL, .. }), "{refusal}");
    }

    #[test]
    fn the_kernels_words_about_decompressing_are_known() {
        for line in [
            "decompression failed with status 6",
            "not an xz compressed module",
            "ZSTD-compressed data has too large a window size",
        ] {
            assert!(is_of_decoder(line.as_bytes()));
        }
        assert!(!is_of_decoder(b"dummy: unknown parameter 'a' ignored"));
    }

    #[test]
    fn without_finit_module_the_image_goes_to_init_module() {
        let machine = Machine::new(&[("finit_module", Errno::ENOSYS)]);
        machine.insert(b"any bytes", Force::default()).unwrap();
        assert_eq!(machine.log(), ["finit_module \"a=1 \" 0", "init_module \"a=1 \""]);
        assert_eq!(machine.fake.images.lock().unwrap()[0], b"any bytes");
    }

    #[test]
    fn the_kernel_gets_the_file_that_was_examined_whatever_stands_at_its_path() {
        let large = vec![b'x'; 100_000];
        let mut files = vec![b"plain bytes".to_vec(), large.clone()];
        if Compression::Zstd.is_supported() {
            files.push(testkit::Compression::Zstd.compress(&large));
        }
        for bytes in files {
            let machine = Machine::with_another_file_meanwhile();
            fs::write(machine.directory.path().join("sys/module/compression"), "zstd\n").unwrap();
            machine.insert(&bytes, Force::default()).unwrap();
            let expected = if bytes.len() == 11 { bytes } else { large.clone() };
            assert!(machine.fake.images.lock().unwrap()[0] == expected);
            let at_path = fs::read(machine.directory.path().join("m.ko")).unwrap();
            assert_eq!(at_path, b"bytes of another file");
        }
    }

    #[test]
    fn a_file_that_its_caller_has_examined_is_the_one_that_the_kernel_gets() {
        let module = ModuleBuilder::new("m").modinfo("vermagic", "6.1").build();
        for force in [Force::default(), BOTH] {
            let machine = Machine::with_another_file_meanwhile();
            let path = machine.directory.path().join("m.ko");
            fs::write(&path, &module).unwrap();
            let examined = ModuleFile::open(&path).unwrap();
            machine.kernel.insert_file(&examined, b"a=1", force).unwrap();
            let flags = if force == BOTH { 3 } else { 0 };
            assert_eq!(
                machine.log(),
                [format!("finit_module \"a=1\" {flags}"), "init_module \"a=1\"".into()]
            );
            let image = machine.fake.images.lock().unwrap()[0].clone();
            assert_eq!((image.len(), image == module), (module.len(), force == Force::default()));
        }
    }

    #[test]
    fn a_file_too_short_for_a_module_does_not_come_to_the_kernel() {
        let machine = Machine::new(&[]);
        for bytes in [&b""[..], b"short"] {
            let refusal = machine.insert(bytes, Force::default()).unwrap_err();
            assert!(matches!(refusal, Error::Malformed { .. }), "{refusal}");
            assert_eq!(refusal.errno(), Errno::EINVAL);
        }
        machine.insert(b"longer", Force::default()).unwrap();
        assert_eq!(machine.log().len(), 1);
    }

    #[test]
    fn a_pipe_is_neither_waited_for_nor_given_to_the_kernel() {
        let machine = Machine::new(&[]);
        let path = machine.directory.path().join("pipe.ko");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let refusal = machine.kernel.insert(&path, b"", Force::default()).unwrap_err();
        assert!(refusal.to_string().ends_with("pipe.ko: not a regular file"), "{refusal}");
        assert!(machine.log().is_empty());
    }

    #[test]
    fn another_refusal_is_final() {
        let machine = Machine::new(&[("finit_module", Errno::EPERM)]);
        let refusal = machine.insert(b"any bytes", Force::default()).unwrap_err();
        assert!(matches!(refusal, Error::NotLoaded { errno: Errno::EPERM, .. }), "{refusal}");
        assert_eq!(machine.log().len(), 1);
    }

    #[test]
    fn a_missing_file_is_named() {
        let machine = Machine::new(&[]);
        let refusal =
            machine.kernel.insert(Path::new("/nonexistent/m.ko"), b"", Force::default()).unwrap_err();
        assert!(refusal.to_string().contains("/nonexistent/m.ko"), "{refusal}");
    }

    #[test]
    fn the_image_loses_what_the_kernel_would_check() {
        for arch in Arch::ALL {
            let module = ModuleBuilder::new("m")
                .arch(arch)
                .modinfo("vermagic", "6.1 SMP")
                .modinfo("license", "GPL")
                .needs("sym", 1)
                .build();
            let machine = Machine::new(&[("finit_module", Errno::ENOSYS)]);
            machine.insert(&module, BOTH).unwrap();
            let image = machine.fake.images.lock().unwrap()[0].clone();
            let before = Elf::parse(Contents::from_bytes(Path::new("m.ko"), module).unwrap()).unwrap();
            let after = Elf::parse(Contents::from_bytes(Path::new("m.ko"), image).unwrap()).unwrap();
            let alloc = u64::from(SHF_ALLOC);
            for ((name, old), (_, new)) in before.sections().zip(after.sections()) {
                let expected = if name == b"__versions" { old.sh_flags & !alloc } else { old.sh_flags };
                assert_eq!(new.sh_flags, expected, "{}", name.as_bstr());
            }
            let modinfo = after.section(b".modinfo").unwrap().unwrap();
            assert!(before.section(b".modinfo").unwrap().unwrap().contains_str("vermagic=6.1"));
            assert!(!modinfo.contains_str("vermagic") && modinfo.contains_str("license=GPL"));
        }
    }

    #[test]
    fn a_vermagic_is_blanked_and_nothing_else() {
        let mut modinfo = b"a=1\0vermagic=6.1\0b=2\0".to_vec();
        blank_vermagic(&mut modinfo);
        assert_eq!(modinfo, [&b"a=1\0"[..], &[0; 12], b"\0b=2\0"].concat());
    }
}
