//! The packages in the place of kmod, libkmod2 and libkmod-dev, from binaries that are there already.
//!
//! They have the names, relations and descriptions of `integration/packages/debian`, whose packages are compiled on
//! Debian itself, and the same files at the same paths. The tools are the static binary here, so that one package is
//! for every release.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::compress_pages;
use crate::install::{self, Places};
use crate::packages::{self, DPKG_DEB, GZIP};
use crate::{libkmod, process, workspace};

/// The package of the tools.
pub(crate) const TOOLS: &str = "kmod-modutils";
/// The package of the library.
pub(crate) const LIBRARY: &str = "libkmod2-modutils";
/// The package of what programs are compiled with.
pub(crate) const DEVELOPMENT: &str = "libkmod-modutils-dev";
/// Where amd64 has its libraries.
const LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";
/// Commands for which Debian 12's bash-completion has files. Those that end in `.bash` are found where these are not.
const COMPLETED: [&str; 4] = ["insmod", "modinfo", "modprobe", "rmmod"];
/// The development files of an installation.
const DEVELOPMENT_FILES: [&str; 5] = [
    "usr/include/libkmod.h",
    "usr/lib/x86_64-linux-gnu/libkmod.so",
    "usr/lib/x86_64-linux-gnu/pkgconfig/libkmod.pc",
    "usr/share/pkgconfig/kmod.pc",
    "usr/share/man/man3/libkmod.3.gz",
];

/// Packs the three packages of a version into a directory.
///
/// # Errors
/// When something can't be read or written, or dpkg-deb fails.
pub(crate) fn build(binary: &Path, library: &Path, output: &Path, version: &str) -> Result<Vec<PathBuf>> {
    packages::need(&[DPKG_DEB, GZIP])?;
    let stage = tempfile::tempdir()?;
    let [tools, libraries, development] =
        [TOOLS, LIBRARY, DEVELOPMENT].map(|package| stage.path().join(package));
    let places =
        Places { sbindir: Some("/usr/sbin".into()), libdir: Some(LIBRARIES.into()), ..Places::default() };
    install::install(&tools, &places, binary)?;
    install::install_library(&tools, &places, library)?;
    compress_pages(&tools.join("usr/share/man"))?;
    for file in DEVELOPMENT_FILES {
        shift(file, &tools, &development)?;
    }
    for name in [libkmod::FILE, libkmod::SONAME] {
        shift(&format!("{}/{name}", &LIBRARIES[1..]), &tools, &libraries)?;
    }
    for empty in ["usr/include", &format!("{}/pkgconfig", &LIBRARIES[1..]), &LIBRARIES[1..]] {
        fs::remove_dir(tools.join(empty)).with_context(|| empty.to_owned())?;
    }
    for empty in ["usr/share/pkgconfig", "usr/share/man/man3"] {
        fs::remove_dir(tools.join(empty)).with_context(|| empty.to_owned())?;
    }
    let completions = tools.join("usr/share/bash-completion/completions");
    for tool in COMPLETED {
        fs::rename(completions.join(tool), completions.join(format!("{tool}.bash")))?;
    }
    let documents = tools.join("usr/share/doc");
    fs::rename(documents.join("modutils"), documents.join(TOOLS))?;
    let documents = documents.join(TOOLS);
    // The licences are in copyright, the changes in changelog; the rest is compressed, as debhelper does it.
    for elsewhere in ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        fs::remove_file(documents.join(elsewhere)).context(elsewhere)?;
    }
    for name in ["README.md", "modutils.schema.json"] {
        process::output(Command::new("gzip").args(["-9", "--no-name"]).arg(documents.join(name)))?;
    }
    let recipe = workspace::root().join("integration/packages/debian");
    let configuration = tools.join("usr/lib/modprobe.d/kmod-modutils.conf");
    fs::copy(recipe.join("modprobe.d/kmod-modutils.conf"), configuration).context("modprobe.d")?;
    let hooks = tools.join("usr/share/initramfs-tools/hooks");
    fs::create_dir_all(&hooks)?;
    fs::copy(recipe.join("kmod-modutils.initramfs-hook"), hooks.join(TOOLS)).context("the hook")?;
    fs::set_permissions(hooks.join(TOOLS), fs::Permissions::from_mode(0o755))?;

    super::add_kernel_hook(&tools, TOOLS)?;

    let control = fs::read_to_string(recipe.join("control")).context("control")?;
    let glibc = format!("libc6 (>= {}.{})", libkmod::GLIBC.0, libkmod::GLIBC.1);
    let mut packed = Vec::new();
    for (package, root, needs, trigger) in [
        (TOOLS, &tools, None, Some("update-initramfs")),
        (LIBRARY, &libraries, Some(glibc.as_str()), Some("ldconfig")),
        (DEVELOPMENT, &development, None, None),
    ] {
        let documents = root.join("usr/share/doc").join(package);
        fs::create_dir_all(&documents)?;
        fs::copy(recipe.join("copyright"), documents.join("copyright")).context("copyright")?;
        fs::copy(recipe.join("changelog"), documents.join("changelog")).context("changelog")?;
        process::output(Command::new("gzip").args(["-9", "--no-name"]).arg(documents.join("changelog")))?;
        let overrides = root.join("usr/share/lintian/overrides");
        fs::create_dir_all(&overrides)?;
        let reasons = recipe.join(format!("{package}.lintian-overrides"));
        fs::copy(reasons, overrides.join(package)).context("lintian-overrides")?;
        let directory = root.join("DEBIAN");
        fs::create_dir(&directory)?;
        fs::write(directory.join("control"), control_file(&control, package, version, needs)?)?;
        if package == TOOLS {
            for name in ["preinst", "postrm"] {
                let script = fs::read_to_string(recipe.join(format!("{package}.{name}"))).context(name)?;
                fs::write(directory.join(name), script.replace("\n#DEBHELPER#\n", ""))?;
                fs::set_permissions(directory.join(name), fs::Permissions::from_mode(0o755))?;
            }
            super::list_configuration(root)?;
        }
        if package == LIBRARY {
            fs::write(directory.join("shlibs"), "libkmod 2 libkmod2 (>= 33~)\n")?;
        }
        if let Some(trigger) = trigger {
            fs::write(directory.join("triggers"), format!("activate-noawait {trigger}\n"))?;
        }
        fs::create_dir_all(output)?;
        let file = output.join(format!("{package}_{version}_amd64.deb"));
        super::pack(root, &file)?;
        packed.push(file);
    }
    Ok(packed)
}

/// Moves a file to the same path below another root.
fn shift(path: &str, from: &Path, to: &Path) -> Result<()> {
    let there = to.join(path);
    let parent = there.parent().context("a path in a directory")?;
    fs::create_dir_all(parent)?;
    fs::rename(from.join(path), &there).with_context(|| path.to_owned())
}

/// The control file of a binary package, from the one of the source package. `needs` is what the shared objects of the
/// package need.
fn control_file(source: &str, package: &str, version: &str, needs: Option<&str>) -> Result<String> {
    let paragraph = |key: &str, value: &str| {
        let line = format!("{key}: {value}");
        source.split("\n\n").find(|paragraph| paragraph.lines().any(|one| one == line))
    };
    let of_source = paragraph("Source", "modutils-rs").context("no source in debian/control")?;
    let of_package =
        paragraph("Package", package).with_context(|| format!("no {package} in debian/control"))?;
    let mut text = String::new();
    for line in of_package.lines() {
        match line.split_once(": ") {
            Some(("Package", _)) => {
                text += &format!("{line}\nSource: modutils-rs\nVersion: {version}\n");
                for key in ["Maintainer", "Section", "Priority"] {
                    let given = |text: &str| text.lines().any(|line| line.starts_with(&format!("{key}: ")));
                    if !given(of_package) {
                        let line = of_source.lines().find(|line| line.starts_with(&format!("{key}: ")));
                        text += &format!("{}\n", line.with_context(|| format!("no {key}"))?);
                    }
                }
            }
            Some(("Architecture", _)) => text += "Architecture: amd64\n",
            Some(("Depends", depends)) => {
                let words = depends.split(", ").filter_map(|one| match one {
                    "${misc:Depends}" => None,
                    "${shlibs:Depends}" => needs.map(str::to_owned),
                    other => Some(other.replace("${binary:Version}", version)),
                });
                let words = words.collect::<Vec<_>>().join(", ");
                if !words.is_empty() {
                    text += &format!("Depends: {words}\n");
                }
            }
            _ => text += &format!("{line}\n"),
        }
    }
    anyhow::ensure!(!text.contains("${"), "a variable is left in the control file of {package}:\n{text}");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_files_have_what_they_need_of_the_source() {
        let source =
            fs::read_to_string(workspace::root().join("integration/packages/debian/control")).unwrap();
        let text = control_file(&source, DEVELOPMENT, "1.2", None).unwrap();
        for line in [
            "Package: libkmod-modutils-dev",
            "Version: 1.2",
            "Section: libdevel",
            "Priority: optional",
            "Depends: libkmod2-modutils (= 1.2)",
        ] {
            assert!(text.lines().any(|one| one == line), "{line}: {text}");
        }
        let text = control_file(&source, LIBRARY, "1.2", Some("libc6 (>= 2.35)")).unwrap();
        assert!(
            text.contains("\nDepends: libc6 (>= 2.35)\n")
                && text.contains("\nProvides: libkmod2 (= 34.2-2)\n")
        );
        let text = control_file(&source, TOOLS, "1.2", None).unwrap();
        assert!(!text.contains("Depends") && text.contains("\nSection: admin\n"), "{text}");
        assert!(control_file(&source, "another", "1.2", None).is_err());
    }

    #[test]
    fn the_recipes_are_about_this_version() {
        let version = env!("CARGO_PKG_VERSION");
        for (file, line) in [
            ("debian/changelog", format!("modutils-rs ({version}) unstable; urgency=medium")),
            ("modutils.spec", format!("Version:        {version}")),
            ("PKGBUILD", format!("pkgver={version}")),
        ] {
            let text = fs::read_to_string(workspace::root().join("integration/packages").join(file)).unwrap();
            assert!(text.lines().any(|one| one == line), "{file}: no line {line}");
        }
    }
}
