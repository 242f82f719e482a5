//! Each option is in the tool's help, on its manual page and among its completions.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// The command lines that have options, and the page of each.
fn command_lines() -> Vec<(Vec<String>, String)> {
    let tools = ["depmod", "insmod", "kmod", "lsmod", "modinfo", "modprobe", "rmmod"];
    let mut lines: Vec<_> = tools.map(|tool| (vec![tool.to_owned()], format!("{tool}.8"))).into();
    for command in commands() {
        let page = format!("kmod-{command}.8");
        // The older commands are small enough for kmod's own page.
        let page = match command.as_str() {
            "list" => "lsmod.8".to_owned(),
            _ if man(&page).is_file() => page,
            _ => "kmod.8".to_owned(),
        };
        lines.push((vec!["kmod".to_owned(), command], page));
    }
    lines
}

/// kmod's commands, as its help lists them.
fn commands() -> Vec<String> {
    let help = run(&["kmod", "help"]);
    let (_, list) = help.split_once("Commands:\n").expect("a list of commands");
    let names = list.lines().take_while(|line| !line.is_empty());
    names.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

fn man(page: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../man")).join(page)
}

/// The output of our binary, called by the first word.
fn run(words: &[&str]) -> String {
    let output = command(words).output().expect("our binary runs");
    String::from_utf8(output.stdout).expect("help is text")
}

/// Our binary, called by the first word, with the others as arguments. Its output must not depend on the caller's
/// environment.
fn command(words: &[&str]) -> Command {
    let mut command = Command::new(testkit::under_test::kmod());
    std::os::unix::process::CommandExt::arg0(&mut command, words[0]);
    command.args(&words[1..]).env_clear();
    command
}

/// The options in a help text: in the lines of options, and among aliases.
fn options_of_help(help: &str) -> BTreeSet<String> {
    let mut options = BTreeSet::new();
    for line in help.lines().filter(|line| line.trim_start().starts_with('-')) {
        let line = line.trim();
        let (names, rest) = line.split_once("  ").unwrap_or((line, ""));
        let aliases = rest.split_once("[alias").map_or("", |(_, aliases)| aliases);
        let words = names.split_whitespace().chain(aliases.split_whitespace());
        let words = words.map(|word| word.trim_end_matches([',', ']', '.']));
        options.extend(words.filter(|word| word.starts_with('-')).map(str::to_owned));
    }
    options
}

/// The options that a page describes: those in its list items, `Fl x` and `Fl Fl long`.
fn options_of_page(page: &str) -> BTreeSet<String> {
    let text = std::fs::read_to_string(man(page)).unwrap_or_else(|error| panic!("{page}: {error}"));
    let mut options = BTreeSet::new();
    for item in text.lines().filter_map(|line| line.strip_prefix(".It ")) {
        for option in item.split("Fl ").skip(1) {
            let word = option.split_whitespace().next().unwrap_or_default().trim_end_matches(',');
            if word.len() == 1 {
                options.insert(format!("-{word}"));
            } else if !word.is_empty() {
                options.insert(format!("--{word}"));
            }
        }
    }
    options
}

fn options_of_completion(words: &[String]) -> BTreeSet<String> {
    let ask = |begun: &str| {
        let mut call = vec!["kmod", "complete", "--"];
        call.extend(words.iter().map(String::as_str));
        call.push(begun);
        run(&call)
    };
    let answer = ask("-");
    answer.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect()
}

#[test]
fn every_option_is_in_the_help_on_the_page_and_completed() {
    for (words, page) in command_lines() {
        let mut call: Vec<&str> = words.iter().map(String::as_str).collect();
        call.push("--help");
        let help = options_of_help(&run(&call));
        // These two commands of kmod have no options.
        if matches!(words.get(1).map(String::as_str), Some("help" | "complete")) {
            continue;
        }
        assert!(help.contains("--help"), "{words:?}: {help:?}");
        let described = options_of_page(&page);
        let missing: Vec<_> = help.difference(&described).collect();
        assert!(missing.is_empty(), "{words:?}: {page} lacks {missing:?}");
        assert_eq!(options_of_completion(&words), help, "{words:?}");
    }
}

#[test]
fn every_option_on_a_page_exists() {
    for (words, page) in command_lines() {
        for option in options_of_page(&page) {
            // kmod's page describes the options of its commands, too.
            if page == "kmod.8" {
                continue;
            }
            let mut call: Vec<&str> = words.iter().map(String::as_str).collect();
            let with_value = format!("{option}=");
            call.push(if option.starts_with("--") { &with_value } else { &option });
            let output = command(&call).arg("--help").output().expect("our binary runs");
            let stderr = String::from_utf8_lossy(&output.stderr);
            let unknown = ["unrecognized option", "invalid option"].iter().any(|text| stderr.contains(text));
            assert!(!unknown, "{page} describes {option}: {stderr}");
        }
    }
}

#[test]
fn every_command_of_kmod_is_on_a_page() {
    let page = std::fs::read_to_string(man("kmod.8")).expect("a page");
    for command in commands() {
        let described =
            page.contains(&format!("Cm {command}")) || page.contains(&format!("kmod-{command} 8"));
        assert!(described, "{command}");
    }
}
