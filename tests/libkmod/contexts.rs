//! Contexts: where they are, their resources, references, messages.

use crate::world::script;

#[test]
fn a_context_has_a_directory_a_pointer_and_a_priority() {
    script(
        "new 0 -
        dirname 0
        new 1 /some/where/
        dirname 1
        new 2 rel/dir
        dirname 2
        new 3 %
        dirname 3
        userdata 0
        priority 0
        priority 0 9
        priority 0 -1",
    )
    .compare();
}

#[test]
fn resources_are_valid_until_something_changes() {
    script(
        "new 0 -
        load 0
        load 0
        validate 0
        sh sleep%200.1;touch%20/lib/modules/6.12.0-test/modules.alias.bin
        validate 0
        lookup 0 base 0
        unload 0
        validate 0
        load 0
        validate 0
        sh sleep%200.1;touch%20/etc/modprobe.d
        validate 0
        unload 0
        unload 0
        new 1 /nowhere
        load 1
        validate 1
        new 2 - none
        load 2
        validate 2
        sh sleep%200.1;touch%20/etc/modprobe.d
        validate 2
        new 3 - /etc/modprobe.d/t.conf
        validate 3
        sh sleep%200.1;touch%20/etc/modprobe.d/t.conf
        validate 3",
    )
    .config("options a b=1\n")
    .compare();
}

#[test]
fn an_edit_in_place_is_noticed() {
    script(
        "new 0 -
        load 0
        validate 0
        sh sleep%200.1;echo%20options%20a%20c=2>>/etc/modprobe.d/t.conf
        validate 0",
    )
    .config("options a b=1\n")
    .differs(&[("  status 0\nvalidate 0\n  validate 0\n", "  status 0\nvalidate 0\n  validate 2\n")])
    .compare();
}

#[test]
fn each_index_is_needed_but_that_of_builtin_aliases() {
    for index in ["dep", "alias", "symbols", "builtin", "builtin.alias"] {
        let name = format!("lib/modules/6.12.0-test/modules.{index}.bin");
        script("new 0 -\nload 0\nlookup 0 base 0\nlookup 0 inside-alias 1\nvalidate 0")
            .without(&name)
            .compare();
    }
}

#[test]
fn loaded_indexes_answer_when_their_files_are_gone_or_cut() {
    let text = |ending: &str| {
        format!(
            "new 0 -
            load 0
            sh for%20x%20in%20/lib/modules/6.12.0-test/modules.*;do%20{ending};done
            lookup 0 base 0
            lookup 0 pci:v00001AF4d00001000sv00 1
            lookup 0 inside-alias 2
            name 0 top-most 3
            needs 3
            unload 0
            lookup 0 inside-alias 2"
        )
    };
    script(&text("mv%20$x%20$x.away")).compare();
    // The packaged library maps them, and would be killed.
    let cut = script(&text(":>$x")).run(testkit::Side::Ours);
    assert!(
        cut.output.contains("found base mid") && cut.output.contains("dependencies base mid"),
        "{}",
        cut.output
    );
}

#[test]
fn no_file_stays_open() {
    script(
        "descriptors
        new 0 -
        load 0
        descriptors
        lookup 0 twin 0
        name 0 top-most 1
        needs 1
        info 1
        needed 1
        state 1
        loaded 0 2
        probe 1 0 - -
        descriptors
        unload 0
        lookup 0 twin 0
        info 1
        descriptors",
    )
    // It keeps the files of modules open.
    .differs(&[("  3 opened, not closed\n", "")])
    .compare();
}

#[test]
fn an_index_is_dumped_as_lines() {
    let to = [
        ("dump 0 0 -1\n  dump 0\n", "dump 0 0 -1\n  dump EBADF\n"),
        ("dump 0 0 77\n  dump 0\n", "dump 0 0 77\n  dump EBADF\n"),
    ];
    for load in ["load 0", "unload 0"] {
        let text = format!(
            "new 0 -
            {load}
            dump 0 0
            dump 0 1
            dump 0 2
            dump 0 3
            dump 0 4
            dump 0 5
            dump 0 -1
            dump 0 0 -1
            dump 0 0 77
            new 1 /nowhere
            dump 1 0"
        );
        script(&text).differs(&to).compare();
    }
}

#[test]
fn a_module_keeps_its_context() {
    script(
        "new 0 -
        ref 0
        name 0 base 0
        unref 0
        unref 0
        facts 0
        needs 0
        module-ref 0
        module-unref 0
        module-unref 0",
    )
    .compare();
}

#[test]
fn messages_go_to_the_hosts_function() {
    script(
        "new 0 -
        log 0 data
        name 0 absent 0
        insert 0 0 -
        priority 0 2
        insert 0 0 -
        priority 0 7
        insert 0 0 -
        log 0 -
        insert 0 0 -",
    )
    .compare();
    let texts = script("new 0 -\nlog 0 texts\nname 0 a%25s%25n 0\ninsert 0 0 -").run(testkit::Side::Ours);
    assert!(texts.output.contains("log 3 could not find module by name='a%s%n'\n"), "{}", texts.output);
    // Programs show such messages: lttng-sessiond at its start, where the tracer's modules are not installed.
    for side in [testkit::Side::Ours, testkit::Side::Kmod34] {
        let probed = script("new 0 -\nlog 0 texts\nname 0 absent 0\nprobe 0 0 - -").run(side);
        assert!(probed.output.contains("could not find module by name='absent'\n"), "{}", probed.output);
    }
}

#[test]
fn the_environment_sets_the_priority() {
    for (value, theirs, ours) in [
        ("7", 7, 7),
        ("err", 3, 3),
        ("info", 6, 6),
        ("debug", 7, 7),
        ("warning", 0, 4),
        ("bogus", 0, 3),
        ("", 0, 3),
    ] {
        let line = |priority: i32| format!("  priority {priority}\n");
        let (theirs, ours) = (line(theirs), line(ours));
        let ours =
            script("new 0 -\npriority 0").variable("KMOD_LOG", value).differs(&[(&theirs, &ours)]).compare();
        assert!(!ours.output.is_empty());
    }
}
