//! The completions, in their shells.

use std::path::{Path, PathBuf};
use std::process::Command;

use testkit::{ModuleBuilder, TestRoot, surroundings};

const COMPLETIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../bins/kmod/completions");

/// A tree with two modules, and a directory for PATH that has the tools.
struct ShellFixture {
    root: TestRoot,
    tools: PathBuf,
}

impl ShellFixture {
    fn new() -> ShellFixture {
        let root = TestRoot::new();
        let module = ModuleBuilder::new("snd_hda_intel").modinfo("license", "GPL");
        let module = module.modinfo("parm", "index:Index value").modinfo("parmtype", "index:int");
        root.add_module("kernel/snd-hda-intel.ko", &module.modinfo("parmtype", "probe:bool"));
        root.add_module("kernel/snd-seq.ko", &ModuleBuilder::new("snd_seq").modinfo("license", "GPL"));
        let tools = root.path().join("tools");
        std::fs::create_dir(&tools).unwrap();
        for tool in ["depmod", "insmod", "kmod", "lsmod", "modinfo", "modprobe", "rmmod"] {
            std::os::unix::fs::symlink(testkit::under_test::kmod(), tools.join(tool)).unwrap();
        }
        let shell = ShellFixture { root, tools };
        let base = shell.base();
        let made = shell.command("depmod").args(["-b", &base, shell.root.version()]).status().unwrap();
        assert!(made.success());
        shell
    }

    fn base(&self) -> String {
        self.root.path().to_str().unwrap().to_owned()
    }

    /// A program, with our tools first on its PATH.
    fn command(&self, program: &str) -> Command {
        let mut path = self.tools.clone().into_os_string();
        path.push(":");
        path.push(surroundings::path());
        // Without a terminal and without a user's shell configuration.
        let home = self.root.path().as_os_str();
        let environment = [("PATH", &*path), ("HOME", home), ("TERM", "dumb".as_ref())];
        let mut command = surroundings::program_with(program, &environment);
        command.current_dir(self.root.path());
        command
    }

    /// `modprobe` with this tree, and what is typed after it.
    fn modprobe(&self, typed: &str) -> String {
        format!("modprobe -d {} -S {} {typed}", self.base(), self.root.version())
    }

    /// The candidates that a shell's script prints, one on a line.
    fn candidates(&self, shell: &str, arguments: &[&str]) -> Vec<String> {
        let output = self.command(shell).args(arguments).output().expect("a shell");
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let mut found: Vec<String> =
            text.lines().filter(|line| !line.is_empty()).map(|line| line.trim_end().to_owned()).collect();
        found.sort();
        assert!(output.status.success(), "{shell}: {}", String::from_utf8_lossy(&output.stderr));
        found
    }

    fn bash(&self, line: &str) -> Vec<String> {
        let script = r#"set -u; . "$1"; COMP_LINE=$2 COMP_POINT=${#2}; complete -p "${2%% *}" >/dev/null; _modutils
            printf '%s\n' "${COMPREPLY[@]}""#;
        let file = Path::new(COMPLETIONS).join("modutils.bash");
        self.candidates("bash", &["--norc", "-c", script, "bash", file.to_str().unwrap(), line])
    }

    fn fish(&self, line: &str) -> Vec<String> {
        let script = r#"source $argv[1]; complete --do-complete $argv[2]"#;
        let file = Path::new(COMPLETIONS).join("modutils.fish");
        let found = self.candidates("fish", &["--no-config", "-c", script, file.to_str().unwrap(), line]);
        found.iter().map(|line| line.split('\t').next().unwrap_or_default().to_owned()).collect()
    }

    /// Runs an interactive zsh, since its completion works nowhere else. The words that it was given are printed instead
    /// of its list.
    fn zsh(&self, line: &str) -> Vec<String> {
        let script = r#"
            zmodload zsh/zpty
            zpty shell zsh -f -i
            zpty -w shell "fpath=($1 \$fpath); autoload -Uz compinit; compinit -D -u; PS1='' PS2=''"
            zpty -w shell 'compadd() {
                local -a keep; builtin compadd -O keep "$@"; local one
                for one in $keep; do print -r -- "candidate $one"; done
                builtin compadd "$@"
            }'
            zpty -w shell 'widget() { zle complete-word; print -r -- "the end"; exit; }; zle -C complete-word complete-word _main_complete; zle -N widget; bindkey "^T" widget; print ready-$((1+1))'
            zpty -r shell answer '*ready-2*'
            zpty -w -n shell "$2"$'\x14'
            zpty -r shell answer '*the end*'
            print -r -- "$answer" | tr -d '\r' | sed -n 's/.*candidate //p'
        "#;
        let mut found = self.candidates("zsh", &["-f", "-c", script, "zsh", COMPLETIONS, line]);
        found.dedup();
        found
    }

    fn in_all(&self, line: &str) -> Vec<(&'static str, Vec<String>)> {
        vec![("bash", self.bash(line)), ("fish", self.fish(line)), ("zsh", self.zsh(line))]
    }
}

#[test]
fn modules_are_completed_in_the_spelling_begun() {
    let shell = ShellFixture::new();
    for (program, found) in shell.in_all(&shell.modprobe("snd-")) {
        assert_eq!(found, ["snd-hda_intel", "snd-seq"], "{program}");
    }
}

#[test]
fn parameters_of_the_module_are_completed_after_it() {
    let shell = ShellFixture::new();
    for (program, found) in shell.in_all(&shell.modprobe("snd-hda-intel ")) {
        assert_eq!(found, ["index=", "probe="], "{program}");
    }
}

#[test]
fn options_are_completed() {
    let shell = ShellFixture::new();
    for (program, found) in shell.in_all("modprobe --show-d") {
        assert_eq!(found, ["--show-depends"], "{program}");
    }
}

#[test]
fn kernels_are_completed_where_one_is_asked_for() {
    let shell = ShellFixture::new();
    let version = shell.root.version();
    for (program, found) in shell.in_all(&format!("modinfo -b {} -k ", shell.base())) {
        assert_eq!(found, [version], "{program}");
    }
}

#[test]
fn commands_of_kmod_are_completed() {
    let shell = ShellFixture::new();
    for (program, found) in shell.in_all("kmod stat") {
        assert_eq!(found, ["static-nodes", "status"], "{program}");
    }
}

#[test]
fn files_are_completed_by_the_shell() {
    let shell = ShellFixture::new();
    for file in ["here.ko", "here.ko.zst", "here.txt", "herein/x"] {
        shell.root.write(file, "");
    }
    for (program, found) in shell.in_all("insmod her") {
        // Module files, and directories, which fish ends with a slash.
        let found: Vec<_> = found.iter().map(|path| path.trim_end_matches('/')).collect();
        assert_eq!(found, ["here.ko", "here.ko.zst", "herein"], "{program}");
    }
}

#[test]
fn loaded_modules_are_completed_for_removal() {
    let shell = ShellFixture::new();
    let loaded = std::fs::read_to_string("/proc/modules").unwrap_or_default();
    let mut loaded: Vec<String> =
        loaded.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect();
    loaded.sort();
    for line in ["rmmod ", "modprobe -r "] {
        assert_eq!(shell.bash(line), loaded, "{line}");
    }
}
